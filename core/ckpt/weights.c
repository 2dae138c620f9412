#include "ckpt/weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* ---- names of other code bases (algorithms.md 8.2, 8.4) ---- */

static const char *after(const char *name, const char *prefix)
{
	size_t n = strlen(prefix);
	return strncmp(name, prefix, n) == 0 ? name + n : NULL;
}

/* Without the prefixes of DataParallel, mmseg and DeepLab's Caffe conversion. */
static const char *bare(const char *name)
{
	static const char *const prefixes[] = {"module.", "backbone.", "Scale."};
	for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0];) {
		const char *rest = after(name, prefixes[i]);
		i = rest == NULL ? i + 1 : 0;
		name = rest == NULL ? name : rest;
	}
	return name;
}

/* Which of the two heads of an ADVENT file is the main one: layer6 where it exists. */
static bool has_layer6(const st_file *f)
{
	for (size_t i = 0; i < f->tensors; i++)
		if (after(bare(f->tensor[i].name), "layer6.conv2d_list.") != NULL)
			return true;
	return false;
}

/* Index in the table that a file's tensor belongs to, or -1. torchvision counts VGG's removed pool4
 * among its features, so the convolutions behind it are one off; the two numberings share no name,
 * which makes the translation safe to try. */
static ptrdiff_t table_index(const param_table *t, const char *file_name, bool layer6)
{
	static const char *const vgg[][2] = {{"features.24.", "features.23."},
	                                     {"features.26.", "features.25."},
	                                     {"features.28.", "features.27."}};
	const char *name = bare(file_name), *rest;
	char changed[sizeof t->item->name];
	if (layer6 && after(name, "layer5.") != NULL)
		return -1; /* the auxiliary head */
	if (layer6 && (rest = after(name, "layer6.")) != NULL) {
		(void)snprintf(changed, sizeof changed, "layer5.%s", rest);
		return params_find(t, changed);
	}
	ptrdiff_t found = params_find(t, name);
	bool is_vgg = params_find(t, "features.29.bias") >= 0;
	for (size_t i = 0; is_vgg && found < 0 && i < 3; i++) {
		if ((rest = after(name, vgg[i][0])) == NULL)
			continue;
		(void)snprintf(changed, sizeof changed, "%s%s", vgg[i][1], rest);
		found = params_find(t, changed);
	}
	return found;
}

void weights_head(const st_file *f, size_t *ret_classes, size_t *ret_branches)
{
	static const char *const heads[] = {"layer6.conv2d_list.", "layer5.conv2d_list.",
	                                    "classifier.conv2d_list."};
	*ret_classes = *ret_branches = 0;
	for (size_t h = 0; h < 3 && *ret_branches == 0; h++) {
		for (size_t i = 0; i < f->tensors; i++) {
			const st_tensor *t = &f->tensor[i];
			const char *rest = after(bare(t->name), heads[h]);
			if (rest == NULL || strlen(rest) < 2 || strcmp(rest + 1, ".weight") != 0)
				continue;
			*ret_branches += 1;
			*ret_classes = t->ndim == 4 ? t->shape[0] : 0;
		}
	}
}

/* ---- metadata ---- */

static tp_status three_numbers(const st_file *f, const char *key, bool positive, float ret[3],
                               tp_err *err)
{
	const char *s = st_meta_get(f, key);
	float v[3];
	for (int i = 0; i < 3 && s != NULL; i++) {
		char *end;
		v[i] = strtof(s, &end);
		bool last = i == 2;
		if (end == s || *end != (last ? 0 : ',') || !isfinite(v[i]) ||
		    (positive && v[i] <= 0))
			return tp_fail(err, TP_INVALID, 0,
			               "metadata %s: three comma-separated%s numbers expected", key,
			               positive ? " positive" : "");
		s = last ? NULL : end + 1;
		if (last)
			memcpy(ret, v, sizeof v);
	}
	return TP_OK;
}

static tp_status read_meta(const st_file *f, weights_info *info, tp_err *err)
{
	static const float mean[3] = {0.485f, 0.456f, 0.406f}, std[3] = {0.229f, 0.224f, 0.225f};
	memcpy(info->input_mean, mean, sizeof mean);
	memcpy(info->input_std, std, sizeof std);
	const char *pad = st_meta_get(f, "stride2_padding");
	if (pad != NULL && strcmp(pad, "symmetric") != 0 && strcmp(pad, "same") != 0)
		return tp_fail(err, TP_INVALID, 0,
		               "metadata stride2_padding: neither symmetric nor same");
	info->same_pad = pad != NULL && strcmp(pad, "same") == 0;
	tp_status st = three_numbers(f, "input_mean", false, info->input_mean, err);
	return st == TP_OK ? three_numbers(f, "input_std", true, info->input_std, err) : st;
}

/* ---- matching ---- */

typedef struct match {
	const st_tensor **of; /* for each parameter its tensor, or NULL */
	weights_info info;
} match;

static void shape_text(char *to, size_t size, size_t ndim, const size_t *dims)
{
	size_t n = 0;
	to[0] = 0;
	for (size_t i = 0; i < ndim && n < size; i++)
		n += (size_t)snprintf(to + n, size - n, "%s%zu", i == 0 ? "" : "x", dims[i]);
}

static tp_status wrong_shape(const st_tensor *t, const param *p, tp_err *err)
{
	char got[100], want[100];
	shape_text(got, sizeof got, t->ndim, t->shape);
	shape_text(want, sizeof want, p->ndim, p->dims);
	return tp_fail(err, TP_SHAPE, 0, "tensor %s has shape [%s], the network wants [%s]",
	               t->name, got, want);
}

static bool same_dims(const st_tensor *t, const param *p, size_t first)
{
	bool same = t->ndim == p->ndim;
	for (size_t d = first; same && d < p->ndim; d++)
		same = t->shape[d] == p->dims[d];
	return same;
}

/* Pairs tensors with parameters; refuses two for one. */
static tp_status pair(const st_file *f, const param_table *t, match *m, tp_err *err)
{
	bool layer6 = has_layer6(f);
	for (size_t i = 0; i < f->tensors; i++) {
		const st_tensor *s = &f->tensor[i];
		ptrdiff_t p = table_index(t, s->name, layer6);
		if (p < 0) {
			m->info.unused++;
			continue;
		}
		if (m->of[p] != NULL)
			return tp_fail(err, TP_INVALID, 0, "tensors %.100s and %.100s are both %s",
			               m->of[p]->name, s->name, t->item[p].name);
		m->of[p] = s;
	}
	return TP_OK;
}

/* A head of another class count is dropped as a whole; a head with holes is refused. */
static tp_status settle_head(const param_table *t, match *m, tp_err *err)
{
	size_t present = 0, heads = 0;
	bool other = false;
	const param *hole = NULL;
	for (size_t i = 0; i < t->count; i++) {
		const param *p = &t->item[i];
		if (!p->head)
			continue;
		heads++;
		present += m->of[i] != NULL;
		if (m->of[i] == NULL)
			hole = p;
		else if (!same_dims(m->of[i], p, 1))
			return wrong_shape(m->of[i], p, err);
		else if (m->of[i]->shape[0] != p->dims[0])
			other = true;
	}
	if (present > 0 && hole != NULL && !other)
		return tp_fail(err, TP_INVALID, 0, "tensor %s of the head is missing", hole->name);
	for (size_t i = 0; other && i < t->count; i++) {
		m->info.unused += t->item[i].head && m->of[i] != NULL;
		if (t->item[i].head)
			m->of[i] = NULL;
	}
	m->info.whole = heads > 0 && present == heads && !other;
	return TP_OK;
}

/* Shape and every value; leaves the values in `room`. */
static tp_status check_values(const st_file *f, const st_tensor *s, const param *p, float *room,
                              tp_err *err)
{
	if (s->dtype == ST_OTHER)
		return tp_fail(err, TP_INVALID, 0, "tensor %s is neither F32, F16 nor BF16",
		               s->name);
	if (!same_dims(s, p, 0))
		return wrong_shape(s, p, err);
	st_read(f, s, room);
	for (size_t i = 0; i < s->count; i++) {
		if (!isfinite(room[i]))
			return tp_fail(err, TP_NONFINITE, 0,
			               "tensor %s holds a value that is not finite", s->name);
		if (p->kind == PARAM_BN_VAR && room[i] < 0)
			return tp_fail(err, TP_INVALID, 0, "tensor %s holds a negative variance",
			               s->name);
	}
	return TP_OK;
}

static size_t largest(const param_table *t)
{
	size_t n = 0;
	for (size_t i = 0; i < t->count; i++)
		n = t->item[i].count > n ? t->item[i].count : n;
	return n;
}

/* Everything but the copying, so that values are touched only when all is well. `room` holds the
 * largest parameter; m->of is filled. */
static tp_status match_all(const st_file *f, const graph *g, bool allow_partial, float *room,
                           match *m, tp_err *err)
{
	const param_table *t = &g->params;
	const param *missing = NULL;
	tp_status st = read_meta(f, &m->info, err);
	if (st == TP_OK)
		st = pair(f, t, m, err);
	if (st == TP_OK)
		st = settle_head(t, m, err);
	for (size_t i = 0; i < t->count && st == TP_OK; i++) {
		const param *p = &t->item[i];
		if (m->of[i] != NULL)
			st = check_values(f, m->of[i], p, room, err);
		else if (!p->head && missing == NULL)
			missing = p;
		m->info.loaded += m->of[i] != NULL;
		m->info.missing += m->of[i] == NULL;
	}
	if (st != TP_OK)
		return st;
	m->info.whole = m->info.whole && missing == NULL;
	if (missing != NULL && m->info.loaded == 0)
		return tp_fail(err, TP_INVALID, 0, "no tensor fits the network, not even %s",
		               missing->name);
	if (missing != NULL && !allow_partial)
		return tp_fail(err, TP_INVALID, 0, "tensor %s is missing", missing->name);
	return TP_OK;
}

/* values NULL: look only. Reads every tensor twice, the second time from the page cache. */
static tp_status load(const st_file *f, const graph *g, bool allow_partial, float *values,
                      weights_info *ret, tp_err *err)
{
	const param_table *t = &g->params;
	float *room = NULL;
	match m = {.of = calloc(t->count, sizeof *m.of)};
	tp_status st = mem_floats(largest(t), &room, err);
	if (st == TP_OK && m.of == NULL)
		st = tp_fail(err, TP_NOMEM, 0, "out of memory while reading weights");
	if (st == TP_OK)
		st = match_all(f, g, allow_partial, room, &m, err);
	for (size_t i = 0; st == TP_OK && values != NULL && i < t->count; i++) {
		if (m.of[i] == NULL)
			continue;
		st_read(f, m.of[i], room);
		params_from_public(&t->item[i], room, values);
	}
	if (st == TP_OK)
		*ret = m.info;
	mem_free(room);
	free(m.of);
	return st;
}

tp_status weights_check(const st_file *f, const graph *g, weights_info *ret, tp_err *err)
{
	return load(f, g, true, NULL, ret, err);
}

tp_status weights_load(const st_file *f, const graph *g, bool allow_partial, float *values,
                       weights_info *ret, tp_err *err)
{
	return load(f, g, allow_partial, values, ret, err);
}

tp_status weights_save(int dirfd, const char *path, const graph *g, const float *values,
                       const st_meta *meta, size_t metas, tp_err *err)
{
	const param_table *t = &g->params;
	float *flat = NULL;
	st_out *out = calloc(t->count, sizeof *out);
	tp_status st = mem_floats(t->floats, &flat, err);
	if (st == TP_OK && out == NULL)
		st = tp_fail(err, TP_NOMEM, 0, "out of memory while writing weights");
	for (size_t i = 0; i < t->count && st == TP_OK; i++) {
		const param *p = &t->item[i];
		float *to = flat + p->offset;
		params_to_public(p, values, to);
		for (size_t k = 0; k < p->count && st == TP_OK; k++)
			if (!isfinite(to[k]))
				st = tp_fail(err, TP_NONFINITE, 0,
				             "parameter %s holds a value that is not finite",
				             p->name);
		out[i] = (st_out){.name = p->name, .ndim = p->ndim, .data = to};
		memcpy(out[i].shape, p->dims, sizeof p->dims);
	}
	if (st == TP_OK)
		st = st_write(dirfd, path, out, t->count, meta, metas, err);
	free(out);
	mem_free(flat);
	return st;
}
