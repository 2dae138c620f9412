#include "data/png.h"

#include <png.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/container.h"
#include "data/image.h"

/* libpng reports errors by longjmp. What must survive the jump lives in one of the two structs
 * below, owned by a function that does not call setjmp, so that no local is clobbered. */
typedef struct png_trouble {
	char text[120];
} png_trouble;

static void on_error(png_structp png, png_const_charp text)
{
	png_trouble *t = png_get_error_ptr(png);
	size_t n = strlen(text);
	n = n < sizeof t->text ? n : sizeof t->text - 1;
	memcpy(t->text, text, n);
	t->text[n] = 0;
	png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
	(void)png;
	(void)text;
}

typedef struct png_writer {
	png_structp png;
	png_infop info;
	png_trouble trouble;
	uint8_t *data;
	size_t size, capacity;
} png_writer;

static void write_bytes(png_structp png, png_bytep data, size_t size)
{
	png_writer *w = png_get_io_ptr(png);
	if (size > w->capacity - w->size) {
		size_t more = w->capacity * 2 + size;
		uint8_t *p = realloc(w->data, more);
		if (p == NULL)
			png_error(png, "out of memory");
		w->data = p;
		w->capacity = more;
	}
	memcpy(w->data + w->size, data, size);
	w->size += size;
}

static void flush_nothing(png_structp png) { (void)png; }

typedef struct png_picture {
	const uint8_t *rows; /* samples in the machine's byte order */
	size_t w, h, row_bytes;
	int depth, color;
	const png_color *palette; /* for PNG_COLOR_TYPE_PALETTE */
	int palette_size;
} png_picture;

static bool write_picture(png_writer *w, const png_picture *p)
{
	if (setjmp(png_jmpbuf(w->png)))
		return false;
	png_set_write_fn(w->png, w, write_bytes, flush_nothing);
	png_set_user_limits(w->png, IMAGE_MAX_SIDE, IMAGE_MAX_SIDE);
	/* Label maps are runs of equal values: unfiltered they pack best and fastest. */
	png_set_filter(w->png, 0,
	               p->depth == 8 && p->color != PNG_COLOR_TYPE_RGB ? PNG_FILTER_NONE
	                                                               : PNG_FILTER_SUB);
	png_set_compression_level(w->png, 4);
	png_set_IHDR(w->png, w->info, (png_uint_32)p->w, (png_uint_32)p->h, p->depth, p->color,
	             PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
	if (p->palette != NULL)
		png_set_PLTE(w->png, w->info, p->palette, p->palette_size);
	png_write_info(w->png, w->info);
	if (p->depth == 16 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
		png_set_swap(w->png);
	for (size_t y = 0; y < p->h; y++)
		png_write_row(w->png, p->rows + y * p->row_bytes);
	png_write_end(w->png, NULL);
	return true;
}

static tp_status encode(const png_picture *p, png_bytes *ret, tp_err *err)
{
	if (p->w == 0 || p->h == 0 || p->w > IMAGE_MAX_SIDE || p->h > IMAGE_MAX_SIDE)
		return tp_fail(err, TP_INVALID, 0, "cannot write a PNG of %zux%zu pixels", p->w,
		               p->h);
	png_writer w = {.trouble.text = "out of memory"};
	w.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &w.trouble, on_error, on_warning);
	w.info = w.png == NULL ? NULL : png_create_info_struct(w.png);
	bool ok = w.info != NULL && write_picture(&w, p);
	png_destroy_write_struct(&w.png, &w.info);
	if (!ok) {
		free(w.data);
		return tp_fail(err, TP_NOMEM, 0, "cannot write a PNG: %s", w.trouble.text);
	}
	*ret = (png_bytes){.data = w.data, .size = w.size};
	return TP_OK;
}

tp_status png_encode_palette(const uint8_t *index, size_t w, size_t h,
                             const uint8_t palette[256][3], png_bytes *ret, tp_err *err)
{
	png_color color[256];
	for (size_t i = 0; i < 256; i++)
		color[i] = (png_color){palette[i][0], palette[i][1], palette[i][2]};
	uint8_t highest = 0;
	for (size_t i = 0; i < w * h; i++)
		highest = index[i] > highest ? index[i] : highest;
	size_t n = 256; /* every index in use keeps its entry, else the file would be invalid */
	while (n > (size_t)highest + 1 && memcmp(palette[n - 1], palette[n - 2], 3) == 0)
		n--;
	png_picture p = {.rows = index,
	                 .w = w,
	                 .h = h,
	                 .row_bytes = w,
	                 .depth = 8,
	                 .color = PNG_COLOR_TYPE_PALETTE,
	                 .palette = color,
	                 .palette_size = (int)n};
	return encode(&p, ret, err);
}

tp_status png_encode_gray8(const uint8_t *v, size_t w, size_t h, png_bytes *ret, tp_err *err)
{
	png_picture p = {.rows = v,
	                 .w = w,
	                 .h = h,
	                 .row_bytes = w,
	                 .depth = 8,
	                 .color = PNG_COLOR_TYPE_GRAY};
	return encode(&p, ret, err);
}

tp_status png_encode_gray16(const uint16_t *v, size_t w, size_t h, png_bytes *ret, tp_err *err)
{
	png_picture p = {.rows = (const uint8_t *)v,
	                 .w = w,
	                 .h = h,
	                 .row_bytes = w * 2,
	                 .depth = 16,
	                 .color = PNG_COLOR_TYPE_GRAY};
	return encode(&p, ret, err);
}

tp_status png_encode_rgb(const uint8_t *rgb, size_t w, size_t h, png_bytes *ret, tp_err *err)
{
	png_picture p = {.rows = rgb,
	                 .w = w,
	                 .h = h,
	                 .row_bytes = w * 3,
	                 .depth = 8,
	                 .color = PNG_COLOR_TYPE_RGB};
	return encode(&p, ret, err);
}

typedef struct png_reader {
	png_structp png;
	png_infop info;
	png_trouble trouble;
	const uint8_t *data;
	size_t left;
	size_t w, h;   /* from the checked header */
	uint8_t *rows; /* one row, or all of an interlaced file */
	uint16_t *values;
} png_reader;

static void read_bytes(png_structp png, png_bytep data, size_t size)
{
	png_reader *r = png_get_io_ptr(png);
	if (size > r->left)
		png_error(png, "file is truncated");
	memcpy(data, r->data, size);
	r->data += size;
	r->left -= size;
}

/* The first sample of each pixel; 16-bit samples are big-endian in the file. */
static void take_first_samples(const uint8_t *row, size_t w, size_t channels, size_t depth,
                               uint16_t *v)
{
	size_t step = channels * (depth == 16 ? 2 : 1);
	for (size_t x = 0; x < w; x++, row += step)
		v[x] = depth == 16 ? (uint16_t)(row[0] << 8 | row[1]) : row[0];
}

static bool read_values(png_reader *r)
{
	if (setjmp(png_jmpbuf(r->png)))
		return false;
	png_set_read_fn(r->png, r, read_bytes);
	png_set_user_limits(r->png, IMAGE_MAX_SIDE, IMAGE_MAX_SIDE);
	png_set_chunk_cache_max(r->png, 64);
	png_set_chunk_malloc_max(r->png, 1 << 20);
	png_set_crc_action(r->png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
	png_read_info(r->png, r->info);
	png_set_packing(r->png); /* 1, 2 and 4 bits: one byte each, values unscaled */
	size_t passes = (size_t)png_set_interlace_handling(r->png);
	png_read_update_info(r->png, r->info);
	size_t channels = png_get_channels(r->png, r->info);
	size_t depth = png_get_bit_depth(r->png, r->info);
	size_t row_bytes = png_get_rowbytes(r->png, r->info);
	if (png_get_image_width(r->png, r->info) != r->w ||
	    png_get_image_height(r->png, r->info) != r->h ||
	    row_bytes < r->w * channels * (depth == 16 ? 2 : 1))
		png_error(r->png, "two different sizes");
	size_t stride = passes > 1 ? row_bytes : 0; /* interlaced rows grow over the passes */
	r->rows = malloc(passes > 1 ? row_bytes * r->h : row_bytes);
	if (r->rows == NULL)
		png_error(r->png, "out of memory");
	for (size_t pass = 0; pass < passes; pass++) {
		for (size_t y = 0; y < r->h; y++) {
			uint8_t *row = r->rows + y * stride;
			png_read_row(r->png, row, NULL);
			if (pass + 1 == passes)
				take_first_samples(row, r->w, channels, depth,
				                   r->values + y * r->w);
		}
	}
	png_read_end(r->png, NULL);
	return true;
}

tp_status png_decode_values(const void *bytes, size_t size, const char *what, uint16_t **ret_v,
                            size_t *ret_w, size_t *ret_h, tp_err *err)
{
	container c;
	tp_status st = container_header(bytes, size, what, &c, err);
	if (st != TP_OK)
		return st;
	if (c.kind != CONTAINER_PNG)
		return tp_fail(err, TP_INVALID, 0, "%s is not a PNG file", what);
	png_reader r = {
		.trouble.text = "out of memory", .data = bytes, .left = size, .w = c.w, .h = c.h};
	r.values = malloc(c.w * c.h * sizeof *r.values);
	if (r.values == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory decoding %s", what);
	r.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r.trouble, on_error, on_warning);
	r.info = r.png == NULL ? NULL : png_create_info_struct(r.png);
	bool ok = r.info != NULL && read_values(&r);
	png_destroy_read_struct(&r.png, &r.info, NULL);
	free(r.rows);
	if (!ok) {
		free(r.values);
		return tp_fail(err, TP_CORRUPT, 0, "cannot decode %s: %s", what, r.trouble.text);
	}
	*ret_v = r.values;
	*ret_w = c.w;
	*ret_h = c.h;
	return TP_OK;
}
