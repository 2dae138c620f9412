/* logits: what was written comes back, anything else is refused. */
#include "harness.h"

#include <sys/stat.h>

#include "data/logits.h"

enum { K = 3, H = 5, W = 7, BYTES = K * H * W * 4 };

static logit_map random_map(bool mirrored)
{
	logit_map m = {.classes = K, .h = H, .w = W, .full_h = 40, .full_w = 50};
	m.plain = random_floats(K * H * W, 1);
	m.mirrored = mirrored ? random_floats(K * H * W, 2) : NULL;
	return m;
}

static void map_done(logit_map *m)
{
	mem_free((void *)m->plain);
	mem_free((void *)m->mirrored);
}

static void logits_round_trip(void **state)
{
	char dir[256];
	scratch_create(dir);
	int fd = open(dir, O_RDONLY | O_DIRECTORY);
	for (int mirrored = 0; mirrored < 2; mirrored++) {
		logit_map m = random_map(mirrored);
		logits_file f;
		assert_ok(logits_write(fd, "a.logits", 99, &m, err));
		assert_ok(logits_read(fd, "a.logits", 99, &f, err));
		assert_int_equal(f.map.classes, K);
		assert_int_equal(f.map.h, H);
		assert_int_equal(f.map.w, W);
		assert_int_equal(f.map.full_h, 40);
		assert_int_equal(f.map.full_w, 50);
		assert_memory_equal(f.map.plain, m.plain, BYTES);
		if (mirrored)
			assert_memory_equal(f.map.mirrored, m.mirrored, BYTES);
		else
			assert_null(f.map.mirrored);
		logits_done(&f);
		assert_null(f.block);
		tp_err err = {0};
		assert_int_equal(logits_read(fd, "a.logits", 98, &f, &err), TP_NOTFOUND);
		assert_int_equal(logits_read(fd, "b.logits", 99, &f, NULL), TP_NOTFOUND);
		map_done(&m);
	}
	(void)close(fd);
	scratch_remove(dir);
}

static void rewrite(int fd, const void *data, size_t size)
{
	const file_part part = {data, size};
	assert_ok(file_replace_cache(fd, "a.logits", &part, 1, err));
}

/* Every flipped byte and every other length is found. */
static void damage_is_found(void **state)
{
	char dir[256];
	scratch_create(dir);
	int fd = open(dir, O_RDONLY | O_DIRECTORY);
	logit_map m = random_map(true);
	assert_ok(logits_write(fd, "a.logits", 99, &m, err));
	void *data;
	size_t size;
	assert_ok(file_read(fd, "a.logits", 1 << 20, &data, &size, err));
	assert_int_equal(size, 64 + 2 * BYTES);
	uint8_t *b = data;
	logits_file f = {0};
	for (size_t i = 0; i < size; i++) {
		b[i] ^= 0x20;
		rewrite(fd, b, size);
		tp_status st = logits_read(fd, "a.logits", 99, &f, NULL);
		assert_true(st == TP_CORRUPT);
		b[i] ^= 0x20;
	}
	for (size_t n = 0; n < size; n += n < 70 ? 1 : 37) {
		rewrite(fd, b, n);
		assert_int_equal(logits_read(fd, "a.logits", 99, &f, NULL), TP_CORRUPT);
	}
	uint8_t *longer = calloc(1, size + 4);
	memcpy(longer, b, size);
	rewrite(fd, longer, size + 4);
	assert_int_equal(logits_read(fd, "a.logits", 99, &f, NULL), TP_CORRUPT);
	assert_null(f.block);
	rewrite(fd, b, size);
	assert_ok(logits_read(fd, "a.logits", 99, &f, err));
	logits_done(&f);
	free(longer);
	free(data);
	map_done(&m);
	(void)close(fd);
	scratch_remove(dir);
}

static void senseless_shapes_are_refused(void **state)
{
	logit_map m = {.classes = 0, .h = 1, .w = 1, .full_h = 1, .full_w = 1};
	assert_int_equal(logits_write(AT_FDCWD, "unused", 1, &m, NULL), TP_SHAPE);
	m.classes = 3;
	m.w = 1u << 20;
	assert_int_equal(logits_write(AT_FDCWD, "unused", 1, &m, NULL), TP_SHAPE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logits_round_trip),
		cmocka_unit_test(damage_is_found),
		cmocka_unit_test(senseless_shapes_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
