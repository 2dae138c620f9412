/* prefetch: order, skipped entries, errors at their place, stopping early. */
#include "data_files.h"

#include "data/prefetch.h"

static void images_come_in_order(void **state)
{
	char dir[256], path[6][300], name[16];
	const char *list[6];
	scratch_create(dir);
	for (size_t i = 0; i < 6; i++) {
		(void)snprintf(name, sizeof name, "%zu.png", i);
		put_file(dir, name, make_rgb_png(10 + i, 8));
		(void)snprintf(path[i], sizeof path[i], "%s/%s", dir, name);
		list[i] = path[i];
	}
	list[2] = NULL;
	prefetch *p = NULL;
	assert_ok(prefetch_create(list, 6, &p, err));
	for (size_t i = 0; i < 6; i++) {
		image img;
		assert_ok(prefetch_next(p, &img, err));
		assert_int_equal(img.w, i == 2 ? 0 : 10 + i);
		assert_true((img.rgb == NULL) == (i == 2));
		image_done(&img);
	}
	prefetch_free(p);

	put_text(dir, "4.png", "broken");
	assert_ok(prefetch_create(list, 6, &p, err));
	for (size_t i = 0; i < 4; i++) {
		image img;
		assert_ok(prefetch_next(p, &img, err));
		image_done(&img);
	}
	image img;
	assert_fails(prefetch_next(p, &img, err), TP_INVALID, "4.png");
	prefetch_free(p);

	for (size_t taken = 0; taken < 4; taken++) { /* what was decoded ahead is freed */
		assert_ok(prefetch_create(list, 4, &p, err));
		for (size_t i = 0; i < taken; i++) {
			assert_ok(prefetch_next(p, &img, err));
			image_done(&img);
		}
		prefetch_free(p);
	}
	prefetch_free(NULL);
	scratch_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(images_come_in_order)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
