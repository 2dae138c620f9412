#include <stdlib.h>
#include <string.h>

#include "store/store_private.h"

#define DATASET_COLUMNS                                                                            \
	"id, name, layout, root, split, include, classes, class_set, class_map, images, labelled," \
	" created_ms"
#define IMAGE_COLUMNS "idx, name, image, label, width, height"

void dataset_row_done(dataset_row *r)
{
	char *text[] = {r->name,    r->layout,  r->root,      r->split,
	                r->include, r->classes, r->class_set, r->class_map};
	for (size_t i = 0; i < sizeof text / sizeof *text; i++)
		free(text[i]);
	*r = (dataset_row){0};
}

void dataset_image_row_done(dataset_image_row *r)
{
	free(r->name);
	free(r->image);
	free(r->label);
	*r = (dataset_image_row){0};
}

static void dataset_done(void *row)
{
	dataset_row_done(row);
}

static void image_done(void *row)
{
	dataset_image_row_done(row);
}

static void read_dataset(stmt *q, void *row)
{
	dataset_row *r = row;
	r->id = get_int(q);
	r->name = get_text(q);
	r->layout = get_text(q);
	r->root = get_text(q);
	r->split = get_text(q);
	r->include = get_text(q);
	r->classes = get_text(q);
	r->class_set = get_text(q);
	r->class_map = get_text(q);
	r->images = get_int(q);
	r->labelled = get_int(q);
	r->created_ms = get_int(q);
}

static void read_image(stmt *q, void *row)
{
	dataset_image_row *r = row;
	r->index = get_int(q);
	r->name = get_text(q);
	r->image = get_text(q);
	r->label = get_text(q);
	r->width = get_int(q);
	r->height = get_int(q);
}

/* Sorting by name elsewhere relies on this order. */
static tp_status check_order(const dataset_image_row *image, size_t images, tp_err *err)
{
	for (size_t i = 0; i < images; i++) {
		if (image[i].name == NULL || image[i].index != (int64_t)i)
			return tp_fail(err, TP_INVALID, 0, "image %zu has no name or a wrong index",
			               i);
		if (i > 0 && strcmp(image[i - 1].name, image[i].name) >= 0)
			return tp_fail(err, TP_INVALID, 0, "images are not in name order at %.200s",
			               image[i].name);
	}
	return TP_OK;
}

static tp_status insert(db *d, const dataset_row *r, const dataset_image_row *image, size_t images,
                        int64_t *ret_id, tp_err *err)
{
	int64_t taken;
	stmt q = stmt_open(d, "SELECT id FROM dataset WHERE name = ?", err);
	put_text(&q, r->name);
	tp_status st = stmt_int(&q, 0, &taken);
	if (st != TP_OK)
		return st;
	if (taken != 0)
		return tp_fail(err, TP_EXISTS, 0, "a data set named %.200s exists already",
		               r->name);
	q = stmt_open(d,
	              "INSERT INTO dataset (name, layout, root, split, include, classes, class_set,"
	              " class_map, images, labelled, created_ms) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
	              err);
	put_text(&q, r->name);
	put_text(&q, r->layout);
	put_text(&q, r->root);
	put_text(&q, r->split);
	put_text(&q, r->include);
	put_text(&q, r->classes);
	put_text(&q, r->class_set);
	put_text(&q, r->class_map);
	put_int(&q, r->images);
	put_int(&q, r->labelled);
	put_int(&q, time_or_now(r->created_ms));
	st = stmt_run(&q, "add the data set");
	*ret_id = sqlite3_last_insert_rowid(d->handle);
	for (size_t i = 0; i < images && st == TP_OK; i++) {
		q = stmt_open(d,
		              "INSERT INTO dataset_image (dataset, " IMAGE_COLUMNS ")"
		              " VALUES (?,?,?,?,?,?,?)",
		              err);
		put_int(&q, *ret_id);
		put_int(&q, image[i].index);
		put_text(&q, image[i].name);
		put_text(&q, image[i].image);
		put_text(&q, image[i].label);
		put_int(&q, image[i].width);
		put_int(&q, image[i].height);
		st = stmt_run(&q, "add an image of the data set");
	}
	return st;
}

tp_status store_dataset_add(store *s, const dataset_row *r, const dataset_image_row *image,
                            size_t images, int64_t *ret_id, tp_err *err)
{
	tp_status st = check_order(image, images, err);
	if (st != TP_OK)
		return st;
	db *d;
	st = writer_enter(s, &d, err);
	if (st != TP_OK)
		return st;
	int64_t id = 0;
	st = insert(d, r, image, images, &id, err);
	st = writer_leave(d, st, err);
	if (st == TP_OK)
		*ret_id = id;
	return st;
}

tp_status store_dataset_get(store *s, int64_t id, dataset_row *ret, tp_err *err)
{
	db *d = reader_enter(s);
	stmt q = stmt_open(d, "SELECT " DATASET_COLUMNS " FROM dataset WHERE id = ?", err);
	put_int(&q, id);
	tp_status st = stmt_one(&q, read_dataset, dataset_done, sizeof *ret, ret, "data set");
	db_leave(d);
	return st;
}

tp_status store_dataset_find(store *s, const char *name, dataset_row *ret, tp_err *err)
{
	db *d = reader_enter(s);
	stmt q = stmt_open(d,
	                   "SELECT " DATASET_COLUMNS " FROM dataset"
	                   " WHERE name = ?1 OR CAST(id AS TEXT) = ?1"
	                   " ORDER BY name = ?1 DESC LIMIT 1",
	                   err);
	put_text(&q, name);
	tp_status st = stmt_one(&q, read_dataset, dataset_done, sizeof *ret, ret, "data set");
	db_leave(d);
	return st;
}

tp_status store_dataset_list(store *s, int64_t after, size_t limit, dataset_row **ret,
                             size_t *ret_n, tp_err *err)
{
	db *d = reader_enter(s);
	stmt q = stmt_open(d,
	                   "SELECT " DATASET_COLUMNS
	                   " FROM dataset WHERE id > ? ORDER BY id LIMIT ?",
	                   err);
	put_int(&q, after);
	put_int(&q, (int64_t)limit);
	tp_status st =
		stmt_collect(&q, read_dataset, dataset_done, sizeof **ret, (void **)ret, ret_n);
	db_leave(d);
	return st;
}

static tp_status delete_row(db *d, int64_t id, tp_err *err)
{
	int64_t user;
	stmt q = stmt_open(
		d, "SELECT id FROM run WHERE source = ?1 OR target = ?1 OR eval = ?1 LIMIT 1", err);
	put_int(&q, id);
	tp_status st = stmt_int(&q, 0, &user);
	if (st != TP_OK)
		return st;
	if (user != 0)
		return tp_fail(err, TP_CONFLICT, 0, "data set %lld is used by run %lld",
		               (long long)id, (long long)user);
	q = stmt_open(d,
	              "SELECT experiment FROM experiment_part"
	              " WHERE source = ?1 OR target = ?1 OR eval = ?1 LIMIT 1",
	              err);
	put_int(&q, id);
	st = stmt_int(&q, 0, &user);
	if (st != TP_OK)
		return st;
	if (user != 0)
		return tp_fail(err, TP_CONFLICT, 0, "data set %lld is used by experiment %lld",
		               (long long)id, (long long)user);
	q = stmt_open(d, "DELETE FROM dataset WHERE id = ?", err);
	put_int(&q, id);
	st = stmt_run(&q, "delete the data set");
	if (st == TP_OK && sqlite3_changes(d->handle) == 0)
		st = tp_fail(err, TP_NOTFOUND, 0, "no such data set");
	return st;
}

tp_status store_dataset_delete(store *s, int64_t id, tp_err *err)
{
	db *d;
	tp_status st = writer_enter(s, &d, err);
	if (st != TP_OK)
		return st;
	return writer_leave(d, delete_row(d, id, err), err);
}

tp_status store_dataset_images(store *s, int64_t id, dataset_image_row **ret, size_t *ret_n,
                               tp_err *err)
{
	db *d = reader_enter(s);
	stmt q = stmt_open(d,
	                   "SELECT " IMAGE_COLUMNS
	                   " FROM dataset_image WHERE dataset = ? ORDER BY idx",
	                   err);
	put_int(&q, id);
	tp_status st = stmt_collect(&q, read_image, image_done, sizeof **ret, (void **)ret, ret_n);
	db_leave(d);
	return st;
}

tp_status store_dataset_image(store *s, int64_t id, int64_t index, dataset_image_row *ret,
                              tp_err *err)
{
	db *d = reader_enter(s);
	stmt q = stmt_open(d,
	                   "SELECT " IMAGE_COLUMNS
	                   " FROM dataset_image WHERE dataset = ? AND idx = ?",
	                   err);
	put_int(&q, id);
	put_int(&q, index);
	tp_status st =
		stmt_one(&q, read_image, image_done, sizeof *ret, ret, "image in the data set");
	db_leave(d);
	return st;
}
