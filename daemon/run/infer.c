#include "run/infer.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ckpt/weights.h"
#include "data/classes.h"
#include "data/logits.h"
#include "data/png.h"
#include "run/net_meta.h"
#include "store/run_files.h"
#include "train/score.h"

/* A stored network, ready to be loaded. */
typedef struct stored_net {
	const char *file;
	const weights_row *weights; /* NULL: a checkpoint, which describes itself */
} stored_net;

static tp_status spec_of_weights(const weights_row *w, net_spec *ret, tp_err *err)
{
	json_t *o = json_loads(w->spec, 0, NULL);
	net_arch arch;
	if (o == NULL || !net_arch_parse(w->arch, &arch)) {
		json_decref(o);
		return tp_fail(err, TP_CORRUPT, 0, "weights %s: the stored description is damaged", w->name);
	}
	*ret = net_spec_default(arch);
	ret->classes = (size_t)json_integer_value(json_object_get(o, "classes"));
	ret->output_stride = (size_t)json_integer_value(json_object_get(o, "output_stride"));
	ret->aspp_branches = (size_t)json_integer_value(json_object_get(o, "aspp_branches"));
	ret->width_divisor = (size_t)json_integer_value(json_object_get(o, "width_divisor"));
	ret->same_pad = json_is_true(json_object_get(o, "same_pad"));
	for (size_t i = 0; i < ASPP_MAX_BRANCHES; i++)
		ret->aspp_dilations[i] = (size_t)json_integer_value(
			json_array_get(json_object_get(o, "aspp_dilations"), i));
	json_decref(o);
	return TP_OK;
}

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

static tp_status run_net(const graph *g, const float *values, const input_norm *norm,
                         const image *img, infer_format format, void **ret, size_t *ret_size,
                         tp_err *err)
{
	recipe r = recipe_preset(0);
	pool *pool;
	scorer *sc = NULL;
	const float *p;
	tp_status st = pool_create(1, &pool, err); /* the cores belong to training */
	if (st != TP_OK)
		return st;
	scorer_spec spec = {.recipe = &r,
	                    .net = g,
	                    .values = values,
	                    .classes = g->channels[g->values - 1],
	                    .norm = *norm,
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

static tp_status infer(int dirfd, const stored_net *net, const void *bytes, size_t size,
                       infer_format format, void **ret, size_t *ret_size, tp_err *err)
{
	st_file f;
	graph g = {0};
	net_spec spec;
	input_norm norm;
	image img = {0};
	weights_info info;
	float *values = NULL;
	tp_status st = image_decode(bytes, size, "the image", &img, err);
	if (st != TP_OK)
		return st;
	st = st_open(dirfd, net->file, &f, err);
	if (st != TP_OK) {
		image_done(&img);
		return st;
	}
	st = net->weights != NULL ? spec_of_weights(net->weights, &spec, err)
	                          : net_meta_read(&f, &spec, &norm, err);
	if (st == TP_OK)
		st = net_build(&spec, &g, err);
	if (st == TP_OK)
		st = mem_floats(g.params.floats, &values, err);
	if (st == TP_OK)
		st = weights_load(&f, &g, false, values, &info, err);
	if (st == TP_OK && !info.whole)
		st = tp_fail(err, TP_INVALID, 0, "these weights have no head: they cannot infer");
	if (st == TP_OK && net->weights != NULL) {
		memcpy(norm.mean, info.input_mean, sizeof norm.mean);
		memcpy(norm.std, info.input_std, sizeof norm.std);
	}
	if (st == TP_OK)
		st = run_net(&g, values, &norm, &img, format, ret, ret_size, err);
	mem_free(values);
	graph_done(&g);
	st_close(&f);
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
	stored_net net = {row.file, NULL};
	st = infer(state_dirfd, &net, bytes, size, format, ret, ret_size, err);
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
	stored_net net = {row.file, &row};
	st = row.whole ? infer(state_dirfd, &net, bytes, size, format, ret, ret_size, err)
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
