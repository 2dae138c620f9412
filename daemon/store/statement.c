/* statement: the thin layer between SQLite's calls and the table files; see store_private.h. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_private.h"

/* Why the last file operation failed. A commit does not pass errno on, but the WAL and the database
 * file each remember theirs; a full quota or file size limit hides behind "disk I/O error" else. */
static int io_errno(sqlite3 *handle)
{
	int sys = sqlite3_system_errno(handle);
	sqlite3_file *wal = NULL;
	if (sys == 0 &&
	    sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal) == SQLITE_OK &&
	    wal != NULL && wal->pMethods != NULL)
		(void)wal->pMethods->xFileControl(wal, SQLITE_FCNTL_LAST_ERRNO, &sys);
	if (sys == 0)
		(void)sqlite3_file_control(handle, "main", SQLITE_FCNTL_LAST_ERRNO, &sys);
	return sys;
}

tp_status db_fail(sqlite3 *handle, int rc, tp_err *err, const char *what)
{
	int sys = 0;
	tp_status st = TP_IO;
	switch (rc & 0xff) {
	case SQLITE_FULL:
		st = TP_NOSPACE;
		break;
	case SQLITE_IOERR:
		sys = io_errno(handle);
		st = sys == ENOSPC || sys == EDQUOT || sys == EFBIG ? TP_NOSPACE : TP_IO;
		break;
	case SQLITE_CANTOPEN:
		sys = sqlite3_system_errno(handle);
		break;
	case SQLITE_NOMEM:
		st = TP_NOMEM;
		break;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		st = TP_CORRUPT;
		break;
	case SQLITE_TOOBIG:
		st = TP_INVALID;
		break;
	case SQLITE_CONSTRAINT:
		st = rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY ?
		             TP_EXISTS :
		             TP_CONFLICT;
		break;
	default:
		break;
	}
	return tp_fail(err, st, sys, "cannot %s: %s", what, sqlite3_errmsg(handle));
}

tp_status db_exec(sqlite3 *handle, const char *sql, tp_err *err)
{
	int rc = sqlite3_exec(handle, sql, NULL, NULL, NULL);
	return rc == SQLITE_OK ? TP_OK : db_fail(handle, rc, err, "prepare the database");
}

db *reader_enter(store *s)
{
	(void)pthread_mutex_lock(&s->reader.lock);
	return &s->reader;
}

void db_leave(db *d)
{
	(void)pthread_mutex_unlock(&d->lock);
}

tp_status snapshot_enter(store *s, db **ret, tp_err *err)
{
	db *d = reader_enter(s);
	stmt q = stmt_open(d, "BEGIN", err);
	tp_status st = stmt_run(&q, "begin reading");
	if (st != TP_OK) {
		db_leave(d);
		return st;
	}
	*ret = d;
	return TP_OK;
}

static void roll_back(db *d)
{
	stmt q = stmt_open(d, "ROLLBACK", NULL);
	tp_status ignored = stmt_run(&q, "roll back");
	(void)ignored; /* the caller has the first cause already, or only read */
}

void snapshot_leave(db *d)
{
	if (sqlite3_get_autocommit(d->handle) == 0)
		roll_back(d);
	db_leave(d);
}

tp_status writer_enter(store *s, db **ret, tp_err *err)
{
	db *d = &s->writer;
	(void)pthread_mutex_lock(&d->lock);
	stmt q = stmt_open(d, "BEGIN IMMEDIATE", err);
	tp_status st = stmt_run(&q, "begin a transaction");
	if (st != TP_OK) {
		db_leave(d);
		return st;
	}
	*ret = d;
	return TP_OK;
}

tp_status writer_leave(db *d, tp_status st, tp_err *err)
{
	if (st == TP_OK) {
		stmt q = stmt_open(d, "COMMIT", err);
		st = stmt_run(&q, "commit");
	}
	/* After a full disk SQLite has often rolled back by itself; asking twice is an error. */
	if (sqlite3_get_autocommit(d->handle) == 0)
		roll_back(d);
	db_leave(d);
	return st;
}

stmt stmt_open(db *d, const char *sql, tp_err *err)
{
	stmt q = {.db = d, .err = err};
	for (size_t i = 0; i < STATEMENT_CACHE && d->cache[i] != NULL; i++)
		if (strcmp(sqlite3_sql(d->cache[i]), sql) == 0) {
			q.handle = d->cache[i];
			return q;
		}
	int rc = sqlite3_prepare_v3(d->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &q.handle, NULL);
	if (rc != SQLITE_OK) {
		q.status = db_fail(d->handle, rc, err, "prepare a statement");
		return q;
	}
	(void)sqlite3_finalize(d->cache[d->next_slot]);
	d->cache[d->next_slot] = q.handle;
	d->next_slot = (d->next_slot + 1) % STATEMENT_CACHE;
	return q;
}

static void bound(stmt *q, int rc)
{
	if (rc != SQLITE_OK)
		q->status = db_fail(q->db->handle, rc, q->err, "bind a value");
}

void put_int(stmt *q, int64_t v)
{
	if (q->status == TP_OK)
		bound(q, sqlite3_bind_int64(q->handle, ++q->bound, v));
}

void put_id(stmt *q, int64_t v)
{
	if (v != 0)
		put_int(q, v);
	else if (q->status == TP_OK)
		bound(q, sqlite3_bind_null(q->handle, ++q->bound));
}

void put_real(stmt *q, double v)
{
	if (q->status != TP_OK)
		return;
	if (!isfinite(v)) {
		q->status = tp_fail(q->err, TP_NONFINITE, 0, "a number to be stored is %f", v);
		return;
	}
	bound(q, sqlite3_bind_double(q->handle, ++q->bound, v));
}

void put_text(stmt *q, const char *text)
{
	if (q->status == TP_OK)
		bound(q, sqlite3_bind_text(q->handle, ++q->bound, text == NULL ? "" : text, -1,
		                           SQLITE_STATIC));
}

static bool seek(stmt *q, int number)
{
	if (q->status != TP_OK || number > sqlite3_bind_parameter_count(q->handle))
		return false;
	q->bound = number - 1;
	return true;
}

void put_int_at(stmt *q, int number, int64_t v)
{
	if (seek(q, number))
		put_int(q, v);
}

void put_real_at(stmt *q, int number, double v)
{
	if (seek(q, number))
		put_real(q, v);
}

bool stmt_next(stmt *q)
{
	if (q->status != TP_OK)
		return false;
	q->column = 0;
	int rc = sqlite3_step(q->handle);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		q->status = db_fail(q->db->handle, rc, q->err, "read or write the database");
	return rc == SQLITE_ROW;
}

int64_t get_int(stmt *q)
{
	return sqlite3_column_int64(q->handle, q->column++);
}

double get_real(stmt *q)
{
	return sqlite3_column_double(q->handle, q->column++);
}

char *get_text(stmt *q)
{
	const unsigned char *text = sqlite3_column_text(q->handle, q->column++);
	char *copy = strdup(text == NULL ? "" : (const char *)text);
	if (copy == NULL && q->status == TP_OK)
		q->status = tp_fail(q->err, TP_NOMEM, 0, "out of memory");
	return copy;
}

tp_status stmt_close(stmt *q)
{
	if (q->handle != NULL) {
		(void)sqlite3_reset(q->handle);
		(void)sqlite3_clear_bindings(q->handle);
	}
	return q->status;
}

tp_status stmt_run(stmt *q, const char *what)
{
	int rc = SQLITE_ROW;
	while (q->status == TP_OK && rc == SQLITE_ROW) {
		rc = sqlite3_step(q->handle);
		if (rc != SQLITE_ROW && rc != SQLITE_DONE)
			q->status = db_fail(q->db->handle, rc, q->err, what);
	}
	return stmt_close(q);
}

tp_status stmt_one(stmt *q, row_read *read, row_done *done, size_t size, void *ret,
                   const char *what)
{
	void *row = calloc(1, size);
	if (row == NULL && q->status == TP_OK)
		q->status = tp_fail(q->err, TP_NOMEM, 0, "out of memory");
	if (stmt_next(q))
		read(q, row);
	else if (q->status == TP_OK)
		q->status = tp_fail(q->err, TP_NOTFOUND, 0, "no such %s", what);
	if (q->status == TP_OK)
		memcpy(ret, row, size);
	else if (row != NULL)
		done(row);
	free(row);
	return stmt_close(q);
}

tp_status stmt_collect(stmt *q, row_read *read, row_done *done, size_t size, void **ret,
                       size_t *ret_n)
{
	char *rows = NULL;
	size_t n = 0, room = 0;
	while (stmt_next(q)) {
		if (n == room) {
			room = room == 0 ? 16 : room * 2;
			char *more = realloc(rows, room * size);
			if (more == NULL) {
				q->status = tp_fail(q->err, TP_NOMEM, 0, "out of memory");
				break;
			}
			rows = more;
		}
		memset(rows + n * size, 0, size);
		read(q, rows + n++ * size);
	}
	if (q->status != TP_OK) {
		rows_done(rows, n, size, done);
	} else {
		*ret = rows;
		*ret_n = n;
	}
	return stmt_close(q);
}

tp_status stmt_int(stmt *q, int64_t otherwise, int64_t *ret)
{
	int64_t v = stmt_next(q) ? get_int(q) : otherwise;
	tp_status st = stmt_close(q);
	if (st == TP_OK)
		*ret = v;
	return st;
}
