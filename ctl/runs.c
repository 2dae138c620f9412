#include "runs.h"

#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "run_config.h"
#include "show.h"
#include "watch.h"

static const column list_columns[] = {
	{"ID", "id", COLUMN_NUMBER},
	{"NAME", "name", COLUMN_TEXT},
	{"STATE", "state", COLUMN_TEXT},
	{"PHASE", "phase", COLUMN_TEXT},
	{"ROUND", "round", COLUMN_NUMBER},
	{"OF", "rounds_total", COLUMN_NUMBER},
	{"DONE", "progress", COLUMN_PERCENT},
	{"ETA", "eta_seconds", COLUMN_SECONDS},
	{"SOURCE mIoU", "miou.source_only", COLUMN_PERCENT},
	{"BEST mIoU", "miou.best", COLUMN_PERCENT},
	{"CREATED", "created", COLUMN_TIME},
};

static const column detail_columns[] = {
	{"id", "id", COLUMN_NUMBER},
	{"name", "name", COLUMN_TEXT},
	{"state", "state", COLUMN_TEXT},
	{"error", "error", COLUMN_TEXT},
	{"preset", "preset", COLUMN_TEXT},
	{"seed", "seed", COLUMN_NUMBER},
	{"source", "source", COLUMN_TEXT},
	{"target", "target", COLUMN_TEXT},
	{"evaluated on", "eval", COLUMN_TEXT},
	{"architecture", "config.model.arch", COLUMN_TEXT},
	{"phase", "phase", COLUMN_TEXT},
	{"round", "round", COLUMN_NUMBER},
	{"rounds", "rounds_total", COLUMN_NUMBER},
	{"step", "step", COLUMN_NUMBER},
	{"steps", "steps_total", COLUMN_NUMBER},
	{"done", "progress", COLUMN_PERCENT},
	{"left", "eta_seconds", COLUMN_SECONDS},
	{"loss", "loss", COLUMN_NUMBER},
	{"a step takes", "seconds_per_step", COLUMN_SECONDS},
	{"waiting for data", "wait_share", COLUMN_PERCENT},
	{"mIoU source only", "miou.source_only", COLUMN_PERCENT},
	{"mIoU now", "miou.current", COLUMN_PERCENT},
	{"mIoU best", "miou.best", COLUMN_PERCENT},
	{"memory", "memory_bytes", COLUMN_BYTES},
	{"disk", "disk_bytes", COLUMN_BYTES},
	{"computed for", "seconds", COLUMN_SECONDS},
	{"created", "created", COLUMN_TIME},
	{"updated", "updated", COLUMN_TIME},
};

static const column history_columns[] = {
	{"TIME", "time", COLUMN_TIME},
	{"FROM", "from", COLUMN_TEXT},
	{"TO", "to", COLUMN_TEXT},
	{"REASON", "reason", COLUMN_TEXT},
};

static const column estimate_columns[] = {
	{"steps", "estimate.steps_total", COLUMN_NUMBER},
	{"memory", "estimate.memory_bytes", COLUMN_BYTES},
	{"disk", "estimate.disk_bytes", COLUMN_BYTES},
	{"time", "estimate.seconds", COLUMN_SECONDS},
	{"source training", "estimate.phase_seconds.source_training", COLUMN_SECONDS},
	{"entropy training", "estimate.phase_seconds.entropy_training", COLUMN_SECONDS},
	{"norm alignment", "estimate.phase_seconds.norm_alignment", COLUMN_SECONDS},
	{"scoring", "estimate.phase_seconds.scoring", COLUMN_SECONDS},
	{"phase 1 training", "estimate.phase_seconds.phase1_training", COLUMN_SECONDS},
	{"phase 2 training", "estimate.phase_seconds.phase2_training", COLUMN_SECONDS},
	{"evaluation", "estimate.phase_seconds.evaluation", COLUMN_SECONDS},
};

static const column error_columns[] = {
	{"KEY", "pointer", COLUMN_TEXT},
	{"WHAT IS WRONG", "detail", COLUMN_TEXT},
};

ctl_exit run_path(ctl *c, const char *text, const char *tail, buffer *ret)
{
	char id[REF_MAX];
	ctl_exit rc = ref_resolve(c, REF_RUN, text, id);
	if (rc == CTL_OK)
		buffer_printf(ret, "/api/v1/runs/%s%s", id, tail);
	return rc;
}

void run_print_list(ctl_format format, const json_t *runs)
{
	records_print(format, runs, list_columns, COUNT_OF(list_columns));
}

ctl_exit run_print(ctl *c, const client_answer *run)
{
	ctl_exit rc = show_answer(c, run, detail_columns, COUNT_OF(detail_columns));
	json_t *o = c->format == FORMAT_TABLE ? client_answer_json(run) : NULL;
	const json_t *history = json_object_get(o, "state_history");
	if (json_array_size(history) > 0) {
		(void)fputc('\n', stdout);
		records_print(c->format, history, history_columns, COUNT_OF(history_columns));
	}
	json_decref(o);
	return rc;
}

ctl_exit run_ls(ctl *c, const ctl_args *a)
{
	buffer path = {0};
	buffer_add_text(&path, "/api/v1/runs");
	buffer_add_query(&path, "state", args_value(a, "state"));
	ctl_exit rc = show_list(c, a, path.data, list_columns, COUNT_OF(list_columns));
	buffer_free(&path);
	return rc;
}

ctl_exit run_show(ctl *c, const ctl_args *a)
{
	buffer path = {0};
	ctl_exit rc = run_path(c, a->word[0], "", &path);
	if (rc == CTL_OK) {
		const client_call call = {.method = "GET", .path = path.data};
		client_answer answer;
		rc = client_call_reported(c->client, &call, &answer);
		if (rc == CTL_OK)
			rc = run_print(c, &answer);
		client_answer_free(&answer);
	}
	buffer_free(&path);
	return rc;
}

ctl_exit run_config_show(ctl *c, const ctl_args *a)
{
	buffer path = {0};
	json_t *run = NULL;
	ctl_exit rc = run_path(c, a->word[0], "", &path);
	if (rc == CTL_OK)
		rc = client_get(c->client, path.data, &run);
	if (rc == CTL_OK) {
		(void)json_dumpf(json_object_get(run, "config"), stdout,
		                 JSON_INDENT(2) | JSON_REAL_PRECISION(12));
		(void)fputc('\n', stdout);
	}
	json_decref(run);
	buffer_free(&path);
	return rc;
}

ctl_exit run_watch(ctl *c, const ctl_args *a)
{
	char id[REF_MAX];
	ctl_exit rc = ref_resolve(c, REF_RUN, a->word[0], id);
	return rc == CTL_OK ? watch_run(c, id, args_has(a, "no-wait")) : rc;
}

/* The configuration as text, malloc'ed. It may come from standard input, which can be read only once. */
static ctl_exit load_config(const ctl_args *a, char **ret)
{
	json_t *config;
	ctl_exit rc = run_config_load(a, a->words > 0 ? a->word[0] : NULL, &config);
	if (rc != CTL_OK)
		return rc;
	*ret = json_dumps(config, JSON_COMPACT | JSON_REAL_PRECISION(17));
	json_decref(config);
	return *ret != NULL ? CTL_OK : ctl_fail(CTL_FAILED, "out of memory");
}

/* Sends it; the answer is the caller's to free. */
static ctl_exit post_config(ctl *c, const char *config, const char *path, client_answer *ret)
{
	const client_call call = {
		.method = "POST", .path = path, .body = config, .body_size = strlen(config)};
	return client_call_reported(c->client, &call, ret);
}

ctl_exit run_create(ctl *c, const ctl_args *a)
{
	client_answer answer = {0};
	char *config = NULL;
	ctl_exit rc = load_config(a, &config);
	if (rc == CTL_OK)
		rc = post_config(c, config, "/api/v1/runs", &answer);
	free(config);
	json_t *run = rc == CTL_OK ? client_answer_json(&answer) : NULL;
	char id[REF_MAX] = "";
	value_plain(value_at(run, "id"), COLUMN_NUMBER, id, sizeof id);
	if (rc == CTL_OK && !args_is_number(id)) {
		rc = ctl_fail(CTL_FAILED, "the answer names no run");
	} else if (rc == CTL_OK && args_has(a, "watch")) {
		ctl_note("run %s is created", id);
		rc = watch_run(c, id, args_has(a, "no-wait"));
	} else if (rc == CTL_OK && c->format == FORMAT_TABLE) {
		/* Just the id, so that ID=$(tpldctl run create ...) works. */
		(void)printf("%s\n", id);
		ctl_note("run %s '%s' is %s", id, text_at(run, "name", ""),
		         text_at(run, "state", "created"));
	} else if (rc == CTL_OK) {
		rc = run_print(c, &answer);
	}
	json_decref(run);
	client_answer_free(&answer);
	return rc;
}

/* Into the estimate: how long the server says that the run would take. */
static ctl_exit add_time(ctl *c, const char *config, json_t *estimate)
{
	client_answer answer;
	ctl_exit rc = post_config(c, config, "/api/v1/runs:estimate", &answer);
	json_t *time = rc == CTL_OK ? client_answer_json(&answer) : NULL;
	(void)json_object_update(estimate, time);
	json_decref(time);
	client_answer_free(&answer);
	return rc;
}

ctl_exit run_validate(ctl *c, const ctl_args *a)
{
	client_answer answer = {0};
	char *config = NULL;
	ctl_exit rc = load_config(a, &config);
	if (rc == CTL_OK)
		rc = post_config(c, config, "/api/v1/runs:validate", &answer);
	json_t *v = rc == CTL_OK ? client_answer_json(&answer) : NULL;
	bool good = json_is_true(json_object_get(v, "ok"));
	if (good && args_has(a, "time"))
		rc = add_time(c, config, json_object_get(v, "estimate"));
	free(config);
	if (rc == CTL_OK && c->format == FORMAT_JSON)
		show_json(v);
	else if (rc == CTL_OK && good)
		record_print(c->format, v, estimate_columns, COUNT_OF(estimate_columns));
	else if (rc == CTL_OK)
		records_print(c->format, json_object_get(v, "errors"), error_columns,
		              COUNT_OF(error_columns));
	if (rc == CTL_OK && !good)
		rc = CTL_FAILED;
	json_decref(v);
	client_answer_free(&answer);
	return rc;
}

/* One call for each run named; the first failure is the result, the others are tried all the same.
 */
static ctl_exit each_run(ctl *c, const ctl_args *a, const char *method, const char *tail)
{
	ctl_exit first = CTL_OK;
	for (size_t i = 0; i < a->words && !ctl_interrupted; i++) {
		buffer path = {0};
		ctl_exit rc = run_path(c, a->word[i], tail, &path);
		if (rc == CTL_OK) {
			const client_call call = {.method = method, .path = path.data};
			client_answer answer;
			rc = client_call_reported(c->client, &call, &answer);
			json_t *run = rc == CTL_OK ? client_answer_json(&answer) : NULL;
			if (rc == CTL_OK && c->format == FORMAT_JSON)
				show_body(&answer);
			else if (run != NULL)
				ctl_note("run %s is %s", a->word[i], text_at(run, "state", "?"));
			else if (rc == CTL_OK)
				ctl_note("run %s is deleted", a->word[i]);
			json_decref(run);
			client_answer_free(&answer);
		}
		buffer_free(&path);
		first = first == CTL_OK ? rc : first;
	}
	return first;
}

ctl_exit run_pause(ctl *c, const ctl_args *a)
{
	return each_run(c, a, "POST", "/pause");
}

ctl_exit run_resume(ctl *c, const ctl_args *a)
{
	return each_run(c, a, "POST", "/resume");
}

ctl_exit run_cancel(ctl *c, const ctl_args *a)
{
	return each_run(c, a, "POST", "/cancel");
}

ctl_exit run_rm(ctl *c, const ctl_args *a)
{
	return each_run(c, a, "DELETE", "");
}
