#include "data/container.h"

#include <stdbool.h>
#include <string.h>
#include <zlib.h>

#include "data/image.h"

/* More scans than any encoder writes; each one costs a pass over all coefficients. */
enum { JPEG_MAX_SCANS = 200 };

static const uint8_t PNG_MAGIC[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

static size_t be16(const uint8_t *p) { return (size_t)p[0] << 8 | p[1]; }
static size_t be32(const uint8_t *p) { return be16(p) << 16 | be16(p + 2); }

static tp_status truncated(const char *what, tp_err *err)
{
	return tp_fail(err, TP_CORRUPT, 0, "%s is truncated", what);
}

static tp_status png_header(const uint8_t *b, size_t n, const char *what, container *ret,
                            tp_err *err)
{
	if (n < 24)
		return truncated(what, err);
	if (be32(b + 8) != 13 || memcmp(b + 12, "IHDR", 4) != 0)
		return tp_fail(err, TP_CORRUPT, 0, "%s is damaged: PNG without IHDR", what);
	*ret = (container){.kind = CONTAINER_PNG, .w = be32(b + 16), .h = be32(b + 20)};
	return TP_OK;
}

static tp_status png_check(const uint8_t *b, size_t n, const char *what, tp_err *err)
{
	bool data = false;
	for (size_t off = sizeof PNG_MAGIC;;) {
		if (n - off < 12)
			return truncated(what, err);
		size_t len = be32(b + off);
		if (len > n - off - 12)
			return truncated(what, err);
		const uint8_t *type = b + off + 4;
		if (crc32(crc32(0, NULL, 0), type, (uInt)(len + 4)) != be32(type + 4 + len))
			return tp_fail(err, TP_CORRUPT, 0, "%s is damaged: wrong PNG checksum",
			               what);
		if (memcmp(type, "IDAT", 4) == 0)
			data = true;
		off += 12 + len;
		if (memcmp(type, "IEND", 4) == 0)
			break;
	}
	if (!data)
		return tp_fail(err, TP_CORRUPT, 0, "%s is damaged: PNG without image data", what);
	return TP_OK;
}

/* Offset behind the next marker at or after `off`, skipping entropy-coded data, restart markers and
 * fill bytes; 0 when there is none. */
static size_t jpeg_next(const uint8_t *b, size_t n, size_t off)
{
	while (off + 1 < n) {
		const uint8_t *p = memchr(b + off, 0xff, n - 1 - off);
		if (p == NULL)
			return 0;
		off = (size_t)(p - b) + 1;
		if (*p == 0xff && b[off] != 0 && b[off] != 0xff && (b[off] & 0xf8) != 0xd0)
			return off + 1;
	}
	return 0;
}

static bool jpeg_is_frame(uint8_t marker)
{
	return (marker & 0xf0) == 0xc0 && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

/* The Huffman tables of a DHT segment: inside the segment, at most 256 codes, no length with more
 * codes than fit (the all-ones code is reserved). stb_image 2.27 writes and reads out of bounds
 * otherwise. */
static bool jpeg_tables_fit(const uint8_t *p, size_t n)
{
	while (n > 0) {
		if (n < 17)
			return false;
		size_t count = 0, code = 0;
		for (size_t bits = 1; bits <= 16; bits++) {
			count += p[bits];
			code += p[bits];
			if (p[bits] > 0 && code >= (size_t)1 << bits)
				return false;
			code <<= 1;
		}
		if (count > 256 || count > n - 17)
			return false;
		p += 17 + count;
		n -= 17 + count;
	}
	return true;
}

/* One walk for both questions: with `ret` up to the frame header, without it up to EOI. */
static tp_status jpeg_walk(const uint8_t *b, size_t n, const char *what, container *ret,
                           tp_err *err)
{
	size_t scans = 0;
	for (size_t off = 2;;) {
		off = jpeg_next(b, n, off);
		if (off == 0)
			return truncated(what, err);
		uint8_t marker = b[off - 1];
		if (marker == 0xd9)
			break;
		if (marker == 0xd8 || marker == 0x01)
			continue;
		if (n - off < 2 || be16(b + off) > n - off)
			return truncated(what, err);
		size_t len = be16(b + off);
		if (len < 2 || (jpeg_is_frame(marker) && len < 8) ||
		    (marker == 0xc4 && !jpeg_tables_fit(b + off + 2, len - 2)))
			return tp_fail(err, TP_CORRUPT, 0, "%s is damaged: bad JPEG segment", what);
		if (jpeg_is_frame(marker) && ret != NULL) {
			*ret = (container){.kind = CONTAINER_JPEG,
			                   .w = be16(b + off + 5),
			                   .h = be16(b + off + 3)};
			return TP_OK;
		}
		if (marker == 0xda && ++scans > JPEG_MAX_SCANS)
			return tp_fail(err, TP_INVALID, 0, "%s has more than %d scans", what,
			               JPEG_MAX_SCANS);
		off += len;
	}
	if (scans == 0 || ret != NULL)
		return tp_fail(err, TP_CORRUPT, 0, "%s is damaged: JPEG without image data", what);
	return TP_OK;
}

tp_status container_header(const void *bytes, size_t size, const char *what, container *ret,
                           tp_err *err)
{
	const uint8_t *b = bytes;
	if (size == 0)
		return tp_fail(err, TP_INVALID, 0, "%s is empty", what);
	if (size > IMAGE_MAX_BYTES)
		return tp_fail(err, TP_INVALID, 0, "%s has %zu bytes, the limit is %d", what, size,
		               IMAGE_MAX_BYTES);
	container c;
	tp_status st;
	if (memcmp(b, PNG_MAGIC, size < sizeof PNG_MAGIC ? size : sizeof PNG_MAGIC) == 0)
		st = png_header(b, size, what, &c, err);
	else if (size >= 3 && b[0] == 0xff && b[1] == 0xd8 && b[2] == 0xff)
		st = jpeg_walk(b, size, what, &c, err);
	else
		st = tp_fail(err, TP_INVALID, 0, "%s is neither PNG nor JPEG", what);
	if (st != TP_OK)
		return st;
	if (c.w == 0 || c.h == 0)
		return tp_fail(err, TP_CORRUPT, 0, "%s is damaged: %zux%zu pixels", what, c.w, c.h);
	if (c.w > IMAGE_MAX_SIDE || c.h > IMAGE_MAX_SIDE || c.w * c.h > IMAGE_MAX_PIXELS)
		return tp_fail(
			err, TP_INVALID, 0,
			"%s is too large: %zux%zu pixels, the limit is %d per side and %d in all",
			what, c.w, c.h, IMAGE_MAX_SIDE, IMAGE_MAX_PIXELS);
	*ret = c;
	return TP_OK;
}

tp_status container_check(const void *bytes, size_t size, const char *what, container_kind kind,
                          tp_err *err)
{
	if (kind == CONTAINER_PNG)
		return png_check(bytes, size, what, err);
	return jpeg_walk(bytes, size, what, NULL, err);
}
