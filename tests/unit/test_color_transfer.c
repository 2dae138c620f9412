/* color_transfer: means and deviations by hand. */
#include "harness.h"

#include <math.h>

#include "data/color_transfer.h"

enum { W = 40, H = 30, PIXELS = W * H };

static image picture(uint64_t seed, uint64_t low, uint64_t range)
{
	image img = {.w = W, .h = H, .rgb = malloc(PIXELS * 3)};
	assert_non_null(img.rgb);
	for (size_t i = 0; i < PIXELS * 3; i++)
		img.rgb[i] = (uint8_t)(low + 10 * (i % 3) + rng_below(seed, RNG_TEST, i, range));
	return img;
}

static void moments(const image *img, size_t k, double *mean, double *deviation)
{
	double sum = 0, square = 0;
	for (size_t i = 0; i < PIXELS; i++) {
		double v = img->rgb[3 * i + k];
		sum += v / PIXELS;
		square += v * v / PIXELS;
	}
	*mean = sum;
	*deviation = sqrt(fmax(square - sum * sum, 0));
}

static void each_channel_takes_mean_and_deviation(void **state)
{
	(void)state;
	image img = picture(1, 100, 60), look = picture(2, 40, 120);
	color_transfer(&img, &look);
	for (size_t k = 0; k < 3; k++) {
		double mean, deviation, want_mean, want_deviation;
		moments(&img, k, &mean, &deviation);
		moments(&look, k, &want_mean, &want_deviation);
		assert_near(mean, want_mean, 0.1); /* rounded to whole numbers */
		assert_near(deviation, want_deviation, 0.3);
	}
	image_done(&img);
	image_done(&look);
}

static void its_own_colours_change_nothing(void **state)
{
	(void)state;
	image img = picture(3, 0, 236), same = picture(3, 0, 236);
	color_transfer(&img, &same);
	assert_memory_equal(img.rgb, same.rgb, PIXELS * 3);
	image_done(&img);
	image_done(&same);
}

static void what_leaves_the_range_is_clipped(void **state)
{
	(void)state;
	image img = picture(4, 0, 200), bright = picture(5, 180, 50);
	memset(img.rgb, 0, PIXELS * 3);
	img.rgb[0] = img.rgb[1] = img.rgb[2] = 255; /* one spark: far above the mean */
	color_transfer(&img, &bright);
	assert_true(img.rgb[0] == 255 && img.rgb[3] >= 200);
	image_done(&img);
	image_done(&bright);
}

static void a_plain_picture_only_moves(void **state)
{
	(void)state;
	image img = picture(6, 0, 9), look = picture(7, 90, 60);
	memset(img.rgb, 77, PIXELS * 3);
	color_transfer(&img, &look);
	double mean, deviation, want, none;
	moments(&img, 1, &mean, &deviation);
	moments(&look, 1, &want, &none);
	assert_near(mean, want, 0.5);
	assert_near(deviation, 0, 1e-4);
	image_done(&img);
	image_done(&look);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_channel_takes_mean_and_deviation),
		cmocka_unit_test(its_own_colours_change_nothing),
		cmocka_unit_test(what_leaves_the_range_is_clipped),
		cmocka_unit_test(a_plain_picture_only_moves),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
