/* maxpool: k x k maximum of one NHWC image (algorithms.md 8.1; PyTorch's rules, ceil mode: the
 * last window must start inside the image or its left padding). Padding never wins.
 * Ties: the first in row-major window order takes the gradient, as in PyTorch. NaN wins. */
#ifndef TP_OP_MAXPOOL_H
#define TP_OP_MAXPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"

typedef struct maxpool_shape {
	size_t in_h, in_w, c, out_h, out_w, kernel, stride, pad;
} maxpool_shape;

size_t maxpool_out_size(size_t in, size_t kernel, size_t stride, size_t pad, bool ceil_mode);
/* argmax [out_h][out_w][c] receives the window tap (0..kernel*kernel-1) that won; NULL when no
 * backward pass follows. */
void maxpool_forward(const maxpool_shape *s, const float *x, float *y, uint8_t *argmax, pool *pool);
/* dx is overwritten or added to. */
void maxpool_backward(const maxpool_shape *s, const float *dy, const uint8_t *argmax, float *dx,
                      bool dx_accumulate, pool *pool);
void maxpool_forward_reference(const maxpool_shape *s, const float *x, float *y, uint8_t *argmax);
void maxpool_backward_reference(const maxpool_shape *s, const float *dy, const uint8_t *argmax,
                                float *dx, bool dx_accumulate);

#endif
