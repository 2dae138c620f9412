/* photometric: colour jitter and blur of a training sample, so that a network trained on one look leans
 * less on it (DACS, algorithms.md 9): a pure function of (seed, step, slot).
 *
 * Jitter: brightness, contrast and saturation each scaled by a factor uniform in 1 - s .. 1 + s, in this
 * order, then hue turned by at most s/2 of a half turn (a rotation in YIQ), clipped to the colours a
 * picture can have. Blur: Gaussian, sigma uniform in a range, borders repeated. */
#ifndef TP_DATA_PHOTOMETRIC_H
#define TP_DATA_PHOTOMETRIC_H

#include "data/image.h"

typedef struct photometric_spec {
	double jitter_chance, jitter_strength; /* s, 0..1 */
	double blur_chance, blur_sigma_low, blur_sigma_high; /* pixels of the crop */
} photometric_spec;

typedef struct photometric_draw {
	bool jitter, blur;
	float brightness, contrast, saturation, hue; /* hue in radians */
	float sigma;
} photometric_draw;

/* slot < 4096. */
photometric_draw photometric_choose(const photometric_spec *spec, uint64_t seed, uint64_t step,
                                    size_t slot);
/* In place on a network input [h][w][3]. The picture fills rows 0 .. picture_h-1 and columns left ..
 * left+picture_w-1; what lies around it is padding and stays as it is. scratch [h][w][3]. */
void photometric_apply(const photometric_draw *d, const input_norm *norm, size_t w, size_t left,
                       size_t picture_h, size_t picture_w, float *input, float *scratch);

#endif
