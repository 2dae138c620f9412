/* op_test: buffers, random values and comparisons for the tests of core/op. */
#ifndef TP_TESTS_OP_TEST_H
#define TP_TESTS_OP_TEST_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/pool.h"
#include "base/rng.h"

enum { GUARD = 64 }; /* floats behind each buffer that nobody may touch */

/* `n` floats of NaN, so that reading what was never written shows, and a guard behind them. */
static inline float *buffer(size_t n)
{
	float *p;
	assert_int_equal(mem_floats(n + GUARD, &p, NULL), TP_OK);
	for (size_t i = 0; i < n; i++)
		p[i] = NAN;
	for (size_t i = n; i < n + GUARD; i++)
		p[i] = 12345.0f;
	return p;
}

static inline void buffer_free(float *p, size_t n)
{
	if (p == NULL)
		return;
	for (size_t i = n; i < n + GUARD; i++)
		if (p[i] != 12345.0f)
			fail_msg("written behind the end of a buffer of %zu floats", n);
	mem_free(p);
}

/* Standard normal values; different `id`s never share values. */
static inline float *random_buffer(size_t n, uint64_t id)
{
	float *p = buffer(n);
	for (size_t i = 0; i < n; i++)
		p[i] = (float)rng_normal(id, RNG_TEST, i);
	return p;
}

static inline float *copy_buffer(const float *from, size_t n)
{
	float *p = buffer(n);
	memcpy(p, from, n * sizeof(float));
	return p;
}

static inline float *absolute(const float *from, size_t n)
{
	float *p = buffer(n);
	for (size_t i = 0; i < n; i++)
		p[i] = fabsf(from[i]);
	return p;
}

static inline double dot(const float *a, const float *b, size_t n)
{
	double sum = 0.0;
	for (size_t i = 0; i < n; i++)
		sum += (double)a[i] * b[i];
	return sum;
}

static inline double rms(const float *a, size_t n) { return sqrt(dot(a, a, n) / (double)n); }

/* |got - want| <= limit[i] * factor for every element; NaN fails. */
static inline void assert_within(const char *what, const float *got, const float *want,
                                 const float *limit, double factor, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!(fabs((double)got[i] - want[i]) <= limit[i] * factor + 1e-30))
			fail_msg("%s: [%zu of %zu] is %.9g, wanted %.9g +- %.3g", what, i, n,
			         got[i], want[i], limit[i] * factor);
}

/* |got - want| <= tolerance for every element; NaN fails. */
static inline void assert_near(const char *what, const float *got, const float *want,
                               double tolerance, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!(fabs((double)got[i] - want[i]) <= tolerance))
			fail_msg("%s: [%zu of %zu] is %.9g, wanted %.9g +- %.3g", what, i, n,
			         got[i], want[i], tolerance);
}

#endif
