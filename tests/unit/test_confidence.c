/* image confidence: the toy check of algorithms.md 5.1, its edges, the entropy. */
#include "harness.h"

#include "adapt/confidence.h"

/* N = (1000, 200, 0, 50), N* = (600, 60, 0, 40), lambda = (.95, .5, 1, .4) */
static float *toy_map(size_t *ret_pixels)
{
	static const size_t n[4] = {1000, 200, 0, 50}, sure[4] = {600, 60, 0, 40};
	static const float high[4] = {0.97f, 0.7f, 1.0f, 0.6f}, low[4] = {0.9f, 0.45f, 1.0f, 0.38f};
	size_t pixels = 1250, at = 0;
	float *p = floats(4 * pixels);
	for (size_t k = 0; k < 4; k++)
		for (size_t i = 0; i < n[k]; i++, at++) {
			float top = i < sure[k] ? high[k] : low[k];
			for (size_t c = 0; c < 4; c++)
				p[c * pixels + at] = c == k ? top : (1.0f - top) / 3.0f;
		}
	*ret_pixels = pixels;
	return p;
}

static void toy_check(void **state)
{
	const float lambda[4] = {0.95f, 0.5f, 1.0f, 0.4f};
	size_t pixels;
	float *p = toy_map(&pixels);
	image_confidence c;
	image_confidence_of(p, lambda, 4, pixels, true, &c);
	assert_near(c.score, 1.07719, 1e-5);
	assert_int_equal(c.predicted[0], 1000);
	assert_int_equal(c.predicted[1], 200);
	assert_int_equal(c.predicted[2], 0);
	assert_int_equal(c.confident[3], 40);
	assert_near(c.per_class[0], 0.6, 1e-12);
	assert_near(c.per_class[1], 0.3, 1e-12);
	assert_true(c.per_class[2] == -1.0);
	assert_true(c.per_class[4] == -1.0);
	image_confidence_of(p, lambda, 4, pixels, false, &c);
	assert_near(c.score, (0.6 + 0.3 + 0.8) / 3, 1e-12);
	mem_free(p);
}

/* p = lambda is not above it. */
static void strict_limit(void **state)
{
	const float p[4] = {0.75f, 0.7500001f, 0.25f, 0.2499999f}, lambda[2] = {0.75f, 0.5f};
	image_confidence c;
	image_confidence_of(p, lambda, 2, 2, true, &c);
	assert_int_equal(c.predicted[0], 2);
	assert_int_equal(c.confident[0], 1);
	assert_near(c.score, 0.5 / 0.75, 1e-7);
}

static void entropy(void **state)
{
	/* two certain pixels, two undecided ones: half the largest entropy */
	const float p[8] = {1.0f, 0.0f, 0.5f, 0.5f, 0.0f, 1.0f, 0.5f, 0.5f}, lambda[2] = {0.9f, 0.9f};
	image_confidence c;
	image_confidence_of(p, lambda, 2, 4, true, &c);
	assert_near(c.mean_entropy, 0.5, 1e-6);
	const float one[3] = {1.0f, 1.0f, 1.0f}, half = 0.5f;
	image_confidence_of(one, &half, 1, 3, true, &c);
	assert_true(c.mean_entropy == 0.0 && c.score == 2.0);
	image_confidence_of(p, lambda, 2, 0, true, &c);
	assert_true(c.score == 0.0 && c.mean_entropy == 0.0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(toy_check),
		cmocka_unit_test(strict_limit),
		cmocka_unit_test(entropy),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
