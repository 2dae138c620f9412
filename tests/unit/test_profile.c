/* profile: every moment of a step has exactly one place, steps are averaged, and what is read is what
 * was published last. The clock of these tests moves one second a reading. */
#include "harness.h"

#include <jansson.h>

#include "run/profile.h"
#include "run/progress.h"

static double seconds_now;

static double counting_clock(void)
{
	seconds_now += 1;
	return seconds_now;
}

enum { H = 8, W = 8, NODES = 3 };

/* conv, pool, conv; and a second network of one convolution. */
typedef struct rig {
	graph g[2];
	pool *pool;
	exec *e[2];
	float *values[2], *grads[2], *dy;
	profile p;
} rig;

static graph small_graph(bool whole)
{
	graph g;
	const conv_attr a = {.out = 4, .kernel = 3, .stride = 1, .pad = 1, .dilation = 1, .bias = true,
	                     .residual = -1};
	assert_ok(graph_init(3, &g, err));
	int v = graph_conv(&g, 0, "first", &a);
	if (whole) {
		v = graph_maxpool(&g, v, 2, 2, 0, false);
		(void)graph_conv(&g, v, "second", &a);
	}
	assert_ok(graph_finish(&g, err));
	return g;
}

static int rig_open(void **state)
{
	rig *r = calloc(1, sizeof *r);
	assert_non_null(r);
	r->pool = new_pool(2);
	for (int i = 0; i < 2; i++) {
		r->g[i] = small_graph(i == 0);
		exec_spec spec = {.graph = &r->g[i],
		                  .in_h = H,
		                  .in_w = W,
		                  .train = true,
		                  .input_gradient = i == 1,
		                  .kernels = KERNELS_EXACT,
		                  .pool = r->pool};
		assert_ok(exec_create(&spec, &r->e[i], err));
		r->values[i] = floats(r->g[i].params.floats);
		r->grads[i] = floats(r->g[i].params.trained_floats);
		exec_prepare(r->e[i], r->values[i]);
	}
	r->dy = floats(4 * H * W);
	profile_init(&r->p, counting_clock);
	*state = r;
	return 0;
}

static int rig_close(void **state)
{
	rig *r = *state;
	profile_done(&r->p);
	for (int i = 0; i < 2; i++) {
		exec_free(r->e[i]);
		graph_done(&r->g[i]);
		mem_free(r->values[i]);
		mem_free(r->grads[i]);
	}
	mem_free(r->dy);
	pool_free(r->pool);
	free(r);
	return 0;
}

static const profile_stage stage_of_round_2 = {.run = 7,
                                               .stage = 9,
                                               .round = 2,
                                               .phase = "phase2_training",
                                               .kernels = "exact",
                                               .crop_h = H,
                                               .crop_w = W,
                                               .threads = 2,
                                               .sgemm_gflops = 1e-6};

/* Without parameters it is the gradient of the input that is wanted, as of a frozen discriminator. */
static void pass(rig *r, int which, bool parameters)
{
	const float *y, *dx;
	assert_ok(exec_forward(r->e[which], &y, err));
	assert_ok(exec_backward(r->e[which], r->dy, parameters ? r->grads[which] : NULL,
	                        parameters ? NULL : &dx, err));
}

/* `images` passes through the network, as a batch makes them. */
static void step(rig *r, int images)
{
	profile_step_begin(&r->p);
	profile_mark(&r->p, PROFILE_WAITING);
	for (int i = 0; i < images; i++)
		pass(r, 0, true);
	profile_mark(&r->p, PROFILE_OPTIMISER);
	profile_step_end(&r->p);
}

static double number_at(json_t *list, size_t i, const char *key)
{
	return json_number_value(json_object_get(json_array_get(list, i), key));
}

static void assert_texts(json_t *list, const char *key, const char *const *want, size_t n)
{
	assert_int_equal(json_array_size(list), n);
	for (size_t i = 0; i < n; i++)
		assert_string_equal(
			json_string_value(json_object_get(json_array_get(list, i), key)), want[i]);
}

static void the_places_add_up_to_the_step(void **state)
{
	rig *r = *state;
	profile_row row;
	assert_ok(profile_begin(&r->p, &stage_of_round_2, r->e[0], NULL, err));
	step(r, 1);
	step(r, 3);
	assert_ok(profile_read(&r->p, 7, 2, &row, err));
	assert_true(row.run == 7 && row.stage == 9 && row.round == 2 && row.steps == 2);
	assert_true(row.crop_h == H && row.crop_w == W && row.threads == 2);
	assert_string_equal(row.phase, "phase2_training");
	assert_string_equal(row.kernels, "exact");
	json_t *layers = json_loads(row.layers, 0, NULL), *outside = json_loads(row.outside, 0, NULL);
	static const char *const name[] = {"first", "maxpool", "second"};
	static const char *const part[] = {"waiting", "preparing", "loss", "optimiser", "saving"};
	assert_texts(layers, "layer", name, NODES);
	assert_texts(outside, "part", part, PROFILE_PARTS);
	/* A second a node and direction, two images a step on average. */
	for (size_t i = 0; i < NODES; i++)
		assert_true(number_at(layers, i, "forward_ms") == 2000 &&
		            number_at(layers, i, "backward_ms") == 2000);
	static const double seconds[] = {1, 1, 2 * 2 * NODES - 1, 1, 1};
	double all = 2 * 2 * NODES;
	for (size_t i = 0; i < PROFILE_PARTS; i++) {
		assert_near(number_at(outside, i, "ms"), 1e3 * seconds[i], 1e-9);
		all += seconds[i];
	}
	assert_near(row.seconds, all, 1e-9);
	json_decref(layers);
	json_decref(outside);
	profile_row_done(&row);
}

static void flop_are_those_of_the_gradients_wanted(void **state)
{
	rig *r = *state;
	profile_row row;
	assert_ok(profile_begin(&r->p, &stage_of_round_2, r->e[0], r->e[1], err));
	profile_step_begin(&r->p);
	pass(r, 0, true);
	pass(r, 1, false);
	pass(r, 1, true);
	profile_step_end(&r->p);
	assert_ok(profile_read(&r->p, 7, -2, &row, err));
	json_t *layers = json_loads(row.layers, 0, NULL);
	static const char *const name[] = {"first", "maxpool", "second", "discriminator.first"};
	assert_texts(layers, "layer", name, NODES + 1);
	double first = 2.0 * H * W * 4 * 9 * 3 / 1e9, second = 2.0 * (H / 2.0) * (W / 2.0) * 4 * 9 * 4 / 1e9;
	/* The first layer's input is the image, which has no gradient. */
	assert_near(number_at(layers, 0, "gflop_per_step"), 2 * first, 1e-5 * first);
	assert_near(number_at(layers, 1, "gflop_per_step"), 0, 0);
	assert_near(number_at(layers, 2, "gflop_per_step"), 3 * second, 1e-5 * second);
	/* Two forward passes, one gradient of its input, one of its parameters. */
	assert_near(number_at(layers, 3, "gflop_per_step"), 4 * first, 1e-5 * first);
	/* 2 seconds, and a machine of 1000 operations a second. */
	assert_near(number_at(layers, 0, "gflops"), first, 1e-5 * first);
	assert_near(number_at(layers, 0, "peak_share"), first / 1e-6, 1e-5 * first / 1e-6);
	assert_true(json_is_null(json_object_get(json_array_get(layers, 1), "gflops")));
	assert_true(json_is_null(json_object_get(json_array_get(layers, 1), "peak_share")));
	json_decref(layers);
	profile_row_done(&row);
}

static void assert_absent(rig *r, int64_t run, int64_t round)
{
	profile_row row;
	tp_err e = {0};
	assert_int_equal(profile_read(&r->p, run, round, &row, &e), TP_NOTFOUND);
}

static void only_whole_steps_of_this_stage_are_read(void **state)
{
	rig *r = *state;
	profile_row row;
	assert_absent(r, 7, -2);
	assert_ok(profile_begin(&r->p, &stage_of_round_2, r->e[0], NULL, err));
	assert_absent(r, 7, -2);
	profile_step_begin(&r->p); /* stopped half-way */
	profile_mark(&r->p, PROFILE_WAITING);
	pass(r, 0, true);
	assert_absent(r, 7, -2);
	step(r, 1);
	assert_absent(r, 8, -2);
	assert_absent(r, 7, 1);
	assert_absent(r, 7, -1);
	assert_ok(profile_read(&r->p, 7, -2, &row, err));
	assert_true(row.steps == 1 && row.seconds == 1 + 1 + (2 * NODES - 1) + 2 * NODES + 1 + 1);
	profile_row_done(&row);
	profile_stage next = stage_of_round_2;
	next.round = 3;
	assert_ok(profile_begin(&r->p, &next, r->e[0], NULL, err));
	assert_absent(r, 7, 2);
	step(r, 1);
	profile_end(&r->p);
	assert_absent(r, 7, 3);
	pass(r, 1, true); /* a network that is not watched */
}

static void the_machine_has_a_rate(void **state)
{
	rig *r = *state;
	double start = monotonic_seconds();
	double rate = profile_sgemm_gflops(r->pool, monotonic_seconds);
	assert_true(rate > 0.01 && rate < 1e5);
	assert_true(monotonic_seconds() - start < 30); /* a loaded machine, sanitizers */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_open, rig_close)
	const struct CMUnitTest tests[] = {
		TEST(the_places_add_up_to_the_step),
		TEST(flop_are_those_of_the_gradients_wanted),
		TEST(only_whole_steps_of_this_stage_are_read),
		TEST(the_machine_has_a_rate),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
