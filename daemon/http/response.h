/* response: an answer being made. Handlers fill it from any thread; only response_queue talks to
 * libmicrohttpd (loop thread). The first answer wins: filling a filled response changes nothing but
 * frees what was handed over, so a handler may `return respond_...` on any path. */
#ifndef TPLDD_HTTP_RESPONSE_H
#define TPLDD_HTTP_RESPONSE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct request;
struct MHD_Connection;

enum { RESPONSE_HEADERS = 8 };

typedef struct response {
	int status;        /* 0: not answered yet */
	const char *type;  /* media type, static; NULL: no body */
	const char *cache; /* Cache-Control, static; NULL: no-store */
	const void *data;
	size_t size;
	bool owned;              /* data is free()d after sending; else it outlives the server */
	int fd;                  /* -1, or a file to send; closed after sending */
	uint64_t offset, length; /* the part of fd to send */
	bool close;              /* the connection ends after this answer */
	bool stream;             /* an event stream follows (events.h) */
	int64_t stream_run, stream_after;
	struct {
		const char *name; /* static */
		char *value;
	} header[RESPONSE_HEADERS];
	size_t headers;
} response;

void response_init(response *a);
void response_done(response *a);
/* Adds a header to a filled answer; the value is formatted and must hold no control characters. */
void response_header(struct request *r, const char *name, const char *fmt, ...) TP_PRINTF(3, 4);

/* Takes over one reference of `json`; NULL answers 503 (out of memory). */
void respond_json(struct request *r, int status, json_t *json);
/* Takes over malloc'ed bytes. */
void respond_bytes(struct request *r, const char *type, void *data, size_t size);
/* Bytes that live as long as the server. */
void respond_static(struct request *r, const char *type, const char *cache, const void *data,
                    size_t size);
void respond_empty(struct request *r, int status);
/* A regular file below dirfd by its relative name, never through links, with ETag and (for
 * `ranges`) one Range. `etag` NULL: made from the file's time and size. Absent: 404 with `what`. */
void respond_file(struct request *r, int dirfd, const char *name, const char *type,
                  const char *etag, bool ranges, const char *what);
/* RFC 9457. slug: "invalid-config"; the type becomes urn:tpld:problem:slug. `extra` (may be NULL,
 * taken over) is merged in: errors, state, allowed_actions. */
void respond_problem(struct request *r, int status, const char *slug, json_t *extra,
                     const char *fmt, ...) TP_PRINTF(5, 6);
/* A failed call: INVALID and SHAPE 422, NOTFOUND 404, EXISTS and CONFLICT 409, NOSPACE 507, NOMEM
 * 503, others 500. A text that begins with a JSON pointer and ": " also fills errors[]. */
void respond_error(struct request *r, tp_status st, const tp_err *err);

/* True when If-None-Match names the etag: answers 304. Otherwise adds the ETag to a later answer by
 * response_header; `etag` without quotes. */
bool respond_not_modified(struct request *r, const char *etag, const char *cache);

/* Hands the answer to libmicrohttpd with the headers every answer has. Loop thread. Returns MHD_YES
 * or MHD_NO as an int. */
int response_queue(struct request *r, struct MHD_Connection *c);

#endif
