#include "op/epilogue.h"

#include "base/simd.h"

/* Called with constants for `act` and the two flags, so that each copy is one branch-free loop. */
static TP_INLINE void row_loop(size_t n, const float *sum, const float *bias, const float *residual,
                               activation act, float *y)
{
	for (size_t i = 0; i < n; i++) {
		float v = sum[i];
		if (bias != NULL)
			v += bias[i];
		if (residual != NULL)
			v += residual[i];
		y[i] = activate(act, v);
	}
}

static TP_INLINE void row_flags(size_t n, const float *sum, const float *bias,
                                const float *residual, activation act, float *y)
{
	if (bias != NULL && residual != NULL)
		row_loop(n, sum, bias, residual, act, y);
	else if (bias != NULL)
		row_loop(n, sum, bias, NULL, act, y);
	else if (residual != NULL)
		row_loop(n, sum, NULL, residual, act, y);
	else
		row_loop(n, sum, NULL, NULL, act, y);
}

TP_SIMD static void all_rows(size_t rows, size_t cols, const float *sum, size_t ld_sum,
                             const float *bias, const float *residual, activation act, float *y,
                             size_t ld_y)
{
	for (size_t r = 0; r < rows; r++, sum += ld_sum, y += ld_y) {
		switch (act) {
		case ACT_NONE:
			row_flags(cols, sum, bias, residual, ACT_NONE, y);
			break;
		case ACT_RELU:
			row_flags(cols, sum, bias, residual, ACT_RELU, y);
			break;
		case ACT_RELU6:
			row_flags(cols, sum, bias, residual, ACT_RELU6, y);
			break;
		case ACT_LEAKY:
			row_flags(cols, sum, bias, residual, ACT_LEAKY, y);
			break;
		}
		if (residual != NULL)
			residual += ld_y;
	}
}

void epilogue_rows(size_t rows, size_t cols, const float *sum, size_t ld_sum, const float *bias,
                   const float *residual, activation act, float *y, size_t ld_y)
{
	if (sum != y || bias != NULL || residual != NULL || act != ACT_NONE)
		all_rows(rows, cols, sum, ld_sum, bias, residual, act, y, ld_y);
}

TP_SIMD void epilogue_add(size_t rows, size_t cols, const float *sum, size_t ld_sum,
                          const float *scale, float *y, size_t ld_y)
{
	for (size_t r = 0; r < rows; r++, sum += ld_sum, y += ld_y) {
		if (scale == NULL)
			for (size_t i = 0; i < cols; i++)
				y[i] += sum[i];
		else
			for (size_t i = 0; i < cols; i++)
				y[i] += scale[i] * sum[i];
	}
}

void epilogue_sum_rows(size_t rows, size_t cols, const float *x, size_t ld, bool accumulate,
                       float *y)
{
	if (!accumulate)
		for (size_t i = 0; i < cols; i++)
			y[i] = 0.0f;
	epilogue_add(rows, cols, x, ld, NULL, y, 0);
}
