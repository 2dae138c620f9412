#include "data/label.h"

#include <fcntl.h>
#include <stdlib.h>

#include "base/file.h"
#include "data/image.h"
#include "data/png.h"

static tp_status map_values(const uint16_t *v, size_t w, size_t h, const label_map *map,
                            const char *path, uint8_t **ret, tp_err *err)
{
	uint8_t *label = malloc(w * h);
	if (label == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory reading label %s", path);
	for (size_t i = 0; i < w * h; i++) {
		uint16_t t = map->train[v[i]];
		if (t == LABEL_UNKNOWN) {
			free(label);
			return tp_fail(err, TP_INVALID, 0,
			               "label %s: value %u at x %zu, y %zu is not in the class map",
			               path, (unsigned)v[i], i % w, i / w);
		}
		label[i] = (uint8_t)t;
	}
	*ret = label;
	return TP_OK;
}

tp_status label_load_values(const char *path, size_t want_w, size_t want_h, uint16_t **ret,
                            size_t *ret_w, size_t *ret_h, tp_err *err)
{
	void *bytes;
	size_t size, w = 0, h = 0;
	uint16_t *v = NULL;
	tp_status st = file_read(AT_FDCWD, path, IMAGE_MAX_BYTES, &bytes, &size, err);
	if (st != TP_OK)
		return st;
	st = png_decode_values(bytes, size, path, &v, &w, &h, err);
	free(bytes);
	if (st != TP_OK)
		return st;
	if (want_w != 0 && want_h != 0 && (w != want_w || h != want_h)) {
		free(v);
		return tp_fail(err, TP_INVALID, 0, "label %s is %zux%zu, its image is %zux%zu",
		               path, w, h, want_w, want_h);
	}
	*ret = v;
	*ret_w = w;
	*ret_h = h;
	return TP_OK;
}

tp_status label_load(const char *path, const label_map *map, size_t want_w, size_t want_h,
                     uint8_t **ret, size_t *ret_w, size_t *ret_h, tp_err *err)
{
	uint16_t *v = NULL;
	size_t w = 0, h = 0;
	tp_status st = label_load_values(path, want_w, want_h, &v, &w, &h, err);
	if (st != TP_OK)
		return st;
	st = map_values(v, w, h, map, path, ret, err);
	free(v);
	if (st != TP_OK)
		return st;
	*ret_w = w;
	*ret_h = h;
	return TP_OK;
}
