/* data_files: image files of any kind made on the spot, for the tests of core/data. */
#ifndef TP_TESTS_DATA_FILES_H
#define TP_TESTS_DATA_FILES_H

#include "harness.h"

#include <png.h>
#include <stdbool.h>
#include <zlib.h>

typedef struct blob {
	uint8_t *data;
	size_t size;
} blob;

MAYBE_UNUSED static void blob_add(blob *b, const void *data, size_t size)
{
	b->data = realloc(b->data, b->size + size);
	assert_non_null(b->data);
	memcpy(b->data + b->size, data, size);
	b->size += size;
}

static void blob_write(png_structp png, png_bytep data, size_t size)
{
	blob_add(png_get_io_ptr(png), data, size);
}
static void blob_flush(png_structp png) { (void)png; }

/* What make_png writes: `rows` holds packed rows as libpng wants them (16 bits big-endian). */
typedef struct png_recipe {
	const void *rows;
	size_t w, h;
	int depth, color; /* PNG_COLOR_TYPE_... */
	bool interlaced;
	const uint8_t (*palette)[3];
	int palette_size;
} png_recipe;

MAYBE_UNUSED static blob make_png(const png_recipe *r)
{
	blob b = {0};
	png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
	png_infop info = png_create_info_struct(png);
	png_set_write_fn(png, &b, blob_write, blob_flush);
	png_set_IHDR(png, info, (png_uint_32)r->w, (png_uint_32)r->h, r->depth, r->color,
	             r->interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
	             PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
	if (r->palette != NULL)
		png_set_PLTE(png, info, (png_const_colorp)r->palette, r->palette_size);
	png_write_info(png, info);
	int passes = png_set_interlace_handling(png);
	size_t row_bytes = png_get_rowbytes(png, info);
	for (int pass = 0; pass < passes; pass++)
		for (size_t y = 0; y < r->h; y++)
			png_write_row(png, (png_const_bytep)r->rows + y * row_bytes);
	png_write_end(png, NULL);
	png_destroy_write_struct(&png, &info);
	return b;
}

/* An RGB picture whose pixels differ from their neighbours but are smooth enough for JPEG. */
MAYBE_UNUSED static uint8_t *make_rgb(size_t w, size_t h)
{
	uint8_t *rgb = malloc(w * h * 3);
	assert_non_null(rgb);
	for (size_t y = 0; y < h; y++) {
		for (size_t x = 0; x < w; x++) {
			uint8_t *px = rgb + (y * w + x) * 3;
			px[0] = (uint8_t)(40 + x * 150 / w);
			px[1] = (uint8_t)(60 + y * 120 / h);
			px[2] = (uint8_t)(50 + (x + y) * 100 / (w + h));
		}
	}
	return rgb;
}

MAYBE_UNUSED static blob make_rgb_png(size_t w, size_t h)
{
	uint8_t *rgb = make_rgb(w, h);
	blob b = make_png(&(png_recipe){rgb, w, h, 8, .color = PNG_COLOR_TYPE_RGB});
	free(rgb);
	return b;
}

/* A grey 8-bit label file with pixel i = value[i % values]. */
MAYBE_UNUSED static blob make_gray_label(size_t w, size_t h, const uint8_t *value, size_t values)
{
	uint8_t *v = malloc(w * h);
	assert_non_null(v);
	for (size_t i = 0; i < w * h; i++)
		v[i] = value[i % values];
	blob b = make_png(&(png_recipe){v, w, h, 8, .color = PNG_COLOR_TYPE_GRAY});
	free(v);
	return b;
}

/* dir/name with its folders; frees the blob. */
MAYBE_UNUSED static void put_file(const char *dir, const char *name, blob b)
{
	char path[1024];
	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	char *slash = strrchr(path, '/');
	*slash = 0;
	assert_ok(file_mkdirs(path, err));
	*slash = '/';
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(b.data, 1, b.size, f), b.size);
	assert_int_equal(fclose(f), 0);
	free(b.data);
}

MAYBE_UNUSED static void put_text(const char *dir, const char *name, const char *text)
{
	blob b = {0};
	blob_add(&b, text, strlen(text));
	put_file(dir, name, b);
}

/* The call fails with `code` and its words contain `part`. */
#define assert_fails(call, want_code, part)                                                        \
	do {                                                                                       \
		tp_err assert_err = {0};                                                           \
		tp_err *err = &assert_err;                                                         \
		tp_status assert_code = (call);                                                    \
		if (assert_code != (tp_status)(want_code) ||                                       \
		    strstr(assert_err.text, part) == NULL)                                         \
			fail_msg("%s: code %d, \"%s\"", #call, assert_code, assert_err.text);      \
	} while (0)

#endif
