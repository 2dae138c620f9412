#include <stdlib.h>
#include <string.h>

#include "store/store_private.h"

typedef struct census_entry {
	int64_t image, class_id, pixels;
} census_entry;

static void read_entry(stmt *q, void *row)
{
	census_entry *e = row;
	e->image = get_int(q);
	e->class_id = get_int(q);
	e->pixels = get_int(q);
}

static void done(void *row) { (void)row; }

tp_status store_census_get(store *s, int64_t dataset, size_t images, size_t classes,
                           uint64_t *ret_pixels, tp_err *err)
{
	db *d = reader_enter(s);
	stmt q = stmt_open(d, "SELECT idx, class, pixels FROM dataset_census WHERE dataset = ?", err);
	put_int(&q, dataset);
	void *rows = NULL;
	size_t n = 0;
	tp_status st = stmt_collect(&q, read_entry, done, sizeof(census_entry), &rows, &n);
	db_leave(d);
	if (st != TP_OK)
		return st;
	const census_entry *e = rows;
	memset(ret_pixels, 0, images * classes * sizeof *ret_pixels);
	for (size_t i = 0; i < n; i++)
		if ((uint64_t)e[i].image < images && (uint64_t)e[i].class_id < classes)
			ret_pixels[(size_t)e[i].image * classes + (size_t)e[i].class_id] =
				(uint64_t)e[i].pixels;
	free(rows);
	return n > 0 ? TP_OK : tp_fail(err, TP_NOTFOUND, 0, "the labels were not counted yet");
}

static tp_status put(db *d, int64_t dataset, const census_entry *e, tp_err *err)
{
	stmt q = stmt_open(d,
	                   "INSERT OR REPLACE INTO dataset_census (dataset, idx, class, pixels)"
	                   " VALUES (?,?,?,?)",
	                   err);
	put_int(&q, dataset);
	put_int(&q, e->image);
	put_int(&q, e->class_id);
	put_int(&q, e->pixels);
	return stmt_run(&q, "keep the count of labels");
}

tp_status store_census_put(store *s, int64_t dataset, size_t images, size_t classes,
                           const uint64_t *pixels, tp_err *err)
{
	db *d;
	tp_status st = writer_enter(s, &d, err);
	if (st != TP_OK)
		return st;
	for (size_t i = 0; i < images * classes && st == TP_OK; i++) {
		census_entry e = {(int64_t)(i / classes), (int64_t)(i % classes), (int64_t)pixels[i]};
		if (e.pixels > 0)
			st = put(d, dataset, &e, err);
	}
	return writer_leave(d, st, err);
}
