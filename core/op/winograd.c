#include "op/winograd.h"

#include <string.h>

#include "base/simd.h"

/* Sixteen channels; the compiler splits it where registers are shorter. */
enum { LANES = 16 };
typedef float vec __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));

/* One-dimensional transforms: elements `s` apart in, `t` apart out. */

/* F(2,3) */
static TP_INLINE void input_2(const vec *x, size_t s, vec *y, size_t t)
{
	y[0] = x[0] - x[2 * s];
	y[t] = x[s] + x[2 * s];
	y[2 * t] = x[2 * s] - x[s];
	y[3 * t] = x[s] - x[3 * s];
}

static TP_INLINE void input_adjoint_2(const vec *v, size_t s, vec *x, size_t t)
{
	x[0] = v[0];
	x[t] = v[s] - v[2 * s] + v[3 * s];
	x[2 * t] = v[s] + v[2 * s] - v[0];
	x[3 * t] = -v[3 * s];
}

static TP_INLINE void output_2(const vec *v, size_t s, vec *y, size_t t)
{
	y[0] = v[0] + v[s] + v[2 * s];
	y[t] = v[s] - v[2 * s] - v[3 * s];
}

static TP_INLINE void output_adjoint_2(const vec *y, size_t s, vec *v, size_t t)
{
	v[0] = y[0];
	v[t] = y[0] + y[s];
	v[2 * t] = y[0] - y[s];
	v[3 * t] = -y[s];
}

static TP_INLINE void weight_2(const vec *g, size_t s, vec *u, size_t t)
{
	vec even = 0.5f * (g[0] + g[2 * s]), odd = 0.5f * g[s];
	u[0] = g[0];
	u[t] = even + odd;
	u[2 * t] = even - odd;
	u[3 * t] = g[2 * s];
}

static TP_INLINE void weight_adjoint_2(const vec *u, size_t s, vec *g, size_t t)
{
	vec sum = 0.5f * (u[s] + u[2 * s]);
	g[0] = u[0] + sum;
	g[t] = 0.5f * (u[s] - u[2 * s]);
	g[2 * t] = sum + u[3 * s];
}

/* F(4,3) */
static TP_INLINE void input_4(const vec *x, size_t s, vec *y, size_t t)
{
	vec a = x[4 * s] - 4.0f * x[2 * s], b = x[3 * s] - 4.0f * x[s];
	vec c = x[4 * s] - x[2 * s], e = 2.0f * (x[3 * s] - x[s]);
	y[0] = 4.0f * x[0] - 5.0f * x[2 * s] + x[4 * s];
	y[t] = a + b;
	y[2 * t] = a - b;
	y[3 * t] = c + e;
	y[4 * t] = c - e;
	y[5 * t] = 4.0f * x[s] - 5.0f * x[3 * s] + x[5 * s];
}

static TP_INLINE void input_adjoint_4(const vec *v, size_t s, vec *x, size_t t)
{
	vec sum1 = v[s] + v[2 * s], diff1 = v[s] - v[2 * s];
	vec sum2 = v[3 * s] + v[4 * s], diff2 = v[3 * s] - v[4 * s];
	x[0] = 4.0f * v[0];
	x[t] = 4.0f * (v[5 * s] - diff1) - 2.0f * diff2;
	x[2 * t] = -5.0f * v[0] - 4.0f * sum1 - sum2;
	x[3 * t] = diff1 + 2.0f * diff2 - 5.0f * v[5 * s];
	x[4 * t] = v[0] + sum1 + sum2;
	x[5 * t] = v[5 * s];
}

static TP_INLINE void output_4(const vec *v, size_t s, vec *y, size_t t)
{
	vec sum1 = v[s] + v[2 * s], diff1 = v[s] - v[2 * s];
	vec sum2 = v[3 * s] + v[4 * s], diff2 = v[3 * s] - v[4 * s];
	y[0] = v[0] + sum1 + sum2;
	y[t] = diff1 + 2.0f * diff2;
	y[2 * t] = sum1 + 4.0f * sum2;
	y[3 * t] = diff1 + 8.0f * diff2 + v[5 * s];
}

static TP_INLINE void output_adjoint_4(const vec *y, size_t s, vec *v, size_t t)
{
	vec even1 = y[0] + y[2 * s], odd1 = y[s] + y[3 * s];
	vec even2 = y[0] + 4.0f * y[2 * s], odd2 = 2.0f * y[s] + 8.0f * y[3 * s];
	v[0] = y[0];
	v[t] = even1 + odd1;
	v[2 * t] = even1 - odd1;
	v[3 * t] = even2 + odd2;
	v[4 * t] = even2 - odd2;
	v[5 * t] = y[3 * s];
}

static TP_INLINE void weight_4(const vec *g, size_t s, vec *u, size_t t)
{
	vec even1 = (-1.0f / 6) * (g[0] + g[2 * s]), odd1 = (-1.0f / 6) * g[s];
	vec even2 = (1.0f / 24) * g[0] + (1.0f / 6) * g[2 * s], odd2 = (1.0f / 12) * g[s];
	u[0] = 0.25f * g[0];
	u[t] = even1 + odd1;
	u[2 * t] = even1 - odd1;
	u[3 * t] = even2 + odd2;
	u[4 * t] = even2 - odd2;
	u[5 * t] = g[2 * s];
}

static TP_INLINE void weight_adjoint_4(const vec *u, size_t s, vec *g, size_t t)
{
	vec sum1 = (1.0f / 6) * (u[s] + u[2 * s]), diff1 = (1.0f / 6) * (u[s] - u[2 * s]);
	vec sum2 = u[3 * s] + u[4 * s], diff2 = u[3 * s] - u[4 * s];
	g[0] = 0.25f * u[0] - sum1 + (1.0f / 24) * sum2;
	g[t] = (1.0f / 12) * diff2 - diff1;
	g[2 * t] = (1.0f / 6) * sum2 - sum1 + u[5 * s];
}

/* The two-dimensional transform out = line(line(in)^T)^T: first along the columns of in, then
 * along the rows of the result. The last channels, fewer than a vector, pass through a copy. */
#define TRANSFORM(name, line, n_in, n_out)                                                         \
	static TP_INLINE void name##_lanes(const float *const in[], float *const out[], size_t at, \
	                                   size_t lanes)                                           \
	{                                                                                          \
		vec middle[(n_out) * (n_in)], column[n_in], row[n_out];                            \
		for (size_t j = 0; j < (n_in); j++) {                                              \
			for (size_t i = 0; i < (n_in); i++) {                                      \
				column[i] = (vec){0.0f};                                           \
				memcpy(&column[i], in[i * (n_in) + j] + at,                        \
				       lanes * sizeof(float));                                     \
			}                                                                          \
			line(column, 1, middle + j, n_in);                                         \
		}                                                                                  \
		for (size_t i = 0; i < (n_out); i++) {                                             \
			line(middle + i * (n_in), 1, row, 1);                                      \
			for (size_t j = 0; j < (n_out); j++)                                       \
				memcpy(out[i * (n_out) + j] + at, &row[j], lanes * sizeof(float)); \
		}                                                                                  \
	}                                                                                          \
	TP_SIMD static void name(const float *const in[], float *const out[], size_t n)            \
	{                                                                                          \
		size_t at = 0;                                                                     \
		for (; at + LANES <= n; at += LANES)                                               \
			name##_lanes(in, out, at, LANES);                                          \
		if (at < n)                                                                        \
			name##_lanes(in, out, at, n - at);                                         \
	}

TRANSFORM(f2_input, input_2, 4, 4)
TRANSFORM(f2_input_adjoint, input_adjoint_2, 4, 4)
TRANSFORM(f2_output, output_2, 4, 2)
TRANSFORM(f2_output_adjoint, output_adjoint_2, 2, 4)
TRANSFORM(f2_weight, weight_2, 3, 4)
TRANSFORM(f2_weight_adjoint, weight_adjoint_2, 4, 3)
TRANSFORM(f4_input, input_4, 6, 6)
TRANSFORM(f4_input_adjoint, input_adjoint_4, 6, 6)
TRANSFORM(f4_output, output_4, 6, 4)
TRANSFORM(f4_output_adjoint, output_adjoint_4, 4, 6)
TRANSFORM(f4_weight, weight_4, 3, 6)
TRANSFORM(f4_weight_adjoint, weight_adjoint_4, 6, 3)

const winograd winograd_f2 = {
	.m = 2, .side = 4, .points = 16,
	.input = f2_input, .input_adjoint = f2_input_adjoint,
	.output = f2_output, .output_adjoint = f2_output_adjoint,
	.weight = f2_weight, .weight_adjoint = f2_weight_adjoint,
};
const winograd winograd_f4 = {
	.m = 4, .side = 6, .points = 36,
	.input = f4_input, .input_adjoint = f4_input_adjoint,
	.output = f4_output, .output_adjoint = f4_output_adjoint,
	.weight = f4_weight, .weight_adjoint = f4_weight_adjoint,
};
