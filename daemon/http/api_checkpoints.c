#include <stdio.h>

#include "http/api.h"
#include "http/json_out.h"
#include "http/row_json.h"
#include "run/infer.h"

static void done(void *row)
{
	checkpoint_row_done(row);
}

void api_checkpoints_list(request *r)
{
	int64_t after;
	run_row run;
	if (!page_after_id(r, &after) || !api_get_run(r, &run))
		return;
	run_row_done(&run);
	checkpoint_row *row = NULL;
	size_t n = 0, limit = page_limit(r);
	tp_err err = {0};
	tp_status st =
		store_checkpoint_list(api_store(r), r->param[0], after, limit, &row, &n, &err);
	if (st != TP_OK) {
		respond_error(r, st, &err);
		return;
	}
	json_t *items = json_array();
	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(items, checkpoint_json(&row[i]));
	respond_json(r, 200, page_json(items, n == limit ? row[n - 1].id : -1));
	rows_done(row, n, sizeof *row, done);
}

/* Public checkpoints only: those to resume from are the trainer's own. */
static bool get(request *r, checkpoint_row *ret)
{
	tp_err err = {0};
	tp_status st = store_checkpoint_get(api_store(r), r->param[0], ret, &err);
	if (st == TP_OK && ret->resume) {
		checkpoint_row_done(ret);
		st = tp_fail(&err, TP_NOTFOUND, 0, "there is no checkpoint %lld",
		             (long long)r->param[0]);
	}
	if (st != TP_OK)
		respond_error(r, st, &err);
	return st == TP_OK;
}

void api_checkpoint_get(request *r)
{
	checkpoint_row c;
	if (!get(r, &c))
		return;
	respond_json(r, 200, checkpoint_json(&c));
	checkpoint_row_done(&c);
}

void api_checkpoint_file(request *r)
{
	checkpoint_row c;
	if (!get(r, &c))
		return;
	respond_file(r, api_dirfd(r), c.file, "application/octet-stream", c.sha256, true,
	             "the checkpoint's file");
	if (r->answer.status == 200 || r->answer.status == 206)
		response_header(r, "Content-Disposition",
		                "attachment; filename=\"run-%lld-step-%lld.safetensors\"",
		                (long long)c.run, (long long)c.step);
	checkpoint_row_done(&c);
}

void api_infer(request *r, infer_call *infer)
{
	infer_format format = r->produce == 1 ? INFER_NPY : INFER_PALETTE_PNG;
	void *data = NULL;
	size_t size = 0;
	tp_err err = {0};
	tp_status st = infer(api_store(r), api_dirfd(r), r->param[0], r->body, r->body_size, format,
	                     &data, &size, &err);
	if (st == TP_CORRUPT)
		respond_problem(r, 422, "damaged-file", NULL, "%s", err.text);
	else if (st != TP_OK)
		respond_error(r, st, &err);
	else
		respond_bytes(r, format == INFER_NPY ? "application/x-npy" : "image/png", data,
		              size);
}

void api_checkpoint_infer(request *r)
{
	api_infer(r, infer_checkpoint);
}
