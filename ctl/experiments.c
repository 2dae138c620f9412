#include "experiments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "refs.h"
#include "run_config.h"
#include "show.h"
#include "table.h"

static const column list_columns[] = {
	{"ID", "id", COLUMN_NUMBER},         {"NAME", "name", COLUMN_TEXT},
	{"STATE", "state", COLUMN_TEXT},     {"VARIANTS", "variants", COLUMN_NUMBER},
	{"SEEDS", "seeds", COLUMN_NUMBER},   {"RUNS", "runs_total", COLUMN_NUMBER},
	{"ENDED", "runs_done", COLUMN_NUMBER}, {"DONE", "progress", COLUMN_PERCENT},
	{"CREATED", "created", COLUMN_TIME},
};

static const column head_columns[] = {
	{"id", "id", COLUMN_NUMBER},           {"name", "name", COLUMN_TEXT},
	{"state", "state", COLUMN_TEXT},       {"error", "error", COLUMN_TEXT},
	{"baseline", "baseline", COLUMN_TEXT}, {"upper bound", "upper_bound", COLUMN_TEXT},
	{"seeds", "seeds", COLUMN_LIST},       {"runs", "runs_total", COLUMN_NUMBER},
	{"ended", "runs_done", COLUMN_NUMBER}, {"done", "progress", COLUMN_PERCENT},
	{"left", "eta_seconds", COLUMN_SECONDS},
};

/* As programs read the variants; people get mean and deviation in one cell. */
static const column variant_columns[] = {
	{"", "name", COLUMN_TEXT},
	{"", "preset", COLUMN_TEXT},
	{"", "count", COLUMN_NUMBER},
	{"", "miou.mean", COLUMN_NUMBER},
	{"", "miou.deviation", COLUMN_NUMBER},
	{"", "miou.min", COLUMN_NUMBER},
	{"", "miou.max", COLUMN_NUMBER},
	{"", "difference.mean", COLUMN_NUMBER},
	{"", "difference.deviation", COLUMN_NUMBER},
	{"", "difference.t", COLUMN_NUMBER},
	{"", "difference.p", COLUMN_NUMBER},
	{"", "gap_closed", COLUMN_NUMBER},
};

static const column cell_columns[] = {
	{"SEED", "seed", COLUMN_NUMBER},          {"RUN", "run", COLUMN_NUMBER},
	{"STATE", "state", COLUMN_TEXT},          {"SOURCE RUN", "source_run", COLUMN_NUMBER},
	{"SOURCE mIoU", "miou_source", COLUMN_PERCENT}, {"mIoU", "miou", COLUMN_PERCENT},
	{"BEST mIoU", "miou_best", COLUMN_PERCENT},
};

/* "/api/v1/experiments/ID" + tail for what people call an experiment. */
static ctl_exit experiment_path(ctl *c, const char *text, const char *tail, buffer *ret)
{
	char id[REF_MAX];
	ctl_exit rc = ref_resolve(c, REF_EXPERIMENT, text, id);
	if (rc == CTL_OK)
		buffer_printf(ret, "/api/v1/experiments/%s%s", id, tail);
	return rc;
}

/* ---- tables ---- */

static void print(ctl_format format, table *t)
{
	if (format == FORMAT_CSV)
		table_print_csv(t);
	else
		table_print(t);
	table_free(t);
}

/* "61.2 ± 0.8 %", in percent; `sign` shows one in front of gains too. "-" when there is no mean. */
static void add_spread(table *t, const json_t *o, bool sign)
{
	char text[80], deviation[32] = "";
	const json_t *mean = json_object_get(o, "mean"), *d = json_object_get(o, "deviation");
	if (!json_is_number(mean)) {
		table_cell(t, "-");
		return;
	}
	if (json_is_number(d))
		(void)snprintf(deviation, sizeof deviation, " \302\261 %.1f", 100.0 * json_number_value(d));
	(void)snprintf(text, sizeof text, sign ? "%+.1f%s %%" : "%.1f%s %%", 100.0 * json_number_value(mean),
	               deviation);
	table_cell(t, text);
}

static void add_value(table *t, const json_t *v, column_kind kind)
{
	char text[128];
	value_text(v, kind, text, sizeof text);
	table_cell(t, text);
}

static void add_probability(table *t, const json_t *p)
{
	char text[32] = "-";
	if (json_is_number(p))
		(void)snprintf(text, sizeof text, "%.2g", json_number_value(p));
	table_cell(t, text);
}

static void print_variants(const json_t *variants)
{
	static const char *const heads[] = {"VARIANT", "N", "mIoU", "DIFFERENCE", "P", "GAP CLOSED"};
	table *t = table_new(COUNT_OF(heads));
	for (size_t k = 0; k < COUNT_OF(heads); k++)
		table_head(t, heads[k], k > 0);
	size_t i;
	const json_t *v;
	json_array_foreach((json_t *)variants, i, v) {
		table_cell(t, text_at(v, "name", "?"));
		add_value(t, json_object_get(v, "count"), COLUMN_NUMBER);
		add_spread(t, json_object_get(v, "miou"), false);
		add_spread(t, json_object_get(v, "difference"), true);
		add_probability(t, value_at(v, "difference.p"));
		add_value(t, json_object_get(v, "gap_closed"), COLUMN_PERCENT);
	}
	print(FORMAT_TABLE, t);
}

/* Classes downwards, variants to the right; CSV has the means alone. */
static void print_classes(ctl_format format, const json_t *o)
{
	json_t *variants = json_object_get(o, "variants"), *v, *class;
	size_t i, k;
	table *t = table_new(1 + json_array_size(variants));
	table_head(t, format == FORMAT_CSV ? "class" : "IoU", false);
	json_array_foreach(variants, i, v)
		table_head(t, text_at(v, "name", "?"), true);
	json_array_foreach(json_object_get(o, "classes"), k, class) {
		table_cell(t, text_at(class, "name", "?"));
		json_array_foreach(variants, i, v) {
			const json_t *iou = json_array_get(json_object_get(v, "iou"), k);
			char text[64];
			value_plain(json_object_get(iou, "mean"), COLUMN_NUMBER, text, sizeof text);
			if (format == FORMAT_CSV)
				table_cell(t, text);
			else
				add_spread(t, iou, false);
		}
	}
	print(format, t);
}

/* One line for each cell, with the name of its variant in front. */
static void print_cells(const json_t *o)
{
	table *t = table_new(1 + COUNT_OF(cell_columns));
	table_head(t, "VARIANT", false);
	for (size_t k = 0; k < COUNT_OF(cell_columns); k++)
		table_head(t, cell_columns[k].head, cell_columns[k].kind != COLUMN_TEXT);
	size_t i, s;
	const json_t *v, *cell;
	json_array_foreach(json_object_get(o, "variants"), i, v)
		json_array_foreach(json_object_get(v, "cells"), s, cell) {
			table_cell(t, text_at(v, "name", "?"));
			for (size_t k = 0; k < COUNT_OF(cell_columns); k++)
				add_value(t, value_at(cell, cell_columns[k].key), cell_columns[k].kind);
		}
	print(FORMAT_TABLE, t);
}

ctl_exit experiment_print(ctl *c, const client_answer *experiment)
{
	if (c->format == FORMAT_JSON) {
		show_body(experiment);
		return CTL_OK;
	}
	json_t *o = client_answer_json(experiment);
	if (o == NULL)
		return ctl_fail(CTL_FAILED, "the answer is no JSON");
	const json_t *variants = json_object_get(o, "variants");
	if (c->format == FORMAT_CSV) {
		records_print(c->format, variants, variant_columns, COUNT_OF(variant_columns));
	} else {
		record_print(c->format, o, head_columns, COUNT_OF(head_columns));
		(void)fputc('\n', stdout);
		print_variants(variants);
	}
	json_decref(o);
	return CTL_OK;
}

/* ---- commands ---- */

ctl_exit experiment_list(ctl *c, const ctl_args *a)
{
	return show_list(c, a, "/api/v1/experiments", list_columns, COUNT_OF(list_columns));
}

static ctl_exit show_detail(ctl *c, const ctl_args *a, const char *path)
{
	client_answer answer;
	const client_call call = {.method = "GET", .path = path};
	ctl_exit rc = client_call_reported(c->client, &call, &answer);
	json_t *o = rc == CTL_OK ? client_answer_json(&answer) : NULL;
	if (rc == CTL_OK && c->format != FORMAT_JSON && args_has(a, "cells"))
		print_cells(o);
	else if (rc == CTL_OK && c->format != FORMAT_JSON && args_has(a, "classes"))
		print_classes(c->format, o);
	else if (rc == CTL_OK)
		rc = experiment_print(c, &answer);
	json_decref(o);
	client_answer_free(&answer);
	return rc;
}

ctl_exit experiment_show(ctl *c, const ctl_args *a)
{
	buffer path = {0};
	ctl_exit rc = experiment_path(c, a->word[0], "", &path);
	if (rc == CTL_OK && c->format == FORMAT_CSV && args_has(a, "cells"))
		rc = show_raw(c, path.data, "text/csv");
	else if (rc == CTL_OK)
		rc = show_detail(c, a, path.data);
	buffer_free(&path);
	return rc;
}

ctl_exit experiment_watch(ctl *c, const ctl_args *a)
{
	char id[REF_MAX];
	ctl_exit rc = ref_resolve(c, REF_EXPERIMENT, a->word[0], id);
	return rc == CTL_OK ? watch_experiment(c, id) : rc;
}

/* Sends the definition; the answer is the caller's to free. */
static ctl_exit post_definition(ctl *c, const ctl_args *a, client_answer *ret)
{
	*ret = (client_answer){0};
	json_t *definition;
	ctl_exit rc = run_config_load(a, a->word[0], &definition);
	if (rc != CTL_OK)
		return rc;
	char *text = json_dumps(definition, JSON_COMPACT | JSON_REAL_PRECISION(17));
	json_decref(definition);
	if (text == NULL)
		return ctl_fail(CTL_FAILED, "out of memory");
	const client_call call = {.method = "POST",
	                          .path = "/api/v1/experiments",
	                          .body = text,
	                          .body_size = strlen(text)};
	rc = client_call_reported(c->client, &call, ret);
	free(text);
	return rc;
}

ctl_exit experiment_run(ctl *c, const ctl_args *a)
{
	client_answer answer;
	ctl_exit rc = post_definition(c, a, &answer);
	json_t *o = rc == CTL_OK ? client_answer_json(&answer) : NULL;
	char id[REF_MAX] = "";
	value_plain(value_at(o, "id"), COLUMN_NUMBER, id, sizeof id);
	if (rc == CTL_OK && !args_is_number(id)) {
		rc = ctl_fail(CTL_FAILED, "the answer names no experiment");
	} else if (rc == CTL_OK && args_has(a, "watch")) {
		ctl_note("experiment %s is created", id);
		rc = watch_experiment(c, id);
	} else if (rc == CTL_OK && c->format == FORMAT_TABLE) {
		/* Just the id, so that ID=$(tpldctl experiment run ...) works. */
		(void)printf("%s\n", id);
		ctl_note("experiment %s '%s' has %lld runs", id, text_at(o, "name", ""),
		         (long long)json_integer_value(json_object_get(o, "runs_total")));
	} else if (rc == CTL_OK) {
		rc = experiment_print(c, &answer);
	}
	json_decref(o);
	client_answer_free(&answer);
	return rc;
}

/* One call for each experiment named; the first failure is the result, the others are tried all the
 * same. */
static ctl_exit each(ctl *c, const ctl_args *a, const char *method, const char *tail)
{
	ctl_exit first = CTL_OK;
	for (size_t i = 0; i < a->words && !ctl_interrupted; i++) {
		buffer path = {0};
		ctl_exit rc = experiment_path(c, a->word[i], tail, &path);
		if (rc == CTL_OK) {
			const client_call call = {.method = method, .path = path.data};
			client_answer answer;
			rc = client_call_reported(c->client, &call, &answer);
			json_t *o = rc == CTL_OK ? client_answer_json(&answer) : NULL;
			if (rc == CTL_OK && c->format == FORMAT_JSON)
				show_body(&answer);
			else if (rc == CTL_OK)
				ctl_note("experiment %s is %s", a->word[i], text_at(o, "state", "deleted"));
			json_decref(o);
			client_answer_free(&answer);
		}
		buffer_free(&path);
		first = first == CTL_OK ? rc : first;
	}
	return first;
}

ctl_exit experiment_cancel(ctl *c, const ctl_args *a)
{
	return each(c, a, "POST", "/cancel");
}

ctl_exit experiment_delete(ctl *c, const ctl_args *a)
{
	return each(c, a, "DELETE", args_has(a, "runs") ? "?runs=true" : "");
}
