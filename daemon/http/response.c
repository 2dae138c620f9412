#include "http/response.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "http/events.h"
#include "http/json_out.h"
#include "http/server_private.h"

/* On every answer. The dashboard needs its own scripts, styles, pictures (blobs made from fetched
 * layers) and the API; nothing else, from nowhere else. */
static const char *const common_headers[][2] = {
	{"Content-Security-Policy",
         "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
         "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
	{"X-Content-Type-Options", "nosniff"},
	{"Referrer-Policy", "no-referrer"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Cross-Origin-Opener-Policy", "same-origin"},
};

void response_init(response *a)
{
	*a = (response){.fd = -1};
}

void response_done(response *a)
{
	if (a->owned)
		free((void *)(uintptr_t)a->data);
	if (a->fd >= 0)
		(void)close(a->fd);
	for (size_t i = 0; i < a->headers; i++)
		free(a->header[i].value);
	response_init(a);
}

void response_header(request *r, const char *name, const char *fmt, ...)
{
	response *a = &r->answer;
	char *value = NULL;
	va_list ap;
	va_start(ap, fmt);
	int n = vasprintf(&value, fmt, ap);
	va_end(ap);
	if (n < 0 || a->headers == RESPONSE_HEADERS) {
		if (n >= 0)
			free(value);
		return;
	}
	a->header[a->headers].name = name;
	a->header[a->headers++].value = value;
}

static void fill(request *r, int status, const char *type, void *data, size_t size)
{
	response *a = &r->answer;
	if (a->status != 0) {
		free(data);
		return;
	}
	a->status = status;
	a->type = type;
	a->data = data;
	a->size = size;
	a->owned = data != NULL;
}

/* Without allocation: what is said when nothing else can be. */
static void out_of_memory(request *r)
{
	static const char text[] =
		"{\"type\":\"urn:tpld:problem:out-of-memory\",\"title\":\"Service Unavailable\","
		"\"status\":503,\"detail\":\"out of memory\"}";
	respond_static(r, "application/problem+json", NULL, text, sizeof text - 1);
	r->answer.status = 503;
}

void respond_json(request *r, int status, json_t *json)
{
	size_t size = 0;
	char *text = json != NULL ? json_text(json, &size) : NULL;
	json_decref(json);
	if (r->answer.status != 0)
		free(text);
	else if (text == NULL)
		out_of_memory(r);
	else
		fill(r, status, "application/json", text, size);
}

void respond_bytes(request *r, const char *type, void *data, size_t size)
{
	fill(r, 200, type, data, size);
}

void respond_static(request *r, const char *type, const char *cache, const void *data, size_t size)
{
	if (r->answer.status != 0)
		return;
	fill(r, 200, type, NULL, 0);
	r->answer.data = data;
	r->answer.size = size;
	r->answer.cache = cache;
}

void respond_empty(request *r, int status)
{
	fill(r, status, NULL, NULL, 0);
}

/* Printable text for problem details: client bytes may be anything. */
static void printable(char *s)
{
	for (; *s != 0; s++)
		if ((unsigned char)*s < ' ' || (unsigned char)*s >= 127)
			*s = '?';
}

void respond_problem(request *r, int status, const char *slug, json_t *extra, const char *fmt, ...)
{
	char detail[600], type[100], instance[60];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(detail, sizeof detail, fmt, ap);
	va_end(ap);
	if (r->answer.status != 0) {
		json_decref(extra);
		return;
	}
	(void)snprintf(type, sizeof type, "urn:tpld:problem:%s", slug);
	(void)snprintf(instance, sizeof instance, "urn:tpld:request:%s", r->id);
	json_t *text = json_string(detail); /* NULL when it is not UTF-8 */
	if (text == NULL) {
		printable(detail);
		text = json_string(detail);
	}
	json_t *p = json_pack("{s:s, s:s, s:i, s:o, s:s}", "type", type, "title",
	                      MHD_get_reason_phrase_for((unsigned)status), "status", status,
	                      "detail", text, "instance", instance);
	if (p != NULL && extra != NULL)
		(void)json_object_update_missing(p, extra);
	json_decref(extra);
	respond_json(r, status, p);
	if (r->answer.status == status)
		r->answer.type = "application/problem+json";
}

void respond_error(request *r, tp_status st, const tp_err *err)
{
	static const struct {
		tp_status st;
		int http;
		const char *slug;
	} map[] = {
		{TP_INVALID, 422, "invalid"},       {TP_SHAPE, 422, "invalid"},
		{TP_NONFINITE, 422, "not-finite"},  {TP_NOTFOUND, 404, "not-found"},
		{TP_EXISTS, 409, "already-exists"}, {TP_CONFLICT, 409, "conflict"},
		{TP_NOSPACE, 507, "no-space"},      {TP_NOMEM, 503, "out-of-memory"},
		{TP_CANCELLED, 503, "stopping"},    {TP_CORRUPT, 500, "damaged-file"},
	};
	int status = 500;
	const char *slug = "internal";
	for (size_t i = 0; i < sizeof map / sizeof *map; i++)
		if (map[i].st == st) {
			status = map[i].http;
			slug = map[i].slug;
		}
	const char *text = err->text[0] != 0 ? err->text : tp_status_text(st);
	json_t *extra = NULL;
	const char *colon = strstr(text, ": ");
	if (st == TP_INVALID && text[0] == '/' && colon != NULL && colon - text < 200) {
		char pointer[200];
		(void)snprintf(pointer, sizeof pointer, "%.*s", (int)(colon - text), text);
		extra = json_pack("{s:[o]}", "errors", json_field_error(pointer, colon + 2));
	}
	respond_problem(r, status, slug, extra, "%s", text);
}

bool respond_not_modified(request *r, const char *etag, const char *cache)
{
	char quoted[160];
	(void)snprintf(quoted, sizeof quoted, "\"%s\"", etag);
	if (r->if_none_match == NULL ||
	    (strstr(r->if_none_match, quoted) == NULL && strcmp(r->if_none_match, "*") != 0))
		return false;
	respond_empty(r, 304);
	r->answer.cache = cache;
	response_header(r, "ETag", "%s", quoted);
	return true;
}

/* "bytes=A-B", "bytes=A-" or "bytes=-N" of a file of `size` bytes. 1: a part, 0: no usable Range
 * (send all), -1: outside of the file. */
static int parse_range(const char *s, uint64_t size, uint64_t *ret_offset, uint64_t *ret_length)
{
	if (s == NULL || strncmp(s, "bytes=", 6) != 0 || strchr(s, ',') != NULL)
		return 0;
	s += 6;
	char *end;
	if (*s == '-') {
		unsigned long long n = strtoull(s + 1, &end, 10);
		if (s[1] < '0' || s[1] > '9' || *end != 0)
			return 0;
		n = n > size ? size : n;
		*ret_offset = size - n;
		*ret_length = n;
		return n > 0 ? 1 : -1;
	}
	if (*s < '0' || *s > '9')
		return 0;
	unsigned long long a = strtoull(s, &end, 10), b = size == 0 ? 0 : size - 1;
	if (*end++ != '-')
		return 0;
	if (*end >= '0' && *end <= '9') {
		unsigned long long last = strtoull(end, &end, 10);
		if (last < a)
			return 0;
		b = last < b ? last : b;
	}
	if (*end != 0)
		return 0;
	if (a >= size)
		return -1;
	*ret_offset = a;
	*ret_length = b - a + 1;
	return 1;
}

void respond_file(request *r, int dirfd, const char *name, const char *type, const char *etag,
                  bool ranges, const char *what)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, dirfd, name, &how, sizeof how);
	struct stat s;
	if (fd < 0 || fstat(fd, &s) != 0 || !S_ISREG(s.st_mode)) {
		bool absent = fd >= 0 || errno == ENOENT;
		if (fd >= 0)
			(void)close(fd);
		respond_problem(r, absent ? 404 : 500, absent ? "not-found" : "internal", NULL,
		                "%s: %s", what,
		                absent ? "there is no such file" : "cannot be opened");
		return;
	}
	/* Revalidated rather than immutable: after the state directory was wiped the same ids mean
	 * other pictures, and a 304 costs no file access. */
	static const char cache[] = "private, no-cache";
	char made[100];
	if (etag == NULL) {
		(void)snprintf(made, sizeof made, "%llx-%llx-%lx", (unsigned long long)s.st_size,
		               (unsigned long long)s.st_mtim.tv_sec,
		               (unsigned long)s.st_mtim.tv_nsec);
		etag = made;
	}
	if (respond_not_modified(r, etag, cache)) {
		(void)close(fd);
		return;
	}
	uint64_t size = (uint64_t)s.st_size, offset = 0, length = size;
	int part = ranges ? parse_range(r->range, size, &offset, &length) : 0;
	if (part < 0) {
		(void)close(fd);
		respond_problem(r, 416, "range-not-satisfiable", NULL, "the file has %llu bytes",
		                (unsigned long long)size);
		response_header(r, "Content-Range", "bytes */%llu", (unsigned long long)size);
		return;
	}
	fill(r, part > 0 ? 206 : 200, type, NULL, 0);
	r->answer.fd = fd;
	r->answer.offset = offset;
	r->answer.length = length;
	r->answer.cache = cache;
	response_header(r, "ETag", "\"%s\"", etag);
	if (ranges)
		response_header(r, "Accept-Ranges", "bytes");
	if (part > 0)
		response_header(
			r, "Content-Range", "bytes %llu-%llu/%llu", (unsigned long long)offset,
			(unsigned long long)(offset + length - 1), (unsigned long long)size);
}

static struct MHD_Response *body_response(request *r, struct MHD_Connection *c)
{
	response *a = &r->answer;
	if (a->stream && !r->head)
		return event_stream_open(r->server->events, c, a->stream_run, a->stream_after);
	if (a->fd >= 0) {
		struct MHD_Response *m =
			MHD_create_response_from_fd_at_offset64(a->length, a->fd, a->offset);
		if (m != NULL)
			a->fd = -1; /* closed with the response */
		return m;
	}
	struct MHD_Response *m = MHD_create_response_from_buffer(
		a->size, (void *)(uintptr_t)a->data,
		a->owned ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
	if (m != NULL)
		a->owned = false;
	return m;
}

int response_queue(request *r, struct MHD_Connection *c)
{
	response *a = &r->answer;
	if (a->status == 0)
		respond_problem(r, 500, "internal", NULL, "the request was not answered");
	struct MHD_Response *m = body_response(r, c);
	if (m == NULL && a->stream) {
		response_done(a);
		respond_problem(r, 503, "too-many-streams", NULL,
		                "at most %d event streams may be open", EVENT_STREAMS);
		response_header(r, "Retry-After", "5");
		m = body_response(r, c);
	}
	if (m == NULL)
		return MHD_NO;
	enum MHD_Result ok = MHD_YES;
	for (size_t i = 0; i < sizeof common_headers / sizeof *common_headers; i++)
		ok &= MHD_add_response_header(m, common_headers[i][0], common_headers[i][1]);
	ok &= MHD_add_response_header(m, "X-Request-Id", r->id);
	ok &= MHD_add_response_header(m, "Cache-Control", a->cache != NULL ? a->cache : "no-store");
	if (a->type != NULL)
		ok &= MHD_add_response_header(m, "Content-Type", a->type);
	if (a->stream)
		ok &= MHD_add_response_header(m, "X-Accel-Buffering", "no");
	for (size_t i = 0; i < a->headers; i++)
		ok &= MHD_add_response_header(m, a->header[i].name, a->header[i].value);
	if (a->close)
		ok &= MHD_add_response_header(m, "Connection", "close");
	if (ok == MHD_YES)
		ok = MHD_queue_response(c, (unsigned)a->status, m);
	MHD_destroy_response(m);
	return (int)ok;
}
