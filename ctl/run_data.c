/* What a run has brought so far: curves, IoU, confusion. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "runs.h"
#include "show.h"
#include "table.h"

/* GET of RUN + path; JSON goes out as it is, then *ret stays NULL; else *ret is the document. */
static ctl_exit get_document(ctl *c, const buffer *path, json_t **ret)
{
	*ret = NULL;
	if (c->format == FORMAT_JSON)
		return show_raw(c, path->data, NULL);
	return client_get(c->client, path->data, ret);
}

static void print(ctl_format format, table *t)
{
	if (format == FORMAT_CSV)
		table_print_csv(t);
	else
		table_print(t);
	table_free(t);
}

static void add_cell(table *t, ctl_format format, const json_t *v, column_kind kind)
{
	char text[64];
	if (format == FORMAT_CSV)
		value_plain(v, kind, text, sizeof text);
	else
		value_text(v, kind, text, sizeof text);
	table_cell(t, text);
}

/* One line per point: series differ in their steps. */
static void print_series(ctl_format format, const json_t *series)
{
	bool csv = format == FORMAT_CSV;
	table *t = table_new(3);
	table_head(t, csv ? "key" : "KEY", false);
	table_head(t, csv ? "step" : "STEP", true);
	table_head(t, csv ? "value" : "VALUE", true);
	size_t i, k;
	const json_t *s, *p;
	json_array_foreach((json_t *)series, i, s)
		json_array_foreach(json_object_get(s, "points"), k, p) {
			table_cell(t, text_at(s, "key", ""));
			add_cell(t, format, json_array_get(p, 0), COLUMN_NUMBER);
			add_cell(t, format, json_array_get(p, 1), COLUMN_NUMBER);
		}
	print(format, t);
}

ctl_exit run_metrics(ctl *c, const ctl_args *a)
{
	buffer path = {0};
	json_t *o = NULL;
	ctl_exit rc = run_path(c, a->word[0], "/metrics", &path);
	if (rc == CTL_OK) {
		buffer_add_query(&path, "keys", args_value(a, "keys"));
		buffer_add_query(&path, "from_step", args_value(a, "from-step"));
		buffer_add_query(&path, "max_points", args_value(a, "max-points"));
		rc = get_document(c, &path, &o);
	}
	if (o != NULL)
		print_series(c->format, json_object_get(o, "series"));
	json_decref(o);
	buffer_free(&path);
	return rc;
}

static void add_evaluation_head(table *t, const json_t *point)
{
	char text[48];
	const json_t *round = json_object_get(point, "round");
	if (json_is_integer(round))
		(void)snprintf(text, sizeof text, "round %lld",
		               (long long)json_integer_value(round));
	else
		(void)snprintf(text, sizeof text, "source");
	table_head(t, text, true);
}

/* Classes downwards, evaluations to the right: as papers print it. */
static void print_iou(const json_t *o)
{
	json_t *points = json_object_get(o, "points"), *p, *name;
	size_t i, k;
	table *t = table_new(1 + json_array_size(points));
	table_head(t, "IoU", false);
	json_array_foreach(points, i, p)
		add_evaluation_head(t, p);
	json_array_foreach(json_object_get(o, "classes"), k, name) {
		table_cell(t, json_string_value(name) != NULL ? json_string_value(name) : "?");
		json_array_foreach(points, i, p)
			add_cell(t, FORMAT_TABLE, json_array_get(json_object_get(p, "iou"), k),
			         COLUMN_PERCENT);
	}
	table_cell(t, "mean");
	json_array_foreach(points, i, p)
		add_cell(t, FORMAT_TABLE, json_object_get(p, "miou"), COLUMN_PERCENT);
	print(FORMAT_TABLE, t);
}

ctl_exit run_iou(ctl *c, const ctl_args *a)
{
	buffer path = {0};
	json_t *o = NULL;
	ctl_exit rc = run_path(c, a->word[0], "/iou", &path);
	if (rc == CTL_OK && c->format == FORMAT_CSV)
		rc = show_raw(c, path.data, "text/csv");
	else if (rc == CTL_OK)
		rc = get_document(c, &path, &o);
	if (o != NULL)
		print_iou(o);
	json_decref(o);
	buffer_free(&path);
	return rc;
}

static void print_confusion(ctl_format format, const json_t *o)
{
	json_t *classes = json_object_get(o, "classes"), *name, *row, *v;
	size_t i, k;
	table *t = table_new(1 + json_array_size(classes));
	table_head(t, format == FORMAT_CSV ? "truth" : "TRUTH \\ PREDICTED", false);
	json_array_foreach(classes, i, name)
		table_head(t, json_string_value(name) != NULL ? json_string_value(name) : "?",
		           true);
	json_array_foreach(json_object_get(o, "matrix"), i, row) {
		if (json_array_size(row) != json_array_size(classes))
			continue;
		const char *truth = json_string_value(json_array_get(classes, i));
		table_cell(t, truth != NULL ? truth : "?");
		json_array_foreach(row, k, v)
			add_cell(t, format, v, COLUMN_NUMBER);
	}
	print(format, t);
}

ctl_exit run_confusion(ctl *c, const ctl_args *a)
{
	buffer path = {0};
	json_t *o = NULL;
	ctl_exit rc = run_path(c, a->word[0], "/confusion", &path);
	if (rc == CTL_OK) {
		buffer_add_query(&path, "round", args_value(a, "round"));
		rc = get_document(c, &path, &o);
	}
	if (o != NULL)
		print_confusion(c->format, o);
	json_decref(o);
	buffer_free(&path);
	return rc;
}
