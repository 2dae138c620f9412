#include "run/round_state.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* A float survives 17 decimal digits unchanged. */
enum { EXACT = JSON_COMPACT | JSON_REAL_PRECISION(17) };

char *round_thresholds_text(const float *lambda, size_t classes)
{
	json_t *a = json_array();
	for (size_t k = 0; k < classes; k++)
		(void)json_array_append_new(a, json_real((double)lambda[k]));
	char *text = json_dumps(a, EXACT);
	json_decref(a);
	return text;
}

char *round_stats_text(const uint64_t *predicted, size_t classes, const uint8_t *mine, size_t mines)
{
	double all = 0;
	for (size_t k = 0; k < classes; k++)
		all += (double)predicted[k];
	json_t *share = json_array(), *ids = json_array();
	for (size_t k = 0; k < classes; k++)
		(void)json_array_append_new(share, json_real(all > 0 ? (double)predicted[k] / all : 0));
	for (size_t i = 0; i < mines; i++)
		(void)json_array_append_new(ids, json_integer(mine[i]));
	json_t *o = json_pack("{s:o,s:o}", "predicted_share", share, "mined", ids);
	char *text = json_dumps(o, EXACT);
	json_decref(o);
	return text;
}

tp_status round_shares(const round_row *row, size_t classes, double *share, tp_err *err)
{
	json_t *stats = json_loads(row->class_stats, 0, NULL);
	json_t *list = json_object_get(stats, "predicted_share");
	tp_status st = TP_OK;
	if (json_array_size(list) != classes)
		st = tp_fail(err, TP_CORRUPT, 0, "round %d: stored shares do not fit", (int)row->round);
	for (size_t k = 0; st == TP_OK && k < classes; k++)
		share[k] = json_number_value(json_array_get(list, k));
	json_decref(stats);
	return st;
}

static tp_status parse_round(const round_row *row, size_t classes, round_state *r, tp_err *err)
{
	json_t *lambda = json_loads(row->thresholds, 0, NULL);
	json_t *stats = json_loads(row->class_stats, 0, NULL);
	json_t *mine = json_object_get(stats, "mined");
	tp_status st = TP_OK;
	if (json_array_size(lambda) != classes || json_array_size(mine) > classes)
		st = tp_fail(err, TP_CORRUPT, 0, "round %d: stored thresholds do not fit", r->round);
	for (size_t k = 0; st == TP_OK && k < classes; k++)
		r->lambda[k] = (float)json_number_value(json_array_get(lambda, k));
	for (size_t i = 0; st == TP_OK && i < json_array_size(mine); i++)
		r->mine[r->mines++] = (uint8_t)json_integer_value(json_array_get(mine, i));
	json_decref(lambda);
	json_decref(stats);
	return st;
}

tp_status round_split_load(store *s, int64_t run, int64_t round, size_t targets, bool *ret_easy,
                           tp_err *err)
{
	image_query q = {.run = run, .round = round, .split = -1, .sort = IMAGE_SORT_NAME,
	                 .class_id = -1, .limit = 500};
	size_t seen = 0;
	for (;;) {
		image_row *row;
		size_t n;
		int64_t total, found;
		tp_status st = store_image_query(s, &q, &row, &n, &total, &found, err);
		if (st != TP_OK)
			return st;
		for (size_t i = 0; i < n; i++) {
			if (row[i].index >= 0 && (size_t)row[i].index < targets) {
				ret_easy[row[i].index] = row[i].easy;
				seen++;
			}
		}
		if (n > 0) {
			q.has_after = true;
			q.after_index = row[n - 1].index;
			(void)strncpy(q.after_name, row[n - 1].name, sizeof q.after_name - 1);
		}
		rows_done(row, n, sizeof *row, (void (*)(void *))image_row_done);
		if (n < q.limit)
			break;
	}
	if (seen != targets)
		return tp_fail(err, TP_CORRUPT, 0, "round %lld: %zu of %zu images are stored",
		               (long long)round, seen, targets);
	return TP_OK;
}

tp_status round_state_load(store *s, int64_t run, int round, size_t classes, size_t targets,
                           round_state *ret, tp_err *err)
{
	round_state r = {.round = round};
	r.lambda = calloc(classes, sizeof *r.lambda);
	r.easy = calloc(targets, sizeof *r.easy);
	round_row *row = NULL;
	size_t n = 0;
	tp_status st = r.lambda == NULL || r.easy == NULL
	                   ? tp_fail(err, TP_NOMEM, 0, "out of memory for a round")
	                   : store_round_list(s, run, &row, &n, err);
	const round_row *found = NULL;
	for (size_t i = 0; i < n; i++)
		if (row[i].round == round)
			found = &row[i];
	if (st == TP_OK && found == NULL)
		st = tp_fail(err, TP_CORRUPT, 0, "round %d was not scored", round);
	if (st == TP_OK)
		st = parse_round(found, classes, &r, err);
	rows_done(row, n, sizeof *row, (void (*)(void *))round_row_done);
	if (st == TP_OK)
		st = round_split_load(s, run, round, targets, r.easy, err);
	if (st != TP_OK) {
		round_state_done(&r);
		return st;
	}
	*ret = r;
	return TP_OK;
}

void round_state_done(round_state *r)
{
	free(r->lambda);
	free(r->easy);
	*r = (round_state){0};
}
