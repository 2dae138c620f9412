#include <stdlib.h>

#include "store/store_private.h"

#define WEIGHTS_COLUMNS "id, name, arch, sha256, file, spec, whole, tensors, bytes, created_ms"

void weights_row_done(weights_row *r)
{
	free(r->name);
	free(r->arch);
	free(r->sha256);
	free(r->file);
	free(r->spec);
	*r = (weights_row){0};
}

static void done(void *row)
{
	weights_row_done(row);
}

static void read_row(stmt *q, void *row)
{
	weights_row *r = row;
	r->id = get_int(q);
	r->name = get_text(q);
	r->arch = get_text(q);
	r->sha256 = get_text(q);
	r->file = get_text(q);
	r->spec = get_text(q);
	r->whole = get_int(q) != 0;
	r->tensors = get_int(q);
	r->bytes = get_int(q);
	r->created_ms = get_int(q);
}

static tp_status insert(db *d, const weights_row *w, int64_t *ret_id, tp_err *err)
{
	int64_t taken;
	stmt q = stmt_open(d, "SELECT id FROM weights WHERE name = ?", err);
	put_text(&q, w->name);
	tp_status st = stmt_int(&q, 0, &taken);
	if (st != TP_OK)
		return st;
	if (taken != 0)
		return tp_fail(err, TP_EXISTS, 0, "weights named %.200s exist already", w->name);
	q = stmt_open(d,
	              "INSERT INTO weights (name, arch, sha256, file, spec, whole, tensors, bytes,"
	              " created_ms) VALUES (?,?,?,?,?,?,?,?,?)",
	              err);
	put_text(&q, w->name);
	put_text(&q, w->arch);
	put_text(&q, w->sha256);
	put_text(&q, w->file);
	put_text(&q, w->spec);
	put_int(&q, w->whole);
	put_int(&q, w->tensors);
	put_int(&q, w->bytes);
	put_int(&q, time_or_now(w->created_ms));
	st = stmt_run(&q, "add the weights");
	*ret_id = sqlite3_last_insert_rowid(d->handle);
	return st;
}

tp_status store_weights_add(store *s, const weights_row *w, int64_t *ret_id, tp_err *err)
{
	db *d;
	tp_status st = writer_enter(s, &d, err);
	if (st != TP_OK)
		return st;
	int64_t id = 0;
	st = insert(d, w, &id, err);
	st = writer_leave(d, st, err);
	if (st == TP_OK)
		*ret_id = id;
	return st;
}

tp_status store_weights_get(store *s, int64_t id, weights_row *ret, tp_err *err)
{
	db *d = reader_enter(s);
	stmt q = stmt_open(d, "SELECT " WEIGHTS_COLUMNS " FROM weights WHERE id = ?", err);
	put_int(&q, id);
	tp_status st = stmt_one(&q, read_row, done, sizeof *ret, ret, "weights");
	db_leave(d);
	return st;
}

tp_status store_weights_find(store *s, const char *name, weights_row *ret, tp_err *err)
{
	db *d = reader_enter(s);
	stmt q = stmt_open(d,
	                   "SELECT " WEIGHTS_COLUMNS " FROM weights"
	                   " WHERE name = ?1 OR CAST(id AS TEXT) = ?1"
	                   " ORDER BY name = ?1 DESC LIMIT 1",
	                   err);
	put_text(&q, name);
	tp_status st = stmt_one(&q, read_row, done, sizeof *ret, ret, "weights");
	db_leave(d);
	return st;
}

tp_status store_weights_list(store *s, int64_t after, size_t limit, weights_row **ret,
                             size_t *ret_n, tp_err *err)
{
	db *d = reader_enter(s);
	stmt q = stmt_open(d,
	                   "SELECT " WEIGHTS_COLUMNS
	                   " FROM weights WHERE id > ? ORDER BY id LIMIT ?",
	                   err);
	put_int(&q, after);
	put_int(&q, (int64_t)limit);
	tp_status st = stmt_collect(&q, read_row, done, sizeof **ret, (void **)ret, ret_n);
	db_leave(d);
	return st;
}
