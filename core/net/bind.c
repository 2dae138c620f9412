#include "net/bind.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { MAX_SIDE = 1 << 15 };

void bind_node_name(const graph *g, size_t i, char *buf, size_t size)
{
	const node *n = &g->node[i];
	int p = n->op == NODE_ASPP ? n->branch_weight[0] : n->weight;
	(void)snprintf(buf, size, "%s", p < 0 ? "maxpool" : g->params.item[p].name);
	for (int words = n->op == NODE_ASPP ? 2 : 1; p >= 0 && words > 0; words--) {
		char *dot = strrchr(buf, '.');
		if (dot != NULL)
			*dot = 0;
	}
}

static tp_status too_small(const exec_spec *s, size_t i, tp_err *err)
{
	char name[80];
	bind_node_name(s->graph, i, name, sizeof name);
	return tp_fail(err, TP_SHAPE, 0,
	               "an image of %zux%zu pixels (height x width) is too small for %s", s->in_h,
	               s->in_w, name);
}

/* TensorFlow's SAME: ceil(in / stride) outputs, the odd pixel of padding at the end. */
static size_t same_out(size_t in, size_t stride) { return (in + stride - 1) / stride; }
static size_t same_pad(size_t in, const node *n)
{
	size_t last = (same_out(in, n->stride) - 1) * n->stride;
	size_t reach = last + n->dilation * (n->kernel - 1) + 1;
	return reach > in ? (reach - in) / 2 : 0;
}

static tp_status bind_conv(const exec_spec *s, size_t i, const bound_value *x, bound_value *y,
                           binding *b, tp_err *err)
{
	const node *n = &s->graph->node[i];
	size_t span = n->dilation * (n->kernel - 1) + 1;
	conv_shape c = {.in_h = x->h,
	                .in_w = x->w,
	                .in_c = x->c,
	                .out_c = y->c,
	                .kernel_h = n->kernel,
	                .kernel_w = n->kernel,
	                .stride = n->stride,
	                .dilation = n->dilation,
	                .groups = n->groups};
	if (n->same_pad) {
		c.pad_top = same_pad(x->h, n);
		c.pad_left = same_pad(x->w, n);
		c.out_h = same_out(x->h, n->stride);
		c.out_w = same_out(x->w, n->stride);
	} else {
		if (x->h + 2 * n->pad < span || x->w + 2 * n->pad < span)
			return too_small(s, i, err);
		c.pad_top = c.pad_left = n->pad;
		c.out_h = conv_out_size(x->h, n->kernel, n->stride, n->dilation, n->pad);
		c.out_w = conv_out_size(x->w, n->kernel, n->stride, n->dilation, n->pad);
	}
	y->h = c.out_h;
	y->w = c.out_w;
	b->node[i].forward_flop = 2.0 * (double)(c.out_h * c.out_w) *
	                          (double)(c.out_c * n->kernel) *
	                          (double)(n->kernel * c.in_c / c.groups);
	return conv_plan_make(&c, s->kernels, s->train, pool_threads(s->pool), &b->node[i].conv,
	                      err);
}

static tp_status bind_aspp(const exec_spec *s, size_t i, const bound_value *x, bound_value *y,
                           binding *b, tp_err *err)
{
	const node *n = &s->graph->node[i];
	aspp_shape a = {.h = x->h, .w = x->w, .in_c = x->c, .out_c = y->c, .branches = n->branches};
	for (size_t k = 0; k < n->branches; k++)
		a.dilation[k] = n->dilations[k];
	y->h = x->h;
	y->w = x->w;
	b->node[i].forward_flop =
		2.0 * (double)(x->h * x->w) * (double)(n->branches * 9 * x->c * y->c);
	return aspp_plan_make(&a, s->kernels, s->train, pool_threads(s->pool), &b->node[i].aspp,
	                      err);
}

static tp_status bind_pool(const exec_spec *s, size_t i, const bound_value *x, bound_value *y,
                           binding *b, tp_err *err)
{
	const node *n = &s->graph->node[i];
	if (x->h + 2 * n->pad < n->kernel || x->w + 2 * n->pad < n->kernel)
		return too_small(s, i, err);
	y->h = maxpool_out_size(x->h, n->kernel, n->stride, n->pad, n->ceil_mode);
	y->w = maxpool_out_size(x->w, n->kernel, n->stride, n->pad, n->ceil_mode);
	b->node[i].pool = (maxpool_shape){.in_h = x->h,
	                                  .in_w = x->w,
	                                  .c = x->c,
	                                  .out_h = y->h,
	                                  .out_w = y->w,
	                                  .kernel = n->kernel,
	                                  .stride = n->stride,
	                                  .pad = n->pad};
	return TP_OK;
}

/* Shapes and algorithms, in execution order. */
static tp_status bind_shapes(const exec_spec *s, binding *b, tp_err *err)
{
	const graph *g = s->graph;
	for (size_t v = 0; v < g->values; v++)
		b->value[v] = (bound_value){
			.c = g->channels[v], .data = BLOCK_NONE, .grad = BLOCK_NONE};
	b->value[0].h = s->in_h;
	b->value[0].w = s->in_w;
	tp_status st = TP_OK;
	for (size_t i = 0; i < g->nodes && st == TP_OK; i++) {
		const node *n = &g->node[i];
		const bound_value *x = &b->value[n->input];
		bound_value *y = &b->value[n->output];
		if (n->op == NODE_CONV)
			st = bind_conv(s, i, x, y, b, err);
		else if (n->op == NODE_ASPP)
			st = bind_aspp(s, i, x, y, b, err);
		else
			st = bind_pool(s, i, x, y, b, err);
		if (st != TP_OK)
			return st;
		b->forward_flop += b->node[i].forward_flop;
		const bound_value *r = n->residual < 0 ? y : &b->value[n->residual];
		if (r->h != y->h || r->w != y->w)
			return tp_fail(err, TP_SHAPE, 0, "a sum of %zux%zu and %zux%zu pixels",
			               y->h, y->w, r->h, r->w);
	}
	return st;
}

static size_t value_bytes(const bound_value *v) { return v->h * v->w * v->c * sizeof(float); }

/* A new block; nothing of no size is ever a block, so that its memory reads as NULL. */
static int add_block(binding *b, size_t bytes, size_t first, size_t last)
{
	if (bytes == 0)
		return BLOCK_NONE;
	b->block[b->blocks] = (plan_block){.bytes = bytes, .first = first, .last = last};
	return (int)b->blocks++;
}

/* The first of the two steps in which node i runs backward. */
static size_t mask_step(const graph *g, size_t i) { return g->nodes + 1 + 2 * (g->nodes - 1 - i); }
static size_t back_step(const graph *g, size_t i) { return mask_step(g, i) + 1; }

static void live_until(binding *b, int block, size_t step)
{
	if (b->block[block].last < step)
		b->block[block].last = step;
}

/* Lifetimes of activations; in training the backward pass reads the inputs of convolutions (for the
 * weight gradient) and the outputs of activations (for their masks). */
static void place_data(const exec_spec *s, binding *b, size_t end)
{
	const graph *g = s->graph;
	b->value[0].data = add_block(b, value_bytes(&b->value[0]), 0, end);
	for (size_t i = 0; i < g->nodes; i++)
		b->value[g->node[i].output].data =
		        add_block(b, value_bytes(&b->value[g->node[i].output]), i, i);
	for (size_t i = 0; i < g->nodes; i++) {
		const node *n = &g->node[i];
		live_until(b, b->value[n->input].data,
		           s->train && n->op != NODE_MAXPOOL ? back_step(g, i) : i);
		if (n->residual >= 0)
			live_until(b, b->value[n->residual].data, i);
		if (s->train && n->act != ACT_NONE)
			live_until(b, b->value[n->output].data, mask_step(g, i));
	}
	live_until(b, b->value[g->node[g->nodes - 1].output].data, end);
	/* A residual that dies in its sum gives its memory to the sum: in training the shortcuts of
	 * projecting blocks, in inference nearly all. Not the caller's input (value 0). */
	for (size_t i = 0; i < g->nodes; i++) {
		const node *n = &g->node[i];
		if (n->residual <= 0 || n->residual == n->input)
			continue;
		int r = b->value[n->residual].data, y = b->value[n->output].data;
		if (b->block[r].last != i)
			continue;
		b->block[r].last = b->block[y].last;
		b->block[y].bytes = 0;
		b->value[n->output].data = r;
	}
}

static bool wants_grad(const exec_spec *s, int value) { return value != 0 || s->input_gradient; }

/* Walks the backward pass: who writes a gradient first, who adds, who shares. A gradient is born at
 * the value's last reader (first in this order) and dies at its maker. The input's is a result, so
 * it stays. Sharing needs no care about order: the sum's gradient is final when its maker is
 * reached, and everything later adds to the residual's. */
static void place_grads(const exec_spec *s, binding *b, size_t end)
{
	const graph *g = s->graph;
	bound_value *out = &b->value[g->node[g->nodes - 1].output];
	out->grad = add_block(b, value_bytes(out), g->nodes + 1, g->nodes + 1);
	for (size_t i = g->nodes; i-- > 0;) {
		const node *n = &g->node[i];
		bound_node *m = &b->node[i];
		size_t step = back_step(g, i);
		int dy = b->value[n->output].grad;
		live_until(b, dy, step);
		bound_value *x = &b->value[n->input];
		m->dx = wants_grad(s, n->input);
		m->dx_accumulate = x->grad != BLOCK_NONE;
		if (m->dx && !m->dx_accumulate)
			x->grad = add_block(b, value_bytes(x), step, step);
		if (m->dx)
			live_until(b, x->grad, n->input == 0 ? end : step);
		if (n->residual < 0 || !wants_grad(s, n->residual))
			continue;
		bound_value *r = &b->value[n->residual];
		m->residual = r->grad == BLOCK_NONE ? RESIDUAL_SHARES : RESIDUAL_ADDS;
		if (m->residual == RESIDUAL_SHARES)
			r->grad = dy;
		live_until(b, r->grad, n->residual == 0 ? end : step);
	}
}

/* Working memory of one call: a block of its own for each step, so that the large ones of early
 * layers lie where later activations will. The pool's choices wait for the way back. */
static void place_scratch(const exec_spec *s, binding *b)
{
	const graph *g = s->graph;
	for (size_t i = 0; i < g->nodes; i++) {
		bound_node *m = &b->node[i];
		size_t back = back_step(g, i);
		m->scratch = m->scratch_back = m->argmax = BLOCK_NONE;
		if (g->node[i].op == NODE_MAXPOOL) {
			if (s->train)
				m->argmax = add_block(b, m->pool.out_h * m->pool.out_w * m->pool.c,
				                      i, back);
			continue;
		}
		size_t bytes = sizeof(float);
		bytes *= g->node[i].op == NODE_CONV ? m->conv.scratch_floats
		                                    : m->aspp.scratch_floats;
		m->scratch = add_block(b, bytes, i, i);
		if (s->train)
			m->scratch_back = add_block(b, bytes, back, back);
	}
}

static void place_prepared(const exec_spec *s, binding *b)
{
	const size_t line = TP_ALIGN / sizeof(float);
	for (size_t i = 0; i < s->graph->nodes; i++) {
		const node *n = &s->graph->node[i];
		bound_node *m = &b->node[i];
		size_t back = back_step(s->graph, i);
		size_t c = round_up(b->value[n->output].c, line);
		m->prepared = m->prepared_back = BLOCK_NONE;
		if (n->op == NODE_MAXPOOL)
			continue;
		size_t floats = n->op == NODE_CONV ? m->conv.prepared_floats
		                                   : m->aspp.prepared_floats;
		if (s->train) {
			m->prepared = add_block(b, floats * sizeof(float), i, i);
			m->prepared_back = add_block(b, floats * sizeof(float), back, back);
		} else {
			m->kept = b->kept_floats;
			b->kept_floats += round_up(floats, line);
		}
		if (n->bn[0] >= 0) {
			m->scale = b->kept_floats;
			m->bias = m->scale + c;
			b->kept_floats += 2 * c;
		}
	}
}

tp_status bind_make(const exec_spec *s, binding *ret, tp_err *err)
{
	const graph *g = s->graph;
	if (s->in_h == 0 || s->in_w == 0 || s->in_h > MAX_SIDE || s->in_w > MAX_SIDE)
		return tp_fail(err, TP_SHAPE, 0, "an image of %zux%zu pixels: sides must be 1..%d",
		               s->in_h, s->in_w, MAX_SIDE);
	binding b = {0};
	size_t most_blocks = 2 * g->values + 5 * g->nodes + 1;
	b.value = calloc(g->values, sizeof *b.value);
	b.node = calloc(g->nodes, sizeof *b.node);
	b.block = calloc(most_blocks, sizeof *b.block);
	b.table_bytes = g->values * sizeof *b.value + g->nodes * sizeof *b.node +
	                most_blocks * sizeof *b.block;
	tp_status st = TP_OK;
	if (b.value == NULL || b.node == NULL || b.block == NULL)
		st = tp_fail(err, TP_NOMEM, 0, "out of memory while planning a network");
	if (st == TP_OK)
		st = bind_shapes(s, &b, err);
	if (st == TP_OK) {
		size_t end = s->train ? back_step(g, 0) + 1 : g->nodes;
		place_data(s, &b, end);
		if (s->train)
			place_grads(s, &b, end);
		place_scratch(s, &b);
		place_prepared(s, &b);
		/* In a training pass up to the first step of the way back, which reads what the loss
		 * wrote. */
		b.between = add_block(&b, s->between_floats * sizeof(float), g->nodes,
		                      s->train ? g->nodes + 1 : g->nodes);
		st = plan_place(b.block, b.blocks, &b.arena_bytes, err);
	}
	if (st == TP_OK)
		*ret = b;
	else
		bind_done(&b);
	return st;
}

void bind_done(binding *b)
{
	free(b->value);
	free(b->node);
	free(b->block);
	*b = (binding){0};
}
