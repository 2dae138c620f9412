#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/api.h"

size_t page_limit(const request *r)
{
	int64_t limit = request_query_int(r, "limit", PAGE_DEFAULT);
	return limit < 1 ? 1 : limit > PAGE_MAX ? PAGE_MAX : (size_t)limit;
}

bool page_after_id(request *r, int64_t *ret_after)
{
	const char *c = request_query(r, "cursor");
	*ret_after = 0;
	if (c == NULL || c[0] == 0)
		return true;
	size_t n = strlen(c);
	if (n > 18 || strspn(c, "0123456789") != n) {
		respond_problem(r, 400, "bad-cursor", NULL,
		                "this cursor was not made by this list");
		return false;
	}
	*ret_after = strtoll(c, NULL, 10);
	return true;
}

json_t *page_json(json_t *items, int64_t last_id)
{
	char cursor[24];
	(void)snprintf(cursor, sizeof cursor, "%lld", (long long)last_id);
	return json_pack("{s:o, s:o}", "items", items, "next_cursor",
	                 last_id < 0 ? json_null() : json_string(cursor));
}
