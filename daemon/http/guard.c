#include "http/guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/server_private.h"

enum { HEADERS_MAX = 64 };

/* RFC 9110 5.6.2. */
static bool token_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

void guard_header(guard_headers *g, const char *name, size_t name_size, const char *value,
                  size_t value_size)
{
	bool good = name_size > 0;
	for (size_t i = 0; i < name_size; i++)
		good = good && token_char(name[i]);
	for (size_t i = 0; i < value_size; i++)
		good = good && ((unsigned char)value[i] >= ' ' || value[i] == '\t') &&
		       (unsigned char)value[i] != 127;
	if (!good && g->bad_name == NULL)
		g->bad_name = name;
	g->count++;
	g->bytes += name_size + value_size + 4;
	if (value == NULL)
		value = "";
	const struct {
		const char *name;
		const char **value;
		size_t *count;
	} known[] = {
		{"Host", &g->host, &g->hosts},
		{"Content-Length", &g->length, &g->lengths},
		{"Transfer-Encoding", &g->encoding, &g->encodings},
		{"Authorization", &g->authorization, &g->authorizations},
		{"Origin", &g->origin, NULL},
		{"Sec-Fetch-Site", &g->fetch_site, NULL},
		{"Expect", &g->expect, NULL},
	};
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcasecmp(name, known[i].name) == 0) {
			*known[i].value = value;
			if (known[i].count != NULL)
				++*known[i].count;
		}
}

static bool refuse(request *r, int status, const char *slug, const char *detail)
{
	respond_problem(r, status, slug, NULL, "%s", detail);
	r->answer.close = true;
	return false;
}

bool guard_framing(request *r, const guard_headers *g, const char *version)
{
	if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0)
		return refuse(r, 505, "http-version", "only HTTP/1.0 and HTTP/1.1 are spoken here");
	if (g->count > HEADERS_MAX)
		return refuse(r, 431, "too-many-headers", "more than 64 header lines");
	if (g->bad_name != NULL)
		return refuse(r, 400, "bad-header",
		              "a header line holds characters that are not allowed there");
	if (g->lengths > 1)
		return refuse(r, 400, "bad-framing", "Content-Length appears more than once");
	if (g->lengths + g->encodings > 1)
		return refuse(r, 400, "bad-framing",
		              "Content-Length and Transfer-Encoding exclude each other");
	if (g->encodings == 1) {
		if (strcasecmp(g->encoding, "chunked") != 0 || strcmp(version, "HTTP/1.1") != 0)
			return refuse(
				r, 400, "bad-framing",
				"the only transfer coding understood is chunked, in HTTP/1.1");
		r->announced = UINT64_MAX;
	} else if (g->lengths == 1) {
		size_t n = strlen(g->length);
		if (n == 0 || n > 18 || strspn(g->length, "0123456789") != n)
			return refuse(r, 400, "bad-framing", "Content-Length is not a number");
		r->announced = strtoull(g->length, NULL, 10);
	}
	if (g->authorizations > 1)
		return refuse(r, 400, "bad-header", "Authorization appears more than once");
	return true;
}

bool guard_target(request *r)
{
	if (r->raw[0] != '/')
		return refuse(r, 400, "bad-target",
		              "the request target must be a path that begins with /");
	for (const char *p = r->raw; *p != 0; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 127 || *p == '#')
			return refuse(
				r, 400, "bad-target",
				"the request target holds a control, blank or non-ASCII character");
	if (!request_parse_target(r)) {
		r->answer.close = true;
		return false;
	}
	if (strchr(r->path, '%') != NULL || strchr(r->path, '\\') != NULL ||
	    strstr(r->path, "//") != NULL || strstr(r->path, "..") != NULL)
		return refuse(r, 400, "bad-target", "no path here needs %, \\, // or ..");
	return true;
}

/* Whether `host` is `name`, alone or with our port. */
static bool same_host(const char *host, const char *name, unsigned port)
{
	size_t n = strlen(name);
	char end[8];
	(void)snprintf(end, sizeof end, ":%u", port);
	return strncasecmp(host, name, n) == 0 &&
	       (strcmp(host + n, end) == 0 || (host[n] == 0 && port == 80));
}

bool guard_host(request *r, const guard_headers *g)
{
	if (g->hosts != 1)
		return refuse(r, 400, "bad-host", "exactly one Host header is required");
	const http_server *s = r->server;
	static const char *const local[] = {"127.0.0.1", "[::1]", "localhost"};
	for (size_t i = 0; i < sizeof local / sizeof *local; i++)
		if (same_host(g->host, local[i], s->port))
			return true;
	if (strcasecmp(g->host, s->bound_host) == 0)
		return true;
	const daemon_config *c = s->deps.config;
	for (size_t i = 0; i < c->allowed_hosts; i++) {
		/* On any port: a proxy may listen on another. */
		size_t n = strlen(c->allowed_host[i]);
		if (strncasecmp(g->host, c->allowed_host[i], n) == 0 &&
		    (g->host[n] == 0 ||
		     (g->host[n] == ':' &&
		      strspn(g->host + n + 1, "0123456789") == strlen(g->host + n + 1))))
			return true;
	}
	return refuse(r, 421, "misdirected",
	              "this Host is not served; to reach the daemon under another name, add it to "
	              "allowed_hosts in the [server] section of tpldd.conf");
}

bool guard_origin(request *r, const guard_headers *g)
{
	if (g->origin != NULL) {
		const char *host = strncasecmp(g->origin, "http://", 7) == 0    ? g->origin + 7
		                   : strncasecmp(g->origin, "https://", 8) == 0 ? g->origin + 8
		                                                                : "";
		if (strcasecmp(host, g->host) != 0) {
			respond_problem(r, 403, "foreign-origin", NULL,
			                "requests from pages of other origins are refused");
			return false;
		}
	}
	if (g->fetch_site != NULL && strcmp(g->fetch_site, "same-origin") != 0 &&
	    strcmp(g->fetch_site, "none") != 0) {
		respond_problem(r, 403, "foreign-origin", NULL,
		                "requests from pages of other sites are refused");
		return false;
	}
	return true;
}

bool guard_token(request *r, const guard_headers *g, uint64_t now_ms)
{
	const char *a = g->authorization;
	bool bearer = a != NULL && strncasecmp(a, "Bearer ", 7) == 0;
	if (bearer && token_matches(&r->server->token, a + 7 + strspn(a + 7, " ")))
		return true;
	if (token_failed(&r->server->token, now_ms)) {
		respond_problem(r, 429, "too-many-failures", NULL,
		                "too many requests without a valid token");
		response_header(r, "Retry-After", "1");
		return false;
	}
	respond_problem(r, 401, "unauthorized", NULL,
	                bearer ? "the bearer token is wrong"
	                       : "a bearer token is required: it is in the file token of the state "
	                         "directory");
	response_header(r, "WWW-Authenticate",
	                bearer ? "Bearer realm=\"tpldd\", error=\"invalid_token\""
	                       : "Bearer realm=\"tpldd\"");
	return false;
}
