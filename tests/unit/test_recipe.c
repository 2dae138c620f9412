/* recipe: presets, range checks, stages. */
#include "harness.h"

#include "train/recipe_fields.h"

static recipe preset(const char *name)
{
	int i = recipe_preset_find(name);
	assert_true(i >= 0);
	return recipe_preset((size_t)i);
}

/* The recipe is refused with a text that starts with this. */
static void refuse(const recipe *r, const char *text)
{
	tp_err e = {0};
	assert_int_equal(recipe_check(r, &e), TP_INVALID);
	if (strncmp(e.text, text, strlen(text)) != 0)
		fail_msg("\"%s\", not \"%s\"", e.text, text);
}

static void presets_have_names_and_are_valid(void **state)
{
	size_t n = 0;
	for (; recipe_preset_name(n) != NULL; n++) {
		assert_int_equal(recipe_preset_find(recipe_preset_name(n)), (int)n);
		assert_non_null(recipe_preset_text(n));
		recipe r = recipe_preset(n);
		assert_ok(recipe_check(&r, err));
	}
	assert_int_equal(n, 18);
	assert_null(recipe_preset_text(n));
	assert_int_equal(recipe_preset_find("best"), -1);
}

static void presets_differ_as_stated(void **state)
{
	recipe r = preset("source-only");
	assert_int_equal(recipe_rounds(&r), 0);
	r = preset("cbst");
	assert_true(r.self.phase1_rounds == 3 && r.self.phase2_rounds == 0);
	assert_true(r.self.reg == REG_NONE && r.self.reg_weight == 0.0);
	assert_true(!r.self.bootstrap && r.self.vote.iterations == 0 && !r.self.adversarial);
	assert_true(r.self.mine_chance == 0.8 && r.self.flip_average);
	r = preset("crst-mrkld");
	assert_true(r.self.reg == REG_MRKLD && r.self.reg_weight == 0.01 && !r.self.bootstrap);
	assert_true(r.self.vote.iterations == 0 && recipe_rounds(&r) == 3);
	r = preset("crst-lrent");
	assert_true(r.self.reg == REG_LRENT && r.self.reg_weight == 0.25);
	r = preset("tpld-phase1");
	assert_true(r.self.phase1_rounds == 6 && r.self.phase2_rounds == 0 && !r.self.adversarial);
	assert_true(r.self.bootstrap && r.self.bootstrap_beta == 0.95 &&
	            r.self.vote.iterations == 3);
	r = preset("tpld");
	assert_true(r.self.phase1_rounds == 6 && r.self.phase2_rounds == 3 && r.self.adversarial);
}

/* Every field of every kind is looked at: one step outside is refused by its pointer. */
static void every_range_is_checked(void **state)
{
	const recipe_field *f;
	size_t refused = 0;
	for (size_t i = 0; (f = recipe_field_at(i)) != NULL; i++) {
		if (f->kind == FIELD_OBJECT || f->kind == FIELD_OPTION || f->kind == FIELD_BOOL)
			continue;
		assert_ptr_equal(recipe_field_find(f->pointer), f);
		double high = f->high;
		if (f->kind == FIELD_CHOICE)
			for (high = -1; f->choice((size_t)(high + 1)) != NULL;)
				high++;
		char start[80];
		(void)snprintf(start, sizeof start, "%s: ", f->pointer);
		recipe r = preset("tpld");
		recipe_field_set(f, &r, 0, high + 1);
		/* 2^53 + 1 is no double; the JSON reader stops it. */
		if (strcmp(f->pointer, "/seed") != 0)
			refuse(&r, start);
		if (f->low > 0) {
			r = preset("tpld");
			recipe_field_set(f, &r, 0, f->kind == FIELD_SIZE ? 0.0 : f->low / 2);
			refuse(&r, start);
		}
		if (f->kind == FIELD_REAL || f->kind == FIELD_FLOAT) {
			r = preset("tpld");
			recipe_field_set(f, &r, 0, (double)NAN);
			refuse(&r, start);
		}
		refused++;
	}
	assert_true(refused > 40);
	assert_null(recipe_field_find("/nothing"));
}

static void parts_must_fit_together(void **state)
{
	recipe r = preset("tpld");
	r.model.output_stride = 16;
	assert_ok(recipe_check(&r, err));
	r.model.arch = ARCH_RESNET101;
	refuse(&r, "/model/output_stride: 16 is possible with deeplabv2-mobilenetv2 only");
	r = preset("tpld");
	r.data.scale_low = 1.6;
	refuse(&r, "/data/scale: 1.6 is larger than 1.5");
	r = preset("tpld");
	r.self.portion_initial = 0.6;
	refuse(&r, "/self_training/portion/initial: 0.6 is larger than max, 0.5");
	r = preset("tpld");
	r.self.source_portion_initial = 0.5;
	refuse(&r, "/self_training/source_portion: 0.5 is larger than the last, 0.06");
	r = preset("crst-lrent");
	r.self.reg_weight = 0.01;
	refuse(&r, "/self_training/regularizer/weight: 0.01 is not in 0.05..10");
	r = preset("tpld");
	r.self.vote.kernel = VOTE_TRIANGLE;
	assert_ok(recipe_check(&r, err));
	r.self.vote.pool = VOTE_MAX;
	refuse(&r, "/self_training/voting/kernel: triangle has no meaning with pool max");
	r = preset("tpld");
	r.self.vote.window_rare = 7;
	assert_ok(recipe_check(&r, err)); /* no class is rare */
	r.self.vote.rare_share = 0.01;
	refuse(&r, "/self_training/voting/window_rare: 7 is larger than window, 5");
	r = preset("tpld");
	r.self.vote.color_distance = 20;
	r.self.vote.window = 25;
	assert_ok(recipe_check(&r, err));
	r.self.vote.window = 27;
	refuse(&r, "/self_training/voting/color_distance: needs a window of at most 25, not 27");
	r.self.vote.iterations = 0;
	assert_ok(recipe_check(&r, err));
	r = preset("tpld");
	r.self.vote.flips_agree = true;
	assert_ok(recipe_check(&r, err));
	r.self.flip_average = false;
	refuse(&r, "/self_training/voting/flips_agree: needs the mirror image (/self_training/flip_average)");
	r = preset("tpld");
	r.self.phase1_rounds = r.self.phase2_rounds = 150;
	refuse(&r, "/self_training/phase2_rounds: 300 rounds in all are more than 200");
	r = preset("tpld");
	r.self.steps_per_round = 0;
	refuse(&r, "/self_training/steps_per_round: 0 steps with 9 rounds");
	r.self.phase1_rounds = r.self.phase2_rounds = 0;
	assert_ok(recipe_check(&r, err));
}

static void arrays_may_be_empty_by_mistake(void **state)
{
	recipe r = preset("tpld");
	r.evaluation.scales = 0;
	refuse(&r, "/evaluation/scales: holds no value");
	/* A length beyond the array is not followed. */
	r.evaluation.scales = 1000;
	refuse(&r, "/evaluation/scales: 0 is not in 0.25..4");
}

static void problems_are_counted_beyond_the_list(void **state)
{
	recipe r = preset("tpld");
	r.data.batch = 0;
	r.data.crop_h = 1;
	r.self.gamma = -1;
	recipe_problem p[2];
	assert_int_equal(recipe_problems(&r, p, 2), 3);
	assert_string_equal(p[0].pointer, "/data/crop");
	assert_string_equal(p[1].pointer, "/data/batch");
	assert_string_equal(p[1].text, "0 is not in 1..64");
}

/* ---- stages ---- */

static void stages_follow_each_other(void **state)
{
	static const stage want[] = {
		{PHASE_SOURCE_TRAINING, ROUND_SOURCE},
		{PHASE_EVALUATION, ROUND_SOURCE},
		{PHASE_SCORING, 0},
		{PHASE_PHASE1_TRAINING, 0},
		{PHASE_SCORING, 1},
		{PHASE_PHASE1_TRAINING, 1},
		{PHASE_EVALUATION, 1},
		{PHASE_SCORING, 2},
		{PHASE_PHASE2_TRAINING, 2},
		{PHASE_EVALUATION, 2},
	};
	recipe r = preset("tpld");
	r.self.phase1_rounds = 2;
	r.self.phase2_rounds = 1;
	r.evaluation.every_rounds = 2;
	stage got[16];
	size_t n = recipe_stages(&r, true, got, 16);
	assert_int_equal(n, sizeof want / sizeof *want);
	for (size_t i = 0; i < n; i++)
		assert_true(got[i].phase == want[i].phase && got[i].round == want[i].round);
	/* Without labels to judge by, and into a short list. */
	assert_int_equal(recipe_stages(&r, false, got, 2), 7);
	assert_int_equal(got[1].phase, PHASE_SCORING);
	r = preset("source-only");
	assert_int_equal(recipe_stages(&r, true, NULL, 0), 2);
	assert_int_equal(recipe_stages(&r, false, NULL, 0), 1);
}

static void training_stages_have_steps(void **state)
{
	recipe r = preset("tpld");
	assert_int_equal(recipe_stage_steps(&r, &(stage){PHASE_SOURCE_TRAINING, -1}), 20000);
	assert_int_equal(recipe_stage_steps(&r, &(stage){PHASE_PHASE1_TRAINING, 0}), 1000);
	assert_int_equal(recipe_stage_steps(&r, &(stage){PHASE_PHASE2_TRAINING, 6}), 1000);
	assert_int_equal(recipe_stage_steps(&r, &(stage){PHASE_SCORING, 0}), 0);
	assert_int_equal(recipe_stage_steps(&r, &(stage){PHASE_EVALUATION, 0}), 0);
}

static void phases_have_names(void **state)
{
	assert_string_equal(phase_name(PHASE_SOURCE_TRAINING), "source_training");
	assert_string_equal(phase_name(PHASE_SCORING), "scoring");
	assert_string_equal(phase_name(PHASE_PHASE1_TRAINING), "phase1_training");
	assert_string_equal(phase_name(PHASE_PHASE2_TRAINING), "phase2_training");
	assert_string_equal(phase_name(PHASE_EVALUATION), "evaluation");
	assert_string_equal(phase_name(PHASE_COUNT), "?");
}

static void regularizers_have_weights(void **state)
{
	assert_true(recipe_regularizer_weight(REG_NONE) == 0.0);
	assert_true(recipe_regularizer_weight(REG_LRENT) == 0.25);
	assert_true(recipe_regularizer_weight(REG_MRKLD) == 0.01);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(presets_have_names_and_are_valid),
		cmocka_unit_test(presets_differ_as_stated),
		cmocka_unit_test(every_range_is_checked),
		cmocka_unit_test(parts_must_fit_together),
		cmocka_unit_test(arrays_may_be_empty_by_mistake),
		cmocka_unit_test(problems_are_counted_beyond_the_list),
		cmocka_unit_test(stages_follow_each_other),
		cmocka_unit_test(training_stages_have_steps),
		cmocka_unit_test(phases_have_names),
		cmocka_unit_test(regularizers_have_weights),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
