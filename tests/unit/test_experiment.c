/* experiment: definitions, the grid that is made of them, and how it is worked through. The scheduler is
 * the fake of the HTTP tests, over a real store: runs are queued, and the tests play the trainer. */
#include "store_fixture.h"

#include <jansson.h>

#include "../http/http_fakes.h"
#include "experiment/advance.h"
#include "experiment/grid.h"
#include "experiment/report.h"

DONE_ANY(part_row)

#define COMMON "\"name\":\"e\",\"seeds\":[7,8],\"config\":{\"source\":\"a\",\"target\":\"b\"}"
#define PLAIN "{\"name\":\"plain\",\"preset\":\"source-only\"}"
#define TPLD "{\"name\":\"tpld\",\"config\":{\"self_training\":{\"gamma\":1}}}"

static json_t *parse_text(const char *text)
{
	json_error_t e;
	json_t *j = json_loads(text, JSON_REJECT_DUPLICATES, &e);
	if (j == NULL)
		fail_msg("test JSON: %s in %s", e.text, text);
	return j;
}

/* ---- definitions ---- */

static void refuse(const char *text, const char *pointer, const char *detail)
{
	definition d;
	config_error bad[16];
	tp_err e = {0};
	problems p = {.error = bad, .max = 16, .err = &e};
	json_t *body = parse_text(text);
	assert_int_equal(definition_read(body, &d, &p), TP_INVALID);
	definition_done(&d);
	json_decref(body);
	assert_true(p.count > 0 && e.code == TP_INVALID);
	for (size_t i = 0; i < p.count && i < 16; i++)
		if (strcmp(bad[i].pointer, pointer) == 0 && strcmp(bad[i].detail, detail) == 0)
			return;
	fail_msg("%s: first of %zu errors: %s | %s", text, p.count, bad[0].pointer, bad[0].detail);
}

static void mistakes_are_named(void **state)
{
	(void)state;
	refuse("[]", "", "an experiment's definition must be a JSON object");
	refuse("{}", "/name", "is required");
	refuse("{}", "/seeds", "is required");
	refuse("{}", "/variants", "is required");
	refuse("{" COMMON ",\"variants\":[" PLAIN "],\"sede\":1}", "/sede", "unknown key");
	refuse("{\"name\":\"\"}", "/name", "has 0 bytes, not 1..60");
	refuse("{\"name\":\"a\\u0007\"}", "/name", "holds control characters");
	refuse("{\"name\":3}", "/name", "must be a string, not a whole number");
	refuse("{\"seeds\":3}", "/seeds", "must be an array of whole numbers, not a whole number");
	refuse("{\"seeds\":[]}", "/seeds", "has 0 values, not 1..32");
	refuse("{\"seeds\":[1.5]}", "/seeds/0", "must be a whole number, not a number with a fraction");
	refuse("{\"seeds\":[1,-1]}", "/seeds/1", "-1 is not in 0..9007199254740992");
	refuse("{\"seeds\":[4,5,4]}", "/seeds/2", "4 is there twice");
	refuse("{\"variants\":{}}", "/variants", "must be an array of objects, not an object");
	refuse("{\"variants\":[1]}", "/variants/0", "must be an object, not a whole number");
	refuse("{\"variants\":[{}]}", "/variants/0/name", "is required");
	refuse("{\"variants\":[" PLAIN "," PLAIN "]}", "/variants/1/name",
	       "variant 0 is called so too");
	refuse("{\"variants\":[{\"name\":\"a\",\"confg\":{}}]}", "/variants/0/confg", "unknown key");
	refuse("{\"variants\":[{\"name\":\"a\",\"config\":[]}]}", "/variants/0/config",
	       "must be an object, not an array");
	refuse("{\"variants\":[{\"name\":\"a\",\"config\":{\"seed\":1}}]}", "/variants/0/config/seed",
	       "each seed of /seeds is taken in turn");
	refuse("{\"config\":{\"name\":\"x\"}}", "/config/name", "runs are named by the experiment");
	refuse("{\"variants\":[" PLAIN "],\"baseline\":\"x\"}", "/baseline",
	       "no variant is called 'x'");
	refuse("{\"variants\":[" PLAIN "],\"baseline\":null}", "/baseline",
	       "must be a variant's name, not null");
	refuse("{\"variants\":[" PLAIN "],\"upper_bound\":1}", "/upper_bound",
	       "must be a variant's name or null, not a whole number");
	refuse("{\"variants\":[" PLAIN "],\"upper_bound\":\"plain\"}", "/upper_bound",
	       "is the baseline itself");
}

static void too_many_runs_are_refused(void **state)
{
	(void)state;
	json_t *o = parse_text("{\"name\":\"n\",\"seeds\":[],\"variants\":[]}");
	for (int i = 0; i < 20; i++) {
		char name[16];
		(void)snprintf(name, sizeof name, "v%d", i);
		(void)json_array_append_new(json_object_get(o, "seeds"), json_integer(i));
		(void)json_array_append_new(json_object_get(o, "variants"),
		                            json_pack("{s:s}", "name", name));
	}
	char *text = json_dumps(o, 0);
	refuse(text, "/variants", "20 variants with 20 seeds are more than 256 runs");
	free(text);
	json_decref(o);
}

static void merging_replaces_all_but_objects(void **state)
{
	(void)state;
	json_t *a = parse_text("{\"x\":{\"a\":1,\"b\":[1,2]},\"voting\":{\"window\":3},\"k\":1}");
	json_t *b = parse_text("{\"x\":{\"b\":[3],\"c\":{\"d\":1}},\"voting\":null}");
	json_t *want = parse_text("{\"x\":{\"a\":1,\"b\":[3],\"c\":{\"d\":1}},\"voting\":null,\"k\":1}");
	json_t *got = definition_merge(a, b);
	assert_true(json_equal(got, want));
	json_decref(a);
	json_decref(b);
	json_decref(want);
	json_decref(got);
}

/* The common part is for all, but a variant stays what its preset says. */
static void a_preset_keeps_out_what_it_leaves_out(void **state)
{
	(void)state;
	definition d;
	problems p = {0};
	json_t *body = parse_text(
		"{\"name\":\"n\",\"seeds\":[1],\"config\":{\"entropy_training\":{},\"self_training\":{\"norm_alignment\":null,\"phase1_rounds\":2,\"phase2_rounds\":1,"
		"\"voting\":{\"pool\":\"mean\"},\"lr\":0.5,\"regularizer\":{\"kind\":\"mrl2\",\"weight\":1}}},"
		"\"variants\":[{\"name\":\"1\",\"preset\":\"source-only\"},{\"name\":\"2\",\"preset\":\"cbst\"},"
		"{\"name\":\"3\",\"preset\":\"cbst\",\"config\":{\"self_training\":{\"voting\":{}}}},{\"name\":\"4\"}]}");
	const char *const want[] = {
		"{\"voting\":{\"pool\":\"mean\"},\"lr\":0.5,\"regularizer\":{\"kind\":\"mrl2\",\"weight\":1}}",
		"{\"norm_alignment\":null,\"phase1_rounds\":2,\"lr\":0.5,\"regularizer\":{}}",
		"{\"norm_alignment\":null,\"phase1_rounds\":2,\"lr\":0.5,\"regularizer\":{},\"voting\":{}}",
		"{\"norm_alignment\":null,\"phase1_rounds\":2,\"phase2_rounds\":1,\"voting\":{\"pool\":\"mean\"},\"lr\":0.5,"
		"\"regularizer\":{\"kind\":\"mrl2\",\"weight\":1}}",
	};
	assert_int_equal(definition_read(body, &d, &p), TP_OK);
	for (size_t i = 0; i < 4; i++) {
		json_t *o = parse_text(want[i]);
		assert_true(json_equal(json_object_get(d.variant[i].config, "self_training"), o));
		assert_int_equal(json_object_get(d.variant[i].config, "entropy_training") != NULL, i > 0);
		json_decref(o);
	}
	definition_done(&d);
	json_decref(body);
}

static void mistakes_are_placed_where_they_were_made(void **state)
{
	(void)state;
	definition d;
	problems p = {0};
	json_t *body = parse_text("{\"name\":\"n\",\"seeds\":[1],\"config\":{\"data\":{\"batch\":0,\"crop\":1}},"
	                          "\"variants\":[{\"name\":\"a\",\"config\":{\"data\":{\"crop\":2},\"x/y\":1}}]}");
	assert_int_equal(definition_read(body, &d, &p), TP_OK);
	const char *const pair[][2] = {
		{"/data/batch", "/config/data/batch"},
		{"/data/crop", "/variants/0/config/data/crop"},
		{"/x~1y", "/variants/0/config/x~1y"},
		{"/source", "/config/source"},
		{"/preset", "/variants/0/preset"},
	};
	for (size_t i = 0; i < sizeof pair / sizeof *pair; i++) {
		char at[200];
		definition_place(&d, 0, pair[i][0], at, sizeof at);
		assert_string_equal(at, pair[i][1]);
	}
	definition_done(&d);
	json_decref(body);
}

/* ---- the grid ---- */

typedef struct lab {
	fixture *f;
	scheduler *scheduler;
	int64_t experiment;
} lab;

static lab open_lab(void **state)
{
	fixture *f = *state;
	(void)add_dataset(f->s, "a", 2);
	(void)add_dataset(f->s, "b", 2);
	return (lab){.f = f, .scheduler = fake_scheduler(f->s)};
}

static void make_grid(const lab *l, const char *text, part_row **ret, size_t *ret_n)
{
	definition d;
	tp_err e = {0};
	problems p = {.err = &e};
	json_t *body = parse_text(text);
	assert_int_equal(definition_read(body, &d, &p), TP_OK);
	if (grid_make(l->scheduler, l->f->s, &d, ret, ret_n, &p) != TP_OK)
		fail_msg("%s", e.text);
	definition_done(&d);
	json_decref(body);
}

static void assert_part(const part_row *p, int64_t variant, int64_t seed, int64_t origin, const char *name,
                        int64_t cost)
{
	assert_int_equal(p->variant, variant);
	assert_int_equal(p->seed, seed);
	assert_int_equal(p->origin, origin);
	assert_int_equal(p->cost, cost);
	json_t *config = json_loads(p->config, 0, NULL);
	const char *is = json_string_value(json_object_get(config, "name"));
	if ((is == NULL) != (name == NULL) || (name != NULL && strcmp(name, is) != 0))
		fail_msg("the run is called %s, not %s", is, name);
	if (name != NULL)
		assert_int_equal(json_integer_value(json_object_get(config, "seed")), seed);
	json_decref(config);
}

static void equal_source_trainings_are_shared(void **state)
{
	lab l = open_lab(state);
	part_row *p = NULL;
	size_t n = 0;
	make_grid(&l,
	          "{" COMMON ",\"variants\":[" TPLD "," PLAIN ","
	          "{\"name\":\"b\",\"preset\":\"source-only\",\"config\":{\"source\":\"b\"}},"
	          "{\"name\":\"long\",\"preset\":\"source-only\",\"config\":{\"source_training\":{\"steps\":9}}},"
	          "{\"name\":\"by id\",\"preset\":\"cbst\",\"config\":{\"source\":1}},"
	          "{\"name\":\"flipped\",\"preset\":\"source-only\",\"config\":{\"evaluation\":{\"flip\":true}}},"
	          "{\"name\":\"advent\",\"preset\":\"advent\"}]}",
	          &p, &n);
	assert_int_equal(n, 16);
	/* tpld, plain, by id and flipped share; the other two are alone with theirs. */
	assert_part(&p[0], -1, 7, -1, "e / source / seed 7", 20000);
	assert_part(&p[1], -1, 8, -1, "e / source / seed 8", 20000);
	assert_part(&p[2], 0, 7, 0, "e / tpld / seed 7", 9000);
	assert_part(&p[3], 0, 8, 1, "e / tpld / seed 8", 9000);
	assert_part(&p[4], 1, 7, 0, NULL, 0);
	assert_part(&p[5], 1, 8, 1, NULL, 0);
	assert_part(&p[6], 2, 7, -1, "e / b / seed 7", 20000);
	assert_part(&p[8], 3, 7, -1, "e / long / seed 7", 9);
	assert_part(&p[10], 4, 7, 0, "e / by id / seed 7", 3000);
	/* Another evaluation makes it another run, of the same source model. */
	assert_part(&p[12], 5, 7, 0, "e / flipped / seed 7", 0);
	/* No rounds, and yet more than the source training. */
	assert_part(&p[14], 6, 7, 0, "e / advent / seed 7", 20000);
	FREE_ROWS(p, n, part_row);
	free(l.scheduler);
}

static void several_source_trainings_are_numbered(void **state)
{
	lab l = open_lab(state);
	part_row *p = NULL;
	size_t n = 0;
	make_grid(&l,
	          "{\"name\":\"e\",\"seeds\":[3],\"config\":{\"source\":\"a\",\"target\":\"b\"},\"variants\":["
	          "{\"name\":\"1\"},{\"name\":\"2\",\"config\":{\"data\":{\"batch\":1}}},"
	          "{\"name\":\"3\",\"preset\":\"cbst\"},"
	          "{\"name\":\"4\",\"preset\":\"cbst\",\"config\":{\"data\":{\"batch\":1}}}]}",
	          &p, &n);
	assert_int_equal(n, 6);
	assert_part(&p[0], -1, 3, -1, "e / source / seed 3", 20000);
	assert_part(&p[1], -1, 3, -1, "e / source 2 / seed 3", 20000);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(p[2 + i].origin, i % 2);
	FREE_ROWS(p, n, part_row);
	free(l.scheduler);
}

/* ---- working through it ---- */

static lab start(void **state, const char *text)
{
	lab l = open_lab(state);
	part_row *p = NULL;
	size_t n = 0;
	make_grid(&l, text, &p, &n);
	experiment_row row = {.name = (char *)"e", .definition = (char *)text};
	assert_ok(store_experiment_add(l.f->s, &row, p, n, &l.experiment, err));
	FREE_ROWS(p, n, part_row);
	return l;
}

static void close_lab(lab *l) { free(l->scheduler); }

/* Twice: what was done once must not be done again. */
static void advance_twice(const lab *l)
{
	assert_true(advance_all(l->f->s, l->scheduler));
	int64_t runs = number(l->f->s, "SELECT count(*) FROM run");
	int64_t events = number(l->f->s, "SELECT count(*) FROM event");
	assert_true(advance_all(l->f->s, l->scheduler));
	assert_int_equal(number(l->f->s, "SELECT count(*) FROM run"), runs);
	assert_int_equal(number(l->f->s, "SELECT count(*) FROM event"), events);
}

static void leave_source_model(const lab *l, int64_t run)
{
	checkpoint_row c = {.run = run,
	                    .round = -1,
	                    .phase = (char *)"source_training",
	                    .file = (char *)"f",
	                    .sha256 = (char *)"aa",
	                    .bytes = 1};
	int64_t id;
	assert_ok(store_checkpoint_add(l->f->s, &c, &id, err));
}

static void evaluate(const lab *l, int64_t run, int64_t round, double miou)
{
	evaluation_row e = {.run = run,
	                    .stage = 2 * round + 3,
	                    .round = round,
	                    .phase = (char *)"x",
	                    .miou = miou,
	                    .iou = (char *)"[]",
	                    .confusion = (char *)"[]"};
	assert_ok(store_evaluation_add(l->f->s, &e, err));
}

static void end_run(const lab *l, int64_t run, run_state to)
{
	assert_ok(store_run_set_state(l->f->s, run, to, "test", to == RUN_FAILED ? "no luck" : NULL, err));
}

static void assert_states(const lab *l, const char *want)
{
	part_row *p = NULL;
	size_t n = 0;
	char got[600] = "";
	assert_ok(store_experiment_parts(l->f->s, l->experiment, &p, &n, err));
	for (size_t i = 0; i < n; i++)
		(void)snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", i > 0 ? " " : "",
		               part_state_name(p[i].state));
	FREE_ROWS(p, n, part_row);
	assert_string_equal(got, want);
}

static experiment_state state_now(const lab *l, char error[300])
{
	experiment_row row = {0};
	assert_ok(store_experiment_get(l->f->s, l->experiment, &row, err));
	(void)snprintf(error, 300, "%s", row.error);
	experiment_state s = row.state;
	experiment_row_done(&row);
	return s;
}

static void cells_follow_their_source(void **state)
{
	lab l = start(state, "{" COMMON ",\"variants\":[" PLAIN "," TPLD "],\"upper_bound\":\"tpld\"}");
	store *s = l.f->s;
	char error[300];
	advance_twice(&l);
	assert_int_equal(number(s, "SELECT count(*) FROM run"), 2);
	evaluate(&l, 1, -1, 0.3);
	leave_source_model(&l, 1);
	end_run(&l, 1, RUN_COMPLETED);
	advance_twice(&l);
	assert_states(&l, "completed waiting completed waiting waiting waiting");
	assert_int_equal(number(s, "SELECT count(*) FROM run"), 3);
	assert_int_equal(number(s, "SELECT part FROM run WHERE id = 3"), 4);
	assert_int_equal(number(s, "SELECT config ->> '$.model.init' = 'checkpoint:1' AND"
	                           " config ->> '$.source_training.steps' = 0 FROM run WHERE id = 3"), 1);
	report r;
	assert_ok(report_make(s, l.scheduler, l.experiment, &r, err));
	assert_true(r.runs_total == 4 && r.runs_done == 1 && r.sources == 2);
	assert_near(r.progress, 20001.0 / (2 * 20001 + 2 * 9001), 1e-9);
	assert_true(r.variant[0].cell[0].run == 1 && r.variant[1].cell[0].run == 3);
	assert_true(r.variant[1].cell[0].source_run == 1 && r.variant[1].cell[1].run == 0);
	assert_string_equal(r.variant[1].cell[1].state, "waiting");
	assert_true(r.variant[0].completed == 1 && isnan(r.variant[1].miou.mean));
	report_done(&r);
	evaluate(&l, 3, -1, 0.3);
	evaluate(&l, 3, 0, 0.5);
	end_run(&l, 3, RUN_COMPLETED);
	evaluate(&l, 2, -1, 0.4);
	leave_source_model(&l, 2);
	end_run(&l, 2, RUN_COMPLETED);
	advance_twice(&l);
	assert_int_equal(number(s, "SELECT count(*) FROM run"), 4);
	evaluate(&l, 4, 0, 0.7);
	end_run(&l, 4, RUN_COMPLETED);
	advance_twice(&l);
	assert_int_equal(state_now(&l, error), EXPERIMENT_COMPLETED);
	assert_string_equal(error, "");
	assert_ok(report_make(s, l.scheduler, l.experiment, &r, err));
	const report_variant *v = &r.variant[1];
	assert_near(v->miou.mean, 0.6, 1e-12);
	assert_near(v->miou.deviation, sqrt(0.02), 1e-12);
	assert_near(v->difference.mean, 0.25, 1e-12);
	/* Of 0.2 and 0.3: t = 5 with one degree of freedom. */
	assert_near(v->difference.t, 5, 1e-9);
	assert_near(v->difference.p, 1 - 2 / M_PI * atan(5), 1e-9);
	assert_near(v->gap_closed, 1, 1e-12);
	assert_near(r.variant[0].gap_closed, 0, 1e-12);
	assert_true(v->compared && !r.variant[0].compared && r.progress == 1 && isnan(r.eta_seconds));
	report_done(&r);
	close_lab(&l);
}

static void a_failure_stays_where_it_is(void **state)
{
	lab l = start(state, "{" COMMON ",\"variants\":[" PLAIN "," TPLD "]}");
	store *s = l.f->s;
	char error[300];
	advance_twice(&l);
	end_run(&l, 1, RUN_FAILED);
	leave_source_model(&l, 2);
	end_run(&l, 2, RUN_COMPLETED);
	advance_twice(&l);
	assert_states(&l, "failed completed failed completed failed waiting");
	assert_int_equal(state_now(&l, error), EXPERIMENT_RUNNING);
	end_run(&l, 3, RUN_COMPLETED);
	advance_twice(&l);
	assert_int_equal(state_now(&l, error), EXPERIMENT_FAILED);
	assert_string_equal(error, "2 of 4 cells failed, the first with seed 7: no luck");
	assert_int_equal(number(s, "SELECT count(*) FROM experiment_part WHERE idx = 4 AND"
	                           " error = 'its source run 1 is failed: no luck'"), 1);
	assert_code(store_experiment_end(s, l.experiment, EXPERIMENT_CANCELLED, "", err), TP_CONFLICT);
	close_lab(&l);
}

static void a_run_that_is_refused_fails_its_cell(void **state)
{
	lab l = start(state, "{" COMMON ",\"variants\":[" TPLD "]}");
	char error[300];
	/* A configuration that this program does not take, as another version may have left it. */
	db *d;
	tp_err e = {0};
	assert_ok(writer_enter(l.f->s, &d, err));
	stmt q = stmt_open(d, "UPDATE experiment_part SET config = '{\"name\":3}' WHERE idx = 0", &e);
	assert_ok(writer_leave(d, stmt_run(&q, "spoil it"), err));
	advance_twice(&l);
	assert_states(&l, "failed waiting");
	end_run(&l, 1, RUN_COMPLETED);
	advance_twice(&l);
	assert_int_equal(state_now(&l, error), EXPERIMENT_FAILED);
	assert_non_null(strstr(error, "/name: must be a string"));
	close_lab(&l);
}

static void cancelling_ends_all(void **state)
{
	lab l = start(state, "{" COMMON ",\"variants\":[" PLAIN "," TPLD "]}");
	store *s = l.f->s;
	char error[300];
	advance_twice(&l);
	end_run(&l, 1, RUN_RUNNING);
	assert_ok(store_experiment_end(s, l.experiment, EXPERIMENT_CANCELLED, "", err));
	assert_ok(store_experiment_end(s, l.experiment, EXPERIMENT_CANCELLED, "", err));
	assert_states(&l, "waiting waiting waiting waiting cancelled cancelled");
	/* The first pass asks the runs to end; the one that computes takes a while. */
	assert_true(advance_all(s, l.scheduler));
	advance_twice(&l);
	assert_states(&l, "waiting cancelled waiting cancelled cancelled cancelled");
	int64_t *run = NULL;
	size_t n = 0;
	assert_code(store_experiment_delete(s, l.experiment, true, &run, &n, err), TP_CONFLICT);
	end_run(&l, 1, RUN_CANCELLED);
	advance_twice(&l);
	assert_states(&l, "cancelled cancelled cancelled cancelled cancelled cancelled");
	assert_int_equal(state_now(&l, error), EXPERIMENT_CANCELLED);
	assert_ok(store_experiment_delete(s, l.experiment, true, &run, &n, err));
	assert_true(n == 2 && run[0] == 1 && run[1] == 2);
	free(run);
	assert_int_equal(number(s, "SELECT count(*) FROM run"), 0);
	assert_int_equal(number(s, "SELECT count(*) FROM experiment_part"), 0);
	close_lab(&l);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(too_many_runs_are_refused),
		cmocka_unit_test(merging_replaces_all_but_objects),
		cmocka_unit_test(a_preset_keeps_out_what_it_leaves_out),
		cmocka_unit_test(mistakes_are_placed_where_they_were_made),
		TEST(equal_source_trainings_are_shared),
		TEST(several_source_trainings_are_numbered),
		TEST(cells_follow_their_source),
		TEST(a_failure_stays_where_it_is),
		TEST(a_run_that_is_refused_fails_its_cell),
		TEST(cancelling_ends_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
