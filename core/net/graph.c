#include "net/graph.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static tp_status no_memory(tp_err *err)
{
	return tp_fail(err, TP_NOMEM, 0, "out of memory while building a network");
}

/* Room for one more item: arrays grow to the next power of two. */
static bool grow(void **array, size_t count, size_t size)
{
	if ((count & (count - 1)) != 0)
		return true;
	size_t want;
	if (!mul_size(count == 0 ? 1 : count * 2, size, &want))
		return false;
	void *p = realloc(*array, want);
	if (p == NULL)
		return false;
	*array = p;
	return true;
}

/* The add_ functions do nothing after the first failure, which stays in g->err: builders need no
 * checks between the lines. */
static int add_value(graph *g, size_t channels)
{
	if (!grow((void **)&g->channels, g->values, sizeof *g->channels)) {
		(void)no_memory(&g->err);
		return -1;
	}
	g->channels[g->values] = channels;
	return (int)g->values++;
}

/* Returns the index of a copy of *p with name prefix + suffix; -1 after a failure. */
static int add_param(graph *g, const char *prefix, const char *suffix, param p)
{
	param_table *t = &g->params;
	if (g->err.code != TP_OK)
		return -1;
	int n = snprintf(p.name, sizeof p.name, "%s.%s", prefix, suffix);
	if (n < 0 || (size_t)n >= sizeof p.name) {
		(void)tp_fail(&g->err, TP_INVALID, 0, "parameter name too long: %s", prefix);
		return -1;
	}
	if (params_find(t, p.name) >= 0) {
		(void)tp_fail(&g->err, TP_INVALID, 0, "parameter %s exists already", p.name);
		return -1;
	}
	p.count = 1;
	bool fits = true;
	for (size_t i = 0; i < p.ndim; i++)
		fits = fits && mul_size(p.count, p.dims[i], &p.count);
	if (!fits || p.count == 0 || p.count > (size_t)1 << 32) {
		(void)tp_fail(&g->err, TP_INVALID, 0, "parameter %s: size out of range", p.name);
		return -1;
	}
	if (!grow((void **)&t->item, t->count, sizeof *t->item)) {
		(void)no_memory(&g->err);
		return -1;
	}
	t->item[t->count] = p;
	return (int)t->count++;
}

/* std 0: He's initialisation (graph.h). */
static int add_weight(graph *g, const char *name, bool depthwise, size_t out, size_t in,
                      size_t kernel, float std, bool head)
{
	param p = {.kind = depthwise ? PARAM_DEPTHWISE : PARAM_WEIGHT,
	           .dims = {out, in, kernel, kernel},
	           .ndim = 4,
	           .trained = true,
	           .head = head,
	           .init_std = std};
	if (std == 0)
		p.init_std = sqrtf(2.0f / (float)(kernel * kernel * (depthwise ? 1 : out)));
	return add_param(g, name, "weight", p);
}

static int add_bias(graph *g, const char *name, size_t out, bool head)
{
	param p = {.kind = PARAM_BIAS, .dims = {out}, .ndim = 1, .trained = true, .head = head};
	return add_param(g, name, "bias", p);
}

/* A fresh batch norm does nothing: mean 0, variance 1. */
static void add_bn(graph *g, const char *name, size_t c, float weight_init, int bn[4])
{
	static const char *const suffix[] = {"weight", "bias", "running_mean", "running_var"};
	const float init[] = {weight_init == 0 ? 1.0f : weight_init, 0, 0, 1};
	for (int i = 0; i < 4; i++) {
		param p = {.kind = PARAM_BN_WEIGHT + (param_kind)i,
		           .dims = {c},
		           .ndim = 1,
		           .init = init[i]};
		bn[i] = add_param(g, name, suffix[i], p);
	}
}

static bool is_value(const graph *g, int v) { return v >= 0 && (size_t)v < g->values; }

/* Appends *n with a new output of `channels`; returns the output's number. */
static int add_node(graph *g, node n, size_t channels)
{
	if (g->err.code != TP_OK)
		return -1;
	n.output = add_value(g, channels);
	if (n.output < 0)
		return -1;
	if (!grow((void **)&g->node, g->nodes, sizeof *g->node)) {
		(void)no_memory(&g->err);
		return -1;
	}
	g->node[g->nodes++] = n;
	return n.output;
}

tp_status graph_init(size_t input_channels, graph *ret, tp_err *err)
{
	graph g = {0};
	if (input_channels == 0)
		return tp_fail(err, TP_INVALID, 0, "a network needs at least one input channel");
	if (add_value(&g, input_channels) < 0)
		return no_memory(err);
	*ret = g;
	return TP_OK;
}

int graph_conv(graph *g, int input, const char *name, const conv_attr *a)
{
	if (g->err.code != TP_OK)
		return -1;
	if (!is_value(g, input) || (a->residual != -1 && !is_value(g, a->residual))) {
		(void)tp_fail(&g->err, TP_INVALID, 0, "%s: no such input value", name);
		return -1;
	}
	size_t in = g->channels[input];
	if (a->out == 0 || a->kernel == 0 || a->stride == 0 || a->dilation == 0 ||
	    (a->depthwise && a->out != in) || (a->bias && a->bn != NULL)) {
		(void)tp_fail(&g->err, TP_INVALID, 0, "%s: bad convolution", name);
		return -1;
	}
	if (a->residual != -1 && g->channels[a->residual] != a->out) {
		(void)tp_fail(&g->err, TP_SHAPE, 0, "%s: adds %zu channels to %zu", name,
		              g->channels[a->residual], a->out);
		return -1;
	}
	node n = {.op = NODE_CONV,
	          .input = input,
	          .residual = a->residual,
	          .kernel = a->kernel,
	          .stride = a->stride,
	          .pad = a->pad,
	          .dilation = a->dilation,
	          .groups = a->depthwise ? in : 1,
	          .same_pad = a->same_pad && a->stride > 1,
	          .act = a->act,
	          .bias = -1,
	          .bn = {-1, -1, -1, -1}};
	n.weight = add_weight(g, name, a->depthwise, a->out, a->depthwise ? 1 : in, a->kernel,
	                      a->init_std, a->head);
	if (a->bias)
		n.bias = add_bias(g, name, a->out, a->head);
	if (a->bn != NULL)
		add_bn(g, a->bn, a->out, a->bn_init, n.bn);
	return add_node(g, n, a->out);
}

int graph_maxpool(graph *g, int input, size_t kernel, size_t stride, size_t pad, bool ceil_mode)
{
	if (g->err.code != TP_OK)
		return -1;
	if (!is_value(g, input) || kernel == 0 || kernel > 15 || stride == 0 || 2 * pad > kernel) {
		(void)tp_fail(&g->err, TP_INVALID, 0, "bad max pool");
		return -1;
	}
	node n = {.op = NODE_MAXPOOL,
	          .input = input,
	          .residual = -1,
	          .kernel = kernel,
	          .stride = stride,
	          .pad = pad,
	          .dilation = 1,
	          .groups = 1,
	          .ceil_mode = ceil_mode,
	          .weight = -1,
	          .bias = -1,
	          .bn = {-1, -1, -1, -1}};
	return add_node(g, n, g->channels[input]);
}

int graph_aspp(graph *g, int input, const char *name, size_t out, size_t branches,
               const size_t *dilations)
{
	const float std = 0.01f; /* algorithms.md 8.1 */
	if (g->err.code != TP_OK)
		return -1;
	if (!is_value(g, input) || out == 0 || branches == 0 || branches > ASPP_MAX_BRANCHES) {
		(void)tp_fail(&g->err, TP_INVALID, 0, "%s: bad head", name);
		return -1;
	}
	node n = {.op = NODE_ASPP,
	          .input = input,
	          .residual = -1,
	          .kernel = 3,
	          .stride = 1,
	          .dilation = 1,
	          .groups = 1,
	          .weight = -1,
	          .bias = -1,
	          .bn = {-1, -1, -1, -1},
	          .branches = branches};
	for (size_t b = 0; b < branches; b++) {
		char sub[64];
		if ((size_t)snprintf(sub, sizeof sub, "%s.%zu", name, b) >= sizeof sub) {
			(void)tp_fail(&g->err, TP_INVALID, 0, "name too long: %s", name);
			return -1;
		}
		n.dilations[b] = dilations[b];
		n.branch_weight[b] =
		        add_weight(g, sub, false, out, g->channels[input], 3, std, true);
		n.branch_bias[b] = add_bias(g, sub, out, true);
	}
	return add_node(g, n, out);
}

graph graph_prefix(const graph *g, size_t nodes)
{
	graph prefix = *g;
	prefix.nodes = nodes;
	prefix.values = (size_t)g->node[nodes - 1].output + 1;
	return prefix;
}

static void renumber(int *index, const size_t *to)
{
	if (*index >= 0)
		*index = (int)to[*index];
}

/* The passes count on every value but the last being read by somebody. */
static void check_values_read(graph *g)
{
	for (size_t v = 0; v + 1 < g->values; v++) {
		bool found = false;
		for (size_t i = 0; i < g->nodes && !found; i++)
			found = g->node[i].input == (int)v || g->node[i].residual == (int)v;
		if (!found)
			(void)tp_fail(&g->err, TP_INVALID, 0, "value %zu is read by no layer", v);
	}
}

/* Builders add parameters layer by layer; the table wants the trained ones first (params.h). The
 * order within both halves stays, so it is the layers' order. */
tp_status graph_finish(graph *g, tp_err *err)
{
	param_table *t = &g->params;
	if (g->err.code == TP_OK)
		check_values_read(g);
	if (g->err.code == TP_OK && (g->nodes == 0 || t->count == 0))
		(void)tp_fail(&g->err, TP_INVALID, 0, "the network has no layers");
	if (g->err.code != TP_OK)
		return tp_fail(err, g->err.code, 0, "%s", g->err.text);
	param *sorted = malloc(t->count * sizeof *sorted);
	size_t *to = malloc(t->count * sizeof *to);
	if (sorted == NULL || to == NULL) {
		free(sorted);
		free(to);
		return no_memory(err);
	}
	size_t n = 0, offset = 0;
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < t->count; i++) {
			if (t->item[i].trained != (pass == 0))
				continue;
			to[i] = n;
			sorted[n] = t->item[i];
			sorted[n].offset = offset;
			offset += sorted[n++].count;
		}
		if (pass == 0)
			t->trained_floats = offset;
	}
	t->floats = offset;
	for (size_t i = 0; i < g->nodes; i++) {
		node *d = &g->node[i];
		renumber(&d->weight, to);
		renumber(&d->bias, to);
		for (size_t j = 0; j < 4; j++)
			renumber(&d->bn[j], to);
		for (size_t b = 0; b < d->branches; b++) {
			renumber(&d->branch_weight[b], to);
			renumber(&d->branch_bias[b], to);
		}
	}
	free(t->item);
	free(to);
	t->item = sorted;
	return TP_OK;
}

void graph_done(graph *g)
{
	free(g->node);
	free(g->channels);
	params_done(&g->params);
	*g = (graph){0};
}
