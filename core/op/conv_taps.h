/* conv_taps: convolution as one matrix product per kernel tap, over only those pixels where the
 * tap meets the image; exact arithmetic. With a dilation near the size of the map most taps miss
 * most pixels, and the work shrinks accordingly (performance.md 5, "large dilations").
 *
 * The data gradient is the same sum seen from the input pixel. For stride s the input pixels fall
 * into s*s classes by (y mod s, x mod s); all pixels of a class meet the same taps, and inside a
 * class the map from pixel to output pixel is a plain shift. */
#ifndef TP_OP_CONV_TAPS_H
#define TP_OP_CONV_TAPS_H

#include "op/conv.h"

/* Destination coordinates [*begin, *end) of 0..n-1 whose source i * step + offset lies in
 * 0..size-1. */
void conv_taps_range(size_t n, size_t size, size_t step, ptrdiff_t offset, size_t *begin,
                     size_t *end);

/* Scratch floats for all workers together. */
size_t conv_taps_forward_scratch(const conv_shape *s, size_t threads);
size_t conv_taps_data_scratch(const conv_shape *s, size_t threads);

/* Pairs (output pixel, tap) that meet the image: multiply by in_c * out_c for the multiplies. */
size_t conv_taps_valid(const conv_shape *s);

void conv_taps_forward(const conv_plan *plan, const float *x, const float *w, const float *bias,
                       const float *residual, activation act, float *y, float *scratch,
                       pool *workers);
/* dx (+)= the data gradient; any dense shape. */
void conv_taps_backward_data(const conv_plan *plan, const float *dy, const float *w, float *dx,
                             bool accumulate, float *scratch, pool *workers);

#endif
