/* conv_depthwise: the depthwise case of conv.h (groups == in_c == out_c), which has no matrix
 * product to hide in: every channel is its own small sum of taps. Same arguments, layouts and
 * rules as conv_prepare, conv_forward and conv_backward; conv.c dispatches here. */
#ifndef TP_OP_CONV_DEPTHWISE_H
#define TP_OP_CONV_DEPTHWISE_H

#include "op/conv.h"

/* Floats that conv_depthwise_prepare writes: the scaled weights [kernel_h][kernel_w][c]. */
size_t conv_depthwise_prepared(const conv_shape *s);
/* Scratch floats of the costliest call, the same for every number of threads: partial weight
 * gradients of a fixed number of row groups. Sizes are assumed to have been checked. */
size_t conv_depthwise_scratch(const conv_shape *s, bool need_backward, size_t threads);

void conv_depthwise_prepare(const conv_plan *plan, const float *w, const float *scale,
                            float *prepared, pool *pool);
void conv_depthwise_forward(const conv_plan *plan, const float *x, const float *prepared,
                            const float *bias, const float *residual, activation act, float *y,
                            float *scratch, pool *pool);
void conv_depthwise_backward(const conv_plan *plan, const conv_grad *grad, float *scratch,
                             pool *pool);

#endif
