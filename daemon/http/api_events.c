/* GET /events: opens a stream, or lists stored events as JSON. */
#include <stdlib.h>
#include <string.h>

#include "http/api.h"
#include "http/json_out.h"
#include "http/row_json.h"

static void event_done(void *row)
{
	event_row_done(row);
}

static void list(request *r, int64_t run, int64_t after)
{
	event_row *row = NULL;
	size_t n = 0, limit = page_limit(r);
	tp_err err = {0};
	tp_status st = store_event_list(api_store(r), after, run, limit, &row, &n, &err);
	if (st != TP_OK) {
		respond_error(r, st, &err);
		return;
	}
	json_t *items = json_array();
	for (size_t i = 0; i < n; i++) {
		json_t *e = event_json(&row[i]);
		(void)json_object_set_new(e, "id", json_integer((json_int_t)row[i].id));
		(void)json_object_set_new(e, "type", json_string(row[i].type));
		(void)json_array_append_new(items, e);
	}
	respond_json(r, 200, page_json(items, n == limit ? row[n - 1].id : -1));
	rows_done(row, n, sizeof *row, event_done);
}

/* Where to begin: Last-Event-ID (a client that lost its connection) before ?after= or a list's
 * cursor. -1: at the end. False: answered. */
static bool parse_after(request *r, int64_t *ret)
{
	const char *v = r->last_event_id, *query = request_query(r, "after"),
		   *cursor = request_query(r, "cursor");
	if (v == NULL)
		v = cursor != NULL ? cursor : query;
	*ret = -1;
	if (v == NULL)
		return true;
	size_t n = strlen(v);
	if (n == 0 || n > 18 || strspn(v, "0123456789") != n) {
		respond_problem(r, 400, "bad-query", NULL,
		                "the id of the last event must be a decimal number");
		return false;
	}
	*ret = strtoll(v, NULL, 10);
	return true;
}

void api_events(request *r)
{
	int64_t run = request_query_int(r, "run", 0), after;
	if (!parse_after(r, &after))
		return;
	run_row row;
	tp_err err = {0};
	tp_status st = TP_OK;
	if (run > 0 && (st = store_run_get(api_store(r), run, &row, &err)) == TP_OK)
		run_row_done(&row);
	if (st == TP_OK && r->produce == 1) {
		list(r, run, after < 0 ? 0 : after);
		return;
	}
	if (st == TP_OK && after < 0)
		st = store_event_last(api_store(r), &after, &err);
	if (st != TP_OK) {
		respond_error(r, st, &err);
		return;
	}
	respond_empty(r, 200);
	r->answer.type = "text/event-stream";
	r->answer.stream = true;
	r->answer.stream_run = run;
	r->answer.stream_after = after;
}
