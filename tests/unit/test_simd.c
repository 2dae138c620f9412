/* base/simd.h against libm in double precision. */
#include "harness.h"

#include <float.h>

#include "base/simd.h"

/* Distance in units of the last place of a float of want's size. */
static double ulps(float got, double want)
{
	int e;
	(void)frexp(want, &e);
	return fabs((double)got - want) / ldexp(1.0, e - 24);
}

enum { BATCH = 4096 };

TP_SIMD static void exp_all(const float *x, float *y, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] = simd_expf(x[i]);
}

TP_SIMD static void log_all(const float *x, float *y, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] = simd_logf(x[i]);
}

static void exp_is_close(void **state)
{
	float x[BATCH], y[BATCH];
	double worst = 0.0;
	for (size_t b = 0; b < 500; b++) {
		for (size_t i = 0; i < BATCH; i++) {
			double u = rng_uniform(b, RNG_TEST, i);
			/* The whole range, softmax's range, and around 0. */
			x[i] = (float)(b % 3 == 0 ? -87 + 175 * u : b % 3 == 1 ? -20 * u : u - 0.5);
		}
		exp_all(x, y, BATCH);
		for (size_t i = 0; i < BATCH; i++)
			worst = fmax(worst, ulps(y[i], exp(x[i])));
	}
	print_message("expf: worst %.3f ulp\n", worst);
	assert_true(worst < 2.0);
}

static void exp_at_the_edges(void **state)
{
	const float x[] = {0.0f, -0.0f, -87.0f, -87.001f, -INFINITY, -FLT_MAX,
	                   88.0f, 100.0f, INFINITY, NAN, -NAN, FLT_MIN};
	float y[12];
	exp_all(x, y, 12);
	assert_true(y[0] == 1.0f && y[1] == 1.0f && y[11] == 1.0f);
	assert_true(ulps(y[2], exp(-87.0)) < 2.0);
	assert_true(y[3] == 0.0f && y[4] == 0.0f && y[5] == 0.0f);
	assert_true(ulps(y[6], exp(88.0)) < 2.0);
	assert_true(y[7] == y[6] && y[8] == y[6]);
	assert_true(isnan(y[9]) && isnan(y[10]));
}

static void exp_never_decreases(void **state)
{
	float x[BATCH], y[BATCH];
	for (size_t b = 0; b < 176; b++) {
		float at = -87.5f + (float)b; /* each half-way point of the reduction comes by */
		for (size_t i = 0; i < BATCH; i++)
			x[i] = at + (float)i * (1.0f / BATCH);
		exp_all(x, y, BATCH);
		for (size_t i = 1; i < BATCH; i++)
			assert_true(y[i] >= y[i - 1]);
	}
}

static void log_is_close(void **state)
{
	float x[BATCH], y[BATCH];
	double worst = 0.0;
	for (size_t b = 0; b < 500; b++) {
		for (size_t i = 0; i < BATCH; i++) {
			double u = rng_uniform(b, RNG_TEST, i);
			/* All magnitudes, probabilities, and around 1. */
			x[i] = (float)(b % 3 == 0   ? exp2(-126 + 253.9 * u)
			               : b % 3 == 1 ? u + 1e-12
			                            : 0.9 + 0.2 * u);
		}
		log_all(x, y, BATCH);
		for (size_t i = 0; i < BATCH; i++) {
			double want = log(x[i]);
			worst = fmax(worst, want == 0.0 ? y[i] * 1e9 : ulps(y[i], want));
		}
	}
	print_message("logf: worst %.3f ulp\n", worst);
	assert_true(worst < 2.0);
}

static void log_at_the_edges(void **state)
{
	const float x[] = {1.0f,    FLT_MIN,  0.0f, 1e-40f, -1.0f,
	                   FLT_MAX, INFINITY, NAN,  -NAN,   -INFINITY};
	float y[10];
	log_all(x, y, 10);
	assert_true(y[0] == 0.0f);
	assert_true(ulps(y[1], log(FLT_MIN)) < 2.0);
	assert_true(y[2] == y[1] && y[3] == y[1] && y[4] == y[1] && y[9] == y[1]);
	assert_true(ulps(y[5], log(FLT_MAX)) < 2.0);
	assert_true(ulps(y[6], log(FLT_MAX)) < 2.0);
	assert_true(isnan(y[7]) && isnan(y[8]));
}

/* The scalar code and the vector code of one machine may differ by rounding only. */
static void one_by_one_agrees_with_vectors(void **state)
{
	float x[BATCH], y[BATCH], z[BATCH];
	for (size_t i = 0; i < BATCH; i++)
		x[i] = (float)(rng_normal(3, RNG_TEST, i) * 20);
	exp_all(x, y, BATCH);
	for (size_t i = 0; i < BATCH; i++)
		exp_all(x + i, z + i, 1);
	for (size_t i = 0; i < BATCH; i++)
		assert_near(z[i], y[i], 3e-7 * y[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exp_is_close),
		cmocka_unit_test(exp_at_the_edges),
		cmocka_unit_test(exp_never_decreases),
		cmocka_unit_test(log_is_close),
		cmocka_unit_test(log_at_the_edges),
		cmocka_unit_test(one_by_one_agrees_with_vectors),
	};
	return cmocka_run_group_tests_name("simd", tests, NULL, NULL);
}
