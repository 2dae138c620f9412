#include <stdlib.h>
#include <string.h>

#include "store/store_private.h"

enum { MAX_KEYS = 64 };

void metric_series_done(metric_series *r)
{
	free(r->key);
	free(r->point);
	*r = (metric_series){0};
}

static void done(void *row)
{
	metric_series_done(row);
}

tp_status metric_insert(db *d, int64_t run, const metric_row *m, size_t n, tp_err *err)
{
	tp_status st = TP_OK;
	for (size_t i = 0; i < n && st == TP_OK; i++) {
		/* A step that is done again after a crash gives the same value again. */
		stmt q = stmt_open(d,
		                   "INSERT OR REPLACE INTO metric (run, key, step, value)"
		                   " VALUES (?,?,?,?)",
		                   err);
		put_int(&q, run);
		put_text(&q, m[i].key);
		put_int(&q, m[i].step);
		put_real(&q, m[i].value);
		st = stmt_run(&q, "add a metric");
	}
	return st;
}

/* The next key behind `after` in a run; walking them one by one touches one row a key, not all. */
static tp_status next_key(db *d, int64_t run, const char *after, char **ret, tp_err *err)
{
	stmt q = stmt_open(d,
	                   "SELECT key FROM metric WHERE run = ? AND key > ? ORDER BY key LIMIT 1",
	                   err);
	put_int(&q, run);
	put_text(&q, after);
	*ret = stmt_next(&q) ? get_text(&q) : NULL;
	return stmt_close(&q);
}

/* Reads one series. With more rows than max_points, row i of n falls into bucket i*b/n of
 * b = max_points/2, and a bucket gives its smallest and its largest value in the order of their
 * steps: peaks stay visible, and the same rows give the same picture. */
static tp_status read_series(db *d, int64_t run, const char *key, int64_t from_step,
                             size_t max_points, metric_series *series, tp_err *err)
{
	int64_t rows;
	stmt q = stmt_open(d, "SELECT count(*) FROM metric WHERE run = ? AND key = ? AND step >= ?",
	                   err);
	put_int(&q, run);
	put_text(&q, key);
	put_int(&q, from_step);
	tp_status st = stmt_int(&q, 0, &rows);
	if (st != TP_OK)
		return st;
	size_t n = (size_t)rows, buckets = n <= max_points ? n : max_points / 2;
	series->point = malloc((n < max_points ? n : max_points) * sizeof *series->point + 1);
	if (series->point == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory");
	q = stmt_open(d,
	              "SELECT step, value FROM metric WHERE run = ? AND key = ? AND step >= ?"
	              " ORDER BY step",
	              err);
	put_int(&q, run);
	put_text(&q, key);
	put_int(&q, from_step);
	metric_point low = {0}, high = {0};
	for (size_t i = 0; i < n && stmt_next(&q); i++) {
		metric_point p;
		p.step = get_int(&q);
		p.value = get_real(&q);
		size_t bucket = i * buckets / n;
		bool first = i == 0 || (i - 1) * buckets / n != bucket;
		bool last = i + 1 == n || (i + 1) * buckets / n != bucket;
		if (first || p.value < low.value)
			low = p;
		if (first || p.value > high.value)
			high = p;
		if (!last)
			continue;
		series->point[series->points++] = low.step < high.step ? low : high;
		if (low.step != high.step)
			series->point[series->points++] = low.step < high.step ? high : low;
	}
	return stmt_close(&q);
}

static tp_status add_series(db *d, int64_t run, char *key, int64_t from_step, size_t max_points,
                            metric_series *list, size_t *n, tp_err *err)
{
	if (*n == MAX_KEYS) {
		free(key);
		return tp_fail(err, TP_INVALID, 0, "more than %d keys", (int)MAX_KEYS);
	}
	metric_series *series = &list[(*n)++];
	series->key = key;
	return read_series(d, run, key, from_step, max_points, series, err);
}

/* A key named twice gives one series; one without rows an empty one. */
static bool listed(const metric_series *list, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i].key, key) == 0)
			return true;
	return false;
}

static tp_status named(db *d, int64_t run, const char *keys, int64_t from_step, size_t max_points,
                       metric_series *list, size_t *n, tp_err *err)
{
	tp_status st = TP_OK;
	for (const char *at = keys; *at != 0 && st == TP_OK;) {
		size_t len = strcspn(at, ",");
		char *key = strndup(at, len);
		if (key == NULL)
			return tp_fail(err, TP_NOMEM, 0, "out of memory");
		if (len == 0 || listed(list, *n, key))
			free(key);
		else
			st = add_series(d, run, key, from_step, max_points, list, n, err);
		at += len + (at[len] == ',');
	}
	return st;
}

static tp_status all(db *d, int64_t run, int64_t from_step, size_t max_points, metric_series *list,
                     size_t *n, tp_err *err)
{
	const char *after = "";
	for (;;) {
		char *key;
		tp_status st = next_key(d, run, after, &key, err);
		if (st != TP_OK || key == NULL) {
			free(key);
			return st;
		}
		st = add_series(d, run, key, from_step, max_points, list, n, err);
		if (st != TP_OK)
			return st;
		after = key;
	}
}

tp_status store_metrics(store *s, int64_t run, const char *keys, int64_t from_step,
                        size_t max_points, metric_series **ret, size_t *ret_n, tp_err *err)
{
	if (max_points < 2)
		return tp_fail(err, TP_INVALID, 0, "max_points must be 2 or more");
	metric_series *list = calloc(MAX_KEYS, sizeof *list);
	if (list == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory");
	size_t n = 0;
	db *d;
	tp_status st = snapshot_enter(s, &d, err);
	if (st == TP_OK) {
		st = keys == NULL ? all(d, run, from_step, max_points, list, &n, err) :
		                    named(d, run, keys, from_step, max_points, list, &n, err);
		snapshot_leave(d);
	}
	if (st != TP_OK) {
		rows_done(list, n, sizeof *list, done);
		return st;
	}
	*ret = list;
	*ret_n = n;
	return TP_OK;
}
