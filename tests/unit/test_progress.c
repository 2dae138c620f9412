/* progress: position, share and time left of a run, from planned costs and measured times. */
#include "harness.h"

#include <time.h>

#include "run/progress.h"

/* 4 steps of cost 3, 2 images of cost 1, 2 steps of cost 5: 24 in all. */
static const stage_cost stages[] = {
	{PHASE_SOURCE_TRAINING, ROUND_SOURCE, 4, 3},
	{PHASE_SCORING, 0, 2, 1},
	{PHASE_PHASE1_TRAINING, 0, 2, 5},
};
enum { STAGES = sizeof stages / sizeof *stages };

static void pass_milliseconds(long ms)
{
	struct timespec t = {.tv_nsec = ms * 1000000};
	(void)nanosleep(&t, NULL);
}

static void a_stored_position_has_a_share(void **state)
{
	(void)state;
	run_progress r;
	progress_of_row(stages, STAGES, 1, 0, 0, &r);
	assert_true(r.progress == 0 && !r.live && r.eta_seconds < 0 && isnan(r.loss));
	assert_string_equal(r.phase, "source_training");
	assert_int_equal(r.round, ROUND_SOURCE);
	assert_int_equal(r.steps_total, 4);
	progress_of_row(stages, STAGES, 1, 1, 1, &r);
	assert_near(r.progress, 13.0 / 24, 1e-12);
	assert_string_equal(r.phase, "scoring");
	assert_true(r.step == 1 && r.steps_total == 2 && r.round == 0 && r.rounds_total == 1 && r.stage == 1);
	progress_of_row(stages, STAGES, 1, STAGES, 0, &r);
	assert_near(r.progress, 1, 0);
	assert_string_equal(r.phase, "phase1_training"); /* the last one, finished */
	assert_true(r.step == 2 && r.steps_total == 2 && r.stage == STAGES);
}

static void a_run_without_cost_is_done(void **state)
{
	(void)state;
	const stage_cost nothing = {PHASE_EVALUATION, ROUND_SOURCE, 0, 0};
	run_progress r;
	progress_of_row(&nothing, 1, 0, 0, 0, &r);
	assert_near(r.progress, 1, 0);
}

static void time_left_follows_measured_rates(void **state)
{
	(void)state;
	progress p;
	run_progress r;
	double age, expected;
	progress_init(&p);
	assert_false(progress_read(&p, 7, &r));
	assert_false(progress_age(&p, &age, &expected));
	progress_begin(&p, 7, stages, STAGES, 1);
	assert_true(progress_read(&p, 7, &r));
	assert_false(progress_read(&p, 8, &r));
	assert_true(r.live && r.eta_seconds < 0 && r.seconds_per_step < 0 && isnan(r.loss));
	progress_stage(&p, 0, 0);
	pass_milliseconds(20);
	progress_unit(&p, 1, 0.75, 0.005);
	pass_milliseconds(20);
	progress_unit(&p, 2, 0.5, 0.0);
	assert_true(progress_read(&p, 7, &r));
	assert_true(r.loss == 0.5 && r.step == 2);
	assert_near(r.progress, 6.0 / 24, 1e-12);
	assert_true(r.seconds_per_step >= 0.02 && r.seconds_per_step < 5);
	assert_true(r.wait_share > 0 && r.wait_share < 0.5);
	/* 18 of 24 are left and 6 took at least 40 ms; other phases are guessed by the same rate. */
	double rate = (p.seconds[PHASE_SOURCE_TRAINING] + p.seconds[PHASE_SCORING]) / 6;
	assert_near(r.eta_seconds, 18 * rate, 1e-9);
	/* A phase that is met counts by its own rate. */
	progress_unit(&p, 4, NAN, 0);
	progress_stage(&p, 1, 0);
	pass_milliseconds(10);
	progress_unit(&p, 1, NAN, 0);
	assert_true(progress_read(&p, 7, &r));
	assert_true(r.loss == 0.5); /* scoring has none */
	double all = (p.seconds[PHASE_SOURCE_TRAINING] + p.seconds[PHASE_SCORING]) / 13;
	assert_near(r.eta_seconds, p.seconds[PHASE_SCORING] + 10 * all, 1e-9);
	assert_true(progress_age(&p, &age, &expected));
	assert_true(age >= 0 && expected > 0);
	progress_end(&p);
	assert_false(progress_read(&p, 7, &r));
	assert_false(progress_age(&p, &age, &expected));
	progress_done(&p);
}

/* A resumed stage begins in its middle: what was done before costs no time now. */
static void a_resumed_stage_measures_only_itself(void **state)
{
	(void)state;
	progress p;
	run_progress r;
	progress_init(&p);
	progress_begin(&p, 1, stages, STAGES, 1);
	progress_stage(&p, 0, 3);
	pass_milliseconds(10);
	progress_unit(&p, 4, 1.0, 0);
	assert_true(progress_read(&p, 1, &r));
	assert_near(p.cost[PHASE_SOURCE_TRAINING], 3, 0);
	assert_near(r.progress, 12.0 / 24, 1e-12);
	progress_end(&p);
	progress_done(&p);
}

static void the_clock_runs_forward(void **state)
{
	(void)state;
	double a = monotonic_seconds();
	pass_milliseconds(2);
	double b = monotonic_seconds();
	assert_true(b > a && b - a < 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stored_position_has_a_share),
		cmocka_unit_test(a_run_without_cost_is_done),
		cmocka_unit_test(time_left_follows_measured_rates),
		cmocka_unit_test(a_resumed_stage_measures_only_itself),
		cmocka_unit_test(the_clock_runs_forward),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
