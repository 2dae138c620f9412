/* Where the time of a training step goes: layers and what lies around the networks in one list. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "runs.h"
#include "show.h"

static const column stage_columns[] = {
	{"phase", "phase", COLUMN_TEXT},
	{"round", "round", COLUMN_NUMBER},
	{"steps measured", "steps", COLUMN_NUMBER},
	{"crop", "crop", COLUMN_LIST},
	{"threads", "threads", COLUMN_NUMBER},
	{"kernels", "kernels", COLUMN_TEXT},
	{"sgemm, GFLOP/s", "sgemm_peak_gflops", COLUMN_FIXED},
	{"seconds a step", "seconds_per_step", COLUMN_NUMBER},
};

static const column time_columns[] = {
	{"LAYER", "layer", COLUMN_TEXT},
	{"ALGORITHM", "algorithm", COLUMN_TEXT},
	{"FORWARD ms", "forward_ms", COLUMN_FIXED},
	{"BACKWARD ms", "backward_ms", COLUMN_FIXED},
	{"ms", "ms", COLUMN_FIXED},
	{"OF STEP", "step_share", COLUMN_PERCENT},
	{"GFLOP", "gflop_per_step", COLUMN_FIXED},
	{"GFLOP/s", "gflops", COLUMN_FIXED},
	{"OF sgemm", "peak_share", COLUMN_PERCENT},
};

static int longest_first(const void *a, const void *b)
{
	double p = json_number_value(json_object_get(*(json_t *const *)a, "ms"));
	double q = json_number_value(json_object_get(*(json_t *const *)b, "ms"));
	return (p < q) - (p > q);
}

/* A row with its share of the step; takes `row` over. */
static void add_row(json_t *rows, json_t *row, double ms, double step_ms)
{
	(void)json_object_set_new(row, "ms", json_real(ms));
	(void)json_object_set_new(row, "step_share", step_ms > 0 ? json_real(ms / step_ms) : json_null());
	(void)json_array_append_new(rows, row);
}

/* New reference: layers and outside parts with ms and step_share, the longest first. */
static json_t *rows_of(const json_t *profile)
{
	double step_ms = 1e3 * json_number_value(json_object_get(profile, "seconds_per_step"));
	json_t *all = json_array(), *sorted = json_array(), *x;
	size_t i;
	json_array_foreach(json_object_get(profile, "layers"), i, x) {
		json_t *row = json_copy(x);
		double ms = json_number_value(json_object_get(x, "forward_ms")) +
		            json_number_value(json_object_get(x, "backward_ms"));
		add_row(all, row, ms, step_ms);
	}
	json_array_foreach(json_object_get(profile, "outside"), i, x) {
		char name[64];
		(void)snprintf(name, sizeof name, "(%s)", text_at(x, "part", "?"));
		json_t *row = json_pack("{s:s}", "layer", name);
		add_row(all, row, json_number_value(json_object_get(x, "ms")), step_ms);
	}
	size_t n = json_array_size(all);
	json_t **order = calloc(n + 1, sizeof *order);
	for (i = 0; i < n && order != NULL; i++)
		order[i] = json_array_get(all, i);
	if (order != NULL)
		qsort(order, n, sizeof *order, longest_first);
	for (i = 0; i < n && order != NULL; i++)
		(void)json_array_append(sorted, order[i]);
	free(order);
	json_decref(all);
	return sorted;
}

static void print_profile(ctl_format format, const json_t *profile)
{
	json_t *rows = rows_of(profile);
	if (format == FORMAT_TABLE) {
		record_print(format, profile, stage_columns, COUNT_OF(stage_columns));
		(void)fputc('\n', stdout);
	}
	records_print(format, rows, time_columns, COUNT_OF(time_columns));
	json_decref(rows);
}

ctl_exit run_profile(ctl *c, const ctl_args *a)
{
	buffer path = {0};
	json_t *o = NULL;
	ctl_exit rc = run_path(c, a->word[0], "/profile", &path);
	if (rc == CTL_OK) {
		buffer_add_query(&path, "round", args_value(a, "round"));
		rc = c->format == FORMAT_JSON ? show_raw(c, path.data, NULL)
		                              : client_get(c->client, path.data, &o);
	}
	if (o != NULL && json_array_size(json_object_get(o, "layers")) == 0)
		ctl_note("nothing was trained yet");
	if (o != NULL)
		print_profile(c->format, o);
	json_decref(o);
	buffer_free(&path);
	return rc;
}
