#include <stdlib.h>

#include "catalog/datasets.h"
#include "http/api.h"
#include "http/json_out.h"
#include "http/row_json.h"

static void done(void *row)
{
	dataset_row_done(row);
}

static bool get(request *r, int64_t id, dataset_row *ret)
{
	tp_err err = {0};
	tp_status st = store_dataset_get(api_store(r), id, ret, &err);
	if (st != TP_OK)
		respond_error(r, st, &err);
	return st == TP_OK;
}

void api_datasets_list(request *r)
{
	int64_t after;
	if (!page_after_id(r, &after))
		return;
	dataset_row *row = NULL;
	size_t n = 0, limit = page_limit(r);
	tp_err err = {0};
	tp_status st = store_dataset_list(api_store(r), after, limit, &row, &n, &err);
	if (st != TP_OK) {
		respond_error(r, st, &err);
		return;
	}
	json_t *items = json_array();
	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(items, dataset_json(&row[i]));
	respond_json(r, 200, page_json(items, n == limit ? row[n - 1].id : -1));
	rows_done(row, n, sizeof *row, done);
}

void api_dataset_add(request *r)
{
	json_t *body = request_json(r);
	if (body == NULL)
		return;
	int64_t id;
	tp_err err = {0};
	tp_status st = datasets_register(api_store(r), r->server->deps.config, body, &id, &err);
	json_decref(body);
	dataset_row d;
	if (st == TP_NOTFOUND) {
		/* Of something the body names: the path of the request itself exists. */
		respond_problem(r, 422, "not-found", NULL, "%s", err.text);
	} else if (st != TP_OK) {
		respond_error(r, st, &err);
	} else if (get(r, id, &d)) {
		respond_json(r, 201, dataset_json(&d));
		response_header(r, "Location", "/api/v1/datasets/%lld", (long long)id);
		dataset_row_done(&d);
	}
}

void api_dataset_get(request *r)
{
	dataset_row d;
	if (!get(r, r->param[0], &d))
		return;
	respond_json(r, 200, dataset_json(&d));
	dataset_row_done(&d);
}

void api_dataset_delete(request *r)
{
	tp_err err = {0};
	tp_status st = store_dataset_delete(api_store(r), r->param[0], &err);
	if (st != TP_OK)
		respond_error(r, st, &err);
	else
		respond_empty(r, 204);
}

void api_dataset_images(request *r)
{
	int64_t after;
	const char *cursor = request_query(r, "cursor");
	if (!page_after_id(r, &after))
		return;
	dataset_image_row *row = NULL;
	size_t n = 0, limit = page_limit(r);
	tp_err err = {0};
	tp_status st = store_dataset_images(api_store(r), r->param[0], &row, &n, &err);
	if (st != TP_OK) {
		respond_error(r, st, &err);
		return;
	}
	/* Indices count from 0, so "after index 0" differs from "from the start". */
	size_t first = cursor != NULL && cursor[0] != 0 ? (size_t)after + 1 : 0, i = first;
	json_t *items = json_array();
	for (; i < n && i - first < limit; i++)
		(void)json_array_append_new(items,
		                            json_pack("{s:I, s:s, s:I, s:I, s:b}", "id",
		                                      (json_int_t)row[i].index, "name", row[i].name,
		                                      "width", (json_int_t)row[i].width, "height",
		                                      (json_int_t)row[i].height, "labelled",
		                                      (int)(row[i].label[0] != 0)));
	json_t *page = page_json(items, i < n && i > first ? (int64_t)i - 1 : -1);
	(void)json_object_set_new(page, "total", json_integer((json_int_t)n));
	respond_json(r, 200, page);
	for (size_t k = 0; k < n; k++)
		dataset_image_row_done(&row[k]);
	free(row);
}

static void respond_picture(request *r, tp_status st, void *png, size_t size, const tp_err *err)
{
	if (st != TP_OK) {
		respond_error(r, st, err);
		return;
	}
	respond_bytes(r, "image/png", png, size);
	/* Data set ids are never used twice, and its files are not to change while it is
	 * registered. */
	r->answer.cache = "private, max-age=3600";
}

void api_dataset_thumb(request *r)
{
	void *png = NULL;
	size_t size = 0;
	tp_err err = {0};
	tp_status st = datasets_thumb_png(api_store(r), api_dirfd(r), r->param[0], r->param[1],
	                                  &png, &size, &err);
	respond_picture(r, st, png, size, &err);
}

void api_dataset_image(request *r)
{
	void *png = NULL;
	size_t size = 0;
	tp_err err = {0};
	tp_status st =
		datasets_image_png(api_store(r), r->param[0], r->param[1], &png, &size, &err);
	respond_picture(r, st, png, size, &err);
}
