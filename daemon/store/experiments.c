#include <stdlib.h>
#include <string.h>

#include "store/store_private.h"

#define EXPERIMENT_COLUMNS "id, name, definition, state, error, created_ms, updated_ms"

const char *experiment_state_name(experiment_state s)
{
	static const char *const name[] = {
#define X(id, text) text,
		EXPERIMENT_STATE_MAP(X)
#undef X
	};
	return name[s];
}

const char *part_state_name(part_state s)
{
	static const char *const name[] = {
#define X(id, text) text,
		PART_STATE_MAP(X)
#undef X
	};
	return name[s];
}

void experiment_row_done(experiment_row *r)
{
	free(r->name);
	free(r->definition);
	free(r->error);
	*r = (experiment_row){0};
}

void part_row_done(part_row *r)
{
	free(r->config);
	free(r->error);
	free(r->run_error);
	free(r->iou);
	*r = (part_row){0};
}

static void done(void *row)
{
	experiment_row_done(row);
}

static void part_done(void *row)
{
	part_row_done(row);
}

/* Index of a state's name; a name that the table's CHECK would not let in is damage. */
static int get_state(stmt *q, const char *(*name_of)(int), int count)
{
	char *text = get_text(q);
	int found = 0;
	while (text != NULL && found < count && strcmp(name_of(found), text) != 0)
		found++;
	if (found == count && q->status == TP_OK)
		q->status = tp_fail(q->err, TP_CORRUPT, 0, "unknown state %.40s", text);
	free(text);
	return found == count ? 0 : found;
}

static const char *experiment_name(int i) { return experiment_state_name((experiment_state)i); }
static const char *part_name(int i) { return part_state_name((part_state)i); }
static const char *run_name(int i) { return run_state_name((run_state)i); }

static void read_row(stmt *q, void *row)
{
	experiment_row *r = row;
	r->id = get_int(q);
	r->name = get_text(q);
	r->definition = get_text(q);
	r->state = (experiment_state)get_state(q, experiment_name, EXPERIMENT_STATES);
	r->error = get_text(q);
	r->created_ms = get_int(q);
	r->updated_ms = get_int(q);
}

static void read_part(stmt *q, void *row)
{
	part_row *r = row;
	r->index = get_int(q);
	r->variant = get_int(q);
	r->seed = get_int(q);
	r->origin = get_int(q);
	r->config = get_text(q);
	r->source = get_int(q);
	r->target = get_int(q);
	r->eval = get_int(q);
	r->init_checkpoint = get_int(q);
	r->cost = get_int(q);
	r->state = (part_state)get_state(q, part_name, PART_STATES);
	r->error = get_text(q);
	r->run = get_int(q);
	r->run_state = (run_state)get_state(q, run_name, RUN_STATES);
	r->run_error = get_text(q);
	r->seconds = get_real(q);
	r->miou_source = get_real(q);
	r->miou_current = get_real(q);
	r->miou_best = get_real(q);
	r->iou = get_text(q);
	r->checkpoint = get_int(q);
}

tp_status experiment_event(db *d, int64_t id, tp_err *err)
{
	stmt q = stmt_open(d,
	                   "SELECT json_object('experiment', id, 'state', state)"
	                   " FROM experiment WHERE id = ?",
	                   err);
	put_int(&q, id);
	char *data = stmt_next(&q) ? get_text(&q) : NULL;
	tp_status st = stmt_close(&q);
	int64_t event;
	if (st == TP_OK)
		st = event_insert(d, 0, "experiment.state", data, &event, err);
	free(data);
	return st;
}

/* ---- adding ---- */

static tp_status insert_part(db *d, int64_t experiment, const part_row *p, tp_err *err)
{
	stmt q = stmt_open(d,
	                   "INSERT INTO experiment_part (experiment, idx, variant, seed, origin,"
	                   " config, source, target, eval, init_checkpoint, cost, state, error)"
	                   " VALUES (?,?,?,?,?,?,?,?,?,?,?,'waiting','')",
	                   err);
	put_int(&q, experiment);
	put_int(&q, p->index);
	put_int(&q, p->variant);
	put_int(&q, p->seed);
	put_int(&q, p->origin);
	put_text(&q, p->config);
	put_int(&q, p->source);
	put_int(&q, p->target);
	put_id(&q, p->eval);
	put_id(&q, p->init_checkpoint);
	put_int(&q, p->cost);
	return stmt_run(&q, "add a part of the experiment");
}

static tp_status insert(db *d, const experiment_row *e, const part_row *part, size_t parts,
                        int64_t *ret_id, tp_err *err)
{
	int64_t now = time_or_now(e->created_ms);
	stmt q = stmt_open(d,
	                   "INSERT INTO experiment (name, definition, state, error, created_ms,"
	                   " updated_ms) VALUES (?,?,'running','',?,?)",
	                   err);
	put_text(&q, e->name);
	put_text(&q, e->definition);
	put_int(&q, now);
	put_int(&q, now);
	tp_status st = stmt_run(&q, "add the experiment");
	int64_t id = sqlite3_last_insert_rowid(d->handle);
	for (size_t i = 0; i < parts && st == TP_OK; i++)
		st = insert_part(d, id, &part[i], err);
	if (st == TP_OK)
		st = experiment_event(d, id, err);
	*ret_id = id;
	return st;
}

tp_status store_experiment_add(store *s, const experiment_row *e, const part_row *part, size_t parts,
                               int64_t *ret_id, tp_err *err)
{
	db *d;
	int64_t id = 0;
	tp_status st = writer_enter(s, &d, err);
	if (st != TP_OK)
		return st;
	st = writer_leave(d, insert(d, e, part, parts, &id, err), err);
	if (st == TP_OK)
		*ret_id = id;
	return st;
}

/* ---- reading ---- */

tp_status store_experiment_get(store *s, int64_t id, experiment_row *ret, tp_err *err)
{
	db *d = reader_enter(s);
	stmt q = stmt_open(d, "SELECT " EXPERIMENT_COLUMNS " FROM experiment WHERE id = ?", err);
	put_int(&q, id);
	tp_status st = stmt_one(&q, read_row, done, sizeof *ret, ret, "experiment");
	db_leave(d);
	return st;
}

tp_status store_experiment_list(store *s, int64_t before, size_t limit, experiment_row **ret,
                                size_t *ret_n, tp_err *err)
{
	db *d = reader_enter(s);
	stmt q = stmt_open(d,
	                   "SELECT " EXPERIMENT_COLUMNS
	                   " FROM experiment WHERE id < ? ORDER BY id DESC LIMIT ?",
	                   err);
	put_int(&q, before > 0 ? before : INT64_MAX);
	put_int(&q, (int64_t)limit);
	tp_status st = stmt_collect(&q, read_row, done, sizeof **ret, (void **)ret, ret_n);
	db_leave(d);
	return st;
}

tp_status store_experiment_open_ids(store *s, int64_t **ret, size_t *ret_n, tp_err *err)
{
	db *d = reader_enter(s);
	stmt q = stmt_open(d,
	                   "SELECT id FROM experiment WHERE state = 'running' UNION"
	                   " SELECT experiment FROM experiment_part WHERE state = 'waiting'"
	                   " ORDER BY 1",
	                   err);
	tp_status st = stmt_collect(&q, read_id, id_done, sizeof **ret, (void **)ret, ret_n);
	db_leave(d);
	return st;
}

tp_status store_experiment_parts(store *s, int64_t id, part_row **ret, size_t *ret_n, tp_err *err)
{
	db *d = reader_enter(s);
	stmt q = stmt_open(
		d,
		"SELECT p.idx, p.variant, p.seed, p.origin, p.config, p.source, p.target, p.eval,"
		" p.init_checkpoint, p.cost, p.state, p.error, r.id, coalesce(r.state, 'queued'),"
		" r.error, coalesce(r.seconds, p.seconds, 0.0), coalesce(r.miou_source, p.miou_source, -1.0),"
		" coalesce(r.miou_current, p.miou_current, -1.0), coalesce(r.miou_best, p.miou_best, -1.0),"
		" coalesce((SELECT iou FROM evaluation WHERE run = r.id ORDER BY stage DESC LIMIT 1), p.iou),"
		" (SELECT id FROM checkpoint WHERE run = r.id AND resume = 0 AND stage = 0)"
		" FROM experiment_part p"
		" LEFT JOIN run r ON r.experiment = p.experiment AND r.part = p.idx"
		" WHERE p.experiment = ? ORDER BY p.idx",
		err);
	put_int(&q, id);
	tp_status st = stmt_collect(&q, read_part, part_done, sizeof **ret, (void **)ret, ret_n);
	db_leave(d);
	return st;
}

/* ---- changing ---- */

static tp_status state_of(db *d, int64_t id, experiment_state *ret, tp_err *err)
{
	stmt q = stmt_open(d, "SELECT state FROM experiment WHERE id = ?", err);
	put_int(&q, id);
	bool found = stmt_next(&q);
	experiment_state state = EXPERIMENT_FAILED;
	if (found)
		state = (experiment_state)get_state(&q, experiment_name, EXPERIMENT_STATES);
	tp_status st = stmt_close(&q);
	if (st == TP_OK && !found)
		st = tp_fail(err, TP_NOTFOUND, 0, "no such experiment");
	if (st == TP_OK)
		*ret = state;
	return st;
}

tp_status part_require(db *d, int64_t experiment, int64_t part, tp_err *err)
{
	int64_t found;
	experiment_state state;
	tp_status st = state_of(d, experiment, &state, err);
	if (st == TP_OK && state != EXPERIMENT_RUNNING)
		return tp_fail(err, TP_CONFLICT, 0, "experiment %lld is %s", (long long)experiment,
		               experiment_state_name(state));
	if (st != TP_OK)
		return st;
	stmt q = stmt_open(d,
	                   "SELECT count(*) FROM experiment_part"
	                   " WHERE experiment = ? AND idx = ? AND state = 'waiting'",
	                   err);
	put_int(&q, experiment);
	put_int(&q, part);
	st = stmt_int(&q, 0, &found);
	if (st == TP_OK && found == 0)
		st = tp_fail(err, TP_CONFLICT, 0, "part %lld of experiment %lld does not wait for a run",
		             (long long)part, (long long)experiment);
	return st;
}

static tp_status settle(db *d, int64_t id, int64_t part, part_state to, const char *error,
                        tp_err *err)
{
	stmt q = stmt_open(d,
	                   "UPDATE experiment_part SET state = ?, error = ?"
	                   " WHERE experiment = ? AND idx = ? AND state = 'waiting'",
	                   err);
	put_text(&q, part_state_name(to));
	put_text(&q, error);
	put_int(&q, id);
	put_int(&q, part);
	tp_status st = stmt_run(&q, "settle a part of the experiment");
	if (st != TP_OK || sqlite3_changes(d->handle) == 0)
		return st;
	return experiment_event(d, id, err);
}

tp_status store_experiment_settle(store *s, int64_t id, int64_t part, part_state to,
                                  const char *error, tp_err *err)
{
	db *d;
	experiment_state state;
	tp_status st = writer_enter(s, &d, err);
	if (st != TP_OK)
		return st;
	st = state_of(d, id, &state, err);
	if (st == TP_OK)
		st = settle(d, id, part, to, error, err);
	return writer_leave(d, st, err);
}

tp_status part_keep_result(db *d, int64_t run, tp_err *err)
{
	stmt q = stmt_open(d,
	                   "UPDATE experiment_part SET (seconds, miou_source, miou_current, miou_best, iou) ="
	                   " (SELECT seconds, miou_source, miou_current, miou_best, (SELECT iou FROM evaluation"
	                   " WHERE run = ?1 ORDER BY stage DESC LIMIT 1) FROM run WHERE id = ?1)"
	                   " WHERE (experiment, idx) = (SELECT experiment, part FROM run WHERE id = ?1)",
	                   err);
	put_int_at(&q, 1, run);
	return stmt_run(&q, "keep what the run measured");
}

static tp_status set_state(db *d, int64_t id, experiment_state to, const char *error, tp_err *err)
{
	stmt q = stmt_open(d, "UPDATE experiment SET state = ?, error = ?, updated_ms = ? WHERE id = ?",
	                   err);
	put_text(&q, experiment_state_name(to));
	put_text(&q, error);
	put_int(&q, time_or_now(0));
	put_int(&q, id);
	return stmt_run(&q, "set the experiment's state");
}

/* A cancelled experiment has ended for good: it would cancel the run at once. */
tp_status part_reopen(db *d, int64_t run, tp_err *err)
{
	int64_t id;
	stmt q = stmt_open(d,
	                   "SELECT e.id FROM experiment e JOIN run r ON r.experiment = e.id"
	                   " WHERE r.id = ? AND e.state IN ('running', 'failed')",
	                   err);
	put_int(&q, run);
	tp_status st = stmt_int(&q, 0, &id);
	if (st != TP_OK || id == 0)
		return st;
	q = stmt_open(d,
	              "UPDATE experiment_part SET state = 'waiting', error = '' WHERE experiment = ?1"
	              " AND state = 'failed' AND (SELECT part FROM run WHERE id = ?2) IN (idx, origin)",
	              err);
	put_int_at(&q, 1, id);
	put_int_at(&q, 2, run);
	st = stmt_run(&q, "let parts of the experiment wait again");
	if (st != TP_OK)
		return st;
	st = set_state(d, id, EXPERIMENT_RUNNING, "", err);
	return st == TP_OK ? experiment_event(d, id, err) : st;
}

static tp_status end(db *d, int64_t id, experiment_state to, const char *error, tp_err *err)
{
	experiment_state from;
	tp_status st = state_of(d, id, &from, err);
	if (st != TP_OK || from == to)
		return st;
	if (from != EXPERIMENT_RUNNING)
		return tp_fail(err, TP_CONFLICT, 0, "experiment %lld is %s already", (long long)id,
		               experiment_state_name(from));
	st = set_state(d, id, to, error, err);
	if (st == TP_OK && to == EXPERIMENT_CANCELLED) {
		stmt q = stmt_open(d,
		              "UPDATE experiment_part SET state = 'cancelled'"
		              " WHERE experiment = ?1 AND state = 'waiting' AND config <> ''"
		              " AND idx NOT IN (SELECT part FROM run WHERE experiment = ?1)",
		              err);
		put_int_at(&q, 1, id);
		st = stmt_run(&q, "cancel what has not been started");
	}
	return st == TP_OK ? experiment_event(d, id, err) : st;
}

tp_status store_experiment_end(store *s, int64_t id, experiment_state to, const char *error,
                               tp_err *err)
{
	db *d;
	tp_status st = writer_enter(s, &d, err);
	if (st != TP_OK)
		return st;
	return writer_leave(d, end(d, id, to, error, err), err);
}

/* ---- deleting ---- */

/* All its runs have ended, and nothing is about to be started. */
static tp_status require_ended(db *d, int64_t id, tp_err *err)
{
	experiment_state state;
	int64_t run;
	tp_status st = state_of(d, id, &state, err);
	if (st == TP_OK && state == EXPERIMENT_RUNNING)
		return tp_fail(err, TP_CONFLICT, 0, "experiment %lld is running; cancel it first",
		               (long long)id);
	if (st != TP_OK)
		return st;
	stmt q = stmt_open(d,
	                   "SELECT id FROM run WHERE experiment = ?"
	                   " AND state NOT IN ('completed', 'failed', 'cancelled') LIMIT 1",
	                   err);
	put_int(&q, id);
	st = stmt_int(&q, 0, &run);
	if (st == TP_OK && run != 0)
		st = tp_fail(err, TP_CONFLICT, 0, "run %lld of experiment %lld has not ended yet",
		             (long long)run, (long long)id);
	return st;
}

static tp_status delete_rows(db *d, int64_t id, bool with_runs, int64_t **ret_runs, size_t *ret_n,
                             tp_err *err)
{
	tp_status st = require_ended(d, id, err);
	if (st == TP_OK && with_runs) {
		stmt q = stmt_open(d, "SELECT id FROM run WHERE experiment = ? ORDER BY id", err);
		put_int(&q, id);
		st = stmt_collect(&q, read_id, id_done, sizeof **ret_runs, (void **)ret_runs, ret_n);
	}
	for (size_t i = 0; i < *ret_n && st == TP_OK; i++)
		st = run_delete_row(d, (*ret_runs)[i], err);
	if (st != TP_OK)
		return st;
	stmt q = stmt_open(d, "DELETE FROM experiment WHERE id = ?", err);
	put_int(&q, id);
	st = stmt_run(&q, "delete the experiment");
	q = stmt_open(d, "SELECT json_object('experiment', ?, 'state', 'deleted')", err);
	put_int(&q, id);
	char *data = stmt_next(&q) ? get_text(&q) : NULL;
	tp_status made = stmt_close(&q);
	int64_t event;
	st = st == TP_OK ? made : st;
	if (st == TP_OK)
		st = event_insert(d, 0, "experiment.state", data, &event, err);
	free(data);
	return st;
}

tp_status store_experiment_delete(store *s, int64_t id, bool with_runs, int64_t **ret_runs,
                                  size_t *ret_n, tp_err *err)
{
	db *d;
	int64_t *run = NULL;
	size_t n = 0;
	tp_status st = writer_enter(s, &d, err);
	if (st != TP_OK)
		return st;
	st = writer_leave(d, delete_rows(d, id, with_runs, &run, &n, err), err);
	if (st != TP_OK) {
		free(run);
		return st;
	}
	*ret_runs = run;
	*ret_n = n;
	return TP_OK;
}
