#include "http/connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/guard.h"
#include "http/router.h"

enum {
	HEADER_MS = 15 * 1000, /* from the connection or the last answer to the last header */
	IDLE_MS = 10 * 1000, /* between requests */
	TRANSFER_MS = 30 * 1000, /* for a body or an answer, plus its size at the slowest rate: */
	TRANSFER_BYTES_PER_MS = 16,
	DRAIN_BYTES = 1 << 20, /* of a refused body, read so that the client sees the answer */
};

struct connection {
	http_server *server;
	struct MHD_Connection *mhd;
	int fd;
	uint64_t deadline_ms;
	request *request; /* the current one, or NULL */
	struct connection *previous, *next;
};

static struct connection *connection_of(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *i =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	return i != NULL ? i->socket_context : NULL;
}

static void set_deadline(struct MHD_Connection *c, uint64_t at_ms)
{
	struct connection *k = connection_of(c);
	if (k != NULL)
		k->deadline_ms = at_ms;
}

static uint64_t transfer_ms(uint64_t bytes)
{
	return TRANSFER_MS + bytes / TRANSFER_BYTES_PER_MS;
}

static void forget_request(struct connection *k)
{
	if (k->request->stage != REQUEST_LINE)
		k->server->active--;
	request_unref(k->request);
	k->request = NULL;
}

void connection_notify(void *server, struct MHD_Connection *c, void **context,
                       enum MHD_ConnectionNotificationCode code)
{
	http_server *s = server;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		struct connection *k = calloc(1, sizeof *k);
		*context = k;
		if (k == NULL)
			return; /* its requests are refused */
		k->server = s;
		k->mhd = c;
		k->fd = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
		k->deadline_ms = server_now_ms() + HEADER_MS;
		k->next = s->connections;
		if (k->next != NULL)
			k->next->previous = k;
		s->connections = k;
		return;
	}
	struct connection *k = *context;
	if (k == NULL)
		return;
	if (k->request != NULL)
		forget_request(k); /* it ended before its last header: never completed */
	if (k->previous != NULL)
		k->previous->next = k->next;
	else
		s->connections = k->next;
	if (k->next != NULL)
		k->next->previous = k->previous;
	free(k);
	*context = NULL;
}

void *connection_request_line(void *server, const char *target, struct MHD_Connection *c)
{
	http_server *s = server;
	struct connection *k = connection_of(c);
	request *r = k != NULL ? request_new(s, target) : NULL;
	if (r == NULL)
		return NULL;
	r->raw_at = target;
	r->connection = c;
	k->request = r;
	return r;
}

void connection_completed(void *server, struct MHD_Connection *c, void **context,
                          enum MHD_RequestTerminationCode code)
{
	(void)code;
	http_server *s = server;
	request *r = *context;
	struct connection *k = connection_of(c);
	*context = NULL;
	if (r == NULL)
		return; /* there was no memory for it */
	k->deadline_ms = server_now_ms() + IDLE_MS + HEADER_MS;
	if (r->stage == REQUEST_QUEUED) {
		size_t count;
		size_t row = r->route != NULL ? (size_t)(r->route - route_table(&count)) + 1 : 0;
		atomic_fetch_add(&s->counters.seconds_us[row],
		                 (server_now_ms() - r->started_ms) * 1000);
	}
	forget_request(k);
}

size_t connection_keep_escapes(void *server, struct MHD_Connection *c, char *s)
{
	(void)server;
	(void)c;
	return strlen(s);
}

static enum MHD_Result each_header(void *arg, enum MHD_ValueKind kind, const char *name,
                                   size_t name_size, const char *value, size_t value_size)
{
	(void)kind;
	guard_header(arg, name, name_size, value, value_size);
	return MHD_YES;
}

/* A copy of a header; false when out of memory. */
static bool keep(struct MHD_Connection *c, const char *name, char **ret)
{
	const char *v = MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);
	return v == NULL || (*ret = strdup(v)) != NULL;
}

static bool keep_headers(request *r, struct MHD_Connection *c)
{
	if (keep(c, "Accept", &r->accept) && keep(c, "If-None-Match", &r->if_none_match) &&
	    keep(c, "Range", &r->range) && keep(c, "Last-Event-ID", &r->last_event_id) &&
	    keep(c, "Content-Type", &r->content_type))
		return true;
	respond_problem(r, 503, "out-of-memory", NULL, "out of memory");
	return false;
}

static bool parse_method(request *r, const char *method)
{
	static const char *const names[HTTP_METHODS] = {"GET", "POST", "DELETE"};
	r->head = strcmp(method, "HEAD") == 0;
	for (size_t i = 0; i < HTTP_METHODS; i++)
		if (strcmp(r->head ? "GET" : method, names[i]) == 0) {
			r->method = (http_method)i;
			return true;
		}
	r->method = HTTP_METHODS; /* router_match then answers 404 or 405 */
	return true;
}

/* The target as received ended at a NUL that libmicrohttpd took for its end: the version string,
 * which lies right behind the target, shows where it really ended. */
static bool holds_nul(const request *r, const char *version)
{
	return version <= r->raw_at || (size_t)(version - r->raw_at) != strlen(r->raw) + 1;
}

static void respond_static_file(request *r, const static_file *f)
{
	if (respond_not_modified(r, f->etag, "no-cache"))
		return;
	respond_static(r, f->type, "no-cache", f->data, f->size);
	response_header(r, "ETag", "\"%s\"", f->etag);
}

/* Everything that is decided before a body is read. Leaves answer empty when the handler runs. */
static void decide(request *r, const guard_headers *g, const char *version)
{
	if (!guard_framing(r, g, version))
		return;
	if (holds_nul(r, version)) {
		respond_problem(r, 400, "bad-target", NULL, "the request target holds a NUL");
		r->answer.close = true;
		return;
	}
	if (!guard_target(r) || !guard_host(r, g))
		return;
	bool private = strncmp(r->path, "/api", 4) == 0 || strcmp(r->path, "/metrics") == 0;
	const static_file *f = private ? NULL : static_files_find(r->server->files, r->path);
	if (f != NULL && r->method == HTTP_GET && r->announced == 0) {
		respond_static_file(r, f);
		return;
	}
	if (f != NULL) {
		respond_problem(r, 405, "method-not-allowed", NULL, "this path knows GET, HEAD");
		response_header(r, "Allow", "GET, HEAD");
		return;
	}
	if (private && (!guard_origin(r, g) || !guard_token(r, g, server_now_ms())))
		return;
	if (!router_match(r) || !router_check_query(r) || !router_check_body(r))
		return;
	if (r->announced != 0) {
		tp_err err = {0};
		tp_status st = request_body_open(r, &err);
		if (st != TP_OK)
			respond_error(r, st, &err);
	}
}

/* Client bytes into a log line. */
static void log_answer(const request *r)
{
	const http_deps *d = &r->server->deps;
	int status = r->answer.status;
	if (d->log == NULL ||
	    (status < 500 && status != 401 && status != 403 && status != 421 && status != 429))
		return;
	char line[300], path[120];
	(void)snprintf(path, sizeof path, "%s", r->path != NULL ? r->path : r->raw);
	for (char *p = path; *p != 0; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 127)
			*p = '?';
	(void)snprintf(line, sizeof line, "http: request %s %s -> %d", r->id, path, status);
	d->log(d->log_arg, line);
}

static enum MHD_Result queue(request *r, struct MHD_Connection *c)
{
	http_server *s = r->server;
	if (r->answer.status == 0 && s->stopping) { /* it was still waiting in line */
		respond_problem(r, 503, "stopping", NULL, "the daemon is stopping");
		r->answer.close = true;
	}
	enum MHD_Result ok = (enum MHD_Result)response_queue(r, c);
	r->stage = REQUEST_QUEUED;
	const response *a = &r->answer;
	size_t count;
	size_t row = r->route != NULL ? (size_t)(r->route - route_table(&count)) + 1 : 0;
	atomic_fetch_add(&s->counters.request[row][(a->status - 100) & (COUNTER_CODES - 1)], 1);
	set_deadline(c,
	             a->stream ? UINT64_MAX : server_now_ms() + transfer_ms(a->size + a->length));
	log_answer(r);
	return ok;
}

static void answered(request *r)
{
	if (r->stage == REQUEST_ABANDONED)
		return;
	r->stage = REQUEST_ANSWERED;
	MHD_resume_connection(r->connection);
	server_run_mhd(r->server);
}

static enum MHD_Result dispatch(request *r, struct MHD_Connection *c)
{
	http_server *s = r->server;
	if (r->body_fd >= 0) {
		if (close(r->body_fd) != 0 && r->answer.status == 0)
			respond_problem(r, 500, "internal", NULL, "the upload could not be stored");
		r->body_fd = -1;
	}
	if (r->answer.status != 0)
		return queue(r, c);
	if (s->stopping)
		return queue(r, c);
	if (!(r->route->flags & ROUTE_WORKER)) {
		r->route->handler(r);
		return queue(r, c);
	}
	/* A suspended connection has no timeout and does not notice that its client left: fine for
	 * as long as a handler runs. */
	MHD_suspend_connection(c);
	r->stage = REQUEST_RUNNING;
	set_deadline(c, UINT64_MAX);
	if (!jobs_start(&s->jobs, s->loop, r, answered)) {
		respond_problem(r, 503, "busy", NULL, "too many long requests are waiting");
		response_header(r, "Retry-After", "10");
		r->stage = REQUEST_ANSWERED;
		MHD_resume_connection(c);
	}
	return MHD_YES;
}

static enum MHD_Result begin(request *r, struct MHD_Connection *c, const char *method,
                             const char *version)
{
	guard_headers g = {0};
	r->server->active++;
	(void)MHD_get_connection_values_n(c, MHD_HEADER_KIND, each_header, &g);
	if (parse_method(r, method) && keep_headers(r, c))
		decide(r, &g, version);
	r->stage = REQUEST_BODY;
	uint64_t now = server_now_ms();
	set_deadline(c, now + transfer_ms(0));
	if (r->answer.status == 0 || r->announced == 0) {
		/* Queued at the next call: before it, libmicrohttpd would close the connection
		 * after a POST's answer. */
		if (r->answer.close)
			return queue(r, c);
		return MHD_YES;
	}
	/* A refused body. Small ones are read to the end, because closing with unread bytes resets
	 * the connection and the client may never see why. */
	bool read_on = !r->answer.close && g.expect == NULL &&
	               (r->announced == UINT64_MAX || r->announced <= DRAIN_BYTES);
	if (read_on)
		return MHD_YES;
	r->answer.close = true;
	return queue(r, c);
}

static enum MHD_Result take_body(request *r, struct MHD_Connection *c, const char *data,
                                 size_t *size)
{
	if (r->answer.status == 0) {
		tp_err err = {0};
		tp_status st = request_body_add(r, data, *size, &err);
		if (st == TP_INVALID)
			respond_problem(r, 413, "body-too-large", NULL, "%s", err.text);
		else if (st != TP_OK)
			respond_error(r, st, &err);
	}
	r->received += *size;
	*size = 0;
	set_deadline(c, r->started_ms + transfer_ms(r->received));
	uint64_t limit =
		r->route != NULL ? (uint64_t)r->route->body_max + DRAIN_BYTES : DRAIN_BYTES;
	return r->received > limit ? MHD_NO : MHD_YES;
}

enum MHD_Result connection_request(void *server, struct MHD_Connection *c, const char *url,
                                   const char *method, const char *version, const char *data,
                                   size_t *size, void **context)
{
	(void)server;
	(void)url; /* the raw target is parsed by ourselves */
	request *r = *context;
	if (r == NULL)
		return MHD_NO; /* no memory for it */
	switch (r->stage) {
	case REQUEST_LINE:
		return begin(r, c, method, version);
	case REQUEST_BODY:
		return *size > 0 ? take_body(r, c, data, size) : dispatch(r, c);
	case REQUEST_ANSWERED:
		return queue(r, c);
	case REQUEST_RUNNING:
	case REQUEST_QUEUED:
	case REQUEST_ABANDONED:
		break;
	}
	return MHD_NO;
}

void connections_tick(http_server *s, uint64_t now_ms)
{
	for (struct connection *k = s->connections; k != NULL; k = k->next)
		if (now_ms > k->deadline_ms) {
			/* libmicrohttpd then reads the end of the stream and cleans up. */
			(void)shutdown(k->fd, SHUT_RDWR);
			k->deadline_ms = UINT64_MAX;
		}
}

void connections_abandon(http_server *s)
{
	for (struct connection *k = s->connections; k != NULL; k = k->next)
		if (k->request != NULL && k->request->stage == REQUEST_RUNNING) {
			k->request->stage = REQUEST_ABANDONED;
			MHD_resume_connection(k->mhd);
		}
}
