/* store: what a run produces: checkpoints, metrics, rounds, images, evaluations, profiles. */
#include "store_rows.h"

/* ---- checkpoints and progress ---- */

static void the_newest_two_checkpoints_stay(void **state)
{
	fixture *f = *state;
	int64_t run = add_any_run(f->s, 1);
	char stale[128];
	publish(f->s, run, 0, 10, 10, NULL, 0, stale);
	publish(f->s, run, 0, 20, 20, NULL, 0, stale);
	assert_string_equal(stale, "");
	publish(f->s, run, 0, 30, 30, NULL, 0, stale);
	assert_string_equal(stale, "r-0-10 ");
	checkpoint_row c = {0};
	assert_ok(store_checkpoint_resume(f->s, run, 0, &c, err));
	assert_string_equal(c.file, "r-0-30");
	assert_true(c.resume && c.step == 30 && c.stage == 0 && c.round == -1 && c.bytes == 10);
	assert_string_equal(c.sha256, "aa");
	checkpoint_row_done(&c);
	assert_ok(store_checkpoint_resume(f->s, run, 1, &c, err));
	assert_string_equal(c.file, "r-0-20");
	checkpoint_row_done(&c);
	assert_code(store_checkpoint_resume(f->s, run, 2, &c, err), TP_NOTFOUND);
	run_row r = {0};
	assert_ok(store_run_get(f->s, run, &r, err));
	assert_true(r.stage == 0 && r.step == 30 && r.seconds == 30.0);
	run_row_done(&r);
	/* Resume checkpoints are nobody else's business. */
	checkpoint_row *list = NULL;
	size_t n = 9;
	assert_ok(store_checkpoint_list(f->s, run, 0, 10, &list, &n, err));
	assert_int_equal(n, 0);
	int64_t id = number(f->s, "SELECT max(id) FROM checkpoint");
	assert_code(store_checkpoint_get(f->s, id, &c, err), TP_NOTFOUND);
}

/* Saving twice at one step writes one file; it must not be listed for removal. */
static void a_rewritten_checkpoint_replaces_its_row(void **state)
{
	fixture *f = *state;
	int64_t run = add_any_run(f->s, 1);
	char stale[128];
	publish(f->s, run, 0, 10, 10, NULL, 0, stale);
	for (int i = 0; i < 3; i++) {
		publish(f->s, run, 0, 20, 20, NULL, 0, stale);
		assert_string_equal(stale, "");
	}
	checkpoint_row c = {0};
	assert_ok(store_checkpoint_resume(f->s, run, 1, &c, err));
	assert_string_equal(c.file, "r-0-10");
	checkpoint_row_done(&c);
}

static void a_stage_without_training_moves_the_position(void **state)
{
	fixture *f = *state;
	int64_t run = add_any_run(f->s, 1);
	store_progress p = {.run = run, .stage = 3, .step = 0, .seconds = 1.5};
	char **list = NULL;
	size_t n = 0;
	assert_ok(store_run_progress(f->s, &p, &list, &n, err));
	assert_int_equal(n, 0);
	assert_int_equal(number(f->s, "SELECT stage FROM run"), 3);
	p.run = 99;
	assert_code(store_run_progress(f->s, &p, &list, &n, err), TP_NOTFOUND);
	char name[32];
	checkpoint_row other = resume_at(run + 1, 0, 1, name);
	p.run = run;
	p.checkpoint = &other;
	assert_code(store_run_progress(f->s, &p, &list, &n, err), TP_INVALID);
}

static void public_checkpoints_are_listed(void **state)
{
	fixture *f = *state;
	int64_t run = add_any_run(f->s, 1), id[3];
	for (int i = 0; i < 3; i++) {
		checkpoint_row c = {.run = run,
		                    .round = i - 1,
		                    .stage = 3 * i,
		                    .step = 100 * (i + 1),
		                    .phase = (char *)"phase1_training",
		                    .file = (char *)"w.safetensors",
		                    .sha256 = (char *)"bb",
		                    .bytes = 7};
		assert_ok(store_checkpoint_add(f->s, &c, &id[i], err));
	}
	checkpoint_row *list = NULL;
	size_t n = 0;
	assert_ok(store_checkpoint_list(f->s, run, id[0], 10, &list, &n, err));
	assert_true(n == 2 && list[0].id == id[1] && !list[0].resume && list[1].round == 1);
	rows_done(list, n, sizeof *list, checkpoint_row_done_any);
	checkpoint_row c = {0};
	assert_ok(store_checkpoint_get(f->s, id[2], &c, err));
	assert_string_equal(c.phase, "phase1_training");
	assert_true(c.run == run && c.step == 300 && c.stage == 6);
	assert_code(store_checkpoint_add(f->s, &c, &id[0], err), TP_EXISTS);
	checkpoint_row_done(&c);
	checkpoint_row_done(&c);
}

/* ---- metrics ---- */

static void write_metrics(store *s, int64_t run, const metric_row *m, size_t n)
{
	store_progress p = {.run = run, .metric = m, .metrics = n};
	char **list = NULL;
	size_t stale = 0;
	assert_ok(store_run_progress(s, &p, &list, &stale, err));
}

static void metrics_come_back_by_key(void **state)
{
	fixture *f = *state;
	int64_t run = add_any_run(f->s, 1);
	const metric_row m[] = {{"loss", 2, 0.5}, {"loss", 1, 0.75}, {"lr", 1, 1e-5}, {"a", 9, -1}};
	write_metrics(f->s, run, m, 4);
	metric_series *list = NULL;
	size_t n = 0;
	assert_ok(store_metrics(f->s, run, NULL, 0, 100, &list, &n, err));
	assert_int_equal(n, 3);
	assert_string_equal(list[0].key, "a");
	assert_string_equal(list[1].key, "loss");
	assert_true(list[1].points == 2 && list[1].point[0].step == 1 &&
	            list[1].point[0].value == 0.75);
	assert_true(list[2].point[0].value == 1e-5);
	FREE_ROWS(list, n, metric_series);
	assert_ok(store_metrics(f->s, run, "lr,nothing,,lr", 1, 100, &list, &n, err));
	assert_int_equal(n, 2);
	assert_string_equal(list[0].key, "lr");
	assert_int_equal(list[1].points, 0);
	FREE_ROWS(list, n, metric_series);
	assert_ok(store_metrics(f->s, run, "loss", 2, 100, &list, &n, err));
	assert_true(n == 1 && list[0].points == 1 && list[0].point[0].step == 2);
	FREE_ROWS(list, n, metric_series);
	assert_ok(store_metrics(f->s, run, "", 0, 100, &list, &n, err));
	assert_int_equal(n, 0);
	FREE_ROWS(list, n, metric_series);
	assert_code(store_metrics(f->s, run, NULL, 0, 1, &list, &n, err), TP_INVALID);
	char many[400] = "";
	for (int i = 0; i < 65; i++)
		(void)snprintf(many + strlen(many), sizeof many - strlen(many), "k%d,", i);
	assert_code(store_metrics(f->s, run, many, 0, 10, &list, &n, err), TP_INVALID);
}

static void a_metric_that_is_no_number_is_refused(void **state)
{
	fixture *f = *state;
	int64_t run = add_any_run(f->s, 1);
	const metric_row m[] = {{"loss", 1, 0.5}, {"loss", 2, (double)NAN}};
	store_progress p = {.run = run, .stage = 5, .metric = m, .metrics = 2};
	char **list = NULL;
	size_t n = 0;
	assert_code(store_run_progress(f->s, &p, &list, &n, err), TP_NONFINITE);
	assert_int_equal(number(f->s, "SELECT count(*) FROM metric"), 0);
	assert_int_equal(number(f->s, "SELECT stage FROM run"), 0);
}

static void thinning_keeps_the_peaks(void **state)
{
	fixture *f = *state;
	enum { ROWS = 5000 };
	int64_t run = add_any_run(f->s, 1);
	metric_row *m = calloc(ROWS, sizeof *m);
	assert_non_null(m);
	for (size_t i = 0; i < ROWS; i++)
		m[i] = (metric_row){"loss", (int64_t)i, 1.0 + 0.01 * rng_uniform(3, RNG_TEST, i)};
	m[1234].value = 50.0;
	m[4321].value = -50.0;
	write_metrics(f->s, run, m, ROWS);
	static const size_t limits[] = {2, 3, 10, 999, 4999, 5000, 6000};
	for (size_t k = 0; k < sizeof limits / sizeof *limits; k++) {
		metric_series *list = NULL;
		size_t n = 0, low = 0, high = 0;
		assert_ok(store_metrics(f->s, run, "loss", 0, limits[k], &list, &n, err));
		assert_true(list[0].points <= limits[k] && list[0].points >= limits[k] / 2);
		for (size_t i = 0; i < list[0].points; i++) {
			const metric_point *p = &list[0].point[i];
			assert_true(i == 0 || p[0].step > p[-1].step);
			assert_true(p->value == m[p->step].value);
			low += p->step == 4321;
			high += p->step == 1234;
		}
		assert_true(low == 1 && high == 1);
		if (limits[k] >= ROWS)
			assert_int_equal(list[0].points, ROWS);
		FREE_ROWS(list, n, metric_series);
	}
	free(m);
}

/* ---- rounds and images ---- */

static void rounds_go_in_and_out(void **state)
{
	fixture *f = *state;
	int64_t run = add_any_run(f->s, 5);
	add_round(f->s, run, 5, 1, 5);
	add_round(f->s, run, 2, 0, 5);
	round_row *list = NULL;
	size_t n = 0;
	assert_ok(store_round_list(f->s, run, &list, &n, err));
	assert_true(n == 2 && list[0].round == 0 && list[1].round == 1 && list[1].stage == 5);
	assert_string_equal(list[0].phase, "phase1_training");
	assert_string_equal(list[0].thresholds, "[0.5,0.6,1.0]");
	assert_string_equal(list[0].class_stats, "{}");
	assert_true(list[0].portion == 0.2 && list[0].confident == 0.5 && list[0].voted == 0.25);
	assert_true(list[0].soft == 0.125 && list[0].easy == 2 && list[0].hard == 3);
	assert_true(list[0].pseudo_accuracy == -1.0);
	round_row again = list[0];
	assert_code(store_round_add(f->s, &again, NULL, 0, NULL, err), TP_EXISTS);
	again.run = 99;
	assert_code(store_round_add(f->s, &again, NULL, 0, NULL, err), TP_NOTFOUND);
	FREE_ROWS(list, n, round_row);
	image_row *image = NULL;
	assert_ok(store_image_history(f->s, run, 3, &image, &n, err));
	assert_true(n == 2 && image[0].round == 0 && image[1].round == 1);
	assert_string_equal(image[0].name, "i000003");
	assert_true(image[1].confidence == confidence_of(3, 1) && image[1].rank == 2);
	assert_string_equal(image[0].class_confidence, "[0.5,null,0.25]");
	FREE_ROWS(image, n, image_row);
	assert_code(store_image_history(f->s, run, 5, &image, &n, err), TP_NOTFOUND);
	assert_code(store_image_history(f->s, 99, 0, &image, &n, err), TP_NOTFOUND);
}

static void assert_audit(const round_audit_row *got, int64_t round)
{
	audit_rows want;
	make_audit(&want, round);
	const round_audit_row *w = &want.audit;
	assert_true(got->round == round && got->entropy == w->entropy);
	assert_true(got->flip_agreement == w->flip_agreement && got->agreement == w->agreement);
	assert_true(got->label_agreement == w->label_agreement);
	assert_true(got->truth_pixels == w->truth_pixels);
	assert_true(got->threshold_accuracy == w->threshold_accuracy);
	assert_int_equal(got->classes, AUDIT_CLASSES);
	assert_memory_equal(got->class, want.class, sizeof want.class);
	assert_int_equal(got->alarms, w->alarms);
	for (size_t i = 0; i < got->alarms; i++) {
		assert_string_equal(got->alarm[i].kind, want.alarm[i].kind);
		assert_string_equal(got->alarm[i].text, want.alarm[i].text);
		assert_int_equal(got->alarm[i].class_id, want.alarm[i].class_id);
		assert_true(got->alarm[i].value == want.alarm[i].value);
		assert_true(got->alarm[i].limit == want.alarm[i].limit);
	}
}

/* Rounds without an audit and without an alarm lie between those that have some. */
static void audits_go_in_and_out(void **state)
{
	fixture *f = *state;
	int64_t run = add_any_run(f->s, 2), other = add_any_run(f->s, 2);
	round_row bare = {.run = run, .stage = 8, .round = 2, .phase = (char *)"phase1_training",
	                  .thresholds = (char *)"[]", .class_stats = (char *)"{}"};
	add_round(f->s, other, 2, 0, 2);
	add_round(f->s, run, 11, 3, 2);
	assert_ok(store_round_add(f->s, &bare, NULL, 0, NULL, err));
	add_round(f->s, run, 5, 1, 2);
	add_round(f->s, run, 2, 0, 2);
	round_audit_row *list = NULL;
	size_t n = 0;
	assert_ok(store_round_audits(f->s, run, &list, &n, err));
	assert_int_equal(n, 3);
	assert_audit(&list[0], 0);
	assert_audit(&list[1], 1);
	assert_audit(&list[2], 3);
	assert_true(list[0].alarms == 2 && list[1].alarms == 0 && list[2].alarms == 2);
	FREE_ROWS(list, n, round_audit_row);
	assert_ok(store_round_audits(f->s, 99, &list, &n, err));
	assert_int_equal(n, 0);
}

/* A bad figure of the audit takes the whole round back. */
static void an_audit_comes_with_its_round(void **state)
{
	fixture *f = *state;
	int64_t run = add_any_run(f->s, 2);
	round_row r = {.run = run, .stage = 2, .phase = (char *)"phase1_training",
	               .thresholds = (char *)"[]", .class_stats = (char *)"{}"};
	audit_rows a;
	make_audit(&a, 0);
	a.alarm[1].value = NAN;
	assert_code(store_round_add(f->s, &r, NULL, 0, &a.audit, err), TP_NONFINITE);
	assert_int_equal(number(f->s, "SELECT count(*) FROM round"), 0);
	assert_int_equal(number(f->s, "SELECT count(*) FROM round_class"), 0);
	a.alarm[1].value = 0.5;
	assert_ok(store_round_add(f->s, &r, NULL, 0, &a.audit, err));
	assert_int_equal(number(f->s, "SELECT count(*) FROM round_class"), AUDIT_CLASSES);
}

/* A bad image takes the whole round back. */
static void a_round_is_all_or_nothing(void **state)
{
	fixture *f = *state;
	int64_t run = add_any_run(f->s, 2);
	image_row image[2] = {{.index = 0}, {.index = 0}};
	round_row r = {.run = run, .phase = (char *)"x"};
	assert_code(store_round_add(f->s, &r, image, 2, NULL, err), TP_EXISTS);
	image[1] = (image_row){.index = 1, .confidence = (double)INFINITY};
	assert_code(store_round_add(f->s, &r, image, 2, NULL, err), TP_NONFINITE);
	assert_int_equal(number(f->s, "SELECT count(*) FROM round"), 0);
	assert_int_equal(number(f->s, "SELECT count(*) FROM image_score"), 0);
}

/* In what order two images come, by the definition of the sort. */
static int compare(image_sort sort, const image_row *a, const image_row *b)
{
	if (sort == IMAGE_SORT_NAME)
		return strcmp(a->name, b->name);
	double d = sort == IMAGE_SORT_CONFIDENCE ? a->confidence - b->confidence :
	                                           b->confidence - a->confidence;
	return d < 0 ? -1 : d > 0 ? 1 : (int)(a->index - b->index);
}

static bool matches(const image_query *q, size_t i, int64_t round)
{
	static const bool predicted[3][3] = {{1, 0, 1}, {1, 1, 0}, {0, 0, 1}};
	bool easy = confidence_of(i, round) > 0.5;
	return (q->split < 0 || easy == (q->split == 1)) &&
	       (q->class_id < 0 || (q->class_id < 3 && predicted[i % 3][q->class_id]));
}

/* Pages through a query; every match comes once, in order, whatever the page size. */
static void page_through(store *s, image_query q, size_t images, int64_t round)
{
	size_t seen = 0, want = 0;
	bool *got = calloc(images, sizeof *got);
	assert_non_null(got);
	for (size_t i = 0; i < images; i++)
		want += matches(&q, i, round);
	image_row last = {.name = NULL};
	char last_name[64] = "";
	for (;;) {
		image_row *list = NULL;
		size_t n = 0;
		int64_t total = -1, meant = -1;
		assert_ok(store_image_query(s, &q, &list, &n, &total, &meant, err));
		assert_true(total == (int64_t)want && meant == round && n <= q.limit);
		for (size_t i = 0; i < n; i++) {
			assert_true(matches(&q, (size_t)list[i].index, round));
			assert_false(got[list[i].index]);
			got[list[i].index] = true;
			if (seen++ > 0)
				assert_true(compare(q.sort, &last, &list[i]) < 0);
			last = list[i];
			(void)snprintf(last_name, sizeof last_name, "%s", list[i].name);
			last.name = last_name;
		}
		FREE_ROWS(list, n, image_row);
		if (n < q.limit)
			break;
		q.has_after = true;
		q.after_confidence = last.confidence;
		q.after_index = last.index;
		(void)snprintf(q.after_name, sizeof q.after_name, "%s", last_name);
	}
	assert_int_equal(seen, want);
	free(got);
}

static void images_are_paged_in_every_way(void **state)
{
	fixture *f = *state;
	enum { IMAGES = 23 };
	int64_t run = add_any_run(f->s, IMAGES);
	add_round(f->s, run, 2, 0, IMAGES);
	add_round(f->s, run, 5, 1, IMAGES);
	for (int sort = 0; sort <= IMAGE_SORT_NAME; sort++)
		for (int split = -1; split <= 1; split++)
			for (int class_id = -1; class_id <= 3; class_id++)
				for (size_t limit = 1; limit <= 24; limit += limit < 3 ? 1 : 7)
					for (int64_t round = -1; round <= 1; round++)
						page_through(f->s,
						             (image_query){.run = run,
						                           .round = round,
						                           .split = split,
						                           .sort = (image_sort)sort,
						                           .class_id = class_id,
						                           .limit = limit},
						             IMAGES, round < 0 ? 1 : round);
}

static void queries_know_what_is_not_there(void **state)
{
	fixture *f = *state;
	int64_t run = add_any_run(f->s, 3), total = 7, round = 7;
	image_row *list = NULL;
	size_t n = 7;
	image_query q = {.run = run, .round = -1, .split = -1, .class_id = -1, .limit = 5};
	assert_ok(store_image_query(f->s, &q, &list, &n, &total, &round, err));
	assert_true(n == 0 && total == 0 && round == -1);
	q.round = 0;
	assert_code(store_image_query(f->s, &q, &list, &n, &total, &round, err), TP_NOTFOUND);
	q.run = 99;
	assert_code(store_image_query(f->s, &q, &list, &n, &total, &round, err), TP_NOTFOUND);
	assert_ok(store_image_history(f->s, run, 2, &list, &n, err));
	assert_int_equal(n, 0);
}

/* ---- evaluations ---- */

static void evaluations_update_the_run(void **state)
{
	fixture *f = *state;
	int64_t run = add_any_run(f->s, 1);
	add_evaluation(f->s, run, 1, -1, 0.25);
	assert_miou(f->s, run, 0.25, 0.25, 0.25);
	add_evaluation(f->s, run, 4, 0, 0.5);
	add_evaluation(f->s, run, 7, 1, 0.375);
	assert_miou(f->s, run, 0.25, 0.375, 0.5);
	evaluation_row *list = NULL;
	size_t n = 0;
	assert_ok(store_evaluation_list(f->s, run, &list, &n, err));
	assert_true(n == 3 && list[0].round == -1 && list[2].miou == 0.375 && list[1].step == 400);
	assert_string_equal(list[0].phase, "source_training");
	assert_string_equal(list[1].iou, "[0.5,null]");
	assert_code(store_evaluation_add(f->s, &list[2], err), TP_EXISTS);
	FREE_ROWS(list, n, evaluation_row);
	evaluation_row e = {0};
	assert_ok(store_evaluation_get(f->s, run, -2, &e, err));
	assert_int_equal(e.round, 1);
	evaluation_row_done(&e);
	assert_ok(store_evaluation_get(f->s, run, -1, &e, err));
	assert_true(e.miou == 0.25 && e.stage == 1);
	assert_string_equal(e.confusion, "[[1,2],[3,4]]");
	evaluation_row_done(&e);
	assert_code(store_evaluation_get(f->s, run, 5, &e, err), TP_NOTFOUND);
}

/* ---- profiles ---- */

static void the_longest_profile_of_a_stage_stays(void **state)
{
	fixture *f = *state;
	int64_t run = add_any_run(f->s, 1);
	profile_row p = {0};
	assert_code(store_profile_get(f->s, run, -2, &p, err), TP_NOTFOUND);
	put_profile(f->s, run, 3, 0, 20);
	put_profile(f->s, run, 0, -1, 10);
	assert_ok(store_profile_get(f->s, run, -2, &p, err));
	assert_true(p.run == run && p.stage == 3 && p.round == 0 && p.steps == 20);
	assert_true(p.crop_h == 32 && p.crop_w == 48 && p.threads == 2 && p.seconds == 5.0);
	assert_true(p.sgemm_gflops == 200.5);
	assert_string_equal(p.phase, "phase1_training");
	assert_string_equal(p.kernels, "f4");
	assert_string_equal(p.layers, "[{\"layer\":\"a\"}]");
	assert_string_equal(p.outside, "[]");
	profile_row_done(&p);
	put_profile(f->s, run, 0, -1, 9); /* resumed for the last steps */
	assert_ok(store_profile_get(f->s, run, -1, &p, err));
	assert_true(p.stage == 0 && p.steps == 10);
	profile_row_done(&p);
	put_profile(f->s, run, 0, -1, 11);
	assert_ok(store_profile_get(f->s, run, -1, &p, err));
	assert_true(p.steps == 11 && p.seconds == 2.75);
	assert_code(store_profile_get(f->s, run, 1, &p, err), TP_NOTFOUND);
	p.run = 99;
	assert_code(store_profile_put(f->s, &p, err), TP_NOTFOUND);
	p.run = run;
	p.seconds = (double)NAN;
	assert_code(store_profile_put(f->s, &p, err), TP_NONFINITE);
	profile_row_done(&p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_newest_two_checkpoints_stay),
		TEST(a_rewritten_checkpoint_replaces_its_row),
		TEST(a_stage_without_training_moves_the_position),
		TEST(public_checkpoints_are_listed),
		TEST(metrics_come_back_by_key),
		TEST(a_metric_that_is_no_number_is_refused),
		TEST(thinning_keeps_the_peaks),
		TEST(rounds_go_in_and_out),
		TEST(audits_go_in_and_out),
		TEST(an_audit_comes_with_its_round),
		TEST(a_round_is_all_or_nothing),
		TEST(images_are_paged_in_every_way),
		TEST(queries_know_what_is_not_there),
		TEST(evaluations_update_the_run),
		TEST(the_longest_profile_of_a_stage_stays),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
