/* clip and running_mean: what is done to gradients and weights as a whole. */
#include "harness.h"

#include "optim/clip.h"
#include "optim/running_mean.h"

enum { MANY = 70001 };

static void long_gradients_get_the_limit(void **state)
{
	pool *p = new_pool(2);
	float g[3] = {3, 0, -4};
	assert_near(clip_length(g, 3, 5.0, p), 5.0, 1e-12);
	assert_true(g[0] == 3.0f && g[2] == -4.0f);
	assert_near(clip_length(g, 3, 1.0, p), 5.0, 1e-12);
	assert_near((double)g[0], 0.6, 1e-7);
	assert_near((double)g[2], -0.8, 1e-7);
	pool_free(p);
}

static void the_mean_moves_by_its_share(void **state)
{
	pool *p = new_pool(1);
	float mean[2] = {1, 2}, x[2] = {3, -2};
	running_mean(mean, x, 2, 0.75f, p);
	assert_true(mean[0] == 1.5f && mean[1] == 1.0f);
	running_mean(mean, x, 2, 0.0f, p);
	assert_true(mean[0] == 3.0f && mean[1] == -2.0f);
	pool_free(p);
}

static void same_bits_on_any_threads(void **state)
{
	float *x = random_floats(MANY, 1), *one = floats(MANY), *g = floats(MANY), *mean = floats(MANY);
	double length = 0;
	for (size_t threads = 1; threads <= 4; threads++) {
		pool *p = new_pool(threads);
		memcpy(g, x, MANY * sizeof *g);
		memset(mean, 0, MANY * sizeof *mean);
		double l = clip_length(g, MANY, 2.0, p);
		running_mean(mean, g, MANY, 0.9f, p);
		if (threads == 1) {
			length = l;
			memcpy(one, mean, MANY * sizeof *mean);
		}
		assert_true(l == length);
		assert_memory_equal(mean, one, MANY * sizeof *mean);
		pool_free(p);
	}
	mem_free(x);
	mem_free(one);
	mem_free(g);
	mem_free(mean);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(long_gradients_get_the_limit),
		cmocka_unit_test(the_mean_moves_by_its_share),
		cmocka_unit_test(same_bits_on_any_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
