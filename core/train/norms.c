#include "train/norms.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { MAX_CHANNELS = 4096 };

/* Per-channel sums of one layer's bare convolution over all images. */
typedef struct moments {
	double sum[MAX_CHANNELS], square[MAX_CHANNELS];
	double count;
} moments;

static void add_image(void *arg, const float *y, size_t h, size_t w, size_t channels)
{
	moments *m = arg;
	size_t pixels = h * w;
	for (size_t p = 0; p < pixels; p++) {
		for (size_t c = 0; c < channels; c++) {
			double v = (double)y[p * channels + c];
			m->sum[c] += v;
			m->square[c] += v * v;
		}
	}
	m->count += (double)pixels;
}

/* The network up to `last`, whose node is stripped to the convolution alone. */
static graph prefix_of(const graph *g, node *copy, size_t last)
{
	graph prefix = graph_prefix(g, last + 1);
	memcpy(copy, g->node, (last + 1) * sizeof *copy);
	copy[last].act = ACT_NONE;
	copy[last].residual = -1;
	for (size_t i = 0; i < 4; i++)
		copy[last].bn[i] = -1;
	prefix.node = copy;
	return prefix;
}

/* Called with what a network puts out for one image. */
typedef void see(void *arg, const float *y, size_t h, size_t w, size_t channels);

/* dst = src mirrored left to right, both [h][w][channels]. */
static void mirror(const float *src, size_t h, size_t w, size_t channels, float *dst)
{
	for (size_t y = 0; y < h; y++)
		for (size_t x = 0; x < w; x++)
			memcpy(dst + (y * w + w - 1 - x) * channels, src + (y * w + x) * channels,
			       channels * sizeof(float));
}

/* Shows what `g` puts out for each image; `mirrored`: after each for its mirror image, too. */
static tp_status pass_all(const norm_spec *c, const graph *g, const norm_inputs *in, bool mirrored,
                          const float *values, see *see, void *arg, tp_err *err)
{
	exec_spec spec = {.graph = g,
	                  .in_h = c->h,
	                  .in_w = c->w,
	                  .kernels = KERNELS_EXACT,
	                  .pool = c->pool,
	                  .stop = c->stop};
	exec *e;
	tp_status st = exec_create(&spec, &e, err);
	if (st != TP_OK)
		return st;
	const exec_size *size = exec_sizes(e);
	exec_prepare(e, values);
	size_t passes = mirrored ? 2 * in->count : in->count;
	for (size_t i = 0; i < passes && st == TP_OK; i++) {
		const float *y, *image = in->image[mirrored ? i / 2 : i];
		if (mirrored && i % 2 == 1)
			mirror(image, c->h, c->w, g->channels[0], exec_input(e));
		else
			memcpy(exec_input(e), image, c->h * c->w * g->channels[0] * sizeof(float));
		st = exec_forward(e, &y, err);
		if (st == TP_OK)
			see(arg, y, size->out_h, size->out_w, size->out_c);
	}
	exec_free(e);
	return st;
}

/* Moments of what convolution `last` puts out, over all images. */
static tp_status measure(const norm_spec *c, const norm_inputs *in, node *copy, size_t last,
                         const float *values, moments *m, tp_err *err)
{
	graph prefix = prefix_of(c->net, copy, last);
	memset(m, 0, sizeof *m);
	return pass_all(c, &prefix, in, false, values, add_image, m, err);
}

static double mean_of(const moments *m, size_t c) { return m->sum[c] / m->count; }

static double variance_of(const moments *m, size_t c)
{
	double mu = mean_of(m, c), v = m->square[c] / m->count - mu * mu;
	return v > 0.0 ? v : 0.0;
}

static bool has_norm(const node *n) { return n->op == NODE_CONV && n->bn[0] >= 0; }

/* What the walks need: node copies for prefixes, room for one layer's moments and, to align, for all layers'. */
typedef struct walk {
	node *copy;
	moments *here, *source;
} walk;

static tp_status walk_init(walk *w, const norm_spec *spec, bool align, tp_err *err)
{
	const graph *g = spec->net;
	*w = (walk){calloc(g->nodes, sizeof *w->copy), malloc(sizeof *w->here),
	            align ? malloc(g->nodes * sizeof *w->source) : NULL};
	if (w->copy == NULL || w->here == NULL || (align && w->source == NULL))
		return tp_fail(err, TP_NOMEM, 0, "out of memory for batch norms");
	for (size_t i = 0; i < g->nodes; i++)
		if (has_norm(&g->node[i]) &&
		    g->params.item[g->node[i].bn[2]].count > MAX_CHANNELS)
			return tp_fail(err, TP_SHAPE, 0, "more than %d channels", MAX_CHANNELS);
	return TP_OK;
}

static void walk_done(walk *w)
{
	free(w->copy);
	free(w->here);
	free(w->source);
}

static const param *norm_mean(const graph *g, const node *n) { return &g->params.item[n->bn[2]]; }
static const param *norm_variance(const graph *g, const node *n) { return &g->params.item[n->bn[3]]; }

static void set_statistics(const graph *g, const node *n, const moments *m, float *values)
{
	float *mean = values + norm_mean(g, n)->offset, *var = values + norm_variance(g, n)->offset;
	for (size_t c = 0; c < norm_mean(g, n)->count; c++) {
		double v = variance_of(m, c);
		mean[c] = (float)mean_of(m, c);
		/* A channel that never fires must not be amplified without bound. */
		var[c] = (float)(v > 1e-4 ? v : 1e-4);
	}
}

tp_status norms_calibrate(const norm_spec *spec, const norm_inputs *source, float *values,
                          tp_err *err)
{
	const graph *g = spec->net;
	walk w;
	tp_status st = walk_init(&w, spec, false, err);
	for (size_t i = 0; i < g->nodes && st == TP_OK; i++) {
		if (!has_norm(&g->node[i]))
			continue;
		st = measure(spec, source, w.copy, i, values, w.here, err);
		if (st == TP_OK)
			set_statistics(g, &g->node[i], w.here, values);
	}
	walk_done(&w);
	return st;
}

/* scale = weight / sqrt(var + eps): another scale is another variance, another shift another mean. */
static void move_statistics(const graph *g, const node *n, const moments *s, const moments *t, double a,
                            float *values)
{
	static const double eps = 1e-5;
	float *mean = values + norm_mean(g, n)->offset, *var = values + norm_variance(g, n)->offset;
	for (size_t c = 0; c < norm_mean(g, n)->count; c++) {
		double mu_s = mean_of(s, c), mu_m = (1.0 - a) * mu_s + a * mean_of(t, c);
		double var_s = variance_of(s, c) + eps;
		double var_m = (1.0 - a) * var_s + a * (variance_of(t, c) + eps);
		double moved = ((double)var[c] + eps) * (var_m / var_s) - eps;
		mean[c] = (float)(mu_m + ((double)mean[c] - mu_s) * sqrt(var_m / var_s));
		var[c] = (float)(moved > 0.0 ? moved : 0.0);
	}
}

/* The source's moments behind every convolution, with the norms that the network has. */
static tp_status measure_source(const norm_spec *spec, const norm_inputs *source, const float *values, walk *w,
                                tp_err *err)
{
	tp_status st = TP_OK;
	for (size_t i = 0; i < spec->net->nodes && st == TP_OK; i++)
		if (has_norm(&spec->net->node[i]))
			st = measure(spec, source, w->copy, i, values, &w->source[i], err);
	return st;
}

static tp_status align_target(const norm_spec *spec, const norm_inputs *target, double a, float *values, walk *w,
                              tp_err *err)
{
	const graph *g = spec->net;
	tp_status st = TP_OK;
	for (size_t i = 0; i < g->nodes && st == TP_OK; i++) {
		if (!has_norm(&g->node[i]))
			continue;
		st = measure(spec, target, w->copy, i, values, w->here, err);
		if (st == TP_OK)
			move_statistics(g, &g->node[i], &w->source[i], w->here, a, values);
	}
	return st;
}

/* Counts the classes of images, and where those of a mirror image differ; an image and its mirror image take turns. */
typedef struct votes {
	size_t count[NORMS_MAX_CLASSES], all, differ;
	bool is_mirror; /* whose turn it is */
	uint8_t *seen;  /* of the image, [h][w] */
} votes;

static size_t best_of(const float *z, size_t classes)
{
	size_t best = 0;
	for (size_t k = 1; k < classes; k++)
		best = z[k] > z[best] ? k : best;
	return best;
}

static void count_best(void *arg, const float *z, size_t h, size_t w, size_t classes)
{
	votes *v = arg;
	for (size_t i = 0; i < h * w; i++) {
		size_t best = best_of(z + i * classes, classes);
		if (v->is_mirror) {
			v->differ += best != v->seen[i / w * w + w - 1 - i % w];
		} else {
			v->seen[i] = (uint8_t)best;
			v->count[best]++;
		}
	}
	v->all += v->is_mirror ? 0 : h * w;
	v->is_mirror = !v->is_mirror;
}

tp_status norms_predict(const norm_spec *spec, const norm_inputs *in, const float *values, norm_predictions *ret,
                        tp_err *err)
{
	size_t classes = spec->net->channels[spec->net->values - 1];
	/* No network puts out more positions than it takes in. */
	votes v = {.seen = malloc(spec->h * spec->w)};
	tp_status st = v.seen == NULL ? tp_fail(err, TP_NOMEM, 0, "out of memory for predictions")
	                                : pass_all(spec, spec->net, in, true, values, count_best, &v, err);
	*ret = (norm_predictions){0};
	for (size_t k = 0; k < classes && st == TP_OK; k++)
		ret->share[k] = (double)v.count[k] / (double)v.all;
	if (st == TP_OK)
		ret->mirror_change = (double)v.differ / (double)v.all;
	free(v.seen);
	return st;
}

bool norms_doubtful(double shift, double mirror)
{
	static const double moved = 0.08, better = 0.85, worse = 1.44;
	return mirror > worse || (shift > moved && mirror > better);
}

static norm_outcome outcome_of(const norm_predictions *before, const norm_predictions *after, bool check)
{
	norm_outcome o = {.mirror = before->mirror_change > 0.0 ? after->mirror_change / before->mirror_change
	                                                        : 1.0};
	for (size_t k = 0; k < NORMS_MAX_CLASSES; k++)
		o.shift += 0.5 * fabs(after->share[k] - before->share[k]);
	o.kept = !check || !norms_doubtful(o.shift, o.mirror);
	return o;
}

tp_status norms_align(const norm_spec *spec, const norm_inputs *source, const norm_inputs *target, double a,
                      bool check, float *values, norm_outcome *ret, tp_err *err)
{
	const graph *g = spec->net;
	size_t trained = g->params.trained_floats, norms = g->params.floats - trained;
	float *as_were = NULL;
	norm_predictions before, after;
	walk w;
	tp_status st = walk_init(&w, spec, true, err);
	if (st == TP_OK)
		st = mem_floats(norms, &as_were, err);
	if (st == TP_OK) {
		memcpy(as_were, values + trained, norms * sizeof(float));
		st = norms_predict(spec, target, values, &before, err);
	}
	if (st == TP_OK)
		st = measure_source(spec, source, values, &w, err);
	if (st == TP_OK)
		st = align_target(spec, target, a, values, &w, err);
	if (st == TP_OK)
		st = norms_predict(spec, target, values, &after, err);
	if (st == TP_OK) {
		*ret = outcome_of(&before, &after, check);
		if (!ret->kept)
			memcpy(values + trained, as_were, norms * sizeof(float));
	}
	mem_free(as_were);
	walk_done(&w);
	return st;
}

size_t norms_align_bytes(const graph *net) { return (net->nodes + 1) * sizeof(moments); }
