/* image_features: what a segmentation network makes of an image before its head judges the pixels: the
 * values that go into the head, averaged over the positions of the image. One point an image, in as many
 * dimensions as the head has input channels.
 *
 * Images come in their own size, but for those of more than `max_pixels`: they are scaled down to it. The
 * same image gives the same bits for any number of threads. One image size is bound at a time. */
#ifndef TP_TRAIN_IMAGE_FEATURES_H
#define TP_TRAIN_IMAGE_FEATURES_H

#include <stdatomic.h>

#include "data/image.h"
#include "net/exec.h"

typedef struct image_features image_features;

typedef struct image_features_spec {
	const graph *net;    /* borrowed; ends with its ASPP head */
	const float *values; /* borrowed, unchanged while the features live */
	input_norm norm;
	kernel_mode kernels;
	size_t max_pixels;   /* at least 1 */
	pool *pool;
	const atomic_int *stop; /* may be NULL */
} image_features_spec;

/* TP_SHAPE when the network has no head at its end. */
tp_status image_features_create(const image_features_spec *spec, image_features **ret,
                                tp_err *err) TP_MUST_CHECK;
void image_features_free(image_features *f); /* NULL is fine */
/* How many a point has. */
size_t image_features_count(const image_features *f);
/* ret[image_features_count]. TP_NONFINITE when one is NaN or infinite, TP_CANCELLED. */
tp_status image_features_of(image_features *f, const image *img, float *ret,
                            tp_err *err) TP_MUST_CHECK;

#endif
