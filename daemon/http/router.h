/* router: one table of all endpoints. Everything that can be decided without running a handler
 * (token, body limit, content type, query parameters, media types) is decided from the row; OpenAPI
 * and the tests walk the same rows. */
#ifndef TPLDD_HTTP_ROUTER_H
#define TPLDD_HTTP_ROUTER_H

#include <stdbool.h>
#include <stddef.h>

#include "http/request.h"

enum {
	ROUTE_PUBLIC = 1,          /* no token */
	ROUTE_WORKER = 2,          /* runs on a worker; else on the loop, and then must not block */
	ROUTE_HEAVY = 4,           /* long computing: few at a time (jobs.h) */
	ROUTE_UPLOAD = 8,          /* the body goes to a file */
	ROUTE_NO_BODY_NEEDED = 16, /* the body may be absent */
};

/* Largest bodies, by kind. */
enum { ROUTE_JSON_MAX = 1 << 20, ROUTE_IMAGE_MAX = 32 << 20, ROUTE_WEIGHTS_MAX = 1 << 30 };

typedef void route_handler(request *r);

typedef struct route {
	http_method method;
	/* Segments are literals, {name} (a decimal integer) or {name:w} (a word), a suffix may
	 * follow. */
	const char *pattern;
	unsigned flags;
	size_t body_max;      /* 0: takes no body */
	const char *consumes; /* media types, comma-separated; NULL without body */
	const char *produces; /* media types the handler makes, default first; NULL: JSON */
	/* "name:type ...", type: int (>= 0), str, or alternatives a|b|c. */
	const char *query;
	int success;
	const char *body_schema; /* schemas.h notation, for OpenAPI; NULL: none */
	const char *answer_schema;
	const char *summary;
	route_handler *handler;
} route;

const route *route_table(size_t *ret_count);

/* Finds the row of method and path and fills route, param and word. False: answer holds 404, 405
 * with Allow, or 400 for an id that is no number. */
bool router_match(request *r);
/* Query parameters against the row. False: answer holds the 400. */
bool router_check_query(request *r);
/* Accept against `produces`, content type and length against the row. False: answer holds 406, 415,
 * 411 or 413. */
bool router_check_body(request *r);

#endif
