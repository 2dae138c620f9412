/* augment: scale, crop with rare-class mining, mirror (algorithms.md 1.6): a pure function of
 * (seed, step, slot), applied to an image with its label maps. */
#ifndef TP_DATA_AUGMENT_H
#define TP_DATA_AUGMENT_H

#include "data/image.h"

typedef struct augment_spec {
	size_t crop_h, crop_w;
	double scale_low, scale_high; /* f uniform over low, low+0.1, ... <= high */
	bool mirror;                  /* with probability 1/2 */
	double mine_chance;           /* target samples: chance to centre on a rare class, 0.8 */
	const uint8_t *mine_id;       /* classes to mine; borrowed */
	size_t mine_ids;
} augment_spec;

/* The geometry drawn for one sample. Crop position is in scaled, padded pixels. */
typedef struct augment_draw {
	double scale;
	size_t scaled_h, scaled_w; /* of the image before padding */
	size_t top, left;
	bool mirror;
} augment_draw;

/* label (train ids at the image's size, or NULL) is looked at only for mining. slot < 4096. Image
 * sides at most IMAGE_MAX_SIDE. Scaled sides are round(side * scale), as OpenCV. */
augment_draw augment_choose(const augment_spec *spec, uint64_t seed, uint64_t step, size_t slot,
                            size_t image_h, size_t image_w, const uint8_t *label);

/* Each samples its source directly at the crop: pad is 0.0 after normalisation (mean colour), label
 * LABEL_NONE, weight and soft 0. Image bilinear (half-pixel), label nearest (floor(dst*in/out)),
 * weight nearest, soft labels bilinear per class and renormalised (algorithms.md 2.2). */
void augment_image(const augment_spec *spec, const augment_draw *d, const image *img,
                   const input_norm *norm, float *input);
void augment_label(const augment_spec *spec, const augment_draw *d, const uint8_t *label, size_t h,
                   size_t w, uint8_t *ret);
/* The part of the crop that shows the image: rows 0 .. *ret_h-1, columns *ret_left .. +*ret_w-1; the rest
 * is padding. */
void augment_picture(const augment_spec *spec, const augment_draw *d, size_t *ret_left, size_t *ret_h,
                     size_t *ret_w);
void augment_weight(const augment_spec *spec, const augment_draw *d, const uint16_t *weight,
                    size_t h, size_t w, float *ret); /* stored as round(weight * 65535) */
void augment_soft(const augment_spec *spec, const augment_draw *d, const float *soft,
                  size_t classes, size_t h, size_t w, float *ret);

#endif
