#include "experiment/advance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct pass {
	store *store;
	scheduler *scheduler;
	const experiment_row *row;
	part_row *part;
	size_t parts;
} pass;

static tp_status settle(pass *s, part_row *p, part_state to, const char *error)
{
	tp_status st = store_experiment_settle(s->store, s->row->id, p->index, to, error, NULL);
	if (st != TP_OK)
		return st;
	char *copy = strdup(error);
	if (copy != NULL) {
		free(p->error);
		p->error = copy;
	}
	p->state = to; /* those that wait for it see it in the same pass */
	return TP_OK;
}

/* Whether trying again could end otherwise. */
static bool is_passing(tp_status st)
{
	return st == TP_NOMEM || st == TP_NOSPACE || st == TP_IO || st == TP_CONFLICT;
}

static tp_status submit(pass *s, const part_row *p, int64_t checkpoint, tp_err *err)
{
	run_config c;
	config_error bad[1];
	size_t n = 0;
	int64_t run;
	json_t *json = json_loads(p->config, JSON_REJECT_DUPLICATES, NULL);
	if (checkpoint != 0) {
		char init[48];
		(void)snprintf(init, sizeof init, RUN_INIT_CHECKPOINT "%lld", (long long)checkpoint);
		(void)json_object_set_new(json_object_get(json, "model"), "init", json_string(init));
	}
	tp_status st = run_config_parse(json, &c, bad, 1, &n, err);
	json_decref(json);
	if (st == TP_OK)
		st = scheduler_submit_part(s->scheduler, &c, s->row->id, p->index, &run, bad, 1, &n, err);
	return st;
}

/* TP_OK: it has a run now, or has failed for good. */
static tp_status start(pass *s, part_row *p, int64_t checkpoint)
{
	tp_err err = {0};
	tp_status st = submit(s, p, checkpoint, &err);
	if (st == TP_OK || st == TP_EXISTS)
		return TP_OK;
	return is_passing(st) ? st : settle(s, p, PART_FAILED, err.text);
}

static tp_status settle_by_run(pass *s, part_row *p)
{
	if (p->run_state == RUN_COMPLETED)
		return settle(s, p, PART_COMPLETED, "");
	if (p->run_state == RUN_FAILED)
		return settle(s, p, PART_FAILED, p->run_error);
	return settle(s, p, PART_CANCELLED, "its run was cancelled");
}

static tp_status look_at(pass *s, part_row *p)
{
	const part_row *origin = p->origin >= 0 ? &s->part[p->origin] : NULL;
	char why[500];
	if (p->state != PART_WAITING)
		return TP_OK;
	if (p->config[0] == 0)
		return origin->state == PART_WAITING ? TP_OK : settle(s, p, origin->state, origin->error);
	if (p->run != 0)
		return run_state_final(p->run_state) ? settle_by_run(s, p) : TP_OK;
	if (s->row->state != EXPERIMENT_RUNNING)
		return settle(s, p, PART_CANCELLED, "");
	if (origin == NULL)
		return start(s, p, 0);
	switch (origin->state) {
	case PART_WAITING:
		return TP_OK;
	case PART_COMPLETED:
		if (origin->checkpoint == 0)
			return settle(s, p, PART_FAILED, "its source run left no checkpoint");
		return start(s, p, origin->checkpoint);
	default:
		(void)snprintf(why, sizeof why, "its source run %lld is %s: %s", (long long)origin->run,
		               part_state_name(origin->state), origin->error);
		return settle(s, p, PART_FAILED, why);
	}
}

/* Runs of a cancelled experiment that have not ended. Those that are about to need no telling; telling
 * them would be news, and wake this thread again. */
static void cancel_runs(pass *s)
{
	for (size_t i = 0; i < s->parts; i++) {
		const part_row *p = &s->part[i];
		bool ending = run_state_final(p->run_state) || p->run_state == RUN_CANCELLING ||
		              p->run_state == RUN_COMPLETING;
		if (p->run != 0 && !ending)
			(void)!scheduler_act(s->scheduler, p->run, ACTION_CANCEL, NULL);
	}
}

static tp_status end_when_settled(pass *s)
{
	size_t cells = 0, bad = 0;
	const part_row *first = NULL;
	char why[600] = "";
	for (size_t i = 0; i < s->parts; i++) {
		const part_row *p = &s->part[i];
		if (p->state == PART_WAITING)
			return TP_OK;
		cells += p->variant >= 0;
		if (p->variant >= 0 && p->state != PART_COMPLETED && bad++ == 0)
			first = p;
	}
	if (first != NULL)
		(void)snprintf(why, sizeof why, "%zu of %zu cells failed, the first with seed %lld: %s", bad,
		               cells, (long long)first->seed, first->error);
	return store_experiment_end(s->store, s->row->id,
	                            first == NULL ? EXPERIMENT_COMPLETED : EXPERIMENT_FAILED, why, NULL);
}

static tp_status advance(store *st, scheduler *sch, int64_t id)
{
	experiment_row row;
	tp_status rc = store_experiment_get(st, id, &row, NULL);
	if (rc != TP_OK)
		return rc == TP_NOTFOUND ? TP_OK : rc;
	pass s = {.store = st, .scheduler = sch, .row = &row};
	rc = store_experiment_parts(st, id, &s.part, &s.parts, NULL);
	if (rc == TP_OK && row.state == EXPERIMENT_CANCELLED)
		cancel_runs(&s);
	for (size_t i = 0; i < s.parts && rc == TP_OK; i++)
		rc = look_at(&s, &s.part[i]);
	if (rc == TP_OK && row.state == EXPERIMENT_RUNNING)
		rc = end_when_settled(&s);
	rows_done(s.part, s.parts, sizeof *s.part, (void (*)(void *))part_row_done);
	experiment_row_done(&row);
	return rc;
}

bool advance_all(store *st, scheduler *s)
{
	int64_t *id = NULL;
	size_t n = 0;
	if (store_experiment_open_ids(st, &id, &n, NULL) != TP_OK)
		return false;
	bool good = true;
	for (size_t i = 0; i < n; i++)
		good = advance(st, s, id[i]) == TP_OK && good;
	free(id);
	return good;
}
