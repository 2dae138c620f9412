/* image and container: decoding, limits before decoding, damage, resampling. */
#include "data_files.h"

#include <sys/stat.h>

#include "../golden/jpeg_fixture.h"
#include "data/image.h"

/* The three files of one 40x24 picture: PNG, baseline and progressive JPEG. */
enum { W = 40, H = 24, KINDS = 3 };

static blob make_kind(int kind)
{
	if (kind == 0)
		return make_rgb_png(W, H);
	blob b = {0};
	if (kind == 1)
		blob_add(&b, JPEG_BASELINE, sizeof JPEG_BASELINE);
	else
		blob_add(&b, JPEG_PROGRESSIVE, sizeof JPEG_PROGRESSIVE);
	return b;
}

static void decodes_png_and_jpeg(void **state)
{
	uint8_t *want = make_rgb(W, H);
	for (int kind = 0; kind < KINDS; kind++) {
		blob b = make_kind(kind);
		image img;
		assert_ok(image_decode(b.data, b.size, "x", &img, err));
		assert_int_equal(img.w, W);
		assert_int_equal(img.h, H);
		int worst = 0;
		for (size_t i = 0; i < W * H * 3; i++)
			worst = abs(img.rgb[i] - want[i]) > worst ? abs(img.rgb[i] - want[i])
			                                          : worst;
		assert_true(kind == 0 ? worst == 0 : worst <= 12);
		image_done(&img);
		free(b.data);
	}
	free(want);
}

/* Palette, grey and 16-bit pictures become RGB. */
static void other_png_kinds_become_rgb(void **state)
{
	const uint8_t palette[2][3] = {{10, 20, 30}, {200, 100, 50}};
	const uint8_t index[6] = {0, 1, 1, 1, 0, 1};
	const uint8_t gray[6] = {0, 255, 128, 7, 8, 9};
	uint8_t deep[2 * 3 * 6]; /* 2 x 1 pixels of 16-bit RGB */
	for (size_t i = 0; i < 12; i++)
		deep[i] = (uint8_t)(i % 2 == 0 ? 100 + i : 7);
	struct {
		png_recipe recipe;
		uint8_t first[3], second[3];
	} row[] = {
		{{index, 3, 2, 8, .color = PNG_COLOR_TYPE_PALETTE, .palette = palette,
	          .palette_size = 2},
	         {10, 20, 30},
	         {200, 100, 50}},
		{{gray, 3, 2, 8, .color = PNG_COLOR_TYPE_GRAY}, {0, 0, 0}, {255, 255, 255}},
		{{deep, 2, 1, 16, .color = PNG_COLOR_TYPE_RGB}, {100, 102, 104}, {106, 108, 110}},
	};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		blob b = make_png(&row[i].recipe);
		image img;
		assert_ok(image_decode(b.data, b.size, "x", &img, err));
		assert_memory_equal(img.rgb, row[i].first, 3);
		assert_memory_equal(img.rgb + 3, row[i].second, 3);
		image_done(&img);
		free(b.data);
	}
}

/* Every truncation is refused, at each length of the file. The copy is exactly as long as the
 * bytes given, so that a sanitizer sees a read behind them. */
static void truncation_is_refused(void **state)
{
	for (int kind = 0; kind < KINDS; kind++) {
		blob b = make_kind(kind);
		for (size_t n = 0; n < b.size; n++) {
			uint8_t *cut = malloc(n + (n == 0));
			memcpy(cut, b.data, n);
			image img = {0};
			tp_err err = {0};
			tp_status st = image_decode(cut, n, "cut.png", &img, &err);
			if (st != TP_CORRUPT && !(n < 3 && st == TP_INVALID))
				fail_msg("length %zu of %zu: code %d", n, b.size, st);
			assert_non_null(strstr(err.text, "cut.png"));
			assert_null(img.rgb);
			free(cut);
		}
		image img;
		assert_ok(image_decode(b.data, b.size, "x", &img, err));
		image_done(&img);
		free(b.data);
	}
}

/* Any flipped bit of a PNG is found by its checksums or refused by the decoder; a JPEG has no
 * checksum, so there the decoder must only survive. */
static void flipped_bits_are_survived(void **state)
{
	for (int kind = 0; kind < KINDS; kind++) {
		blob b = make_kind(kind);
		size_t refused = 0;
		for (size_t i = 0; i < b.size; i++) {
			b.data[i] ^= (uint8_t)(1u << (i % 8));
			image img = {0};
			if (image_decode(b.data, b.size, "x", &img, NULL) != TP_OK)
				refused++;
			image_done(&img);
			b.data[i] ^= (uint8_t)(1u << (i % 8));
		}
		if (kind == 0)
			assert_int_equal(refused, b.size);
		free(b.data);
	}
}

/* Whole files that hold no picture, or far too many scans of one. */
static void hollow_files_are_refused(void **state)
{
	image img = {0};
	const uint8_t empty[] = {0xff, 0xd8, 0xff, 0xd9};
	assert_fails(image_decode(empty, sizeof empty, "x.jpg", &img, err), TP_CORRUPT,
	             "x.jpg is damaged");
	blob b = make_kind(1), many = {0};
	size_t scan = 2; /* offset of the first scan header */
	while (b.data[scan + 1] != 0xda)
		scan += 2 + ((size_t)b.data[scan + 2] << 8 | b.data[scan + 3]);
	blob_add(&many, b.data, scan);
	for (size_t i = 0; i < 201; i++)
		blob_add(&many, b.data + scan, 14);
	blob_add(&many, b.data + scan, b.size - scan);
	assert_fails(image_decode(many.data, many.size, "m.jpg", &img, err), TP_INVALID,
	             "m.jpg has more than 200 scans");
	free(many.data);
	many = (blob){0};
	blob_add(&many, b.data, scan);
	blob_add(&many, empty + 2, 2);
	assert_fails(image_decode(many.data, many.size, "n.jpg", &img, err), TP_CORRUPT,
	             "n.jpg is damaged: JPEG without image data");
	free(many.data);
	free(b.data);
	b = make_rgb_png(W, H);
	many = (blob){0};
	blob_add(&many, b.data, 33);
	blob_add(&many, b.data + b.size - 12, 12);
	assert_fails(image_decode(many.data, many.size, "n.png", &img, err), TP_CORRUPT,
	             "n.png is damaged: PNG without image data");
	free(many.data);
	free(b.data);
	assert_null(img.rgb);
}

/* Huffman tables that overflow the decoder's are refused before it sees them; tables that are used
 * but never defined, and random damage, are survived. */
static void damaged_jpeg_tables_are_survived(void **state)
{
	image img = {0};
	blob b = make_kind(1);
	size_t table = 2;
	while (b.data[table + 1] != 0xc4)
		table += 2 + ((size_t)b.data[table + 2] << 8 | b.data[table + 3]);
	uint8_t *counts = b.data + table + 5, keep[16];
	memcpy(keep, counts, 16);
	memset(counts, 255, 16); /* more than the segment holds */
	assert_fails(image_decode(b.data, b.size, "t.jpg", &img, err), TP_CORRUPT,
	             "t.jpg is damaged: bad JPEG segment");
	memcpy(counts, keep, 16);
	for (size_t i = 0; i < 16; i++) { /* as many codes, but too short to be distinct */
		counts[0] = (uint8_t)(counts[0] + counts[i] * (i > 0));
		counts[i] = i > 0 ? 0 : counts[0];
	}
	assert_fails(image_decode(b.data, b.size, "t.jpg", &img, err), TP_CORRUPT,
	             "t.jpg is damaged: bad JPEG segment");
	memcpy(counts, keep, 16);
	b.data[table + 4] ^= 3; /* defines another table than the scan uses */
	if (image_decode(b.data, b.size, "t.jpg", &img, NULL) == TP_OK)
		image_done(&img);
	free(b.data);
	for (uint64_t n = 0; n < 4000; n++) {
		b = make_kind(1 + (int)(n % 2));
		for (uint64_t i = 0; i < 1 + n % 5; i++)
			b.data[rng_below(n, RNG_TEST, 2 * i, b.size)] =
				(uint8_t)rng_u64(n, RNG_TEST, 2 * i + 1);
		if (image_decode(b.data, b.size, "x", &img, NULL) == TP_OK)
			image_done(&img);
		free(b.data);
	}
}

static void set_be32(uint8_t *p, uint32_t v)
{
	for (size_t i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* A header that promises gigapixels is refused before anything is decoded. */
static void bombs_are_refused(void **state)
{
	const uint32_t size[][2] = {
		{65500, 65500}, {16385, 1}, {1, 16385}, {16384, 16384}, {0xffffffff, 0xffffffff}};
	image img = {0};
	for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
		blob b = make_rgb_png(8, 8);
		set_be32(b.data + 16, size[i][0]);
		set_be32(b.data + 20, size[i][1]);
		assert_fails(image_decode(b.data, b.size, "bomb.png", &img, err), TP_INVALID,
		             "bomb.png is too large");
		free(b.data);
	}
	blob b = make_kind(1);
	for (size_t i = 0; i + 9 < b.size; i++) {
		if (b.data[i] == 0xff && b.data[i + 1] == 0xc0) {
			set_be32(b.data + i + 5, 65500u << 16 | 65500u);
			break;
		}
	}
	assert_fails(image_decode(b.data, b.size, "bomb.jpg", &img, err), TP_INVALID,
	             "bomb.jpg is too large: 65500x65500");
	free(b.data);
	/* Too many bytes are refused by their number alone. */
	assert_fails(image_decode("x", (size_t)IMAGE_MAX_BYTES + 1, "big", &img, err), TP_INVALID,
	             "limit");
	assert_null(img.rgb);
}

/* A few image rows declared, but a deflate stream of 600 MB behind them: stb's buffer may not
 * follow it. */
static void deflate_bomb_is_refused(void **state)
{
	const size_t w = 4, h = 4, zeros = (size_t)600 << 20;
	blob b = make_rgb_png(w, h), bomb = {0};
	uint8_t *block = calloc(1, 1 << 20);
	z_stream z = {0};
	blob idat = {0};
	uint8_t out[65536];
	assert_int_equal(deflateInit(&z, 1), Z_OK);
	for (size_t done = 0; done <= zeros; done += 1 << 20) {
		z.next_in = block;
		z.avail_in = 1 << 20;
		do {
			z.next_out = out;
			z.avail_out = sizeof out;
			(void)deflate(&z, done == zeros ? Z_FINISH : Z_NO_FLUSH);
			blob_add(&idat, out, sizeof out - z.avail_out);
		} while (z.avail_out == 0);
	}
	(void)deflateEnd(&z);
	blob_add(&bomb, b.data, 33); /* signature and IHDR */
	uint8_t word[4];
	set_be32(word, (uint32_t)idat.size);
	blob_add(&bomb, word, 4);
	size_t start = bomb.size;
	blob_add(&bomb, "IDAT", 4);
	blob_add(&bomb, idat.data, idat.size);
	set_be32(word, (uint32_t)crc32(0, bomb.data + start, (uInt)(bomb.size - start)));
	blob_add(&bomb, word, 4);
	blob_add(&bomb, b.data + b.size - 12, 12); /* IEND */
	image img = {0};
	assert_fails(image_decode(bomb.data, bomb.size, "z.png", &img, err), TP_CORRUPT, "z.png");
	free(block);
	free(idat.data);
	free(b.data);
	free(bomb.data);
}

static void files_are_probed_and_named(void **state)
{
	char dir[256], path[300];
	scratch_create(dir);
	put_file(dir, "a.png", make_rgb_png(300, 200));
	put_file(dir, "b.jpg", make_kind(1));
	put_text(dir, "text.png", "this is no image\n");
	put_text(dir, "empty.png", "");
	/* A JPEG whose size comes after 100 KB of profile. */
	blob b = make_kind(2), late = {0};
	uint8_t app[50004] = {0xff, 0xe2, 50002 >> 8, 50002 & 255};
	blob_add(&late, b.data, 2);
	blob_add(&late, app, sizeof app);
	blob_add(&late, app, sizeof app);
	blob_add(&late, b.data + 2, b.size - 2);
	free(b.data);
	put_file(dir, "late.jpg", late);

	struct {
		const char *name;
		size_t w, h;
	} good[] = {{"a.png", 300, 200}, {"b.jpg", W, H}, {"late.jpg", W, H}};
	for (size_t i = 0; i < 3; i++) {
		size_t w = 0, h = 0;
		(void)snprintf(path, sizeof path, "%s/%s", dir, good[i].name);
		assert_ok(image_probe_file(path, &w, &h, err));
		assert_int_equal(w, good[i].w);
		assert_int_equal(h, good[i].h);
		image img;
		assert_ok(image_load(path, &img, err));
		assert_int_equal(img.w, good[i].w);
		image_done(&img);
	}
	struct {
		const char *name;
		tp_status code;
		const char *text;
	} bad[] = {{"text.png", TP_INVALID, "text.png is neither PNG nor JPEG"},
	           {"empty.png", TP_INVALID, "empty.png is empty"},
	           {"absent.png", TP_NOTFOUND, "absent.png"},
	           {".", TP_INVALID, "is not a regular file"}};
	for (size_t i = 0; i < 4; i++) {
		size_t w, h;
		image img;
		(void)snprintf(path, sizeof path, "%s/%s", dir, bad[i].name);
		assert_fails(image_load(path, &img, err), bad[i].code, bad[i].text);
		assert_fails(image_probe_file(path, &w, &h, err), bad[i].code, bad[i].text);
	}
	scratch_remove(dir);
}

static image small_image(size_t w, size_t h)
{
	image img = {.w = w, .h = h, .rgb = make_rgb(w, h)};
	for (size_t i = 0; i < w * h * 3; i++)
		img.rgb[i] = (uint8_t)(img.rgb[i] ^ (i * 37));
	return img;
}

/* The definition, in double and without any shortcut. */
static double resampled(const image *img, double out_w, double out_h, size_t x, size_t y, size_t c)
{
	double sx = ((double)x + .5) * (double)img->w / out_w - .5;
	double sy = ((double)y + .5) * (double)img->h / out_h - .5;
	sx = fmin(fmax(sx, 0), (double)img->w - 1);
	sy = fmin(fmax(sy, 0), (double)img->h - 1);
	size_t x0 = (size_t)sx, y0 = (size_t)sy;
	size_t x1 = x0 + 1 < img->w ? x0 + 1 : x0, y1 = y0 + 1 < img->h ? y0 + 1 : y0;
	double fx = sx - (double)x0, fy = sy - (double)y0;
#define PX(yy, xx) img->rgb[((yy)*img->w + (xx)) * 3 + c]
	double v = (PX(y0, x0) * (1 - fx) + PX(y0, x1) * fx) * (1 - fy) +
	           (PX(y1, x0) * (1 - fx) + PX(y1, x1) * fx) * fy;
#undef PX
	return (v / 255 - (double)INPUT_NORM_IMAGENET.mean[c]) / (double)INPUT_NORM_IMAGENET.std[c];
}

static void input_matches_the_definition(void **state)
{
	image img = small_image(23, 17);
	pool *three = new_pool(3);
	const size_t size[][2] = {{17, 23}, {34, 46}, {9, 11}, {40, 7}, {1, 1}, {100, 61}};
	for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
		size_t h = size[i][0], w = size[i][1];
		float *got = floats(h * w * 3), *flip = floats(h * w * 3);
		image_to_input(&img, &INPUT_NORM_IMAGENET, h, w, false, got, NULL);
		image_to_input(&img, &INPUT_NORM_IMAGENET, h, w, true, flip, three);
		for (size_t y = 0; y < h; y++) {
			for (size_t x = 0; x < w; x++) {
				for (size_t c = 0; c < 3; c++) {
					float v = got[(y * w + x) * 3 + c];
					assert_near(v,
					            resampled(&img, (double)w, (double)h, x, y, c),
					            2e-5);
					assert_true(v == flip[(y * w + w - 1 - x) * 3 + c]);
				}
			}
		}
		mem_free(got);
		mem_free(flip);
	}
	pool_free(three);
	image_done(&img);
}

static void thumbnail_is_a_box_mean(void **state)
{
	image img = small_image(64, 32), t;
	assert_ok(image_thumbnail(&img, 16, &t, err));
	assert_int_equal(t.w, 16);
	assert_int_equal(t.h, 8);
	for (size_t i = 0; i < 16 * 8 * 3; i++) {
		size_t x = i / 3 % 16, y = i / 48, c = i % 3;
		double sum = 0;
		for (size_t k = 0; k < 16; k++)
			sum += img.rgb[((y * 4 + k / 4) * 64 + x * 4 + k % 4) * 3 + c];
		assert_near(t.rgb[i], sum / 16, 0.51);
	}
	image_done(&t);
	assert_ok(image_thumbnail(&img, 200, &t, err)); /* never enlarged */
	assert_int_equal(t.w, 64);
	assert_memory_equal(t.rgb, img.rgb, 64 * 32 * 3);
	image_done(&t);
	image_done(&img);
	img = small_image(300, 1);
	assert_ok(image_thumbnail(&img, 10, &t, err));
	assert_int_equal(t.w, 10);
	assert_int_equal(t.h, 1);
	image_done(&t);
	image_done(&img);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_png_and_jpeg),
		cmocka_unit_test(other_png_kinds_become_rgb),
		cmocka_unit_test(truncation_is_refused),
		cmocka_unit_test(flipped_bits_are_survived),
		cmocka_unit_test(damaged_jpeg_tables_are_survived),
		cmocka_unit_test(hollow_files_are_refused),
		cmocka_unit_test(bombs_are_refused),
		cmocka_unit_test(deflate_bomb_is_refused),
		cmocka_unit_test(files_are_probed_and_named),
		cmocka_unit_test(input_matches_the_definition),
		cmocka_unit_test(thumbnail_is_a_box_mean),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
