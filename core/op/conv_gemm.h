/* conv_gemm: convolution as matrix products, exact arithmetic (performance.md 2, 5).
 * Forward: a 1x1 stride-1 image is itself the matrix [pixels x in_c]; anything else is gathered
 * (im2col) block by block, so that the gathered rows stay in cache.
 * Weight gradient: tiles of dw summed over all pixels, or, when dw is small, pixel chunks whose
 * partial sums are added in order.
 * `w` is the dense weight with the scale folded in. */
#ifndef TP_OP_CONV_GEMM_H
#define TP_OP_CONV_GEMM_H

#include "op/conv.h"

/* True when the input image is the matrix: 1x1, stride 1, no padding. */
bool conv_is_pointwise(const conv_shape *s);

/* Scratch floats for all workers together. */
size_t conv_gemm_forward_scratch(const conv_shape *s, size_t threads);
size_t conv_gemm_weight_scratch(const conv_shape *s, size_t threads);

void conv_gemm_forward(const conv_plan *plan, const float *x, const float *w, const float *bias,
                       const float *residual, activation act, float *y, float *scratch,
                       pool *workers);
/* dx = dy w^T (+ dx). Pointwise only; other shapes go through conv_taps. */
void conv_gemm_backward_data(const conv_plan *plan, const float *dy, const float *w, float *dx,
                             bool accumulate, pool *workers);
/* dw += scale * x^T dy, any shape. */
void conv_gemm_backward_weight(const conv_plan *plan, const float *x, const float *dy,
                               const float *scale, float *dw, float *scratch, pool *workers);

#endif
