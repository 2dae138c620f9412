/* store: experiments, and what keeps runs, checkpoints and data sets from being deleted. */
#include "store_rows.h"

DONE_ANY(experiment_row)
DONE_ANY(part_row)

static int64_t add_experiment(store *s, int64_t data, size_t parts)
{
	experiment_row e = {.name = (char *)"e", .definition = (char *)"{\"x\":1}", .created_ms = 5};
	part_row p[4] = {{0}};
	int64_t id = 0;
	for (size_t i = 0; i < parts; i++)
		p[i] = (part_row){.index = (int64_t)i,
		                  .variant = (int64_t)i - 1,
		                  .seed = 3,
		                  .origin = i == 0 ? -1 : 0,
		                  .config = (char *)"{}",
		                  .source = data,
		                  .target = data,
		                  .cost = 10};
	assert_ok(store_experiment_add(s, &e, p, parts, &id, err));
	return id;
}

static tp_status add_part_run(store *s, int64_t data, int64_t experiment, int64_t part, int64_t *ret,
                              tp_err *err)
{
	run_row r = {.name = (char *)"r",
	             .config = (char *)"{}",
	             .source = data,
	             .target = data,
	             .experiment = experiment,
	             .part = part,
	             .state = RUN_QUEUED};
	return store_run_add(s, &r, ret, err);
}

static int64_t add_public(store *s, int64_t run)
{
	char name[32];
	checkpoint_row c = resume_at(run, 0, 10, name);
	c.resume = false;
	int64_t id = 0;
	assert_ok(store_checkpoint_add(s, &c, &id, err));
	return id;
}

static void experiments_go_in_and_out(void **state)
{
	fixture *f = *state;
	int64_t data = add_dataset(f->s, "d", 1), id = add_experiment(f->s, data, 2), run = 0;
	experiment_row e = {0};
	assert_ok(store_experiment_get(f->s, id, &e, err));
	assert_string_equal(e.name, "e");
	assert_string_equal(e.definition, "{\"x\":1}");
	assert_true(e.state == EXPERIMENT_RUNNING && e.created_ms == 5);
	experiment_row_done(&e);
	assert_code(store_experiment_get(f->s, 99, &e, err), TP_NOTFOUND);
	assert_ok(add_part_run(f->s, data, id, 1, &run, err));
	add_evaluation(f->s, run, 1, -1, 0.25);
	add_evaluation(f->s, run, 4, 0, 0.5);
	part_row *p = NULL;
	size_t n = 0;
	assert_ok(store_experiment_parts(f->s, id, &p, &n, err));
	assert_int_equal(n, 2);
	assert_true(p[0].run == 0 && p[0].variant == -1 && p[0].state == PART_WAITING && p[0].miou_best < 0);
	assert_true(p[1].run == run && p[1].run_state == RUN_QUEUED && p[1].miou_current == 0.5);
	assert_true(p[1].miou_source == 0.25 && p[1].checkpoint == 0 && p[1].cost == 10);
	assert_string_equal(p[1].iou, "[0.5,null]");
	FREE_ROWS(p, n, part_row);
	int64_t second = add_experiment(f->s, data, 1);
	experiment_row *list = NULL;
	assert_ok(store_experiment_list(f->s, 0, 10, &list, &n, err));
	assert_true(n == 2 && list[0].id == second && list[1].id == id);
	FREE_ROWS(list, n, experiment_row);
	assert_ok(store_experiment_list(f->s, second, 10, &list, &n, err));
	assert_true(n == 1 && list[0].id == id);
	FREE_ROWS(list, n, experiment_row);
}

static void a_part_has_one_run(void **state)
{
	fixture *f = *state;
	int64_t data = add_dataset(f->s, "d", 1), id = add_experiment(f->s, data, 2), run = 0;
	assert_ok(add_part_run(f->s, data, id, 0, &run, err));
	assert_code(add_part_run(f->s, data, id, 0, &run, err), TP_EXISTS);
	assert_code(add_part_run(f->s, data, id, 7, &run, err), TP_CONFLICT);
	assert_code(add_part_run(f->s, data, 99, 0, &run, err), TP_NOTFOUND);
	assert_int_equal(number(f->s, "SELECT count(*) FROM run"), 1);
	assert_int_equal(number(f->s, "SELECT count(*) FROM run_history"), 1);
	assert_ok(store_experiment_end(f->s, id, EXPERIMENT_CANCELLED, "", err));
	assert_code(add_part_run(f->s, data, id, 1, &run, err), TP_CONFLICT);
	/* Plain runs belong to none, any number of them. */
	(void)add_run(f->s, "a", data, data);
	(void)add_run(f->s, "b", data, data);
}

static void settling_happens_once(void **state)
{
	fixture *f = *state;
	int64_t id = add_experiment(f->s, add_dataset(f->s, "d", 1), 1);
	int64_t events = number(f->s, "SELECT count(*) FROM event WHERE type = 'experiment.state'");
	assert_ok(store_experiment_settle(f->s, id, 0, PART_FAILED, "why", err));
	assert_ok(store_experiment_settle(f->s, id, 0, PART_COMPLETED, "", err));
	assert_int_equal(number(f->s, "SELECT count(*) FROM experiment_part WHERE state = 'failed' AND"
	                              " error = 'why'"), 1);
	assert_int_equal(number(f->s, "SELECT count(*) FROM event WHERE type = 'experiment.state'"),
	                 events + 1);
	assert_code(store_experiment_settle(f->s, 99, 0, PART_FAILED, "", err), TP_NOTFOUND);
	int64_t *open = NULL;
	size_t n = 0;
	assert_ok(store_experiment_open_ids(f->s, &open, &n, err));
	assert_true(n == 1 && open[0] == id);
	free(open);
	assert_ok(store_experiment_end(f->s, id, EXPERIMENT_FAILED, "why", err));
	assert_ok(store_experiment_end(f->s, id, EXPERIMENT_FAILED, "again", err));
	assert_code(store_experiment_end(f->s, id, EXPERIMENT_COMPLETED, "", err), TP_CONFLICT);
	assert_int_equal(number(f->s, "SELECT count(*) FROM experiment WHERE error = 'why'"), 1);
	assert_ok(store_experiment_open_ids(f->s, &open, &n, err));
	assert_int_equal(n, 0);
	assert_int_equal(number(f->s, "SELECT data ->> '$.state' = 'failed' AND data ->> '$.experiment' = 1"
	                              " FROM event ORDER BY id DESC LIMIT 1"), 1);
}

static void a_checkpoint_in_use_keeps_its_run(void **state)
{
	fixture *f = *state;
	int64_t data = add_dataset(f->s, "d", 1), origin = add_run(f->s, "origin", data, data), user = 0;
	run_row r = {.name = (char *)"user",
	             .config = (char *)"{}",
	             .source = data,
	             .target = data,
	             .init_checkpoint = add_public(f->s, origin),
	             .state = RUN_QUEUED};
	assert_ok(store_run_set_state(f->s, origin, RUN_COMPLETED, "", NULL, err));
	assert_ok(store_run_add(f->s, &r, &user, err));
	run_row got = {0};
	assert_ok(store_run_get(f->s, user, &got, err));
	assert_int_equal(got.init_checkpoint, r.init_checkpoint);
	run_row_done(&got);
	tp_err e = {0};
	assert_int_equal(store_run_delete(f->s, origin, &e), TP_CONFLICT);
	assert_string_equal(e.text, "run 2 starts from a checkpoint of run 1");
	assert_ok(store_run_set_state(f->s, user, RUN_CANCELLED, "", NULL, err));
	assert_ok(store_run_delete(f->s, origin, err));
	assert_ok(store_run_get(f->s, user, &got, err));
	assert_int_equal(got.init_checkpoint, 0);
	run_row_done(&got);
	/* It has gone: nobody starts from it any more. */
	assert_code(store_run_add(f->s, &r, &user, err), TP_CONFLICT);
	assert_int_equal(number(f->s, "SELECT count(*) FROM run"), 1);
}

/* Going on, it would write them again under other ids. */
static void a_checkpoint_in_use_keeps_its_run_failed(void **state)
{
	fixture *f = *state;
	int64_t data = add_dataset(f->s, "d", 1), origin = add_run(f->s, "origin", data, data), user = 0, id = 0;
	int64_t checkpoint = add_public(f->s, origin);
	run_row r = {.name = (char *)"user",
	             .config = (char *)"{}",
	             .source = data,
	             .target = data,
	             .init_checkpoint = checkpoint,
	             .state = RUN_QUEUED};
	experiment_row e = {.name = (char *)"e", .definition = (char *)"{}"};
	part_row p = {.origin = -1,
	              .config = (char *)"{}",
	              .source = data,
	              .target = data,
	              .init_checkpoint = checkpoint};
	assert_ok(store_run_set_state(f->s, origin, RUN_FAILED, "", "why", err));
	assert_ok(store_run_add(f->s, &r, &user, err));
	tp_err why = {0};
	assert_int_equal(store_run_set_state(f->s, origin, RUN_QUEUED, "", NULL, &why), TP_CONFLICT);
	assert_string_equal(why.text, "run 2 starts from a checkpoint of run 1");
	assert_ok(store_run_set_state(f->s, user, RUN_COMPLETED, "", NULL, err));
	assert_ok(store_experiment_add(f->s, &e, &p, 1, &id, err));
	why = (tp_err){0};
	assert_int_equal(store_run_set_state(f->s, origin, RUN_QUEUED, "", NULL, &why), TP_CONFLICT);
	assert_string_equal(why.text, "experiment 1, which is running, needs run 1");
	assert_ok(store_experiment_end(f->s, id, EXPERIMENT_CANCELLED, "", err));
	assert_ok(store_run_set_state(f->s, origin, RUN_QUEUED, "", NULL, err));
}

/* What a failed part took along waits again, nothing else does. */
static void a_failed_run_reopens_its_experiment(void **state)
{
	fixture *f = *state;
	int64_t data = add_dataset(f->s, "d", 1), run = 0, id = 0;
	experiment_row e = {.name = (char *)"e", .definition = (char *)"{}"};
	part_row p[3];
	for (size_t i = 0; i < 3; i++)
		p[i] = (part_row){.index = (int64_t)i,
		                  .variant = (int64_t)i - 1,
		                  .origin = i == 1 ? 0 : -1,
		                  .config = (char *)"{}",
		                  .source = data,
		                  .target = data};
	assert_ok(store_experiment_add(f->s, &e, p, 3, &id, err));
	assert_ok(add_part_run(f->s, data, id, 0, &run, err));
	assert_ok(store_run_set_state(f->s, run, RUN_FAILED, "", "why", err));
	for (int64_t i = 0; i < 3; i++)
		assert_ok(store_experiment_settle(f->s, id, i, PART_FAILED, "why", err));
	assert_ok(store_experiment_end(f->s, id, EXPERIMENT_FAILED, "why", err));
	assert_ok(store_run_set_state(f->s, run, RUN_QUEUED, "", NULL, err));
	assert_int_equal(number(f->s, "SELECT group_concat(idx) = '0,1' FROM experiment_part"
	                              " WHERE state = 'waiting' AND error = ''"), 1);
	assert_int_equal(number(f->s, "SELECT state = 'failed' FROM experiment_part WHERE idx = 2"), 1);
	assert_int_equal(number(f->s, "SELECT count(*) FROM experiment WHERE state = 'running' AND error = ''"), 1);
	/* One that was cancelled stays so. */
	assert_ok(store_run_set_state(f->s, run, RUN_FAILED, "", "why", err));
	assert_ok(store_experiment_settle(f->s, id, 0, PART_FAILED, "why", err));
	assert_ok(store_experiment_end(f->s, id, EXPERIMENT_CANCELLED, "", err));
	assert_ok(store_run_set_state(f->s, run, RUN_QUEUED, "", NULL, err));
	assert_int_equal(number(f->s, "SELECT count(*) FROM experiment WHERE state = 'cancelled'"), 1);
	assert_int_equal(number(f->s, "SELECT state = 'failed' FROM experiment_part WHERE idx = 0"), 1);
}

static void a_running_experiment_keeps_what_it_needs(void **state)
{
	fixture *f = *state;
	int64_t data = add_dataset(f->s, "d", 1), outside = add_run(f->s, "outside", data, data), run = 0;
	int64_t id = add_experiment(f->s, data, 2), second = 0;
	experiment_row e = {.name = (char *)"f", .definition = (char *)"{}"};
	part_row p = {.origin = -1,
	              .config = (char *)"{}",
	              .source = data,
	              .target = data,
	              .init_checkpoint = add_public(f->s, outside)};
	assert_ok(store_experiment_add(f->s, &e, &p, 1, &second, err));
	assert_ok(add_part_run(f->s, data, id, 0, &run, err));
	assert_ok(store_run_set_state(f->s, run, RUN_COMPLETED, "", NULL, err));
	assert_ok(store_run_set_state(f->s, outside, RUN_COMPLETED, "", NULL, err));
	tp_err why = {0};
	assert_int_equal(store_run_delete(f->s, run, &why), TP_CONFLICT);
	assert_string_equal(why.text, "experiment 1, which is running, needs run 2");
	why = (tp_err){0};
	assert_int_equal(store_run_delete(f->s, outside, &why), TP_CONFLICT);
	assert_string_equal(why.text, "experiment 2, which is running, needs run 1");
	assert_ok(store_experiment_end(f->s, id, EXPERIMENT_CANCELLED, "", err));
	assert_ok(store_experiment_end(f->s, second, EXPERIMENT_CANCELLED, "", err));
	assert_ok(store_run_delete(f->s, run, err));
	assert_ok(store_run_delete(f->s, outside, err));
	why = (tp_err){0};
	assert_int_equal(store_dataset_delete(f->s, data, &why), TP_CONFLICT);
	assert_string_equal(why.text, "data set 1 is used by experiment 1");
	int64_t *list = NULL;
	size_t n = 0;
	assert_ok(store_experiment_delete(f->s, id, false, &list, &n, err));
	assert_ok(store_experiment_delete(f->s, second, true, &list, &n, err));
	assert_int_equal(n, 0);
	assert_ok(store_dataset_delete(f->s, data, err));
}

static void numbers_outlive_their_runs(void **state)
{
	fixture *f = *state;
	int64_t data = add_dataset(f->s, "d", 1), id = add_experiment(f->s, data, 3), run = 0, silent = 0;
	assert_ok(add_part_run(f->s, data, id, 1, &run, err));
	assert_ok(add_part_run(f->s, data, id, 2, &silent, err));
	char stale[128];
	publish(f->s, run, 0, 7, 7, NULL, 0, stale);
	add_evaluation(f->s, run, 1, -1, 0.25);
	add_evaluation(f->s, run, 4, 0, 0.5);
	assert_ok(store_run_set_state(f->s, run, RUN_COMPLETED, "", NULL, err));
	assert_ok(store_run_set_state(f->s, silent, RUN_FAILED, "why", NULL, err));
	assert_ok(store_experiment_settle(f->s, id, 1, PART_COMPLETED, "", err));
	assert_ok(store_experiment_end(f->s, id, EXPERIMENT_FAILED, "why", err));
	part_row *before = NULL, *after = NULL;
	size_t n = 0;
	assert_ok(store_experiment_parts(f->s, id, &before, &n, err));
	assert_ok(store_run_delete(f->s, run, err));
	assert_ok(store_run_delete(f->s, silent, err));
	assert_ok(store_experiment_parts(f->s, id, &after, &n, err));
	assert_int_equal(n, 3);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(after[i].run, 0);
		assert_true(after[i].seconds == before[i].seconds && after[i].miou_source == before[i].miou_source);
		assert_true(after[i].miou_current == before[i].miou_current);
		assert_true(after[i].miou_best == before[i].miou_best);
		assert_string_equal(after[i].iou, before[i].iou);
	}
	assert_true(after[0].miou_current < 0 && after[1].miou_current == 0.5 && after[2].miou_current < 0);
	assert_true(after[1].seconds == 7.0);
	assert_string_equal(after[1].iou, "[0.5,null]");
	FREE_ROWS(before, n, part_row);
	FREE_ROWS(after, n, part_row);
}

static void deleting_may_leave_the_runs(void **state)
{
	fixture *f = *state;
	int64_t data = add_dataset(f->s, "d", 1), id = add_experiment(f->s, data, 1), run = 0, user = 0;
	int64_t *list = NULL;
	size_t n = 0;
	assert_ok(add_part_run(f->s, data, id, 0, &run, err));
	assert_code(store_experiment_delete(f->s, id, false, &list, &n, err), TP_CONFLICT);
	assert_ok(store_experiment_end(f->s, id, EXPERIMENT_CANCELLED, "", err));
	assert_code(store_experiment_delete(f->s, id, false, &list, &n, err), TP_CONFLICT);
	assert_ok(store_run_set_state(f->s, run, RUN_CANCELLED, "", NULL, err));
	/* Somebody outside starts from it: all or nothing. */
	run_row r = {.name = (char *)"user",
	             .config = (char *)"{}",
	             .source = data,
	             .target = data,
	             .init_checkpoint = add_public(f->s, run),
	             .state = RUN_QUEUED};
	assert_ok(store_run_add(f->s, &r, &user, err));
	assert_code(store_experiment_delete(f->s, id, true, &list, &n, err), TP_CONFLICT);
	assert_int_equal(number(f->s, "SELECT count(*) FROM run"), 2);
	assert_ok(store_experiment_delete(f->s, id, false, &list, &n, err));
	assert_int_equal(number(f->s, "SELECT count(*) FROM run WHERE experiment IS NULL"), 2);
	assert_code(store_experiment_delete(f->s, id, false, &list, &n, err), TP_NOTFOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(experiments_go_in_and_out),
		TEST(a_part_has_one_run),
		TEST(settling_happens_once),
		TEST(a_checkpoint_in_use_keeps_its_run),
		TEST(a_checkpoint_in_use_keeps_its_run_failed),
		TEST(a_failed_run_reopens_its_experiment),
		TEST(a_running_experiment_keeps_what_it_needs),
		TEST(numbers_outlive_their_runs),
		TEST(deleting_may_leave_the_runs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
