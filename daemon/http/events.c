#include "http/events.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "http/json_out.h"
#include "http/row_json.h"
#include "http/server_private.h"

enum {
	BATCH = 200, /* events read at once for one stream */
	ROOM = 64 << 10, /* a stream with more unsent bytes is left alone */
	PING_MS = 15 * 1000,
	PASS_MS = 100, /* between two looks into the store */
	PROGRESS_MS = 500,
};

typedef struct event_stream {
	event_hub *hub;
	struct MHD_Connection *connection;
	uint64_t serial;
	int64_t run, cursor;
	bool greeted; /* the cursor was checked against the newest event */
	bool behind; /* left out of a pass because it was full: look again when it has drained */
	bool suspended, ended;
	char *text; /* unsent: text[sent..size) */
	size_t size, sent, room;
	uint64_t written_ms;
	struct event_stream *next;
} event_stream;

/* What a pass asks for one stream, and what it gets. */
typedef struct ask {
	uint64_t serial;
	int64_t run, after;
	bool reset; /* `after` was beyond the newest event: another database */
	event_row *row;
	size_t rows;
} ask;

struct event_hub {
	struct http_server *server;
	event_stream *streams;
	size_t count;
	uint64_t serial;
	bool again, closed;
	uint64_t passed_ms, progress_ms, last_progress_sum;
	/* The pass on a worker. */
	uv_work_t work;
	bool busy, with_progress;
	ask ask[EVENT_STREAMS];
	size_t asks;
	json_t *progress; /* array of objects with "run" */
};

event_hub *event_hub_new(struct http_server *server)
{
	event_hub *h = calloc(1, sizeof *h);
	if (h != NULL) {
		h->server = server;
		h->work.data = h;
	}
	return h;
}

void event_hub_free(event_hub *h)
{
	free(h);
}

bool event_hub_busy(const event_hub *h)
{
	return h->busy;
}

size_t event_hub_streams(const event_hub *h)
{
	return h->count;
}

/* ---- streams ---- */

/* Resumes so that the reader below is called; the caller runs libmicrohttpd afterwards. */
static void stream_wake(event_stream *e)
{
	if (!e->suspended)
		return;
	e->suspended = false;
	MHD_resume_connection(e->connection);
}

static void stream_add(event_stream *e, const char *text, size_t size)
{
	if (e->sent == e->size)
		e->sent = e->size = 0;
	if (e->size + size > e->room) {
		size_t room = 2 * (e->size + size);
		char *grown = realloc(e->text, room);
		if (grown == NULL)
			return; /* the cursor still advances: a client sees the gap in the ids */
		e->text = grown;
		e->room = room;
	}
	memcpy(e->text + e->size, text, size);
	e->size += size;
	e->written_ms = server_now_ms();
	stream_wake(e);
}

static void stream_add_text(event_stream *e, const char *text)
{
	stream_add(e, text, strlen(text));
}

static ssize_t stream_read(void *cls, uint64_t position, char *to, size_t room)
{
	(void)position;
	event_stream *e = cls;
	size_t n = e->size - e->sent;
	if (n > 0) {
		n = n < room ? n : room;
		memcpy(to, e->text + e->sent, n);
		e->sent += n;
		if (e->sent == e->size && e->behind)
			event_hub_wake(e->hub);
		return (ssize_t)n;
	}
	if (e->ended)
		return MHD_CONTENT_READER_END_OF_STREAM;
	e->suspended = true;
	MHD_suspend_connection(e->connection);
	return 0;
}

static void stream_free(void *cls)
{
	event_stream *e = cls;
	event_hub *h = e->hub;
	for (event_stream **p = &h->streams; *p != NULL; p = &(*p)->next)
		if (*p == e) {
			*p = e->next;
			h->count--;
			break;
		}
	atomic_store(&h->server->counters.streams, (uint_least32_t)h->count);
	free(e->text);
	free(e);
}

struct MHD_Response *event_stream_open(event_hub *h, struct MHD_Connection *connection, int64_t run,
                                       int64_t after)
{
	event_stream *e = h->count < EVENT_STREAMS && !h->closed ? calloc(1, sizeof *e) : NULL;
	if (e == NULL)
		return NULL;
	*e = (event_stream){.hub = h,
	                    .connection = connection,
	                    .serial = ++h->serial,
	                    .run = run,
	                    .cursor = after};
	struct MHD_Response *m = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16 << 10,
	                                                           stream_read, e, stream_free);
	if (m == NULL) {
		free(e);
		return NULL;
	}
	e->next = h->streams;
	h->streams = e;
	h->count++;
	atomic_store(&h->server->counters.streams, (uint_least32_t)h->count);
	stream_add_text(e, "retry: 3000\n\n");
	event_hub_wake(h);
	return m;
}

/* ---- passes ---- */

static void add_event(event_stream *e, int64_t id, const char *type, json_t *data)
{
	size_t size = 0;
	char *json = json_text(data, &size), *text = NULL;
	int n = -1;
	if (json != NULL && id > 0)
		n = asprintf(&text, "id: %lld\nevent: %s\ndata: %s\n\n", (long long)id, type, json);
	else if (json != NULL)
		n = asprintf(&text, "event: %s\ndata: %s\n\n", type, json);
	if (n > 0) {
		stream_add(e, text, (size_t)n);
		free(text);
	}
	free(json);
}

static void read_store(uv_work_t *work)
{
	event_hub *h = work->data;
	store *s = h->server->deps.store;
	for (size_t i = 0; i < h->asks; i++) {
		ask *a = &h->ask[i];
		tp_err err = {0};
		int64_t newest;
		/* Errors leave the stream where it is; the next pass tries again. */
		if (a->reset) {
			a->reset = store_event_last(s, &newest, &err) == TP_OK && a->after > newest;
			if (a->reset)
				a->after = newest;
		}
		if (store_event_list(s, a->after, a->run, BATCH, &a->row, &a->rows, &err) !=
		    TP_OK) {
			a->row = NULL;
			a->rows = 0;
		}
	}
	h->progress = h->with_progress ? run_json_live(s, h->server->deps.scheduler) : NULL;
}

static event_stream *find(event_hub *h, uint64_t serial)
{
	for (event_stream *e = h->streams; e != NULL; e = e->next)
		if (e->serial == serial)
			return e;
	return NULL;
}

static void deliver(event_hub *h, event_stream *e, const ask *a)
{
	e->greeted = true;
	if (a->reset) {
		e->cursor = a->after;
		stream_add_text(e, "event: reset\ndata: {}\n\n");
	}
	for (size_t k = 0; k < a->rows; k++) {
		json_t *data = event_json(&a->row[k]);
		add_event(e, a->row[k].id, a->row[k].type, data);
		json_decref(data);
		e->cursor = a->row[k].id;
	}
	if (a->rows == BATCH)
		h->again = true;
}

static void send_progress(event_hub *h)
{
	size_t size = 0;
	char *text = json_text(h->progress, &size);
	uint64_t sum = text != NULL ? checksum64(0, text, size) : 0;
	free(text);
	if (sum == h->last_progress_sum)
		return; /* nothing moved */
	h->last_progress_sum = sum;
	size_t i;
	json_t *p;
	json_array_foreach(h->progress, i, p)
		for (event_stream *e = h->streams; e != NULL; e = e->next)
			if (e->sent == e->size &&
			    (e->run == 0 ||
			     e->run == json_integer_value(json_object_get(p, "run"))))
				add_event(e, 0, "run.progress", p);
}

static void pass_done(uv_work_t *work, int status)
{
	(void)status;
	event_hub *h = work->data;
	h->busy = false;
	if (h->progress != NULL && !h->closed)
		send_progress(h);
	json_decref(h->progress);
	h->progress = NULL;
	for (size_t i = 0; i < h->asks; i++) {
		ask *a = &h->ask[i];
		event_stream *e = find(h, a->serial); /* it may have ended meanwhile */
		if (e != NULL && !h->closed)
			deliver(h, e, a);
		rows_done(a->row, a->rows, sizeof *a->row, (void (*)(void *))event_row_done);
	}
	h->asks = 0;
	server_run_mhd(h->server);
	if (h->again && !h->closed)
		event_hub_wake(h);
}

static void on_look(uv_timer_t *t)
{
	event_hub_wake(((http_server *)t->data)->events);
}

/* The earlier of several wishes stays. */
static void look_in(event_hub *h, uint64_t ms)
{
	uv_timer_t *t = &h->server->look;
	if (!uv_is_active((uv_handle_t *)t) || uv_timer_get_due_in(t) > ms)
		(void)uv_timer_start(t, on_look, ms, 0);
}

void event_hub_wake(event_hub *h)
{
	uint64_t now = server_now_ms();
	if (h->count == 0 || h->closed)
		return;
	if (h->busy) {
		h->again = true; /* at the end of the pass */
		return;
	}
	if (now - h->passed_ms < PASS_MS) {
		look_in(h, PASS_MS);
		return;
	}
	h->again = false;
	h->passed_ms = now;
	h->with_progress = now - h->progress_ms >= PROGRESS_MS;
	if (h->with_progress)
		h->progress_ms = now;
	else
		look_in(h, PROGRESS_MS);
	h->asks = 0;
	for (event_stream *e = h->streams; e != NULL; e = e->next) {
		e->behind = e->size - e->sent >= ROOM;
		if (!e->behind)
			h->ask[h->asks++] = (ask){.serial = e->serial,
			                          .run = e->run,
			                          .after = e->cursor,
			                          .reset = !e->greeted};
	}
	h->busy = uv_queue_work(h->server->loop, &h->work, read_store, pass_done) == 0;
}

void event_hub_tick(event_hub *h, uint64_t now_ms)
{
	for (event_stream *e = h->streams; e != NULL; e = e->next)
		if (now_ms - e->written_ms >= PING_MS && e->sent == e->size)
			stream_add_text(e, ": ping\n\n");
}

void event_hub_close(event_hub *h)
{
	h->closed = true;
	for (event_stream *e = h->streams; e != NULL; e = e->next) {
		stream_add_text(e, "event: server.shutdown\ndata: {}\n\n");
		e->ended = true;
		stream_wake(e);
	}
}
