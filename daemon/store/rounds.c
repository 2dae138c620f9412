#include <stdlib.h>

#include "store/store_private.h"

#define ROUND_COLUMNS                                                                              \
	"run, stage, round, phase, portion, thresholds, confident, voted, soft, ignored, easy,"    \
	" hard, pseudo_accuracy, class_stats"

void round_row_done(round_row *r)
{
	free(r->phase);
	free(r->thresholds);
	free(r->class_stats);
	*r = (round_row){0};
}

static void done(void *row)
{
	round_row_done(row);
}

static void read_row(stmt *q, void *row)
{
	round_row *r = row;
	r->run = get_int(q);
	r->stage = get_int(q);
	r->round = get_int(q);
	r->phase = get_text(q);
	r->portion = get_real(q);
	r->thresholds = get_text(q);
	r->confident = get_real(q);
	r->voted = get_real(q);
	r->soft = get_real(q);
	r->ignored = get_real(q);
	r->easy = get_int(q);
	r->hard = get_int(q);
	r->pseudo_accuracy = get_real(q);
	r->class_stats = get_text(q);
}

static tp_status insert_round(db *d, const round_row *r, tp_err *err)
{
	stmt q = stmt_open(d,
	                   "INSERT INTO round (" ROUND_COLUMNS
	                   ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	                   err);
	put_int(&q, r->run);
	put_int(&q, r->stage);
	put_int(&q, r->round);
	put_text(&q, r->phase);
	put_real(&q, r->portion);
	put_text(&q, r->thresholds);
	put_real(&q, r->confident);
	put_real(&q, r->voted);
	put_real(&q, r->soft);
	put_real(&q, r->ignored);
	put_int(&q, r->easy);
	put_int(&q, r->hard);
	put_real(&q, r->pseudo_accuracy);
	put_text(&q, r->class_stats);
	return stmt_run(&q, "add the round");
}

static tp_status insert_image(db *d, int64_t run, int64_t round, const image_row *m, tp_err *err)
{
	stmt q = stmt_open(
		d,
		"INSERT INTO image_score (run, round, idx, confidence, entropy, easy, rank,"
		" confident, voted, soft, ignored, class_confidence)"
		" VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
		err);
	put_int(&q, run);
	put_int(&q, round);
	put_int(&q, m->index);
	put_real(&q, m->confidence);
	put_real(&q, m->entropy);
	put_int(&q, m->easy);
	put_int(&q, m->rank);
	put_real(&q, m->confident);
	put_real(&q, m->voted);
	put_real(&q, m->soft);
	put_real(&q, m->ignored);
	put_text(&q, m->class_confidence);
	return stmt_run(&q, "add an image's score");
}

tp_status store_round_add(store *s, const round_row *r, const image_row *image, size_t images,
                          const round_audit_row *audit, tp_err *err)
{
	db *d;
	tp_status st = writer_enter(s, &d, err);
	if (st != TP_OK)
		return st;
	st = run_require(d, r->run, err);
	if (st == TP_OK)
		st = insert_round(d, r, err);
	for (size_t i = 0; i < images && st == TP_OK; i++)
		st = insert_image(d, r->run, r->round, &image[i], err);
	if (st == TP_OK && audit != NULL)
		st = audit_insert(d, r->run, r->round, audit, err);
	return writer_leave(d, st, err);
}

tp_status store_round_list(store *s, int64_t run, round_row **ret, size_t *ret_n, tp_err *err)
{
	db *d = reader_enter(s);
	stmt q = stmt_open(d, "SELECT " ROUND_COLUMNS " FROM round WHERE run = ? ORDER BY round",
	                   err);
	put_int(&q, run);
	tp_status st = stmt_collect(&q, read_row, done, sizeof **ret, (void **)ret, ret_n);
	db_leave(d);
	return st;
}
