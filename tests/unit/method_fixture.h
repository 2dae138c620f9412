/* method_fixture: maps of random probabilities for the tests of optim, loss and adapt. */
#ifndef TP_TESTS_METHOD_FIXTURE_H
#define TP_TESTS_METHOD_FIXTURE_H

#include "harness.h"

#include "op/softmax.h"

enum { THREADS_MAX = 4 }; /* results are compared over 1..4 threads */

/* Softmax of normal numbers times `sharpness`, planar [classes][pixels]; mem_free. */
MAYBE_UNUSED static float *random_probs(size_t classes, size_t pixels, float sharpness,
                                        uint64_t seed)
{
	float *z = random_floats(classes * pixels, seed);
	for (size_t i = 0; i < classes * pixels; i++)
		z[i] *= sharpness;
	softmax_forward_reference(z, classes, pixels, z);
	return z;
}

/* Thresholds between 0.15 and 0.95. */
MAYBE_UNUSED static void random_lambda(float *lambda, size_t classes, uint64_t seed)
{
	for (size_t k = 0; k < classes; k++)
		lambda[k] = 0.15f + 0.8f * (float)rng_uniform(seed, RNG_TEST, k);
}

#endif
