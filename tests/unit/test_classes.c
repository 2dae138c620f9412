/* classes: the built-in sets and maps, value by value (algorithms.md 6.4). */
#include "harness.h"

#include "data/classes.h"

static class_set builtin(const char *name)
{
	class_set s;
	assert_ok(class_set_builtin(name, &s, err));
	assert_string_equal(s.name, name);
	return s;
}

static label_map *map_of(data_layout layout, const char *set)
{
	class_set s = builtin(set);
	label_map *m = malloc(sizeof *m);
	assert_non_null(m);
	assert_ok(label_map_builtin(layout, &s, m, err));
	return m;
}

static const char *const NAME19[19] = {
	"road",         "sidewalk",   "building", "wall",       "fence",   "pole",  "traffic light",
	"traffic sign", "vegetation", "terrain",  "sky",        "person",  "rider", "car",
	"truck",        "bus",        "train",    "motorcycle", "bicycle",
};

static void sets_have_their_classes(void **state)
{
	class_set s = builtin("cityscapes-19");
	assert_int_equal(s.count, 19);
	for (size_t i = 0; i < 19; i++)
		assert_string_equal(s.item[i].name, NAME19[i]);
	const uint8_t road[3] = {128, 64, 128}, bicycle[3] = {119, 11, 32}, sky[3] = {70, 130, 180};
	assert_memory_equal(s.item[0].color, road, 3);
	assert_memory_equal(s.item[10].color, sky, 3);
	assert_memory_equal(s.item[18].color, bicycle, 3);

	const size_t sixteen[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 15, 17, 18};
	s = builtin("synthia-16");
	assert_int_equal(s.count, 16);
	for (size_t i = 0; i < 16; i++)
		assert_string_equal(s.item[i].name, NAME19[sixteen[i]]);
	const size_t thirteen[13] = {0, 1, 2, 6, 7, 8, 10, 11, 12, 13, 15, 17, 18};
	s = builtin("synthia-13");
	assert_int_equal(s.count, 13);
	for (size_t i = 0; i < 13; i++)
		assert_string_equal(s.item[i].name, NAME19[thirteen[i]]);

	const char *const camvid[11] = {"Sky",      "Building",   "Pole",       "Road",
	                                "Pavement", "Tree",       "SignSymbol", "Fence",
	                                "Car",      "Pedestrian", "Bicyclist"};
	s = builtin("camvid-11");
	assert_int_equal(s.count, 11);
	for (size_t i = 0; i < 11; i++)
		assert_string_equal(s.item[i].name, camvid[i]);
	tp_err err = {0};
	assert_int_equal(class_set_builtin("ade20k", &s, &err), TP_NOTFOUND);
	for (size_t i = 0; class_set_builtin_name(i) != NULL; i++)
		assert_non_null(strstr(err.text, class_set_builtin_name(i)));
	assert_string_equal(class_set_builtin_name(3), "camvid-11");
	assert_null(class_set_builtin_name(4));
}

static void palette_is_black_elsewhere(void **state)
{
	class_set s = builtin("camvid-11");
	uint8_t palette[256][3];
	memset(palette, 1, sizeof palette);
	class_set_palette(&s, palette);
	const uint8_t car[3] = {64, 0, 128}, black[3] = {0};
	assert_memory_equal(palette[8], car, 3);
	for (size_t i = 11; i < 256; i++)
		assert_memory_equal(palette[i], black, 3);
}

/* The table of algorithms.md: label id -> train id. */
static const uint8_t LABEL_ID[19] = {7,  8,  11, 12, 13, 17, 19, 20, 21, 22,
                                     23, 24, 25, 26, 27, 28, 31, 32, 33};

static void check_ids(data_layout layout, const char *set, size_t ids, const uint16_t *want)
{
	label_map *m = map_of(layout, set);
	for (size_t v = 0; v < 65536; v++) {
		uint16_t w = v < ids ? want[v] : v == 255 ? CLASS_IGNORE : LABEL_UNKNOWN;
		if (m->train[v] != w)
			fail_msg("%s %s: value %zu is %u, not %u", data_layout_name(layout), set, v,
			         m->train[v], w);
	}
	free(m);
}

static void label_ids_map(void **state)
{
	uint16_t want[35];
	memset(want, 0, sizeof want);
	for (size_t v = 0; v < 35; v++)
		want[v] = CLASS_IGNORE;
	for (uint16_t t = 0; t < 19; t++)
		want[LABEL_ID[t]] = t;
	check_ids(LAYOUT_CITYSCAPES, "cityscapes-19", 35, want);
	check_ids(LAYOUT_GTA5, "cityscapes-19", 35, want);
	/* 16 classes: terrain 22, truck 27, train 31 are ignored, the rest closes up. */
	const uint8_t id16[16] = {7, 8, 11, 12, 13, 17, 19, 20, 21, 23, 24, 25, 26, 28, 32, 33};
	for (size_t v = 0; v < 35; v++)
		want[v] = CLASS_IGNORE;
	for (uint16_t t = 0; t < 16; t++)
		want[id16[t]] = t;
	check_ids(LAYOUT_CITYSCAPES, "synthia-16", 35, want);
	const uint8_t id13[13] = {7, 8, 11, 19, 20, 21, 23, 24, 25, 26, 28, 32, 33};
	for (size_t v = 0; v < 35; v++)
		want[v] = CLASS_IGNORE;
	for (uint16_t t = 0; t < 13; t++)
		want[id13[t]] = t;
	check_ids(LAYOUT_CITYSCAPES, "synthia-13", 35, want);
}

static void synthia_ids_map(void **state)
{
	enum { N = CLASS_IGNORE };
	const uint16_t want19[23] = {N,  10, 2, 0, 1, 4,  8,  5,  13, 7, 11, 18,
	                             17, N,  N, 6, 9, 12, 14, 15, 16, 3, 0};
	check_ids(LAYOUT_SYNTHIA, "cityscapes-19", 23, want19);
	const uint16_t want16[23] = {N,  9, 2, 0, 1, 4,  8, 5,  12, 7, 10, 15,
	                             14, N, N, 6, N, 11, N, 13, N,  3, 0};
	check_ids(LAYOUT_SYNTHIA, "synthia-16", 23, want16);
	const uint16_t want13[23] = {N,  6, 2, 0, 1, N, 5, N,  9, 4, 7, 12,
	                             11, N, N, 3, N, 8, N, 10, N, N, 0};
	check_ids(LAYOUT_SYNTHIA, "synthia-13", 23, want13);
}

static void own_ids_map(void **state)
{
	const uint16_t want[11] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
	check_ids(LAYOUT_CAMVID, "camvid-11", 11, want);
	check_ids(LAYOUT_FOLDER, "camvid-11", 11, want);
	uint16_t want19[19];
	for (uint16_t i = 0; i < 19; i++)
		want19[i] = i;
	check_ids(LAYOUT_FOLDER, "cityscapes-19", 19, want19);
}

static void senseless_pairs_are_refused(void **state)
{
	class_set s = builtin("camvid-11");
	label_map *m = malloc(sizeof *m);
	for (int l = LAYOUT_CITYSCAPES; l <= LAYOUT_SYNTHIA; l++) {
		tp_err err = {0};
		assert_int_equal(label_map_builtin((data_layout)l, &s, m, &err), TP_INVALID);
		assert_non_null(strstr(err.text, "camvid-11"));
		assert_non_null(strstr(err.text, data_layout_name((data_layout)l)));
	}
	label_map_ignore_all(m);
	for (size_t v = 0; v < 65536; v++)
		assert_int_equal(m->train[v], CLASS_IGNORE);
	free(m);
}

static void layout_names_parse(void **state)
{
	for (int l = 0; l < LAYOUT_COUNT; l++) {
		data_layout got = LAYOUT_COUNT;
		assert_true(data_layout_parse(data_layout_name((data_layout)l), &got));
		assert_int_equal(got, l);
	}
	data_layout got = LAYOUT_COUNT;
	assert_false(data_layout_parse("kitti", &got));
	assert_int_equal(got, LAYOUT_COUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_have_their_classes),
		cmocka_unit_test(palette_is_black_elsewhere),
		cmocka_unit_test(label_ids_map),
		cmocka_unit_test(synthia_ids_map),
		cmocka_unit_test(own_ids_map),
		cmocka_unit_test(senseless_pairs_are_refused),
		cmocka_unit_test(layout_names_parse),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
