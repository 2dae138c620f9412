/* server: the HTTP face of the daemon. libmicrohttpd parses and writes, driven by the caller's
 * libuv loop through its epoll descriptor; it has no thread of its own.
 *
 * Threads: create, stop and free belong to the loop's thread, outside uv_run; http_server_wake may
 * be called from any thread while the server lives. Handlers that touch SQLite, pictures or
 * networks run on libuv's workers while their connection is suspended; the loop itself never waits
 * for them. */
#ifndef TPLDD_HTTP_SERVER_H
#define TPLDD_HTTP_SERVER_H

#include <stdint.h>
#include <uv.h>

#include "base/status.h"
#include "config/daemon_config.h"
#include "experiment/experiments.h"
#include "run/feature_map.h"
#include "run/scheduler.h"
#include "store/store.h"

typedef struct http_server http_server;

/* Called on the loop's thread for answers worth a line: status >= 500, refused tokens and hosts.
 * The line holds printable ASCII only and never a secret. */
typedef void http_log(void *arg, const char *line);

/* All borrowed until http_server_free returns. */
typedef struct http_deps {
	store *store;
	scheduler *scheduler;
	experiments *experiments;
	feature_maps *features;
	const daemon_config *config;
	int state_dirfd;     /* the open state directory */
	const char *version; /* "0.1.0" */
	http_log *log;       /* NULL: silent */
	void *log_arg;
} http_deps;

/* Reads or makes DIR/token, loads the static files of config->web_dir ("": none), binds
 * config->host:port (port 0: a free one) and serves as soon as the loop runs. TP_IO names the
 * address that is in use; TP_INVALID: the address means nothing, or the token file is unsafe. */
tp_status http_server_create(uv_loop_t *loop, const http_deps *deps, http_server **ret,
                             tp_err *err) TP_MUST_CHECK;
/* The port that was bound. */
uint16_t http_server_port(const http_server *s);
/* "http://127.0.0.1:8737": what belongs into DIR/endpoint. Lives as long as the server. */
const char *http_server_url(const http_server *s);
/* Events were added or progress moved: streams look again. Any thread. */
void http_server_wake(http_server *s);
/* Takes no more connections, ends event streams, lets running requests finish for at most 2 s, then
 * cuts them; returns when no worker uses store or scheduler any more. Runs the loop meanwhile. Feature maps must
 * have been stopped: the next one would take minutes. */
void http_server_stop(http_server *s);
/* Stops first when need be. Runs the loop until its handles are closed. NULL is fine. */
void http_server_free(http_server *s);

#endif
