/* label: values -> train ids, with file, value and place named when one does not fit. */
#include "data_files.h"

#include "data/label.h"

static void load_maps_values(void **state)
{
	char dir[256], path[300];
	scratch_create(dir);
	(void)snprintf(path, sizeof path, "%s/l.png", dir);
	const uint8_t value[6] = {7, 8, 11, 33, 34, 255};
	put_file(dir, "l.png", make_gray_label(6, 4, value, 6));
	class_set set;
	label_map *map = malloc(sizeof *map);
	assert_ok(class_set_builtin("cityscapes-19", &set, err));
	assert_ok(label_map_builtin(LAYOUT_GTA5, &set, map, err));
	uint8_t *label = NULL;
	size_t w, h;
	assert_ok(label_load(path, map, 6, 4, &label, &w, &h, err));
	const uint8_t want[6] = {0, 1, 2, 18, 255, 255};
	for (size_t y = 0; y < 4; y++)
		assert_memory_equal(label + y * 6, want, 6);
	free(label);
	assert_ok(label_load(path, map, 0, 0, &label, &w, &h, err)); /* any size */
	assert_int_equal(w, 6);
	assert_int_equal(h, 4);
	free(label);
	label = NULL;

	assert_fails(label_load(path, map, 6, 5, &label, &w, &h, err), TP_INVALID,
	             "l.png is 6x4, its image is 6x5");
	uint16_t *v;
	assert_ok(label_load_values(path, 6, 4, &v, &w, &h, err));
	assert_int_equal(v[3], 33);
	free(v);

	assert_ok(class_set_builtin("camvid-11", &set, err));
	assert_ok(label_map_builtin(LAYOUT_CAMVID, &set, map, err));
	assert_fails(label_load(path, map, 6, 4, &label, &w, &h, err), TP_INVALID,
	             "l.png: value 11 at x 2, y 0");
	assert_null(label);
	free(map);
	scratch_remove(dir);
}

static void broken_labels_are_named(void **state)
{
	char dir[256], path[300];
	scratch_create(dir);
	label_map *map = malloc(sizeof *map);
	label_map_ignore_all(map);
	const uint8_t zero = 0;
	blob b = make_gray_label(40, 40, &zero, 1);
	b.size -= 14;
	put_file(dir, "cut.png", b);
	put_text(dir, "text.png", "label\n");
	put_text(dir, "empty.png", "");
	const struct {
		const char *name;
		tp_status code;
	} row[] = {{"cut.png", TP_CORRUPT},
	           {"text.png", TP_INVALID},
	           {"empty.png", TP_INVALID},
	           {"absent.png", TP_NOTFOUND}};
	for (size_t i = 0; i < 4; i++) {
		uint8_t *label = NULL;
		size_t w, h;
		(void)snprintf(path, sizeof path, "%s/%s", dir, row[i].name);
		assert_fails(label_load(path, map, 0, 0, &label, &w, &h, err), row[i].code,
		             row[i].name);
		assert_null(label);
	}
	free(map);
	scratch_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(load_maps_values),
		cmocka_unit_test(broken_labels_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
