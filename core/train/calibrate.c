#include "train/calibrate.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_CHANNELS = 4096 };

/* Per-channel sums of one layer's bare convolution over all images. */
typedef struct moments {
	double sum[MAX_CHANNELS], square[MAX_CHANNELS];
	double count;
} moments;

static void add_image(moments *m, const float *y, size_t pixels, size_t channels)
{
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
	graph prefix = *g;
	memcpy(copy, g->node, (last + 1) * sizeof *copy);
	copy[last].act = ACT_NONE;
	copy[last].residual = -1;
	for (size_t i = 0; i < 4; i++)
		copy[last].bn[i] = -1;
	prefix.node = copy;
	prefix.nodes = last + 1;
	prefix.values = (size_t)copy[last].output + 1;
	return prefix;
}

static tp_status measure(const calibration *c, node *copy, size_t last, const float *values,
                         moments *m, tp_err *err)
{
	graph prefix = prefix_of(c->net, copy, last);
	exec_spec spec = {.graph = &prefix,
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
	memset(m, 0, sizeof *m);
	for (size_t i = 0; i < c->images && st == TP_OK; i++) {
		const float *y;
		memcpy(exec_input(e), c->input[i], c->h * c->w * c->net->channels[0] * sizeof(float));
		st = exec_forward(e, &y, err);
		if (st == TP_OK)
			add_image(m, y, size->out_h * size->out_w, size->out_c);
	}
	exec_free(e);
	return st;
}

static void set_statistics(const graph *g, const node *n, const moments *m, float *values)
{
	float *mean = values + g->params.item[n->bn[2]].offset;
	float *var = values + g->params.item[n->bn[3]].offset;
	size_t channels = g->params.item[n->bn[2]].count;
	for (size_t c = 0; c < channels; c++) {
		double mu = m->sum[c] / m->count, v = m->square[c] / m->count - mu * mu;
		mean[c] = (float)mu;
		/* A channel that never fires must not be amplified without bound. */
		var[c] = (float)(v > 1e-4 ? v : 1e-4);
	}
}

tp_status calibrate_batch_norms(const calibration *c, float *values, tp_err *err)
{
	const graph *g = c->net;
	node *copy = calloc(g->nodes, sizeof *copy);
	moments *m = malloc(sizeof *m);
	tp_status st = copy == NULL || m == NULL
	                   ? tp_fail(err, TP_NOMEM, 0, "out of memory for calibration")
	                   : TP_OK;
	for (size_t i = 0; i < g->nodes && st == TP_OK; i++) {
		const node *n = &g->node[i];
		if (n->op != NODE_CONV || n->bn[0] < 0)
			continue;
		if (g->params.item[n->bn[2]].count > MAX_CHANNELS)
			st = tp_fail(err, TP_SHAPE, 0, "more than %d channels", MAX_CHANNELS);
		if (st == TP_OK)
			st = measure(c, copy, i, values, m, err);
		if (st == TP_OK)
			set_statistics(g, n, m, values);
	}
	free(m);
	free(copy);
	return st;
}
