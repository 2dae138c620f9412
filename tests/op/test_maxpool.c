#include "harness.h"

#include "golden.h"
#include "op/maxpool.h"

enum { SHAPES = 9 };

static maxpool_shape shape_of(size_t k)
{
	/* in_h, in_w, c, kernel, stride, pad, ceil mode */
	static const size_t t[SHAPES][7] = {
		{12, 13, 64, 3, 2, 1, 1}, {11, 16, 70, 3, 2, 1, 1}, {8, 10, 130, 2, 2, 0, 0},
		{9, 7, 5, 2, 2, 0, 1},    {6, 6, 65, 3, 1, 1, 0},   {7, 5, 3, 5, 3, 2, 1},
		{1, 1, 8, 3, 2, 1, 1},    {20, 3, 16, 3, 2, 0, 0},  {10, 10, 9, 2, 3, 0, 0},
	};
	return (maxpool_shape){.in_h = t[k][0], .in_w = t[k][1], .c = t[k][2],
	                       .kernel = t[k][3], .stride = t[k][4], .pad = t[k][5],
	                       .out_h = maxpool_out_size(t[k][0], t[k][3], t[k][4], t[k][5],
	                                                 t[k][6] == 1),
	                       .out_w = maxpool_out_size(t[k][1], t[k][3], t[k][4], t[k][5],
	                                                 t[k][6] == 1)};
}

/* Values on a coarse grid, so that windows have ties. */
static float *tied_floats(size_t n, uint64_t seed)
{
	float *x = random_floats(n, seed);
	for (size_t i = 0; i < n; i++)
		x[i] = roundf(x[i] * 2) / 2 - 3;
	return x;
}

static void out_size_follows_pytorch(void **state)
{
	/* torch.nn.MaxPool2d: (in, kernel, stride, pad) -> floor, ceil */
	static const size_t t[][6] = {
		{112, 3, 2, 1, 56, 57}, {321, 3, 2, 1, 161, 161}, {161, 3, 2, 1, 81, 81},
		{6, 2, 2, 0, 3, 3},     {7, 2, 2, 0, 3, 4},       {1, 3, 2, 1, 1, 1},
		{5, 2, 3, 1, 2, 2},     {2, 2, 2, 1, 2, 2},       {4, 2, 4, 0, 1, 1},
		{3, 2, 4, 1, 1, 1},     {1, 2, 2, 0, 0, 0},
	};
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		assert_int_equal(maxpool_out_size(t[i][0], t[i][1], t[i][2], t[i][3], false),
		                 t[i][4]);
		assert_int_equal(maxpool_out_size(t[i][0], t[i][1], t[i][2], t[i][3], true),
		                 t[i][5]);
	}
}

static void matches_reference_for_any_threads(void **state)
{
	for (size_t k = 0; k < SHAPES; k++) {
		maxpool_shape s = shape_of(k);
		size_t in = s.in_h * s.in_w * s.c, out = s.out_h * s.out_w * s.c;
		assert_true(out > 0);
		float *x = tied_floats(in, k), *dy = random_floats(out, 50 + k);
		float *want = floats(out), *got = floats(out);
		float *want_dx = floats(in), *got_dx = floats(in);
		uint8_t *want_tap = test_malloc(out), *got_tap = test_malloc(out);
		maxpool_forward_reference(&s, x, want, want_tap);
		for (size_t threads = 1; threads <= 4; threads++) {
			pool *p = new_pool(threads);
			memset(got, 1, out * sizeof *got);
			maxpool_forward(&s, x, got, got_tap, p);
			assert_memory_equal(got, want, out * sizeof *got);
			assert_memory_equal(got_tap, want_tap, out);
			memset(got, 1, out * sizeof *got);
			maxpool_forward(&s, x, got, NULL, p);
			assert_memory_equal(got, want, out * sizeof *got);
			for (size_t i = 0; i < in; i++)
				want_dx[i] = got_dx[i] = x[i];
			bool accumulate = threads % 2 == 0;
			maxpool_backward_reference(&s, dy, want_tap, want_dx, accumulate);
			maxpool_backward(&s, dy, got_tap, got_dx, accumulate, p);
			assert_close(got_dx, want_dx, in, 1e-6);
			pool_free(p);
		}
		float *all[] = {x, dy, want, got, want_dx, got_dx};
		for (size_t i = 0; i < 6; i++)
			mem_free(all[i]);
		test_free(want_tap);
		test_free(got_tap);
	}
}

/* Distinct values: a small step moves no maximum, so the difference is the derivative. */
static void backward_is_the_derivative(void **state)
{
	pool *p = new_pool(1);
	for (size_t k = 0; k < SHAPES; k++) {
		maxpool_shape s = shape_of(k);
		size_t in = s.in_h * s.in_w * s.c, out = s.out_h * s.out_w * s.c;
		float *x = floats(in), *v = random_floats(in, k), *dy = random_floats(out, k + 9);
		float *up = floats(out), *down = floats(out), *dx = floats(in), *at = floats(in);
		uint32_t *order = test_malloc(in * sizeof *order);
		uint8_t *tap = test_malloc(out);
		rng_permutation(k, RNG_TEST, 0, (uint32_t)in, order);
		for (size_t i = 0; i < in; i++)
			x[i] = (float)order[i];
		const float h = 1.0f / 64;
		maxpool_forward(&s, x, up, tap, p);
		maxpool_backward(&s, dy, tap, dx, false, p);
		for (size_t i = 0; i < in; i++)
			at[i] = x[i] + h * v[i];
		maxpool_forward_reference(&s, at, up, NULL);
		for (size_t i = 0; i < in; i++)
			at[i] = x[i] - h * v[i];
		maxpool_forward_reference(&s, at, down, NULL);
		double slope = (dot_product(dy, up, out) - dot_product(dy, down, out)) / (2.0 * h);
		assert_near(slope, dot_product(dx, v, in), 0.05 * sqrt((double)out));
		float *all[] = {x, v, dy, up, down, dx, at};
		for (size_t i = 0; i < 7; i++)
			mem_free(all[i]);
		test_free(order);
		test_free(tap);
	}
	pool_free(p);
}

static void nan_wins_and_infinity_is_a_value(void **state)
{
	maxpool_shape s = {.in_h = 2, .in_w = 2, .c = 3, .out_h = 1, .out_w = 1, .kernel = 2,
	                   .stride = 2};
	const float x[12] = {1, -INFINITY, 5,        NAN, -INFINITY, 2,
	                     3, -INFINITY, INFINITY, 9,   -INFINITY, 1};
	float y[3];
	uint8_t tap[3];
	pool *p = new_pool(1);
	maxpool_forward(&s, x, y, tap, p);
	assert_true(isnan(y[0]));
	assert_int_equal(tap[0], 1);
	assert_true(isinf(y[1]) && y[1] < 0);
	assert_int_equal(tap[1], 0);
	assert_true(isinf(y[2]) && y[2] > 0);
	assert_int_equal(tap[2], 2);
	pool_free(p);
}

/* torch.nn.functional.max_pool2d on inputs with ties (golden/make_ops_misc.py). */
static void matches_pytorch(void **state)
{
	golden_file g;
	golden_open(TEST_GOLDEN "/ops_misc.bin", &g);
	const golden_tensor *list = golden_find(&g, "maxpool");
	assert_non_null(list);
	pool *p = new_pool(2);
	for (size_t i = 0; i < list->dim[0]; i++) {
		const int32_t *t = list->i32 + 7 * i;
		maxpool_shape s = {.in_h = (size_t)t[0], .in_w = (size_t)t[1], .c = (size_t)t[2],
		                   .kernel = (size_t)t[3], .stride = (size_t)t[4],
		                   .pad = (size_t)t[5]};
		s.out_h = maxpool_out_size(s.in_h, s.kernel, s.stride, s.pad, t[6] == 1);
		s.out_w = maxpool_out_size(s.in_w, s.kernel, s.stride, s.pad, t[6] == 1);
		const size_t in = s.in_h * s.in_w * s.c, out = s.out_h * s.out_w * s.c;
		float *y = floats(out), *dx = floats(in);
		uint8_t *tap = test_malloc(out);
		maxpool_forward(&s, golden_f32(&g, in, "mp_x%zu", i), y, tap, p);
		assert_memory_equal(y, golden_f32(&g, out, "mp_y%zu", i), out * sizeof *y);
		maxpool_backward(&s, golden_f32(&g, out, "mp_dy%zu", i), tap, dx, false, p);
		assert_close(dx, golden_f32(&g, in, "mp_dx%zu", i), in, 1e-6);
		mem_free(y);
		mem_free(dx);
		test_free(tap);
	}
	pool_free(p);
	golden_close(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(out_size_follows_pytorch),
		cmocka_unit_test(matches_reference_for_any_threads),
		cmocka_unit_test(backward_is_the_derivative),
		cmocka_unit_test(nan_wins_and_infinity_is_a_value),
		cmocka_unit_test(matches_pytorch),
	};
	return cmocka_run_group_tests_name("maxpool", tests, NULL, NULL);
}
