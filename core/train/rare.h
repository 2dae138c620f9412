/* rare: rare-class sampling of source images (DAFormer, algorithms.md 9): first a class, rare ones more
 * often, P(c) ~ exp((1 - f_c) / T) with f_c the class's share of all labelled pixels; then one of the images
 * that show it, each as likely as the other. Of the images that show a class only those enter where it fills
 * at least a thousandth of the image, if there are any. A pure function of (seed, counter). */
#ifndef TP_TRAIN_RARE_H
#define TP_TRAIN_RARE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct rare_sampler rare_sampler;

/* pixels[images][classes]: of each class in each image's label. T > 0. TP_INVALID when no image shows any
 * class. Borrows nothing. */
tp_status rare_create(const uint64_t *pixels, size_t images, size_t classes, double temperature,
                      rare_sampler **ret, tp_err *err) TP_MUST_CHECK;
void rare_free(rare_sampler *s); /* NULL is fine */
/* Any thread. */
void rare_at(const rare_sampler *s, uint64_t seed, uint64_t counter, uint8_t *ret_class,
             uint32_t *ret_image);

#endif
