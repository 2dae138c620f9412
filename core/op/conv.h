/* conv: 2-D convolution of one image, NHWC with n = 1, with the frozen batch norm, bias, residual
 * sum and activation that follow it fused into its output loop.
 *
 *   y[p][o] = act( scale[o] * sum_{t,i} x[p*stride + t*dilation - pad][i] * w[t][i][o]
 *                  + bias[o] + residual[p][o] )
 *
 * Layouts (all dense, float32, channels innermost, so that one pixel is one contiguous row):
 *   x [in_h][in_w][in_c]   y, residual, dy [out_h][out_w][out_c]
 *   w dense      [kernel_h][kernel_w][in_c][out_c]
 *   w depthwise  [kernel_h][kernel_w][c]          (groups == in_c == out_c)
 * A frozen batch norm is scale = g/sqrt(var+eps), bias = b - mean*scale. Scale is folded into the
 * prepared weights, so the forward and backward passes never see it as an operation.
 *
 * A batch is the caller's loop over images that adds up gradients: every layer of DeepLab is big
 * enough for one image to fill the cores, and memory stays that of one image.
 *
 * Life: conv_plan_make (choose algorithms, sizes; may refuse) -> conv_prepare after each change of
 * the weights -> conv_forward / conv_backward, which cannot fail and never allocate.
 * Determinism: work is cut by the shape only; same bits for every number of threads.
 * Threads: a plan is read-only after conv_plan_make; calls that share scratch must not overlap. */
#ifndef TP_OP_CONV_H
#define TP_OP_CONV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/pool.h"
#include "base/status.h"

typedef enum activation {
	ACT_NONE,
	ACT_RELU,
	ACT_RELU6,
	ACT_LEAKY, /* slope 0.2, as in ADVENT's discriminator (algorithms.md 5.5) */
} activation;

/* Which algorithms a plan may choose. exact: direct sums through GEMM. f2, f4: also Winograd
 * F(2x2,3x3), F(4x4,3x3), which cost about one digit (performance.md section 5).
 * reference: the plain loops of conv_ref.c (for tests, and for sanitizer builds). */
typedef enum kernel_mode { KERNELS_REFERENCE, KERNELS_EXACT, KERNELS_F2, KERNELS_F4 } kernel_mode;

typedef struct conv_shape {
	size_t in_h, in_w, in_c;
	size_t out_h, out_w, out_c;
	size_t kernel_h, kernel_w;
	size_t stride, dilation;
	size_t pad_top, pad_left; /* what lies below and right of the image reads as zero too */
	size_t groups;            /* 1, or in_c == out_c (depthwise) */
} conv_shape;

typedef enum conv_algorithm {
	CONV_REFERENCE, /* seven nested loops */
	CONV_GEMM,      /* 1x1: the image itself is the matrix; else im2col in blocks of rows */
	CONV_TAPS,      /* one GEMM per kernel tap over the rectangle where it meets the image */
	CONV_WINOGRAD2,
	CONV_WINOGRAD4,
	CONV_DEPTHWISE,
} conv_algorithm;

typedef struct conv_plan {
	conv_shape shape;
	conv_algorithm forward, backward_data, backward_weight; /* may differ */
	bool per_pass;          /* the weights change between passes: each pass prepares them itself */
	size_t prepared_floats; /* room for prepared weights */
	size_t scratch_floats;  /* room for any one call, all workers together */
	size_t threads;
} conv_plan;

/* Output length of one axis: floor((in + 2 pad - dilation (kernel-1) - 1) / stride) + 1. */
size_t conv_out_size(size_t in, size_t kernel, size_t stride, size_t dilation, size_t pad);

/* `threads` sizes the scratch memory only. `need_backward` plans for training: both directions, and
 * weights that are prepared by each pass, in parts where they are large. Without it conv_prepare
 * prepares them once for many forward passes. TP_SHAPE when the shape is inconsistent or the groups
 * are neither 1 nor depthwise. */
tp_status conv_plan_make(const conv_shape *shape, kernel_mode mode, bool need_backward,
                         size_t threads, conv_plan *ret, tp_err *err) TP_MUST_CHECK;

/* Weights with the frozen batch norm's scale[out_c] (NULL = ones), and room for what the plan's
 * algorithms make of both: prepared[prepared_floats], for each call another or the same. */
typedef struct conv_weights {
	const float *w, *scale;
	float *prepared;
} conv_weights;

/* Fills weights->prepared. Not wanted, and not allowed, for plans with per_pass. */
void conv_prepare(const conv_plan *plan, const conv_weights *weights, pool *pool);

/* bias[out_c] and residual may be NULL. y may alias residual. */
void conv_forward(const conv_plan *plan, const float *x, const conv_weights *weights,
                  const float *bias, const float *residual, activation act, float *y, float *scratch,
                  pool *pool);

typedef struct conv_grad {
	const float *x;        /* the forward input */
	const float *dy;       /* gradient at the sum inside act(), i.e. after activation_backward */
	const conv_weights *weights;
	float *dx;             /* NULL: not wanted */
	bool dx_accumulate;    /* add to dx instead of overwriting it */
	float *dw;             /* added to; gradient of w itself (scale applied); NULL: not wanted */
	float *dbias;          /* added to; NULL: not wanted */
} conv_grad;

void conv_backward(const conv_plan *plan, const conv_grad *grad, float *scratch, pool *pool);

/* dy[i] = dy[i] * act'(.), seen from the output y (ReLU: y > 0; ReLU6: 0 < y < 6; leaky: 1 or .2).
 * In place, `count` floats. ACT_NONE does nothing. NaN in dy stays. */
void activation_backward(activation act, const float *y, float *dy, size_t count, pool *pool);

/* The formula itself, for tests: same arguments, plain loops, double accumulation. */
void conv_forward_reference(const conv_shape *shape, const float *x, const float *w,
                            const float *scale, const float *bias, const float *residual,
                            activation act, float *y);
void conv_backward_reference(const conv_shape *shape, const float *x, const float *w,
                             const float *scale, const float *dy, float *dx, bool dx_accumulate,
                             float *dw, float *dbias);

#endif
