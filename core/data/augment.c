#include "data/augment.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "data/classes.h"
#include "data/tap.h"

/* Which random number of a sample: part of what a seed means. */
enum draw_use { DRAW_SCALE, DRAW_MINE, DRAW_CLASS, DRAW_PIXEL, DRAW_TOP, DRAW_LEFT, DRAW_MIRROR };

/* One sample's random numbers: 8 per slot, 4096 slots per step. */
typedef struct dice {
	uint64_t seed, base;
} dice;

static uint64_t dice_below(const dice *d, enum draw_use use, uint64_t n)
{
	return rng_below(d->seed, RNG_AUGMENT, d->base + use, n);
}

static double dice_uniform(const dice *d, enum draw_use use)
{
	return rng_uniform(d->seed, RNG_AUGMENT, d->base + use);
}

static double choose_scale(const augment_spec *spec, const dice *d)
{
	/* 0.3 / 0.1 is 2.999...: the steps must not depend on how tenths round. */
	uint64_t steps = (uint64_t)((spec->scale_high - spec->scale_low) * 10.0 + 1e-6) + 1;
	return spec->scale_low + (double)dice_below(d, DRAW_SCALE, steps) / 10.0;
}

/* OpenCV's output size for a factor. */
static size_t scaled_side(size_t side, double scale)
{
	double s = rint((double)side * scale);
	return s < 1.0 ? 1 : (size_t)s;
}

/* The label as it will be after nearest scaling, without making it: source pixel (y, x) fills
 * rows[y] * columns[x] scaled pixels. */
typedef struct scaled_label {
	const uint8_t *label;
	size_t h, w, scaled_h, scaled_w;
	uint16_t columns[IMAGE_MAX_SIDE];
} scaled_label;

static size_t scaled_rows(const scaled_label *s, size_t y)
{
	return tap_first(y + 1, s->h, s->scaled_h) - tap_first(y, s->h, s->scaled_h);
}

static void count_classes(const scaled_label *s, uint64_t count[256])
{
	memset(count, 0, 256 * sizeof *count);
	for (size_t y = 0; y < s->h; y++) {
		uint64_t row[256] = {0};
		for (size_t x = 0; x < s->w; x++)
			row[s->label[y * s->w + x]] += s->columns[x];
		size_t rows = scaled_rows(s, y);
		for (size_t c = 0; c < 256; c++)
			count[c] += row[c] * rows;
	}
}

/* The n-th scaled pixel of a class, counted source pixel by source pixel. */
static void find_pixel(const scaled_label *s, uint8_t class_id, uint64_t n, size_t *ret_y,
                       size_t *ret_x)
{
	for (size_t y = 0; y < s->h; y++) {
		size_t rows = scaled_rows(s, y);
		for (size_t x = 0; x < s->w && rows > 0; x++) {
			if (s->label[y * s->w + x] != class_id)
				continue;
			size_t here = rows * s->columns[x];
			if (n < here) {
				*ret_y = tap_first(y, s->h, s->scaled_h) + n / s->columns[x];
				*ret_x = tap_first(x, s->w, s->scaled_w) + n % s->columns[x];
				return;
			}
			n -= here;
		}
	}
}

static size_t centred(size_t at, size_t crop, size_t side)
{
	size_t start = at < crop / 2 ? 0 : at - crop / 2;
	return start + crop > side ? side - crop : start;
}

/* Centres the crop on a pixel of a rare class; false when the image has none. */
static bool mine(const augment_spec *spec, const dice *d, const uint8_t *label, size_t h, size_t w,
                 size_t padded_h, size_t padded_w, augment_draw *ret)
{
	scaled_label s = {.label = label,
	                  .h = h,
	                  .w = w,
	                  .scaled_h = ret->scaled_h,
	                  .scaled_w = ret->scaled_w};
	for (size_t x = 0; x < w; x++)
		s.columns[x] =
			(uint16_t)(tap_first(x + 1, w, s.scaled_w) - tap_first(x, w, s.scaled_w));
	uint64_t count[256];
	count_classes(&s, count);
	size_t present = 0;
	for (size_t i = 0; i < spec->mine_ids; i++)
		present += count[spec->mine_id[i]] > 0;
	if (present == 0)
		return false;
	size_t pick = (size_t)dice_below(d, DRAW_CLASS, present), i = 0;
	for (;; i++)
		if (count[spec->mine_id[i]] > 0 && pick-- == 0)
			break;
	uint8_t class_id = spec->mine_id[i];
	size_t y = 0, x = 0;
	find_pixel(&s, class_id, dice_below(d, DRAW_PIXEL, count[class_id]), &y, &x);
	ret->top = centred(y, spec->crop_h, padded_h);
	ret->left = centred(x, spec->crop_w, padded_w);
	return true;
}

augment_draw augment_choose(const augment_spec *spec, uint64_t seed, uint64_t step, size_t slot,
                            size_t image_h, size_t image_w, const uint8_t *label)
{
	dice d = {.seed = seed, .base = (step * 4096 + slot) * 8};
	augment_draw r = {.scale = choose_scale(spec, &d)};
	r.scaled_h = scaled_side(image_h, r.scale);
	r.scaled_w = scaled_side(image_w, r.scale);
	size_t padded_h = r.scaled_h > spec->crop_h ? r.scaled_h : spec->crop_h;
	size_t padded_w = r.scaled_w > spec->crop_w ? r.scaled_w : spec->crop_w;
	r.mirror = spec->mirror && dice_below(&d, DRAW_MIRROR, 2) == 1;
	if (label != NULL && spec->mine_ids > 0 &&
	    dice_uniform(&d, DRAW_MINE) < spec->mine_chance &&
	    mine(spec, &d, label, image_h, image_w, padded_h, padded_w, &r))
		return r;
	r.top = (size_t)dice_below(&d, DRAW_TOP, padded_h - spec->crop_h + 1);
	r.left = (size_t)dice_below(&d, DRAW_LEFT, padded_w - spec->crop_w + 1);
	return r;
}

void augment_image(const augment_spec *spec, const augment_draw *d, const image *img,
                   const input_norm *norm, float *input)
{
	image_window win = {.scaled_h = d->scaled_h,
	                    .scaled_w = d->scaled_w,
	                    .top = d->top,
	                    .left = d->left,
	                    .out_h = spec->crop_h,
	                    .out_w = spec->crop_w,
	                    .mirror = d->mirror};
	image_sample(img, norm, &win, input, NULL);
}

/* Where output pixel (y, x) of the crop lies in the scaled image; false in the padding. */
static bool crop_source(const augment_spec *spec, const augment_draw *d, size_t y, size_t x,
                        size_t *ret_y, size_t *ret_x)
{
	*ret_y = d->top + y;
	*ret_x = d->left + (d->mirror ? spec->crop_w - 1 - x : x);
	return *ret_y < d->scaled_h && *ret_x < d->scaled_w;
}

static size_t shown(size_t start, size_t crop, size_t side)
{
	size_t left = start < side ? side - start : 0;
	return left < crop ? left : crop;
}

void augment_picture(const augment_spec *spec, const augment_draw *d, size_t *ret_left, size_t *ret_h,
                     size_t *ret_w)
{
	*ret_h = shown(d->top, spec->crop_h, d->scaled_h);
	*ret_w = shown(d->left, spec->crop_w, d->scaled_w);
	*ret_left = d->mirror ? spec->crop_w - *ret_w : 0;
}

void augment_label(const augment_spec *spec, const augment_draw *d, const uint8_t *label, size_t h,
                   size_t w, uint8_t *ret)
{
	for (size_t i = 0; i < spec->crop_h * spec->crop_w; i++) {
		size_t y, x;
		ret[i] = CLASS_IGNORE;
		if (crop_source(spec, d, i / spec->crop_w, i % spec->crop_w, &y, &x))
			ret[i] = label[tap_nearest(y, h, d->scaled_h) * w +
			               tap_nearest(x, w, d->scaled_w)];
	}
}

void augment_weight(const augment_spec *spec, const augment_draw *d, const uint16_t *weight,
                    size_t h, size_t w, float *ret)
{
	for (size_t i = 0; i < spec->crop_h * spec->crop_w; i++) {
		size_t y, x;
		ret[i] = 0.0f;
		if (crop_source(spec, d, i / spec->crop_w, i % spec->crop_w, &y, &x))
			ret[i] = (float)weight[tap_nearest(y, h, d->scaled_h) * w +
			                       tap_nearest(x, w, d->scaled_w)] /
			         65535.0f;
	}
}

/* Pixels of a row that are resampled together: planes are far apart, so each is visited once. */
enum { BLOCK = 64 };

/* One block of output row y, columns x .. x+n-1; ret points at its first pixel in class 0. */
static void soft_block(const augment_spec *spec, const augment_draw *d, const float *soft,
                       size_t classes, size_t h, size_t w, size_t y, size_t x, size_t n, float *ret)
{
	size_t pixels = spec->crop_h * spec->crop_w, sy = 0, sx = 0;
	tap u[BLOCK];
	bool inside[BLOCK];
	float sum[BLOCK] = {0};
	for (size_t i = 0; i < n; i++) {
		inside[i] = crop_source(spec, d, y, x + i, &sy, &sx);
		u[i] = tap_bilinear(sx, w, (double)w / (double)d->scaled_w);
	}
	tap v = tap_bilinear(sy, h, (double)h / (double)d->scaled_h);
	for (size_t k = 0; k < classes; k++) {
		const float *upper = soft + (k * h + v.lo) * w, *lower = soft + (k * h + v.hi) * w;
		for (size_t i = 0; i < n; i++) {
			float a = upper[u[i].lo] + (upper[u[i].hi] - upper[u[i].lo]) * u[i].f;
			float b = lower[u[i].lo] + (lower[u[i].hi] - lower[u[i].lo]) * u[i].f;
			float p = inside[i] ? a + (b - a) * v.f : 0.0f;
			ret[k * pixels + i] = p;
			sum[i] += p;
		}
	}
	for (size_t i = 0; i < n; i++)
		sum[i] = sum[i] > 0.0f ? 1.0f / sum[i] : 0.0f;
	for (size_t k = 0; k < classes; k++)
		for (size_t i = 0; i < n; i++)
			ret[k * pixels + i] *= sum[i];
}

void augment_soft(const augment_spec *spec, const augment_draw *d, const float *soft,
                  size_t classes, size_t h, size_t w, float *ret)
{
	for (size_t y = 0; y < spec->crop_h; y++) {
		for (size_t x = 0; x < spec->crop_w; x += BLOCK) {
			size_t n = spec->crop_w - x < BLOCK ? spec->crop_w - x : BLOCK;
			soft_block(spec, d, soft, classes, h, w, y, x, n,
			           ret + y * spec->crop_w + x);
		}
	}
}
