#include "http/request.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http/router.h"
#include "http/server_private.h"

enum { BODY_FIRST_ROOM = 16 << 10 };

request *request_new(http_server *server, const char *raw)
{
	request *r = calloc(1, sizeof *r);
	if (r == NULL || (r->raw = strdup(raw)) == NULL) {
		free(r);
		return NULL;
	}
	r->server = server;
	r->users = 1;
	r->body_fd = -1;
	r->started_ms = server_now_ms();
	response_init(&r->answer);
	(void)snprintf(r->id, sizeof r->id, "%08x-%llx", server->id_prefix,
	               (unsigned long long)++server->requests);
	return r;
}

void request_unref(request *r)
{
	if (r == NULL || --r->users > 0)
		return;
	if (r->body_fd >= 0)
		(void)close(r->body_fd);
	if (r->body_file[0] != 0)
		(void)unlinkat(r->server->deps.state_dirfd, r->body_file, 0);
	for (size_t i = 0; i < r->queries; i++) {
		free(r->query[i].name);
		free(r->query[i].value);
	}
	free(r->accept);
	free(r->if_none_match);
	free(r->range);
	free(r->last_event_id);
	free(r->content_type);
	free(r->body);
	free(r->path);
	free(r->raw);
	response_done(&r->answer);
	free(r);
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
	                              : -1;
}

/* Decodes n bytes of a query part. NULL: a broken escape, or a control character came out. */
static char *decode(const char *s, size_t n)
{
	char *out = malloc(n + 1);
	size_t k = 0;
	for (size_t i = 0; out != NULL && i < n; i++) {
		int c = (unsigned char)s[i];
		if (c == '+') {
			c = ' ';
		} else if (c == '%') {
			int a = i + 1 < n ? hex_digit(s[i + 1]) : -1;
			int b = i + 2 < n ? hex_digit(s[i + 2]) : -1;
			c = a < 0 || b < 0 ? 0 : 16 * a + b;
			i += 2;
		}
		if (c < ' ' || c == 127) {
			free(out);
			return NULL;
		}
		out[k++] = (char)c;
	}
	if (out == NULL)
		return NULL;
	out[k] = 0;
	/* Jansson's checker is the one strict UTF-8 checker at hand. */
	json_t *utf8 = json_stringn(out, k);
	if (utf8 == NULL) {
		free(out);
		return NULL;
	}
	json_decref(utf8);
	return out;
}

static bool parse_query(request *r, const char *q)
{
	while (*q != 0) {
		size_t n = strcspn(q, "&"), name = strcspn(q, "=&");
		if (n > 0) {
			if (r->queries == REQUEST_PARAMS) {
				respond_problem(r, 400, "bad-query", NULL,
				                "more than %d query parameters", REQUEST_PARAMS);
				return false;
			}
			query_param *p = &r->query[r->queries];
			p->name = decode(q, name);
			p->value = name < n ? decode(q + name + 1, n - name - 1) : strdup("");
			r->queries++;
			if (p->name == NULL || p->value == NULL || p->name[0] == 0) {
				respond_problem(r, 400, "bad-query", NULL,
				                "the query string is not a list of name=value in "
				                "percent-encoded UTF-8");
				return false;
			}
			for (size_t i = 0; i + 1 < r->queries; i++)
				if (strcmp(r->query[i].name, p->name) == 0) {
					respond_problem(r, 400, "bad-query", NULL,
					                "query parameter '%.60s' appears twice",
					                p->name);
					return false;
				}
		}
		q += n + (q[n] == '&');
	}
	return true;
}

bool request_parse_target(request *r)
{
	size_t n = strcspn(r->raw, "?");
	if (n > REQUEST_PATH_MAX || strlen(r->raw) - n > REQUEST_QUERY_MAX) {
		respond_problem(r, 414, "uri-too-long", NULL,
		                "the path may have %d characters, the query %d", REQUEST_PATH_MAX,
		                REQUEST_QUERY_MAX);
		return false;
	}
	r->path = strndup(r->raw, n);
	if (r->path == NULL) {
		respond_problem(r, 503, "out-of-memory", NULL, "out of memory");
		return false;
	}
	return r->raw[n] == 0 || parse_query(r, r->raw + n + 1);
}

const char *request_query(const request *r, const char *name)
{
	for (size_t i = 0; i < r->queries; i++)
		if (strcmp(r->query[i].name, name) == 0)
			return r->query[i].value;
	return NULL;
}

int64_t request_query_int(const request *r, const char *name, int64_t absent)
{
	const char *v = request_query(r, name);
	return v == NULL ? absent : strtoll(v, NULL, 10);
}

tp_status request_body_open(request *r, tp_err *err)
{
	if (r->route->flags & ROUTE_UPLOAD) {
		(void)snprintf(r->body_file, sizeof r->body_file, "tmp/upload-%llu",
		               (unsigned long long)++r->server->uploads);
		r->body_fd = openat(r->server->deps.state_dirfd, r->body_file,
		                    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (r->body_fd < 0) {
			r->body_file[0] = 0;
			return tp_fail(err, TP_IO, errno, "cannot create a file for the upload");
		}
		return TP_OK;
	}
	r->body_room = r->announced != UINT64_MAX ? (size_t)r->announced : BODY_FIRST_ROOM;
	r->body = malloc(r->body_room + 1);
	if (r->body == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory for a body of %zu bytes",
		               r->body_room);
	return TP_OK;
}

tp_status request_body_add(request *r, const void *data, size_t size, tp_err *err)
{
	if (r->received > r->route->body_max || size > r->route->body_max - r->received)
		return tp_fail(err, TP_INVALID, 0, "the body may have %zu bytes",
		               r->route->body_max);
	if (r->body_fd >= 0) {
		const char *p = data;
		for (size_t left = size; left > 0;) {
			ssize_t n = write(r->body_fd, p, left);
			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				return tp_fail(err, TP_IO, errno, "cannot write the upload");
			p += n;
			left -= (size_t)n;
		}
	} else {
		if (r->body_size + size > r->body_room) {
			size_t room = 2 * (r->body_size + size);
			char *grown = realloc(r->body, room + 1);
			if (grown == NULL)
				return tp_fail(err, TP_NOMEM, 0, "out of memory for the body");
			r->body = grown;
			r->body_room = room;
		}
		memcpy(r->body + r->body_size, data, size);
		r->body_size += size;
	}
	return TP_OK;
}

static int json_depth(const json_t *j)
{
	int deepest = 0;
	if (json_is_array(j)) {
		for (size_t i = 0; i < json_array_size(j); i++) {
			int d = json_depth(json_array_get(j, i));
			deepest = d > deepest ? d : deepest;
		}
	} else if (json_is_object(j)) {
		const char *key;
		json_t *v;
		json_object_foreach((json_t *)j, key, v) {
			int d = json_depth(v);
			deepest = d > deepest ? d : deepest;
		}
	} else {
		return 0;
	}
	return deepest + 1;
}

json_t *request_json(request *r)
{
	json_error_t e;
	json_t *j = json_loadb(r->body != NULL ? r->body : "", r->body_size, JSON_REJECT_DUPLICATES,
	                       &e);
	if (j == NULL) {
		respond_problem(r, 400, "bad-json", NULL, "line %d, column %d: %.200s", e.line,
		                e.column, e.text);
		return NULL;
	}
	if (!json_is_object(j) || json_depth(j) > REQUEST_JSON_DEPTH) {
		respond_problem(r, 400, "bad-json", NULL,
		                "the body must be one JSON object, nested at most %d deep",
		                REQUEST_JSON_DEPTH);
		json_decref(j);
		return NULL;
	}
	return j;
}

bool request_no_parameters(request *r)
{
	if (r->body_size == 0)
		return true;
	json_t *body = request_json(r);
	if (body == NULL)
		return false;
	bool empty = json_object_size(body) == 0;
	json_decref(body);
	if (!empty)
		respond_problem(r, 422, "invalid", NULL, "this action takes no parameters");
	return empty;
}
