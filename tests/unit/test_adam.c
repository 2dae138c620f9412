/* adam: PyTorch's steps; the same bits on any number of threads. */
#include "harness.h"

#include "golden.h"
#include "optim/adam.h"

enum { COUNT = 37, STEPS = 6, MANY = 50003 };

static const adam_spec spec = {1e-2f, 0.9f, 0.99f, 1e-8f};

static void torch_steps(void **state)
{
	golden_file f;
	golden_open(TEST_GOLDEN "/method.bin", &f);
	const float *g = golden_f32(&f, COUNT * STEPS, "opt_g");
	const float *want = golden_f32(&f, COUNT * STEPS, "adam_w");
	pool *workers = new_pool(2);
	float w[COUNT], m[COUNT] = {0}, v[COUNT] = {0};
	memcpy(w, golden_f32(&f, COUNT, "opt_w0"), sizeof w);
	for (size_t t = 0; t < STEPS; t++) {
		adam_step(&spec, t + 1, w, m, v, g + t * COUNT, COUNT, workers);
		assert_close(w, want + t * COUNT, COUNT, 1e-6);
	}
	pool_free(workers);
	golden_close(&f);
}

/* Bias correction makes the first step lr * sign(g), whatever the size of g; g = 0 stays put. */
static void first_step(void **state)
{
	pool *workers = new_pool(1);
	float w[4] = {0}, m[4] = {0}, v[4] = {0}, g[4] = {1e-3f, -5.0f, 100.0f, 0.0f};
	adam_step(&spec, 1, w, m, v, g, 4, workers);
	assert_near(w[0], -0.01, 1e-6);
	assert_near(w[1], 0.01, 1e-8);
	assert_near(w[2], -0.01, 1e-8);
	assert_true(w[3] == 0.0f);
	pool_free(workers);
}

static void same_bits_on_any_threads(void **state)
{
	float *g = random_floats(MANY, 1), *first = floats(MANY), *w = floats(MANY);
	float *m = floats(MANY), *v = floats(MANY);
	for (size_t threads = 1; threads <= 4; threads++) {
		pool *workers = new_pool(threads);
		memset(w, 0, MANY * sizeof *w);
		memset(m, 0, MANY * sizeof *m);
		memset(v, 0, MANY * sizeof *v);
		for (uint64_t t = 1; t <= 3; t++)
			adam_step(&spec, t, w, m, v, g, MANY, workers);
		if (threads == 1)
			memcpy(first, w, MANY * sizeof *w);
		assert_memory_equal(w, first, MANY * sizeof *w);
		pool_free(workers);
	}
	mem_free(g);
	mem_free(first);
	mem_free(w);
	mem_free(m);
	mem_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(torch_steps),
		cmocka_unit_test(first_step),
		cmocka_unit_test(same_bits_on_any_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
