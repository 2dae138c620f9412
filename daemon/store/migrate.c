/* migrate: applies migrations/NNNN_name.sql in order. user_version counts the applied ones; the
 * table `migration` keeps their digests, so that an edited file is noticed instead of believed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "store/store_private.h"

enum {
	MAX_MIGRATIONS = 999,
	MAX_SQL_BYTES = 1 << 20,
	APPLICATION_ID = 0x74706c64, /* "tpld": tells our database from somebody else's */
};

static tp_status pragma_int(sqlite3 *handle, const char *sql, int64_t *ret, tp_err *err)
{
	sqlite3_stmt *q = NULL;
	int rc = sqlite3_prepare_v2(handle, sql, -1, &q, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(q);
	if (rc == SQLITE_ROW)
		*ret = sqlite3_column_int64(q, 0);
	(void)sqlite3_finalize(q);
	return rc == SQLITE_ROW ? TP_OK : db_fail(handle, rc, err, "read the database's version");
}

static int is_migration(const struct dirent *e)
{
	const char *n = e->d_name;
	size_t len = strlen(n);
	return len > 9 && strspn(n, "0123456789") == 4 && n[4] == '_' &&
	       strcmp(n + len - 4, ".sql") == 0;
}

static tp_status apply(sqlite3 *handle, int version, const char *name, const char *sql,
                       const char *sha256, tp_err *err)
{
	char finish[512];
	/* A file name may hold quotes; %Q doubles them. */
	(void)sqlite3_snprintf(sizeof finish, finish,
	                       "INSERT INTO migration (version, name, sha256) VALUES (%d, %Q, %Q);"
	                       "PRAGMA user_version = %d;",
	                       version, name, sha256, version);
	tp_status st = db_exec(handle, "BEGIN IMMEDIATE", err);
	if (st == TP_OK && version == 1) {
		char first[256];
		(void)sqlite3_snprintf(sizeof first, first,
		                       "PRAGMA application_id = %d;"
		                       "CREATE TABLE migration (version INTEGER PRIMARY KEY,"
		                       " name TEXT NOT NULL, sha256 TEXT NOT NULL) STRICT;",
		                       APPLICATION_ID);
		st = db_exec(handle, first, err);
	}
	if (st == TP_OK) {
		int rc = sqlite3_exec(handle, sql, NULL, NULL, NULL);
		char what[300];
		(void)snprintf(what, sizeof what, "apply migration %.200s", name);
		if (rc != SQLITE_OK)
			st = db_fail(handle, rc, err, what);
	}
	if (st == TP_OK)
		st = db_exec(handle, finish, err);
	if (st == TP_OK)
		st = db_exec(handle, "COMMIT", err);
	if (sqlite3_get_autocommit(handle) == 0)
		(void)sqlite3_exec(handle, "ROLLBACK", NULL, NULL, NULL);
	return st;
}

static tp_status verify(sqlite3 *handle, int version, const char *name, const char *sha256,
                        tp_err *err)
{
	sqlite3_stmt *q = NULL;
	int rc = sqlite3_prepare_v2(handle, "SELECT sha256 FROM migration WHERE version = ?", -1,
	                            &q, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int(q, 1, version);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(q);
	tp_status st = TP_OK;
	if (rc == SQLITE_DONE)
		st = tp_fail(err, TP_CORRUPT, 0, "the database does not remember migration %s",
		             name);
	else if (rc != SQLITE_ROW)
		st = db_fail(handle, rc, err, "read the list of migrations");
	else if (strcmp((const char *)sqlite3_column_text(q, 0), sha256) != 0)
		st = tp_fail(err, TP_CONFLICT, 0,
		             "migration %s was changed after it had been applied", name);
	(void)sqlite3_finalize(q);
	return st;
}

/* A file that is ours, or new and empty. */
static tp_status check_owner(sqlite3 *handle, int64_t version, tp_err *err)
{
	int64_t id = 0, objects = 0;
	tp_status st = pragma_int(handle, "PRAGMA application_id", &id, err);
	if (st == TP_OK)
		st = pragma_int(handle, "SELECT count(*) FROM sqlite_schema", &objects, err);
	if (st == TP_OK && id != APPLICATION_ID && (version != 0 || objects != 0))
		st = tp_fail(err, TP_CONFLICT, 0, "tpldd.db belongs to another program");
	return st;
}

static tp_status one(sqlite3 *handle, int dirfd, int version, int64_t applied, const char *name,
                     tp_err *err)
{
	void *sql = NULL;
	size_t size;
	if (atoi(name) != version)
		return tp_fail(err, TP_INVALID, 0, "migration %04d is missing or doubled: found %s",
		               version, name);
	tp_status st = file_read(dirfd, name, MAX_SQL_BYTES, &sql, &size, err);
	if (st != TP_OK)
		return st;
	char sha256[65];
	sha256_hex(sql, size, sha256);
	if (strlen(sql) != size)
		st = tp_fail(err, TP_INVALID, 0, "migration %s holds a zero byte", name);
	else if (version <= applied)
		st = verify(handle, version, name, sha256, err);
	else
		st = apply(handle, version, name, sql, sha256, err);
	free(sql);
	return st;
}

tp_status migrate(sqlite3 *handle, const char *dir, tp_err *err)
{
	int64_t applied = 0;
	tp_status st = pragma_int(handle, "PRAGMA user_version", &applied, err);
	if (st == TP_OK)
		st = check_owner(handle, applied, err);
	if (st != TP_OK)
		return st;
	int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return tp_fail(err, TP_IO, errno, "cannot open the migrations in %s", dir);
	struct dirent **list = NULL;
	int n = scandir(dir, &list, is_migration, alphasort);
	if (n < 0)
		st = tp_fail(err, TP_IO, errno, "cannot list %s", dir);
	else if (n == 0 || n > MAX_MIGRATIONS)
		st = tp_fail(err, TP_NOTFOUND, 0, "%s holds %d migrations", dir, n);
	else if (applied > n)
		st = tp_fail(err, TP_CONFLICT, 0,
		             "the database has version %lld, newer than this"
		             " program, which knows versions up to %d",
		             (long long)applied, n);
	for (int i = 0; i < n; i++) {
		if (st == TP_OK)
			st = one(handle, dirfd, i + 1, applied, list[i]->d_name, err);
		free(list[i]);
	}
	free(list);
	(void)close(dirfd);
	return st;
}
