/* sgd: PyTorch's steps, the poly schedule, the search for values that are not finite. */
#include "harness.h"

#include "golden.h"
#include "optim/sgd.h"

enum { COUNT = 37, STEPS = 6, MANY = 70001 };

static void torch_steps(void **state)
{
	golden_file f;
	golden_open(TEST_GOLDEN "/method.bin", &f);
	const float *w0 = golden_f32(&f, COUNT, "opt_w0");
	const float *g = golden_f32(&f, COUNT * STEPS, "opt_g");
	const float *want = golden_f32(&f, COUNT * STEPS, "sgd_w");
	const float *lr = golden_f32(&f, STEPS, "opt_lr");
	pool *workers = new_pool(2);
	float w[COUNT], v[COUNT] = {0};
	memcpy(w, w0, sizeof w);
	for (size_t t = 0; t < STEPS; t++) {
		double rate = schedule_poly(0.05, 0.9, t, 10);
		assert_near(rate, lr[t], 1e-8);
		sgd_step(w, v, g + t * COUNT, COUNT, (float)rate, 0.9f, 5e-2f, workers);
		assert_close(w, want + t * COUNT, COUNT, 1e-6);
	}
	pool_free(workers);
	golden_close(&f);
}

static void first_step_by_hand(void **state)
{
	pool *workers = new_pool(1);
	float w = 2.0f, v = 0.0f, g = 0.5f;
	sgd_step(&w, &v, &g, 1, 0.25f, 0.5f, 0.125f, workers);
	assert_true(v == 0.75f && w == 1.8125f);
	sgd_step(&w, &v, &g, 1, 0.25f, 0.5f, 0.0f, workers);
	assert_true(v == 0.875f && w == 1.59375f);
	pool_free(workers);
}

static void same_bits_on_any_threads(void **state)
{
	float *g = random_floats(MANY, 1), *w0 = random_floats(MANY, 2), *first = NULL;
	for (size_t threads = 1; threads <= 4; threads++) {
		pool *workers = new_pool(threads);
		float *w = floats(MANY), *v = floats(MANY);
		memcpy(w, w0, MANY * sizeof *w);
		for (int t = 0; t < 3; t++)
			sgd_step(w, v, g, MANY, 0.1f, 0.9f, 5e-4f, workers);
		if (first != NULL)
			assert_memory_equal(w, first, MANY * sizeof *w);
		mem_free(v);
		if (first == NULL)
			first = w;
		else
			mem_free(w);
		pool_free(workers);
	}
	mem_free(first);
	mem_free(g);
	mem_free(w0);
}

static void schedule(void **state)
{
	assert_true(schedule_poly(5e-5, 0.0, 0, 10) == 5e-5);
	assert_true(schedule_poly(5e-5, 0.0, 99, 10) == 5e-5);
	assert_true(schedule_poly(1.0, 0.9, 0, 10) == 1.0);
	assert_near(schedule_poly(1.0, 2.0, 5, 10), 0.25, 1e-15);
	assert_true(schedule_poly(1.0, 0.9, 10, 10) == 0.0);
	assert_true(schedule_poly(1.0, 0.9, 0, 0) == 0.0);
}

static void not_finite_found(void **state)
{
	pool *workers = new_pool(3);
	float *x = random_floats(MANY, 3);
	x[5] = 3.4e38f;
	x[6] = 1e-45f;
	assert_true(all_finite(x, MANY, workers));
	assert_true(all_finite(x, 0, workers));
	static const size_t place[] = {0, 1, 16384, 40000, MANY - 1};
	const float bad[] = {NAN, INFINITY, -INFINITY};
	for (size_t i = 0; i < 5; i++)
		for (size_t b = 0; b < 3; b++) {
			float old = x[place[i]];
			x[place[i]] = bad[b];
			assert_false(all_finite(x, MANY, workers));
			x[place[i]] = old;
		}
	mem_free(x);
	pool_free(workers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(torch_steps),
		cmocka_unit_test(first_step_by_hand),
		cmocka_unit_test(same_bits_on_any_threads),
		cmocka_unit_test(schedule),
		cmocka_unit_test(not_finite_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
