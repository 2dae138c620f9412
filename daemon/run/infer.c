#include "run/infer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/classes.h"
#include "data/logits.h"
#include "data/png.h"
#include "run/stored_net.h"
#include "store/run_files.h"
#include "train/score.h"

static tp_status npy(const float *p, size_t classes, size_t h, size_t w, void **ret,
                     size_t *ret_size, tp_err *err)
{
	enum { HEADER = 128 }; /* magic, version, length and the dictionary, padded to 64 */
	size_t data = classes * h * w * sizeof(float);
	char *out = malloc(HEADER + data);
	if (out == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory for the answer");
	memset(out, ' ', HEADER);
	memcpy(out, "\x93NUMPY\x01\x00", 8);
	out[8] = (char)(HEADER - 10);
	out[9] = 0;
	int n = snprintf(out + 10, HEADER - 10,
	                 "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu, %zu), }", classes,
	                 h, w);
	out[10 + n] = ' '; /* snprintf's zero */
	out[HEADER - 1] = '\n';
	memcpy(out + HEADER, p, data);
	*ret = out;
	*ret_size = HEADER + data;
	return TP_OK;
}

/* argmax as a palette PNG; colours of the built-in set with that many classes, else of cityscapes. */
static tp_status palette_png(const float *p, size_t classes, size_t h, size_t w, pool *pool,
                             void **ret, size_t *ret_size, tp_err *err)
{
	uint8_t palette[256][3];
	class_set set = {0}, candidate;
	for (size_t i = 0; set.count != classes && class_set_builtin_name(i) != NULL; i++)
		if (class_set_builtin(class_set_builtin_name(i), &candidate, NULL) == TP_OK &&
		    (set.count == 0 || candidate.count == classes))
			set = candidate;
	class_set_palette(&set, palette);
	uint8_t *pred = malloc(w * h);
	png_bytes png;
	if (pred == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory for the answer");
	probs_argmax(p, classes, w * h, pred, NULL, pool);
	tp_status st = png_encode_palette(pred, w, h, (const uint8_t(*)[3])palette, &png, err);
	free(pred);
	if (st == TP_OK) {
		*ret = png.data;
		*ret_size = png.size;
	}
	return st;
}

static tp_status answer(const float *p, size_t classes, size_t h, size_t w, infer_format format,
                        pool *pool, void **ret, size_t *ret_size, tp_err *err)
{
	return format == INFER_NPY ? npy(p, classes, h, w, ret, ret_size, err)
	                           : palette_png(p, classes, h, w, pool, ret, ret_size, err);
}

static tp_status run_net(const stored_net *n, const image *img, infer_format format, void **ret,
                         size_t *ret_size, tp_err *err)
{
	recipe r = recipe_preset(0);
	pool *pool;
	scorer *sc = NULL;
	const float *p;
	tp_status st = pool_create(1, &pool, err); /* the cores belong to training */
	if (st != TP_OK)
		return st;
	scorer_spec spec = {.recipe = &r,
	                    .net = &n->net,
	                    .values = n->values,
	                    .classes = n->net.channels[n->net.values - 1],
	                    .norm = n->norm,
	                    .pool = pool};
	st = scorer_create(&spec, &sc, err);
	if (st == TP_OK)
		st = scorer_probabilities(sc, img, &p, err);
	if (st == TP_OK)
		st = answer(p, spec.classes, img->h, img->w, format, pool, ret, ret_size, err);
	scorer_free(sc);
	pool_free(pool);
	return st;
}

static tp_status infer(int dirfd, const char *file, const weights_row *weights, const void *bytes,
                       size_t size, infer_format format, void **ret, size_t *ret_size, tp_err *err)
{
	stored_net n;
	image img = {0};
	tp_status st = image_decode(bytes, size, "the image", &img, err);
	if (st != TP_OK)
		return st;
	st = stored_net_load(dirfd, file, weights, &n, err);
	if (st == TP_OK) {
		st = run_net(&n, &img, format, ret, ret_size, err);
		stored_net_done(&n);
	}
	image_done(&img);
	return st;
}

tp_status infer_checkpoint(store *s, int state_dirfd, int64_t checkpoint, const void *bytes,
                           size_t size, infer_format format, void **ret, size_t *ret_size,
                           tp_err *err)
{
	checkpoint_row row;
	tp_status st = store_checkpoint_get(s, checkpoint, &row, err);
	if (st != TP_OK)
		return st;
	st = infer(state_dirfd, row.file, NULL, bytes, size, format, ret, ret_size, err);
	checkpoint_row_done(&row);
	return st;
}

tp_status infer_weights(store *s, int state_dirfd, int64_t weights, const void *bytes, size_t size,
                        infer_format format, void **ret, size_t *ret_size, tp_err *err)
{
	weights_row row;
	tp_status st = store_weights_get(s, weights, &row, err);
	if (st != TP_OK)
		return st;
	st = row.whole ? infer(state_dirfd, row.file, &row, bytes, size, format, ret, ret_size, err)
	               : tp_fail(err, TP_CONFLICT, 0, "weights '%s' have no head: they cannot infer",
	                         row.name);
	weights_row_done(&row);
	return st;
}

tp_status infer_round_npy(store *s, int state_dirfd, int64_t run, int64_t round, int64_t index,
                          void **ret, size_t *ret_size, tp_err *err)
{
	char file[RUN_FILE_MAX];
	logits_file f;
	pool *pool = NULL;
	float *p = NULL, *scratch = NULL;
	(void)s;
	run_logits_file(run, round, index, file);
	tp_status st = logits_read(state_dirfd, file, run_logits_stamp(run, round), &f, err);
	if (st != TP_OK)
		return st;
	size_t pixels = f.map.full_h * f.map.full_w;
	st = mem_floats(f.map.classes * pixels, &p, err);
	if (st == TP_OK)
		st = mem_floats(probs_scratch(&f.map) + 1, &scratch, err);
	if (st == TP_OK)
		st = pool_create(1, &pool, err);
	if (st == TP_OK) {
		probs_from_logits(&f.map, p, scratch, pool);
		st = npy(p, f.map.classes, f.map.full_h, f.map.full_w, ret, ret_size, err);
	}
	pool_free(pool);
	mem_free(p);
	mem_free(scratch);
	logits_done(&f);
	return st;
}
