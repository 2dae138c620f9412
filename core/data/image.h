/* image: bytes -> RGB pixels, with limits checked before anything is decoded.
 * PNG and JPEG only, through stb_image (which ignores palettes of labels: those go through
 * data/label.h). Runs in the loader and in request threads; no state. */
#ifndef TP_DATA_IMAGE_H
#define TP_DATA_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"
#include "base/status.h"

enum {
	IMAGE_MAX_BYTES = 64 << 20,   /* of the file */
	IMAGE_MAX_SIDE = 16384,       /* pixels */
	IMAGE_MAX_PIXELS = 64 << 20,
};

typedef struct image {
	size_t w, h;
	uint8_t *rgb; /* [h][w][3], owned; image_done frees */
} image;

/* Width and height without decoding; the limits apply. `what` names the file in errors. */
tp_status image_probe(const void *bytes, size_t size, const char *what, size_t *ret_w,
                      size_t *ret_h, tp_err *err) TP_MUST_CHECK;
tp_status image_decode(const void *bytes, size_t size, const char *what, image *ret,
                       tp_err *err) TP_MUST_CHECK;
tp_status image_load(const char *path, image *ret, tp_err *err) TP_MUST_CHECK;
/* Width and height of a file (PNG or JPEG header only). */
tp_status image_probe_file(const char *path, size_t *ret_w, size_t *ret_h, tp_err *err) TP_MUST_CHECK;
void image_done(image *img);

/* Network input: RGB, (x/255 - mean)/std per channel. */
typedef struct input_norm {
	float mean[3], std[3];
} input_norm;
extern const input_norm INPUT_NORM_IMAGENET;

/* Whole image resampled to out_h x out_w (bilinear, half-pixel centres as OpenCV; equal size is a
 * copy), optionally mirrored, normalised, into input [out_h][out_w][3]. pool may be NULL. */
void image_to_input(const image *img, const input_norm *norm, size_t out_h, size_t out_w,
                    bool mirror, float *input, pool *pool);

/* Box-filtered thumbnail whose longer side is `side` (never enlarged); *ret owned by the caller. */
tp_status image_thumbnail(const image *img, size_t side, image *ret, tp_err *err) TP_MUST_CHECK;

#endif
