/* audit: counts against plain loops over all maps, the threshold's accuracy against a sort. */
#include "harness.h"

#include "adapt/audit.h"
#include "adapt/pseudo.h"

enum { K = 5, H = 23, W = 31, P = H * W, IMAGES = 3 };

/* Maps of one image, most of them wrong somewhere; p sums to 1 and crowds at 1. */
typedef struct maps {
	float *p;
	uint8_t prediction[P], before[P], final[P], origin[P], earlier[P], truth[P];
	image_confidence score;
} maps;

static const float lambda[K] = {0.9999f, 0.8f, 0.35f, 1.0f, 0.05f};

static uint8_t pick(uint64_t seed, size_t i, size_t sides)
{
	return (uint8_t)rng_below(seed, RNG_TEST, i, sides);
}

static void make_probabilities(float *p, uint64_t seed)
{
	for (size_t i = 0; i < P; i++) {
		float sum = 0, best = 0, z[K];
		size_t top = pick(seed, i, K - 1);
		for (size_t k = 0; k < K - 1; k++) {
			z[k] = expf(6.0f * (float)rng_normal(seed + 1, RNG_TEST, i * K + k) +
			            (k == top ? 8.0f : 0.0f));
			sum += z[k];
			best = fmaxf(best, z[k]);
		}
		z[K - 1] = best * 0.001f * pick(seed + 11, i, 250); /* wins by r alone */
		sum += z[K - 1];
		for (size_t k = 0; k < K; k++)
			p[k * P + i] = z[k] / sum;
	}
}

static maps *make_maps(uint64_t seed)
{
	maps *m = calloc(1, sizeof *m);
	assert_non_null(m);
	pool *one = new_pool(1);
	uint8_t best[P];
	float weight[P];
	m->p = floats(K * P);
	make_probabilities(m->p, seed);
	probs_argmax(m->p, K, P, m->prediction, NULL, one);
	pseudo_easy(m->p, lambda, 1.0f, K, P, best, weight, one);
	image_confidence_of(m->p, lambda, K, P, true, &m->score);
	for (size_t i = 0; i < P; i++) {
		static const uint8_t odd[4] = {LABEL_NONE, K, 0, 1};
		m->origin[i] = pick(seed + 2, i, 4);
		m->final[i] = m->origin[i] == ORIGIN_NONE ? LABEL_NONE
		              : pick(seed + 3, i, 5) > 0  ? best[i]
		                                          : pick(seed + 4, i, K);
		m->before[i] = pick(seed + 5, i, 3) > 0 ? m->prediction[i] : pick(seed + 6, i, K);
		m->earlier[i] = pick(seed + 7, i, 2) > 0 ? m->final[i] : odd[pick(seed + 8, i, 4)];
		m->truth[i] = pick(seed + 9, i, 3) > 0 ? best[i] : odd[pick(seed + 10, i, 4)];
	}
	pool_free(one);
	return m;
}

static void free_maps(maps *m)
{
	mem_free(m->p);
	free(m);
}

static audit count_all(maps *const *m, bool earlier, bool truth)
{
	audit a;
	assert_ok(audit_init(K, &a, err));
	for (size_t i = 0; i < IMAGES; i++) {
		audit_predictions(&a, m[i]->prediction, earlier ? m[i]->before : NULL, &m[i]->score, P);
		audit_labels(&a, m[i]->prediction, m[i]->final, m[i]->origin,
		             earlier ? m[i]->earlier : NULL, truth ? m[i]->truth : NULL, P);
		if (truth)
			audit_ranking(&a, m[i]->p, lambda, m[i]->truth, P);
	}
	return a;
}

#define COUNT(condition)                                                                           \
	({                                                                                         \
		uint64_t count_n = 0;                                                              \
		for (size_t n = 0; n < IMAGES; n++)                                                \
			for (size_t i = 0; i < P; i++) {                                           \
				const maps *x = m[n];                                              \
				count_n += (condition);                                            \
			}                                                                          \
		count_n;                                                                           \
	})

static void counts_are_those_of_plain_loops(void **state)
{
	maps *m[IMAGES];
	for (size_t i = 0; i < IMAGES; i++)
		m[i] = make_maps(100 * i);
	audit a = count_all(m, true, true);
	for (uint8_t k = 0; k < K; k++) {
		const audit_class *of = &a.of[k];
		assert_int_equal(of->predicted, COUNT(x->prediction[i] == k));
		assert_int_equal(of->base, COUNT(x->prediction[i] == k));
		assert_int_equal(of->same, COUNT(x->prediction[i] == k && x->before[i] == k));
		assert_int_equal(of->either, COUNT(x->prediction[i] == k || x->before[i] == k));
		for (uint8_t o = 1; o <= AUDIT_ORIGINS; o++) {
			const audit_label *l = &of->label[o - 1];
			assert_int_equal(l->pixels, COUNT(x->final[i] == k && x->origin[i] == o));
			assert_int_equal(l->truth, COUNT(x->final[i] == k && x->origin[i] == o &&
			                                 x->truth[i] < K));
			assert_int_equal(l->right, COUNT(x->final[i] == k && x->origin[i] == o &&
			                                 x->truth[i] == k));
		}
		audit_label sum = audit_label_sum(of);
		assert_int_equal(sum.pixels, COUNT(x->final[i] == k));
		assert_int_equal(sum.right, COUNT(x->final[i] == k && x->truth[i] == k));
	}
	assert_int_equal(a.earlier.both, IMAGES * P);
	assert_int_equal(a.earlier.same, COUNT(x->prediction[i] == x->before[i]));
	assert_int_equal(a.labels.both, COUNT(x->final[i] < K && x->earlier[i] < K));
	assert_int_equal(a.labels.same, COUNT(x->final[i] < K && x->earlier[i] == x->final[i]));
	assert_int_equal(a.truth, COUNT(x->truth[i] < K));
	assert_true(a.truth > P && a.truth < IMAGES * P && a.of[4].predicted == 0);
	audit_done(&a);
	for (size_t i = 0; i < IMAGES; i++)
		free_maps(m[i]);
}

static void entropy_by_class(void **state)
{
	maps *m[IMAGES];
	double want[K] = {0};
	for (size_t n = 0; n < IMAGES; n++) {
		m[n] = make_maps(7 + n);
		for (size_t i = 0; i < P; i++)
			for (size_t k = 0; k < K; k++) {
				double p = m[n]->p[k * P + i];
				want[m[n]->prediction[i]] -= p > 0 ? p * log(p) / log(K) : 0;
			}
	}
	audit a = count_all(m, false, false);
	for (size_t k = 0; k < K; k++)
		assert_near(a.of[k].entropy, want[k], 1e-3);
	assert_true(want[0] > 1 && a.of[4].entropy == 0);
	audit_done(&a);
	for (size_t i = 0; i < IMAGES; i++)
		free_maps(m[i]);
}

static void what_is_not_there_is_not_counted(void **state)
{
	maps *m[IMAGES];
	for (size_t i = 0; i < IMAGES; i++)
		m[i] = make_maps(50 * i);
	audit a = count_all(m, false, false);
	assert_true(a.earlier.both == 0 && a.labels.both == 0 && a.truth == 0 && a.flip.both == 0);
	assert_true(a.of[0].either == 0 && a.of[0].label[0].pixels > 0 && a.of[0].label[0].truth == 0);
	assert_true(audit_threshold_accuracy(&a, lambda, AUDIT_ALL) == -1.0);
	assert_true(audit_threshold_accuracy(&a, lambda, 1) == -1.0);
	audit_done(&a);
	audit_done(&a);
	assert_true(audit_init(0, &a, NULL) == TP_INVALID && audit_init(256, &a, NULL) == TP_INVALID);
	for (size_t i = 0; i < IMAGES; i++)
		free_maps(m[i]);
}

/* ---- the threshold ---- */

typedef struct ranked {
	double r;
	bool right;
} ranked;

static int by_r(const void *a, const void *b)
{
	double p = ((const ranked *)a)->r, q = ((const ranked *)b)->r;
	return (p < q) - (p > q);
}

/* Pixels with a truth and argmax r = k (or any) by descending r; equal r share the right ones. */
static double accuracy_by_sorting(maps *const *m, int wanted, uint64_t n, size_t *ret_of)
{
	ranked *all = calloc(IMAGES * P, sizeof *all);
	assert_non_null(all);
	size_t count = 0;
	for (size_t x = 0; x < IMAGES; x++)
		for (size_t i = 0; i < P; i++) {
			size_t best = 0;
			for (size_t k = 1; k < K; k++)
				if (m[x]->p[k * P + i] / lambda[k] > m[x]->p[best * P + i] / lambda[best])
					best = k;
			if (m[x]->truth[i] < K && (wanted == AUDIT_ALL || best == (size_t)wanted))
				all[count++] = (ranked){m[x]->p[best * P + i] / lambda[best],
				                        m[x]->truth[i] == best};
		}
	qsort(all, count, sizeof *all, by_r);
	n = n < count ? n : count;
	double right = 0;
	for (size_t from = 0, to; from < n; from = to) {
		double ties = 0;
		for (to = from; to < count && all[to].r == all[from].r; to++)
			ties += all[to].right;
		right += to <= n ? ties : ties * (double)(n - from) / (double)(to - from);
	}
	free(all);
	*ret_of = count;
	return n > 0 ? right / (double)n : -1.0;
}

/* The fullest bin but that of p = 1, which has no order inside: no more pixels can be in the wrong place. */
static double fullest_bin(const audit *a, int k)
{
	uint64_t most = 0;
	for (size_t b = 1; b < AUDIT_BINS; b++) {
		uint64_t n = a->bin[(size_t)k * AUDIT_BINS + b][0];
		most = n > most ? n : most;
	}
	return (double)most;
}

static void the_threshold_is_that_of_a_sort(void **state)
{
	double errors = 0;
	for (uint64_t seed = 0; seed < 20; seed++) {
		maps *m[IMAGES];
		for (size_t i = 0; i < IMAGES; i++)
			m[i] = make_maps(1000 * seed + 100 * i);
		audit a = count_all(m, false, true);
		uint64_t all = 0;
		size_t count;
		for (int k = 0; k < K; k++) {
			uint64_t n = a.of[k].label[0].truth + a.of[k].label[1].truth;
			all += n;
			double want = accuracy_by_sorting(m, k, n, &count);
			double got = audit_threshold_accuracy(&a, lambda, k);
			assert_near(got, want, n > 0 ? (fullest_bin(&a, k) + 1e-6) / (double)n : 0);
			errors += fabs(got - want);
		}
		double want = accuracy_by_sorting(m, AUDIT_ALL, all, &count);
		assert_true(all > 100 && all < count);
		assert_near(audit_threshold_accuracy(&a, lambda, AUDIT_ALL), want, 0.01);
		audit_done(&a);
		for (size_t i = 0; i < IMAGES; i++)
			free_maps(m[i]);
	}
	assert_true(errors / (20 * K) < 0.002);
}

/* Two classes by hand: class 0's pixels at 1 - 2^-24 * {1, 2, 4, 8}, lambda 1 - 2^-23; class 1's at 0.5. */
static void the_crowd_near_one_is_told_apart(void **state)
{
	enum { N = 8 };
	const float two[2] = {1.0f - 0x1p-23f, 0.5f};
	float p[2 * N];
	uint8_t final[N], origin[N], truth[N];
	for (size_t i = 0; i < N; i++) {
		p[i] = i < 4 ? 1.0f - ldexpf(1.0f, (int)i - 24) : 0.5f;
		p[N + i] = 1.0f - p[i];
		final[i] = i < 2 ? 0 : LABEL_NONE;
		origin[i] = i == 0 ? ORIGIN_CONFIDENT : i == 1 ? ORIGIN_VOTED : ORIGIN_NONE;
		truth[i] = i == 0 || i == 5 ? 0 : 1;
	}
	audit a;
	assert_ok(audit_init(2, &a, err));
	audit_labels(&a, final, final, origin, NULL, truth, N);
	audit_ranking(&a, p, two, truth, N);
	/* r: 1 + 2^-24, 1, then less; pixels 4..7 have argmax r = 1 with r = 1. */
	assert_near(audit_threshold_accuracy(&a, two, 0), 0.5, 1e-12);
	assert_true(audit_threshold_accuracy(&a, two, 1) == -1.0);
	/* the best pixel is right; of the five at r = 1 the one of the lower class comes next */
	assert_near(audit_threshold_accuracy(&a, two, AUDIT_ALL), 0.5, 1e-12);
	/* more labels than the class has pixels: all of them, one of four right */
	memset(final, 0, sizeof final);
	memset(origin, ORIGIN_VOTED, sizeof origin);
	audit_labels(&a, final, final, origin, NULL, truth, N);
	assert_near(audit_threshold_accuracy(&a, two, 0), 0.25, 1e-12);
	/* eight and two labels, eight pixels: three of class 1's four are right */
	assert_near(audit_threshold_accuracy(&a, two, AUDIT_ALL), 0.5, 1e-12);
	audit_done(&a);
}

/* ---- passes ---- */

static void flips_by_hand(void **state)
{
	/* 2 classes, 2x3: class 1 where the logit is positive. */
	const float plain[12] = {0, 0, 0, 0, 0, 0, 1, -1, 1, -1, 1, 1};
	const float mirrored[12] = {0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, -1};
	logit_map m = {.classes = 2, .h = 2, .w = 3, .full_h = 9, .full_w = 9, .plain = plain};
	audit a;
	assert_ok(audit_init(2, &a, err));
	audit_flip(&a, &m);
	assert_int_equal(a.flip.both, 0);
	m.mirrored = mirrored;
	audit_flip(&a, &m);
	assert_int_equal(a.flip.both, 6);
	assert_int_equal(a.flip.same, 5); /* the middle of the first row differs */
	audit_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_are_those_of_plain_loops),
		cmocka_unit_test(entropy_by_class),
		cmocka_unit_test(what_is_not_there_is_not_counted),
		cmocka_unit_test(the_threshold_is_that_of_a_sort),
		cmocka_unit_test(the_crowd_near_one_is_told_apart),
		cmocka_unit_test(flips_by_hand),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
