#include "watch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "records.h"
#include "runs.h"
#include "sse.h"

enum {
	TTY_MS = 200,
	PLAIN_MS = 5000,    /* between lines while only numbers move */
	FETCH_SECONDS = 30,
	REFRESH_MS = 10000, /* events could be lost; the run itself is the truth */
};

typedef struct watch {
	ctl *c;
	const char *id;
	client *side;         /* asks for the run while the stream is open */
	client_answer answer; /* the newest GET of the run */
	json_t *run;
	FILE *out;
	bool no_wait, tty, line_open, over;
	ctl_exit result;
	int64_t fetched_ms, shown_ms;
	char shown[160]; /* what the last plain line was about */
} watch;

static void add(char *to, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void add(char *to, size_t size, const char *fmt, ...)
{
	size_t used = strlen(to);
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(to + used, size - used, fmt, ap);
	va_end(ap);
}

/* "  label VALUE" when there is one. */
static void add_value(char *to, size_t size, const char *label, const json_t *v, column_kind kind)
{
	char text[64];
	if (v == NULL || json_is_null(v))
		return;
	value_text(v, kind, text, sizeof text);
	add(to, size, "  %s%s", label, text);
}

void watch_line(const json_t *run, char *to, size_t size)
{
	const json_t *steps = json_object_get(run, "steps_total");
	to[0] = 0;
	add(to, size, "run %lld %s  %s", (long long)json_integer_value(json_object_get(run, "id")),
	    text_at(run, "name", ""), text_at(run, "state", "?"));
	add_value(to, size, "round ", json_object_get(run, "round"), COLUMN_NUMBER);
	if (json_is_integer(json_object_get(run, "round")))
		add(to, size, " of %lld",
		    (long long)json_integer_value(json_object_get(run, "rounds_total")));
	add_value(to, size, "", json_object_get(run, "phase"), COLUMN_TEXT);
	if (json_integer_value(steps) > 0)
		add(to, size, "  step %lld/%lld",
		    (long long)json_integer_value(json_object_get(run, "step")),
		    (long long)json_integer_value(steps));
	add_value(to, size, "loss ", json_object_get(run, "loss"), COLUMN_NUMBER);
	add_value(to, size, "mIoU ", value_at(run, "miou.current"), COLUMN_PERCENT);
	add_value(to, size, "", json_object_get(run, "progress"), COLUMN_PERCENT);
	add_value(to, size, "ETA ", json_object_get(run, "eta_seconds"), COLUMN_SECONDS);
	for (char *p = to; *p != 0; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			*p = '?';
}

/* Leaves the refreshed line standing, before anything else is printed. */
static void close_line(watch *w)
{
	if (w->line_open)
		(void)fputc('\n', w->out);
	w->line_open = false;
	(void)fflush(w->out);
}

static size_t terminal_width(int fd)
{
	struct winsize s;
	return ioctl(fd, TIOCGWINSZ, &s) == 0 && s.ws_col > 1 ? s.ws_col : 80;
}

/* Cut at the terminal's edge: a line that wraps cannot be refreshed. */
static void show_refreshed(watch *w, char *line)
{
	size_t room = terminal_width(fileno(w->out)) - 1, n = 0;
	for (char *p = line; *p != 0; p++) {
		n += ((unsigned char)*p & 0xc0) != 0x80;
		if (n > room) {
			*p = 0;
			break;
		}
	}
	(void)fprintf(w->out, "\r%s\033[K", line);
	w->line_open = true;
}

static void show(watch *w, const char *note)
{
	char line[512], about[160];
	char round[32];
	value_plain(json_object_get(w->run, "round"), COLUMN_NUMBER, round, sizeof round);
	(void)snprintf(about, sizeof about, "%s %s %s %s", text_at(w->run, "state", ""),
	               text_at(w->run, "phase", ""), round, note);
	int64_t now = sse_now_ms();
	bool news = strcmp(about, w->shown) != 0;
	if (!news && now - w->shown_ms < (w->tty ? TTY_MS : PLAIN_MS))
		return;
	watch_line(w->run, line, sizeof line);
	add(line, sizeof line, "%s", note);
	if (w->tty)
		show_refreshed(w, line);
	else
		(void)fprintf(w->out, "%s\n", line);
	(void)fflush(w->out);
	memcpy(w->shown, about, sizeof about);
	w->shown_ms = now;
}

/* Ends the watching when the run's state says so. */
static void judge(watch *w)
{
	const char *state = text_at(w->run, "state", "");
	w->over = true;
	if (strcmp(state, "completed") == 0)
		w->result = CTL_OK;
	else if (strcmp(state, "failed") == 0 || strcmp(state, "cancelled") == 0)
		w->result = CTL_FAILED;
	else if (w->no_wait && strcmp(state, "paused") == 0)
		w->result = CTL_CONFLICT;
	else
		w->over = false;
}

/* Asks for the run. False: no answer now; the failure is in w->answer. A failure that will stay
 * ends the watching and is reported. */
static bool fetch(watch *w)
{
	char path[64];
	(void)snprintf(path, sizeof path, "/api/v1/runs/%s", w->id);
	const client_call call = {.method = "GET", .path = path};
	client_answer_free(&w->answer);
	w->fetched_ms = sse_now_ms();
	if (client_perform(w->side, &call, &w->answer) != CTL_OK) {
		if (!sse_is_passing(&w->answer)) {
			close_line(w);
			client_report(w->side, &w->answer);
			w->over = true;
			w->result = w->answer.exit;
		}
		return false;
	}
	json_decref(w->run);
	w->run = client_answer_json(&w->answer);
	judge(w);
	show(w, "");
	return true;
}

/* Progress events hold the run's own members; anything else means: look again. */
static bool on_event(void *arg, const char *type, const char *data)
{
	watch *w = arg;
	if (strcmp(type, "run.progress") == 0) {
		json_t *p = json_loads(data, 0, NULL);
		(void)json_object_update_existing(w->run, p);
		json_decref(p);
		show(w, "");
		return true;
	}
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

static void report_result(watch *w)
{
	const char *state = text_at(w->run, "state", "?"), *error = text_at(w->run, "error", NULL);
	if (w->c->format != FORMAT_TABLE) {
		if (w->answer.status == 200)
			(void)run_print(w->c, &w->answer);
	} else {
		char line[400];
		(void)snprintf(line, sizeof line, "run %s is %s", w->id, state);
		add_value(line, sizeof line, "after ", json_object_get(w->run, "seconds"),
		          COLUMN_SECONDS);
		add_value(line, sizeof line, "mIoU source only ",
		          value_at(w->run, "miou.source_only"), COLUMN_PERCENT);
		add_value(line, sizeof line, "now ", value_at(w->run, "miou.current"),
		          COLUMN_PERCENT);
		add_value(line, sizeof line, "best ", value_at(w->run, "miou.best"),
		          COLUMN_PERCENT);
		(void)printf("%s\n", line);
	}
	if (error != NULL && w->result != CTL_OK)
		ctl_error("run %s: %s", w->id, error);
}

/* One stream after another until the run is over. Between two of them the run is asked for, so that
 * a daemon without a free stream is polled instead. */
static ctl_exit follow(watch *w)
{
	char path[64];
	(void)snprintf(path, sizeof path, "/api/v1/events?run=%s", w->id);
	sse stream = {.event = on_event, .alive = on_alive, .arg = w, .contact_ms = sse_now_ms()};
	ctl_exit rc = CTL_OK;
	while (!w->over && !ctl_interrupted) {
		client_answer a;
		w->fetched_ms = 0; /* the first bytes ask again: something may happen before the
		                      stream is open */
		sse_stream(w->c->client, &stream, path, &a);
		client_answer_free(&a);
		if (w->over || ctl_interrupted)
			break;
		sse_wait();
		session_refresh(w->c->session);
		if (fetch(w)) {
			stream.contact_ms = sse_now_ms();
		} else if (!w->over && sse_now_ms() - stream.contact_ms > SSE_PATIENCE_MS) {
			close_line(w);
			client_report(w->side, &w->answer);
			rc = w->answer.exit;
			break;
		} else if (!w->over) {
			show(w, "  (waiting for the daemon)");
		}
	}
	sse_free(&stream);
	return rc;
}

ctl_exit watch_run(ctl *c, const char *id, bool no_wait)
{
	watch w = {.c = c, .id = id, .no_wait = no_wait, .result = CTL_OK};
	w.out = c->format == FORMAT_TABLE ? stdout : stderr;
	w.tty = isatty(fileno(w.out));
	w.side = client_new(c->session, FETCH_SECONDS);
	ctl_exit rc = CTL_OK;
	if (!fetch(&w) && !w.over) { /* not reached even once */
		client_report(w.side, &w.answer);
		rc = w.answer.exit;
	} else {
		rc = follow(&w);
	}
	close_line(&w);
	if (ctl_interrupted) {
		rc = CTL_INTERRUPTED;
		ctl_note("the run goes on; tpldctl run cancel %s would end it", id);
	} else if (rc == CTL_OK) {
		rc = w.result;
		if (w.run != NULL && w.over && w.answer.status == 200)
			report_result(&w);
	}
	json_decref(w.run);
	client_answer_free(&w.answer);
	client_free(w.side);
	return rc;
}
