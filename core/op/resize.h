/* resize: bilinear resampling of C planes, [c][in_h][in_w] -> [c][out_h][out_w]
 * (algorithms.md 6.3), and the change between pixel-major (NHWC) and planar layout.
 *
 * Full-resolution logits and probabilities are planar [K][H][W] everywhere: each class is one
 * contiguous image, so loops over pixels vectorise; it is also the public .npy layout. */
#ifndef TP_OP_RESIZE_H
#define TP_OP_RESIZE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/pool.h"

typedef struct resize_shape {
	size_t c, in_h, in_w, out_h, out_w;
	bool align_corners; /* src = dst (in-1)/(out-1), 0 if out = 1; else (dst+.5) in/out - .5, clamped */
} resize_shape;

void resize_forward(const resize_shape *s, const float *x, float *y, pool *pool);
/* Adjoint of resize_forward: dx is overwritten. */
void resize_backward(const resize_shape *s, const float *dy, float *dx, pool *pool);
void resize_forward_reference(const resize_shape *s, const float *x, float *y);
void resize_backward_reference(const resize_shape *s, const float *dy, float *dx);

/* y[c][p] = x[p][c] and back. */
void to_planar(const float *x, size_t pixels, size_t c, float *y, pool *pool);
void to_pixels(const float *x, size_t pixels, size_t c, float *y, pool *pool);

#endif
