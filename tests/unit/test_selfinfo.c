/* self-information: the example of algorithms.md 5.4, PyTorch, differences, layout, threads. */
#include "method_fixture.h"

#include "golden.h"
#include "loss/selfinfo.h"

enum { K = 4, N = 24 };

static void example(void **state)
{
	pool *workers = new_pool(1);
	const float p[3] = {0.6f, 0.3f, 0.1f};
	float i[3];
	selfinfo_forward(p, 3, 1, i, workers);
	assert_near(i[0], 0.278984, 1e-6);
	assert_near(i[1], 0.328771, 1e-6);
	assert_near(i[2], 0.209590, 1e-6);
	const float certain[2] = {1.0f, 0.0f}, even[2] = {0.5f, 0.5f};
	selfinfo_forward(certain, 2, 1, i, workers);
	assert_true(i[0] == 0.0f && i[1] == 0.0f);
	selfinfo_forward(even, 2, 1, i, workers);
	assert_near(i[0] + i[1], 1.0, 1e-6);
	pool_free(workers);
}

static void torch_map(void **state)
{
	golden_file f;
	golden_open(TEST_GOLDEN "/method.bin", &f);
	const float *p = golden_f32(&f, K * N, "info_p");
	pool *workers = new_pool(2);
	float out[K * N];
	selfinfo_forward(p, K, N, out, workers);
	assert_close(out, golden_f32(&f, K * N, "info_i"), K * N, 2e-6);
	selfinfo_backward(p, golden_f32(&f, K * N, "info_di"), K, N, out, workers);
	assert_close(out, golden_f32(&f, K * N, "info_dp"), K * N, 2e-6);
	pool_free(workers);
	golden_close(&f);
}

static double information(double p, double classes) { return -p * log(p) / log(classes); }

static void differences_and_threads(void **state)
{
	enum { CLASSES = 19, PIXELS = 9001 };
	const double step = 1e-6;
	float *p = random_probs(CLASSES, PIXELS, 1.0f, 5), *di = random_floats(CLASSES * PIXELS, 6);
	float *first[2] = {floats(CLASSES * PIXELS), floats(CLASSES * PIXELS)};
	float *dp = floats(CLASSES * PIXELS), *i = floats(CLASSES * PIXELS);
	for (size_t threads = 1; threads <= THREADS_MAX; threads++) {
		pool *workers = new_pool(threads);
		selfinfo_forward(p, CLASSES, PIXELS, i, workers);
		selfinfo_backward(p, di, CLASSES, PIXELS, dp, workers);
		if (threads == 1) {
			memcpy(first[0], i, CLASSES * PIXELS * sizeof *i);
			memcpy(first[1], dp, CLASSES * PIXELS * sizeof *dp);
		}
		assert_memory_equal(i, first[0], CLASSES * PIXELS * sizeof *i);
		assert_memory_equal(dp, first[1], CLASSES * PIXELS * sizeof *dp);
		pool_free(workers);
	}
	for (size_t x = 0; x < PIXELS; x += 97)
		for (size_t k = 0; k < CLASSES; k++) {
			double at = p[k * PIXELS + x], h = step * at;
			double slope = (information(at + h, CLASSES) - information(at - h, CLASSES)) /
			               (2 * h);
			assert_near(i[x * CLASSES + k], information(at, CLASSES), 1e-6);
			assert_near(dp[k * PIXELS + x], di[x * CLASSES + k] * slope, 1e-5);
		}
	mem_free(p);
	mem_free(di);
	mem_free(first[0]);
	mem_free(first[1]);
	mem_free(dp);
	mem_free(i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(example),
		cmocka_unit_test(torch_map),
		cmocka_unit_test(differences_and_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
