#include "sse.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "args.h"

enum {
	LINE_MAX_BYTES = 4 << 20,
	IDLE_SECONDS = 45, /* the server pings every 15 */
};

int64_t sse_now_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void sse_wait(void)
{
	for (int i = 0; i < 10 && !ctl_interrupted; i++) {
		const struct timespec tenth = {.tv_nsec = 100000000};
		(void)nanosleep(&tenth, NULL);
	}
}

bool sse_is_passing(const client_answer *a)
{
	return a->status == 0 ? a->exit == CTL_UNREACHABLE || a->exit == CTL_TIMEOUT
	                      : a->status == 503 || (a->status >= 200 && a->status < 300);
}

/* The value after "field:", without the one blank that may follow. NULL: another field. */
static const char *field(const char *line, const char *name)
{
	size_t n = strlen(name);
	if (strncmp(line, name, n) != 0 || (line[n] != ':' && line[n] != 0))
		return NULL;
	const char *v = line[n] == ':' ? line + n + 1 : line + n;
	return *v == ' ' ? v + 1 : v;
}

/* One line without its end. An empty one completes the event. */
static bool take_line(sse *s, const char *line)
{
	const char *v;
	if (line[0] == 0) {
		bool more = s->data.size == 0 ||
		            s->event(s->arg, s->type[0] != 0 ? s->type : "message", s->data.data);
		buffer_clear(&s->data);
		s->type[0] = 0;
		return more;
	}
	if ((v = field(line, "event")) != NULL)
		(void)snprintf(s->type, sizeof s->type, "%s", v);
	else if ((v = field(line, "id")) != NULL && args_is_number(v))
		(void)snprintf(s->last_id, sizeof s->last_id, "%s", v);
	else if ((v = field(line, "data")) != NULL) {
		if (s->data.size > 0)
			buffer_add(&s->data, "\n", 1);
		buffer_add_text(&s->data, v);
	}
	return true;
}

bool sse_feed(sse *s, const char *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (data[i] == '\r' || data[i] == 0)
			continue;
		if (data[i] != '\n') {
			if (s->line.size < LINE_MAX_BYTES)
				buffer_add(&s->line, &data[i], 1);
			continue;
		}
		buffer_add(&s->line, "", 0);
		bool more = take_line(s, s->line.data);
		buffer_clear(&s->line);
		if (!more)
			return false;
	}
	return true;
}

static bool on_bytes(void *arg, const char *data, size_t size)
{
	sse *s = arg;
	s->contact_ms = sse_now_ms();
	return sse_feed(s, data, size) && (s->alive == NULL || s->alive(s->arg));
}

void sse_stream(client *c, sse *s, const char *path, client_answer *ret)
{
	buffer_clear(&s->line);
	buffer_clear(&s->data);
	s->type[0] = 0;
	const client_call call = {.method = "GET",
	                          .path = path,
	                          .accept = "text/event-stream",
	                          .sink = on_bytes,
	                          .sink_arg = s,
	                          .last_event_id = s->last_id,
	                          .idle_s = IDLE_SECONDS};
	(void)client_perform(c, &call, ret);
}

void sse_free(sse *s)
{
	buffer_free(&s->line);
	buffer_free(&s->data);
}
