/* epilogue: what happens to a convolution's sums on their way out, while they are in cache. */
#ifndef TP_OP_EPILOGUE_H
#define TP_OP_EPILOGUE_H

#include "op/conv.h"

/* One value; NaN passes through every activation (comparisons with NaN are false). */
static inline __attribute__((always_inline)) float activate(activation act, float v)
{
	switch (act) {
	case ACT_NONE:
		return v;
	case ACT_RELU:
		return v < 0.0f ? 0.0f : v;
	case ACT_RELU6:
		v = v < 0.0f ? 0.0f : v;
		return v > 6.0f ? 6.0f : v;
	case ACT_LEAKY:
		return v < 0.0f ? 0.2f * v : v;
	}
	return v;
}

/* y[r][c] = act(sum[r][c] + bias[c] + residual[r][c]); bias and residual may be NULL, y may alias
 * sum or residual. ld_* are row lengths in floats; the residual has y's. */
void epilogue_rows(size_t rows, size_t cols, const float *sum, size_t ld_sum, const float *bias,
                   const float *residual, activation act, float *y, size_t ld_y);

/* y[r][c] += scale[c] * sum[r][c] (scale NULL: ones). */
void epilogue_add(size_t rows, size_t cols, const float *sum, size_t ld_sum, const float *scale,
                  float *y, size_t ld_y);

/* y[c] (+)= sum over rows of x[r][c], in row order. */
void epilogue_sum_rows(size_t rows, size_t cols, const float *x, size_t ld, bool accumulate,
                       float *y);

#endif
