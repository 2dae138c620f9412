#include <stdlib.h>
#include <string.h>

#include "config/run_config.h"
#include "http/api.h"
#include "http/json_out.h"
#include "http/row_json.h"

enum { ERRORS_MAX = 32, POINTS_DEFAULT = 1000, POINTS_MAX = 5000 };

bool api_get_run(request *r, run_row *ret)
{
	tp_err err = {0};
	tp_status st = store_run_get(api_store(r), r->param[0], ret, &err);
	if (st != TP_OK)
		respond_error(r, st, &err);
	return st == TP_OK;
}

static void run_done(void *row)
{
	run_row_done(row);
}

void api_runs_list(request *r)
{
	int64_t before;
	if (!page_after_id(r, &before))
		return;
	const char *name = request_query(r, "state");
	run_state state = RUN_STATES;
	if (name != NULL)
		(void)run_state_parse(name, &state); /* the route table knows the names */
	run_row *row = NULL;
	size_t n = 0, limit = page_limit(r);
	tp_err err = {0};
	tp_status st = store_run_list(api_store(r), before, name != NULL ? (int)state : -1, limit,
	                              &row, &n, &err);
	if (st != TP_OK) {
		respond_error(r, st, &err);
		return;
	}
	json_t *items = json_array();
	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(items,
		                            run_json(api_store(r), api_scheduler(r), &row[i]));
	respond_json(r, 200, page_json(items, n == limit ? row[n - 1].id : -1));
	rows_done(row, n, sizeof *row, run_done);
}

/* Parsed configuration with room for the errors: too large for a worker's stack to be careless
 * with. */
typedef struct attempt {
	run_config config;
	config_error error[ERRORS_MAX];
	size_t errors;
} attempt;

/* The body as a configuration. False: answered, or st says what is wrong with its content. */
static bool parse(request *r, attempt **ret, tp_status *ret_st, tp_err *err)
{
	json_t *body = request_json(r);
	if (body == NULL)
		return false;
	attempt *a = calloc(1, sizeof *a);
	*ret_st = a == NULL ? tp_fail(err, TP_NOMEM, 0, "out of memory")
	                    : run_config_parse(body, &a->config, a->error, ERRORS_MAX, &a->errors,
	                                       err);
	json_decref(body);
	*ret = a;
	return true;
}

/* Answers for a configuration that was not accepted; a NULL: there was no memory for it. */
static void refuse(request *r, const attempt *a, tp_status st, const tp_err *err)
{
	if (run_config_refused(st) && a != NULL && a->errors > 0) {
		json_t *extra = json_pack("{s:o}", "errors", json_field_errors(a->error, a->errors));
		respond_problem(r, 422, "invalid-config", extra, "%s", err->text);
	} else if (st == TP_NOTFOUND) {
		respond_problem(r, 422, "invalid-config", NULL, "%s", err->text);
	} else {
		respond_error(r, st, err);
	}
}

void api_run_add(request *r)
{
	attempt *a;
	tp_status st;
	tp_err err = {0};
	if (!parse(r, &a, &st, &err))
		return;
	int64_t id = 0;
	if (st == TP_OK)
		st = scheduler_submit(api_scheduler(r), &a->config, &id, a->error, ERRORS_MAX,
		                      &a->errors, &err);
	run_row row;
	if (st == TP_OK)
		st = store_run_get(api_store(r), id, &row, &err);
	if (st == TP_OK) {
		respond_json(r, 201, run_detail_json(api_store(r), api_scheduler(r), &row));
		response_header(r, "Location", "/api/v1/runs/%lld", (long long)id);
		run_row_done(&row);
	} else {
		refuse(r, a, st, &err);
	}
	free(a);
}

void api_run_estimate(request *r)
{
	attempt *a;
	tp_status st;
	tp_err err = {0};
	if (!parse(r, &a, &st, &err))
		return;
	run_time t;
	if (st == TP_OK)
		st = scheduler_time(api_scheduler(r), &a->config, &t, a->error, ERRORS_MAX, &a->errors, &err);
	if (st == TP_OK) {
		json_t *phases = json_object();
		for (int i = 0; i < PHASE_COUNT; i++)
			if (t.phase[i] > 0)
				(void)json_object_set_new(phases, phase_name((phase)i), json_real(t.phase[i]));
		respond_json(r, 200, json_pack("{s:f, s:o}", "seconds", t.seconds, "phase_seconds", phases));
	} else {
		refuse(r, a, st, &err);
	}
	free(a);
}

void api_run_validate(request *r)
{
	attempt *a;
	tp_status st;
	tp_err err = {0};
	if (!parse(r, &a, &st, &err))
		return;
	run_plan plan = {0};
	if (st == TP_OK)
		st = scheduler_plan(api_scheduler(r), &a->config, &plan, a->error, ERRORS_MAX,
		                    &a->errors, &err);
	if (st != TP_OK && !run_config_refused(st)) {
		respond_error(r, st, &err);
		free(a);
		return;
	}
	json_t *errors = json_field_errors(a->error, a->errors), *estimate = json_null();
	if (st == TP_OK)
		estimate =
			json_pack("{s:I, s:I, s:I}", "memory_bytes", (json_int_t)plan.memory_bytes,
		                  "disk_bytes", (json_int_t)plan.disk_bytes, "steps_total",
		                  (json_int_t)plan.steps_total);
	else if (json_array_size(errors) == 0)
		(void)json_array_append_new(errors, json_field_error("", err.text));
	respond_json(r, 200,
	             json_pack("{s:b, s:o, s:o}", "ok", (int)(st == TP_OK), "errors", errors,
	                       "estimate", estimate));
	free(a);
}

void api_run_get(request *r)
{
	run_row row;
	if (!api_get_run(r, &row))
		return;
	respond_json(r, 200, run_detail_json(api_store(r), api_scheduler(r), &row));
	run_row_done(&row);
}

/* 409 with what would be allowed now. */
static void respond_conflict(request *r, const tp_err *why)
{
	run_row row;
	if (!api_get_run(r, &row))
		return;
	json_t *extra = json_pack("{s:s, s:o}", "state", run_state_name(row.state),
	                          "allowed_actions", run_actions_json(row.state));
	run_row_done(&row);
	respond_problem(r, 409, "wrong-state", extra, "%s", why->text);
}

void api_run_delete(request *r)
{
	tp_err err = {0};
	tp_status st = scheduler_delete(api_scheduler(r), r->param[0], &err);
	if (st == TP_CONFLICT)
		respond_conflict(r, &err);
	else if (st != TP_OK)
		respond_error(r, st, &err);
	else
		respond_empty(r, 204);
}

static void act(request *r, run_action action)
{
	if (!request_no_parameters(r))
		return;
	tp_err err = {0};
	tp_status st = scheduler_act(api_scheduler(r), r->param[0], action, &err);
	run_row row;
	if (st == TP_CONFLICT) {
		respond_conflict(r, &err);
	} else if (st != TP_OK) {
		respond_error(r, st, &err);
	} else if (api_get_run(r, &row)) {
		respond_json(r, 202, run_json(api_store(r), api_scheduler(r), &row));
		response_header(r, "Location", "/api/v1/runs/%lld", (long long)row.id);
		run_row_done(&row);
	}
}

void api_run_pause(request *r)
{
	act(r, ACTION_PAUSE);
}

void api_run_resume(request *r)
{
	act(r, ACTION_RESUME);
}

void api_run_cancel(request *r)
{
	act(r, ACTION_CANCEL);
}

static void series_done(void *row)
{
	metric_series_done(row);
}

void api_run_metrics(request *r)
{
	run_row row;
	if (!api_get_run(r, &row))
		return;
	run_row_done(&row);
	int64_t max = request_query_int(r, "max_points", POINTS_DEFAULT);
	max = max < 2 ? 2 : max > POINTS_MAX ? POINTS_MAX : max;
	metric_series *s = NULL;
	size_t n = 0;
	tp_err err = {0};
	tp_status st =
		store_metrics(api_store(r), r->param[0], request_query(r, "keys"),
	                      request_query_int(r, "from_step", 0), (size_t)max, &s, &n, &err);
	if (st != TP_OK) {
		respond_error(r, st, &err);
		return;
	}
	json_t *series = json_array();
	for (size_t i = 0; i < n; i++) {
		json_t *points = json_array();
		for (size_t k = 0; k < s[i].points; k++)
			(void)json_array_append_new(
				points, json_pack("[I, o]", (json_int_t)s[i].point[k].step,
			                          json_number_or_null(s[i].point[k].value)));
		(void)json_array_append_new(
			series, json_pack("{s:s, s:o}", "key", s[i].key, "points", points));
	}
	respond_json(r, 200, json_pack("{s:o}", "series", series));
	rows_done(s, n, sizeof *s, series_done);
}
