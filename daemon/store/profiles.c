#include <stdlib.h>

#include "store/store_private.h"

#define PROFILE_COLUMNS                                                                            \
	"run, stage, round, phase, steps, crop_h, crop_w, threads, kernels, sgemm_gflops, seconds," \
	" layers, outside"

void profile_row_done(profile_row *r)
{
	free(r->phase);
	free(r->kernels);
	free(r->layers);
	free(r->outside);
	*r = (profile_row){0};
}

static void done(void *row)
{
	profile_row_done(row);
}

static void read_row(stmt *q, void *row)
{
	profile_row *r = row;
	r->run = get_int(q);
	r->stage = get_int(q);
	r->round = get_int(q);
	r->phase = get_text(q);
	r->steps = get_int(q);
	r->crop_h = get_int(q);
	r->crop_w = get_int(q);
	r->threads = get_int(q);
	r->kernels = get_text(q);
	r->sgemm_gflops = get_real(q);
	r->seconds = get_real(q);
	r->layers = get_text(q);
	r->outside = get_text(q);
}

static tp_status put(db *d, const profile_row *r, tp_err *err)
{
	stmt q = stmt_open(d,
	                   "INSERT INTO profile (" PROFILE_COLUMNS ")"
	                   " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"
	                   " ON CONFLICT (run, stage) DO UPDATE SET steps = excluded.steps,"
	                   " crop_h = excluded.crop_h, crop_w = excluded.crop_w,"
	                   " threads = excluded.threads, kernels = excluded.kernels,"
	                   " sgemm_gflops = excluded.sgemm_gflops, seconds = excluded.seconds,"
	                   " layers = excluded.layers, outside = excluded.outside"
	                   " WHERE excluded.steps >= steps",
	                   err);
	put_int(&q, r->run);
	put_int(&q, r->stage);
	put_int(&q, r->round);
	put_text(&q, r->phase);
	put_int(&q, r->steps);
	put_int(&q, r->crop_h);
	put_int(&q, r->crop_w);
	put_int(&q, r->threads);
	put_text(&q, r->kernels);
	put_real(&q, r->sgemm_gflops);
	put_real(&q, r->seconds);
	put_text(&q, r->layers);
	put_text(&q, r->outside);
	return stmt_run(&q, "keep the profile");
}

tp_status store_profile_put(store *s, const profile_row *r, tp_err *err)
{
	db *d;
	tp_status st = writer_enter(s, &d, err);
	if (st != TP_OK)
		return st;
	st = run_require(d, r->run, err);
	if (st == TP_OK)
		st = put(d, r, err);
	return writer_leave(d, st, err);
}

tp_status store_profile_get(store *s, int64_t run, int64_t round, profile_row *ret, tp_err *err)
{
	db *d = reader_enter(s);
	stmt q = stmt_open(d,
	                   round < -1 ? "SELECT " PROFILE_COLUMNS
	                                " FROM profile WHERE run = ? ORDER BY stage DESC LIMIT 1"
	                              : "SELECT " PROFILE_COLUMNS
	                                " FROM profile WHERE run = ? AND round = ?"
	                                " ORDER BY stage DESC LIMIT 1",
	                   err);
	put_int(&q, run);
	if (round >= -1)
		put_int(&q, round);
	tp_status st = stmt_one(&q, read_row, done, sizeof *ret, ret, "profile");
	db_leave(d);
	return st;
}
