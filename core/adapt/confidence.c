#include "adapt/confidence.h"

#include <math.h>
#include <string.h>

#include "base/simd.h"

enum { BLOCK = 256 };

/* argmax p, p_k there, and sum_k p_k ln p_k of n pixels. */
static TP_SIMD void block_scan(const float *p, size_t classes, size_t pixels, size_t n,
                               int32_t *which, float *best, float *p_log_p)
{
	for (size_t i = 0; i < n; i++) {
		which[i] = 0;
		best[i] = p[i];
		p_log_p[i] = 0.0f;
	}
	for (size_t k = 0; k < classes; k++) {
		const float *row = p + k * pixels;
		for (size_t i = 0; i < n; i++) {
			which[i] = row[i] > best[i] ? (int32_t)k : which[i];
			best[i] = row[i] > best[i] ? row[i] : best[i];
			p_log_p[i] += row[i] * simd_logf(row[i]);
		}
	}
}

void image_confidence_of(const float *p, const float *lambda, size_t classes, size_t pixels,
                         bool use_inverse_lambda, image_confidence *ret)
{
	int32_t which[BLOCK];
	float best[BLOCK], p_log_p[BLOCK];
	double sum = 0.0;
	memset(ret, 0, sizeof *ret);
	for (size_t at = 0; at < pixels; at += BLOCK) {
		size_t n = pixels - at < BLOCK ? pixels - at : BLOCK;
		block_scan(p + at, classes, pixels, n, which, best, p_log_p);
		for (size_t i = 0; i < n; i++) {
			ret->predicted[which[i]]++;
			ret->confident[which[i]] += best[i] > lambda[which[i]];
			sum += p_log_p[i];
			ret->class_entropy[which[i]] += p_log_p[i];
		}
	}
	double scale = classes > 1 ? -1.0 / log((double)classes) : 0.0;
	for (size_t k = 0; k < classes; k++)
		ret->class_entropy[k] = ret->predicted[k] > 0 ? scale * ret->class_entropy[k] : 0.0;
	if (classes > 1 && pixels > 0)
		ret->mean_entropy = -sum / ((double)pixels * log((double)classes));
	size_t present = 0;
	for (size_t k = 0; k < 256; k++) {
		ret->per_class[k] = -1.0;
		if (k >= classes || ret->predicted[k] == 0)
			continue;
		ret->per_class[k] = (double)ret->confident[k] / (double)ret->predicted[k];
		ret->score += use_inverse_lambda ? ret->per_class[k] / lambda[k] : ret->per_class[k];
		present++;
	}
	if (present > 0)
		ret->score /= (double)present;
}
