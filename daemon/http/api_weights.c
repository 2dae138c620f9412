#include <stdlib.h>
#include <string.h>

#include "catalog/weights.h"
#include "http/api.h"
#include "http/json_out.h"
#include "http/row_json.h"
#include "run/infer.h"

static void done(void *row)
{
	weights_row_done(row);
}

void api_weights_list(request *r)
{
	int64_t after;
	if (!page_after_id(r, &after))
		return;
	weights_row *row = NULL;
	size_t n = 0, limit = page_limit(r);
	tp_err err = {0};
	tp_status st = store_weights_list(api_store(r), after, limit, &row, &n, &err);
	if (st != TP_OK) {
		respond_error(r, st, &err);
		return;
	}
	json_t *items = json_array();
	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(items, weights_json(&row[i]));
	respond_json(r, 200, page_json(items, n == limit ? row[n - 1].id : -1));
	rows_done(row, n, sizeof *row, done);
}

static void respond_weights(request *r, int status, int64_t id)
{
	weights_row w;
	tp_err err = {0};
	tp_status st = store_weights_get(api_store(r), id, &w, &err);
	if (st != TP_OK) {
		respond_error(r, st, &err);
		return;
	}
	respond_json(r, status, weights_json(&w));
	weights_row_done(&w);
}

void api_weights_get(request *r)
{
	respond_weights(r, 200, r->param[0]);
}

/* "6,12,18,24" -> branches; false when it is no such list. */
static bool parse_dilations(const char *text, weights_request *w)
{
	w->aspp_branches = 0;
	for (const char *p = text;;) {
		char *end;
		if (*p < '0' || *p > '9' || w->aspp_branches == ASPP_MAX_BRANCHES)
			return false;
		w->aspp_dilations[w->aspp_branches++] = strtoul(p, &end, 10);
		if (*end == 0)
			return true;
		if (*end != ',')
			return false;
		p = end + 1;
	}
}

static bool parse_request(request *r, weights_request *w)
{
	const char *name = request_query(r, "name"), *arch = request_query(r, "arch"),
		   *dilations = request_query(r, "aspp_dilations");
	if (name == NULL || arch == NULL) {
		respond_problem(r, 400, "bad-query", NULL,
		                "the parameters name and arch are required");
		return false;
	}
	w->name = name;
	w->output_stride = (size_t)request_query_int(r, "output_stride", 8);
	if (!net_arch_parse(arch, &w->arch)) {
		respond_problem(r, 400, "bad-query", NULL, "arch '%.60s' is not known", arch);
		return false;
	}
	if (!parse_dilations(dilations != NULL ? dilations : "6,12,18,24", w)) {
		respond_problem(r, 400, "bad-query", NULL,
		                "aspp_dilations must be at most %d numbers like 6,12,18,24",
		                ASPP_MAX_BRANCHES);
		return false;
	}
	return true;
}

void api_weights_add(request *r)
{
	weights_request w;
	if (!parse_request(r, &w))
		return;
	char file[sizeof r->body_file];
	memcpy(file, r->body_file, sizeof file);
	r->body_file[0] = 0; /* moved or removed by the catalog */
	int64_t id;
	tp_err err = {0};
	tp_status st = catalog_weights_add(api_store(r), api_dirfd(r), &w, file, &id, &err);
	if (st == TP_CORRUPT) {
		/* The client's file, not one of ours. */
		respond_problem(r, 422, "damaged-file", NULL, "%s", err.text);
	} else if (st != TP_OK) {
		respond_error(r, st, &err);
	} else {
		respond_weights(r, 201, id);
		response_header(r, "Location", "/api/v1/weights/%lld", (long long)id);
	}
}

void api_weights_infer(request *r)
{
	api_infer(r, infer_weights);
}
