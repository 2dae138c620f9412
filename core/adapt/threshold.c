#include "adapt/threshold.h"

#include <math.h>

#include "base/mem.h"

enum {
	Q_BITS = 24,       /* confidences are told apart to 2^-24 */
	Q_ONE = 1 << Q_BITS,
	FINE = 256,        /* bins per octave, and q below it have bins of their own */
	OCTAVES = 8,       /* from q = 2^8 to 2^16 */
	COARSE = 1 << 16,  /* q from here on: bins of 2^8 */
	COARSE_SHIFT = 8,
};

static size_t bin_of_conf(float conf)
{
	if (!(conf > 0.0f)) /* NaN too */
		return CONF_BINS - 1;
	int32_t q = Q_ONE - (int32_t)ceilf(conf * Q_ONE);
	if (q < FINE)
		return q < 0 ? 0 : (size_t)q;
	if (q >= COARSE)
		return (size_t)(FINE + OCTAVES * FINE + (q >> COARSE_SHIFT) - (COARSE >> COARSE_SHIFT));
	int octave = 0;
	while (q >> (octave + 9) != 0)
		octave++;
	return (size_t)(FINE + octave * FINE + ((q >> octave) & (FINE - 1)));
}

/* First q beyond the bin: every confidence in it exceeds 1 - q/2^24, and none of the bins after
 * it (smaller confidences) does. */
static int32_t q_after_bin(size_t bin)
{
	int32_t b = (int32_t)bin - FINE;
	if (b < 0)
		return (int32_t)bin + 1;
	if (b >= OCTAVES * FINE)
		return (b - OCTAVES * FINE + (COARSE >> COARSE_SHIFT) + 1) << COARSE_SHIFT;
	return (FINE + b % FINE + 1) << (b / FINE);
}

tp_status conf_hist_init(size_t classes, conf_hist *ret, tp_err *err)
{
	if (classes < 1 || classes > 256)
		return tp_fail(err, TP_INVALID, 0, "classes: %zu is not in 1..256", classes);
	void *p;
	tp_status st = mem_bytes(classes * (CONF_BINS + 1) * sizeof(uint64_t), &p, err);
	if (st != TP_OK)
		return st;
	uint64_t *bin = p;
	*ret = (conf_hist){classes, bin, bin + classes * CONF_BINS};
	return TP_OK;
}

void conf_hist_done(conf_hist *h)
{
	mem_free(h->bin);
	*h = (conf_hist){0};
}

void conf_hist_add(conf_hist *h, const uint8_t *pred, const float *conf, size_t pixels,
                   size_t stride)
{
	size_t skip[256] = {0}; /* pixels of the class to pass over before the next one counts */
	for (size_t i = 0; i < pixels; i++) {
		size_t k = pred[i];
		if (k >= h->classes)
			continue;
		h->predicted[k]++;
		if (skip[k]-- != 0)
			continue;
		skip[k] = stride - 1;
		h->bin[k * CONF_BINS + bin_of_conf(conf[i])]++;
	}
}

/* Of the pixels of `classes` classes whose bins begin at `bin`. */
static float threshold_of(const uint64_t *bin, size_t classes, double portion)
{
	uint64_t n = 0, seen = 0;
	float lambda = 1.0f;
	for (size_t i = 0; i < classes * CONF_BINS; i++)
		n += bin[i];
	uint64_t m = (uint64_t)floor((double)n * portion);
	for (size_t b = 0; b < CONF_BINS && seen < m; b++) {
		for (size_t k = 0; k < classes; k++)
			seen += bin[k * CONF_BINS + b];
		lambda = (float)(Q_ONE - q_after_bin(b)) / Q_ONE;
	}
	/* Only confidences below 2^-16 get here; a threshold must stay a divisor. */
	return lambda > 0.0f ? lambda : 1.0f / (2.0f * COARSE);
}

void conf_hist_thresholds(const conf_hist *h, double portion, float *lambda)
{
	for (size_t k = 0; k < h->classes; k++)
		lambda[k] = threshold_of(h->bin + k * CONF_BINS, 1, portion);
}

void conf_hist_global_threshold(const conf_hist *h, double portion, float *lambda)
{
	float one = threshold_of(h->bin, h->classes, portion);
	for (size_t k = 0; k < h->classes; k++)
		lambda[k] = one;
}

double portion_of_round(double initial, double step, double max, size_t round)
{
	double portion = initial + step * (double)round;
	return portion < max ? portion : max;
}

size_t rare_classes(const conf_hist *h, double limit, uint8_t *ids)
{
	uint64_t total = 0;
	for (size_t k = 0; k < h->classes; k++)
		total += h->predicted[k];
	size_t count = 0;
	for (size_t k = 0; k < h->classes && total > 0; k++) {
		if ((double)h->predicted[k] / (double)total >= limit)
			continue;
		size_t at = count++;
		for (; at > 0 && h->predicted[ids[at - 1]] > h->predicted[k]; at--)
			ids[at] = ids[at - 1];
		ids[at] = (uint8_t)k;
	}
	return count;
}
