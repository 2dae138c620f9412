/* store: a run's rows going back after a crash, and on a full disk. */
#include "store_rows.h"

#include <signal.h>
#include <sys/resource.h>

/* ---- going back ---- */

enum { STAGE_STEPS = 10, STAGES = 5, IMAGES = 4 };

/* Two training stages around a scoring one: 0 training, 1 evaluation, 2 scoring, 3 training,
 * 4 evaluation; a resume checkpoint every 4 steps, metrics every step. */
static bool trains(int64_t stage)
{
	return stage == 0 || stage == 3;
}

/* Does stage `stage` from step `from` on, as the daemon would; stops after `budget` writes. */
static void do_stage(store *s, int64_t run, int64_t stage, int64_t from, int64_t before,
                     int *budget)
{
	char stale[128];
	int64_t round = stage < 2 ? -1 : 0;
	metric_row m[4];
	size_t metrics = 0;
	for (int64_t step = from + 1; trains(stage) && step <= STAGE_STEPS && *budget > 0; step++) {
		int64_t global = before + step;
		m[metrics++] = (metric_row){"loss", global, 1.0 / (double)global};
		if (step % 4 != 0 && step != STAGE_STEPS)
			continue;
		/* Measured since this start; the rest of the row is a matter of the clock. */
		put_profile(s, run, stage, round, step - from);
		if (--*budget <= 0)
			return;
		publish(s, run, stage, step, global, m, metrics, stale);
		metrics = 0;
		(*budget)--;
	}
	if (*budget <= 0)
		return;
	if (stage == 2)
		add_round(s, run, stage, 0, IMAGES);
	else if (!trains(stage))
		add_evaluation(s, run, stage, round, 0.25 + 0.125 * (double)stage);
	if (trains(stage)) {
		int64_t id;
		checkpoint_row c = {.run = run,
		                    .round = round,
		                    .stage = stage,
		                    .step = before + STAGE_STEPS,
		                    .phase = (char *)"p",
		                    .file = (char *)"w",
		                    .sha256 = (char *)"h",
		                    .bytes = 3};
		assert_ok(store_checkpoint_add(s, &c, &id, err));
	}
	if (--*budget <= 0)
		return;
	/* The next stage begins. */
	store_progress p = {.run = run, .stage = stage + 1, .seconds = 1.0};
	char **list = NULL;
	size_t n = 0;
	assert_ok(store_run_progress(s, &p, &list, &n, err));
	(*budget)--;
}

/* Global step at the start of a stage. */
static int64_t steps_before(int64_t stage)
{
	return (stage > 0 ? STAGE_STEPS : 0) + (stage > 3 ? STAGE_STEPS : 0);
}

/* Continues from what is durable until the end or the budget is spent. `damaged` newest checkpoints
 * cannot be read. */
static void work(store *s, int64_t run, int *budget, size_t damaged)
{
	run_row r = {0};
	assert_ok(store_run_get(s, run, &r, err));
	int64_t stage = r.stage, step = 0;
	run_row_done(&r);
	if (trains(stage) || damaged > 0) {
		checkpoint_row c = {0};
		stage = 0;
		if (store_checkpoint_resume(s, run, damaged, &c, NULL) == TP_OK) {
			stage = c.stage;
			step = c.step - steps_before(stage);
			checkpoint_row_done(&c);
		}
		/* The position may be ahead of the newest checkpoint: a later stage has begun. */
		r = (run_row){0};
		assert_ok(store_run_get(s, run, &r, err));
		if (damaged == 0 && r.stage > stage) {
			stage = r.stage;
			step = 0;
		}
		run_row_done(&r);
	}
	assert_ok(store_run_rewind(s, run, stage, steps_before(stage) + step, err));
	for (; stage<STAGES && * budget> 0; stage++, step = 0)
		do_stage(s, run, stage, step, steps_before(stage), budget);
}

/* All rows of a run in one text, without ids, times and durations. */
static char *dump(store *s, int64_t run)
{
	static const char *const sql[] = {
		"SELECT json_array(stage, step, miou_source, miou_current, miou_best) FROM run"
		" WHERE id = ?",
		"SELECT json_array(key, step, value) FROM metric WHERE run = ? ORDER BY key, step",
		"SELECT json_array(resume, round, stage, stage_step, step, phase, file, sha256,"
		" bytes) FROM checkpoint WHERE run = ? ORDER BY id",
		"SELECT json_array(round, stage, phase, portion, thresholds, confident, easy, hard)"
		" FROM round WHERE run = ? ORDER BY round",
		"SELECT json_array(round, idx, confidence, easy, rank, class_confidence)"
		" FROM image_score WHERE run = ? ORDER BY round, idx",
		"SELECT json_array(round, agreement, truth_pixels, threshold_accuracy)"
		" FROM round_audit WHERE run = ? ORDER BY round",
		"SELECT json_array(round, class, share, entropy, soft_right) FROM round_class"
		" WHERE run = ? ORDER BY round, class",
		"SELECT json_array(round, position, kind, class, text) FROM round_alarm"
		" WHERE run = ? ORDER BY round, position",
		"SELECT json_array(stage, round, step, phase, miou, iou, confusion)"
		" FROM evaluation WHERE run = ? ORDER BY stage",
		"SELECT json_array(stage, round, phase, layers) FROM profile WHERE run = ?"
		" ORDER BY stage",
	};
	char *text = calloc(1, 1 << 16);
	assert_non_null(text);
	size_t at = 0;
	db *d = reader_enter(s);
	for (size_t i = 0; i < sizeof sql / sizeof *sql; i++) {
		tp_err e = {0};
		stmt q = stmt_open(d, sql[i], &e);
		put_int(&q, run);
		while (stmt_next(&q)) {
			char *row = get_text(&q);
			assert_true(at + strlen(row) + 2 < 1 << 16);
			at += (size_t)sprintf(text + at, "%s\n", row);
			free(row);
		}
		if (stmt_close(&q) != TP_OK)
			fail_msg("%s", e.text);
	}
	db_leave(d);
	return text;
}

/* Stops after every possible write, and again after each following one, also with a damaged newest
 * checkpoint: the rows at the end are those of an undisturbed run. */
static void an_interrupted_run_ends_with_the_same_rows(void **state)
{
	fixture *f = *state;
	int64_t run = add_any_run(f->s, IMAGES);
	int all = 1000;
	work(f->s, run, &all, 0);
	int writes = 1000 - all;
	assert_true(writes > 12);
	char *want = dump(f->s, run);
	assert_non_null(strstr(want, "[5,0,0.375,0.75,0.75]"));
	for (int first = 1; first < writes; first++)
		for (int second = 0; second < 3; second++)
			for (size_t damaged = 0; damaged < 2; damaged++) {
				run = add_any_run(f->s, IMAGES);
				int budget = first;
				work(f->s, run, &budget, 0);
				budget = second;
				work(f->s, run, &budget, damaged);
				budget = 1000;
				work(f->s, run, &budget, 0);
				char *got = dump(f->s, run);
				if (strcmp(got, want) != 0)
					fail_msg(
						"after %d, %d; %zu bad:\n%s\nnot\n%s",
						first, second, damaged, got, want);
				free(got);
			}
	free(want);
}

static void going_back_touches_one_run_only(void **state)
{
	fixture *f = *state;
	int64_t a = add_any_run(f->s, IMAGES), b = add_any_run(f->s, IMAGES);
	int all = 1000;
	work(f->s, a, &all, 0);
	work(f->s, b, &all, 0);
	char *before = dump(f->s, b);
	assert_ok(store_run_rewind(f->s, a, 0, 4, err));
	assert_int_equal(number(f->s, "SELECT max(step) FROM metric WHERE run = 1"), 4);
	char *after = dump(f->s, b);
	assert_string_equal(before, after);
	free(before);
	free(after);
	assert_miou(f->s, a, -1, -1, -1);
	assert_code(store_run_rewind(f->s, 99, 0, 0, err), TP_NOTFOUND);
}

/* A checkpoint in the middle of a stage gives the position inside it back. */
static void going_back_restores_the_position(void **state)
{
	fixture *f = *state;
	int64_t run = add_any_run(f->s, 1);
	char stale[128];
	publish(f->s, run, 3, 4, 14, NULL, 0, stale);
	publish(f->s, run, 3, 8, 18, NULL, 0, stale);
	assert_ok(store_run_rewind(f->s, run, 3, 14, err));
	assert_int_equal(number(f->s, "SELECT step FROM run"), 4);
	assert_int_equal(number(f->s, "SELECT count(*) FROM checkpoint"), 1);
	assert_ok(store_run_rewind(f->s, run, 3, 10, err));
	assert_int_equal(number(f->s, "SELECT step FROM run"), 0);
	assert_int_equal(number(f->s, "SELECT stage FROM run"), 3);
	/* The same global step at the start of a later stage is beyond the end of this one. */
	publish(f->s, run, 3, 10, 20, NULL, 0, stale);
	publish(f->s, run, 4, 0, 20, NULL, 0, stale);
	assert_ok(store_run_rewind(f->s, run, 3, 20, err));
	assert_int_equal(number(f->s, "SELECT max(stage) FROM checkpoint"), 3);
	assert_int_equal(number(f->s, "SELECT step FROM run"), 10);
}

static void a_deleted_run_leaves_nothing(void **state)
{
	fixture *f = *state;
	int64_t run = add_any_run(f->s, IMAGES);
	int all = 1000;
	work(f->s, run, &all, 0);
	assert_ok(store_run_set_state(f->s, run, RUN_COMPLETED, "done", NULL, err));
	assert_ok(store_run_delete(f->s, run, err));
	static const char *const table[] = {"metric",      "checkpoint",  "round",       "image_score",
	                                    "round_audit", "round_class", "round_alarm", "evaluation",
	                                    "run_history", "event",       "profile"};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		char sql[64];
		(void)snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table[i]);
		assert_int_equal(number(f->s, sql), 0);
	}
}

/* ---- a full disk ---- */

static tp_status fill(store *s, int64_t run, int64_t *step, tp_err *err)
{
	char text[20000];
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = 0;
	tp_status st = TP_OK;
	for (int i = 0; i < 200 && st == TP_OK; i++) {
		metric_row m = {"loss", *step + 1, 0.5};
		checkpoint_row c = {.run = run,
		                    .file = text,
		                    .step = *step + 1,
		                    .phase = (char *)"p",
		                    .sha256 = (char *)"h"};
		store_progress p = {.run = run,
		                    .step = *step + 1,
		                    .checkpoint = &c,
		                    .metric = &m,
		                    .metrics = 1};
		char **list = NULL;
		size_t n = 0;
		/* Every file name differs, so that no row replaces another. */
		text[0] = (char)('a' + i % 26);
		text[1] = (char)('a' + i / 26);
		st = store_run_progress(s, &p, &list, &n, err);
		if (st == TP_OK) {
			(*step)++;
			rows_done(list, n, sizeof *list, text_done);
		}
	}
	return st;
}

/* Nothing of the refused write is there, everything before it is, and the store goes on. */
static void check_after_full(fixture *f, int64_t run, int64_t step)
{
	assert_true(step > 0);
	assert_int_equal(number(f->s, "SELECT max(step) FROM metric"), step);
	assert_int_equal(number(f->s, "SELECT step FROM run"), step);
	assert_ok(store_ping(f->s, err));
	int64_t again = step;
	char stale[128];
	publish(f->s, run, 0, again + 1, again + 1, NULL, 0, stale);
	assert_int_equal(number(f->s, "SELECT step FROM run"), step + 1);
}

static void a_full_database_loses_nothing(void **state)
{
	fixture *f = *state;
	int64_t run = add_any_run(f->s, 1), step = 0;
	db *d = &f->s->writer;
	/* Room for two rows, not for three: a third exists until the oldest is forgotten. */
	char sql[64];
	(void)snprintf(sql, sizeof sql, "PRAGMA max_page_count = %lld",
	               (long long)number(f->s, "PRAGMA page_count") + 13);
	assert_ok(db_exec(d->handle, sql, err));
	tp_err e = {0};
	assert_int_equal(fill(f->s, run, &step, &e), TP_NOSPACE);
	assert_non_null(strstr(e.text, "database or disk is full"));
	assert_ok(db_exec(d->handle, "PRAGMA max_page_count = 100000", err));
	check_after_full(f, run, step);
}

static void a_full_disk_loses_nothing(void **state)
{
	fixture *f = *state;
	int64_t run = add_any_run(f->s, 1), step = 0;
	/* The WAL file can grow no further: the write gives EFBIG instead of ENOSPC. */
	struct rlimit old, small = {.rlim_cur = 600 << 10};
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small.rlim_max = old.rlim_max;
	void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	tp_err e = {0};
	tp_status st = fill(f->s, run, &step, &e);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	(void)signal(SIGXFSZ, handler);
	if (st != TP_NOSPACE)
		fail_msg("status %d: %s", (int)st, e.text);
	check_after_full(f, run, step);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_interrupted_run_ends_with_the_same_rows),
		TEST(going_back_touches_one_run_only),
		TEST(going_back_restores_the_position),
		TEST(a_deleted_run_leaves_nothing),
		TEST(a_full_database_loses_nothing),
		TEST(a_full_disk_loses_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
