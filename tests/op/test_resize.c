#include "harness.h"

#include "golden.h"
#include "op/resize.h"

/* c, in_h, in_w, out_h, out_w: enlarging, shrinking, mixed, single rows and columns, equal sizes,
 * more columns than one block of the fast version. */
static const size_t shape_table[][5] = {
	{3, 5, 7, 17, 29}, {2, 17, 29, 5, 7}, {1, 9, 4, 3, 40},   {4, 1, 1, 6, 5}, {2, 6, 5, 1, 1},
	{5, 1, 8, 9, 1},   {3, 8, 9, 8, 9},   {1, 3, 21, 4, 1200}, {1, 2, 700, 3, 40},
	{70, 2, 3, 5, 4},  {1, 90, 2, 200, 3},
};
enum { SHAPES = sizeof shape_table / sizeof *shape_table };

static resize_shape shape_of(size_t k)
{
	const size_t *t = shape_table[k / 2];
	return (resize_shape){t[0], t[1], t[2], t[3], t[4], k % 2 == 0};
}

static void matches_reference_for_any_threads(void **state)
{
	for (size_t k = 0; k < 2 * SHAPES; k++) {
		resize_shape s = shape_of(k);
		size_t in = s.c * s.in_h * s.in_w, out = s.c * s.out_h * s.out_w;
		float *x = random_floats(in, k), *dy = random_floats(out, k + 90);
		float *want = floats(out), *got = floats(out), *first = floats(out);
		float *want_dx = floats(in), *got_dx = floats(in), *first_dx = floats(in);
		resize_forward_reference(&s, x, want);
		resize_backward_reference(&s, dy, want_dx);
		for (size_t threads = 1; threads <= 4; threads++) {
			pool *p = new_pool(threads);
			memset(got, 1, out * sizeof *got);
			memset(got_dx, 1, in * sizeof *got_dx);
			resize_forward(&s, x, got, p);
			resize_backward(&s, dy, got_dx, p);
			if (threads == 1) {
				memcpy(first, got, out * sizeof *got);
				memcpy(first_dx, got_dx, in * sizeof *got_dx);
			}
			assert_memory_equal(got, first, out * sizeof *got);
			assert_memory_equal(got_dx, first_dx, in * sizeof *got_dx);
			pool_free(p);
		}
		assert_close(got, want, out, 2e-6);
		assert_close(got_dx, want_dx, in, 3e-6);
		/* The map is linear, so its adjoint is its derivative. */
		assert_near(dot_product(dy, got, out), dot_product(got_dx, x, in),
		            1e-5 * sqrt((double)(in + out)));
		float *all[] = {x, dy, want, got, first, want_dx, got_dx, first_dx};
		for (size_t i = 0; i < 8; i++)
			mem_free(all[i]);
	}
}

static void equal_size_copies_and_corners_align(void **state)
{
	pool *p = new_pool(2);
	for (size_t k = 0; k < 2 * SHAPES; k++) {
		resize_shape s = shape_of(k);
		size_t out = s.c * s.out_h * s.out_w;
		float *x = random_floats(s.c * s.in_h * s.in_w, k), *y = floats(out);
		resize_forward(&s, x, y, p);
		if (s.in_h == s.out_h && s.in_w == s.out_w)
			assert_memory_equal(x, y, out * sizeof *x);
		if (s.align_corners && s.out_h > 1 && s.out_w > 1)
			assert_true(y[s.out_h * s.out_w - 1] == x[s.in_h * s.in_w - 1]);
		if (s.align_corners)
			assert_true(y[0] == x[0]);
		mem_free(x);
		mem_free(y);
	}
	pool_free(p);
}

/* Sizes at which a float coordinate would already be off by whole pixels' fractions. */
static void coordinates_are_exact(void **state)
{
	pool *p = new_pool(1);
	resize_shape s = {.c = 1, .in_h = 1, .in_w = 8193, .out_h = 1, .out_w = 16385,
	                  .align_corners = true};
	float *x = floats(s.in_w), *y = floats(s.out_w);
	for (size_t i = 0; i < s.in_w; i++)
		x[i] = (float)i;
	resize_forward(&s, x, y, p);
	for (size_t i = 0; i < s.out_w; i++)
		assert_true(y[i] == (float)i / 2);
	mem_free(x);
	mem_free(y);
	pool_free(p);
}

static void layouts_turn_there_and_back(void **state)
{
	static const size_t t[][2] = {{1, 1}, {1000, 19}, {33, 70}, {513, 3}, {7, 256}};
	for (size_t k = 0; k < sizeof t / sizeof *t; k++) {
		const size_t pixels = t[k][0], c = t[k][1], n = pixels * c;
		pool *p = new_pool(1 + k % 3);
		float *x = random_floats(n, k), *planar = floats(n), *back = floats(n);
		to_planar(x, pixels, c, planar, p);
		for (size_t i = 0; i < n; i++)
			assert_true(planar[i % c * pixels + i / c] == x[i]);
		to_pixels(planar, pixels, c, back, p);
		assert_memory_equal(back, x, n * sizeof *x);
		mem_free(x);
		mem_free(planar);
		mem_free(back);
		pool_free(p);
	}
}

/* torch.nn.functional.interpolate, bilinear (golden/make_ops_misc.py); its coordinates are rounded
 * to floats, hence the wider limit. */
static void matches_pytorch(void **state)
{
	golden_file g;
	golden_open(TEST_GOLDEN "/ops_misc.bin", &g);
	const golden_tensor *list = golden_find(&g, "resize");
	assert_non_null(list);
	pool *p = new_pool(2);
	for (size_t i = 0; i < list->dim[0]; i++) {
		const int32_t *t = list->i32 + 6 * i;
		resize_shape s = {.c = (size_t)t[0], .in_h = (size_t)t[1], .in_w = (size_t)t[2],
		                  .out_h = (size_t)t[3], .out_w = (size_t)t[4],
		                  .align_corners = t[5] == 1};
		const size_t in = s.c * s.in_h * s.in_w, out = s.c * s.out_h * s.out_w;
		float *y = floats(out), *dx = floats(in);
		resize_forward(&s, golden_f32(&g, in, "rs_x%zu", i), y, p);
		assert_close(y, golden_f32(&g, out, "rs_y%zu", i), out, 2e-5);
		resize_backward(&s, golden_f32(&g, out, "rs_dy%zu", i), dx, p);
		assert_close(dx, golden_f32(&g, in, "rs_dx%zu", i), in, 2e-5);
		mem_free(y);
		mem_free(dx);
	}
	pool_free(p);
	golden_close(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches_reference_for_any_threads),
		cmocka_unit_test(equal_size_copies_and_corners_align),
		cmocka_unit_test(coordinates_are_exact),
		cmocka_unit_test(layouts_turn_there_and_back),
		cmocka_unit_test(matches_pytorch),
	};
	return cmocka_run_group_tests_name("resize", tests, NULL, NULL);
}
