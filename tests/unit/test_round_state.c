/* round_state: what training reads back of a scoring is exactly what scoring had. */
#include "store_fixture.h"

#include "run/round_state.h"

enum { CLASSES = 4, TARGETS = 1203 }; /* more than two pages of rows */

static const float lambda[CLASSES] = {1.0f, 0.1f, 0.33333334f, 5.9604645e-8f};
static const uint8_t mine[2] = {3, 1};

static bool is_easy(size_t i) { return i % 7 == 3 || i == TARGETS - 1; }

static void add_round(store *s, int64_t run, int64_t round, size_t images)
{
	const uint64_t predicted[CLASSES] = {900, 60, 40, 0};
	image_row *image = calloc(images, sizeof *image);
	assert_non_null(image);
	round_row row = {.run = run, .stage = 3 * round, .round = round,
	                 .phase = (char *)"phase2_training", .portion = 0.2, .pseudo_accuracy = -1,
	                 .thresholds = round_thresholds_text(lambda, CLASSES),
	                 .class_stats = round_stats_text(predicted, CLASSES, mine, 2)};
	for (size_t i = 0; i < images; i++)
		image[i] = (image_row){.round = round,
		                       .index = (int64_t)i,
		                       .easy = is_easy(i) != (round == 1),
		                       .class_confidence = (char *)"[]"};
	assert_ok(store_round_add(s, &row, image, images, NULL, err));
	free(row.thresholds);
	free(row.class_stats);
	free(image);
}

static void a_round_comes_back_exactly(void **state)
{
	fixture *f = *state;
	int64_t run = add_any_run(f->s, TARGETS);
	add_round(f->s, run, 0, TARGETS);
	add_round(f->s, run, 1, TARGETS);
	for (int round = 0; round < 2; round++) {
		round_state r;
		assert_ok(round_state_load(f->s, run, round, CLASSES, TARGETS, &r, err));
		assert_int_equal(r.round, round);
		assert_memory_equal(r.lambda, lambda, sizeof lambda);
		assert_int_equal(r.mines, 2);
		assert_memory_equal(r.mine, mine, 2);
		for (size_t i = 0; i < TARGETS; i++)
			assert_int_equal(r.easy[i], is_easy(i) != (round == 1));
		round_state_done(&r);
		assert_null(r.lambda);
	}
}

static void shares_come_back_exactly(void **state)
{
	const uint64_t predicted[CLASSES] = {900, 61, 38, 0};
	double share[CLASSES];
	round_row row = {.class_stats = round_stats_text(predicted, CLASSES, mine, 2)};
	assert_ok(round_shares(&row, CLASSES, share, err));
	for (size_t k = 0; k < CLASSES; k++)
		assert_true(share[k] == (double)predicted[k] / 999.0);
	assert_code(round_shares(&row, CLASSES + 1, share, err), TP_CORRUPT);
	free(row.class_stats);
	row.class_stats = (char *)"{}";
	assert_code(round_shares(&row, CLASSES, share, err), TP_CORRUPT);
}

static void what_is_missing_is_said(void **state)
{
	fixture *f = *state;
	round_state r;
	int64_t run = add_any_run(f->s, TARGETS);
	assert_code(round_state_load(f->s, run, 0, CLASSES, TARGETS, &r, err), TP_CORRUPT);
	add_round(f->s, run, 0, 10);
	assert_code(round_state_load(f->s, run, 0, CLASSES, 11, &r, err), TP_CORRUPT);
	assert_code(round_state_load(f->s, run, 0, CLASSES + 1, 10, &r, err), TP_CORRUPT);
	assert_code(round_state_load(f->s, run, 1, CLASSES, 10, &r, err), TP_CORRUPT);
	assert_ok(round_state_load(f->s, run, 0, CLASSES, 10, &r, err));
	round_state_done(&r);
}

static void shares_are_stored_for_people(void **state)
{
	(void)state;
	const uint64_t predicted[3] = {1, 3, 0};
	char *text = round_stats_text(predicted, 3, mine, 1);
	assert_string_equal(text, "{\"predicted_share\":[0.25,0.75,0.0],\"mined\":[3]}");
	free(text);
	const uint64_t none[2] = {0, 0};
	text = round_stats_text(none, 2, NULL, 0);
	assert_string_equal(text, "{\"predicted_share\":[0.0,0.0],\"mined\":[]}");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_round_comes_back_exactly, fixture_open, fixture_close),
		cmocka_unit_test_setup_teardown(what_is_missing_is_said, fixture_open, fixture_close),
		cmocka_unit_test(shares_are_stored_for_people),
		cmocka_unit_test(shares_come_back_exactly),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
