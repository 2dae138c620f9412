/* guard: what libmicrohttpd 0.9.75 lets through and we do not (craft.md B.2 point 1): odd framing,
 * odd request targets, foreign Host and Origin. Pure functions over a request's parts, so that
 * tests can run them without a socket. */
#ifndef TPLDD_HTTP_GUARD_H
#define TPLDD_HTTP_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "http/request.h"

/* What the checks need of the headers, gathered in one pass over them. */
typedef struct guard_headers {
	size_t count, bytes;
	size_t hosts, lengths, encodings, authorizations;
	const char *host, *length, *encoding, *authorization;
	const char *origin, *fetch_site, *expect;
	const char *bad_name; /* first header with a forbidden character, or NULL */
} guard_headers;

/* Adds one header line. */
void guard_header(guard_headers *g, const char *name, size_t name_size, const char *value,
                  size_t value_size);
/* Version, framing, target, Host. Sets r->announced. False: answer holds the refusal, mostly with
 * `close`, because the bytes that follow cannot be trusted to be a request. */
bool guard_framing(request *r, const guard_headers *g, const char *version);
bool guard_target(request *r);
bool guard_host(request *r, const guard_headers *g);
/* Below /api: Origin and Sec-Fetch-Site must be ours when present. */
bool guard_origin(request *r, const guard_headers *g);
/* The bearer token; 401, or 429 after too many wrong ones. */
bool guard_token(request *r, const guard_headers *g, uint64_t now_ms);

#endif
