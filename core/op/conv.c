#include "op/conv.h"

#include "base/simd.h"
#include "op/conv_depthwise.h"
#include "op/conv_gemm.h"
#include "op/conv_internal.h"
#include "op/conv_taps.h"
#include "op/conv_winograd.h"
#include "op/epilogue.h"

/* ---- prepare ---- */

typedef struct fold_job {
	const float *w, *scale;
	float *to;
	size_t rows, cols, chunks;
} fold_job;

TP_SIMD static void fold_rows(const float *restrict w, const float *restrict scale, size_t rows,
                              size_t cols, float *restrict to)
{
	for (size_t r = 0; r < rows; r++, w += cols, to += cols)
		for (size_t c = 0; c < cols; c++)
			to[c] = scale == NULL ? w[c] : w[c] * scale[c];
}

static void fold_chunk(void *arg, size_t chunk, size_t worker)
{
	const fold_job *job = arg;
	size_t begin, end;
	(void)worker;
	pool_part(job->rows, job->chunks, chunk, &begin, &end);
	fold_rows(job->w + begin * job->cols, job->scale, end - begin, job->cols,
	          job->to + begin * job->cols);
}

/* Both passes share one set of transformed weights: a plan never mixes tile sizes. */
static size_t plan_tile(conv_algorithm a, conv_algorithm b)
{
	return conv_winograd_tile(a) != 0 ? conv_winograd_tile(a) : conv_winograd_tile(b);
}

/* All but Winograd's weights. */
static void prepare_dense(const conv_plan *plan, const conv_weights *weights, pool *workers)
{
	enum { CHUNK_FLOATS = 1 << 16 };
	const conv_shape *s = &plan->shape;
	if (plan->forward == CONV_DEPTHWISE) {
		conv_depthwise_prepare(plan, weights->w, weights->scale, weights->prepared, workers);
		return;
	}
	if (conv_dense_floats(plan) == 0)
		return;
	size_t in = s->groups == 1 ? s->in_c : 1;
	fold_job job = {.w = weights->w, .scale = weights->scale, .to = weights->prepared,
	                .rows = s->kernel_h * s->kernel_w * in, .cols = s->out_c};
	job.chunks = job.rows * job.cols / CHUNK_FLOATS + 1;
	pool_run(workers, job.chunks, fold_chunk, &job);
}

void conv_prepare(const conv_plan *plan, const conv_weights *weights, pool *workers)
{
	prepare_dense(plan, weights, workers);
	size_t m = plan_tile(plan->forward, plan->backward_data);
	if (m != 0)
		conv_winograd_prepare(plan, m, weights, workers);
}

/* ---- forward ---- */

void conv_forward(const conv_plan *plan, const float *x, const conv_weights *weights,
                  const float *bias, const float *residual, activation act, float *y, float *scratch,
                  pool *workers)
{
	const float *prepared = weights->prepared;
	if (plan->per_pass)
		prepare_dense(plan, weights, workers);
	switch (plan->forward) {
	case CONV_REFERENCE:
		conv_forward_reference(&plan->shape, x, prepared, NULL, bias, residual, act, y);
		break;
	case CONV_GEMM:
		conv_gemm_forward(plan, x, prepared, bias, residual, act, y, scratch, workers);
		break;
	case CONV_TAPS:
		conv_taps_forward(plan, x, prepared, bias, residual, act, y, scratch, workers);
		break;
	case CONV_WINOGRAD2:
	case CONV_WINOGRAD4:
		conv_winograd_forward(plan, conv_winograd_tile(plan->forward), x, weights, bias,
		                      residual, act, y, scratch, workers);
		break;
	case CONV_DEPTHWISE:
		conv_depthwise_forward(plan, x, prepared, bias, residual, act, y, scratch, workers);
		break;
	}
}

/* ---- backward ---- */

typedef struct bias_job {
	const float *dy;
	float *partial;
	size_t pixels, channels;
} bias_job;

static void bias_chunk(void *arg, size_t chunk, size_t worker)
{
	const bias_job *job = arg;
	size_t begin, end;
	(void)worker;
	pool_part(job->pixels, CONV_BIAS_CHUNKS, chunk, &begin, &end);
	epilogue_sum_rows(end - begin, job->channels, job->dy + begin * job->channels,
	                  job->channels, false, job->partial + chunk * job->channels);
}

/* Per-chunk sums added in chunk order, so that the bits do not depend on the threads. */
static void backward_bias(const conv_shape *s, const float *dy, float *dbias, float *scratch,
                          pool *workers)
{
	bias_job job = {.dy = dy, .partial = scratch, .pixels = s->out_h * s->out_w,
	                .channels = s->out_c};
	pool_run(workers, CONV_BIAS_CHUNKS, bias_chunk, &job);
	epilogue_sum_rows(CONV_BIAS_CHUNKS, s->out_c, scratch, s->out_c, true, dbias);
}

static void backward_data(const conv_plan *plan, const conv_grad *g, float *scratch,
                          pool *workers)
{
	switch (plan->backward_data) {
	case CONV_REFERENCE:
		conv_backward_reference(&plan->shape, g->x, g->weights->prepared, NULL, g->dy, g->dx,
		                        g->dx_accumulate, NULL, NULL);
		break;
	case CONV_GEMM:
		conv_gemm_backward_data(plan, g->dy, g->weights->prepared, g->dx, g->dx_accumulate, workers);
		break;
	case CONV_TAPS:
		conv_taps_backward_data(plan, g->dy, g->weights->prepared, g->dx, g->dx_accumulate, scratch,
		                        workers);
		break;
	case CONV_WINOGRAD2: /* these do both gradients in one call, see conv_backward */
	case CONV_WINOGRAD4:
	case CONV_DEPTHWISE:
		break;
	}
}

static void backward_weight(const conv_plan *plan, const conv_grad *g, float *scratch,
                            pool *workers)
{
	switch (plan->backward_weight) {
	case CONV_REFERENCE:
		conv_backward_reference(&plan->shape, g->x, NULL, g->weights->scale, g->dy, NULL, false,
		                        g->dw, NULL);
		break;
	case CONV_GEMM:
	case CONV_TAPS:
		conv_gemm_backward_weight(plan, g->x, g->dy, g->weights->scale, g->dw, scratch, workers);
		break;
	case CONV_WINOGRAD2:
	case CONV_WINOGRAD4:
	case CONV_DEPTHWISE:
		break;
	}
}

static void backward_winograd(const conv_plan *plan, const conv_grad *grad, float *scratch,
                              pool *workers)
{
	size_t data = grad->dx == NULL ? 0 : conv_winograd_tile(plan->backward_data);
	size_t weight = grad->dw == NULL ? 0 : conv_winograd_tile(plan->backward_weight);
	conv_grad part = *grad;
	if (data == 0)
		part.dx = NULL;
	if (weight == 0)
		part.dw = NULL;
	if (data != 0 || weight != 0)
		conv_winograd_backward(plan, data != 0 ? data : weight, &part, scratch, workers);
}

void conv_backward(const conv_plan *plan, const conv_grad *grad, float *scratch, pool *workers)
{
	if (plan->per_pass)
		prepare_dense(plan, grad->weights, workers);
	if (plan->forward == CONV_DEPTHWISE) {
		conv_depthwise_backward(plan, grad, scratch, workers);
		return;
	}
	backward_winograd(plan, grad, scratch, workers);
	if (grad->dx != NULL)
		backward_data(plan, grad, scratch, workers);
	if (grad->dw != NULL)
		backward_weight(plan, grad, scratch, workers);
	if (grad->dbias != NULL)
		backward_bias(&plan->shape, grad->dy, grad->dbias, scratch, workers);
}
