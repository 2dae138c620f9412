/* harness: what many tests need on top of cmocka: test numbers, blocks of floats, comparisons in
 * units of the expected values' size, a folder that is removed again, a pool of n threads. */
#ifndef TP_TESTS_HARNESS_H
#define TP_TESTS_HARNESS_H

/* cmocka wants these four before itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/rng.h"

#define MAYBE_UNUSED __attribute__((unused))

/* assert_ok(mem_floats(n, &p, err)): the call leaves its cause in `err`, which fails the test. */
#define assert_ok(call)                                                                            \
	do {                                                                                       \
		tp_err assert_err = {0};                                                           \
		tp_err *err = &assert_err;                                                         \
		if ((call) != TP_OK)                                                               \
			fail_msg("%s: %s", #call, assert_err.text);                                \
	} while (0)

/* `count` zeroed floats; mem_free. */
MAYBE_UNUSED static float *floats(size_t count)
{
	float *p = NULL;
	assert_ok(mem_floats(count, &p, err));
	return p;
}

/* Normal numbers, the same for the same seed. */
MAYBE_UNUSED static float *random_floats(size_t count, uint64_t seed)
{
	float *p = floats(count);
	for (size_t i = 0; i < count; i++)
		p[i] = (float)rng_normal(seed, RNG_TEST, i);
	return p;
}

MAYBE_UNUSED static pool *new_pool(size_t threads)
{
	pool *p = NULL;
	assert_ok(pool_create(threads, &p, err));
	return p;
}

/* Largest |got - want| over the root mean square of want; infinite when only one is NaN. */
MAYBE_UNUSED static double error_of(const float *got, const float *want, size_t count)
{
	double max = 0.0, squares = 0.0;
	for (size_t i = 0; i < count; i++) {
		if (isnan(got[i]) && isnan(want[i]))
			continue;
		double d = fabs((double)got[i] - want[i]);
		max = isnan(d) ? INFINITY : fmax(max, d);
		squares += (double)want[i] * want[i];
	}
	double rms = sqrt(squares / (double)(count > 0 ? count : 1));
	return max / fmax(rms, 1e-30);
}

#define assert_close(got, want, count, limit)                                                      \
	do {                                                                                       \
		double assert_error = error_of(got, want, count);                                  \
		if (!(assert_error <= (limit)))                                                    \
			fail_msg("%s: error %g of rms, limit %g", #got, assert_error,              \
			         (double)(limit));                                                 \
	} while (0)

#define assert_near(got, want, limit)                                                              \
	do {                                                                                       \
		double assert_got = (got), assert_want = (want);                                   \
		if (!(fabs(assert_got - assert_want) <= (limit)))                                  \
			fail_msg("%s is %.9g, not %.9g (+-%g)", #got, assert_got, assert_want,     \
			         (double)(limit));                                                 \
	} while (0)

MAYBE_UNUSED static double dot_product(const float *a, const float *b, size_t count)
{
	double sum = 0.0;
	for (size_t i = 0; i < count; i++)
		sum += (double)a[i] * b[i];
	return sum;
}

/* A fresh folder below $TMPDIR or /tmp; scratch_remove() deletes it with all it holds. */
MAYBE_UNUSED static void scratch_create(char path[256])
{
	const char *root = getenv("TMPDIR");
	(void)snprintf(path, 256, "%s/tpldd-test-XXXXXX", root != NULL ? root : "/tmp");
	assert_non_null(mkdtemp(path));
}
MAYBE_UNUSED static void scratch_remove(const char *path)
{
	assert_ok(file_remove_tree(AT_FDCWD, path, err));
}

#endif
