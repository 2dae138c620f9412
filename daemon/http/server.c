#include "http/server.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "config/run_config.h"
#include "http/connection.h"
#include "http/json_out.h"
#include "http/openapi.h"

enum {
	CONNECTION_MEMORY = 32 << 10, /* larger headers are refused with 431 */
	CONNECTION_TIMEOUT_S = 10,
	DRAIN_MS = 2000,
	HANDLES = 5,
};

uint64_t server_now_ms(void)
{
	return uv_hrtime() / 1000000;
}

static void on_mhd_timer(uv_timer_t *t)
{
	server_run_mhd(t->data);
}

void server_run_mhd(http_server *s)
{
	if (s->mhd == NULL)
		return;
	(void)MHD_run(s->mhd);
	MHD_UNSIGNED_LONG_LONG ms;
	if (MHD_get_timeout(s->mhd, &ms) == MHD_YES)
		(void)uv_timer_start(&s->mhd_timer, on_mhd_timer, ms, 0);
	else
		(void)uv_timer_stop(&s->mhd_timer);
}

static void on_poll(uv_poll_t *p, int status, int events)
{
	(void)status;
	(void)events;
	server_run_mhd(p->data);
}

static void on_tick(uv_timer_t *t)
{
	http_server *s = t->data;
	uint64_t now = server_now_ms();
	connections_tick(s, now);
	event_hub_tick(s->events, now);
	server_run_mhd(s);
}

static void on_wake(uv_async_t *a)
{
	http_server *s = a->data;
	if (!s->stopping)
		event_hub_wake(s->events);
}

void http_server_wake(http_server *s)
{
	(void)uv_async_send(&s->wake);
}

/* ---- creation ---- */

/* Uploads that a crash left behind. */
static tp_status clean_uploads(int dirfd, tp_err *err)
{
	tp_status st = file_remove_tree(dirfd, "tmp", err);
	if (st == TP_OK && mkdirat(dirfd, "tmp", 0700) != 0)
		st = tp_fail(err, TP_IO, errno, "cannot create the folder tmp for uploads");
	return st;
}

static tp_status listen_on(const char *host, uint16_t port, int *ret_fd, uint16_t *ret_port,
                           tp_err *err)
{
	char service[8];
	(void)snprintf(service, sizeof service, "%u", port);
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
	                         .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	struct addrinfo *found = NULL;
	int rc = getaddrinfo(host, service, &hints, &found);
	if (rc != 0)
		return tp_fail(err, TP_INVALID, 0, "cannot listen on %s: %s", host,
		               gai_strerror(rc));
	int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1;
	bool ok = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
	          bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0;
	int sys = errno;
	freeaddrinfo(found);
	struct sockaddr_storage bound;
	socklen_t size = sizeof bound;
	if (ok && getsockname(fd, (struct sockaddr *)&bound, &size) != 0) {
		ok = false;
		sys = errno;
	}
	char number[8];
	if (ok && getnameinfo((struct sockaddr *)&bound, size, NULL, 0, number, sizeof number,
	                      NI_NUMERICSERV) != 0) {
		ok = false;
		sys = EINVAL;
	}
	if (!ok) {
		if (fd >= 0)
			(void)close(fd);
		bool v6 = strchr(host, ':') != NULL;
		return tp_fail(err, TP_IO, sys, "cannot listen on %s%s%s:%u%s", v6 ? "[" : "", host,
		               v6 ? "]" : "", port,
		               sys == EADDRINUSE
		                       ? " (another program, or another tpldd, has the port)"
		                       : "");
	}
	*ret_fd = fd;
	*ret_port = (uint16_t)strtoul(number, NULL, 10);
	return TP_OK;
}

static void name_addresses(http_server *s)
{
	const char *host = s->deps.config->host;
	bool v6 = strchr(host, ':') != NULL;
	(void)snprintf(s->bound_host, sizeof s->bound_host, v6 ? "[%s]:%u" : "%s:%u", host,
	               s->port);
	/* What a client on this machine can use, also when bound to every address. */
	if (strcmp(host, "0.0.0.0") == 0 || host[0] == 0)
		(void)snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u", s->port);
	else if (strcmp(host, "::") == 0)
		(void)snprintf(s->url, sizeof s->url, "http://[::1]:%u", s->port);
	else
		(void)snprintf(s->url, sizeof s->url, "http://%s", s->bound_host);
}

static tp_status prepare_texts(http_server *s, tp_err *err)
{
	json_t *api = openapi_json(s->deps.version), *schema = run_config_schema();
	s->openapi = api != NULL ? json_text(api, &s->openapi_size) : NULL;
	s->run_schema = schema != NULL ? json_text(schema, &s->run_schema_size) : NULL;
	json_decref(api);
	json_decref(schema);
	if (s->openapi == NULL || s->run_schema == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory for the API description");
	return TP_OK;
}

static tp_status start_mhd(http_server *s, int listen_fd, tp_err *err)
{
	size_t limit = s->deps.config->max_connections;
	s->mhd = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC, 0, NULL,
	                          NULL, connection_request, s, MHD_OPTION_LISTEN_SOCKET, listen_fd,
	                          MHD_OPTION_CONNECTION_LIMIT, (unsigned)(limit > 0 ? limit : 64),
	                          MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_TIMEOUT_S,
	                          MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
	                          MHD_OPTION_URI_LOG_CALLBACK, connection_request_line, s,
	                          MHD_OPTION_UNESCAPE_CALLBACK, connection_keep_escapes, s,
	                          MHD_OPTION_NOTIFY_CONNECTION, connection_notify, s,
	                          MHD_OPTION_NOTIFY_COMPLETED, connection_completed, s,
	                          MHD_OPTION_END);
	if (s->mhd == NULL) {
		(void)close(listen_fd);
		return tp_fail(err, TP_IO, errno, "cannot start the HTTP server");
	}
	return TP_OK;
}

static tp_status start_loop(http_server *s, tp_err *err)
{
	int fd = MHD_get_daemon_info(s->mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	if (uv_poll_init(s->loop, &s->poll, fd) != 0)
		return tp_fail(err, TP_IO, 0, "cannot watch the HTTP server's sockets");
	s->handles++;
	if (uv_async_init(s->loop, &s->wake, on_wake) != 0)
		return tp_fail(err, TP_IO, 0, "cannot make a wake-up handle");
	s->handles++;
	(void)uv_timer_init(s->loop, &s->mhd_timer); /* timers cannot fail */
	s->handles++;
	(void)uv_timer_init(s->loop, &s->tick);
	s->handles++;
	(void)uv_timer_init(s->loop, &s->look);
	s->handles++;
	s->poll.data = s->wake.data = s->mhd_timer.data = s->tick.data = s->look.data = s;
	(void)uv_timer_start(&s->tick, on_tick, 1000, 1000);
	if (uv_poll_start(&s->poll, UV_READABLE, on_poll) != 0)
		return tp_fail(err, TP_IO, 0, "cannot watch the HTTP server's sockets");
	server_run_mhd(s);
	return TP_OK;
}

tp_status http_server_create(uv_loop_t *loop, const http_deps *deps, http_server **ret, tp_err *err)
{
	http_server *s = calloc(1, sizeof *s);
	if (s == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory for the HTTP server");
	s->deps = *deps;
	s->loop = loop;
	s->start_ms = server_now_ms();
	s->start_wall_ms = (int64_t)time(NULL) * 1000;
	int fd = -1;
	tp_status st = TP_OK;
	if (getrandom(&s->id_prefix, sizeof s->id_prefix, 0) != sizeof s->id_prefix)
		st = tp_fail(err, TP_IO, errno, "cannot get random bytes");
	s->events = event_hub_new(s);
	if (st == TP_OK && s->events == NULL)
		st = tp_fail(err, TP_NOMEM, 0, "out of memory for the HTTP server");
	if (st == TP_OK)
		st = token_load(deps->state_dirfd, &s->token, err);
	if (st == TP_OK)
		st = clean_uploads(deps->state_dirfd, err);
	if (st == TP_OK)
		st = static_files_load(deps->config->web_dir, &s->files, err);
	if (st == TP_OK)
		st = prepare_texts(s, err);
	if (st == TP_OK)
		st = listen_on(deps->config->host, deps->config->port, &fd, &s->port, err);
	if (st == TP_OK) {
		name_addresses(s);
		st = start_mhd(s, fd, err);
	}
	if (st == TP_OK)
		st = start_loop(s, err);
	if (st != TP_OK) {
		http_server_free(s);
		return st;
	}
	*ret = s;
	return TP_OK;
}

uint16_t http_server_port(const http_server *s)
{
	return s->port;
}

const char *http_server_url(const http_server *s)
{
	return s->url;
}

/* ---- stopping ---- */

static void on_drain_tick(uv_timer_t *t)
{
	server_run_mhd(t->data);
}

void http_server_stop(http_server *s)
{
	if (s->stopped)
		return;
	s->stopped = s->stopping = true;
	if (s->mhd != NULL && s->handles == HANDLES) {
		int fd = MHD_quiesce_daemon(s->mhd);
		if (fd >= 0)
			(void)close(fd);
		jobs_drop(&s->jobs);
		event_hub_close(s->events);
		/* The tick bounds each turn of the loop below. */
		(void)uv_timer_start(&s->tick, on_drain_tick, 20, 20);
		server_run_mhd(s);
		for (uint64_t end = server_now_ms() + DRAIN_MS;
		     s->active > 0 && server_now_ms() < end;)
			(void)uv_run(s->loop, UV_RUN_ONCE);
		/* libmicrohttpd must not be stopped while a connection is suspended. */
		connections_abandon(s);
		for (int i = 0; i < 3; i++)
			server_run_mhd(s);
		(void)uv_poll_stop(&s->poll);
	}
	if (s->mhd != NULL)
		MHD_stop_daemon(s->mhd);
	s->mhd = NULL;
	while (s->jobs.running > 0 || event_hub_busy(s->events))
		(void)uv_run(s->loop, UV_RUN_ONCE);
}

static void on_closed(uv_handle_t *h)
{
	((http_server *)h->data)->handles--;
}

void http_server_free(http_server *s)
{
	if (s == NULL)
		return;
	if (s->events != NULL)
		http_server_stop(s);
	/* Handles were opened in this order; a half-made server has the first few. */
	uv_handle_t *handle[HANDLES] = {(uv_handle_t *)&s->poll, (uv_handle_t *)&s->wake,
	                                (uv_handle_t *)&s->mhd_timer, (uv_handle_t *)&s->tick,
	                                (uv_handle_t *)&s->look};
	for (size_t i = 0, open = s->handles; i < open; i++) {
		handle[i]->data = s;
		uv_close(handle[i], on_closed);
	}
	while (s->handles > 0)
		(void)uv_run(s->loop, UV_RUN_ONCE);
	event_hub_free(s->events);
	static_files_free(s->files);
	free(s->openapi);
	free(s->run_schema);
	explicit_bzero(&s->token, sizeof s->token);
	free(s);
}
