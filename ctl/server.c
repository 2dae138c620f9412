/* The daemon itself: status, health, descriptions, presets. */
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "runs.h"
#include "show.h"

static const column server_columns[] = {
	{"version", "version", COLUMN_TEXT},
	{"started", "started", COLUMN_TIME},
	{"up for", "uptime_seconds", COLUMN_SECONDS},
	{"threads", "threads", COLUMN_NUMBER},
	{"cores", "cores", COLUMN_NUMBER},
	{"memory", "memory.total_bytes", COLUMN_BYTES},
	{"memory free", "memory.free_bytes", COLUMN_BYTES},
	{"memory used", "memory.resident_bytes", COLUMN_BYTES},
	{"disk free", "disk.free_bytes", COLUMN_BYTES},
	{"disk reserve", "disk.min_free_bytes", COLUMN_BYTES},
	{"page limit", "limits.page", COLUMN_NUMBER},
	{"connections", "limits.connections", COLUMN_NUMBER},
	{"event streams", "limits.event_streams", COLUMN_NUMBER},
	{"largest JSON", "limits.json_bytes", COLUMN_BYTES},
	{"largest picture", "limits.image_bytes", COLUMN_BYTES},
	{"largest weights", "limits.weights_bytes", COLUMN_BYTES},
};
enum { STATUS_COLUMNS = 10 }; /* of the above: without the limits */

static const column ready_columns[] = {
	{"ready", "ready", COLUMN_YES},
	{"database", "checks.database", COLUMN_YES},
	{"trainer", "checks.trainer", COLUMN_YES},
	{"disk", "checks.disk", COLUMN_YES},
};

static const column preset_columns[] = {
	{"NAME", "name", COLUMN_TEXT},
	{"WHAT IT DOES", "text", COLUMN_TEXT},
};

static const column set_columns[] = {
	{"NAME", "name", COLUMN_TEXT},
	{"CLASSES", "classes", COLUMN_COUNT},
};

ctl_exit server_info(ctl *c, const ctl_args *a)
{
	(void)a;
	return show_object(c, "/api/v1/server", server_columns, COUNT_OF(server_columns));
}

ctl_exit server_metrics(ctl *c, const ctl_args *a)
{
	(void)a;
	return show_raw(c, "/metrics", "text/plain");
}

ctl_exit server_schema(ctl *c, const ctl_args *a)
{
	(void)a;
	return show_raw(c, "/api/v1/schema/run-config", "*/*");
}

ctl_exit server_openapi(ctl *c, const ctl_args *a)
{
	(void)a;
	return show_raw(c, "/api/v1/openapi.json", "*/*");
}

/* /readyz answers 503 with the same body when something is wrong: that is an answer, not an error.
 */
ctl_exit server_health(ctl *c, const ctl_args *a)
{
	(void)a;
	const client_call alive = {.method = "GET", .path = "/healthz"},
			  ready = {.method = "GET", .path = "/readyz"};
	client_answer answer;
	ctl_exit rc = client_call_reported(c->client, &alive, &answer);
	client_answer_free(&answer);
	if (rc != CTL_OK)
		return rc;
	rc = client_perform(c->client, &ready, &answer);
	json_t *o = client_answer_json(&answer);
	if (json_object_get(o, "ready") != NULL)
		(void)show_answer(c, &answer, ready_columns, COUNT_OF(ready_columns));
	else
		client_report(c->client, &answer);
	json_decref(o);
	client_answer_free(&answer);
	return rc;
}

static bool is_over(const json_t *run)
{
	const char *state = text_at(run, "state", "");
	return strcmp(state, "completed") == 0 || strcmp(state, "failed") == 0 ||
	       strcmp(state, "cancelled") == 0;
}

/* Those that are not over, and the newest one that is. */
static json_t *interesting(const json_t *runs)
{
	json_t *list = json_array(), *r;
	size_t i;
	bool over = false;
	json_array_foreach((json_t *)runs, i, r) {
		if (!is_over(r) || !over)
			(void)json_array_append(list, r);
		over = over || is_over(r);
	}
	return list;
}

ctl_exit server_status(ctl *c, const ctl_args *a)
{
	(void)a;
	json_t *server = NULL, *runs = NULL;
	ctl_exit rc = client_get(c->client, "/api/v1/server", &server);
	if (rc == CTL_OK)
		rc = client_get(c->client, "/api/v1/runs?limit=100", &runs);
	if (rc != CTL_OK) {
		json_decref(server);
		return rc;
	}
	json_t *list = interesting(json_object_get(runs, "items"));
	if (c->format == FORMAT_JSON) {
		json_t *o = json_pack("{s:O, s:O}", "server", server, "runs", list);
		show_json(o);
		json_decref(o);
	} else if (c->format == FORMAT_CSV) {
		run_print_list(c->format, list);
	} else {
		record_print(c->format, server, server_columns, STATUS_COLUMNS);
		(void)fputc('\n', stdout);
		if (json_array_size(list) > 0)
			run_print_list(c->format, list);
		else
			(void)puts("no runs yet");
	}
	json_decref(list);
	json_decref(server);
	json_decref(runs);
	return CTL_OK;
}

ctl_exit preset_ls(ctl *c, const ctl_args *a)
{
	return show_list(c, a, "/api/v1/presets", preset_columns, COUNT_OF(preset_columns));
}

ctl_exit preset_show(ctl *c, const ctl_args *a)
{
	json_t *page, *p;
	size_t i;
	ctl_exit rc = client_get(c->client, "/api/v1/presets", &page);
	if (rc != CTL_OK)
		return rc;
	rc = CTL_NOT_FOUND;
	json_array_foreach(json_object_get(page, "items"), i, p)
		if (strcmp(text_at(p, "name", ""), a->word[0]) == 0) {
			(void)json_dumpf(json_object_get(p, "config"), stdout,
			                 JSON_INDENT(2) | JSON_REAL_PRECISION(12));
			(void)fputc('\n', stdout);
			rc = CTL_OK;
		}
	json_decref(page);
	if (rc != CTL_OK)
		ctl_error("there is no preset '%s'", a->word[0]);
	return rc;
}

ctl_exit class_set_ls(ctl *c, const ctl_args *a)
{
	return show_list(c, a, "/api/v1/class-sets", set_columns, COUNT_OF(set_columns));
}
