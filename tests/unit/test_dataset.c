/* dataset: which files are listed, in which order, and which are not. */
#include "data_files.h"

#include "data/dataset.h"

static void touch(const char *dir, const char *name) { put_text(dir, name, "x"); }

static void link_to(const char *target, const char *dir, const char *name)
{
	char path[512];
	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	assert_int_equal(symlink(target, path), 0);
}

static dataset_list scan(data_layout layout, const char *root, const char *split,
                         const char *include)
{
	dataset_list l = {0};
	assert_ok(dataset_scan(layout, root, split, include, &l, err));
	return l;
}

static void assert_names(const dataset_list *l, size_t count, const char *const *name)
{
	assert_int_equal(l->count, count);
	for (size_t i = 0; i < count; i++)
		assert_string_equal(l->item[i].name, name[i]);
}

static void folder_lists_in_byte_order(void **state)
{
	char dir[256];
	scratch_create(dir);
	const char *file[] = {"images/b.png",    "images/a10.jpg",   "images/a2.JPEG",
	                      "images/Z.PNG",    "images/n.txt",     "images/.h.png",
	                      "images/a..b.png", "images/c\n.png",   "images/u\xff.png",
	                      "images/png",      "images/sub/d.png", "labels/a2.png",
	                      "labels/b.png",    "labels/x.png"};
	for (size_t i = 0; i < sizeof file / sizeof *file; i++)
		touch(dir, file[i]);
	dataset_list l = scan(LAYOUT_FOLDER, dir, NULL, NULL);
	const char *want[] = {"Z", "a10", "a2", "b"};
	assert_names(&l, 4, want);
	assert_int_equal(l.labelled, 2);
	assert_null(l.item[0].label);
	assert_null(l.item[1].label);
	assert_non_null(strstr(l.item[2].image, "/images/a2.JPEG"));
	assert_non_null(strstr(l.item[2].label, "/labels/a2.png"));
	assert_int_equal(l.item[2].image[0], '/');
	dataset_list_done(&l);
	assert_null(l.item);

	l = scan(LAYOUT_FOLDER, dir, "", "a*");
	assert_names(&l, 2, want + 1);
	dataset_list_done(&l);
	assert_fails(dataset_scan(LAYOUT_FOLDER, dir, NULL, "q*", &l, err), TP_INVALID,
	             "matching q* in");
	scratch_remove(dir);
}

static void splits_are_plain_names(void **state)
{
	char dir[256];
	scratch_create(dir);
	touch(dir, "images/train/a.png");
	touch(dir, "images/val/b.png");
	touch(dir, "labels/val/b.png");
	dataset_list l = scan(LAYOUT_CAMVID, dir, "val", NULL);
	const char *want[] = {"b"};
	assert_names(&l, 1, want);
	assert_int_equal(l.labelled, 1);
	dataset_list_done(&l);
	l = scan(LAYOUT_CAMVID, dir, "train", NULL);
	assert_int_equal(l.labelled, 0);
	dataset_list_done(&l);
	const char *bad[] = {"..", "../images/val", "a/b", "/", ".", "val\n", "x..y", "\xc0\xaf"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_fails(dataset_scan(LAYOUT_CAMVID, dir, bad[i], NULL, &l, err), TP_INVALID,
		             "not a plain");
	assert_fails(dataset_scan(LAYOUT_CAMVID, dir, "test", NULL, &l, err), TP_NOTFOUND,
	             "images/test");
	assert_fails(dataset_scan(LAYOUT_CAMVID, dir, NULL, NULL, &l, err), TP_INVALID,
	             "name one as split");
	assert_fails(dataset_scan(LAYOUT_GTA5, dir, "val", NULL, &l, err), TP_INVALID, "no splits");
	assert_fails(dataset_scan(LAYOUT_SYNTHIA, dir, NULL, NULL, &l, err), TP_NOTFOUND, "RGB");
	assert_fails(dataset_scan(LAYOUT_CAMVID, "/nonexistent", NULL, NULL, &l, err), TP_NOTFOUND,
	             "/nonexistent");
	assert_null(l.item);
	scratch_remove(dir);
}

/* Links are followed within the root only: an image, a label, a folder. */
static void links_stay_below_the_root(void **state)
{
	char dir[256], inside[300], outside[300];
	scratch_create(dir);
	(void)snprintf(inside, sizeof inside, "%s/root", dir);
	(void)snprintf(outside, sizeof outside, "%s/rootless/secret.png", dir);
	touch(dir, "rootless/secret.png");
	touch(inside, "images/a.png");
	touch(inside, "images/b.png");
	touch(inside, "labels/b.png");
	link_to("a.png", inside, "images/in.png");
	link_to(outside, inside, "images/out.png");
	link_to("../../rootless/secret.png", inside, "images/out2.png");
	link_to("gone.png", inside, "images/dangling.png");
	link_to(outside, inside, "labels/a.png");
	link_to("b.png", inside, "labels/in.png");
	dataset_list l = scan(LAYOUT_FOLDER, inside, NULL, NULL);
	const char *want[] = {"a", "b", "in"};
	assert_names(&l, 3, want);
	assert_null(l.item[0].label);
	assert_int_equal(l.labelled, 2);
	dataset_list_done(&l);

	(void)snprintf(outside, sizeof outside, "%s/rootless", dir);
	link_to(outside, inside, "images/far");
	link_to("../images", inside, "images/near");
	assert_fails(dataset_scan(LAYOUT_FOLDER, inside, "far", NULL, &l, err), TP_INVALID,
	             "leads out of");
	l = scan(LAYOUT_FOLDER, inside, "near", NULL);
	assert_int_equal(l.count, 3);
	assert_int_equal(l.labelled, 0);
	dataset_list_done(&l);
	scratch_remove(dir);
}

static void cities_are_folders(void **state)
{
	char dir[256];
	scratch_create(dir);
	const char *file[] = {
		"leftImg8bit/train/zurich/zurich_000001_000019_leftImg8bit.png",
		"leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png",
		"leftImg8bit/train/aachen/other.png",
		"leftImg8bit/train/stray_leftImg8bit.png",
		"leftImg8bit/val/lindau/lindau_000000_000019_leftImg8bit.png",
		"gtFine/train/aachen/aachen_000000_000019_gtFine_labelIds.png",
		"gtFine/train/aachen/aachen_000000_000019_gtFine_color.png",
	};
	for (size_t i = 0; i < sizeof file / sizeof *file; i++)
		touch(dir, file[i]);
	dataset_list l = scan(LAYOUT_CITYSCAPES, dir, NULL, NULL); /* train unless said otherwise */
	const char *want[] = {"aachen/aachen_000000_000019", "zurich/zurich_000001_000019"};
	assert_names(&l, 2, want);
	assert_int_equal(l.labelled, 1);
	assert_non_null(
		strstr(l.item[0].label, "/gtFine/train/aachen/aachen_000000_000019_gtFine_l"));
	dataset_list_done(&l);
	l = scan(LAYOUT_CITYSCAPES, dir, "val", "lindau*");
	assert_int_equal(l.count, 1);
	dataset_list_done(&l);
	scratch_remove(dir);
}

static void one_name_twice_is_refused(void **state)
{
	char dir[256];
	scratch_create(dir);
	touch(dir, "images/a.png");
	touch(dir, "images/a.jpg");
	dataset_list l = {0};
	assert_fails(dataset_scan(LAYOUT_FOLDER, dir, NULL, NULL, &l, err), TP_INVALID,
	             "have the same name");
	scratch_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(folder_lists_in_byte_order),
		cmocka_unit_test(splits_are_plain_names),
		cmocka_unit_test(links_stay_below_the_root),
		cmocka_unit_test(cities_are_folders),
		cmocka_unit_test(one_name_twice_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
