#include "harness.h"

#include "golden.h"
#include "op/softmax.h"

/* classes, pixels */
static const size_t shape_table[][2] = {
	{2, 1}, {19, 1000}, {3, 4097}, {1, 17}, {256, 300}, {13, 9000},
};
enum { SHAPES = sizeof shape_table / sizeof *shape_table };

static float *logits(size_t n, uint64_t seed, float scale)
{
	float *z = random_floats(n, seed);
	for (size_t i = 0; i < n; i++)
		z[i] *= scale;
	return z;
}

static void forward_matches_reference(void **state)
{
	for (size_t k = 0; k < SHAPES; k++) {
		const size_t classes = shape_table[k][0], pixels = shape_table[k][1];
		const size_t n = classes * pixels;
		float *z = logits(n, k, k % 2 == 0 ? 1.0f : 12.0f);
		float *want = floats(n), *got = floats(n), *first = floats(n);
		softmax_forward_reference(z, classes, pixels, want);
		for (size_t threads = 1; threads <= 4; threads++) {
			pool *p = new_pool(threads);
			memset(got, 1, n * sizeof *got);
			softmax_forward(z, classes, pixels, got, p);
			if (threads == 1)
				memcpy(first, got, n * sizeof *got);
			assert_memory_equal(got, first, n * sizeof *got);
			/* z - max is rounded to a float: 2^-24 |z - max| of relative error. */
			for (size_t i = 0; i < n; i++)
				assert_near(got[i], want[i], 1e-5 * want[i] + 1e-37);
			pool_free(p);
		}
		pool *p = new_pool(2);
		softmax_forward(z, classes, pixels, z, p); /* in place */
		assert_memory_equal(z, first, n * sizeof *z);
		pool_free(p);
		mem_free(z);
		mem_free(want);
		mem_free(got);
		mem_free(first);
	}
}

static void huge_logits_stay_finite(void **state)
{
	float z[6] = {3e38f, -3e38f, 1000, 999, -1e4f, -1e4f}, p[6];
	pool *w = new_pool(1);
	softmax_forward(z, 2, 3, p, w); /* pixels (3e38, 999), (-3e38, -1e4), (1000, -1e4) */
	const float want[6] = {1, 0, 1, 0, 1, 0};
	assert_close(p, want, 6, 1e-7);
	pool_free(w);
}

static void nan_spoils_its_pixel_only(void **state)
{
	enum { CLASSES = 5, PIXELS = 300 };
	pool *w = new_pool(2);
	for (size_t k = 0; k < CLASSES; k++) {
		float *z = random_floats(CLASSES * PIXELS, k), *p = floats(CLASSES * PIXELS);
		z[k * PIXELS + 257] = NAN;
		z[k * PIXELS + 3] = INFINITY;
		softmax_forward(z, CLASSES, PIXELS, p, w);
		for (size_t i = 0; i < CLASSES * PIXELS; i++) {
			if (i % PIXELS == 257)
				assert_true(isnan(p[i]));
			else if (i % PIXELS != 3)
				assert_false(isnan(p[i]));
		}
		assert_true(isnan(p[k * PIXELS + 3]));
		mem_free(z);
		mem_free(p);
	}
	pool_free(w);
}

static void backward_is_the_derivative(void **state)
{
	for (size_t k = 0; k < SHAPES; k++) {
		const size_t classes = shape_table[k][0], pixels = shape_table[k][1];
		const size_t n = classes * pixels;
		const double h = 1e-5;
		float *z = logits(n, k, 2.0f), *v = random_floats(n, k + 20);
		float *dp = random_floats(n, k + 40), *p = floats(n), *dz = floats(n);
		float *first = floats(n);
		pool *w = new_pool(1);
		softmax_forward(z, classes, pixels, p, w);
		softmax_backward(p, dp, classes, pixels, first, w);
		pool_free(w);
		for (size_t threads = 2; threads <= 4; threads++) {
			w = new_pool(threads);
			memcpy(dz, dp, n * sizeof *dz);
			softmax_backward(p, dz, classes, pixels, dz, w); /* in place */
			assert_memory_equal(dz, first, n * sizeof *dz);
			pool_free(w);
		}
		double slope = 0.0;
		for (size_t i = 0; i < pixels; i++) {
			double sum[2] = {0, 0}, dot[2] = {0, 0};
			for (size_t c = 0; c < classes; c++)
				for (int side = 0; side < 2; side++) {
					size_t at = c * pixels + i;
					double e = exp(z[at] + (side == 0 ? h : -h) * v[at]);
					sum[side] += e;
					dot[side] += e * dp[at];
				}
			slope += (dot[0] / sum[0] - dot[1] / sum[1]) / (2 * h);
		}
		assert_near(dot_product(dz, v, n), slope, 1e-5 * sqrt((double)n));
		float *all[] = {z, v, dp, p, dz, first};
		for (size_t i = 0; i < 6; i++)
			mem_free(all[i]);
	}
}

/* torch.nn.functional.softmax over 19 classes (golden/make_ops_misc.py). */
static void matches_pytorch(void **state)
{
	enum { CLASSES = 19, PIXELS = 143, N = CLASSES * PIXELS };
	golden_file g;
	golden_open(TEST_GOLDEN "/ops_misc.bin", &g);
	pool *w = new_pool(2);
	float *p = floats(N), *dz = floats(N);
	softmax_forward(golden_f32(&g, N, "sm_z"), CLASSES, PIXELS, p, w);
	assert_close(p, golden_f32(&g, N, "sm_p"), N, 3e-6);
	softmax_backward(p, golden_f32(&g, N, "sm_dp"), CLASSES, PIXELS, dz, w);
	assert_close(dz, golden_f32(&g, N, "sm_dz"), N, 5e-6);
	mem_free(p);
	mem_free(dz);
	pool_free(w);
	golden_close(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forward_matches_reference),
		cmocka_unit_test(huge_logits_stay_finite),
		cmocka_unit_test(nan_spoils_its_pixel_only),
		cmocka_unit_test(backward_is_the_derivative),
		cmocka_unit_test(matches_pytorch),
	};
	return cmocka_run_group_tests_name("softmax", tests, NULL, NULL);
}
