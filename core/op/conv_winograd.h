/* conv_winograd: dense 3x3 stride-1 convolution, any dilation and padding, by Winograd's minimal
 * filtering (winograd.h), forward and both gradients.
 *
 * A dilation d is d*d interleaved sub-images ("lattices") convolved with dilation 1; they need no
 * copy, only a pixel step of d. The tiles of all lattices form one list, worked off in slabs that
 * fit the last-level cache. Per slab: transform the tiles, multiply per point (36 matrix products
 * of [tiles x in_c] by [in_c x out_c], shared among the workers), transform back.
 *
 * The gradients are the exact adjoints, so that the transformed weights of the forward pass serve
 * the data gradient too, and both gradients share the transform of dy (performance.md 5):
 *   dx = sum over tiles of B (U^T (A dy A^T)) B^T, overlapping tiles added
 *   dw = G^T (sum over tiles of (B^T x B)^T (A dy A^T)) G */
#ifndef TP_OP_CONV_WINOGRAD_H
#define TP_OP_CONV_WINOGRAD_H

#include "op/conv.h"

/* Whether the shape is a 3x3, stride 1, dense convolution. */
bool conv_winograd_fits(const conv_shape *s);
/* m is 2 or 4. Tiles of m x m outputs, all lattices together. */
size_t conv_winograd_tiles(const conv_shape *s, size_t m);
/* Floats of the transformed weights, and scratch for any one call, all workers together. per_pass as in
 * conv_plan: weights of which as many exist as are in use at a time, and a backward pass; without it all
 * of them, for inference. */
size_t conv_winograd_prepared(const conv_shape *s, size_t m, bool per_pass);
size_t conv_winograd_scratch(const conv_shape *s, size_t m, bool per_pass, size_t threads);

/* For plans that keep their weights. */
void conv_winograd_prepare(const conv_plan *plan, size_t m, const conv_weights *weights, pool *pool);
void conv_winograd_forward(const conv_plan *plan, size_t m, const float *x,
                           const conv_weights *weights, const float *bias, const float *residual,
                           activation act, float *y, float *scratch, pool *pool);
/* grad->dx or grad->dw may be NULL. dbias is left. */
void conv_winograd_backward(const conv_plan *plan, size_t m, const conv_grad *grad, float *scratch,
                            pool *pool);

#endif
