/* state: what a resumed run continues from, and its file. */
#include "train_fixture.h"

#include <sys/stat.h>

#include "ckpt/safetensors.h"

typedef struct rig {
	char dir[256];
	int fd;
	graph net, disc;
	train_state state;
} rig;

static void fill_block(float *v, size_t n, uint64_t seed)
{
	for (size_t i = 0; i < n; i++)
		v[i] = (float)rng_normal(seed, RNG_TEST, i);
}

static int rig_open(void **state)
{
	rig *r = calloc(1, sizeof *r);
	assert_non_null(r);
	scratch_create(r->dir);
	r->fd = open(r->dir, O_RDONLY | O_DIRECTORY);
	r->net = small_network();
	r->disc = small_discriminator();
	assert_ok(train_state_create(&r->net, &r->disc, 3, &r->state, err));
	size_t d = r->disc.params.floats;
	fill_block(r->state.values, r->net.params.floats, 1);
	fill_block(r->state.momentum, r->net.params.trained_floats, 2);
	fill_block(r->state.disc_values, d, 3);
	fill_block(r->state.disc_m, d, 4);
	fill_block(r->state.disc_v, d, 5);
	r->state.values[0] = -0.0f;
	r->state.values[1] = 1e-42f; /* a denormal */
	r->state.values[2] = 3.4028235e38f;
	r->state.stage = 6;
	r->state.step = 123456789012345;
	r->state.disc_steps = 77;
	*state = r;
	return 0;
}

static int rig_close(void **state)
{
	rig *r = *state;
	train_state_done(&r->state);
	graph_done(&r->net);
	graph_done(&r->disc);
	(void)close(r->fd);
	scratch_remove(r->dir);
	free(r);
	return 0;
}

static void a_fresh_state_is_zero_but_for_weights(void **state)
{
	rig *r = *state;
	train_state s, again, other;
	assert_ok(train_state_create(&r->net, &r->disc, 3, &s, err));
	assert_ok(train_state_create(&r->net, &r->disc, 3, &again, err));
	assert_ok(train_state_create(&r->net, NULL, 4, &other, err));
	assert_memory_equal(s.values, again.values, r->net.params.floats * sizeof(float));
	assert_memory_not_equal(s.values, other.values, r->net.params.floats * sizeof(float));
	assert_memory_not_equal(s.values, s.disc_values, 1000 * sizeof(float));
	assert_null(other.disc_values);
	for (size_t i = 0; i < r->net.params.trained_floats; i++)
		assert_true(s.momentum[i] == 0);
	for (size_t i = 0; i < r->disc.params.floats; i++)
		assert_true(s.disc_m[i] == 0 && s.disc_v[i] == 0);
	assert_true(s.stage == 0 && s.step == 0 && s.disc_steps == 0);
	train_state_done(&s);
	train_state_done(&again);
	train_state_done(&other);
}

static void a_saved_state_comes_back_bit_for_bit(void **state)
{
	rig *r = *state;
	train_state s;
	char *stamp = NULL;
	assert_ok(train_state_save(&r->state, "me; \"BLAS\" 1", r->fd, "a.safetensors", err));
	assert_ok(train_state_create(&r->net, &r->disc, 9, &s, err));
	assert_ok(train_state_load(&s, r->fd, "a.safetensors", &stamp, err));
	assert_string_equal(stamp, "me; \"BLAS\" 1");
	size_t d = r->disc.params.floats * sizeof(float);
	assert_memory_equal(s.values, r->state.values, r->net.params.floats * sizeof(float));
	assert_memory_equal(s.momentum, r->state.momentum,
	                    r->net.params.trained_floats * sizeof(float));
	assert_memory_equal(s.disc_values, r->state.disc_values, d);
	assert_memory_equal(s.disc_m, r->state.disc_m, d);
	assert_memory_equal(s.disc_v, r->state.disc_v, d);
	assert_true(s.stage == 6 && s.step == 123456789012345 && s.disc_steps == 77);
	free(stamp);
	train_state_done(&s);
	/* The same state gives the same file, so that a checksum can be compared. */
	char one[65], two[65];
	assert_ok(train_state_save(&r->state, "me; \"BLAS\" 1", r->fd, "b.safetensors", err));
	assert_ok(sha256_file(r->fd, "a.safetensors", one, err));
	assert_ok(sha256_file(r->fd, "b.safetensors", two, err));
	assert_string_equal(one, two);
}

static void a_teacher_and_source_norms_come_back_too(void **state)
{
	rig *r = *state;
	const param_table *t = &r->net.params;
	size_t norms = (t->floats - t->trained_floats) * sizeof(float);
	train_state s;
	char *stamp = NULL;
	pool *p = new_pool(2);
	assert_ok(train_state_extend(&r->state, true, true, err));
	assert_memory_equal(r->state.source_norms, r->state.values + t->trained_floats, norms);
	/* Before it has learned anything the network itself is the model. */
	assert_ptr_equal(train_state_model(&r->state), r->state.values);
	train_state_teach(&r->state, 0.9, p);
	assert_ptr_equal(train_state_model(&r->state), r->state.teacher);
	assert_true(r->state.teacher[5] == r->state.values[5]); /* the first weights count whole */
	r->state.values[5] += 4.0f;
	float before = r->state.teacher[5];
	train_state_teach(&r->state, 0.9, p);
	assert_near((double)r->state.teacher[5], (double)before + 2.0, 1e-5); /* then half, until 1 - momentum */
	fill_block(r->state.source_norms, norms / sizeof(float), 6);
	assert_ok(train_state_save(&r->state, "x", r->fd, "t.safetensors", err));
	assert_ok(train_state_create(&r->net, &r->disc, 9, &s, err));
	assert_ok(train_state_extend(&s, true, true, err));
	assert_ok(train_state_load(&s, r->fd, "t.safetensors", &stamp, err));
	assert_memory_equal(s.teacher, r->state.teacher, t->floats * sizeof(float));
	assert_memory_equal(s.source_norms, r->state.source_norms, norms);
	assert_true(s.teacher_steps == 2);
	free(stamp);
	train_state_done(&s);
	pool_free(p);
	/* A run that wants them does not take a file without. */
	assert_ok(train_state_create(&r->net, &r->disc, 9, &s, err));
	assert_ok(train_state_save(&s, "x", r->fd, "none.safetensors", err));
	assert_ok(train_state_extend(&s, true, false, err));
	tp_err e = {0};
	assert_int_equal(train_state_load(&s, r->fd, "none.safetensors", &stamp, &e), TP_CORRUPT);
	train_state_done(&s);
}

static void the_file_holds_public_names(void **state)
{
	rig *r = *state;
	st_file f;
	assert_ok(train_state_save(&r->state, "x", r->fd, "a.safetensors", err));
	assert_ok(st_open(r->fd, "a.safetensors", &f, err));
	assert_non_null(st_find(&f, "features.0.0.weight"));
	assert_non_null(st_find(&f, "momentum.classifier.conv2d_list.3.bias"));
	assert_non_null(st_find(&f, "features.0.1.running_var"));
	assert_null(st_find(&f, "momentum.features.0.1.running_var")); /* frozen: no momentum */
	assert_non_null(st_find(&f, "discriminator.m.0.weight"));
	assert_non_null(st_find(&f, "discriminator.v.8.bias"));
	st_close(&f);
}

static void corrupt(rig *r, const char *file, const char *wanted)
{
	train_state s;
	char *stamp = NULL;
	tp_err e = {0};
	assert_ok(train_state_create(&r->net, &r->disc, 9, &s, err));
	s.stage = 42;
	assert_int_equal(train_state_load(&s, r->fd, file, &stamp, &e), TP_CORRUPT);
	if (strstr(e.text, wanted) == NULL)
		fail_msg("\"%s\" does not name %s", e.text, wanted);
	assert_true(s.stage == 42 && stamp == NULL);
	train_state_done(&s);
}

static void what_does_not_fit_is_refused_by_name(void **state)
{
	rig *r = *state;
	/* A run without discriminator leaves none for one that wants it. */
	train_state s;
	assert_ok(train_state_create(&r->net, NULL, 9, &s, err));
	assert_ok(train_state_save(&s, "x", r->fd, "plain.safetensors", err));
	corrupt(r, "plain.safetensors", "discriminator.");
	/* The other way round it serves. */
	char *stamp = NULL;
	assert_ok(train_state_save(&r->state, "x", r->fd, "full.safetensors", err));
	assert_ok(train_state_load(&s, r->fd, "full.safetensors", &stamp, err));
	free(stamp);
	train_state_done(&s);
	/* A file of another program. */
	float one = 1;
	st_out out = {.name = "features.0.0.weight", .ndim = 1, .shape = {1}, .data = &one};
	assert_ok(st_write(r->fd, "other.safetensors", &out, 1, NULL, 0, err));
	corrupt(r, "other.safetensors", "stage");
	const st_meta meta[] = {{"stage", "1"}, {"step", "2"}, {"discriminator_steps", "0"}};
	assert_ok(st_write(r->fd, "small.safetensors", &out, 1, meta, 3, err));
	corrupt(r, "small.safetensors", "tensor ");
	const st_meta bad[] = {{"stage", "1"}, {"step", "-2"}, {"discriminator_steps", "0"}};
	assert_ok(st_write(r->fd, "bad.safetensors", &out, 1, bad, 3, err));
	corrupt(r, "bad.safetensors", "step");
	/* Cut short. */
	char path[300];
	struct stat st;
	(void)snprintf(path, sizeof path, "%s/full.safetensors", r->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size - 5), 0);
	corrupt(r, "full.safetensors", "discriminator.v.");
}

static void an_absent_file_is_not_found(void **state)
{
	rig *r = *state;
	char *stamp = NULL;
	tp_err e = {0};
	tp_status st = train_state_load(&r->state, r->fd, "nowhere.safetensors", &stamp, &e);
	assert_true(st == TP_NOTFOUND || st == TP_IO);
	assert_non_null(strstr(e.text, "nowhere"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_fresh_state_is_zero_but_for_weights, rig_open, rig_close),
		cmocka_unit_test_setup_teardown(a_saved_state_comes_back_bit_for_bit, rig_open, rig_close),
		cmocka_unit_test_setup_teardown(a_teacher_and_source_norms_come_back_too, rig_open,
		                                rig_close),
		cmocka_unit_test_setup_teardown(the_file_holds_public_names, rig_open, rig_close),
		cmocka_unit_test_setup_teardown(what_does_not_fit_is_refused_by_name, rig_open, rig_close),
		cmocka_unit_test_setup_teardown(an_absent_file_is_not_found, rig_open, rig_close),
	};
	return cmocka_run_group_tests(tests, start_blas, NULL);
}
