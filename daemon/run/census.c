#include "run/census.h"

#include <stdlib.h>

#include "data/label.h"

static tp_status count_image(const dataset_image_row *row, const label_map *map, size_t classes,
                             uint64_t *pixels, tp_err *err)
{
	uint8_t *label;
	size_t w, h;
	tp_status st = label_load(row->label, map, 0, 0, &label, &w, &h, err);
	if (st != TP_OK)
		return st;
	for (size_t i = 0; i < w * h; i++)
		if (label[i] < classes)
			pixels[label[i]]++;
	free(label);
	return TP_OK;
}

tp_status census_of(const job *j, const job_images *im, uint64_t **ret_pixels, tp_err *err)
{
	size_t classes = im->classes.count;
	uint64_t *pixels = calloc(im->count * classes, sizeof *pixels);
	*ret_pixels = pixels;
	if (pixels == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory for counting labels");
	tp_err none = {0};
	tp_status st = store_census_get(j->store, im->dataset, im->count, classes, pixels, &none);
	if (st != TP_NOTFOUND)
		return st == TP_OK ? st : tp_fail(err, st, 0, "%s", none.text);
	st = TP_OK;
	for (size_t i = 0; i < im->count && st == TP_OK; i++)
		st = job_stopped(j) ? TP_CANCELLED
		                    : count_image(&im->row[i], &im->map, classes, pixels + i * classes, err);
	return st == TP_OK ? store_census_put(j->store, im->dataset, im->count, classes, pixels, err) : st;
}
