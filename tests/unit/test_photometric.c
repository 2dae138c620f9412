/* photometric: colours and blur of a sample, inside the picture only. */
#include "harness.h"

#include "data/photometric.h"

enum { H = 9, W = 14, LEFT = 2, PICTURE_H = 7, PICTURE_W = 10, VALUES = H * W * 3 };

static const photometric_spec always = {1.0, 0.25, 1.0, 0.15, 1.15};

/* A normalised picture with 0 around it. */
static float *picture(void)
{
	float *v = floats(VALUES);
	for (size_t y = 0; y < PICTURE_H; y++)
		for (size_t x = LEFT; x < LEFT + PICTURE_W; x++)
			for (size_t k = 0; k < 3; k++) {
				double c = rng_uniform(3, RNG_TEST, (y * W + x) * 3 + k);
				v[(y * W + x) * 3 + k] = (float)(0.2 + 0.5 * c - INPUT_NORM_IMAGENET.mean[k]) /
				                         INPUT_NORM_IMAGENET.std[k];
			}
	return v;
}

static float *applied(const photometric_draw *d)
{
	float *v = picture(), *scratch = floats(VALUES);
	photometric_apply(d, &INPUT_NORM_IMAGENET, W, LEFT, PICTURE_H, PICTURE_W, v, scratch);
	mem_free(scratch);
	return v;
}

static const photometric_draw neutral = {
	.jitter = true, .brightness = 1, .contrast = 1, .saturation = 1};

static double colour(const float *v, size_t y, size_t x, size_t k)
{
	return (double)(v[(y * W + x) * 3 + k] * INPUT_NORM_IMAGENET.std[k] + INPUT_NORM_IMAGENET.mean[k]);
}

static void neutral_changes_nothing(void **state)
{
	photometric_draw off = neutral;
	off.jitter = false;
	float *before = picture(), *same = applied(&neutral), *untouched = applied(&off);
	/* YIQ there and back is exact to about a thousandth of the range. */
	assert_close(same, before, VALUES, 0.02);
	assert_memory_equal(untouched, before, VALUES * sizeof(float));
	mem_free(before);
	mem_free(same);
	mem_free(untouched);
}

static void brightness_scales(void **state)
{
	photometric_draw d = neutral;
	d.brightness = 1.2f;
	float *before = picture(), *after = applied(&d);
	for (size_t k = 0; k < 3; k++)
		assert_near(colour(after, 3, 6, k), 1.2 * colour(before, 3, 6, k), 5e-3);
	mem_free(before);
	mem_free(after);
}

static void without_saturation_it_is_grey(void **state)
{
	photometric_draw d = neutral;
	d.saturation = 0.0f;
	float *after = applied(&d);
	assert_near(colour(after, 2, 5, 0), colour(after, 2, 5, 1), 2e-3);
	assert_near(colour(after, 2, 5, 1), colour(after, 2, 5, 2), 2e-3);
	mem_free(after);
}

static void without_contrast_it_is_the_mean(void **state)
{
	photometric_draw d = neutral;
	d.contrast = 0.0f;
	float *after = applied(&d);
	assert_near(colour(after, 0, LEFT, 1), colour(after, 6, 11, 1), 1e-5);
	mem_free(after);
}

/* A third of a turn moves colour but keeps brightness. */
static void hue_keeps_luma(void **state)
{
	photometric_draw d = neutral;
	d.hue = 0.3f;
	float *before = picture(), *after = applied(&d);
	double l0 = 0, l1 = 0, moved = 0;
	static const double weight[3] = {0.299, 0.587, 0.114};
	for (size_t k = 0; k < 3; k++) {
		l0 += weight[k] * colour(before, 4, 7, k);
		l1 += weight[k] * colour(after, 4, 7, k);
		moved = fmax(moved, fabs(colour(after, 4, 7, k) - colour(before, 4, 7, k)));
	}
	assert_near(l1, l0, 5e-3);
	assert_true(moved > 0.01);
	mem_free(before);
	mem_free(after);
}

static void blur_keeps_the_mean_and_smooths(void **state)
{
	photometric_draw d = {.blur = true, .sigma = 1.0f};
	float *before = picture(), *after = applied(&d);
	double rough0 = 0, rough1 = 0;
	for (size_t y = 0; y < PICTURE_H; y++)
		for (size_t x = LEFT; x + 1 < LEFT + PICTURE_W; x++) {
			rough0 += fabs(colour(before, y, x + 1, 0) - colour(before, y, x, 0));
			rough1 += fabs(colour(after, y, x + 1, 0) - colour(after, y, x, 0));
		}
	assert_true(rough1 < 0.6 * rough0);
	mem_free(before);
	mem_free(after);
	/* A picture of one colour stays so, up to its borders. */
	float *flat = floats(VALUES), *scratch = floats(VALUES);
	for (size_t i = 0; i < VALUES; i++)
		flat[i] = 0.5f;
	photometric_apply(&d, &INPUT_NORM_IMAGENET, W, 0, H, W, flat, scratch);
	for (size_t i = 0; i < VALUES; i++)
		assert_near((double)flat[i], 0.5, 1e-6);
	mem_free(flat);
	mem_free(scratch);
}

static void padding_stays(void **state)
{
	for (size_t slot = 0; slot < 8; slot++) {
		photometric_draw d = photometric_choose(&always, 1, 5, slot);
		float *after = applied(&d);
		for (size_t y = 0; y < H; y++)
			for (size_t x = 0; x < W; x++)
				if (y >= PICTURE_H || x < LEFT || x >= LEFT + PICTURE_W)
					assert_true(after[(y * W + x) * 3] == 0.0f);
		mem_free(after);
	}
}

static void draws_follow_the_ranges(void **state)
{
	photometric_spec some = {0.8, 0.25, 0.5, 0.15, 1.15};
	size_t jitters = 0, blurs = 0;
	for (size_t i = 0; i < 2000; i++) {
		photometric_draw d = photometric_choose(&some, 7, i / 4, i % 4);
		photometric_draw again = photometric_choose(&some, 7, i / 4, i % 4);
		assert_true(d.brightness == again.brightness && d.sigma == again.sigma);
		jitters += d.jitter;
		blurs += d.blur;
		assert_true(d.brightness >= 0.75f && d.brightness <= 1.25f);
		assert_true(d.contrast >= 0.75f && d.contrast <= 1.25f);
		assert_true(d.saturation >= 0.75f && d.saturation <= 1.25f);
		assert_true(d.sigma >= 0.15f && d.sigma <= 1.15f && fabsf(d.hue) <= 0.4f);
	}
	assert_near((double)jitters / 2000, 0.8, 0.04);
	assert_near((double)blurs / 2000, 0.5, 0.05);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(neutral_changes_nothing),
		cmocka_unit_test(brightness_scales),
		cmocka_unit_test(without_saturation_it_is_grey),
		cmocka_unit_test(without_contrast_it_is_the_mean),
		cmocka_unit_test(hue_keeps_luma),
		cmocka_unit_test(blur_keeps_the_mean_and_smooths),
		cmocka_unit_test(padding_stays),
		cmocka_unit_test(draws_follow_the_ranges),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
