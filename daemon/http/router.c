#include "http/router.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const method_names[HTTP_METHODS] = {"GET", "POST", "DELETE"};

/* Decimal, no sign, no leading zero, at most 18 digits. */
static bool parse_int(const char *s, size_t n, int64_t *ret)
{
	if (n == 0 || n > 18 || strspn(s, "0123456789") < n || (s[0] == '0' && n > 1))
		return false;
	*ret = strtoll(s, NULL, 10);
	return true;
}

typedef enum match { MATCH_NO, MATCH_YES, MATCH_BAD_ID } match;

/* Walks pattern and path together; a placeholder takes what lies before its suffix. */
static match match_pattern(const char *pattern, const char *path, int64_t *param, char *word,
                           size_t word_room)
{
	size_t params = 0;
	match m = MATCH_YES;
	while (*pattern != 0) {
		if (*pattern != '{') {
			if (*pattern++ != *path++)
				return MATCH_NO;
			continue;
		}
		const char *close = strchr(pattern, '}');
		bool is_word = close[-2] == ':' && close[-1] == 'w';
		const char *suffix = close + 1;
		size_t suffix_size = strcspn(suffix, "/"), n = strcspn(path, "/");
		if (n <= suffix_size || strncmp(path + n - suffix_size, suffix, suffix_size) != 0)
			return MATCH_NO;
		n -= suffix_size;
		if (is_word) {
			if (n >= word_room)
				return MATCH_NO;
			memcpy(word, path, n);
			word[n] = 0;
		} else if (!parse_int(path, n, &param[params++])) {
			m = MATCH_BAD_ID;
		}
		pattern = suffix;
		path += n;
	}
	return *path == 0 ? m : MATCH_NO;
}

bool router_match(request *r)
{
	size_t count;
	const route *table = route_table(&count);
	unsigned allowed = 0;
	match found = MATCH_NO;
	for (size_t i = 0; i < count; i++) {
		int64_t param[4] = {0};
		char word[sizeof r->word] = "";
		match m = match_pattern(table[i].pattern, r->path, param, word, sizeof word);
		if (m == MATCH_NO)
			continue;
		allowed |= 1u << table[i].method;
		if (table[i].method != r->method)
			continue;
		/* A literal row comes before a placeholder's in the table and wins. */
		if (found == MATCH_NO) {
			found = m;
			r->route = &table[i];
			memcpy(r->param, param, sizeof param);
			memcpy(r->word, word, sizeof word);
		}
	}
	if (found == MATCH_YES)
		return true;
	if (found == MATCH_BAD_ID) {
		respond_problem(r, 400, "bad-id", NULL, "ids in paths are decimal numbers");
		return false;
	}
	if (allowed == 0) {
		respond_problem(r, 404, "no-such-path", NULL, "there is nothing at this path");
		return false;
	}
	char allow[40] = "";
	for (size_t i = 0; i < HTTP_METHODS; i++)
		if (allowed & (1u << i))
			(void)snprintf(allow + strlen(allow), sizeof allow - strlen(allow),
			               "%s%s%s", allow[0] != 0 ? ", " : "", method_names[i],
			               i == HTTP_GET ? ", HEAD" : "");
	respond_problem(r, 405, "method-not-allowed", NULL, "this path knows %s", allow);
	response_header(r, "Allow", "%s", allow);
	return false;
}

/* Whether `value` is one of "a|b|c". */
static bool is_alternative(const char *type, size_t type_size, const char *value)
{
	size_t n = strlen(value);
	for (const char *p = type, *end = type + type_size; p < end;) {
		size_t k = strcspn(p, "| ");
		k = k > (size_t)(end - p) ? (size_t)(end - p) : k;
		if (k == n && memcmp(p, value, n) == 0)
			return true;
		p += k + 1;
	}
	return false;
}

static bool check_param(request *r, const query_param *p)
{
	for (const char *q = r->route->query != NULL ? r->route->query : ""; *q != 0;) {
		size_t n = strcspn(q, " "), name = strcspn(q, ":");
		if (strlen(p->name) == name && strncmp(q, p->name, name) == 0) {
			const char *type = q + name + 1;
			size_t type_size = n - name - 1;
			int64_t v;
			if (type_size == 3 && strncmp(type, "str", 3) == 0)
				return true;
			if (type_size == 3 && strncmp(type, "int", 3) == 0) {
				if (parse_int(p->value, strlen(p->value), &v))
					return true;
				respond_problem(
					r, 400, "bad-query", NULL,
					"query parameter '%s' must be a number of at least 0",
					p->name);
				return false;
			}
			if (is_alternative(type, type_size, p->value))
				return true;
			respond_problem(r, 400, "bad-query", NULL,
			                "query parameter '%s' must be one of %.*s", p->name,
			                (int)type_size, type);
			return false;
		}
		q += n + (q[n] == ' ');
	}
	respond_problem(r, 400, "bad-query", NULL,
	                "unknown query parameter '%.60s'; this path takes: %s", p->name,
	                r->route->query != NULL ? r->route->query : "none");
	return false;
}

bool router_check_query(request *r)
{
	for (size_t i = 0; i < r->queries; i++)
		if (!check_param(r, &r->query[i]))
			return false;
	return true;
}

/* The quality the Accept header gives to a media type: the most specific range counts (RFC
 * 9110 12.5.1). */
static double accept_quality(const char *accept, const char *type, size_t type_size)
{
	double quality = 0.0;
	int best = -1;
	size_t major = strcspn(type, "/");
	for (const char *p = accept; *p != 0;) {
		size_t n = strcspn(p, ","), range = strcspn(p, ",; ");
		int rank = range == type_size && strncasecmp(p, type, range) == 0 ? 2
		           : range == major + 2 && strncasecmp(p, type, major + 1) == 0 &&
		                           p[range - 1] == '*'
		                   ? 1
		           : range == 3 && strncmp(p, "*/*", 3) == 0 ? 0
		                                                     : -1;
		if (rank > best) {
			best = rank;
			quality = 1.0;
			for (const char *q = p; q < p + n; q++)
				if (*q == ';' &&
				    strncasecmp(q + 1 + strspn(q + 1, " "), "q=", 2) == 0)
					quality = strtod(q + 3 + strspn(q + 1, " "), NULL);
		}
		p += n;
		p += strspn(p, ", ");
	}
	return quality;
}

static bool negotiate(request *r)
{
	const char *types = r->route->produces;
	if (types == NULL || r->accept == NULL)
		return true;
	double best = 0.0;
	size_t index = 0;
	for (const char *p = types; *p != 0; index++) {
		size_t n = strcspn(p, ",");
		double q = accept_quality(r->accept, p, n);
		if (q > best) {
			best = q;
			r->produce = index;
		}
		p += n + (p[n] == ',');
	}
	if (best > 0.0)
		return true;
	respond_problem(r, 406, "not-acceptable", NULL, "this path can answer with %s", types);
	return false;
}

static bool consumes(const route *t, const char *content_type)
{
	size_t n = strcspn(content_type, "; \t");
	for (const char *p = t->consumes; p != NULL && *p != 0;) {
		size_t k = strcspn(p, ",");
		if (k == n && strncasecmp(p, content_type, n) == 0)
			return true;
		p += k + (p[k] == ',');
	}
	return false;
}

bool router_check_body(request *r)
{
	const route *t = r->route;
	if (!negotiate(r))
		return false;
	if (r->announced == 0) {
		if (t->body_max == 0 || (t->flags & ROUTE_NO_BODY_NEEDED))
			return true;
		respond_problem(r, 400, "body-required", NULL, "this request needs a body (%s)",
		                t->consumes);
		return false;
	}
	if (t->body_max == 0) {
		respond_problem(r, 413, "body-not-expected", NULL, "this request takes no body");
		return false;
	}
	if (r->content_type == NULL || !consumes(t, r->content_type)) {
		respond_problem(r, 415, "unsupported-media-type", NULL, "the body must be %s",
		                t->consumes);
		return false;
	}
	if (r->announced != UINT64_MAX && r->announced > t->body_max) {
		respond_problem(r, 413, "body-too-large", NULL, "the body may have %zu bytes",
		                t->body_max);
		return false;
	}
	return true;
}
