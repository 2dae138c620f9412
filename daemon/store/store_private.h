/* store_private: what the table files of daemon/store share: two connections, statements that keep
 * their first failure, transactions. Only files of this folder and its tests include it.
 *
 * A table function looks like
 *     db *d = reader_enter(s);
 *     stmt q = stmt_open(d, "SELECT ... WHERE id = ?", err);
 *     put_int(&q, id);
 *     st = stmt_one(&q, read_row, row_done, sizeof row, &row, "data set");
 *     db_leave(d);
 * put_* bind the parameters and get_* read the columns in the order of the SQL text. */
#ifndef TPLDD_STORE_PRIVATE_H
#define TPLDD_STORE_PRIVATE_H

#include <pthread.h>
#include <sqlite3.h>

#include "store/store.h"

enum { STATEMENT_CACHE = 96 };

/* One connection. Whoever holds the lock may use it. */
typedef struct db {
	pthread_mutex_t lock;
	sqlite3 *handle;
	sqlite3_stmt *cache[STATEMENT_CACHE]; /* prepared statements, found by their text */
	size_t next_slot;                     /* the cache is a ring: the oldest goes */
} db;

struct store {
	db writer, reader;
};

/* Translates an SQLite result code and says what was attempted ("cannot add the run"). A full disk
 * or quota is TP_NOSPACE, a damaged file TP_CORRUPT, a taken name TP_EXISTS, a missing parent
 * or a row still in use TP_CONFLICT. */
tp_status db_fail(sqlite3 *handle, int rc, tp_err *err, const char *what);
/* Runs SQL without parameters or rows, possibly several statements. Lock held. */
tp_status db_exec(sqlite3 *handle, const char *sql, tp_err *err) TP_MUST_CHECK;
/* Brings the database of an open writer up to date; see store_open. */
tp_status migrate(sqlite3 *handle, const char *dir, tp_err *err) TP_MUST_CHECK;

/* Locks the reader for one statement; db_leave unlocks. */
db *reader_enter(store *s);
void db_leave(db *d);
/* The same for several statements that must see one state of the database. */
tp_status snapshot_enter(store *s, db **ret, tp_err *err) TP_MUST_CHECK;
void snapshot_leave(db *d);
/* Locks the writer and begins a transaction; on failure nothing is locked. writer_leave commits
 * when st is TP_OK, else rolls back, unlocks, and returns st or the failure of the commit. */
tp_status writer_enter(store *s, db **ret, tp_err *err) TP_MUST_CHECK;
tp_status writer_leave(db *d, tp_status st, tp_err *err) TP_MUST_CHECK;

typedef struct stmt {
	sqlite3_stmt *handle; /* borrowed from the cache */
	db *db;
	int bound, column;
	tp_status status; /* first failure; everything after it does nothing */
	tp_err *err;
} stmt;

/* Never fails visibly: the status shows at stmt_run, stmt_one, stmt_collect or stmt_close. */
stmt stmt_open(db *d, const char *sql, tp_err *err);
void put_int(stmt *q, int64_t v);
void put_id(stmt *q, int64_t v);          /* 0 becomes NULL */
void put_real(stmt *q, double v);         /* NaN and infinity are TP_NONFINITE */
void put_text(stmt *q, const char *text); /* NULL becomes ''; must live until the statement ends */

/* Bind ?N of the SQL text; a text without a parameter of that number ignores it. */
void put_int_at(stmt *q, int number, int64_t v);
void put_real_at(stmt *q, int number, double v);

/* Steps; true while there is a row. */
bool stmt_next(stmt *q);
int64_t get_int(stmt *q); /* NULL reads as 0 */
double get_real(stmt *q);
char *get_text(stmt *q); /* malloc'ed; NULL only when out of memory, which the status remembers */

/* Ends the use of the statement (parameters are forgotten) and returns its status. */
tp_status stmt_close(stmt *q) TP_MUST_CHECK;
/* Steps to the end and closes. */
tp_status stmt_run(stmt *q, const char *what) TP_MUST_CHECK;

/* Fills one row of a list from the current row. */
typedef void row_read(stmt *q, void *row);
typedef void row_done(void *row);
/* The first row into *ret, or TP_NOTFOUND "no such WHAT". Closes. */
tp_status stmt_one(stmt *q, row_read *read, row_done *done, size_t size, void *ret,
                   const char *what) TP_MUST_CHECK;
/* All rows into a malloc'ed array (NULL when there are none). Closes. */
tp_status stmt_collect(stmt *q, row_read *read, row_done *done, size_t size, void **ret,
                       size_t *ret_n) TP_MUST_CHECK;
/* One whole number, `otherwise` when there is no row. Closes. */
tp_status stmt_int(stmt *q, int64_t otherwise, int64_t *ret) TP_MUST_CHECK;

/* Wall clock, or `given` when that is not 0. */
int64_t time_or_now(int64_t given);

/* runs.c: TP_NOTFOUND unless the run exists. */
tp_status run_require(db *d, int64_t run, tp_err *err) TP_MUST_CHECK;
/* An id as a row of a list, and what frees it: nothing. */
void read_id(stmt *q, void *row);
void id_done(void *row);
/* Deletes a run that is in a final state and that nobody needs, inside a transaction of the caller. */
tp_status run_delete_row(db *d, int64_t id, tp_err *err) TP_MUST_CHECK;
/* experiments.c: TP_CONFLICT unless the part waits for a run, which is about to be added. */
tp_status part_require(db *d, int64_t experiment, int64_t part, tp_err *err) TP_MUST_CHECK;
/* What a run that is about to be deleted has measured stays with its part, if it has one. */
tp_status part_keep_result(db *d, int64_t run, tp_err *err) TP_MUST_CHECK;
/* A failed run is queued again: its part waits for it again, the cells that it took along for their turn, and a
 * failed experiment is running. Nothing for a run without one. */
tp_status part_reopen(db *d, int64_t run, tp_err *err) TP_MUST_CHECK;
/* Tells listeners that an experiment has changed. */
tp_status experiment_event(db *d, int64_t id, tp_err *err) TP_MUST_CHECK;
/* events.c: inside a transaction of the caller; `data` is JSON. */
tp_status event_insert(db *d, int64_t run, const char *type, const char *data, int64_t *ret_id,
                       tp_err *err) TP_MUST_CHECK;
/* audits.c */
tp_status audit_insert(db *d, int64_t run, int64_t round, const round_audit_row *a,
                       tp_err *err) TP_MUST_CHECK;
/* metrics.c */
tp_status metric_insert(db *d, int64_t run, const metric_row *m, size_t n,
                        tp_err *err) TP_MUST_CHECK;
/* evaluations.c: the run's miou_* from its evaluations. */
tp_status run_update_miou(db *d, int64_t run, tp_err *err) TP_MUST_CHECK;

#endif
