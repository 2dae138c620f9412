/* store: opening, data sets, weights, runs with their history, events; many threads at once. */
#include "store_fixture.h"

#include <pthread.h>

static void reopening_finds_everything(void **state)
{
	fixture *f = *state;
	int64_t id = add_dataset(f->s, "camvid", 3);
	store_close(f->s);
	f->s = NULL;
	assert_ok(store_open(f->dir, MIGRATIONS_DIR, &f->s, err));
	dataset_row d = {0};
	assert_ok(store_dataset_get(f->s, id, &d, err));
	assert_string_equal(d.name, "camvid");
	dataset_row_done(&d);
	assert_ok(store_ping(f->s, err));
	assert_true(number(f->s, "SELECT time_ms FROM ping") > 0);
	assert_int_equal(number(f->s, "PRAGMA foreign_keys"), 1);
	assert_int_equal(number(f->s, "PRAGMA trusted_schema"), 0);
}

static void a_bad_folder_is_an_error(void **state)
{
	fixture *f = *state;
	char path[300];
	(void)snprintf(path, sizeof path, "%s/absent", f->dir);
	store *s = NULL;
	assert_code(store_open(path, MIGRATIONS_DIR, &s, err), TP_IO);
	assert_null(s);
	store_close(NULL);
}

static void datasets_go_in_and_out(void **state)
{
	fixture *f = *state;
	dataset_image_row image[] = {
		{0, (char *)"a", (char *)"/r/images/a.png", (char *)"/r/labels/a.png", 960, 720},
		{1, (char *)"b", (char *)"/r/images/b.png", NULL, 640, 360},
	};
	dataset_row in = {.name = (char *)"night",
	                  .layout = (char *)"camvid",
	                  .root = (char *)"/r",
	                  .split = (char *)"train",
	                  .include = (char *)"x*",
	                  .classes = (char *)"[{\"id\":0}]",
	                  .class_set = (char *)"custom",
	                  .class_map = (char *)"{\"1\":0}",
	                  .images = 2,
	                  .labelled = 1,
	                  .created_ms = 9};
	int64_t id = 0;
	assert_ok(store_dataset_add(f->s, &in, image, 2, &id, err));
	dataset_row d = {0};
	assert_ok(store_dataset_find(f->s, "night", &d, err));
	assert_int_equal(d.id, id);
	assert_string_equal(d.layout, "camvid");
	assert_string_equal(d.root, "/r");
	assert_string_equal(d.split, "train");
	assert_string_equal(d.include, "x*");
	assert_string_equal(d.classes, "[{\"id\":0}]");
	assert_string_equal(d.class_set, "custom");
	assert_string_equal(d.class_map, "{\"1\":0}");
	assert_true(d.images == 2 && d.labelled == 1 && d.created_ms == 9);
	dataset_row_done(&d);
	dataset_image_row *list = NULL;
	size_t n = 0;
	assert_ok(store_dataset_images(f->s, id, &list, &n, err));
	assert_int_equal(n, 2);
	assert_string_equal(list[0].label, "/r/labels/a.png");
	assert_string_equal(list[1].label, "");
	FREE_ROWS(list, n, dataset_image_row);
	dataset_image_row one = {0};
	assert_ok(store_dataset_image(f->s, id, 1, &one, err));
	assert_string_equal(one.image, "/r/images/b.png");
	assert_true(one.index == 1 && one.width == 640 && one.height == 360);
	dataset_image_row_done(&one);
	assert_code(store_dataset_image(f->s, id, 2, &one, err), TP_NOTFOUND);
	assert_code(store_dataset_get(f->s, 77, &d, err), TP_NOTFOUND);
	assert_null(d.name);
	assert_code(store_dataset_add(f->s, &in, image, 2, &id, err), TP_EXISTS);
}

static void images_must_come_in_name_order(void **state)
{
	fixture *f = *state;
	dataset_image_row image[] = {{.index = 0, .name = (char *)"b"},
	                             {.index = 1, .name = (char *)"a"}};
	dataset_row in = {.name = (char *)"mixed", .images = 2};
	int64_t id = 0;
	assert_code(store_dataset_add(f->s, &in, image, 2, &id, err), TP_INVALID);
	image[1].name = (char *)"c";
	image[1].index = 5;
	assert_code(store_dataset_add(f->s, &in, image, 2, &id, err), TP_INVALID);
	assert_int_equal(number(f->s, "SELECT count(*) FROM dataset"), 0);
}

static void names_win_over_ids(void **state)
{
	fixture *f = *state;
	int64_t first = add_dataset(f->s, "plain", 1);
	char text[32];
	(void)snprintf(text, sizeof text, "%lld", (long long)first);
	dataset_row d = {0};
	assert_ok(store_dataset_find(f->s, text, &d, err));
	assert_string_equal(d.name, "plain");
	dataset_row_done(&d);
	(void)add_dataset(f->s, text, 1);
	assert_ok(store_dataset_find(f->s, text, &d, err));
	assert_string_equal(d.name, text);
	dataset_row_done(&d);
	assert_code(store_dataset_find(f->s, "nothing", &d, err), TP_NOTFOUND);
}

static void lists_are_paged(void **state)
{
	fixture *f = *state;
	for (int i = 0; i < 5; i++)
		(void)add_dataset(f->s, (const char *[]){"e", "d", "c", "b", "a"}[i], 1);
	dataset_row *list = NULL;
	size_t n = 0;
	assert_ok(store_dataset_list(f->s, 0, 2, &list, &n, err));
	assert_int_equal(n, 2);
	assert_string_equal(list[1].name, "d");
	int64_t after = list[1].id;
	FREE_ROWS(list, n, dataset_row);
	assert_ok(store_dataset_list(f->s, after, 10, &list, &n, err));
	assert_int_equal(n, 3);
	assert_string_equal(list[0].name, "c");
	after = list[2].id;
	FREE_ROWS(list, n, dataset_row);
	assert_ok(store_dataset_list(f->s, after, 10, &list, &n, err));
	assert_int_equal(n, 0);
	FREE_ROWS(list, n, dataset_row);
}

static void a_used_dataset_stays(void **state)
{
	fixture *f = *state;
	int64_t a = add_dataset(f->s, "a", 1), b = add_dataset(f->s, "b", 1);
	int64_t run = add_run(f->s, "r", a, b);
	assert_code(store_dataset_delete(f->s, b, err), TP_CONFLICT);
	assert_ok(store_run_set_state(f->s, run, RUN_CANCELLED, "test", NULL, err));
	assert_ok(store_run_delete(f->s, run, err));
	assert_ok(store_dataset_delete(f->s, b, err));
	assert_code(store_dataset_delete(f->s, b, err), TP_NOTFOUND);
	assert_int_equal(number(f->s, "SELECT count(*) FROM dataset_image"), 1);
	/* An id is never given twice. */
	assert_true(add_dataset(f->s, "b", 1) > b);
}

static void weights_go_in_and_out(void **state)
{
	fixture *f = *state;
	weights_row in = {.name = (char *)"imagenet",
	                  .arch = (char *)"deeplabv2-vgg16",
	                  .sha256 = (char *)"ab",
	                  .file = (char *)"weights/1",
	                  .spec = (char *)"{}",
	                  .whole = true,
	                  .tensors = 32,
	                  .bytes = 99,
	                  .created_ms = 4};
	int64_t id = 0;
	assert_ok(store_weights_add(f->s, &in, &id, err));
	assert_code(store_weights_add(f->s, &in, &id, err), TP_EXISTS);
	weights_row w = {0};
	assert_ok(store_weights_find(f->s, "imagenet", &w, err));
	assert_string_equal(w.arch, "deeplabv2-vgg16");
	assert_string_equal(w.sha256, "ab");
	assert_string_equal(w.file, "weights/1");
	assert_string_equal(w.spec, "{}");
	assert_true(w.whole && w.tensors == 32 && w.bytes == 99 && w.created_ms == 4 && w.id == id);
	weights_row_done(&w);
	assert_ok(store_weights_find(f->s, "1", &w, err));
	weights_row_done(&w);
	assert_ok(store_weights_get(f->s, id, &w, err));
	weights_row_done(&w);
	assert_code(store_weights_get(f->s, 8, &w, err), TP_NOTFOUND);
	weights_row *list = NULL;
	size_t n = 0;
	assert_ok(store_weights_list(f->s, 0, 9, &list, &n, err));
	assert_int_equal(n, 1);
	FREE_ROWS(list, n, weights_row);
}

static void states_have_names(void **state)
{
	run_state s;
	for (int i = 0; i < RUN_STATES; i++) {
		assert_true(run_state_parse(run_state_name((run_state)i), &s));
		assert_int_equal(s, i);
	}
	assert_false(run_state_parse("sleeping", &s));
	assert_true(run_state_final(RUN_FAILED) && !run_state_final(RUN_PAUSED));
}

static void runs_go_in_and_out(void **state)
{
	fixture *f = *state;
	int64_t a = add_dataset(f->s, "a", 1), b = add_dataset(f->s, "b", 1);
	run_row in = {.name = (char *)"first",
	              .config = (char *)"{\"x\":1}",
	              .source = a,
	              .target = b,
	              .eval = b,
	              .state = RUN_QUEUED,
	              .created_ms = 7,
	              .memory_bytes = (int64_t)5 << 40,
	              .disk_bytes = 6};
	int64_t id = 0;
	assert_ok(store_run_add(f->s, &in, &id, err));
	run_row r = {0};
	assert_ok(store_run_get(f->s, id, &r, err));
	assert_string_equal(r.name, "first");
	assert_string_equal(r.config, "{\"x\":1}");
	assert_string_equal(r.error, "");
	assert_true(r.source == a && r.target == b && r.eval == b && r.init == 0);
	assert_true(r.state == RUN_QUEUED && r.created_ms == 7 && r.updated_ms == 7);
	assert_true(r.memory_bytes == (int64_t)5 << 40 && r.disk_bytes == 6);
	assert_true(r.stage == 0 && r.step == 0 && r.seconds == 0.0);
	assert_true(r.miou_source == -1.0 && r.miou_current == -1.0 && r.miou_best == -1.0);
	run_row_done(&r);
	assert_code(store_run_get(f->s, 99, &r, err), TP_NOTFOUND);
	in.target = 1234;
	assert_code(store_run_add(f->s, &in, &id, err), TP_CONFLICT);
}

static void states_are_recorded(void **state)
{
	fixture *f = *state;
	int64_t id = add_any_run(f->s, 1);
	assert_ok(store_run_set_state(f->s, id, RUN_RUNNING, "its turn", NULL, err));
	assert_ok(store_run_set_state(f->s, id, RUN_FAILED, "a \"bad\" value", "loss is NaN", err));
	run_row r = {0};
	assert_ok(store_run_get(f->s, id, &r, err));
	assert_int_equal(r.state, RUN_FAILED);
	assert_string_equal(r.error, "loss is NaN");
	run_row_done(&r);
	run_history_row *h = NULL;
	size_t n = 0;
	assert_ok(store_run_history(f->s, id, &h, &n, err));
	assert_int_equal(n, 3);
	assert_true(h[0].from == RUN_QUEUED && h[0].to == RUN_QUEUED);
	assert_true(h[2].from == RUN_RUNNING && h[2].to == RUN_FAILED && h[2].time_ms > 0);
	assert_string_equal(h[1].reason, "its turn");
	FREE_ROWS(h, n, run_history_row);
	event_row *e = NULL;
	assert_ok(store_event_list(f->s, 0, id, 10, &e, &n, err));
	assert_int_equal(n, 3);
	assert_string_equal(e[2].type, "run.state");
	char want[200];
	(void)snprintf(want, sizeof want,
	               "{\"run\":%lld,\"state\":\"failed\",\"from\":\"running\","
	               "\"reason\":\"a \\\"bad\\\" value\"}",
	               (long long)id);
	assert_string_equal(e[2].data, want);
	FREE_ROWS(e, n, event_row);
	/* A failed run may be tried again, and no more than that; any other end is final. */
	assert_code(store_run_set_state(f->s, id, RUN_RUNNING, "on", NULL, err), TP_CONFLICT);
	assert_ok(store_run_set_state(f->s, id, RUN_QUEUED, "again", NULL, err));
	assert_ok(store_run_set_state(f->s, id, RUN_CANCELLED, "enough", NULL, err));
	assert_code(store_run_set_state(f->s, id, RUN_QUEUED, "again", NULL, err), TP_CONFLICT);
	assert_code(store_run_set_state(f->s, 99, RUN_QUEUED, "?", NULL, err), TP_NOTFOUND);
}

static void an_error_is_kept_until_replaced(void **state)
{
	fixture *f = *state;
	int64_t id = add_any_run(f->s, 1);
	assert_ok(store_run_set_state(f->s, id, RUN_PAUSED, "disk", "no space", err));
	assert_ok(store_run_set_state(f->s, id, RUN_QUEUED, "resume", NULL, err));
	run_row r = {0};
	assert_ok(store_run_get(f->s, id, &r, err));
	assert_string_equal(r.error, "no space");
	run_row_done(&r);
	assert_ok(store_run_set_state(f->s, id, RUN_RUNNING, "go", "", err));
	assert_ok(store_run_get(f->s, id, &r, err));
	assert_string_equal(r.error, "");
	run_row_done(&r);
}

static void runs_are_listed_newest_first(void **state)
{
	fixture *f = *state;
	int64_t id[4];
	for (int i = 0; i < 4; i++)
		id[i] = add_any_run(f->s, 1);
	assert_ok(store_run_set_state(f->s, id[1], RUN_RUNNING, "", NULL, err));
	run_row *list = NULL;
	size_t n = 0;
	assert_ok(store_run_list(f->s, 0, -1, 3, &list, &n, err));
	assert_true(n == 3 && list[0].id == id[3] && list[2].id == id[1]);
	FREE_ROWS(list, n, run_row);
	assert_ok(store_run_list(f->s, id[1], -1, 3, &list, &n, err));
	assert_true(n == 1 && list[0].id == id[0]);
	FREE_ROWS(list, n, run_row);
	assert_ok(store_run_list(f->s, 0, RUN_RUNNING, 3, &list, &n, err));
	assert_true(n == 1 && list[0].id == id[1]);
	FREE_ROWS(list, n, run_row);
	int64_t *ids = NULL;
	assert_ok(store_run_ids(f->s, RUN_QUEUED, &ids, &n, err));
	assert_true(n == 3 && ids[0] == id[0] && ids[1] == id[2] && ids[2] == id[3]);
	free(ids);
}

static void only_finished_runs_are_deleted(void **state)
{
	fixture *f = *state;
	int64_t id = add_any_run(f->s, 1);
	assert_code(store_run_delete(f->s, id, err), TP_CONFLICT);
	assert_ok(store_run_set_state(f->s, id, RUN_COMPLETED, "", NULL, err));
	assert_ok(store_run_delete(f->s, id, err));
	assert_code(store_run_delete(f->s, id, err), TP_NOTFOUND);
	assert_int_equal(number(f->s, "SELECT count(*) FROM run_history"), 0);
	assert_int_equal(number(f->s, "SELECT count(*) FROM event"), 0);
}

static void events_replay_in_order(void **state)
{
	fixture *f = *state;
	int64_t run = add_any_run(f->s, 1), id[3], last = 0;
	assert_ok(store_event_add(f->s, run, "eval.finished", "{}", &id[0], err));
	assert_ok(store_event_add(f->s, 0, "server.shutdown", "{\"a\":1}", &id[1], err));
	assert_ok(store_event_add(f->s, run, "round.finished", "{}", &id[2], err));
	assert_ok(store_event_last(f->s, &last, err));
	assert_int_equal(last, id[2]);
	event_row *e = NULL;
	size_t n = 0;
	assert_ok(store_event_list(f->s, id[0], 0, 10, &e, &n, err));
	assert_true(n == 2 && e[0].id == id[1] && e[0].run == 0 && e[1].run == run);
	assert_string_equal(e[0].data, "{\"a\":1}");
	assert_true(e[0].time_ms > 0);
	FREE_ROWS(e, n, event_row);
	assert_ok(store_event_list(f->s, id[0], run, 10, &e, &n, err));
	assert_true(n == 1 && e[0].id == id[2]);
	FREE_ROWS(e, n, event_row);
	assert_code(store_event_add(f->s, 99, "x", "{}", &last, err), TP_NOTFOUND);
}

static void old_events_are_forgotten(void **state)
{
	fixture *f = *state;
	int64_t first, id;
	assert_ok(store_event_add(f->s, 0, "a", "{}", &first, err));
	db *d;
	assert_ok(writer_enter(f->s, &d, err));
	assert_ok(db_exec(d->handle, "UPDATE sqlite_sequence SET seq = 100000 WHERE name = 'event'",
	                  err));
	assert_ok(writer_leave(d, TP_OK, err));
	assert_ok(store_event_add(f->s, 0, "b", "{}", &id, err));
	assert_int_equal(id, 100001);
	assert_int_equal(number(f->s, "SELECT count(*) FROM event"), 1);
	assert_int_equal(number(f->s, "SELECT id FROM event"), 100001);
}

/* ---- threads ---- */

enum { WRITERS = 3, EVENTS = 40 };

static void *write_events(void *arg)
{
	for (int i = 0; i < EVENTS; i++) {
		int64_t id;
		if (store_event_add(arg, 0, "t", "{}", &id, NULL) != TP_OK)
			return arg;
		event_row *e = NULL;
		size_t n = 0;
		/* What was written is read back at once. */
		if (store_event_list(arg, id - 1, 0, 1, &e, &n, NULL) != TP_OK || n != 1 ||
		    e[0].id != id)
			return arg;
		FREE_ROWS(e, n, event_row);
	}
	return NULL;
}

static void threads_share_a_store(void **state)
{
	fixture *f = *state;
	pthread_t t[WRITERS];
	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, write_events, f->s), 0);
	for (int i = 0; i < WRITERS; i++) {
		void *failed;
		assert_int_equal(pthread_join(t[i], &failed), 0);
		assert_null(failed);
	}
	assert_int_equal(number(f->s, "SELECT count(*) FROM event"), WRITERS * EVENTS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reopening_finds_everything),
		TEST(a_bad_folder_is_an_error),
		TEST(datasets_go_in_and_out),
		TEST(images_must_come_in_name_order),
		TEST(names_win_over_ids),
		TEST(lists_are_paged),
		TEST(a_used_dataset_stays),
		TEST(weights_go_in_and_out),
		TEST(states_have_names),
		TEST(runs_go_in_and_out),
		TEST(states_are_recorded),
		TEST(an_error_is_kept_until_replaced),
		TEST(runs_are_listed_newest_first),
		TEST(only_finished_runs_are_deleted),
		TEST(events_replay_in_order),
		TEST(old_events_are_forgotten),
		TEST(threads_share_a_store),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
