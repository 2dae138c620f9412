/* augment: geometry drawn (statistics, mining, purity) and applied (exact against the definition).
 */
#include "harness.h"

#include "data/augment.h"

enum { H = 30, W = 44, NONE = 255 };

static uint8_t *random_label(size_t pixels, uint64_t classes)
{
	uint8_t *v = malloc(pixels);
	assert_non_null(v);
	for (size_t i = 0; i < pixels; i++) {
		uint64_t c = rng_below(3, RNG_TEST, i, classes + 1);
		v[i] = (uint8_t)(c == classes ? NONE : c);
	}
	return v;
}

static image random_image(void)
{
	image img = {.w = W, .h = H, .rgb = malloc(W * H * 3)};
	assert_non_null(img.rgb);
	for (size_t i = 0; i < W * H * 3; i++)
		img.rgb[i] = (uint8_t)rng_u64(5, RNG_TEST, i);
	return img;
}

static float normalised(uint8_t v, size_t c)
{
	return (v / 255.0f - INPUT_NORM_IMAGENET.mean[c]) / INPUT_NORM_IMAGENET.std[c];
}

/* At scale 1 the crop is the image's own pixels, and 0 or NONE where it is larger than the image.
 */
static void scale_one_copies_pixels(void **state)
{
	image img = random_image();
	uint8_t *label = random_label(W * H, 7);
	const size_t crop[][2] = {{20, 30}, {H, W}, {40, 50}, {10, 60}};
	for (size_t k = 0; k < 4; k++) {
		augment_spec spec = {.crop_h = crop[k][0],
		                     .crop_w = crop[k][1],
		                     .scale_low = 1,
		                     .scale_high = 1,
		                     .mirror = true};
		size_t pixels = spec.crop_h * spec.crop_w;
		float *input = floats(pixels * 3);
		uint8_t *out = malloc(pixels);
		for (uint64_t step = 0; step < 20; step++) {
			augment_draw d = augment_choose(&spec, 1, step, 0, H, W, NULL);
			augment_image(&spec, &d, &img, &INPUT_NORM_IMAGENET, input);
			augment_label(&spec, &d, label, H, W, out);
			for (size_t i = 0; i < pixels; i++) {
				size_t y = d.top + i / spec.crop_w, x = i % spec.crop_w;
				x = d.left + (d.mirror ? spec.crop_w - 1 - x : x);
				bool in = y < H && x < W;
				assert_int_equal(out[i], in ? label[y * W + x] : NONE);
				for (size_t c = 0; c < 3; c++)
					assert_near(input[i * 3 + c],
					            in ? normalised(img.rgb[(y * W + x) * 3 + c], c)
					               : 0.0f,
					            2e-6);
			}
		}
		mem_free(input);
		free(out);
	}
	free(label);
	image_done(&img);
}

/* At any scale the crop equals the same window cut from the wholly resized image. */
static void crop_equals_cut_of_whole(void **state)
{
	image img = random_image();
	uint8_t *label = random_label(W * H, 7);
	uint16_t weight[W * H];
	for (size_t i = 0; i < W * H; i++)
		weight[i] = (uint16_t)rng_u64(9, RNG_TEST, i);
	augment_spec spec = {
		.crop_h = 24, .crop_w = 36, .scale_low = 0.5, .scale_high = 1.5, .mirror = true};
	float *input = floats(24 * 36 * 3), *w = floats(24 * 36);
	uint8_t out[24 * 36];
	for (uint64_t step = 0; step < 60; step++) {
		augment_draw d = augment_choose(&spec, 2, step, 1, H, W, NULL);
		assert_int_equal(d.scaled_h, lrint(H * d.scale));
		assert_int_equal(d.scaled_w, lrint(W * d.scale));
		float *whole = floats(d.scaled_h * d.scaled_w * 3);
		image_to_input(&img, &INPUT_NORM_IMAGENET, d.scaled_h, d.scaled_w, false, whole,
		               NULL);
		augment_image(&spec, &d, &img, &INPUT_NORM_IMAGENET, input);
		augment_label(&spec, &d, label, H, W, out);
		augment_weight(&spec, &d, weight, H, W, w);
		for (size_t i = 0; i < 24 * 36; i++) {
			size_t y = d.top + i / 36, x = i % 36;
			x = d.left + (d.mirror ? 35 - x : x);
			if (y >= d.scaled_h || x >= d.scaled_w) {
				assert_int_equal(out[i], NONE);
				assert_true(w[i] == 0 && input[i * 3] == 0 &&
				            input[i * 3 + 2] == 0);
				continue;
			}
			size_t source = y * H / d.scaled_h * W + x * W / d.scaled_w;
			assert_int_equal(out[i], label[source]);
			assert_near(w[i], weight[source] / 65535.0, 1e-7);
			assert_memory_equal(input + i * 3, whole + (y * d.scaled_w + x) * 3,
			                    3 * sizeof(float));
		}
		mem_free(whole);
	}
	mem_free(input);
	mem_free(w);
	free(label);
	image_done(&img);
}

/* |count - n p| within 5 standard deviations. */
static void assert_share(size_t count, size_t n, double p)
{
	double sigma = sqrt((double)n * p * (1 - p));
	assert_near((double)count, (double)n * p, 5 * sigma);
}

static void draws_are_uniform(void **state)
{
	enum { N = 22000 };
	augment_spec spec = {
		.crop_h = 10, .crop_w = 14, .scale_low = 0.5, .scale_high = 1.5, .mirror = true};
	size_t scale[11] = {0}, mirror = 0, top[36] = {0}, tops = 0, left_end = 0, right_end = 0;
	for (uint64_t i = 0; i < N; i++) {
		augment_draw d = augment_choose(&spec, 7, i / 2, i % 2, H, W, NULL);
		double tenth = (d.scale - 0.5) * 10;
		assert_near(tenth, rint(tenth), 1e-9);
		scale[(size_t)rint(tenth)]++;
		mirror += d.mirror;
		assert_true(d.top + 10 <= d.scaled_h && d.left + 14 <= d.scaled_w);
		if (d.scaled_h == 45) {
			top[d.top]++;
			tops++;
			left_end += d.left == 0;
			right_end += d.left == 66 - 14;
		}
	}
	for (size_t k = 0; k < 11; k++)
		assert_share(scale[k], N, 1.0 / 11);
	assert_share(mirror, N, 0.5);
	for (size_t k = 0; k < 36; k++)
		assert_share(top[k], tops, 1.0 / 36);
	assert_true(left_end > 0 && right_end > 0);
	/* 0.5, 0.6, 0.7, 0.8: tenths that do not divide exactly still count. */
	spec.scale_high = 0.8;
	bool seen = false;
	for (uint64_t i = 0; i < 200; i++)
		seen = seen || augment_choose(&spec, 7, i, 0, H, W, NULL).scale > 0.75;
	assert_true(seen);
}

static void draws_are_pure(void **state)
{
	augment_spec spec = {
		.crop_h = 10, .crop_w = 14, .scale_low = 0.5, .scale_high = 1.5, .mirror = true};
	size_t same = 0;
	augment_draw before = augment_choose(&spec, 4, 1, 0, H, W, NULL);
	for (uint64_t step = 0; step < 50; step++) {
		for (size_t slot = 0; slot < 4; slot++) {
			augment_draw a = augment_choose(&spec, 4, step, slot, H, W, NULL);
			augment_draw b = augment_choose(&spec, 4, step, slot, H, W, NULL);
			assert_memory_equal(&a.top, &b.top, 2 * sizeof(size_t));
			assert_true(a.scale == b.scale && a.mirror == b.mirror);
			same += a.top == before.top && a.left == before.left &&
			        a.scale == before.scale;
			before = a;
		}
	}
	assert_true(same < 10);
}

/* The label as it is after nearest scaling. */
static uint8_t scaled_at(const uint8_t *label, const augment_draw *d, size_t y, size_t x)
{
	return label[y * H / d->scaled_h * W + x * W / d->scaled_w];
}

/* Crops of one pixel show which pixel was chosen: always of a mined class, classes equally often,
 * and each scaled pixel of a class equally often. */
static void mining_is_uniform_over_classes_and_pixels(void **state)
{
	enum { N = 30000 };
	uint8_t label[H * W];
	memset(label, 0, sizeof label);
	for (size_t i = 0; i < 200; i++)
		label[i] = 4;
	label[17 * W + 21] = 5;
	label[18 * W + 21] = 5;
	label[29 * W + 43] = 6;            /* not mined */
	const uint8_t rare[3] = {5, 4, 9}; /* 9 is not there */
	augment_spec spec = {.crop_h = 1,
	                     .crop_w = 1,
	                     .scale_low = 1.0,
	                     .scale_high = 1.3,
	                     .mine_chance = 1.0,
	                     .mine_id = rare,
	                     .mine_ids = 3};
	size_t four = 0, five = 0, where[H * 2][W * 2] = {{0}}, fives = 0;
	for (uint64_t i = 0; i < N; i++) {
		augment_draw d = augment_choose(&spec, 11, i, 3, H, W, label);
		uint8_t c = scaled_at(label, &d, d.top, d.left);
		four += c == 4;
		five += c == 5;
		if (c == 5 && d.scaled_h == 39) {
			where[d.top][d.left]++;
			fives++;
		}
	}
	assert_int_equal(four + five, N);
	assert_share(four, N, 0.5);
	size_t places = 0;
	augment_draw d = {.scaled_h = 39, .scaled_w = 57};
	for (size_t y = 0; y < 39; y++)
		for (size_t x = 0; x < 57; x++)
			places += scaled_at(label, &d, y, x) == 5;
	assert_true(places >= 2);
	for (size_t y = 0; y < 39; y++)
		for (size_t x = 0; x < 57; x++)
			if (scaled_at(label, &d, y, x) == 5)
				assert_share(where[y][x], fives, 1.0 / (double)places);
}

/* A class that vanishes in the scaled label cannot be mined; the crop is then uniform. */
static void vanished_classes_are_not_mined(void **state)
{
	uint8_t label[H * W];
	memset(label, 0, sizeof label);
	label[1 * W + 1] = 5; /* at scale 0.5 only even rows and columns stay */
	const uint8_t rare[1] = {5};
	augment_spec spec = {.crop_h = 1,
	                     .crop_w = 1,
	                     .scale_low = 0.5,
	                     .scale_high = 0.5,
	                     .mine_chance = 1.0,
	                     .mine_id = rare,
	                     .mine_ids = 1};
	size_t last = 0;
	for (uint64_t i = 0; i < 2000; i++)
		last += augment_choose(&spec, 1, i, 0, H, W, label).top == 14;
	assert_share(last, 2000, 1.0 / 15);
}

static void mined_crops_are_centred_and_clamped(void **state)
{
	uint8_t label[H * W];
	const uint8_t rare[1] = {5};
	augment_spec spec = {.crop_h = 10,
	                     .crop_w = 14,
	                     .scale_low = 1,
	                     .scale_high = 1,
	                     .mine_chance = 1.0,
	                     .mine_id = rare,
	                     .mine_ids = 1};
	const struct {
		size_t y, x, top, left;
	} row[] = {{15, 20, 10, 13}, {2, 3, 0, 0}, {29, 43, 20, 30}, {5, 43, 0, 30}};
	for (size_t k = 0; k < 4; k++) {
		memset(label, 0, sizeof label);
		label[row[k].y * W + row[k].x] = 5;
		augment_draw d = augment_choose(&spec, 1, k, 0, H, W, label);
		assert_int_equal(d.top, row[k].top);
		assert_int_equal(d.left, row[k].left);
	}
	/* Mined with the stated chance only. */
	spec.mine_chance = 0.8;
	size_t hits = 0;
	memset(label, 0, sizeof label);
	label[15 * W + 20] = 5;
	for (uint64_t i = 0; i < 5000; i++) {
		augment_draw d = augment_choose(&spec, 1, i, 0, H, W, label);
		hits += d.top == 10 && d.left == 13;
	}
	assert_share(hits, 5000, 0.8 + 0.2 / (21 * 31));
	/* A crop larger than the image has one place only. */
	spec.crop_h = 64;
	spec.crop_w = 64;
	augment_draw d = augment_choose(&spec, 1, 0, 0, H, W, label);
	assert_int_equal(d.top + d.left, 0);
}

/* Soft labels sum to 1, or to 0 where no selected pixel is near. */
static void soft_labels_are_renormalised(void **state)
{
	enum { K = 4 };
	float *soft = floats(K * H * W), *out = floats(K * 24 * 36);
	for (size_t i = 0; i < H * W; i++) {
		if (i % W < W / 2 && i / W < H / 2)
			continue; /* a corner without labels */
		float sum = 0;
		for (size_t k = 0; k < K; k++)
			sum += soft[k * H * W + i] = (float)rng_uniform(8, RNG_TEST, i * K + k);
		for (size_t k = 0; k < K; k++)
			soft[k * H * W + i] /= sum;
	}
	augment_spec spec = {
		.crop_h = 24, .crop_w = 36, .scale_low = 0.5, .scale_high = 1.5, .mirror = true};
	size_t zeros = 0, ones = 0;
	for (uint64_t step = 0; step < 30; step++) {
		augment_draw d = augment_choose(&spec, 6, step, 0, H, W, NULL);
		augment_soft(&spec, &d, soft, K, H, W, out);
		for (size_t i = 0; i < 24 * 36; i++) {
			size_t y = d.top + i / 36, x = i % 36;
			x = d.left + (d.mirror ? 35 - x : x);
			double want[K] = {0}, sum = 0, got = 0;
			if (y < d.scaled_h && x < d.scaled_w) {
				double sy = fmin(fmax((y + .5) * H / (double)d.scaled_h - .5, 0),
				                 H - 1);
				double sx = fmin(fmax((x + .5) * W / (double)d.scaled_w - .5, 0),
				                 W - 1);
				size_t y0 = (size_t)sy, x0 = (size_t)sx;
				size_t y1 = y0 + 1 < H ? y0 + 1 : y0, x1 = x0 + 1 < W ? x0 + 1 : x0;
				double fy = sy - (double)y0, fx = sx - (double)x0;
				for (size_t k = 0; k < K; k++) {
					const float *p = soft + k * H * W;
					want[k] =
						(p[y0 * W + x0] * (1 - fx) + p[y0 * W + x1] * fx) *
							(1 - fy) +
						(p[y1 * W + x0] * (1 - fx) + p[y1 * W + x1] * fx) *
							fy;
					sum += want[k];
				}
			}
			for (size_t k = 0; k < K; k++) {
				float v = out[k * 24 * 36 + i];
				got += v;
				if (sum > 1e-3)
					assert_near(v, want[k] / sum, 2e-5);
			}
			if (sum == 0)
				assert_true(got == 0);
			zeros += got == 0;
			ones += fabs(got - 1) < 1e-5;
		}
	}
	assert_int_equal(zeros + ones, 30 * 24 * 36);
	assert_true(zeros > 1000 && ones > 1000);
	/* At scale 1 nothing is mixed. */
	spec.scale_low = spec.scale_high = 1;
	spec.mirror = false;
	augment_draw d = augment_choose(&spec, 6, 0, 0, H, W, NULL);
	augment_soft(&spec, &d, soft, K, H, W, out);
	for (size_t k = 0; k < K; k++)
		for (size_t i = 0; i < 24 * 36; i++)
			assert_near(out[k * 24 * 36 + i],
			            soft[k * H * W + (d.top + i / 36) * W + d.left + i % 36], 1e-6);
	mem_free(soft);
	mem_free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scale_one_copies_pixels),
		cmocka_unit_test(crop_equals_cut_of_whole),
		cmocka_unit_test(draws_are_uniform),
		cmocka_unit_test(draws_are_pure),
		cmocka_unit_test(mining_is_uniform_over_classes_and_pixels),
		cmocka_unit_test(vanished_classes_are_not_mined),
		cmocka_unit_test(mined_crops_are_centred_and_clamped),
		cmocka_unit_test(soft_labels_are_renormalised),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
