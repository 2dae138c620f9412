/* image: bytes -> RGB pixels, with limits checked before anything is decoded.
 * PNG and JPEG only, through stb_image (which destroys the values of label files: those go through
 * data/label.h). Palette, grey and 16-bit files become 8-bit RGB, alpha is dropped, an EXIF
 * orientation is not applied. Runs in the loader and in request threads; no state.
 *
 * Errors name the file (`what` or the path): TP_INVALID another format or over a limit, TP_CORRUPT
 * truncated or damaged (PNG checksums and the end of a JPEG are checked), TP_NOTFOUND, TP_IO. */
#ifndef TP_DATA_IMAGE_H
#define TP_DATA_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"
#include "base/status.h"

enum {
	IMAGE_MAX_BYTES = 64 << 20, /* of the file */
	IMAGE_MAX_SIDE = 16384,     /* pixels */
	IMAGE_MAX_PIXELS = 64 << 20,
};

typedef struct image {
	size_t w, h;
	uint8_t *rgb; /* [h][w][3], owned; image_done frees */
} image;

/* Width and height from the header, without decoding; the limits apply. */
tp_status image_probe(const void *bytes, size_t size, const char *what, size_t *ret_w,
                      size_t *ret_h, tp_err *err) TP_MUST_CHECK;
tp_status image_decode(const void *bytes, size_t size, const char *what, image *ret,
                       tp_err *err) TP_MUST_CHECK;
tp_status image_load(const char *path, image *ret, tp_err *err) TP_MUST_CHECK;
/* Width and height of a file (PNG or JPEG header only). */
tp_status image_probe_file(const char *path, size_t *ret_w, size_t *ret_h,
                           tp_err *err) TP_MUST_CHECK;
void image_done(image *img);
/* Bytes that image_load takes at its peak, the result included: the file (counted as half of its
 * pixels), what it inflates to, and the pixels. */
size_t image_load_bytes(size_t w, size_t h);

/* Network input: RGB, (x/255 - mean)/std per channel. */
typedef struct input_norm {
	float mean[3], std[3];
} input_norm;
extern const input_norm INPUT_NORM_IMAGENET;

/* A window of the image as it would be after resampling to scaled_h x scaled_w. Only the window is
 * computed. Columns are mirrored within the window. */
typedef struct image_window {
	size_t scaled_h, scaled_w;
	size_t top, left;    /* of the window; it may reach beyond the scaled image */
	size_t out_h, out_w; /* of the window */
	bool mirror;
} image_window;

/* input [out_h][out_w][3] = the window, bilinear with half-pixel centres as OpenCV (data/tap.h),
 * normalised; 0 (the mean colour) beyond the scaled image. pool may be NULL. */
void image_sample(const image *img, const input_norm *norm, const image_window *win, float *input,
                  pool *pool);
/* The whole image at out_h x out_w (equal size is a copy), optionally mirrored. pool may be NULL.
 */
void image_to_input(const image *img, const input_norm *norm, size_t out_h, size_t out_w,
                    bool mirror, float *input, pool *pool);

/* Box-filtered thumbnail whose longer side is `side` (never enlarged); *ret owned by the caller. */
tp_status image_thumbnail(const image *img, size_t side, image *ret, tp_err *err) TP_MUST_CHECK;

#endif
