/* request: one HTTP request from its request line to its answer, as handlers see it. No
 * libmicrohttpd in here: handlers read fields and fill `answer` through response.h, on the loop or
 * on a worker.
 *
 * Owner: the connection until it is completed, plus the running job (`users` counts both; loop
 * thread only). Everything the handlers read is a copy, so a job may outlive its connection. */
#ifndef TPLDD_HTTP_REQUEST_H
#define TPLDD_HTTP_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "http/response.h"

struct MHD_Connection;
struct http_server;
struct route;

typedef enum http_method { HTTP_GET, HTTP_POST, HTTP_DELETE, HTTP_METHODS } http_method;

enum {
	REQUEST_PATH_MAX = 2048,
	REQUEST_QUERY_MAX = 4096,
	REQUEST_PARAMS = 16,
	REQUEST_JSON_DEPTH = 16,
};

typedef struct query_param {
	char *name, *value; /* percent-decoded UTF-8 without control characters */
} query_param;

typedef enum request_stage {
	REQUEST_LINE,     /* headers not seen yet */
	REQUEST_BODY,     /* body arrives, or is thrown away when `answer` is already an error */
	REQUEST_RUNNING,  /* on a worker, connection suspended */
	REQUEST_ANSWERED, /* answer complete, to be queued at the next call */
	REQUEST_QUEUED,
	REQUEST_ABANDONED, /* the server stops: the connection is to be cut */
} request_stage;

typedef struct request {
	struct http_server *server;
	struct MHD_Connection *connection; /* loop thread only */
	const char *raw_at; /* where the raw target lay in the connection's memory; never read */
	request_stage stage;
	int users;

	char id[32];
	char *raw;  /* request target as received */
	char *path; /* its part before '?' */
	bool head;
	http_method method;
	query_param query[REQUEST_PARAMS];
	size_t queries;
	const struct route *route;
	int64_t param[4]; /* the pattern's integers, in order */
	char word[64];    /* the pattern's {name:w} */
	char *accept, *if_none_match, *range, *last_event_id, *content_type; /* NULL when absent */
	size_t produce; /* which of the route's media types the client takes */

	/* Body: in memory, or in a file of the state directory when the route says so. */
	uint64_t announced; /* Content-Length, UINT64_MAX when chunked */
	uint64_t received;
	uint64_t started_ms;
	char *body;
	size_t body_size, body_room;
	int body_fd;        /* -1: none */
	char body_file[48]; /* "tmp/upload-7"; "" once somebody took it over */

	response answer; /* status 0: none yet */
} request;

/* Copies the raw target. NULL: out of memory. */
request *request_new(struct http_server *server, const char *raw);
void request_unref(request *r);

/* Splits raw into path and decoded query. False: answer holds the 400 or 414. */
bool request_parse_target(request *r);
/* NULL when the parameter is absent. */
const char *request_query(const request *r, const char *name);
/* The value was checked against the route's table already. */
int64_t request_query_int(const request *r, const char *name, int64_t absent);

/* Takes `size` more bytes of body. TP_INVALID: more than the route allows; else as file errors. */
tp_status request_body_add(request *r, const void *data, size_t size, tp_err *err) TP_MUST_CHECK;
/* Makes room for `announced` bytes or opens the upload file. */
tp_status request_body_open(request *r, tp_err *err) TP_MUST_CHECK;
/* Parses the JSON body: one object, no duplicate keys, nested at most REQUEST_JSON_DEPTH deep.
 * NULL: answer holds the 400 with the position. The caller decrefs. */
json_t *request_json(request *r);
/* For actions: no body, or {}. False: answered. */
bool request_no_parameters(request *r);

#endif
