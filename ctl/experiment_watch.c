/* Follows an experiment line by line. Events only say when to look: what is shown always comes from the
 * experiment itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "experiments.h"
#include "records.h"
#include "sse.h"

enum {
	FETCH_SECONDS = 30,
	REFRESH_MS = 5000, /* between two looks while only numbers move */
};

typedef struct watch {
	ctl *c;
	const char *id;
	client *side;         /* asks for the experiment while the stream is open */
	client_answer answer; /* the newest GET of it */
	FILE *out;
	bool over;
	ctl_exit result;
	int64_t fetched_ms;
	char shown[400];
} watch;

static void add_value(char *to, size_t size, const char *label, const json_t *v, column_kind kind)
{
	char text[64];
	size_t used = strlen(to);
	if (v == NULL || json_is_null(v))
		return;
	value_text(v, kind, text, sizeof text);
	(void)snprintf(to + used, size - used, "  %s%s", label, text);
}

static void show(watch *w, const json_t *o)
{
	char line[sizeof w->shown];
	(void)snprintf(line, sizeof line, "experiment %s %.100s  %s  %lld of %lld runs", w->id,
	               text_at(o, "name", ""), text_at(o, "state", "?"),
	               (long long)json_integer_value(json_object_get(o, "runs_done")),
	               (long long)json_integer_value(json_object_get(o, "runs_total")));
	add_value(line, sizeof line, "", json_object_get(o, "progress"), COLUMN_PERCENT);
	add_value(line, sizeof line, "ETA ", json_object_get(o, "eta_seconds"), COLUMN_SECONDS);
	for (char *p = line; *p != 0; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			*p = '?';
	if (strcmp(line, w->shown) == 0)
		return;
	(void)fprintf(w->out, "%s\n", line);
	(void)fflush(w->out);
	memcpy(w->shown, line, sizeof line);
}

/* Asks for the experiment. False: no answer now; one that will stay away ends the watching. */
static bool fetch(watch *w)
{
	char path[64];
	(void)snprintf(path, sizeof path, "/api/v1/experiments/%s", w->id);
	const client_call call = {.method = "GET", .path = path};
	client_answer_free(&w->answer);
	w->fetched_ms = sse_now_ms();
	if (client_perform(w->side, &call, &w->answer) != CTL_OK) {
		if (!sse_is_passing(&w->answer)) {
			client_report(w->side, &w->answer);
			w->over = true;
			w->result = w->answer.exit;
		}
		return false;
	}
	json_t *o = client_answer_json(&w->answer);
	const char *state = text_at(o, "state", "");
	w->over = strcmp(state, "running") != 0;
	w->result = strcmp(state, "completed") == 0 ? CTL_OK : CTL_FAILED;
	show(w, o);
	json_decref(o);
	return true;
}

static bool on_event(void *arg, const char *type, const char *data)
{
	watch *w = arg;
	(void)data;
	if (strcmp(type, "run.progress") != 0 || sse_now_ms() - w->fetched_ms > REFRESH_MS)
		(void)fetch(w);
	return !w->over;
}

static bool on_alive(void *arg)
{
	watch *w = arg;
	if (sse_now_ms() - w->fetched_ms > REFRESH_MS)
		(void)fetch(w);
	return !w->over;
}

/* One stream after another until it is over, asking in between, so that a daemon without a free stream
 * is polled instead. */
static ctl_exit follow(watch *w)
{
	sse stream = {.event = on_event, .alive = on_alive, .arg = w, .contact_ms = sse_now_ms()};
	ctl_exit rc = CTL_OK;
	while (!w->over && !ctl_interrupted) {
		client_answer a;
		w->fetched_ms = 0; /* the first bytes ask again: it may end before the stream is open */
		sse_stream(w->c->client, &stream, "/api/v1/events", &a);
		client_answer_free(&a);
		if (w->over || ctl_interrupted)
			break;
		sse_wait();
		session_refresh(w->c->session);
		if (fetch(w)) {
			stream.contact_ms = sse_now_ms();
		} else if (!w->over && sse_now_ms() - stream.contact_ms > SSE_PATIENCE_MS) {
			client_report(w->side, &w->answer);
			rc = w->answer.exit;
			break;
		}
	}
	sse_free(&stream);
	return rc;
}

ctl_exit watch_experiment(ctl *c, const char *id)
{
	watch w = {.c = c, .id = id, .result = CTL_OK};
	w.out = c->format == FORMAT_TABLE ? stdout : stderr;
	w.side = client_new(c->session, FETCH_SECONDS);
	ctl_exit rc = CTL_OK;
	if (!fetch(&w) && !w.over) { /* not reached even once */
		client_report(w.side, &w.answer);
		rc = w.answer.exit;
	} else {
		rc = follow(&w);
	}
	if (ctl_interrupted) {
		rc = CTL_INTERRUPTED;
		ctl_note("the experiment goes on; tpldctl experiment cancel %s would end it", id);
	} else if (rc == CTL_OK) {
		rc = w.result;
		if (w.over && w.answer.status == 200) {
			ctl_exit shown = experiment_print(c, &w.answer);
			rc = rc == CTL_OK ? shown : rc;
		}
	}
	client_answer_free(&w.answer);
	client_free(w.side);
	return rc;
}
