/* calibrate: batch norms of a fresh network are measured, layer behind layer. */
#include "train_fixture.h"

#include "train/calibrate.h"

enum { IMAGES = 3, H = 33, W = 40 };

static float *pictures[IMAGES];

static int make_pictures(void **state)
{
	for (size_t i = 0; i < IMAGES; i++)
		pictures[i] = random_floats(H * W * 3, 20 + i);
	return start_blas(state);
}

static int free_pictures(void **state)
{
	(void)state;
	for (size_t i = 0; i < IMAGES; i++)
		mem_free(pictures[i]);
	return 0;
}

static float *calibrated(const graph *g, size_t threads, const float *from)
{
	float *v = floats(g->params.floats);
	pool *p = new_pool(threads);
	memcpy(v, from, g->params.floats * sizeof *v);
	calibration c = {.net = g, .input = (const float *const *)pictures, .images = IMAGES, .h = H,
	                 .w = W, .pool = p};
	assert_ok(calibrate_batch_norms(&c, v, err));
	pool_free(p);
	return v;
}

static float *fresh(const graph *g)
{
	float *v = floats(g->params.floats);
	params_init(&g->params, 5, v);
	return v;
}

/* The first layer by hand: 3x3, stride 2, padding 1. */
static void the_first_layer_is_measured_right(void **state)
{
	(void)state;
	graph g = small_network();
	const node *n = &g.node[0];
	assert_true(n->op == NODE_CONV && n->kernel == 3 && n->stride == 2 && n->pad == 1);
	float *before = fresh(&g), *after = calibrated(&g, 2, before);
	const param *weight = &g.params.item[n->weight];
	float *flat = floats(weight->count);
	params_to_public(weight, before, flat); /* [out][in][3][3] */
	size_t oh = (H - 1) / 2 + 1, ow = (W - 1) / 2 + 1;
	for (size_t c = 0; c < weight->dims[0]; c++) {
		double sum = 0, square = 0;
		for (size_t i = 0; i < IMAGES; i++)
			for (size_t q = 0; q < oh * ow; q++) {
				double v = 0;
				for (size_t k = 0; k < 27; k++) {
					long y = (long)(2 * (q / ow) + k / 3 % 3) - 1;
					long x = (long)(2 * (q % ow) + k % 3) - 1;
					if (y >= 0 && x >= 0 && y < H && x < W)
						v += (double)flat[c * 27 + k] *
						     pictures[i][(y * W + x) * 3 + (long)(k / 9)];
				}
				sum += v;
				square += v * v;
			}
		double count = (double)(IMAGES * oh * ow), mean = sum / count;
		assert_near((double)after[g.params.item[n->bn[2]].offset + c], mean, 1e-4);
		assert_near((double)after[g.params.item[n->bn[3]].offset + c],
		            square / count - mean * mean, 1e-3);
	}
	mem_free(flat);
	mem_free(before);
	mem_free(after);
	graph_done(&g);
}

static void only_statistics_change(void **state)
{
	(void)state;
	graph g = small_network();
	float *before = fresh(&g), *after = calibrated(&g, 1, before);
	size_t changed = 0;
	for (size_t i = 0; i < g.params.count; i++) {
		const param *p = &g.params.item[i];
		size_t bytes = p->count * sizeof(float);
		if (p->kind != PARAM_BN_MEAN && p->kind != PARAM_BN_VAR) {
			assert_memory_equal(before + p->offset, after + p->offset, bytes);
			continue;
		}
		changed += memcmp(before + p->offset, after + p->offset, bytes) != 0;
		for (size_t j = 0; j < p->count; j++) {
			float v = after[p->offset + j];
			assert_true(isfinite(v) && (p->kind == PARAM_BN_MEAN || v >= 1e-4f));
		}
	}
	assert_true(changed > 20);
	mem_free(before);
	mem_free(after);
	graph_done(&g);
}

/* Also when it was left half-way and begins again, as after a pause. */
static void the_result_is_always_the_same(void **state)
{
	(void)state;
	graph g = small_network();
	float *before = fresh(&g), *one = calibrated(&g, 1, before), *three = calibrated(&g, 3, before);
	float *again = calibrated(&g, 2, one);
	size_t bytes = g.params.floats * sizeof(float);
	assert_memory_equal(one, three, bytes);
	assert_memory_equal(one, again, bytes);
	mem_free(before);
	mem_free(one);
	mem_free(three);
	mem_free(again);
	graph_done(&g);
}

static double output_rms(const graph *g, const float *values)
{
	pool *p = new_pool(2);
	exec *e;
	const float *y;
	exec_spec spec = {.graph = g, .in_h = H, .in_w = W, .kernels = KERNELS_EXACT, .pool = p};
	assert_ok(exec_create(&spec, &e, err));
	exec_prepare(e, values);
	memcpy(exec_input(e), pictures[0], H * W * 3 * sizeof(float));
	assert_ok(exec_forward(e, &y, err));
	size_t n = exec_sizes(e)->out_h * exec_sizes(e)->out_w * exec_sizes(e)->out_c;
	double rms = sqrt(dot_product(y, y, n) / (double)n);
	exec_free(e);
	pool_free(p);
	return rms;
}

/* A forgetful network (all weights tripled) becomes one of ordinary size. */
static void activations_come_to_ordinary_size(void **state)
{
	(void)state;
	graph g = small_network();
	float *before = fresh(&g);
	for (size_t i = 0; i < g.params.count; i++) {
		const param *p = &g.params.item[i];
		for (size_t j = 0; j < p->count && p->ndim == 4 && !p->head; j++)
			before[p->offset + j] *= 3;
	}
	float *after = calibrated(&g, 2, before);
	double wild = output_rms(&g, before), tame = output_rms(&g, after);
	print_message("logits %.3g before, %.3g after\n", wild, tame);
	assert_true(tame > 1e-3 && tame < 10);
	mem_free(before);
	mem_free(after);
	graph_done(&g);
}

static void it_stops_on_request(void **state)
{
	(void)state;
	graph g = small_network();
	float *v = fresh(&g);
	atomic_int stop = 1;
	pool *p = new_pool(1);
	calibration c = {.net = &g, .input = (const float *const *)pictures, .images = IMAGES, .h = H,
	                 .w = W, .pool = p, .stop = &stop};
	assert_int_equal(calibrate_batch_norms(&c, v, NULL), TP_CANCELLED);
	pool_free(p);
	mem_free(v);
	graph_done(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_layer_is_measured_right),
		cmocka_unit_test(only_statistics_change),
		cmocka_unit_test(the_result_is_always_the_same),
		cmocka_unit_test(activations_come_to_ordinary_size),
		cmocka_unit_test(it_stops_on_request),
	};
	return cmocka_run_group_tests(tests, make_pictures, free_pictures);
}
