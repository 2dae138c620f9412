/* png: writing PNGs, and reading the exact sample values of label PNGs, through libpng.
 * Encoders return a malloc'ed file image; the caller frees and stores it (base/file.h). The same
 * input gives the same bytes. */
#ifndef TP_DATA_PNG_H
#define TP_DATA_PNG_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct png_bytes {
	void *data;
	size_t size;
} png_bytes;

/* 8-bit palette PNG whose index is the sample; palette[256][3] RGB, trailing equal entries are cut.
 */
tp_status png_encode_palette(const uint8_t *index, size_t w, size_t h,
                             const uint8_t palette[256][3], png_bytes *ret,
                             tp_err *err) TP_MUST_CHECK;
tp_status png_encode_gray8(const uint8_t *v, size_t w, size_t h, png_bytes *ret,
                           tp_err *err) TP_MUST_CHECK;
tp_status png_encode_gray16(const uint16_t *v, size_t w, size_t h, png_bytes *ret,
                            tp_err *err) TP_MUST_CHECK;
tp_status png_encode_rgb(const uint8_t *rgb, size_t w, size_t h, png_bytes *ret,
                         tp_err *err) TP_MUST_CHECK;

/* Sample values as stored: palette index, grey value, or the red channel of RGB(A) at 8 or 16 bits
 * (SYNTHIA keeps ids there). *ret_v [h][w] is malloc'ed. Limits as in data/image.h, checked from
 * the header before decoding; damaged files are TP_CORRUPT, other formats TP_INVALID, naming
 * `what`. */
tp_status png_decode_values(const void *bytes, size_t size, const char *what, uint16_t **ret_v,
                            size_t *ret_w, size_t *ret_h, tp_err *err) TP_MUST_CHECK;

#endif
