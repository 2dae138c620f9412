/* norms: batch norms are measured, or aligned from one domain to the other, layer behind layer. */
#include "train_fixture.h"

#include "train/norms.h"

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

static norm_spec spec_of(const graph *g, pool *p)
{
	return (norm_spec){.net = g, .h = H, .w = W, .pool = p};
}

static norm_inputs inputs(float *const *image)
{
	return (norm_inputs){(const float *const *)image, IMAGES};
}

static float *calibrated(const graph *g, size_t threads, const float *from)
{
	float *v = floats(g->params.floats);
	pool *p = new_pool(threads);
	memcpy(v, from, g->params.floats * sizeof *v);
	norm_spec spec = spec_of(g, p);
	norm_inputs in = inputs(pictures);
	assert_ok(norms_calibrate(&spec, &in, v, err));
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
	norm_spec spec = spec_of(&g, p);
	spec.stop = &stop;
	norm_inputs in = inputs(pictures);
	assert_int_equal(norms_calibrate(&spec, &in, v, NULL), TP_CANCELLED);
	norm_outcome o;
	assert_int_equal(norms_align(&spec, &in, &in, 0.5, (double)INFINITY, v, &o, NULL), TP_CANCELLED);
	pool_free(p);
	mem_free(v);
	graph_done(&g);
}

/* Pictures of another look: darker, of less contrast, another tint. */
static float *others[IMAGES];

static void make_others(void)
{
	for (size_t i = 0; i < IMAGES; i++) {
		others[i] = floats(H * W * 3);
		for (size_t q = 0; q < H * W * 3; q++)
			others[i][q] = pictures[i][q] * (q % 3 == 0 ? 0.4f : 0.7f) - 0.8f;
	}
}

static void free_others(void)
{
	for (size_t i = 0; i < IMAGES; i++)
		mem_free(others[i]);
}

/* v aligned by a; check: unless that looks harmful. */
static float *within(const graph *g, float *const *target, double a, bool check, size_t threads, const float *from,
                     norm_outcome *ret)
{
	float *v = floats(g->params.floats);
	pool *p = new_pool(threads);
	memcpy(v, from, g->params.floats * sizeof *v);
	norm_spec spec = spec_of(g, p);
	norm_inputs s = inputs(pictures), t = inputs(target);
	assert_ok(norms_align(&spec, &s, &t, a, check, v, ret, err));
	pool_free(p);
	return v;
}

static float *aligned(const graph *g, float *const *target, double a, size_t threads, const float *from)
{
	norm_outcome o;
	float *v = within(g, target, a, false, threads, from, &o);
	assert_true(o.kept);
	return v;
}

/* Mean and variance of channel c of the first layer's batch norm, over the images, with these values. */
static void first_norm_out(const graph *g, const float *values, float *const *image, size_t c,
                           double *ret_mean, double *ret_variance)
{
	const node *n = &g->node[0];
	const param *w = &g->params.item[n->weight];
	float *flat = floats(w->count);
	params_to_public(w, values, flat);
	double bn[4], sum = 0, square = 0;
	for (size_t i = 0; i < 4; i++)
		bn[i] = (double)values[g->params.item[n->bn[i]].offset + c];
	size_t oh = (H - 1) / 2 + 1, ow = (W - 1) / 2 + 1;
	for (size_t i = 0; i < IMAGES; i++)
		for (size_t q = 0; q < oh * ow; q++) {
			double v = 0;
			for (size_t k = 0; k < 27; k++) {
				long y = (long)(2 * (q / ow) + k / 3 % 3) - 1;
				long x = (long)(2 * (q % ow) + k % 3) - 1;
				if (y >= 0 && x >= 0 && y < H && x < W)
					v += (double)flat[c * 27 + k] * image[i][(y * W + x) * 3 + (long)(k / 9)];
			}
			v = bn[0] * (v - bn[2]) / sqrt(bn[3] + 1e-5) + bn[1];
			sum += v;
			square += v * v;
		}
	double count = (double)(IMAGES * oh * ow);
	*ret_mean = sum / count;
	*ret_variance = square / count - *ret_mean * *ret_mean;
	mem_free(flat);
}

/* a = 1: on the target the first norm puts out the mean and variance that it had on the source. */
static void the_target_comes_out_as_the_source_did(void **state)
{
	(void)state;
	graph g = small_network();
	make_others();
	float *before = fresh(&g), *trained = calibrated(&g, 2, before);
	float *moved = aligned(&g, others, 1.0, 2, trained);
	for (size_t c = 0; c < g.params.item[g.node[0].bn[0]].count; c++) {
		double m0, v0, m1, v1, m2, v2;
		first_norm_out(&g, trained, pictures, c, &m0, &v0);
		first_norm_out(&g, trained, others, c, &m1, &v1);
		first_norm_out(&g, moved, others, c, &m2, &v2);
		assert_near(m2, m0, 1e-3);
		assert_near(v2, v0, 1e-2 * v0);
		assert_true(fabs(m1 - m0) > 0.01 || fabs(v1 - v0) > 0.05 * v0);
	}
	mem_free(before);
	mem_free(trained);
	mem_free(moved);
	free_others();
	graph_done(&g);
}

/* Aligning a domain to itself, or by nothing, changes next to nothing; half-way lies between. */
static void alignment_has_its_measure(void **state)
{
	(void)state;
	graph g = small_network();
	make_others();
	float *before = fresh(&g), *trained = calibrated(&g, 2, before);
	float *same = aligned(&g, pictures, 1.0, 2, trained), *none = aligned(&g, others, 0.0, 2, trained);
	float *half = aligned(&g, others, 0.5, 2, trained), *full = aligned(&g, others, 1.0, 2, trained);
	float *three = aligned(&g, others, 0.5, 3, trained);
	assert_close(same, trained, g.params.floats, 1e-4);
	assert_close(none, trained, g.params.floats, 1e-4);
	assert_memory_equal(half, three, g.params.floats * sizeof(float));
	assert_memory_equal(half, trained, g.params.trained_floats * sizeof(float));
	double to_half = error_of(half, trained, g.params.floats);
	double to_full = error_of(full, trained, g.params.floats);
	assert_true(to_half > 1e-2 && to_full > to_half);
	mem_free(before);
	mem_free(trained);
	mem_free(same);
	mem_free(none);
	mem_free(half);
	mem_free(full);
	mem_free(three);
	free_others();
	graph_done(&g);
}

static norm_predictions predicted(const graph *g, float *const *image, size_t threads, const float *values)
{
	norm_predictions ret;
	pool *p = new_pool(threads);
	norm_spec spec = spec_of(g, p);
	norm_inputs in = inputs(image);
	assert_ok(norms_predict(&spec, &in, values, &ret, err));
	pool_free(p);
	return ret;
}

static void doubtful_alignment_is_taken_back(void **state)
{
	(void)state;
	graph g = small_network();
	make_others();
	float *before = fresh(&g), *trained = calibrated(&g, 2, before);
	norm_outcome all, none, own;
	float *by_all = within(&g, others, 0.5, false, 2, trained, &all);
	assert_true(all.kept && norms_doubtful(all.shift, all.mirror));
	float *refused = within(&g, others, 0.5, true, 2, trained, &none);
	assert_true(!none.kept && none.shift == all.shift && none.mirror == all.mirror);
	assert_memory_equal(refused, trained, g.params.floats * sizeof(float));
	/* To what it was trained on it is aligned already. */
	float *same = within(&g, pictures, 0.5, true, 2, trained, &own);
	assert_true(own.kept && own.shift < 0.01);
	/* What it says is what the predictions before and after say. */
	norm_predictions p = predicted(&g, others, 1, trained), q = predicted(&g, others, 1, by_all);
	double shift = 0;
	for (size_t k = 0; k < CLASSES; k++)
		shift += 0.5 * fabs(q.share[k] - p.share[k]);
	assert_near(all.shift, shift, 1e-12);
	assert_near(all.mirror, q.mirror_change / p.mirror_change, 1e-12);
	mem_free(by_all);
	mem_free(same);
	mem_free(refused);
	mem_free(before);
	mem_free(trained);
	free_others();
	graph_done(&g);
}

/* docs/results.md has the source models. */
static void doubt_tells_harm_from_help(void **state)
{
	(void)state;
	static const double helped[][2] = {{0.135, 0.58}, {0.108, 0.51}, {0.081, 0.76}, {0.073, 1.28}, {0.048, 1.35}},
			    harmed[][2] = {{0.088, 1.23}, {0.093, 1.07}, {0.244, 0.91}, {0.031, 1.53}};
	for (size_t i = 0; i < sizeof helped / sizeof *helped; i++)
		assert_false(norms_doubtful(helped[i][0], helped[i][1]));
	for (size_t i = 0; i < sizeof harmed / sizeof *harmed; i++)
		assert_true(norms_doubtful(harmed[i][0], harmed[i][1]));
}

static void predictions_are_counted(void **state)
{
	(void)state;
	graph g = small_network();
	float *before = fresh(&g), *trained = calibrated(&g, 2, before);
	double sum = 0;
	norm_predictions one = predicted(&g, pictures, 1, trained), three = predicted(&g, pictures, 3, trained);
	for (size_t k = 0; k < NORMS_MAX_CLASSES; k++)
		sum += one.share[k];
	assert_near(sum, 1.0, 1e-12);
	assert_memory_equal(&one, &three, sizeof one);
	assert_true(one.mirror_change > 0.0 && one.mirror_change < 1.0);
	/* The mirror image's mirror image is the image: what changes between them is the same. */
	float *flipped[IMAGES];
	for (size_t i = 0; i < IMAGES; i++) {
		flipped[i] = floats(H * W * 3);
		for (size_t q = 0; q < H * W * 3; q++)
			flipped[i][q] = pictures[i][(q / 3 / W * W + W - 1 - q / 3 % W) * 3 + q % 3];
	}
	norm_predictions turned = predicted(&g, flipped, 2, trained);
	assert_true(turned.mirror_change == one.mirror_change);
	for (size_t i = 0; i < IMAGES; i++)
		mem_free(flipped[i]);
	/* One class above all others everywhere, by its bias: nothing changes. */
	for (size_t i = 0; i < g.params.count; i++)
		if (g.params.item[i].kind == PARAM_BIAS && g.params.item[i].head)
			trained[g.params.item[i].offset + 2] = 1e4f;
	one = predicted(&g, pictures, 2, trained);
	assert_true(one.share[2] == 1.0 && one.share[0] == 0.0 && one.mirror_change == 0.0);
	mem_free(before);
	mem_free(trained);
	graph_done(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_layer_is_measured_right),
		cmocka_unit_test(only_statistics_change),
		cmocka_unit_test(the_result_is_always_the_same),
		cmocka_unit_test(activations_come_to_ordinary_size),
		cmocka_unit_test(the_target_comes_out_as_the_source_did),
		cmocka_unit_test(alignment_has_its_measure),
		cmocka_unit_test(doubtful_alignment_is_taken_back),
		cmocka_unit_test(doubt_tells_harm_from_help),
		cmocka_unit_test(predictions_are_counted),
		cmocka_unit_test(it_stops_on_request),
	};
	return cmocka_run_group_tests(tests, make_pictures, free_pictures);
}
