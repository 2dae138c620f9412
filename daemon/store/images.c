/* images: the scores of target images, queried page by page. The SQL text is put together from
 * fixed pieces only; values are always bound. */
#include <stdio.h>
#include <stdlib.h>

#include "store/store_private.h"

#define SELECT_IMAGES                                                                              \
	"SELECT i.round, i.idx, n.name, i.confidence, i.entropy, i.easy, i.rank, i.confident,"     \
	" i.voted, i.soft, i.ignored, i.class_confidence FROM image_score AS i"                    \
	" JOIN run AS r ON r.id = i.run"                                                           \
	" LEFT JOIN dataset_image AS n ON n.dataset = r.target AND n.idx = i.idx"

void image_row_done(image_row *r)
{
	free(r->name);
	free(r->class_confidence);
	*r = (image_row){0};
}

static void done(void *row)
{
	image_row_done(row);
}

static void read_row(stmt *q, void *row)
{
	image_row *r = row;
	r->round = get_int(q);
	r->index = get_int(q);
	r->name = get_text(q);
	r->confidence = get_real(q);
	r->entropy = get_real(q);
	r->easy = get_int(q) != 0;
	r->rank = get_int(q);
	r->confident = get_real(q);
	r->voted = get_real(q);
	r->soft = get_real(q);
	r->ignored = get_real(q);
	r->class_confidence = get_text(q);
}

/* The conditions of a query without its cursor. A condition that is not wanted is absent, so that
 * the indexes serve each combination. Parameters everywhere: ?1 run, ?2 round, ?3 split, ?4 class,
 * ?5 and ?6 the cursor, ?7 limit. */
static void where(const image_query *q, char *sql, size_t size)
{
	(void)snprintf(
		sql, size, " WHERE i.run = ?1 AND i.round = ?2%s%s",
		q->split < 0 ? "" : " AND i.easy = ?3",
		q->class_id < 0 ?
			"" :
			" AND json_extract(i.class_confidence, '$[' || ?4 || ']') IS NOT NULL");
}

static void bind_query(stmt *q, const image_query *want, int64_t round)
{
	put_int_at(q, 1, want->run);
	put_int_at(q, 2, round);
	put_int_at(q, 3, want->split);
	put_int_at(q, 4, want->class_id);
	put_real_at(q, 5, want->after_confidence);
	put_int_at(q, 6, want->after_index);
	put_int_at(q, 7, (int64_t)want->limit);
}

/* Which round is meant: -1 (none) stays when nothing has been scored yet. */
static tp_status find_round(db *d, const image_query *want, int64_t *ret, tp_err *err)
{
	tp_status st = run_require(d, want->run, err);
	if (st != TP_OK)
		return st;
	int64_t round = -1;
	stmt q = stmt_open(d,
	                   want->round < 0 ?
	                           "SELECT coalesce(max(round), -1) FROM round WHERE run = ?" :
	                           "SELECT round FROM round WHERE run = ? AND round = ?",
	                   err);
	put_int(&q, want->run);
	if (want->round >= 0)
		put_int(&q, want->round);
	st = stmt_int(&q, -1, &round);
	if (st == TP_OK && round < 0 && want->round >= 0)
		st = tp_fail(err, TP_NOTFOUND, 0, "round %lld has not been scored",
		             (long long)want->round);
	if (st == TP_OK)
		*ret = round;
	return st;
}

static tp_status count(db *d, const image_query *want, int64_t round, int64_t *ret, tp_err *err)
{
	char sql[512] = "SELECT count(*) FROM image_score AS i";
	size_t at = sizeof "SELECT count(*) FROM image_score AS i" - 1;
	where(want, sql + at, sizeof sql - at);
	stmt q = stmt_open(d, sql, err);
	bind_query(&q, want, round);
	return stmt_int(&q, 0, ret);
}

/* Order and cursor of each sort: equal confidences follow the index, and the cursor says so too. */
static const struct {
	const char *after, *order;
} sorts[] = {
	[IMAGE_SORT_CONFIDENCE] = {
		" AND (i.confidence, i.idx) > (?5, ?6)",
		" ORDER BY i.confidence, i.idx",
	},
	[IMAGE_SORT_CONFIDENCE_DESC] = {
		" AND i.confidence <= ?5 AND (i.confidence < ?5 OR i.idx > ?6)",
		" ORDER BY i.confidence DESC, i.idx",
	},
	[IMAGE_SORT_NAME] = { /* the index is the position in name order */
		" AND i.idx > ?6",
		" ORDER BY i.idx",
	},
};

static tp_status page(db *d, const image_query *want, int64_t round, image_row **ret, size_t *ret_n,
                      tp_err *err)
{
	char sql[1024], conditions[256];
	where(want, conditions, sizeof conditions);
	(void)snprintf(sql, sizeof sql, SELECT_IMAGES "%s%s%s LIMIT ?7", conditions,
	               want->has_after ? sorts[want->sort].after : "", sorts[want->sort].order);
	stmt q = stmt_open(d, sql, err);
	bind_query(&q, want, round);
	return stmt_collect(&q, read_row, done, sizeof **ret, (void **)ret, ret_n);
}

static tp_status query(db *d, const image_query *want, image_row **ret, size_t *ret_n,
                       int64_t *ret_total, int64_t *ret_round, tp_err *err)
{
	int64_t round = -1, total = 0;
	image_row *rows = NULL;
	size_t n = 0;
	tp_status st = find_round(d, want, &round, err);
	if (st == TP_OK && round >= 0)
		st = count(d, want, round, &total, err);
	if (st == TP_OK && round >= 0)
		st = page(d, want, round, &rows, &n, err);
	if (st != TP_OK)
		return st;
	*ret = rows;
	*ret_n = n;
	*ret_total = total;
	*ret_round = round;
	return TP_OK;
}

tp_status store_image_query(store *s, const image_query *want, image_row **ret, size_t *ret_n,
                            int64_t *ret_total, int64_t *ret_round, tp_err *err)
{
	db *d;
	tp_status st = snapshot_enter(s, &d, err);
	if (st != TP_OK)
		return st;
	st = query(d, want, ret, ret_n, ret_total, ret_round, err);
	snapshot_leave(d);
	return st;
}

tp_status store_image_history(store *s, int64_t run, int64_t index, image_row **ret, size_t *ret_n,
                              tp_err *err)
{
	db *d = reader_enter(s);
	int64_t known;
	stmt q = stmt_open(d,
	                   "SELECT count(*) FROM run AS r JOIN dataset_image AS n"
	                   " ON n.dataset = r.target AND n.idx = ?2 WHERE r.id = ?1",
	                   err);
	put_int(&q, run);
	put_int(&q, index);
	tp_status st = stmt_int(&q, 0, &known);
	if (st == TP_OK && known == 0)
		st = tp_fail(err, TP_NOTFOUND, 0, "no such image of a run");
	if (st == TP_OK) {
		q = stmt_open(d, SELECT_IMAGES " WHERE i.run = ? AND i.idx = ? ORDER BY i.round",
		              err);
		put_int(&q, run);
		put_int(&q, index);
		st = stmt_collect(&q, read_row, done, sizeof **ret, (void **)ret, ret_n);
	}
	db_leave(d);
	return st;
}
