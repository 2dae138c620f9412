/* png: what is encoded comes back, stored values come out unscaled for every kind of PNG, damage
 * is refused. stb_image is shown to destroy the label kinds, which is why png.c exists. */
#include "data_files.h"

#include "data/image.h"
#include "data/label.h"
#include "data/png.h"
#include "data/png_files.h"

static void assert_values(blob b, const uint16_t *want, size_t w, size_t h)
{
	uint16_t *v = NULL;
	size_t got_w = 0, got_h = 0;
	assert_ok(png_decode_values(b.data, b.size, "x", &v, &got_w, &got_h, err));
	assert_int_equal(got_w, w);
	assert_int_equal(got_h, h);
	assert_memory_equal(v, want, w * h * sizeof *v);
	free(v);
}

static void encoders_round_trip(void **state)
{
	enum { W = 37, H = 11 };
	uint8_t v8[W * H], palette[256][3] = {{0}};
	uint16_t v16[W * H], want[W * H];
	for (size_t i = 0; i < W * H; i++) {
		v8[i] = (uint8_t)(i * 7);
		want[i] = v8[i];
		v16[i] = (uint16_t)(i * 161 + 3);
	}
	for (size_t i = 0; i < 19; i++)
		palette[i][0] = (uint8_t)(i + 1);
	png_bytes a, b;
	assert_ok(png_encode_gray8(v8, W, H, &a, err));
	assert_values((blob){a.data, a.size}, want, W, H);
	free(a.data);
	assert_ok(png_encode_gray16(v16, W, H, &a, err));
	assert_values((blob){a.data, a.size}, v16, W, H);
	free(a.data);
	assert_ok(png_encode_palette(v8, W, H, palette, &a, err));
	assert_ok(png_encode_palette(v8, W, H, palette, &b, err));
	assert_values((blob){a.data, a.size}, want, W, H);
	assert_int_equal(a.size, b.size); /* the same input gives the same bytes */
	assert_memory_equal(a.data, b.data, a.size);
	free(a.data);
	free(b.data);

	uint8_t *rgb = make_rgb(W, H);
	assert_ok(png_encode_rgb(rgb, W, H, &a, err));
	image img;
	assert_ok(image_decode(a.data, a.size, "x", &img, err));
	assert_memory_equal(img.rgb, rgb, W * H * 3);
	image_done(&img);
	free(a.data);
	free(rgb);
	assert_fails(png_encode_gray8(v8, 0, 5, &a, err), TP_INVALID, "0x5");
	assert_fails(png_encode_gray8(v8, 1, 16385, &a, err), TP_INVALID, "16385");
}

static size_t palette_entries(const png_bytes *b)
{
	const uint8_t *p = b->data;
	for (size_t i = 8; i + 8 < b->size;) {
		size_t len = (size_t)p[i] << 24 | (size_t)p[i + 1] << 16 | (size_t)p[i + 2] << 8 |
		             p[i + 3];
		if (memcmp(p + i + 4, "PLTE", 4) == 0)
			return len / 3;
		i += 12 + len;
	}
	return 0;
}

/* Trailing equal colours are cut, but never below the highest index in use. */
static void palette_is_cut(void **state)
{
	uint8_t palette[256][3] = {{1, 2, 3}, {4, 5, 6}};
	const uint8_t low[4] = {0, 1, 1, 0}, high[4] = {0, 255, 1, 0};
	png_bytes b;
	assert_ok(png_encode_palette(low, 2, 2, palette, &b, err));
	assert_int_equal(palette_entries(&b), 3);
	free(b.data);
	assert_ok(png_encode_palette(high, 2, 2, palette, &b, err));
	assert_int_equal(palette_entries(&b), 256);
	assert_values((blob){b.data, b.size}, (const uint16_t[]){0, 255, 1, 0}, 2, 2);
	free(b.data);
}

/* GTA5 keeps label ids as palette indices. */
static void gta5_palette_keeps_ids(void **state)
{
	uint8_t palette[35][3];
	for (size_t i = 0; i < 35; i++)
		for (size_t c = 0; c < 3; c++)
			palette[i][c] = (uint8_t)(200 - i - c * 50);
	const uint8_t index[6] = {7, 8, 11, 33, 34, 7};
	const uint16_t want[6] = {7, 8, 11, 33, 34, 7};
	blob b = make_png(&(png_recipe){.rows = index,
	                                .w = 3,
	                                .h = 2,
	                                .depth = 8,
	                                .color = PNG_COLOR_TYPE_PALETTE,
	                                .palette = palette,
	                                .palette_size = 35});
	assert_values(b, want, 3, 2);
	image img;
	assert_ok(image_decode(b.data, b.size, "x", &img, err));
	assert_int_equal(img.rgb[0], 193); /* the colour: the id 7 is lost */
	image_done(&img);
	free(b.data);
}

/* SYNTHIA keeps ids in the red channel of 16-bit RGB, instances in the green one. */
static void synthia_16_bit_keeps_ids(void **state)
{
	uint8_t rows[4 * 6];
	const uint16_t want[4] = {3, 22, 300, 65535};
	for (size_t i = 0; i < 4; i++) {
		const uint16_t px[3] = {want[i], (uint16_t)(1000 + i), 0};
		for (size_t c = 0; c < 3; c++) {
			rows[i * 6 + c * 2] = (uint8_t)(px[c] >> 8);
			rows[i * 6 + c * 2 + 1] = (uint8_t)px[c];
		}
	}
	blob b = make_png(&(png_recipe){rows, 2, 2, 16, .color = PNG_COLOR_TYPE_RGB});
	assert_values(b, want, 2, 2);
	image img;
	assert_ok(image_decode(b.data, b.size, "x", &img, err));
	assert_int_equal(img.rgb[0], 0); /* the high byte: 3 and 22 are the same there */
	assert_int_equal(img.rgb[3], 0);
	image_done(&img);
	free(b.data);
}

/* Every colour type and depth, also interlaced: the first sample, never scaled. */
static void every_kind_is_read_unscaled(void **state)
{
	enum { W = 13, H = 9 };
	const struct {
		int color;
		size_t channels;
		int depth[5];
	} kind[] = {
		{PNG_COLOR_TYPE_GRAY, 1, {1, 2, 4, 8, 16}},
		{PNG_COLOR_TYPE_PALETTE, 1, {1, 2, 4, 8, 0}},
		{PNG_COLOR_TYPE_GRAY_ALPHA, 2, {8, 16, 0, 0, 0}},
		{PNG_COLOR_TYPE_RGB, 3, {8, 16, 0, 0, 0}},
		{PNG_COLOR_TYPE_RGB_ALPHA, 4, {8, 16, 0, 0, 0}},
	};
	uint8_t palette[256][3] = {{9, 9, 9}};
	for (size_t k = 0; k < sizeof kind / sizeof *kind; k++) {
		for (size_t d = 0; d < 5 && kind[k].depth[d] != 0; d++) {
			int depth = kind[k].depth[d];
			size_t bits = (size_t)depth * kind[k].channels, row = (W * bits + 7) / 8;
			uint8_t bytes[H * W * 8] = {0};
			uint16_t want[W * H];
			for (size_t i = 0; i < W * H; i++) {
				uint32_t v = (uint32_t)(i * 2654435761u >> 7) & ((1u << depth) - 1);
				want[i] = (uint16_t)v;
				uint8_t *p = bytes + i / W * row + i % W * bits / 8;
				if (depth == 16) {
					p[0] = (uint8_t)(v >> 8);
					p[1] = (uint8_t)v;
				} else {
					p[0] |= (uint8_t)(v << (8 - (size_t)depth -
					                        i % W * bits % 8));
				}
				for (size_t c = 1; c < kind[k].channels; c++)
					p[c * (size_t)depth / 8] = 77;
			}
			for (int laced = 0; laced < 2; laced++) {
				png_recipe r = {.rows = bytes,
				                .w = W,
				                .h = H,
				                .depth = depth,
				                .color = kind[k].color,
				                .interlaced = laced};
				if (r.color == PNG_COLOR_TYPE_PALETTE) {
					r.palette = palette;
					r.palette_size = 1 << depth;
				}
				blob b = make_png(&r);
				assert_values(b, want, W, H);
				free(b.data);
			}
		}
	}
}

/* Every truncation and every flipped bit ends in an error that names the file, nothing leaks. */
static void damage_is_refused(void **state)
{
	const uint8_t value[5] = {7, 8, 11, 26, 255};
	blob b = make_gray_label(31, 17, value, 5);
	uint16_t *v = NULL;
	size_t w, h;
	for (size_t n = 0; n < b.size; n++) {
		uint8_t *cut = malloc(n + (n == 0));
		memcpy(cut, b.data, n);
		tp_err err = {0};
		tp_status st = png_decode_values(cut, n, "cut.png", &v, &w, &h, &err);
		assert_true(st == TP_CORRUPT || (n == 0 && st == TP_INVALID));
		assert_non_null(strstr(err.text, "cut.png"));
		free(cut);
	}
	for (size_t i = 0; i < b.size * 8; i++) {
		b.data[i / 8] ^= (uint8_t)(1u << (i % 8));
		assert_int_not_equal(png_decode_values(b.data, b.size, "x", &v, &w, &h, NULL),
		                     TP_OK);
		b.data[i / 8] ^= (uint8_t)(1u << (i % 8));
	}
	assert_null(v);
	free(b.data);
	assert_fails(png_decode_values("hello, world", 12, "t.png", &v, &w, &h, err), TP_INVALID,
	             "t.png is neither");
	const uint8_t jpeg[] = {0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0, 4, 0, 4, 1, 1, 0x11, 0};
	assert_fails(png_decode_values(jpeg, sizeof jpeg, "j.png", &v, &w, &h, err), TP_INVALID,
	             "j.png is not a PNG");
}

/* A wrong checksum counts in chunks that do not carry pixels, too. */
static void damaged_text_chunk_is_refused(void **state)
{
	const uint8_t value[2] = {7, 8};
	blob b = make_gray_label(4, 4, value, 2), with = {0};
	uint8_t text[16] = {0, 0, 0, 4, 't', 'E', 'X', 't', 'a', 0, 'b', 'c'};
	uint32_t crc = (uint32_t)crc32(0, text + 4, 8);
	for (size_t i = 0; i < 4; i++)
		text[12 + i] = (uint8_t)(crc >> (24 - 8 * i));
	blob_add(&with, b.data, 33);
	blob_add(&with, text, sizeof text);
	blob_add(&with, b.data + 33, b.size - 33);
	assert_values(with, (const uint16_t[]){7, 8, 7, 8, 7, 8, 7, 8, 7, 8, 7, 8, 7, 8, 7, 8}, 4,
	              4);
	with.data[33 + 10] ^= 1;
	uint16_t *v = NULL;
	size_t w, h;
	assert_fails(png_decode_values(with.data, with.size, "t.png", &v, &w, &h, err), TP_CORRUPT,
	             "t.png");
	free(with.data);
	free(b.data);
}

static void oversized_headers_are_refused(void **state)
{
	const uint8_t zero = 0;
	blob b = make_gray_label(4, 4, &zero, 1);
	b.data[18] = 0xff; /* width 65284 */
	uint16_t *v = NULL;
	size_t w, h;
	assert_fails(png_decode_values(b.data, b.size, "big.png", &v, &w, &h, err), TP_INVALID,
	             "big.png is too large");
	free(b.data);
}

static void several_files_at_once(void **state)
{
	enum { W = 20, H = 13 };
	char dir[256], path[300];
	uint8_t v8[W * H], palette[256][3] = {{9, 8, 7}};
	uint16_t v16[W * H], *v;
	size_t w, h;
	pool *workers = new_pool(2);
	for (size_t i = 0; i < W * H; i++) {
		v8[i] = (uint8_t)(i % 5);
		v16[i] = (uint16_t)(i * 250);
	}
	png_file file[3] = {{.name = "grey.png", .map = v8},
	                    {.name = "colour.png", .map = v8,
	                     .palette = (const uint8_t(*)[3])palette},
	                    {.name = "wide.png", .wide = v16}};
	scratch_create(dir);
	int fd = open(dir, O_RDONLY | O_DIRECTORY);
	assert_ok(png_files_write(fd, file, 3, W, H, workers, err));
	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", dir, file[i].name);
		assert_ok(label_load_values(path, W, H, &v, &w, &h, err));
		for (size_t k = 0; k < W * H; k++)
			assert_int_equal(v[k], i == 2 ? v16[k] : v8[k]);
		free(v);
	}
	file[1].name = "absent/colour.png";
	assert_fails(png_files_write(fd, file, 3, W, H, workers, err), TP_IO, "absent/colour.png");
	(void)close(fd);
	scratch_remove(dir);
	pool_free(workers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encoders_round_trip),
		cmocka_unit_test(palette_is_cut),
		cmocka_unit_test(gta5_palette_keeps_ids),
		cmocka_unit_test(synthia_16_bit_keeps_ids),
		cmocka_unit_test(every_kind_is_read_unscaled),
		cmocka_unit_test(damage_is_refused),
		cmocka_unit_test(damaged_text_chunk_is_refused),
		cmocka_unit_test(oversized_headers_are_refused),
		cmocka_unit_test(several_files_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
