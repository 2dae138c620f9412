#include "catalog/datasets.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "data/dataset.h"
#include "data/png.h"
#include "store/run_files.h"

enum { THUMB_SIDE = 320 };

/* ---- reading a request ------------------------------------------------------------------ */

static tp_status text_field(const json_t *body, const char *key, bool required, const char **ret,
                            tp_err *err)
{
	const json_t *v = json_object_get(body, key);
	if (v == NULL || json_is_null(v)) {
		*ret = "";
		return required ? tp_fail(err, TP_INVALID, 0, "/%s: is required", key) : TP_OK;
	}
	const char *s = json_string_value(v);
	size_t n = json_string_length(v);
	if (s == NULL || n == 0 || n > 1000 || strlen(s) != n)
		return tp_fail(err, TP_INVALID, 0, "/%s: should be a string of 1 to 1000 characters", key);
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < 32 || s[i] == 127)
			return tp_fail(err, TP_INVALID, 0, "/%s: holds a control character", key);
	*ret = s;
	return TP_OK;
}

static bool byte_of(const json_t *v, uint8_t *ret)
{
	if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > 255)
		return false;
	*ret = (uint8_t)json_integer_value(v);
	return true;
}

/* [{"id","name","color":[r,g,b]}] with ids 0..n-1. */
static tp_status parse_classes(const json_t *list, const char *pointer, class_set *ret, tp_err *err)
{
	size_t n = json_array_size(list);
	bool seen[255] = {false};
	*ret = (class_set){.name = "custom", .count = n};
	if (n < 2 || n > 255)
		return tp_fail(err, TP_INVALID, 0, "%s: should be a list of 2 to 255 classes", pointer);
	for (size_t i = 0; i < n; i++) {
		const json_t *c = json_array_get(list, i), *color = json_object_get(c, "color");
		const char *name = json_string_value(json_object_get(c, "name"));
		uint8_t id;
		if (!byte_of(json_object_get(c, "id"), &id) || id >= n || seen[id])
			return tp_fail(err, TP_INVALID, 0, "%s/%zu/id: ids should be 0 to %zu, each once",
			               pointer, i, n - 1);
		seen[id] = true;
		if (name == NULL || name[0] == 0 || strlen(name) >= CLASS_NAME_MAX)
			return tp_fail(err, TP_INVALID, 0, "%s/%zu/name: should be 1 to %d characters", pointer,
			               i, CLASS_NAME_MAX - 1);
		(void)snprintf(ret->item[id].name, CLASS_NAME_MAX, "%s", name);
		for (size_t k = 0; k < 3; k++)
			if (json_array_size(color) != 3 ||
			    !byte_of(json_array_get(color, k), &ret->item[id].color[k]))
				return tp_fail(err, TP_INVALID, 0,
				               "%s/%zu/color: should be three numbers from 0 to 255", pointer, i);
	}
	return TP_OK;
}

static tp_status parse_class_set(const json_t *v, data_layout layout, class_set *ret, tp_err *err)
{
	if (v == NULL || json_is_null(v))
		return class_set_builtin(layout == LAYOUT_CAMVID    ? "camvid-11"
		                         : layout == LAYOUT_SYNTHIA ? "synthia-16"
		                                                    : "cityscapes-19",
		                         ret, err);
	if (json_is_string(v)) {
		tp_err why = {0};
		if (class_set_builtin(json_string_value(v), ret, &why) != TP_OK)
			return tp_fail(err, TP_INVALID, 0, "/class_set: %s", why.text);
		return TP_OK;
	}
	const json_t *list = json_object_get(v, "classes");
	if (list == NULL || json_object_size(v) != 1)
		return tp_fail(err, TP_INVALID, 0,
		               "/class_set: should be a built-in name or {\"classes\":[{id,name,color}]}");
	return parse_classes(list, "/class_set/classes", ret, err);
}

/* {"label value": train id}; values not named are ignored. */
static tp_status parse_class_map(const json_t *v, const class_set *set, label_map *ret, tp_err *err)
{
	if (!json_is_object(v))
		return tp_fail(err, TP_INVALID, 0, "/class_map: should be an object value -> train id");
	label_map_ignore_all(ret);
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)v, key, value) {
		char *end;
		unsigned long from = strtoul(key, &end, 10);
		json_int_t to = json_integer_value(value);
		if (*key < '0' || *key > '9' || *end != 0 || from > 65535)
			return tp_fail(err, TP_INVALID, 0, "/class_map/%.32s: the key should be 0 to 65535", key);
		if (!json_is_integer(value) ||
		    !((to >= 0 && to < (json_int_t)set->count) || to == CLASS_IGNORE))
			return tp_fail(err, TP_INVALID, 0,
			               "/class_map/%.32s: should be a train id from 0 to %zu, or 255", key,
			               set->count - 1);
		ret->train[from] = (uint16_t)to;
	}
	return TP_OK;
}

static tp_status check_keys(const json_t *body, tp_err *err)
{
	static const char *const known[] = {"name",    "layout",    "root",     "split",
	                                    "include", "class_set", "class_map"};
	const char *key;
	json_t *value;
	if (!json_is_object(body))
		return tp_fail(err, TP_INVALID, 0, "/: should be an object");
	json_object_foreach((json_t *)body, key, value) {
		bool found = false;
		for (size_t i = 0; i < sizeof known / sizeof *known; i++)
			found = found || strcmp(key, known[i]) == 0;
		if (!found)
			return tp_fail(err, TP_INVALID, 0, "/%.64s: unknown key", key);
	}
	return TP_OK;
}

/* The root as an absolute path without links, below one of the administrator's roots. */
static tp_status resolve_root(const daemon_config *config, const char *root, char ret[PATH_MAX],
                              tp_err *err)
{
	if (root[0] != '/')
		return tp_fail(err, TP_INVALID, 0, "/root: should be an absolute path");
	if (realpath(root, ret) == NULL)
		return tp_fail(err, TP_NOTFOUND, 0, "/root: there is no folder %s", root);
	for (size_t i = 0; i < config->data_roots; i++) {
		char allowed[PATH_MAX];
		if (realpath(config->data_root[i], allowed) == NULL)
			continue;
		size_t n = strlen(allowed);
		if (strncmp(ret, allowed, n) == 0 && (n == 1 || ret[n] == '/' || ret[n] == 0))
			return TP_OK;
	}
	if (config->data_roots == 0)
		return TP_OK;
	return tp_fail(err, TP_INVALID, 0,
	               "/root: %s is not below a folder listed in data_roots of the configuration", root);
}

/* ---- registering ------------------------------------------------------------------------ */

static char *classes_text(const class_set *set)
{
	json_t *a = json_array();
	for (size_t i = 0; i < set->count; i++) {
		const class_info *c = &set->item[i];
		(void)json_array_append_new(
			a, json_pack("{s:i,s:s,s:[i,i,i]}", "id", (int)i, "name", c->name, "color",
		                     c->color[0], c->color[1], c->color[2]));
	}
	char *text = json_dumps(a, JSON_COMPACT);
	json_decref(a);
	return text;
}

/* Sizes of all images, and that labels have the same: a mismatch is better met here than at step
 * 10 000. */
static tp_status probe_images(const dataset_list *l, dataset_image_row *row, tp_err *err)
{
	for (size_t i = 0; i < l->count; i++) {
		const dataset_item *it = &l->item[i];
		size_t w, h, lw, lh;
		tp_status st = image_probe_file(it->image, &w, &h, err);
		if (st == TP_OK && it->label != NULL) {
			st = image_probe_file(it->label, &lw, &lh, err);
			if (st == TP_OK && (lw != w || lh != h))
				st = tp_fail(err, TP_INVALID, 0,
				             "%s is %zux%zu pixels, its label %s is %zux%zu", it->image, w, h,
				             it->label, lw, lh);
		}
		if (st != TP_OK)
			return st;
		row[i] = (dataset_image_row){.index = (int64_t)i,
		                             .name = it->name,
		                             .image = it->image,
		                             .label = it->label == NULL ? (char *)"" : it->label,
		                             .width = (int64_t)w,
		                             .height = (int64_t)h};
	}
	return TP_OK;
}

static tp_status add_rows(store *s, dataset_row *d, const dataset_list *l, int64_t *ret_id,
                          tp_err *err)
{
	dataset_image_row *row = calloc(l->count, sizeof *row);
	if (row == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory for %zu images", l->count);
	tp_status st = probe_images(l, row, err);
	d->images = (int64_t)l->count;
	d->labelled = (int64_t)l->labelled;
	if (st == TP_OK)
		st = store_dataset_add(s, d, row, l->count, ret_id, err);
	free(row);
	return st;
}

tp_status datasets_register(store *s, const daemon_config *config, const json_t *body,
                            int64_t *ret_id, tp_err *err)
{
	const char *name, *layout_text, *root, *split, *include;
	char path[PATH_MAX];
	data_layout layout = LAYOUT_FOLDER;
	class_set set;
	label_map map;
	tp_status st = check_keys(body, err);
	if (st == TP_OK)
		st = text_field(body, "name", true, &name, err);
	if (st == TP_OK)
		st = text_field(body, "layout", true, &layout_text, err);
	if (st == TP_OK)
		st = text_field(body, "root", true, &root, err);
	if (st == TP_OK)
		st = text_field(body, "split", false, &split, err);
	if (st == TP_OK)
		st = text_field(body, "include", false, &include, err);
	if (st == TP_OK && strlen(name) > 127)
		st = tp_fail(err, TP_INVALID, 0, "/name: should be 1 to 127 characters");
	if (st == TP_OK && name[strspn(name, "0123456789")] == 0)
		st = tp_fail(err, TP_INVALID, 0, "/name: should not be a number, ids are numbers");
	if (st == TP_OK && !data_layout_parse(layout_text, &layout))
		st = tp_fail(err, TP_INVALID, 0,
		             "/layout: should be cityscapes, gta5, synthia, camvid or folder");
	if (st == TP_OK)
		st = parse_class_set(json_object_get(body, "class_set"), layout, &set, err);
	const json_t *explicit_map = json_object_get(body, "class_map");
	bool mapped = explicit_map != NULL && !json_is_null(explicit_map);
	if (st == TP_OK)
		st = mapped ? parse_class_map(explicit_map, &set, &map, err)
		            : label_map_builtin(layout, &set, &map, err);
	if (st == TP_OK)
		st = resolve_root(config, root, path, err);
	if (st != TP_OK)
		return st;
	dataset_list list;
	st = dataset_scan(layout, path, split, include, &list, err);
	if (st != TP_OK)
		return st;
	dataset_row row = {.name = (char *)name,
	                   .layout = (char *)layout_text,
	                   .root = path,
	                   .split = (char *)split,
	                   .include = (char *)include,
	                   .class_set = set.name,
	                   .classes = classes_text(&set),
	                   .class_map = mapped ? json_dumps(explicit_map, JSON_COMPACT) : strdup("")};
	st = row.classes == NULL || row.class_map == NULL
	         ? tp_fail(err, TP_NOMEM, 0, "out of memory")
	         : add_rows(s, &row, &list, ret_id, err);
	free(row.classes);
	free(row.class_map);
	dataset_list_done(&list);
	return st;
}

tp_status datasets_classes(const dataset_row *row, class_set *ret_set, label_map *ret_map,
                           tp_err *err)
{
	data_layout layout;
	json_t *classes = json_loads(row->classes, 0, NULL);
	tp_status st = parse_classes(classes, "/classes", ret_set, err);
	json_decref(classes);
	if (st != TP_OK)
		return st;
	(void)snprintf(ret_set->name, sizeof ret_set->name, "%s", row->class_set);
	if (row->class_map[0] == 0) {
		if (!data_layout_parse(row->layout, &layout))
			return tp_fail(err, TP_CORRUPT, 0, "data set %s: unknown layout", row->name);
		return label_map_builtin(layout, ret_set, ret_map, err);
	}
	json_t *map = json_loads(row->class_map, 0, NULL);
	st = parse_class_map(map, ret_set, ret_map, err);
	json_decref(map);
	return st;
}

/* ---- pictures --------------------------------------------------------------------------- */

static tp_status open_image(store *s, int64_t dataset, int64_t index, image *ret, tp_err *err)
{
	dataset_image_row row;
	tp_status st = store_dataset_image(s, dataset, index, &row, err);
	if (st != TP_OK)
		return st;
	st = image_load(row.image, ret, err);
	dataset_image_row_done(&row);
	return st;
}

static tp_status encode(const image *img, void **ret, size_t *ret_size, tp_err *err)
{
	png_bytes png;
	tp_status st = png_encode_rgb(img->rgb, img->w, img->h, &png, err);
	if (st == TP_OK) {
		*ret = png.data;
		*ret_size = png.size;
	}
	return st;
}

tp_status datasets_image_png(store *s, int64_t dataset, int64_t index, void **ret, size_t *ret_size,
                             tp_err *err)
{
	image img;
	tp_status st = open_image(s, dataset, index, &img, err);
	if (st != TP_OK)
		return st;
	st = encode(&img, ret, ret_size, err);
	image_done(&img);
	return st;
}

/* A thumbnail that cannot be kept is still served. */
static void keep_thumb(int dirfd, int64_t dataset, const char *file, const void *data, size_t size)
{
	char dir[RUN_FILE_MAX];
	(void)snprintf(dir, sizeof dir, "cache/thumbs/%" PRId64, dataset);
	(void)mkdirat(dirfd, "cache", 0750);
	(void)mkdirat(dirfd, "cache/thumbs", 0750);
	(void)mkdirat(dirfd, dir, 0750);
	file_part part = {data, size};
	(void)!file_replace_cache(dirfd, file, &part, 1, NULL);
}

tp_status datasets_thumb_png(store *s, int state_dirfd, int64_t dataset, int64_t index, void **ret,
                             size_t *ret_size, tp_err *err)
{
	char file[RUN_FILE_MAX];
	thumb_file(dataset, index, file);
	if (file_read(state_dirfd, file, IMAGE_MAX_BYTES, ret, ret_size, NULL) == TP_OK)
		return TP_OK;
	image img, small;
	tp_status st = open_image(s, dataset, index, &img, err);
	if (st != TP_OK)
		return st;
	st = image_thumbnail(&img, THUMB_SIDE, &small, err);
	image_done(&img);
	if (st != TP_OK)
		return st;
	st = encode(&small, ret, ret_size, err);
	image_done(&small);
	if (st == TP_OK)
		keep_thumb(state_dirfd, dataset, file, *ret, *ret_size);
	return st;
}
