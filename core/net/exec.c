#include "net/exec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/bind.h"

struct exec {
	exec_spec spec;
	binding bind;
	exec_size size;
	float *kept;     /* bind.kept_floats */
	char *arena;     /* bind.arena_bytes */
	const float *values;
	bool forward_done; /* the activations of a whole forward pass lie in the arena */
	bool grads_wanted; /* by the newest backward pass */
	bool dinput_wanted; /* and the input's gradient */
	exec_probe *probe;
	void *probe_arg;
};

static exec_size size_of(const exec_spec *s, const binding *b)
{
	const bound_value *out = &b->value[s->graph->node[s->graph->nodes - 1].output];
	return (exec_size){.out_h = out->h,
	                   .out_w = out->w,
	                   .out_c = out->c,
	                   .bytes = sizeof(exec) + b->table_bytes + b->arena_bytes +
	                            b->kept_floats * sizeof(float),
	                   .forward_flop = b->forward_flop};
}

tp_status exec_measure(const exec_spec *spec, exec_size *ret, tp_err *err)
{
	binding b;
	tp_status st = bind_make(spec, &b, err);
	if (st != TP_OK)
		return st;
	*ret = size_of(spec, &b);
	bind_done(&b);
	return TP_OK;
}

/* Two large blocks: what is kept between passes, and the arena. The arena is touched here once
 * (mem_bytes zeroes it), so that no step pays for page faults. */
tp_status exec_create(const exec_spec *spec, exec **ret, tp_err *err)
{
	exec *e = calloc(1, sizeof *e);
	if (e == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory for a network");
	e->spec = *spec;
	void *arena = NULL;
	tp_status st = bind_make(spec, &e->bind, err);
	if (st == TP_OK)
		st = mem_floats(e->bind.kept_floats, &e->kept, err);
	if (st == TP_OK)
		st = mem_bytes(e->bind.arena_bytes, &arena, err);
	e->arena = arena;
	if (st != TP_OK) {
		exec_free(e);
		return st;
	}
	e->size = size_of(spec, &e->bind);
	*ret = e;
	return TP_OK;
}

void exec_free(exec *e)
{
	if (e == NULL)
		return;
	mem_free(e->kept);
	mem_free(e->arena);
	bind_done(&e->bind);
	free(e);
}

const exec_size *exec_sizes(const exec *e) { return &e->size; }

void exec_set_probe(exec *e, exec_probe *probe, void *arg)
{
	e->probe = probe;
	e->probe_arg = arg;
}

size_t exec_nodes(const exec *e) { return e->spec.graph->nodes; }

void exec_node_name(const exec *e, size_t i, char *buf, size_t size)
{
	bind_node_name(e->spec.graph, i, buf, size);
}

static const char *algorithm_name(conv_algorithm a)
{
	static const char *const name[] = {
		[CONV_REFERENCE] = "reference", [CONV_GEMM] = "gemm",
		[CONV_TAPS] = "taps",           [CONV_WINOGRAD2] = "winograd2",
		[CONV_WINOGRAD4] = "winograd4", [CONV_DEPTHWISE] = "depthwise"};
	return name[a];
}

/* Of the forward pass; "" for a pool. */
static const char *forward_algorithm(const exec *e, size_t i)
{
	switch (e->spec.graph->node[i].op) {
	case NODE_CONV:
		return algorithm_name(e->bind.node[i].conv.forward);
	case NODE_ASPP:
		return "aspp";
	default:
		return "";
	}
}

void exec_node_algorithm(const exec *e, size_t i, char *buf, size_t size)
{
	const conv_plan *p = &e->bind.node[i].conv;
	if (e->spec.graph->node[i].op == NODE_CONV && e->spec.train &&
	    (p->backward_data != p->forward || p->backward_weight != p->forward))
		(void)snprintf(buf, size, "%s/%s/%s", algorithm_name(p->forward),
		               algorithm_name(p->backward_data), algorithm_name(p->backward_weight));
	else
		(void)snprintf(buf, size, "%s", forward_algorithm(e, i));
}

/* Whether the newest backward pass computes the gradient of node i's input. */
static bool dx_wanted(const exec *e, size_t i)
{
	return e->bind.node[i].dx && (e->spec.graph->node[i].input != 0 || e->dinput_wanted);
}

double exec_node_flop(const exec *e, size_t i, bool backward)
{
	double passes = backward ? dx_wanted(e, i) + e->grads_wanted : 1;
	return e->bind.node[i].forward_flop * passes;
}

/* Memory of a block; NULL for BLOCK_NONE. */
static void *block_at(const exec *e, int block)
{
	return block == BLOCK_NONE ? NULL : e->arena + e->bind.block[block].offset;
}
static float *data_of(const exec *e, int value)
{
	return value < 0 ? NULL : block_at(e, e->bind.value[value].data);
}
static float *grad_of(const exec *e, int value) { return block_at(e, e->bind.value[value].grad); }

/* Start of a parameter in a value or gradient block; NULL when there is none (or no block). */
static float *param_at(const exec *e, const float *block, int index)
{
	if (index < 0 || block == NULL)
		return NULL;
	return (float *)block + e->spec.graph->params.item[index].offset;
}

float *exec_input(exec *e) { return data_of(e, 0); }
float *exec_between(exec *e) { return block_at(e, e->bind.between); }

/* algorithms.md 6.3: y = g (x - mean) / sqrt(var + eps) + b, as scale * x + bias. */
static void fold_bn(const exec *e, const node *n, float *scale, float *bias)
{
	const float eps = 1e-5f;
	const float *v[4];
	for (int i = 0; i < 4; i++)
		v[i] = param_at(e, e->values, n->bn[i]);
	for (size_t c = 0; c < e->bind.value[n->output].c; c++) {
		scale[c] = v[0][c] / sqrtf(v[3][c] + eps);
		bias[c] = v[1][c] - v[2][c] * scale[c];
	}
}

static float *scale_of(const exec *e, size_t i)
{
	return e->spec.graph->node[i].bn[0] < 0 ? NULL : e->kept + e->bind.node[i].scale;
}

static conv_weights conv_weights_of(const exec *e, size_t i, float *prepared)
{
	return (conv_weights){.w = param_at(e, e->values, e->spec.graph->node[i].weight),
	                      .scale = scale_of(e, i),
	                      .prepared = prepared};
}

static void prepare_aspp(const exec *e, size_t i, float *prepared)
{
	const node *n = &e->spec.graph->node[i];
	const float *w[ASPP_MAX_BRANCHES];
	for (size_t b = 0; b < n->branches; b++)
		w[b] = param_at(e, e->values, n->branch_weight[b]);
	aspp_prepare(&e->bind.node[i].aspp, w, prepared, e->spec.pool);
}

/* What an inference keeps of node i's weights. */
static void prepare_node(const exec *e, size_t i)
{
	float *prepared = e->kept + e->bind.node[i].kept;
	const conv_weights weights = conv_weights_of(e, i, prepared);
	if (e->spec.graph->node[i].op == NODE_CONV)
		conv_prepare(&e->bind.node[i].conv, &weights, e->spec.pool);
	else if (e->spec.graph->node[i].op == NODE_ASPP)
		prepare_aspp(e, i, prepared);
}

void exec_prepare(exec *e, const float *values)
{
	const graph *g = e->spec.graph;
	e->values = values;
	e->forward_done = false;
	for (size_t i = 0; i < g->nodes; i++) {
		if (g->node[i].bn[0] >= 0)
			fold_bn(e, &g->node[i], scale_of(e, i), e->kept + e->bind.node[i].bias);
		if (!e->spec.train)
			prepare_node(e, i);
	}
}

/* Prepared weights of node i for one direction: kept, or room for them in `block` (see bind.h);
 * a convolution fills that itself. */
static float *prepared_of(const exec *e, size_t i, int block)
{
	if (!e->spec.train)
		return e->kept + e->bind.node[i].kept;
	float *prepared = block_at(e, block);
	if (e->spec.graph->node[i].op == NODE_ASPP)
		prepare_aspp(e, i, prepared);
	return prepared;
}

static void forward_node(exec *e, size_t i)
{
	const node *n = &e->spec.graph->node[i];
	const bound_node *m = &e->bind.node[i];
	const float *x = data_of(e, n->input);
	float *y = data_of(e, n->output), *scratch = block_at(e, m->scratch);
	float *prepared = prepared_of(e, i, m->prepared);
	if (n->op == NODE_CONV) {
		const float *bias = n->bn[0] < 0 ? param_at(e, e->values, n->bias)
		                                 : e->kept + m->bias;
		const conv_weights weights = conv_weights_of(e, i, prepared);
		conv_forward(&m->conv, x, &weights, bias, data_of(e, n->residual), n->act, y,
		             scratch, e->spec.pool);
	} else if (n->op == NODE_ASPP) {
		const float *bias[ASPP_MAX_BRANCHES];
		for (size_t b = 0; b < n->branches; b++)
			bias[b] = param_at(e, e->values, n->branch_bias[b]);
		aspp_forward(&m->aspp, x, prepared, bias, y, scratch, e->spec.pool);
	} else {
		maxpool_forward(&m->pool, x, y, block_at(e, m->argmax), e->spec.pool);
	}
}

static size_t value_floats(const exec *e, int value)
{
	const bound_value *v = &e->bind.value[value];
	return v->h * v->w * v->c;
}

/* Cut by length, so that the pool never changes a sum. */
typedef struct add_job {
	float *to;
	const float *from;
	size_t count;
} add_job;
enum { ADD_CHUNKS = 64 };

static void add_chunk(void *arg, size_t chunk, size_t worker)
{
	const add_job *j = arg;
	size_t begin, end;
	pool_part(j->count, ADD_CHUNKS, chunk, &begin, &end);
	for (size_t k = begin; k < end; k++)
		j->to[k] += j->from[k];
}

/* dy comes in as d loss / d output and leaves as d loss / d (sum before the activation), which is
 * also the residual's gradient: bind.h tells when that is the same memory. */
static void backward_node(exec *e, size_t i, float *grads)
{
	const node *n = &e->spec.graph->node[i];
	const bound_node *m = &e->bind.node[i];
	float *dy = grad_of(e, n->output), *scratch = block_at(e, m->scratch_back);
	float *dx = dx_wanted(e, i) ? grad_of(e, n->input) : NULL;
	const float *x = data_of(e, n->input);
	/* The output's last reader: what follows may lie in its memory. */
	if (n->op == NODE_CONV)
		activation_backward(n->act, data_of(e, n->output), dy, value_floats(e, n->output),
		                    e->spec.pool);
	float *prepared = prepared_of(e, i, m->prepared_back);
	if (n->op == NODE_CONV) {
		const conv_weights weights = conv_weights_of(e, i, prepared);
		conv_grad grad = {.x = x,
		                  .dy = dy,
		                  .weights = &weights,
		                  .dx = dx,
		                  .dx_accumulate = m->dx_accumulate,
		                  .dw = param_at(e, grads, n->weight),
		                  .dbias = param_at(e, grads, n->bias)};
		conv_backward(&m->conv, &grad, scratch, e->spec.pool);
		if (m->residual == RESIDUAL_ADDS) {
			add_job job = {.to = grad_of(e, n->residual),
			               .from = dy,
			               .count = value_floats(e, n->residual)};
			pool_run(e->spec.pool, ADD_CHUNKS, add_chunk, &job);
		}
	} else if (n->op == NODE_ASPP) {
		float *dw[ASPP_MAX_BRANCHES], *dbias[ASPP_MAX_BRANCHES];
		for (size_t b = 0; b < n->branches; b++) {
			dw[b] = param_at(e, grads, n->branch_weight[b]);
			dbias[b] = param_at(e, grads, n->branch_bias[b]);
		}
		bool wanted = grads != NULL;
		aspp_backward(&m->aspp, x, dy, prepared, dx, m->dx_accumulate, wanted ? dw : NULL,
		              wanted ? dbias : NULL, scratch, e->spec.pool);
	} else if (dx != NULL) {
		maxpool_backward(&m->pool, dy, block_at(e, m->argmax), dx, m->dx_accumulate,
		                 e->spec.pool);
	}
}

static bool stopped(const exec *e)
{
	return e->spec.stop != NULL && atomic_load(e->spec.stop) != 0;
}

static void probe(const exec *e, size_t i, bool backward, bool begin)
{
	if (e->probe != NULL)
		e->probe(e->probe_arg, i, backward, begin);
}

tp_status exec_forward(exec *e, const float **ret_output, tp_err *err)
{
	const graph *g = e->spec.graph;
	e->forward_done = false;
	if (e->values == NULL)
		return tp_fail(err, TP_CONFLICT, 0, "forward pass before the weights are prepared");
	for (size_t i = 0; i < g->nodes; i++) {
		if (stopped(e))
			return tp_fail(err, TP_CANCELLED, 0, "stopped on request");
		probe(e, i, false, true);
		forward_node(e, i);
		probe(e, i, false, false);
	}
	e->forward_done = true;
	*ret_output = data_of(e, g->node[g->nodes - 1].output);
	return TP_OK;
}

tp_status exec_backward(exec *e, const float *doutput, float *grads, const float **ret_dinput,
                        tp_err *err)
{
	const graph *g = e->spec.graph;
	if (!e->spec.train || !e->forward_done)
		return tp_fail(err, TP_CONFLICT, 0,
		               "backward pass without a training forward pass");
	if (ret_dinput != NULL && !e->spec.input_gradient)
		return tp_fail(err, TP_CONFLICT, 0, "no input gradient was planned");
	e->forward_done = false; /* gradients overwrite activations as they die */
	e->grads_wanted = grads != NULL;
	e->dinput_wanted = ret_dinput != NULL;
	int out = g->node[g->nodes - 1].output;
	memcpy(grad_of(e, out), doutput, value_floats(e, out) * sizeof(float));
	for (size_t i = g->nodes; i-- > 0;) {
		if (stopped(e))
			return tp_fail(err, TP_CANCELLED, 0, "stopped on request");
		probe(e, i, true, true);
		backward_node(e, i, grads);
		probe(e, i, true, false);
	}
	if (ret_dinput != NULL)
		*ret_dinput = grad_of(e, 0);
	return TP_OK;
}
