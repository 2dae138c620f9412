/* pixel loss: the formulas' test vectors, their gradients against differences, the fast version
 * against the reference for every combination, and both against PyTorch. */
#include "method_fixture.h"

#include "golden.h"
#include "loss/pixel.h"

enum { CLASSES = 7, PIXELS = 611, HARD = 0, WEIGHTED = 1, SOFT = 2, TARGETS = 3 };

static const double z3[3] = {-0.5108256237659907, -1.2039728043259361, -2.302585092994046};
static const double hot[3] = {0, 1, 0};
static const float lambda3[3] = {0.8f, 0.25f, 0.5f};

static void close3(const double *got, double a, double b, double c, double limit)
{
	const double want[3] = {a, b, c};
	for (int k = 0; k < 3; k++)
		assert_near(got[k], want[k], limit);
}

/* algorithms.md 2.3: p = (.6,.3,.1), label 1 */
static void vectors_of_regularizers(void **state)
{
	double label, reg, gl[3], gr[3];
	pixel_loss_spec s = {.scale = 1.0f, .reg = REG_MRKLD, .reg_scale = 1.0f};
	pixel_loss_reference(z3, 3, hot, &s, &label, &reg, gl, gr);
	assert_near(label, 1.203973, 5e-7);
	assert_near(reg, 1.339128, 5e-7);
	assert_near(label + 0.1 * reg, 1.337886, 5e-7);
	assert_near(label + 0.01 * reg, 1.217364, 5e-7);
	close3(gl, 0.6, -0.7, 0.1, 1e-12);
	close3(gr, 0.266667, -0.033333, -0.233333, 5e-7);
	s.reg = REG_MRENT;
	pixel_loss_reference(z3, 3, hot, &s, &label, &reg, gl, gr);
	assert_near(reg, -0.897946, 5e-7);
	close3(gr, 0.232272, -0.091808, -0.140464, 5e-7);
	s.reg = REG_MRL2;
	pixel_loss_reference(z3, 3, hot, &s, &label, &reg, gl, gr);
	assert_near(reg, 0.46, 1e-12);
	close3(gr, 0.168, -0.096, -0.072, 1e-12);
	s.reg = REG_LRENT;
	pixel_loss_reference(z3, 3, hot, &s, &label, &reg, gl, gr);
	assert_true(reg == 0.0 && gr[0] == 0.0 && gr[1] == 0.0 && gr[2] == 0.0);
}

/* algorithms.md 3: beta = .95 */
static void vectors_of_bootstrap(void **state)
{
	double label, reg, gl[3], gr[3];
	pixel_loss_spec s = {.scale = 1.0f, .bootstrap = true, .beta = 0.95f, .lambda = lambda3};
	pixel_loss_reference(z3, 3, hot, &s, &label, &reg, gl, gr);
	assert_near(label, -0.157262, 1e-6);
	close3(gl, 0.59700, -0.69275, 0.09575, 1e-6);
	s.through_weight = true;
	pixel_loss_reference(z3, 3, hot, &s, &label, &reg, gl, gr);
	close3(gl, 0.598222, -0.708472, 0.110250, 1e-6);
	static const float ones[3] = {1, 1, 1}; /* Reed's own soft loss */
	s.lambda = ones;
	pixel_loss_reference(z3, 3, hot, &s, &label, &reg, gl, gr);
	assert_near(label, 1.188671, 1e-6);
}

/* The same vectors through the fast version, in float. */
static void vectors_fast(void **state)
{
	pool *workers = new_pool(1);
	float z[3] = {(float)z3[0], (float)z3[1], (float)z3[2]}, dz[3];
	uint8_t one = 1;
	pixel_target t = {.label = &one};
	pixel_loss_spec s = {.scale = 1.0f, .reg = REG_MRKLD, .reg_scale = 0.01f};
	pixel_loss_result r = pixel_loss(z, 3, 1, &t, &s, dz, workers);
	assert_near(r.loss, 1.217364, 1e-6);
	assert_near(dz[1], -0.7 - 0.01 * 0.0333333, 1e-6);
	s = (pixel_loss_spec){.scale = 1.0f, .bootstrap = true, .beta = 0.95f, .lambda = lambda3};
	r = pixel_loss(z, 3, 1, &t, &s, dz, workers);
	assert_near(r.loss, -0.157262, 1e-6);
	assert_near(dz[0], 0.59700, 1e-6);
	s.through_weight = true;
	(void)pixel_loss(z, 3, 1, &t, &s, dz, workers);
	assert_near(dz[1], -0.708472, 1e-6);
	pool_free(workers);
}

/* -sum w_k log r_k with given weights, for the gradient that holds them constant. */
static double frozen_loss(const double *z, const double *w, const float *lambda)
{
	double sum = 0.0, loss = 0.0;
	for (int k = 0; k < CLASSES; k++)
		sum += exp(z[k]);
	for (int k = 0; k < CLASSES; k++)
		loss -= w[k] * (z[k] - log(sum) - log(lambda[k]));
	return loss;
}

static void gradients_by_differences(void **state)
{
	const double step = 1e-5;
	float lambda[CLASSES];
	random_lambda(lambda, CLASSES, 3);
	for (uint64_t pixel = 0; pixel < 40; pixel++)
		for (int reg = REG_NONE; reg <= REG_MRL2; reg++)
			for (int boot = 0; boot < 3; boot++) {
				pixel_loss_spec s = {.reg = (regularizer)reg, .bootstrap = boot > 0,
				                     .beta = 0.8f, .through_weight = boot == 2,
				                     .lambda = lambda};
				double z[CLASSES], y[CLASSES], w[CLASSES], g[CLASSES], gr[CLASSES];
				double sum = 0.0, l, r, up, down, rup, rdown, dump[CLASSES];
				for (int k = 0; k < CLASSES; k++) {
					z[k] = 2.0 * rng_normal(pixel, RNG_TEST, (uint64_t)k);
					y[k] = rng_uniform(pixel, RNG_TEST, 100 + (uint64_t)k);
					sum += exp(z[k]);
				}
				for (int k = 0; k < CLASSES; k++)
					w[k] = 0.8f * y[k] + (1 - (double)0.8f) * exp(z[k]) / sum /
					                             lambda[k];
				pixel_loss_reference(z, CLASSES, y, &s, &l, &r, g, gr);
				if (boot == 1)
					assert_near(l, frozen_loss(z, w, lambda), 1e-10);
				for (int k = 0; k < CLASSES; k++) {
					double at = z[k];
					z[k] = at + step;
					pixel_loss_reference(z, CLASSES, y, &s, &up, &rup, dump,
					                     dump);
					if (boot == 1)
						up = frozen_loss(z, w, lambda);
					z[k] = at - step;
					pixel_loss_reference(z, CLASSES, y, &s, &down, &rdown,
					                     dump, dump);
					if (boot == 1)
						down = frozen_loss(z, w, lambda);
					z[k] = at;
					assert_near(g[k], (up - down) / (2 * step), 2e-8);
					assert_near(gr[k], (rup - rdown) / (2 * step), 2e-8);
				}
			}
}

typedef struct maps {
	size_t pixels;
	float *z, *weight, *soft;
	uint8_t *label;
	float lambda[CLASSES];
} maps;

static maps maps_of(size_t pixels)
{
	maps m = {.pixels = pixels};
	m.z = random_floats(CLASSES * pixels, 11);
	m.weight = floats(pixels);
	m.soft = random_probs(CLASSES, pixels, 1.0f, 12);
	m.label = malloc(pixels);
	random_lambda(m.lambda, CLASSES, 13);
	for (size_t i = 0; i < pixels; i++) {
		m.z[i] *= i % 5 == 0 ? 12.0f : 2.0f;
		m.label[i] = (uint8_t)rng_below(14, RNG_TEST, i, CLASSES);
		m.weight[i] = (float)rng_uniform(15, RNG_TEST, i);
		if (i % 3 == 1)
			m.label[i] = LABEL_NONE;
		if (i % 7 == 2)
			m.label[i] = CLASSES; /* no class, so no label */
		if (i % 11 == 0)
			m.weight[i] = 0.0f;
		for (size_t k = 0; k < CLASSES && i % 4 == 0; k++)
			m.soft[k * pixels + i] = 0.0f;
	}
	return m;
}

static void maps_done(maps *m)
{
	mem_free(m->z);
	mem_free(m->weight);
	mem_free(m->soft);
	free(m->label);
}

static pixel_target target_of(const maps *m, int kind)
{
	return (pixel_target){kind == SOFT ? NULL : m->label, kind == WEIGHTED ? m->weight : NULL,
	                      kind == SOFT ? m->soft : NULL};
}

static void target_vector(const maps *m, int kind, size_t i, double *y)
{
	for (size_t k = 0; k < CLASSES; k++)
		y[k] = kind == SOFT          ? (double)m->soft[k * m->pixels + i]
		       : m->label[i] != k    ? 0.0
		       : kind == WEIGHTED    ? (double)m->weight[i]
		                             : 1.0;
}

static void compare(const maps *m, int kind, const pixel_loss_spec *s, pool *workers)
{
	size_t n = m->pixels, labelled = 0;
	float *dz = floats(CLASSES * n);
	pixel_target t = target_of(m, kind);
	pixel_loss_result got = pixel_loss(m->z, CLASSES, n, &t, s, dz, workers);
	double label = 0.0, reg = 0.0, size = 0.0;
	for (size_t i = 0; i < n; i++) {
		double z[CLASSES], y[CLASSES], gl[CLASSES], gr[CLASSES], l, r, any = 0.0;
		target_vector(m, kind, i, y);
		for (size_t k = 0; k < CLASSES; k++) {
			z[k] = m->z[k * n + i];
			any += y[k];
		}
		labelled += any != 0.0;
		pixel_loss_reference(z, CLASSES, y, s, &l, &r, gl, gr);
		label += l;
		reg += r;
		size += fabs(l) + fabs(r);
		for (size_t k = 0; k < CLASSES; k++) {
			double want = s->scale * gl[k] + s->reg_scale * gr[k];
			if (any == 0.0)
				assert_true(dz[k * n + i] == 0.0f);
			assert_near(dz[k * n + i], want, 4e-6 * s->scale);
		}
	}
	assert_near(got.label_term, s->scale * label, 1e-6 * s->scale * size);
	assert_near(got.reg_term, s->reg_scale * reg, 1e-6 * s->reg_scale * size);
	assert_true(got.loss == got.label_term + got.reg_term);
	assert_int_equal(pixel_target_count(&t, CLASSES, n), labelled);
	mem_free(dz);
}

static void fast_against_reference(void **state)
{
	maps m = maps_of(PIXELS);
	pool *workers = new_pool(2);
	for (int kind = 0; kind < TARGETS; kind++)
		for (int reg = REG_NONE; reg <= REG_MRL2; reg++)
			for (int boot = 0; boot < 3; boot++) {
				pixel_loss_spec s = {.scale = 0.01f, .reg = (regularizer)reg,
				                     .reg_scale = 0.002f, .bootstrap = boot > 0,
				                     .beta = 0.95f, .through_weight = boot == 2,
				                     .lambda = m.lambda};
				compare(&m, kind, &s, workers);
			}
	pool_free(workers);
	maps_done(&m);
}

static void torch_losses(void **state)
{
	enum { K = 4, N = 24, CASES = 45 };
	golden_file f;
	golden_open(TEST_GOLDEN "/method.bin", &f);
	const float *z = golden_f32(&f, K * N, "loss_z");
	const float *want = golden_f32(&f, CASES * K * N, "loss_dz");
	const float *value = golden_f32(&f, CASES * 2, "loss_value");
	pixel_target t[TARGETS] = {{.label = golden_u8(&f, N, "loss_label")}};
	t[WEIGHTED] = t[HARD];
	t[WEIGHTED].weight = golden_f32(&f, N, "loss_weight");
	t[SOFT].soft = golden_f32(&f, K * N, "loss_soft");
	pool *workers = new_pool(1);
	for (size_t c = 0; c < CASES; c++) {
		size_t boot = c % 3;
		pixel_loss_spec s = {.scale = 0.25f, .reg = (regularizer)(c / 3 % 5),
		                     .reg_scale = 0.125f, .bootstrap = boot > 0, .beta = 0.9f,
		                     .through_weight = boot == 2,
		                     .lambda = golden_f32(&f, K, "loss_lambda")};
		float dz[K * N];
		pixel_loss_result r = pixel_loss(z, K, N, &t[c / 15], &s, dz, workers);
		assert_close(dz, want + c * K * N, K * N, 5e-6);
		assert_near(r.label_term, value[2 * c], 2e-5);
		assert_near(r.reg_term, value[2 * c + 1], 2e-5);
	}
	pool_free(workers);
	golden_close(&f);
}

static void same_bits_on_any_threads_and_in_place(void **state)
{
	maps m = maps_of(20011);
	size_t bytes = CLASSES * m.pixels * sizeof(float);
	pixel_loss_spec s = {.scale = 0.01f, .reg = REG_MRENT, .reg_scale = 0.002f,
	                     .bootstrap = true, .beta = 0.9f, .through_weight = true,
	                     .lambda = m.lambda};
	float *first = floats(CLASSES * m.pixels), *dz = floats(CLASSES * m.pixels);
	pixel_target t = target_of(&m, WEIGHTED);
	pixel_loss_result want = {0};
	for (size_t threads = 1; threads <= THREADS_MAX; threads++) {
		pool *workers = new_pool(threads);
		memcpy(dz, m.z, bytes);
		pixel_loss_result r = pixel_loss(threads % 2 ? m.z : dz, CLASSES, m.pixels, &t, &s,
		                                 dz, workers);
		if (threads == 1) {
			memcpy(first, dz, bytes);
			want = r;
		}
		assert_memory_equal(dz, first, bytes);
		assert_true(r.loss == want.loss && r.reg_term == want.reg_term);
		pool_free(workers);
	}
	mem_free(first);
	mem_free(dz);
	maps_done(&m);
}

static void nothing_labelled(void **state)
{
	pool *workers = new_pool(1);
	float z[8] = {1, 2, 3, 4, 5, 6, 7, 8}, dz[8];
	uint8_t label[4] = {LABEL_NONE, LABEL_NONE, LABEL_NONE, 2};
	pixel_target t = {.label = label};
	pixel_loss_spec s = {.scale = 1.0f, .reg = REG_MRKLD, .reg_scale = 1.0f};
	pixel_loss_result r = pixel_loss(z, 2, 4, &t, &s, dz, workers);
	assert_true(r.loss == 0.0);
	for (int i = 0; i < 8; i++)
		assert_true(dz[i] == 0.0f);
	r = pixel_loss(z, 2, 0, &t, &s, dz, workers);
	assert_true(r.loss == 0.0);
	pool_free(workers);
}

static void not_finite_shows(void **state)
{
	pool *workers = new_pool(1);
	const float bad[] = {NAN, INFINITY};
	for (size_t b = 0; b < 2; b++)
		for (size_t at = 0; at < 6; at++)
			for (int boot = 0; boot < 2; boot++) {
				float z[6] = {1, 2, 3, 4, 5, 6}, dz[6];
				uint8_t label[2] = {1, LABEL_NONE};
				pixel_target t = {.label = label};
				pixel_loss_spec s = {.scale = 1.0f, .bootstrap = boot, .beta = 0.9f,
				                     .lambda = lambda3};
				z[at] = bad[b];
				assert_true(isnan(pixel_loss(z, 3, 2, &t, &s, dz, workers).loss));
			}
	pool_free(workers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_of_regularizers),
		cmocka_unit_test(vectors_of_bootstrap),
		cmocka_unit_test(vectors_fast),
		cmocka_unit_test(gradients_by_differences),
		cmocka_unit_test(fast_against_reference),
		cmocka_unit_test(torch_losses),
		cmocka_unit_test(same_bits_on_any_threads_and_in_place),
		cmocka_unit_test(nothing_labelled),
		cmocka_unit_test(not_finite_shows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
