/* class_mix: ClassMix (algorithms.md 9): half of the classes that a source crop shows, rounded up, are
 * cut out of it and pasted over a target crop, image and label alike. A pure function of (seed, step,
 * slot) and of the labels. */
#ifndef TP_DATA_CLASS_MIX_H
#define TP_DATA_CLASS_MIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* chosen[256]: the classes to paste, of those that occur in label[pixels] (CLASS_IGNORE does not). */
void class_mix_choose(const uint8_t *label, size_t pixels, uint64_t seed, uint64_t step, size_t slot,
                      bool chosen[256]);

/* A crop: input [pixels][3], label [pixels], weight [pixels] or NULL, soft [classes][pixels] or NULL. */
typedef struct mix_crop {
	float *input;
	uint8_t *label;
	float *weight, *soft;
} mix_crop;

/* Pasted pixels weigh 1 and their soft label is one-hot. Pixels with inside[i] == 0 (padding of the
 * target crop) are left alone. Returns how many were pasted. */
size_t class_mix_paste(const float *source_input, const uint8_t *source_label,
                       const bool chosen[256], const uint8_t *inside, size_t classes, size_t pixels,
                       const mix_crop *target);

#endif
