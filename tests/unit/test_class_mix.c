/* class_mix: which classes are pasted, and what pasting changes. */
#include "harness.h"

#include "data/class_mix.h"
#include "data/classes.h"

enum { PIXELS = 60, CLASSES = 7 };

/* Classes 0, 2, 3, 5, 6 and pixels without a class. */
static void make_label(uint8_t *label)
{
	static const uint8_t list[] = {0, 2, 3, 5, 6, CLASS_IGNORE};
	for (size_t i = 0; i < PIXELS; i++)
		label[i] = list[i % 6];
}

static void half_of_those_present_rounded_up(void **state)
{
	uint8_t label[PIXELS];
	bool chosen[256];
	size_t times[256] = {0};
	make_label(label);
	for (size_t step = 0; step < 500; step++) {
		size_t n = 0;
		class_mix_choose(label, PIXELS, 9, step, 1, chosen);
		for (size_t c = 0; c < 256; c++) {
			n += chosen[c];
			times[c] += chosen[c];
		}
		assert_int_equal(n, 3);
	}
	for (size_t c = 0; c < 256; c++) {
		bool present = c == 0 || c == 2 || c == 3 || c == 5 || c == 6;
		if (present)
			assert_near((double)times[c] / 500, 0.6, 0.08);
		else
			assert_int_equal(times[c], 0);
	}
	memset(label, CLASS_IGNORE, sizeof label);
	class_mix_choose(label, PIXELS, 9, 0, 0, chosen);
	for (size_t c = 0; c < 256; c++)
		assert_false(chosen[c]);
}

static void pasting_changes_the_chosen_pixels_only(void **state)
{
	uint8_t from[PIXELS], label[PIXELS], inside[PIXELS];
	float *source = random_floats(PIXELS * 3, 1), *input = random_floats(PIXELS * 3, 2);
	float *before = random_floats(PIXELS * 3, 2), weight[PIXELS], soft[CLASSES * PIXELS];
	bool chosen[256] = {false};
	make_label(from);
	chosen[3] = chosen[6] = true;
	for (size_t i = 0; i < PIXELS; i++) {
		label[i] = 1;
		weight[i] = 0.25f;
		inside[i] = i >= 12;
		for (size_t k = 0; k < CLASSES; k++)
			soft[k * PIXELS + i] = k == 1 ? 0.75f : 0.0f;
	}
	mix_crop to = {input, label, weight, soft};
	size_t n = class_mix_paste(source, from, chosen, inside, CLASSES, PIXELS, &to);
	assert_int_equal(n, 16);
	for (size_t i = 0; i < PIXELS; i++) {
		bool pasted = i >= 12 && (from[i] == 3 || from[i] == 6);
		const float *want = pasted ? source : before;
		assert_memory_equal(input + 3 * i, want + 3 * i, 3 * sizeof(float));
		assert_int_equal(label[i], pasted ? from[i] : 1);
		assert_true(weight[i] == (pasted ? 1.0f : 0.25f));
		for (size_t k = 0; k < CLASSES; k++)
			assert_true(soft[k * PIXELS + i] ==
			            (pasted ? (k == from[i] ? 1.0f : 0.0f) : k == 1 ? 0.75f : 0.0f));
	}
	mem_free(source);
	mem_free(input);
	mem_free(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(half_of_those_present_rounded_up),
		cmocka_unit_test(pasting_changes_the_chosen_pixels_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
