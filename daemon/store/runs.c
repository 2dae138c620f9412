#include <stdlib.h>
#include <string.h>

#include "store/store_private.h"

#define RUN_COLUMNS                                                                                \
	"id, name, config, source, target, eval, init, state, error, stage, step, created_ms,"     \
	" updated_ms, seconds, miou_source, miou_current, miou_best, memory_bytes, disk_bytes,"    \
	" init_checkpoint, experiment, part"

const char *run_state_name(run_state s)
{
	static const char *const name[] = {
#define X(id, text) text,
		RUN_STATE_MAP(X)
#undef X
	};
	return name[s];
}

bool run_state_parse(const char *name, run_state *ret)
{
	for (int i = 0; i < RUN_STATES; i++)
		if (strcmp(run_state_name((run_state)i), name) == 0) {
			*ret = (run_state)i;
			return true;
		}
	return false;
}

bool run_state_final(run_state s)
{
	return s == RUN_COMPLETED || s == RUN_FAILED || s == RUN_CANCELLED;
}

void run_row_done(run_row *r)
{
	free(r->name);
	free(r->config);
	free(r->error);
	*r = (run_row){0};
}

void run_history_row_done(run_history_row *r)
{
	free(r->reason);
	*r = (run_history_row){0};
}

static void done(void *row)
{
	run_row_done(row);
}

static void history_done(void *row)
{
	run_history_row_done(row);
}

static run_state get_state(stmt *q)
{
	run_state s = RUN_FAILED;
	char *name = get_text(q);
	if (name != NULL && !run_state_parse(name, &s) && q->status == TP_OK)
		q->status = tp_fail(q->err, TP_CORRUPT, 0, "unknown run state %.40s", name);
	free(name);
	return s;
}

static void read_run(stmt *q, void *row)
{
	run_row *r = row;
	r->id = get_int(q);
	r->name = get_text(q);
	r->config = get_text(q);
	r->source = get_int(q);
	r->target = get_int(q);
	r->eval = get_int(q);
	r->init = get_int(q);
	r->state = get_state(q);
	r->error = get_text(q);
	r->stage = get_int(q);
	r->step = get_int(q);
	r->created_ms = get_int(q);
	r->updated_ms = get_int(q);
	r->seconds = get_real(q);
	r->miou_source = get_real(q);
	r->miou_current = get_real(q);
	r->miou_best = get_real(q);
	r->memory_bytes = get_int(q);
	r->disk_bytes = get_int(q);
	r->init_checkpoint = get_int(q);
	r->experiment = get_int(q);
	r->part = r->experiment != 0 ? get_int(q) : 0;
}

static void read_history(stmt *q, void *row)
{
	run_history_row *r = row;
	r->time_ms = get_int(q);
	r->from = get_state(q);
	r->to = get_state(q);
	r->reason = get_text(q);
}

tp_status run_require(db *d, int64_t run, tp_err *err)
{
	int64_t found;
	stmt q = stmt_open(d, "SELECT count(*) FROM run WHERE id = ?", err);
	put_int(&q, run);
	tp_status st = stmt_int(&q, 0, &found);
	if (st == TP_OK && found == 0)
		st = tp_fail(err, TP_NOTFOUND, 0, "no such run");
	return st;
}

/* History row and event of a change of state, inside the caller's transaction. */
static tp_status record_state(db *d, int64_t run, run_state from, run_state to, const char *reason,
                              tp_err *err)
{
	stmt q = stmt_open(d,
	                   "INSERT INTO run_history (run, time_ms, state_from, state_to, reason)"
	                   " VALUES (?,?,?,?,?)",
	                   err);
	put_int(&q, run);
	put_int(&q, time_or_now(0));
	put_text(&q, run_state_name(from));
	put_text(&q, run_state_name(to));
	put_text(&q, reason);
	tp_status st = stmt_run(&q, "record the run's state");
	if (st != TP_OK)
		return st;
	q = stmt_open(d, "SELECT json_object('run', ?, 'state', ?, 'from', ?, 'reason', ?)", err);
	put_int(&q, run);
	put_text(&q, run_state_name(to));
	put_text(&q, run_state_name(from));
	put_text(&q, reason);
	char *data = stmt_next(&q) ? get_text(&q) : NULL;
	st = stmt_close(&q);
	int64_t id;
	if (st == TP_OK)
		st = event_insert(d, run, "run.state", data, &id, err);
	free(data);
	return st;
}

/* What the run starts from may have been deleted since it was looked up. */
static tp_status require_checkpoint(db *d, int64_t id, tp_err *err)
{
	int64_t found;
	stmt q = stmt_open(d, "SELECT count(*) FROM checkpoint WHERE id = ? AND resume = 0", err);
	put_int(&q, id);
	tp_status st = stmt_int(&q, 0, &found);
	if (st == TP_OK && found == 0)
		st = tp_fail(err, TP_CONFLICT, 0, "checkpoint %lld has been deleted", (long long)id);
	return st;
}

static tp_status insert(db *d, const run_row *r, int64_t *ret_id, tp_err *err)
{
	int64_t now = time_or_now(r->created_ms);
	tp_status st = TP_OK;
	if (r->init_checkpoint != 0)
		st = require_checkpoint(d, r->init_checkpoint, err);
	if (st == TP_OK && r->experiment != 0)
		st = part_require(d, r->experiment, r->part, err);
	if (st != TP_OK)
		return st;
	stmt q = stmt_open(
		d,
		"INSERT INTO run (name, config, source, target, eval, init, state, error,"
		" stage, step, created_ms, updated_ms, seconds, miou_source, miou_current,"
		" miou_best, memory_bytes, disk_bytes, init_checkpoint, experiment, part)"
		" VALUES (?,?,?,?,?,?,?,?,0,0,?,?,0.0,-1.0,-1.0,-1.0,?,?,?,?,?)",
		err);
	put_text(&q, r->name);
	put_text(&q, r->config);
	put_int(&q, r->source);
	put_int(&q, r->target);
	put_id(&q, r->eval);
	put_id(&q, r->init);
	put_text(&q, run_state_name(r->state));
	put_text(&q, r->error);
	put_int(&q, now);
	put_int(&q, now);
	put_int(&q, r->memory_bytes);
	put_int(&q, r->disk_bytes);
	put_id(&q, r->init_checkpoint);
	put_id(&q, r->experiment);
	put_int(&q, r->experiment != 0 ? r->part : -1);
	st = stmt_run(&q, "add the run");
	*ret_id = sqlite3_last_insert_rowid(d->handle);
	if (st == TP_OK)
		st = record_state(d, *ret_id, r->state, r->state, "created", err);
	return st == TP_OK && r->experiment != 0 ? experiment_event(d, r->experiment, err) : st;
}

tp_status store_run_add(store *s, const run_row *r, int64_t *ret_id, tp_err *err)
{
	db *d;
	tp_status st = writer_enter(s, &d, err);
	if (st != TP_OK)
		return st;
	int64_t id = 0;
	st = insert(d, r, &id, err);
	st = writer_leave(d, st, err);
	if (st == TP_OK)
		*ret_id = id;
	return st;
}

tp_status store_run_get(store *s, int64_t id, run_row *ret, tp_err *err)
{
	db *d = reader_enter(s);
	stmt q = stmt_open(d, "SELECT " RUN_COLUMNS " FROM run WHERE id = ?", err);
	put_int(&q, id);
	tp_status st = stmt_one(&q, read_run, done, sizeof *ret, ret, "run");
	db_leave(d);
	return st;
}

tp_status store_run_list(store *s, int64_t before, int state_filter, size_t limit, run_row **ret,
                         size_t *ret_n, tp_err *err)
{
	db *d = reader_enter(s);
	stmt q = stmt_open(d,
	                   state_filter < 0 ?
	                           "SELECT " RUN_COLUMNS
	                           " FROM run WHERE id < ? ORDER BY id DESC LIMIT ?" :
	                           "SELECT " RUN_COLUMNS
	                           " FROM run WHERE id < ? AND state = ? ORDER BY id DESC LIMIT ?",
	                   err);
	put_int(&q, before > 0 ? before : INT64_MAX);
	if (state_filter >= 0)
		put_text(&q, run_state_name((run_state)state_filter));
	put_int(&q, (int64_t)limit);
	tp_status st = stmt_collect(&q, read_run, done, sizeof **ret, (void **)ret, ret_n);
	db_leave(d);
	return st;
}

void read_id(stmt *q, void *row)
{
	*(int64_t *)row = get_int(q);
}

void id_done(void *row)
{
	(void)row; /* an id owns nothing */
}

tp_status store_run_ids(store *s, run_state state, int64_t **ret, size_t *ret_n, tp_err *err)
{
	db *d = reader_enter(s);
	stmt q = stmt_open(d, "SELECT id FROM run WHERE state = ? ORDER BY id", err);
	put_text(&q, run_state_name(state));
	tp_status st = stmt_collect(&q, read_id, id_done, sizeof **ret, (void **)ret, ret_n);
	db_leave(d);
	return st;
}

static tp_status current_state(db *d, int64_t id, run_state *ret, tp_err *err)
{
	stmt q = stmt_open(d, "SELECT state FROM run WHERE id = ?", err);
	put_int(&q, id);
	bool found = stmt_next(&q);
	run_state s = found ? get_state(&q) : RUN_FAILED;
	tp_status st = stmt_close(&q);
	if (st == TP_OK && !found)
		st = tp_fail(err, TP_NOTFOUND, 0, "no such run");
	if (st == TP_OK)
		*ret = s;
	return st;
}

#define UNFINISHED "state NOT IN ('completed', 'failed', 'cancelled')"

static tp_status require_no_experiment(stmt *q, int64_t run, tp_err *err)
{
	int64_t user;
	tp_status st = stmt_int(q, 0, &user);
	if (st == TP_OK && user != 0)
		st = tp_fail(err, TP_CONFLICT, 0, "experiment %lld, which is running, needs run %lld",
		             (long long)user, (long long)run);
	return st;
}

/* No run starts from a checkpoint of this one or may yet do so: an unfinished run reads its initial checkpoint
 * each time it is opened, an experiment starts runs from those that its configurations name. */
static tp_status require_no_start(db *d, int64_t id, tp_err *err)
{
	int64_t user;
	stmt q = stmt_open(d,
	                   "SELECT id FROM run WHERE " UNFINISHED " AND init_checkpoint IN"
	                   " (SELECT id FROM checkpoint WHERE run = ?) LIMIT 1",
	                   err);
	put_int(&q, id);
	tp_status st = stmt_int(&q, 0, &user);
	if (st == TP_OK && user != 0)
		return tp_fail(err, TP_CONFLICT, 0, "run %lld starts from a checkpoint of run %lld",
		               (long long)user, (long long)id);
	if (st != TP_OK)
		return st;
	q = stmt_open(d,
	              "SELECT p.experiment FROM experiment_part p JOIN experiment e ON e.id = p.experiment"
	              " JOIN checkpoint c ON c.id = p.init_checkpoint"
	              " WHERE e.state = 'running' AND c.run = ? LIMIT 1",
	              err);
	put_int(&q, id);
	return require_no_experiment(&q, id, err);
}

/* Nor may its own experiment start any from it. */
static tp_status require_unneeded(db *d, int64_t id, tp_err *err)
{
	tp_status st = require_no_start(d, id, err);
	if (st != TP_OK)
		return st;
	stmt q = stmt_open(d,
	                   "SELECT e.id FROM experiment e JOIN run r ON r.experiment = e.id"
	                   " WHERE r.id = ? AND e.state = 'running'",
	                   err);
	put_int(&q, id);
	return require_no_experiment(&q, id, err);
}

static tp_status set_state(db *d, int64_t id, run_state to, const char *reason, const char *error,
                           tp_err *err)
{
	run_state from;
	tp_status st = current_state(d, id, &from, err);
	if (st != TP_OK)
		return st;
	bool again = from == RUN_FAILED && to == RUN_QUEUED;
	if (run_state_final(from) && !again)
		return tp_fail(err, TP_CONFLICT, 0, "run %lld is %s already", (long long)id,
		               run_state_name(from));
	/* Going on, it may rewind and write its checkpoints again under other ids. */
	if (again)
		st = require_no_start(d, id, err);
	if (st != TP_OK)
		return st;
	stmt q = stmt_open(d,
	                   "UPDATE run SET state = ?, updated_ms = ?, error = iif(?, ?, error)"
	                   " WHERE id = ?",
	                   err);
	put_text(&q, run_state_name(to));
	put_int(&q, time_or_now(0));
	put_int(&q, error != NULL);
	put_text(&q, error);
	put_int(&q, id);
	st = stmt_run(&q, "set the run's state");
	if (st == TP_OK && again)
		st = part_reopen(d, id, err);
	return st == TP_OK ? record_state(d, id, from, to, reason, err) : st;
}

tp_status store_run_set_state(store *s, int64_t id, run_state to, const char *reason,
                              const char *error, tp_err *err)
{
	db *d;
	tp_status st = writer_enter(s, &d, err);
	if (st != TP_OK)
		return st;
	return writer_leave(d, set_state(d, id, to, reason, error, err), err);
}

tp_status store_run_history(store *s, int64_t id, run_history_row **ret, size_t *ret_n, tp_err *err)
{
	db *d = reader_enter(s);
	stmt q = stmt_open(d,
	                   "SELECT time_ms, state_from, state_to, reason FROM run_history"
	                   " WHERE run = ? ORDER BY id",
	                   err);
	put_int(&q, id);
	tp_status st =
		stmt_collect(&q, read_history, history_done, sizeof **ret, (void **)ret, ret_n);
	db_leave(d);
	return st;
}

tp_status run_delete_row(db *d, int64_t id, tp_err *err)
{
	run_state state;
	tp_status st = current_state(d, id, &state, err);
	if (st != TP_OK)
		return st;
	if (!run_state_final(state))
		return tp_fail(err, TP_CONFLICT, 0, "run %lld is %s; cancel it first",
		               (long long)id, run_state_name(state));
	st = require_unneeded(d, id, err);
	if (st == TP_OK)
		st = part_keep_result(d, id, err);
	if (st != TP_OK)
		return st;
	stmt q = stmt_open(d, "DELETE FROM run WHERE id = ?", err);
	put_int(&q, id);
	return stmt_run(&q, "delete the run");
}

tp_status store_run_delete(store *s, int64_t id, tp_err *err)
{
	db *d;
	tp_status st = writer_enter(s, &d, err);
	if (st != TP_OK)
		return st;
	return writer_leave(d, run_delete_row(d, id, err), err);
}
