#include <stdlib.h>
#include <string.h>

#include "http/api.h"
#include "http/csv.h"
#include "http/experiment_json.h"
#include "http/json_out.h"

enum { ERRORS_MAX = 32 };

static void row_done(void *row)
{
	experiment_row_done(row);
}

/* The report of the experiment, or an answer. Free the report in any case. */
static bool get(request *r, int64_t id, report *ret)
{
	tp_err err = {0};
	tp_status st = report_make(api_store(r), api_scheduler(r), id, ret, &err);
	if (st != TP_OK)
		respond_error(r, st, &err);
	return st == TP_OK;
}

void api_experiments_list(request *r)
{
	int64_t before;
	if (!page_after_id(r, &before))
		return;
	experiment_row *row = NULL;
	size_t n = 0, limit = page_limit(r);
	tp_err err = {0};
	tp_status st = store_experiment_list(api_store(r), before, limit, &row, &n, &err);
	if (st != TP_OK) {
		respond_error(r, st, &err);
		return;
	}
	int64_t last = n == limit ? row[n - 1].id : -1;
	json_t *items = json_array();
	for (size_t i = 0; i < n && st == TP_OK; i++) {
		report brief;
		tp_err why = {0};
		st = report_brief(api_store(r), api_scheduler(r), &row[i], &brief, &why);
		if (st == TP_OK)
			(void)json_array_append_new(items, experiment_item_json(&brief));
		report_done(&brief);
		if (st == TP_NOTFOUND) /* deleted since the list was read */
			st = TP_OK;
		else if (st != TP_OK)
			err = why;
	}
	rows_done(row, n, sizeof *row, row_done);
	if (st == TP_OK) {
		respond_json(r, 200, page_json(items, last));
		return;
	}
	json_decref(items);
	respond_error(r, st, &err);
}

void api_experiment_add(request *r)
{
	json_t *body = request_json(r);
	if (body == NULL)
		return;
	config_error error[ERRORS_MAX];
	size_t errors = 0;
	int64_t id;
	tp_err err = {0};
	tp_status st = experiments_add(api_experiments(r), body, &id, error, ERRORS_MAX, &errors, &err);
	json_decref(body);
	if (st == TP_INVALID && errors > 0) {
		json_t *extra = json_pack("{s:o}", "errors", json_field_errors(error, errors));
		respond_problem(r, 422, "invalid-config", extra, "%s", err.text);
		return;
	}
	if (st != TP_OK) {
		respond_error(r, st, &err);
		return;
	}
	report full;
	if (get(r, id, &full)) {
		respond_json(r, 201, experiment_json(&full));
		response_header(r, "Location", "/api/v1/experiments/%lld", (long long)id);
	}
	report_done(&full);
}

/* variant,preset,seed,run,state,miou_source,miou,miou_best,CLASS...: one line for each cell. */
static void respond_csv(request *r, const report *e)
{
	static const char *const heads[] = {"variant", "preset", "seed", "run", "state", "miou_source",
	                                    "miou",    "miou_best"};
	csv out;
	size_t i;
	json_t *c;
	if (!csv_open(r, &out))
		return;
	for (i = 0; i < sizeof heads / sizeof *heads; i++)
		csv_text(&out, heads[i]);
	json_array_foreach(e->classes, i, c)
		csv_text(&out, json_string_value(json_object_get(c, "name")));
	csv_end_line(&out);
	for (size_t v = 0; v < e->definition.variants; v++)
		for (size_t k = 0; k < e->definition.seeds; k++) {
			const report_run *cell = &e->variant[v].cell[k];
			csv_text(&out, e->definition.variant[v].name);
			csv_text(&out, e->definition.variant[v].preset);
			csv_int(&out, true, cell->seed);
			csv_int(&out, cell->run != 0, cell->run);
			csv_text(&out, cell->state);
			csv_share(&out, cell->miou_source);
			csv_share(&out, cell->miou);
			csv_share(&out, cell->miou_best);
			for (i = 0; i < e->class_count; i++)
				csv_share(&out, cell->iou[i]);
			csv_end_line(&out);
		}
	csv_respond(r, &out);
}

void api_experiment_get(request *r)
{
	report full;
	if (get(r, r->param[0], &full)) {
		if (r->produce == 1)
			respond_csv(r, &full);
		else
			respond_json(r, 200, experiment_json(&full));
	}
	report_done(&full);
}

void api_experiment_cancel(request *r)
{
	if (!request_no_parameters(r))
		return;
	tp_err err = {0};
	tp_status st = experiments_cancel(api_experiments(r), r->param[0], &err);
	if (st != TP_OK) {
		respond_error(r, st, &err);
		return;
	}
	report full;
	if (get(r, r->param[0], &full)) {
		respond_json(r, 202, experiment_json(&full));
		response_header(r, "Location", "/api/v1/experiments/%lld", (long long)r->param[0]);
	}
	report_done(&full);
}

void api_experiment_delete(request *r)
{
	const char *runs = request_query(r, "runs");
	tp_err err = {0};
	tp_status st = experiments_delete(api_experiments(r), r->param[0],
	                                  runs != NULL && strcmp(runs, "true") == 0, &err);
	if (st != TP_OK)
		respond_error(r, st, &err);
	else
		respond_empty(r, 204);
}
