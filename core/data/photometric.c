#include "data/photometric.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"

/* Which random number of a sample: part of what a seed means. */
enum draw_use {
	DRAW_JITTER,
	DRAW_BRIGHTNESS,
	DRAW_CONTRAST,
	DRAW_SATURATION,
	DRAW_HUE,
	DRAW_BLUR,
	DRAW_SIGMA,
	DRAWS = 8,
};

enum { MAX_RADIUS = 32 }; /* of the blur */

photometric_draw photometric_choose(const photometric_spec *spec, uint64_t seed, uint64_t step,
                                    size_t slot)
{
	double u[DRAWS];
	for (uint64_t i = 0; i < DRAWS; i++)
		u[i] = rng_uniform(seed, RNG_PHOTOMETRIC, (step * 4096 + slot) * DRAWS + i);
	double s = spec->jitter_strength, low = spec->blur_sigma_low;
	return (photometric_draw){
		.jitter = u[DRAW_JITTER] < spec->jitter_chance,
		.blur = u[DRAW_BLUR] < spec->blur_chance,
		.brightness = (float)(1.0 + s * (2.0 * u[DRAW_BRIGHTNESS] - 1.0)),
		.contrast = (float)(1.0 + s * (2.0 * u[DRAW_CONTRAST] - 1.0)),
		.saturation = (float)(1.0 + s * (2.0 * u[DRAW_SATURATION] - 1.0)),
		.hue = (float)(s * 0.5 * 3.14159265358979323846 * (2.0 * u[DRAW_HUE] - 1.0)),
		.sigma = (float)(low + (spec->blur_sigma_high - low) * u[DRAW_SIGMA]),
	};
}

/* The part of the input that holds picture. */
typedef struct region {
	float *input;
	size_t w, left, h, picture_w;
} region;

static float *row_of(const region *r, size_t y) { return r->input + (y * r->w + r->left) * 3; }

static float luma(const float *c) { return 0.299f * c[0] + 0.587f * c[1] + 0.114f * c[2]; }

static float clip(float v) { return v < 0.0f ? 0.0f : v > 1.0f ? 1.0f : v; }

/* RGB -> YIQ, I and Q turned by `angle`, -> RGB, as one matrix. */
static void hue_matrix(float angle, float m[3][3])
{
	static const double to[3][3] = {
		{0.299, 0.587, 0.114}, {0.596, -0.274, -0.322}, {0.211, -0.523, 0.312}};
	static const double from[3][3] = {
		{1.0, 0.956, 0.621}, {1.0, -0.272, -0.647}, {1.0, -1.106, 1.703}};
	double c = cos((double)angle), s = sin((double)angle);
	for (size_t i = 0; i < 3; i++) {
		for (size_t j = 0; j < 3; j++) {
			double turned_i = c * to[1][j] - s * to[2][j];
			double turned_q = s * to[1][j] + c * to[2][j];
			m[i][j] = (float)(from[i][0] * to[0][j] + from[i][1] * turned_i +
			                  from[i][2] * turned_q);
		}
	}
}

/* Brightness first, because contrast pulls towards the mean of the brightened picture. */
static double mean_luma(const region *r, const input_norm *n, float brightness)
{
	double sum = 0.0;
	for (size_t y = 0; y < r->h; y++) {
		const float *p = row_of(r, y);
		for (size_t x = 0; x < r->picture_w; x++, p += 3) {
			float c[3];
			for (size_t k = 0; k < 3; k++)
				c[k] = clip((p[k] * n->std[k] + n->mean[k]) * brightness);
			sum += (double)luma(c);
		}
	}
	return sum / (double)(r->h * r->picture_w);
}

static void jitter(const region *r, const input_norm *n, const photometric_draw *d)
{
	float m[3][3], mean = (float)mean_luma(r, n, d->brightness);
	hue_matrix(d->hue, m);
	for (size_t y = 0; y < r->h; y++) {
		float *p = row_of(r, y);
		for (size_t x = 0; x < r->picture_w; x++, p += 3) {
			float c[3];
			for (size_t k = 0; k < 3; k++) {
				c[k] = clip((p[k] * n->std[k] + n->mean[k]) * d->brightness);
				c[k] = clip(mean + (c[k] - mean) * d->contrast);
			}
			float grey = luma(c);
			for (size_t k = 0; k < 3; k++)
				c[k] = clip(grey + (c[k] - grey) * d->saturation);
			for (size_t k = 0; k < 3; k++)
				p[k] = (clip(m[k][0] * c[0] + m[k][1] * c[1] + m[k][2] * c[2]) -
				        n->mean[k]) /
				       n->std[k];
		}
	}
}

static size_t kernel_of(float sigma, float weight[MAX_RADIUS + 1])
{
	size_t radius = (size_t)ceilf(3.0f * sigma);
	radius = radius > MAX_RADIUS ? MAX_RADIUS : radius;
	double sum = 0.0;
	for (size_t i = 0; i <= radius; i++) {
		double e = exp(-0.5 * (double)(i * i) / ((double)sigma * (double)sigma));
		weight[i] = (float)e;
		sum += i == 0 ? e : 2.0 * e;
	}
	for (size_t i = 0; i <= radius; i++)
		weight[i] = (float)((double)weight[i] / sum);
	return radius;
}

/* One line of n pixels of 3 values, `step` floats apart, borders repeated. */
static void blur_line(const float *src, size_t step, size_t n, const float *weight, size_t radius,
                      float *dst)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < 3; k++) {
			float sum = weight[0] * src[i * step + k];
			for (size_t t = 1; t <= radius; t++) {
				size_t lo = i < t ? 0 : i - t, hi = i + t < n ? i + t : n - 1;
				sum += weight[t] * (src[lo * step + k] + src[hi * step + k]);
			}
			dst[i * step + k] = sum;
		}
	}
}

static void blur(const region *r, float sigma, float *scratch)
{
	float weight[MAX_RADIUS + 1];
	size_t radius = kernel_of(sigma, weight), offset = r->left * 3;
	for (size_t y = 0; y < r->h; y++)
		blur_line(row_of(r, y), 3, r->picture_w, weight, radius,
		          scratch + y * r->w * 3 + offset);
	for (size_t x = 0; x < r->picture_w; x++)
		blur_line(scratch + offset + x * 3, r->w * 3, r->h, weight, radius,
		          r->input + offset + x * 3);
}

void photometric_apply(const photometric_draw *d, const input_norm *norm, size_t w, size_t left,
                       size_t picture_h, size_t picture_w, float *input, float *scratch)
{
	region r = {input, w, left, picture_h, picture_w};
	if (picture_h == 0 || picture_w == 0)
		return;
	if (d->jitter)
		jitter(&r, norm, d);
	if (d->blur && d->sigma > 0.0f)
		blur(&r, d->sigma, scratch);
}
