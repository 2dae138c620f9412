/* What the rounds of a run brought: rounds, IoU, confusion, features; and where their time went. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/api.h"
#include "http/csv.h"
#include "http/json_out.h"
#include "http/row_json.h"

static void round_done(void *row)
{
	round_row_done(row);
}

static void audit_done(void *row)
{
	round_audit_row_done(row);
}

static void evaluation_done(void *row)
{
	evaluation_row_done(row);
}

void api_run_rounds(request *r)
{
	run_row run;
	if (!api_get_run(r, &run))
		return;
	run_row_done(&run);
	round_row *row = NULL;
	round_audit_row *audit = NULL;
	size_t n = 0, audits = 0, at = 0;
	tp_err err = {0};
	tp_status st = store_round_list(api_store(r), r->param[0], &row, &n, &err);
	if (st == TP_OK)
		st = store_round_audits(api_store(r), r->param[0], &audit, &audits, &err);
	if (st != TP_OK) {
		respond_error(r, st, &err);
		rows_done(row, n, sizeof *row, round_done);
		return;
	}
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++) {
		while (at < audits && audit[at].round < row[i].round)
			at++;
		bool has = at < audits && audit[at].round == row[i].round;
		(void)json_array_append_new(list, round_json(&row[i], has ? &audit[at] : NULL));
	}
	respond_json(r, 200, list);
	rows_done(audit, audits, sizeof *audit, audit_done);
	rows_done(row, n, sizeof *row, round_done);
}

/* Names of the classes a run tells apart: its source's. False: answered. */
static bool class_names(request *r, json_t **ret)
{
	run_row run;
	dataset_row d;
	if (!api_get_run(r, &run))
		return false;
	tp_err err = {0};
	tp_status st = store_dataset_get(api_store(r), run.source, &d, &err);
	run_row_done(&run);
	if (st != TP_OK) {
		respond_error(r, st, &err);
		return false;
	}
	*ret = class_names_json(d.classes);
	dataset_row_done(&d);
	return true;
}

static json_t *point_json(const evaluation_row *e)
{
	return json_pack("{s:I, s:o, s:s, s:o, s:o}", "step", (json_int_t)e->step, "round",
	                 e->round < 0 ? json_null() : json_integer((json_int_t)e->round), "phase",
	                 e->phase, "miou", json_share_or_null(e->miou), "iou", json_stored(e->iou));
}

/* step,round,phase,miou,CLASS...; absent values are empty, the source model's round too. */
static void respond_csv(request *r, const json_t *classes, const evaluation_row *row, size_t n)
{
	static const char *const heads[] = {"step", "round", "phase", "miou"};
	csv out;
	size_t i;
	const json_t *c;
	if (!csv_open(r, &out))
		return;
	for (i = 0; i < sizeof heads / sizeof *heads; i++)
		csv_text(&out, heads[i]);
	json_array_foreach((json_t *)classes, i, c)
		csv_text(&out, json_string_value(c));
	csv_end_line(&out);
	for (size_t k = 0; k < n; k++) {
		const evaluation_row *e = &row[k];
		csv_int(&out, true, e->step);
		csv_int(&out, e->round >= 0, e->round);
		csv_text(&out, e->phase);
		csv_share(&out, e->miou >= 0.0 ? e->miou : (double)NAN);
		json_t *iou = json_stored(e->iou);
		for (i = 0; i < json_array_size(classes); i++) {
			const json_t *v = json_array_get(iou, i);
			csv_share(&out, json_is_number(v) ? json_number_value(v) : (double)NAN);
		}
		json_decref(iou);
		csv_end_line(&out);
	}
	csv_respond(r, &out);
}

void api_run_iou(request *r)
{
	json_t *classes;
	if (!class_names(r, &classes))
		return;
	evaluation_row *row = NULL;
	size_t n = 0;
	tp_err err = {0};
	tp_status st = store_evaluation_list(api_store(r), r->param[0], &row, &n, &err);
	if (st != TP_OK) {
		respond_error(r, st, &err);
	} else if (r->produce == 1) {
		respond_csv(r, classes, row, n);
	} else {
		json_t *points = json_array();
		for (size_t i = 0; i < n; i++)
			(void)json_array_append_new(points, point_json(&row[i]));
		respond_json(r, 200, json_pack("{s:O, s:o}", "classes", classes, "points", points));
	}
	json_decref(classes);
	rows_done(row, n, sizeof *row, evaluation_done);
}

/* "source", a number, or nothing (the newest). */
static bool parse_round(request *r, int64_t *ret)
{
	const char *v = request_query(r, "round");
	*ret = -2;
	if (v == NULL)
		return true;
	size_t n = strlen(v);
	if (strcmp(v, "source") == 0) {
		*ret = ROUND_SOURCE;
	} else if (n > 0 && n <= 9 && strspn(v, "0123456789") == n) {
		*ret = strtoll(v, NULL, 10);
	} else {
		respond_problem(r, 400, "bad-query", NULL, "round must be a number or 'source'");
		return false;
	}
	return true;
}

void api_run_confusion(request *r)
{
	int64_t round;
	json_t *classes;
	if (!parse_round(r, &round) || !class_names(r, &classes))
		return;
	evaluation_row e;
	tp_err err = {0};
	tp_status st = store_evaluation_get(api_store(r), r->param[0], round, &e, &err);
	if (st != TP_OK) {
		respond_error(r, st, &err);
	} else {
		json_t *o = point_json(&e);
		(void)json_object_del(o, "iou");
		(void)json_object_set(o, "classes", classes);
		(void)json_object_set_new(o, "matrix", json_stored(e.confusion));
		respond_json(r, 200, o);
		evaluation_row_done(&e);
	}
	json_decref(classes);
}

void api_run_profile(request *r)
{
	int64_t round;
	run_row run;
	if (!parse_round(r, &round) || !api_get_run(r, &run))
		return;
	run_row_done(&run);
	profile_row p;
	tp_err err = {0};
	tp_status st = scheduler_profile(api_scheduler(r), r->param[0], round, &p, &err);
	if (st != TP_OK) {
		respond_error(r, st, &err);
		return;
	}
	respond_json(r, 200, profile_json(&p));
	profile_row_done(&p);
}

void api_run_features(request *r)
{
	char *text = NULL;
	size_t size = 0;
	tp_err err = {0};
	const char *network = request_query(r, "network");
	const feature_map_key of = {.run = r->param[0],
	                            .round = r->param[1],
	                            .before = network != NULL && strcmp(network, "before") == 0};
	tp_status st = feature_maps_get(api_features(r), &of, &text, &size, &err);
	if (st != TP_OK)
		respond_error(r, st, &err);
	else
		respond_bytes(r, "application/json", text, size);
}
