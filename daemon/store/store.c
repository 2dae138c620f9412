#include "store/store_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Settings of both connections (craft.md B.3). trusted_schema and cell_size_check guard against a
 * damaged or doctored file; mmap would turn its read errors into signals. */
static const char shared_pragmas[] = "PRAGMA foreign_keys = ON;"
				     "PRAGMA trusted_schema = OFF;"
				     "PRAGMA cell_size_check = ON;"
				     "PRAGMA mmap_size = 0;"
				     "PRAGMA busy_timeout = 5000;"
				     "PRAGMA temp_store = MEMORY;";
/* FULL: a committed row survives a power cut; we commit a few times a minute. */
static const char writer_pragmas[] = "PRAGMA journal_mode = WAL;"
				     "PRAGMA synchronous = FULL;"
				     "PRAGMA journal_size_limit = 67108864;";

static void set_limits(sqlite3 *handle)
{
	static const struct {
		int id, value;
	} limit[] = {
		{SQLITE_LIMIT_LENGTH, 64 << 20},    {SQLITE_LIMIT_SQL_LENGTH, 1 << 20},
		{SQLITE_LIMIT_COLUMN, 64},          {SQLITE_LIMIT_EXPR_DEPTH, 64},
		{SQLITE_LIMIT_COMPOUND_SELECT, 8},  {SQLITE_LIMIT_ATTACHED, 0},
		{SQLITE_LIMIT_VARIABLE_NUMBER, 64}, {SQLITE_LIMIT_TRIGGER_DEPTH, 8},
	};
	for (size_t i = 0; i < sizeof limit / sizeof *limit; i++)
		(void)sqlite3_limit(handle, limit[i].id, limit[i].value);
}

static tp_status db_open(db *d, const char *path, bool writer, tp_err *err)
{
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
	            (writer ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY);
	int rc = sqlite3_open_v2(path, &d->handle, flags, NULL);
	if (d->handle == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory opening %s", path);
	if (rc != SQLITE_OK)
		return db_fail(d->handle, rc, err, path);
	set_limits(d->handle);
	tp_status st = db_exec(d->handle, shared_pragmas, err);
	if (st == TP_OK && writer)
		st = db_exec(d->handle, writer_pragmas, err);
	if (st == TP_OK && !writer) {
		/* Only the writer moves the WAL into the database. */
		(void)sqlite3_db_config(d->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
		(void)sqlite3_wal_autocheckpoint(d->handle, 0);
	}
	if (st == TP_OK)
		(void)sqlite3_db_config(d->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	return st;
}

static void db_close(db *d)
{
	for (size_t i = 0; i < STATEMENT_CACHE; i++)
		(void)sqlite3_finalize(d->cache[i]);
	(void)sqlite3_close(d->handle);
	(void)pthread_mutex_destroy(&d->lock);
}

tp_status store_open(const char *state_dir, const char *migrations_dir, store **ret, tp_err *err)
{
	char path[4096];
	if ((size_t)snprintf(path, sizeof path, "%s/tpldd.db", state_dir) >= sizeof path)
		return tp_fail(err, TP_INVALID, 0, "the state directory's path is too long");
	store *s = calloc(1, sizeof *s);
	if (s == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory");
	(void)pthread_mutex_init(&s->writer.lock, NULL);
	(void)pthread_mutex_init(&s->reader.lock, NULL);
	tp_status st = db_open(&s->writer, path, true, err);
	if (st == TP_OK)
		st = migrate(s->writer.handle, migrations_dir, err);
	if (st == TP_OK)
		st = db_open(&s->reader, path, false, err);
	if (st != TP_OK) {
		store_close(s);
		return st;
	}
	*ret = s;
	return TP_OK;
}

void store_close(store *s)
{
	if (s == NULL)
		return;
	db_close(&s->reader);
	if (s->writer.handle != NULL)
		(void)sqlite3_wal_checkpoint_v2(s->writer.handle, NULL, SQLITE_CHECKPOINT_TRUNCATE,
		                                NULL, NULL);
	db_close(&s->writer);
	free(s);
}

tp_status store_ping(store *s, tp_err *err)
{
	db *d;
	tp_status st = writer_enter(s, &d, err);
	if (st != TP_OK)
		return st;
	stmt q = stmt_open(d, "UPDATE ping SET time_ms = ?", err);
	put_int(&q, time_or_now(0));
	return writer_leave(d, stmt_run(&q, "write to the database"), err);
}

int64_t time_or_now(int64_t given)
{
	if (given != 0)
		return given;
	struct timespec t;
	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void rows_done(void *rows, size_t n, size_t size, void (*done)(void *))
{
	for (size_t i = 0; i < n && rows != NULL; i++)
		done((char *)rows + i * size);
	free(rows);
}
