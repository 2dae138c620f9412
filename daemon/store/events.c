#include <stdlib.h>

#include "store/store_private.h"

/* How many events a client that was away can still replay. */
enum { EVENTS_KEPT = 100000 };

#define EVENT_COLUMNS "id, run, time_ms, type, data"

void event_row_done(event_row *r)
{
	free(r->type);
	free(r->data);
	*r = (event_row){0};
}

static void done(void *row)
{
	event_row_done(row);
}

static void read_row(stmt *q, void *row)
{
	event_row *r = row;
	r->id = get_int(q);
	r->run = get_int(q);
	r->time_ms = get_int(q);
	r->type = get_text(q);
	r->data = get_text(q);
}

tp_status event_insert(db *d, int64_t run, const char *type, const char *data, int64_t *ret_id,
                       tp_err *err)
{
	stmt q = stmt_open(d, "INSERT INTO event (run, time_ms, type, data) VALUES (?,?,?,?)", err);
	put_id(&q, run);
	put_int(&q, time_or_now(0));
	put_text(&q, type);
	put_text(&q, data);
	tp_status st = stmt_run(&q, "add an event");
	if (st != TP_OK)
		return st;
	*ret_id = sqlite3_last_insert_rowid(d->handle);
	q = stmt_open(d, "DELETE FROM event WHERE id <= ?", err);
	put_int(&q, *ret_id - EVENTS_KEPT);
	return stmt_run(&q, "forget old events");
}

tp_status store_event_add(store *s, int64_t run, const char *type, const char *data,
                          int64_t *ret_id, tp_err *err)
{
	db *d;
	tp_status st = writer_enter(s, &d, err);
	if (st != TP_OK)
		return st;
	int64_t id = 0;
	if (run != 0)
		st = run_require(d, run, err);
	if (st == TP_OK)
		st = event_insert(d, run, type, data, &id, err);
	st = writer_leave(d, st, err);
	if (st == TP_OK)
		*ret_id = id;
	return st;
}

tp_status store_event_list(store *s, int64_t after, int64_t run, size_t limit, event_row **ret,
                           size_t *ret_n, tp_err *err)
{
	db *d = reader_enter(s);
	stmt q = stmt_open(d,
	                   run == 0 ?
	                   "SELECT " EVENT_COLUMNS " FROM event WHERE id > ? ORDER BY id LIMIT ?" :
	                   "SELECT " EVENT_COLUMNS " FROM event WHERE id > ? AND run = ?"
	                   " ORDER BY id LIMIT ?",
	                   err);
	put_int(&q, after);
	if (run != 0)
		put_int(&q, run);
	put_int(&q, (int64_t)limit);
	tp_status st = stmt_collect(&q, read_row, done, sizeof **ret, (void **)ret, ret_n);
	db_leave(d);
	return st;
}

tp_status store_event_last(store *s, int64_t *ret_id, tp_err *err)
{
	db *d = reader_enter(s);
	/* The counter, not max(id): a deleted run takes its events along, and ids never go back. */
	stmt q = stmt_open(d, "SELECT seq FROM sqlite_sequence WHERE name = 'event'", err);
	tp_status st = stmt_int(&q, 0, ret_id);
	db_leave(d);
	return st;
}
