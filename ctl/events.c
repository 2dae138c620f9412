/* events: what happened, as a list or as it happens. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "refs.h"
#include "show.h"
#include "sse.h"

static const column columns[] = {
	{"ID", "id", COLUMN_NUMBER},   {"TIME", "time", COLUMN_TIME}, {"RUN", "run", COLUMN_NUMBER},
	{"TYPE", "type", COLUMN_TEXT}, {"WHAT", "what", COLUMN_TEXT},
};

/* "from=running to=paused": the members that are not columns of their own. */
static void add_what(json_t *event)
{
	const char *key;
	json_t *v;
	buffer what = {0};
	buffer_add_text(&what, "");
	json_object_foreach(event, key, v) {
		char text[256];
		if (strcmp(key, "id") == 0 || strcmp(key, "time") == 0 || strcmp(key, "run") == 0 ||
		    strcmp(key, "type") == 0)
			continue;
		value_plain(v, COLUMN_TEXT, text, sizeof text);
		if (text[0] != 0)
			buffer_printf(&what, "%s%s=%s", what.size > 0 ? " " : "", key, text);
	}
	(void)json_object_set_new(event, "what", json_string(what.data));
	buffer_free(&what);
}

typedef struct following {
	ctl *c;
	sse *stream;
} following;

/* One line per event, whatever the format: a table cannot be aligned before its end is known. */
static bool print_event(void *arg, const char *type, const char *data)
{
	following *f = arg;
	json_t *e = json_loads(data, 0, NULL);
	if (!json_is_object(e)) {
		json_decref(e);
		return true;
	}
	/* Progress has no id: it is not kept. */
	if (strcmp(type, "run.progress") != 0 && f->stream->last_id[0] != 0)
		(void)json_object_set_new(e, "id", json_integer(atoll(f->stream->last_id)));
	(void)json_object_set_new(e, "type", json_string(type));
	if (f->c->format == FORMAT_JSON) {
		show_json(e);
	} else {
		add_what(e);
		for (size_t i = 0; i < COUNT_OF(columns); i++) {
			char text[1024];
			value_text(value_at(e, columns[i].key), columns[i].kind, text, sizeof text);
			(void)printf("%s%s", i > 0 ? "  " : "", text);
		}
		(void)fputc('\n', stdout);
	}
	(void)fflush(stdout);
	json_decref(e);
	return !ferror(stdout);
}

static ctl_exit follow(ctl *c, const char *path)
{
	sse stream = {.event = print_event, .contact_ms = sse_now_ms()};
	following f = {c, &stream};
	stream.arg = &f;
	ctl_exit rc = CTL_OK;
	while (rc == CTL_OK && !ctl_interrupted && !ferror(stdout)) {
		client_answer a;
		sse_stream(c->client, &stream, path, &a);
		if (!ctl_interrupted && !ferror(stdout) &&
		    (!sse_is_passing(&a) || sse_now_ms() - stream.contact_ms > SSE_PATIENCE_MS)) {
			client_report(c->client, &a);
			rc = a.exit != CTL_OK ? a.exit : CTL_UNREACHABLE;
		}
		client_answer_free(&a);
		if (rc == CTL_OK)
			sse_wait();
		session_refresh(c->session);
	}
	sse_free(&stream);
	return ctl_interrupted ? CTL_INTERRUPTED : rc;
}

ctl_exit server_events(ctl *c, const ctl_args *a)
{
	buffer path = {0};
	char run[REF_MAX] = "";
	ctl_exit rc = CTL_OK;
	if (args_has(a, "run"))
		rc = ref_resolve(c, REF_RUN, args_value(a, "run"), run);
	if (rc != CTL_OK)
		return rc;
	buffer_add_text(&path, "/api/v1/events");
	buffer_add_query(&path, "run", run[0] != 0 ? run : NULL);
	buffer_add_query(&path, "after", args_value(a, "after"));
	rc = args_has(a, "follow")
	             ? follow(c, path.data)
	             : show_list_of(c, a, path.data, columns, COUNT_OF(columns), add_what);
	buffer_free(&path);
	return rc;
}
