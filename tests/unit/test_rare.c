/* rare: classes drawn by rarity, images that show them. */
#include "harness.h"

#include "train/rare.h"

enum { IMAGES = 5, CLASSES = 4, DRAWS = 20000 };

/* Class 0 everywhere, 1 in two images, 2 as a speck in one, 3 nowhere. */
static const uint64_t pixels[IMAGES * CLASSES] = {
	9000, 1000, 0, 0, /* */
	10000, 0, 0, 0,   /* */
	5000, 5000, 0, 0, /* */
	9999, 0, 1, 0,    /* */
	10000, 0, 0, 0,
};

static rare_sampler *make(double temperature)
{
	rare_sampler *s;
	assert_ok(rare_create(pixels, IMAGES, CLASSES, temperature, &s, err));
	return s;
}

static void classes_come_as_often_as_the_formula_says(void **state)
{
	rare_sampler *s = make(0.5);
	double share[3] = {43999.0 / 50000, 6000.0 / 50000, 1.0 / 50000}, p[3], sum = 0;
	size_t count[CLASSES] = {0};
	for (size_t k = 0; k < 3; k++)
		sum += p[k] = exp((1 - share[k]) / 0.5);
	for (uint64_t i = 0; i < DRAWS; i++) {
		uint8_t k;
		uint32_t image;
		rare_at(s, 4, i, &k, &image);
		count[k]++;
		assert_true(pixels[image * CLASSES + k] > 0);
	}
	for (size_t k = 0; k < 3; k++)
		assert_near((double)count[k] / DRAWS, p[k] / sum, 0.02);
	assert_int_equal(count[3], 0);
	rare_free(s);
}

static void images_of_a_class_come_equally_often(void **state)
{
	rare_sampler *s = make(0.05);
	size_t count[IMAGES] = {0}, n = 0;
	for (uint64_t i = 0; i < DRAWS; i++) {
		uint8_t k;
		uint32_t image;
		rare_at(s, 4, i, &k, &image);
		if (k == 1) {
			count[image]++;
			n++;
		} else if (k == 2) {
			assert_int_equal(image, 3);
		}
	}
	assert_near((double)count[0] / (double)n, 0.5, 0.03);
	assert_int_equal(count[0] + count[2], n);
	rare_free(s);
}

static void nothing_to_draw_from_is_refused(void **state)
{
	uint64_t none[CLASSES] = {0};
	rare_sampler *s;
	assert_int_equal(rare_create(none, 1, CLASSES, 0.1, &s, NULL), TP_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classes_come_as_often_as_the_formula_says),
		cmocka_unit_test(images_of_a_class_come_equally_often),
		cmocka_unit_test(nothing_to_draw_from_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
