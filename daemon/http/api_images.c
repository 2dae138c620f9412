/* The target images of a run: scores, pictures, probabilities. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "catalog/datasets.h"
#include "http/api.h"
#include "http/json_out.h"
#include "http/row_json.h"
#include "run/infer.h"
#include "store/run_files.h"

static void row_done(void *row)
{
	image_row_done(row);
}

static const char *const sort_names[] = {
	[IMAGE_SORT_CONFIDENCE] = "confidence",
	[IMAGE_SORT_CONFIDENCE_DESC] = "-confidence",
	[IMAGE_SORT_NAME] = "name",
};

/* What a cursor belongs to: the same list in the same order. The round is part of the cursor
 * itself, so that paging through the newest round stays in it when the next one is finished. */
static uint64_t filter_sum(const image_query *q)
{
	int64_t key[4] = {q->run, q->split, (int64_t)q->sort, q->class_id};
	return checksum64(1, key, sizeof key) & 0xffffffffu;
}

static json_t *make_cursor(const image_query *q, int64_t round, const image_row *last)
{
	uint64_t bits;
	char text[96];
	memcpy(&bits, &last->confidence, sizeof bits);
	(void)snprintf(text, sizeof text, "%llx-%llx-%llx-%llx", (unsigned long long)filter_sum(q),
	               (unsigned long long)round, (unsigned long long)last->index,
	               (unsigned long long)bits);
	return json_string(text);
}

/* False: answered with 400. The name that sorting by name needs comes from the data set. */
static bool use_cursor(request *r, image_query *q, int64_t target)
{
	const char *c = request_query(r, "cursor");
	if (c == NULL || c[0] == 0)
		return true;
	unsigned long long sum, round, index, bits;
	int end = 0;
	bool good = strlen(c) < 80 && strspn(c, "0123456789abcdef-") == strlen(c) &&
	            sscanf(c, "%llx-%llx-%llx-%llx%n", &sum, &round, &index, &bits, &end) == 4 &&
	            c[end] == 0 && sum == filter_sum(q) && round < 1u << 30 && index < 1ull << 40 &&
	            (q->round < 0 || q->round == (int64_t)round);
	dataset_image_row d;
	if (good && q->sort == IMAGE_SORT_NAME) {
		good = store_dataset_image(api_store(r), target, (int64_t)index, &d, NULL) == TP_OK;
		if (good) {
			(void)snprintf(q->after_name, sizeof q->after_name, "%s", d.name);
			dataset_image_row_done(&d);
		}
	}
	if (!good) {
		respond_problem(r, 400, "bad-cursor", NULL,
		                "this cursor was made for another list: start again without it");
		return false;
	}
	q->has_after = true;
	q->round = (int64_t)round;
	q->after_index = (int64_t)index;
	uint64_t value = bits;
	memcpy(&q->after_confidence, &value, sizeof value);
	return true;
}

static void parse_filter(const request *r, image_query *q)
{
	const char *split = request_query(r, "split"), *sort = request_query(r, "sort");
	q->run = r->param[0];
	q->round = request_query_int(r, "round", -1);
	q->split = split == NULL ? -1 : strcmp(split, "easy") == 0;
	q->sort = IMAGE_SORT_CONFIDENCE;
	for (size_t i = 0; sort != NULL && i < sizeof sort_names / sizeof *sort_names; i++)
		if (strcmp(sort, sort_names[i]) == 0)
			q->sort = (image_sort)i;
	int64_t class_id = request_query_int(r, "class", -1);
	q->class_id = class_id > 255 ? 255 : (int)class_id;
	q->limit = page_limit(r);
}

void api_images_list(request *r)
{
	run_row run;
	if (!api_get_run(r, &run))
		return;
	int64_t target = run.target;
	run_row_done(&run);
	image_query q = {0};
	parse_filter(r, &q);
	if (!use_cursor(r, &q, target))
		return;
	image_row *row = NULL;
	size_t n = 0;
	int64_t total = 0, round = 0;
	tp_err err = {0};
	tp_status st = store_image_query(api_store(r), &q, &row, &n, &total, &round, &err);
	if (st != TP_OK) {
		respond_error(r, st, &err);
		return;
	}
	json_t *items = json_array();
	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(items, image_json(&row[i], true));
	json_t *next = n == q.limit ? make_cursor(&q, round, &row[n - 1]) : json_null();
	respond_json(r, 200,
	             json_pack("{s:o, s:o, s:I, s:o}", "items", items, "next_cursor", next, "total",
	                       (json_int_t)total, "round",
	                       round < 0 ? json_null() : json_integer((json_int_t)round)));
	rows_done(row, n, sizeof *row, row_done);
}

/* Run and image of the path: the target's id and the image's row. False: answered. */
static bool get_image(request *r, int64_t index, int64_t *ret_target, dataset_image_row *ret)
{
	run_row run;
	if (!api_get_run(r, &run))
		return false;
	int64_t target = run.target;
	run_row_done(&run);
	tp_err err = {0};
	tp_status st = store_dataset_image(api_store(r), target, index, ret, &err);
	if (st != TP_OK) {
		respond_error(r, st, &err);
		return false;
	}
	*ret_target = target;
	return true;
}

void api_image_get(request *r)
{
	int64_t target;
	dataset_image_row d;
	if (!get_image(r, r->param[1], &target, &d))
		return;
	image_row *row = NULL;
	size_t n = 0;
	tp_err err = {0};
	tp_status st = store_image_history(api_store(r), r->param[0], r->param[1], &row, &n, &err);
	if (st != TP_OK) {
		respond_error(r, st, &err);
	} else {
		json_t *history = json_array();
		for (size_t i = 0; i < n; i++)
			(void)json_array_append_new(history, image_json(&row[i], false));
		respond_json(r, 200,
		             json_pack("{s:I, s:s, s:I, s:I, s:b, s:o}", "id", (json_int_t)d.index,
		                       "name", d.name, "width", (json_int_t)d.width, "height",
		                       (json_int_t)d.height, "labelled", (int)(d.label[0] != 0),
		                       "history", history));
		rows_done(row, n, sizeof *row, row_done);
	}
	dataset_image_row_done(&d);
}

static void respond_picture(request *r, tp_status st, void *png, size_t size, const tp_err *err)
{
	if (st != TP_OK) {
		respond_error(r, st, err);
		return;
	}
	respond_bytes(r, "image/png", png, size);
	r->answer.cache = "private, max-age=3600";
}

void api_image_thumb(request *r)
{
	int64_t target;
	dataset_image_row d;
	if (!get_image(r, r->param[1], &target, &d))
		return;
	dataset_image_row_done(&d);
	void *png = NULL;
	size_t size = 0;
	tp_err err = {0};
	tp_status st = datasets_thumb_png(api_store(r), api_dirfd(r), target, r->param[1], &png,
	                                  &size, &err);
	respond_picture(r, st, png, size, &err);
}

void api_image_layer(request *r)
{
	layer l;
	if (!layer_parse(r->word, &l)) {
		respond_problem(r, 404, "no-such-layer", NULL,
		                "the layers are image, prediction, pseudo_confident, pseudo_voted, "
		                "pseudo_final, origin and confidence");
		return;
	}
	int64_t target;
	dataset_image_row d;
	if (!get_image(r, r->param[2], &target, &d))
		return;
	dataset_image_row_done(&d);
	if (l == LAYER_IMAGE) {
		void *png = NULL;
		size_t size = 0;
		tp_err err = {0};
		tp_status st =
			datasets_image_png(api_store(r), target, r->param[2], &png, &size, &err);
		respond_picture(r, st, png, size, &err);
		return;
	}
	char name[RUN_FILE_MAX];
	run_layer_file(r->param[0], r->param[1], r->param[2], l, name);
	respond_file(r, api_dirfd(r), name, "image/png", NULL, false, "this layer of this round");
}

void api_image_probabilities(request *r)
{
	int64_t target;
	dataset_image_row d;
	if (!get_image(r, r->param[2], &target, &d))
		return;
	dataset_image_row_done(&d);
	void *npy = NULL;
	size_t size = 0;
	tp_err err = {0};
	tp_status st = infer_round_npy(api_store(r), api_dirfd(r), r->param[0], r->param[1],
	                               r->param[2], &npy, &size, &err);
	if (st != TP_OK)
		respond_error(r, st, &err);
	else
		respond_bytes(r, "application/x-npy", npy, size);
}
