#include <stdlib.h>

#include "store/store_private.h"

#define CHECKPOINT_COLUMNS                                                                         \
	"id, run, round, stage, step, phase, file, sha256, bytes, created_ms, resume"
#define WHERE_OLD                                                                                  \
	" WHERE run = ?1 AND resume = 1 AND id < (SELECT min(id) FROM"                             \
	" (SELECT id FROM checkpoint WHERE run = ?1 AND resume = 1 ORDER BY id DESC LIMIT 2))"

void checkpoint_row_done(checkpoint_row *r)
{
	free(r->phase);
	free(r->file);
	free(r->sha256);
	*r = (checkpoint_row){0};
}

static void done(void *row)
{
	checkpoint_row_done(row);
}

static void read_row(stmt *q, void *row)
{
	checkpoint_row *r = row;
	r->id = get_int(q);
	r->run = get_int(q);
	r->round = get_int(q);
	r->stage = get_int(q);
	r->step = get_int(q);
	r->phase = get_text(q);
	r->file = get_text(q);
	r->sha256 = get_text(q);
	r->bytes = get_int(q);
	r->created_ms = get_int(q);
	r->resume = get_int(q) != 0;
}

/* A checkpoint written again at the same step replaces the file, so also the row that named it. */
static tp_status forget_file(db *d, const checkpoint_row *c, tp_err *err)
{
	stmt q = stmt_open(d, "DELETE FROM checkpoint WHERE run = ? AND resume = 1 AND file = ?",
	                   err);
	put_int(&q, c->run);
	put_text(&q, c->file);
	return stmt_run(&q, "replace the checkpoint");
}

static tp_status insert(db *d, const checkpoint_row *c, bool resume, int64_t stage_step,
                        tp_err *err)
{
	stmt q = stmt_open(
		d,
		"INSERT INTO checkpoint (run, resume, round, stage, stage_step, step, phase,"
		" file, sha256, bytes, created_ms) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
		err);
	put_int(&q, c->run);
	put_int(&q, resume);
	put_int(&q, c->round);
	put_int(&q, c->stage);
	put_int(&q, stage_step);
	put_int(&q, c->step);
	put_text(&q, c->phase);
	put_text(&q, c->file);
	put_text(&q, c->sha256);
	put_int(&q, c->bytes);
	put_int(&q, time_or_now(c->created_ms));
	return stmt_run(&q, "add the checkpoint");
}

static void read_name(stmt *q, void *row)
{
	*(char **)row = get_text(q);
}

static void name_done(void *row)
{
	free(*(char **)row);
}

/* Forgets all resume checkpoints but the newest two. */
static tp_status prune(db *d, int64_t run, char ***ret_stale, size_t *ret_n, tp_err *err)
{
	stmt q = stmt_open(d, "SELECT file FROM checkpoint" WHERE_OLD, err);
	put_int(&q, run);
	tp_status st =
		stmt_collect(&q, read_name, name_done, sizeof(char *), (void **)ret_stale, ret_n);
	if (st != TP_OK)
		return st;
	q = stmt_open(d, "DELETE FROM checkpoint" WHERE_OLD, err);
	put_int(&q, run);
	return stmt_run(&q, "forget old checkpoints");
}

static tp_status progress(db *d, const store_progress *p, char ***ret_stale, size_t *ret_n,
                          tp_err *err)
{
	tp_status st = run_require(d, p->run, err);
	if (st == TP_OK && p->checkpoint != NULL)
		st = forget_file(d, p->checkpoint, err);
	if (st == TP_OK && p->checkpoint != NULL)
		st = insert(d, p->checkpoint, true, p->step, err);
	if (st == TP_OK)
		st = metric_insert(d, p->run, p->metric, p->metrics, err);
	if (st != TP_OK)
		return st;
	stmt q = stmt_open(d,
	                   "UPDATE run SET stage = ?, step = ?, seconds = ?, updated_ms = ?"
	                   " WHERE id = ?",
	                   err);
	put_int(&q, p->stage);
	put_int(&q, p->step);
	put_real(&q, p->seconds);
	put_int(&q, time_or_now(0));
	put_int(&q, p->run);
	st = stmt_run(&q, "record the run's position");
	return st == TP_OK ? prune(d, p->run, ret_stale, ret_n, err) : st;
}

tp_status store_run_progress(store *s, const store_progress *p, char ***ret_stale, size_t *ret_n,
                             tp_err *err)
{
	if (p->checkpoint != NULL && p->checkpoint->run != p->run)
		return tp_fail(err, TP_INVALID, 0, "a checkpoint of another run");
	db *d;
	tp_status st = writer_enter(s, &d, err);
	if (st != TP_OK)
		return st;
	char **stale = NULL;
	size_t n = 0;
	st = progress(d, p, &stale, &n, err);
	st = writer_leave(d, st, err);
	if (st == TP_OK) {
		*ret_stale = stale;
		*ret_n = n;
	} else {
		rows_done(stale, n, sizeof *stale, name_done);
	}
	return st;
}

tp_status store_checkpoint_resume(store *s, int64_t run, size_t skip, checkpoint_row *ret,
                                  tp_err *err)
{
	db *d = reader_enter(s);
	stmt q = stmt_open(d,
	                   "SELECT " CHECKPOINT_COLUMNS
	                   " FROM checkpoint WHERE run = ? AND resume = 1"
	                   " ORDER BY id DESC LIMIT 1 OFFSET ?",
	                   err);
	put_int(&q, run);
	put_int(&q, (int64_t)skip);
	tp_status st = stmt_one(&q, read_row, done, sizeof *ret, ret, "resume checkpoint");
	db_leave(d);
	return st;
}

/* A global step may stand both at the end of one stage and at the start of the next, so resume
 * checkpoints are compared by stage too. */
static tp_status rewind_rows(db *d, int64_t run, int64_t stage, int64_t global_step, tp_err *err)
{
	static const char *const sql[] = {
		"DELETE FROM metric WHERE run = ?1 AND step > ?3",
		"DELETE FROM round WHERE run = ?1 AND stage >= ?2",
		"DELETE FROM evaluation WHERE run = ?1 AND stage >= ?2",
		"DELETE FROM checkpoint WHERE run = ?1 AND resume = 0 AND stage >= ?2",
		"DELETE FROM checkpoint WHERE run = ?1 AND resume = 1"
		" AND (stage > ?2 OR step > ?3)",
		/* The stage's own measurement is true of the steps before as well as after. */
		"DELETE FROM profile WHERE run = ?1 AND stage > ?2",
		"UPDATE run SET stage = ?2, step = coalesce((SELECT stage_step FROM checkpoint"
		" WHERE run = ?1 AND resume = 1 AND stage = ?2 AND step = ?3"
		" ORDER BY id DESC LIMIT 1), 0) WHERE id = ?1",
	};
	tp_status st = run_require(d, run, err);
	for (size_t i = 0; i < sizeof sql / sizeof *sql && st == TP_OK; i++) {
		stmt q = stmt_open(d, sql[i], err);
		put_int_at(&q, 1, run);
		put_int_at(&q, 2, stage);
		put_int_at(&q, 3, global_step);
		st = stmt_run(&q, "go back to the checkpoint");
	}
	return st == TP_OK ? run_update_miou(d, run, err) : st;
}

tp_status store_run_rewind(store *s, int64_t run, int64_t stage, int64_t global_step, tp_err *err)
{
	db *d;
	tp_status st = writer_enter(s, &d, err);
	if (st != TP_OK)
		return st;
	return writer_leave(d, rewind_rows(d, run, stage, global_step, err), err);
}

tp_status store_checkpoint_add(store *s, const checkpoint_row *c, int64_t *ret_id, tp_err *err)
{
	db *d;
	tp_status st = writer_enter(s, &d, err);
	if (st != TP_OK)
		return st;
	st = run_require(d, c->run, err);
	if (st == TP_OK)
		st = insert(d, c, false, 0, err);
	int64_t id = sqlite3_last_insert_rowid(d->handle);
	st = writer_leave(d, st, err);
	if (st == TP_OK)
		*ret_id = id;
	return st;
}

tp_status store_checkpoint_get(store *s, int64_t id, checkpoint_row *ret, tp_err *err)
{
	db *d = reader_enter(s);
	stmt q = stmt_open(d,
	                   "SELECT " CHECKPOINT_COLUMNS
	                   " FROM checkpoint WHERE id = ? AND resume = 0",
	                   err);
	put_int(&q, id);
	tp_status st = stmt_one(&q, read_row, done, sizeof *ret, ret, "checkpoint");
	db_leave(d);
	return st;
}

tp_status store_checkpoint_list(store *s, int64_t run, int64_t after, size_t limit,
                                checkpoint_row **ret, size_t *ret_n, tp_err *err)
{
	db *d = reader_enter(s);
	stmt q = stmt_open(d,
	                   "SELECT " CHECKPOINT_COLUMNS " FROM checkpoint"
	                   " WHERE run = ? AND resume = 0 AND id > ? ORDER BY id LIMIT ?",
	                   err);
	put_int(&q, run);
	put_int(&q, after);
	put_int(&q, (int64_t)limit);
	tp_status st = stmt_collect(&q, read_row, done, sizeof **ret, (void **)ret, ret_n);
	db_leave(d);
	return st;
}
