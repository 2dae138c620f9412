/* The five layouts end to end: small trees named and encoded exactly like the real data sets are
 * listed, decoded, and their labels mapped to train ids. */
#include "data_files.h"

#include "data/dataset.h"
#include "data/image.h"
#include "data/label.h"

enum { W = 12, H = 7 };

/* Lists, decodes everything, checks that label pixel i of every file is want[i % values]. */
static void check(data_layout layout, const char *root, const char *split, const char *set_name,
                  size_t images, size_t labelled, const uint8_t *want, size_t values)
{
	class_set set;
	label_map *map = malloc(sizeof *map);
	dataset_list list;
	assert_ok(class_set_builtin(set_name, &set, err));
	assert_ok(label_map_builtin(layout, &set, map, err));
	assert_ok(dataset_scan(layout, root, split, NULL, &list, err));
	assert_int_equal(list.count, images);
	assert_int_equal(list.labelled, labelled);
	for (size_t i = 0; i < list.count; i++) {
		const dataset_item *it = &list.item[i];
		image img;
		assert_ok(image_load(it->image, &img, err));
		assert_int_equal(img.w, W);
		assert_int_equal(img.h, H);
		image_done(&img);
		if (it->label == NULL)
			continue;
		uint8_t *label;
		size_t w, h;
		assert_ok(label_load(it->label, map, W, H, &label, &w, &h, err));
		for (size_t p = 0; p < W * H; p++)
			if (label[p] != want[p % values])
				fail_msg("%s: pixel %zu is %u, not %u", it->label, p, label[p],
				         want[p % values]);
		free(label);
	}
	dataset_list_done(&list);
	free(map);
}

/* 8-bit grey label ids, city folders, colour and instance files beside them, test without labels.
 */
static void cityscapes(void **state)
{
	char dir[256], name[300];
	scratch_create(dir);
	const uint8_t id[8] = {7, 8, 11, 24, 33, 0, 29, 4};
	const struct {
		const char *split, *city, *frame;
	} row[] = {{"train", "aachen", "000000_000019"}, {"train", "aachen", "000001_000019"},
	           {"train", "zurich", "000121_000019"}, {"val", "frankfurt", "000000_000294"},
	           {"val", "munster", "000173_000019"},  {"test", "berlin", "000000_000019"}};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		const char *s = row[i].split, *c = row[i].city, *f = row[i].frame;
		(void)snprintf(name, sizeof name, "leftImg8bit/%s/%s/%s_%s_leftImg8bit.png", s, c,
		               c, f);
		put_file(dir, name, make_rgb_png(W, H));
		if (strcmp(s, "test") == 0)
			continue;
		(void)snprintf(name, sizeof name, "gtFine/%s/%s/%s_%s_gtFine_labelIds.png", s, c, c,
		               f);
		put_file(dir, name, make_gray_label(W, H, id, 8));
		(void)snprintf(name, sizeof name, "gtFine/%s/%s/%s_%s_gtFine_color.png", s, c, c,
		               f);
		put_file(dir, name, make_rgb_png(W, H));
		(void)snprintf(name, sizeof name, "gtFine/%s/%s/%s_%s_gtFine_polygons.json", s, c,
		               c, f);
		put_text(dir, name, "{}");
	}
	const uint8_t want19[8] = {0, 1, 2, 11, 18, 255, 255, 255};
	const uint8_t want16[8] = {0, 1, 2, 10, 15, 255, 255, 255};
	check(LAYOUT_CITYSCAPES, dir, NULL, "cityscapes-19", 3, 3, want19, 8);
	check(LAYOUT_CITYSCAPES, dir, "val", "cityscapes-19", 2, 2, want19, 8);
	check(LAYOUT_CITYSCAPES, dir, "val", "synthia-16", 2, 2, want16, 8);
	check(LAYOUT_CITYSCAPES, dir, "test", "cityscapes-19", 1, 0, NULL, 1);
	scratch_remove(dir);
}

/* Palette PNGs with the Cityscapes colours, 00001.png and on. */
static void gta5(void **state)
{
	char dir[256], name[64];
	scratch_create(dir);
	uint8_t palette[256][3] = {{0}}, index[W * H];
	const uint8_t color[][4] = {{7, 128, 64, 128}, {8, 244, 35, 232}, {11, 70, 70, 70},
	                            {27, 0, 0, 70},    {33, 119, 11, 32}, {34, 0, 0, 142}};
	const uint8_t id[7] = {7, 8, 11, 27, 33, 34, 255};
	for (size_t i = 0; i < sizeof color / sizeof *color; i++)
		memcpy(palette[color[i][0]], color[i] + 1, 3);
	for (size_t i = 0; i < W * H; i++)
		index[i] = id[i % 7];
	for (int i = 1; i <= 4; i++) {
		(void)snprintf(name, sizeof name, "images/%05d.png", i);
		put_file(dir, name, make_rgb_png(W, H));
		(void)snprintf(name, sizeof name, "labels/%05d.png", i);
		put_file(dir, name,
		         make_png(&(png_recipe){.rows = index,
		                                .w = W,
		                                .h = H,
		                                .depth = 8,
		                                .color = PNG_COLOR_TYPE_PALETTE,
		                                .palette = palette,
		                                .palette_size = 256}));
	}
	const uint8_t want[7] = {0, 1, 2, 14, 18, 255, 255};
	check(LAYOUT_GTA5, dir, NULL, "cityscapes-19", 4, 4, want, 7);
	scratch_remove(dir);
}

/* 16-bit RGB: class in red, instance in green; 0000000.png and on. */
static void synthia(void **state)
{
	char dir[256], name[64];
	scratch_create(dir);
	const uint8_t id[8] = {3, 4, 2, 21, 10, 11, 0, 22};
	uint8_t rows[W * H * 6] = {0};
	for (size_t i = 0; i < W * H; i++) {
		rows[i * 6 + 1] = id[i % 8];
		rows[i * 6 + 2] = (uint8_t)(i >> 4); /* instance */
		rows[i * 6 + 3] = (uint8_t)(i * 5);
	}
	for (int i = 0; i < 3; i++) {
		(void)snprintf(name, sizeof name, "RGB/%07d.png", i);
		put_file(dir, name, make_rgb_png(W, H));
		(void)snprintf(name, sizeof name, "GT/LABELS/%07d.png", i);
		put_file(dir, name,
		         make_png(&(png_recipe){rows, W, H, 16, .color = PNG_COLOR_TYPE_RGB}));
		(void)snprintf(name, sizeof name, "GT/COLOR/%07d.png", i);
		put_file(dir, name, make_rgb_png(W, H));
	}
	const uint8_t want19[8] = {0, 1, 2, 3, 11, 18, 255, 0};
	const uint8_t want16[8] = {0, 1, 2, 3, 10, 15, 255, 0};
	const uint8_t want13[8] = {0, 1, 2, 255, 7, 12, 255, 0};
	check(LAYOUT_SYNTHIA, dir, NULL, "cityscapes-19", 3, 3, want19, 8);
	check(LAYOUT_SYNTHIA, dir, NULL, "synthia-16", 3, 3, want16, 8);
	check(LAYOUT_SYNTHIA, dir, NULL, "synthia-13", 3, 3, want13, 8);
	scratch_remove(dir);
}

/* Train ids and 255, with splits. */
static void camvid(void **state)
{
	char dir[256];
	scratch_create(dir);
	const uint8_t id[5] = {0, 3, 8, 10, 255};
	const char *stem[] = {"train/0001TP_006690", "train/0006R0_f00930", "val/0016E5_07959"};
	for (size_t i = 0; i < 3; i++) {
		char name[64];
		(void)snprintf(name, sizeof name, "images/%s.png", stem[i]);
		put_file(dir, name, make_rgb_png(W, H));
		(void)snprintf(name, sizeof name, "labels/%s.png", stem[i]);
		put_file(dir, name, make_gray_label(W, H, id, 5));
	}
	check(LAYOUT_CAMVID, dir, "train", "camvid-11", 2, 2, id, 5);
	check(LAYOUT_CAMVID, dir, "val", "camvid-11", 1, 1, id, 5);
	scratch_remove(dir);
}

/* Mixed labelled and not; a target without a label folder. */
static void folder(void **state)
{
	char dir[256];
	scratch_create(dir);
	const uint8_t id[3] = {18, 5, 255};
	put_file(dir, "images/frame 1.png", make_rgb_png(W, H));
	put_file(dir, "images/frame 2.png", make_rgb_png(W, H));
	check(LAYOUT_FOLDER, dir, NULL, "cityscapes-19", 2, 0, id, 3);
	put_file(dir, "labels/frame 2.png", make_gray_label(W, H, id, 3));
	check(LAYOUT_FOLDER, dir, NULL, "cityscapes-19", 2, 1, id, 3);
	scratch_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cityscapes), cmocka_unit_test(gta5),   cmocka_unit_test(synthia),
		cmocka_unit_test(camvid),     cmocka_unit_test(folder),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
