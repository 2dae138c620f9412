/* The run's half of row_json.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/json_out.h"
#include "http/row_json.h"
#include "run/transitions.h"

json_t *run_actions_json(run_state state)
{
	char text[64];
	run_allowed_actions(state, text, sizeof text);
	json_t *a = json_array();
	if (strcmp(text, "nothing") == 0)
		return a;
	for (const char *p = text; *p != 0; p += strspn(p, ", ")) {
		size_t n = strcspn(p, ",");
		(void)json_array_append_new(a, json_stringn(p, n));
		p += n;
	}
	return a;
}

static void set(json_t *o, const char *key, json_t *value)
{
	(void)json_object_set_new(o, key, value);
}

/* Where the run stands: the fields shared by the run and its progress events. */
static void set_progress(json_t *o, const run_progress *p)
{
	set(o, "phase", json_text_or_null(p->phase));
	set(o, "round", p->round < 0 ? json_null() : json_integer(p->round));
	set(o, "rounds_total", json_integer((json_int_t)p->rounds_total));
	set(o, "stage", json_integer((json_int_t)p->stage));
	set(o, "step", json_integer((json_int_t)p->step));
	set(o, "steps_total", json_integer((json_int_t)p->steps_total));
	set(o, "progress", json_number_or_null(p->progress));
	set(o, "eta_seconds", json_share_or_null(p->eta_seconds));
	set(o, "loss", json_number_or_null(p->loss));
	set(o, "seconds_per_step", json_share_or_null(p->seconds_per_step));
	set(o, "wait_share", json_number_or_null(p->wait_share));
	set(o, "heartbeat_age_seconds", json_share_or_null(p->heartbeat_age_seconds));
}

/* "source": its name, "source_id": its id; null for none. */
static void set_dataset(json_t *o, const char *key, store *s, int64_t id)
{
	char id_key[16];
	(void)snprintf(id_key, sizeof id_key, "%s_id", key);
	dataset_row d;
	bool found = id > 0 && store_dataset_get(s, id, &d, NULL) == TP_OK;
	set(o, key, found ? json_string(d.name) : json_null());
	set(o, id_key, found ? json_integer((json_int_t)id) : json_null());
	if (found)
		dataset_row_done(&d);
}

json_t *run_json(store *s, scheduler *sch, const run_row *r)
{
	json_t *o = json_object(), *config = json_stored(r->config);
	run_progress p;
	if (scheduler_progress(sch, r, &p, NULL) != TP_OK)
		p = (run_progress){.round = ROUND_SOURCE,
		                   .eta_seconds = -1.0,
		                   .loss = NAN,
		                   .seconds_per_step = -1.0,
		                   .heartbeat_age_seconds = -1.0};
	set(o, "id", json_integer((json_int_t)r->id));
	set(o, "name", json_string(r->name));
	set(o, "state", json_string(run_state_name(r->state)));
	set(o, "allowed_actions", run_actions_json(r->state));
	set_progress(o, &p);
	set(o, "error", json_text_or_null(r->error));
	set(o, "miou",
	    json_pack("{s:o, s:o, s:o}", "source_only", json_share_or_null(r->miou_source),
	              "current", json_share_or_null(r->miou_current), "best",
	              json_share_or_null(r->miou_best)));
	set(o, "preset", json_incref(json_object_get(config, "preset")));
	set(o, "seed", json_incref(json_object_get(config, "seed")));
	set_dataset(o, "source", s, r->source);
	set_dataset(o, "target", s, r->target);
	set_dataset(o, "eval", s, r->eval);
	set(o, "experiment",
	    r->experiment != 0 ? json_integer((json_int_t)r->experiment) : json_null());
	set(o, "created", json_time(r->created_ms));
	set(o, "updated", json_time(r->updated_ms));
	set(o, "seconds", json_number_or_null(r->seconds));
	set(o, "config", config);
	return o;
}

static json_t *history_json(store *s, int64_t run)
{
	run_history_row *row = NULL;
	size_t n = 0;
	json_t *a = json_array();
	if (store_run_history(s, run, &row, &n, NULL) != TP_OK)
		return a;
	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(a, json_pack("{s:o, s:s, s:s, s:o}", "time",
		                                         json_time(row[i].time_ms), "from",
		                                         run_state_name(row[i].from), "to",
		                                         run_state_name(row[i].to), "reason",
		                                         json_text_or_null(row[i].reason)));
	rows_done(row, n, sizeof *row, (void (*)(void *))run_history_row_done);
	return a;
}

json_t *run_detail_json(store *s, scheduler *sch, const run_row *r)
{
	json_t *o = run_json(s, sch, r);
	set(o, "state_history", history_json(s, r->id));
	if (r->memory_bytes > 0) {
		set(o, "memory_bytes", json_integer((json_int_t)r->memory_bytes));
		set(o, "disk_bytes", json_integer((json_int_t)r->disk_bytes));
	}
	return o;
}

json_t *run_json_live(store *s, scheduler *sch)
{
	static const run_state live[] = {RUN_STARTING, RUN_RUNNING, RUN_PAUSING, RUN_CANCELLING,
	                                 RUN_COMPLETING};
	json_t *all = json_array();
	for (size_t k = 0; k < sizeof live / sizeof *live; k++) {
		int64_t *id = NULL;
		size_t n = 0;
		if (store_run_ids(s, live[k], &id, &n, NULL) != TP_OK)
			continue;
		for (size_t i = 0; i < n; i++) {
			run_row r;
			run_progress p;
			if (store_run_get(s, id[i], &r, NULL) != TP_OK)
				continue;
			if (scheduler_progress(sch, &r, &p, NULL) == TP_OK && p.live) {
				json_t *o = json_object();
				set(o, "run", json_integer((json_int_t)r.id));
				set(o, "state", json_string(run_state_name(r.state)));
				set_progress(o, &p);
				(void)json_array_append_new(all, o);
			}
			run_row_done(&r);
		}
		free(id);
	}
	return all;
}
