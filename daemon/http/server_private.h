/* server_private: the server's parts, for daemon/http only. Fields belong to the loop thread unless
 * they are constant after http_server_create or atomic. */
#ifndef TPLDD_HTTP_SERVER_PRIVATE_H
#define TPLDD_HTTP_SERVER_PRIVATE_H

#include <stdatomic.h>

#include "http/counters.h"
#include "http/events.h"
#include "http/jobs.h"
#include "http/server.h"
#include "http/static_files.h"
#include "http/token.h"

struct MHD_Daemon;
struct connection;

struct http_server {
	/* Constant after creation. */
	http_deps deps;
	uv_loop_t *loop;
	uint16_t port;
	char url[300], bound_host[200]; /* "127.0.0.1:8737" */
	uint64_t start_ms;              /* uv_hrtime based */
	int64_t start_wall_ms;
	uint32_t id_prefix;
	static_files *files;
	char *openapi, *run_schema;
	size_t openapi_size, run_schema_size;

	token token;
	struct MHD_Daemon *mhd;
	uv_poll_t poll;
	uv_timer_t mhd_timer; /* MHD's own timeouts */
	uv_timer_t tick;      /* deadlines, pings: each second */
	uv_timer_t look;      /* when the event streams look into the store again */
	uv_async_t wake;
	size_t handles; /* open uv handles */
	bool stopping, stopped;
	struct connection *connections;
	size_t active; /* requests between their last header and their completion */
	uint64_t requests;
	uint64_t uploads;
	jobs jobs;
	event_hub *events;
	counters counters; /* atomic */

	/* readyz answers from here for a second: it is public and writes to the database. */
	atomic_uint_least64_t ready_checked_ms;
	atomic_int ready_store;
};

uint64_t server_now_ms(void);
/* Lets libmicrohttpd work and arms its timer. After every resume. */
void server_run_mhd(http_server *s);

#endif
