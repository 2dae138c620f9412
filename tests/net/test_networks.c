/* Whole networks against PyTorch in float64: golden/make_nets.py. */
#include <stdio.h>

#include "../golden/golden.h"
#include "net_test.h"

enum { PROJECTIONS = 7, CASE_COLUMNS = 12, DISCRIMINATOR = ARCH_COUNT };

static golden_file file;

static int open_file(void **state)
{
	assert_int_equal(gemm_init(NULL), TP_OK);
	golden_open(TEST_GOLDEN "/nets.bin", &file);
	return 0;
}

static int close_file(void **state)
{
	golden_close(&file);
	return 0;
}

static graph case_graph(const int32_t *c)
{
	graph g;
	tp_err err = {0};
	tp_status st;
	if (c[0] == DISCRIMINATOR) {
		st = discriminator_build((size_t)c[1], (size_t)c[2], &g, &err);
	} else {
		net_spec spec = {.arch = (net_arch)c[0],
		                 .classes = (size_t)c[1],
		                 .width_divisor = (size_t)c[2],
		                 .output_stride = (size_t)c[3],
		                 .aspp_branches = (size_t)c[4],
		                 .same_pad = c[9] != 0};
		for (int b = 0; b < 4; b++)
			spec.aspp_dilations[b] = (size_t)c[5 + b];
		st = net_build(&spec, &g, &err);
	}
	if (st != TP_OK)
		fail_msg("%s", err.text);
	return g;
}

/* project() of make_nets.py: norm and signed sums; returns the worst error over the norm. */
static double projection_error(uint64_t seed, const char *name, const float *flat, size_t n,
                               const float *want)
{
	char sign[80];
	(void)snprintf(sign, sizeof sign, "sign %s", name);
	uint64_t first = value_counter(sign);
	double got[1 + PROJECTIONS] = {0}, worst = 0;
	for (size_t j = 0; j < n; j++) {
		uint64_t bits = rng_u64(seed, RNG_TEST, first + j);
		got[0] += (double)flat[j] * flat[j];
		for (int k = 0; k < PROJECTIONS; k++)
			got[1 + k] += (bits >> k & 1) != 0 ? flat[j] : -flat[j];
	}
	got[0] = sqrt(got[0]);
	for (int k = 0; k <= PROJECTIONS; k++) {
		double e = fabs(got[k] - want[k]) / want[0];
		worst = e > worst || isnan(e) ? e : worst;
	}
	return worst;
}

/* Largest error of the logits over their largest value. */
static double logits_error(const float *got, const float *want, size_t n)
{
	double top = 0, worst = 0;
	for (size_t i = 0; i < n; i++) {
		top = fmax(top, fabs(want[i]));
		double e = fabs((double)got[i] - want[i]);
		worst = e > worst || isnan(e) ? e : worst;
	}
	return worst / top;
}

static void run_case(int32_t number, const int32_t *c, kernel_mode kernels, double tolerance)
{
	graph g = case_graph(c);
	size_t h = (size_t)c[10], w = (size_t)c[11];
	float *values = net_values(&g, (uint64_t)number);
	net_pass r = net_run(&g, values, (uint64_t)number, h, w, kernels, 2);
	const float *logits = golden_f32(&file, r.outputs, "%d/logits", number);
	double forward = logits_error(r.output, logits, r.outputs), worst = 0;
	const char *where = "";

	float *flat = new_floats(g.params.floats > r.inputs ? g.params.floats : r.inputs);
	for (size_t i = 0; i < g.params.count && g.params.item[i].trained; i++) {
		const param *p = &g.params.item[i];
		params_to_public(p, r.grads, flat);
		double e = projection_error((uint64_t)number, p->name, flat, p->count,
		                            golden_f32(&file, 1 + PROJECTIONS, "%d/%s", number,
		                                       p->name));
		if (!(e <= worst)) {
			worst = e;
			where = p->name;
		}
	}
	size_t channels = g.channels[0];
	for (size_t p = 0; p < h * w; p++)
		for (size_t k = 0; k < channels; k++)
			flat[k * h * w + p] = r.dinput[p * channels + k];
	double input = projection_error((uint64_t)number, "image", flat, r.inputs,
	                                golden_f32(&file, 1 + PROJECTIONS, "%d/image", number));
	print_message("case %d: logits %.1e, input gradient %.1e, gradients %.1e (%s)\n", number,
	              forward, input, worst, where);
	assert_true(forward <= tolerance);
	assert_true(input <= tolerance);
	assert_true(worst <= tolerance);
	mem_free(flat);
	mem_free(values);
	net_pass_done(&r);
	graph_done(&g);
}

static void expect_winograd(const int32_t *c, kernel_mode kernels)
{
	graph g = case_graph(c);
	pool *workers;
	exec *e;
	assert_int_equal(pool_create(1, &workers, NULL), TP_OK);
	exec_spec spec = {.graph = &g,
	                  .in_h = (size_t)c[10],
	                  .in_w = (size_t)c[11],
	                  .train = true,
	                  .kernels = kernels,
	                  .pool = workers};
	assert_int_equal(exec_create(&spec, &e, NULL), TP_OK);
	size_t found = 0;
	for (size_t i = 0; i < g.nodes; i++) {
		char algorithm[48];
		exec_node_algorithm(e, i, algorithm, sizeof algorithm);
		found += strstr(algorithm, kernels == KERNELS_F2 ? "winograd2" : "winograd4") != NULL;
	}
	assert_true(found >= 4);
	exec_free(e);
	pool_free(workers);
	graph_done(&g);
}

/* Plain loops take too long for the larger networks, which are there for Winograd. */
static void run_cases(kernel_mode kernels, double tolerance)
{
	enum { LARGE = 100 };
	const golden_tensor *t = golden_find(&file, "cases");
	assert_non_null(t);
	assert_int_equal(t->dim[1], CASE_COLUMNS);
	for (size_t i = 0; i < t->dim[0]; i++) {
		const int32_t *c = t->i32 + i * CASE_COLUMNS;
		bool large = c[10] > LARGE;
		if (large && kernels >= KERNELS_F2)
			expect_winograd(c, kernels);
		if (!large || kernels != KERNELS_REFERENCE)
			run_case((int32_t)i, c, kernels, tolerance);
	}
}

static void reference_kernels(void **state) { run_cases(KERNELS_REFERENCE, 2e-5); }
static void exact_kernels(void **state) { run_cases(KERNELS_EXACT, 2e-5); }
static void winograd2_kernels(void **state) { run_cases(KERNELS_F2, 5e-5); }
static void winograd4_kernels(void **state) { run_cases(KERNELS_F4, 3e-4); }

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reference_kernels),
		cmocka_unit_test(exact_kernels),
		cmocka_unit_test(winograd2_kernels),
		cmocka_unit_test(winograd4_kernels),
	};
	return cmocka_run_group_tests(tests, open_file, close_file);
}
