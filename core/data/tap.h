/* tap: where an output pixel of a resampled image reads its source (algorithms.md 6.3). */
#ifndef TP_DATA_TAP_H
#define TP_DATA_TAP_H

#include <stddef.h>

/* value = src[lo] (1 - f) + src[hi] f */
typedef struct tap {
	size_t lo, hi;
	float f;
} tap;

/* Bilinear with half-pixel centres: src = (dst + .5) in/out - .5, clamped to the image; ratio =
 * in/out. Equal sizes give lo = dst and f = 0 exactly. */
static inline tap tap_bilinear(size_t dst, size_t in, double ratio)
{
	double s = ((double)dst + 0.5) * ratio - 0.5;
	if (s <= 0.0)
		return (tap){0, 0, 0.0f};
	size_t lo = (size_t)s;
	if (lo + 1 >= in)
		return (tap){in - 1, in - 1, 0.0f};
	return (tap){lo, lo + 1, (float)(s - (double)lo)};
}

/* Nearest as OpenCV: floor(dst in / out). */
static inline size_t tap_nearest(size_t dst, size_t in, size_t out) { return dst * in / out; }

/* The first dst whose nearest source is s or later, so that source s fills the pixels
 * tap_first(s) .. tap_first(s + 1) - 1. */
static inline size_t tap_first(size_t s, size_t in, size_t out) { return (s * out + in - 1) / in; }

#endif
