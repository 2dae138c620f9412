#include <stdlib.h>

#include "store/store_private.h"

#define EVALUATION_COLUMNS "run, stage, round, step, phase, miou, iou, confusion"

void evaluation_row_done(evaluation_row *r)
{
	free(r->phase);
	free(r->iou);
	free(r->confusion);
	*r = (evaluation_row){0};
}

static void done(void *row)
{
	evaluation_row_done(row);
}

static void read_row(stmt *q, void *row)
{
	evaluation_row *r = row;
	r->run = get_int(q);
	r->stage = get_int(q);
	r->round = get_int(q);
	r->step = get_int(q);
	r->phase = get_text(q);
	r->miou = get_real(q);
	r->iou = get_text(q);
	r->confusion = get_text(q);
}

tp_status run_update_miou(db *d, int64_t run, tp_err *err)
{
	stmt q = stmt_open(
		d,
		"UPDATE run SET"
		" miou_source = coalesce((SELECT miou FROM evaluation WHERE run = ?1"
		"  AND round = -1 ORDER BY stage LIMIT 1), -1.0),"
		" miou_current = coalesce((SELECT miou FROM evaluation WHERE run = ?1"
		"  ORDER BY stage DESC LIMIT 1), -1.0),"
		" miou_best = coalesce((SELECT max(miou) FROM evaluation WHERE run = ?1), -1.0)"
		" WHERE id = ?1",
		err);
	put_int(&q, run);
	return stmt_run(&q, "update the run's mIoU");
}

tp_status store_evaluation_add(store *s, const evaluation_row *e, tp_err *err)
{
	db *d;
	tp_status st = writer_enter(s, &d, err);
	if (st != TP_OK)
		return st;
	st = run_require(d, e->run, err);
	if (st == TP_OK) {
		stmt q = stmt_open(d,
		                   "INSERT INTO evaluation (" EVALUATION_COLUMNS ")"
		                   " VALUES (?,?,?,?,?,?,?,?)",
		                   err);
		put_int(&q, e->run);
		put_int(&q, e->stage);
		put_int(&q, e->round);
		put_int(&q, e->step);
		put_text(&q, e->phase);
		put_real(&q, e->miou);
		put_text(&q, e->iou);
		put_text(&q, e->confusion);
		st = stmt_run(&q, "add the evaluation");
	}
	if (st == TP_OK)
		st = run_update_miou(d, e->run, err);
	return writer_leave(d, st, err);
}

tp_status store_evaluation_list(store *s, int64_t run, evaluation_row **ret, size_t *ret_n,
                                tp_err *err)
{
	db *d = reader_enter(s);
	stmt q = stmt_open(d,
	                   "SELECT " EVALUATION_COLUMNS
	                   " FROM evaluation WHERE run = ? ORDER BY stage",
	                   err);
	put_int(&q, run);
	tp_status st = stmt_collect(&q, read_row, done, sizeof **ret, (void **)ret, ret_n);
	db_leave(d);
	return st;
}

tp_status store_evaluation_get(store *s, int64_t run, int64_t round, evaluation_row *ret,
                               tp_err *err)
{
	db *d = reader_enter(s);
	stmt q = stmt_open(d,
	                   round < -1 ?
	                           "SELECT " EVALUATION_COLUMNS
	                           " FROM evaluation WHERE run = ? ORDER BY stage DESC LIMIT 1" :
	                           "SELECT " EVALUATION_COLUMNS
	                           " FROM evaluation WHERE run = ? AND round = ?"
	                           " ORDER BY stage DESC LIMIT 1",
	                   err);
	put_int(&q, run);
	if (round >= -1)
		put_int(&q, round);
	tp_status st = stmt_one(&q, read_row, done, sizeof *ret, ret, "evaluation");
	db_leave(d);
	return st;
}
