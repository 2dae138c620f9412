/* t-SNE: perplexity, gradient, equal bits, clusters that stay apart, what is refused. */
#include "harness.h"

#include "adapt/tsne.h"

enum { DIMS = 20, EACH = 40 };

/* `clusters` normal clouds of EACH points around centres that lie far apart. */
static float *clouds(size_t clusters, double apart)
{
	float *x = random_floats(clusters * EACH * DIMS, 3);
	for (size_t i = 0; i < clusters * EACH; i++)
		x[i * DIMS + i / EACH] += (float)apart;
	return x;
}

static tsne_spec spec_of(const float *x, size_t n, double perplexity, pool *p)
{
	return (tsne_spec){.x = x,
	                   .n = n,
	                   .dims = DIMS,
	                   .perplexity = perplexity,
	                   .iterations = 600,
	                   .seed = 7,
	                   .pool = p};
}

static double *doubles(size_t count)
{
	double *p = calloc(count, sizeof *p);
	assert_non_null(p);
	return p;
}

static double entropy_of(const double *row, size_t n)
{
	double h = 0.0;
	for (size_t i = 0; i < n; i++)
		h -= row[i] > 0.0 ? row[i] * log(row[i]) : 0.0;
	return h;
}

static void perplexity_is_reached(void **state)
{
	static const double perplexity[] = {1.5, 5.0, 30.0, 90.0};
	for (size_t k = 0; k < sizeof perplexity / sizeof *perplexity; k++) {
		for (int scale = -8; scale <= 8; scale += 4) {
			double row[100], sum = 0.0;
			for (size_t i = 0; i < 100; i++)
				row[i] = pow(10.0, scale) * (5.0 + rng_uniform(1, RNG_TEST, i));
			double got = tsne_row(row, 100, 17, perplexity[k]);
			assert_near(got / perplexity[k], 1.0, 1e-7);
			assert_near(exp(entropy_of(row, 100)) / perplexity[k], 1.0, 1e-7);
			assert_true(row[17] == 0.0);
			for (size_t i = 0; i < 100; i++)
				sum += row[i];
			assert_near(sum, 1.0, 1e-12);
		}
	}
}

/* 10 of 30 lie equally near: no precision tells them apart. All at one place: all alike. */
static void ties_end(void **state)
{
	double row[31], same[31] = {0};
	for (size_t i = 0; i < 31; i++)
		row[i] = i < 11 ? 1.0 : 9.0;
	assert_near(tsne_row(row, 31, 0, 4.0), 10.0, 1e-6);
	assert_near(row[5], 0.1, 1e-9);
	assert_near(row[20], 0.0, 1e-9);
	assert_near(tsne_row(same, 31, 0, 4.0), 30.0, 1e-6);
	assert_near(same[30], 1.0 / 30.0, 1e-12);
}

static void affinities_are_symmetric(void **state)
{
	enum { N = 2 * EACH };
	pool *p = new_pool(2);
	float *x = clouds(2, 8.0);
	double *a = doubles(N * N), sum = 0.0;
	tsne_spec s = spec_of(x, N, 10.0, p);
	assert_ok(tsne_affinities(&s, a, err));
	for (size_t i = 0; i < N; i++) {
		double row = 0.0;
		assert_true(a[i * N + i] == 0.0);
		for (size_t j = 0; j < N; j++) {
			assert_true(a[i * N + j] == a[j * N + i]);
			row += a[i * N + j];
		}
		assert_true(row >= 1.0 / (2.0 * N)); /* an outlier counts too */
		sum += row;
	}
	assert_near(sum, 1.0, 1e-12);
	free(a);
	mem_free(x);
	pool_free(p);
}

static void gradient_is_the_cost_s(void **state)
{
	enum { N = 2 * EACH };
	static const double h = 1e-5;
	pool *p = new_pool(1);
	float *x = clouds(2, 4.0);
	double *a = doubles(N * N), *y = doubles(2 * N), *g = doubles(2 * N), largest = 0.0;
	tsne_spec s = spec_of(x, N, 10.0, p);
	assert_ok(tsne_affinities(&s, a, err));
	for (size_t i = 0; i < 2 * N; i++)
		y[i] = 2.0 * rng_normal(5, RNG_TEST, i);
	tsne_gradient(a, y, N, 1.0, g, p);
	for (size_t i = 0; i < 2 * N; i++) {
		double at = y[i];
		y[i] = at + h;
		double more = tsne_cost(a, y, N);
		y[i] = at - h;
		double less = tsne_cost(a, y, N);
		y[i] = at;
		assert_near(g[i], (more - less) / (2.0 * h), 1e-8);
		largest = fmax(largest, fabs(g[i]));
	}
	assert_true(largest > 1e-3); /* or the comparison says nothing */
	/* Exaggeration pulls and does not push: the difference is linear in it. */
	double *twice = doubles(2 * N), *thrice = doubles(2 * N);
	tsne_gradient(a, y, N, 2.0, twice, p);
	tsne_gradient(a, y, N, 3.0, thrice, p);
	for (size_t i = 0; i < 2 * N; i++)
		assert_near(thrice[i] - twice[i], twice[i] - g[i], 1e-12);
	free(a);
	free(y);
	free(g);
	free(twice);
	free(thrice);
	mem_free(x);
	pool_free(p);
}

static void same_bits(void **state)
{
	enum { N = 3 * EACH };
	float *x = clouds(3, 8.0);
	double *want = doubles(2 * N), *got = doubles(2 * N), want_kl, kl;
	for (size_t threads = 1; threads <= 4; threads++) {
		pool *p = new_pool(threads);
		tsne_spec s = spec_of(x, N, 15.0, p);
		s.iterations = 150;
		assert_ok(tsne_layout(&s, threads == 1 ? want : got, threads == 1 ? &want_kl : &kl, err));
		if (threads > 1) {
			assert_memory_equal(got, want, 2 * N * sizeof *got);
			assert_true(kl == want_kl);
		}
		s.seed = 8;
		assert_ok(tsne_layout(&s, got, &kl, err));
		assert_memory_not_equal(got, want, 2 * N * sizeof *got);
		pool_free(p);
	}
	free(want);
	free(got);
	mem_free(x);
}

/* Every point's nearest neighbours in the plane are of its own cloud, and the plane is centred. */
static void assert_apart(const double *y, size_t n)
{
	double mean[2] = {0, 0};
	for (size_t i = 0; i < n; i++) {
		double own = INFINITY, other = INFINITY;
		for (size_t j = 0; j < n; j++) {
			double d = hypot(y[2 * i] - y[2 * j], y[2 * i + 1] - y[2 * j + 1]);
			if (i != j && i / EACH == j / EACH)
				own = fmin(own, d);
			else if (i != j)
				other = fmin(other, d);
		}
		assert_true(own < other);
		mean[0] += y[2 * i];
		mean[1] += y[2 * i + 1];
	}
	assert_near(mean[0] / (double)n, 0.0, 1e-9);
	assert_near(mean[1] / (double)n, 0.0, 1e-9);
}

static void clusters_stay_apart(void **state)
{
	pool *p = new_pool(2);
	for (size_t clusters = 2; clusters <= 3; clusters++) {
		size_t n = clusters * EACH;
		float *x = clouds(clusters, 12.0);
		double *y = doubles(2 * n), *a = doubles(n * n), kl, sum = 0.0;
		tsne_spec s = spec_of(x, n, 15.0, p);
		assert_ok(tsne_layout(&s, y, &kl, err));
		assert_apart(y, n);
		assert_ok(tsne_affinities(&s, a, err));
		assert_true(kl == tsne_cost(a, y, n));
		/* Where it began everything lay in one place: a cost far from the end's. */
		double *zero = doubles(2 * n);
		sum = tsne_cost(a, zero, n);
		assert_true(kl > 0.0 && kl < 0.5 * sum);
		free(zero);
		free(a);
		free(y);
		mem_free(x);
	}
	pool_free(p);
}

static void few_points_suffice(void **state)
{
	pool *p = new_pool(1);
	float *x = random_floats(TSNE_MIN * DIMS, 1);
	double y[2 * TSNE_MIN], kl;
	tsne_spec s = spec_of(x, TSNE_MIN, 2.0, p);
	assert_ok(tsne_layout(&s, y, &kl, err));
	for (size_t i = 0; i < 2 * TSNE_MIN; i++)
		assert_true(isfinite(y[i]));
	memset(x, 0, TSNE_MIN * DIMS * sizeof *x); /* all the same picture */
	assert_ok(tsne_layout(&s, y, &kl, err));
	for (size_t i = 0; i < 2 * TSNE_MIN; i++)
		assert_true(isfinite(y[i]));
	mem_free(x);
	pool_free(p);
}

static void refused(tsne_spec s, tp_status want, const char *text)
{
	double y[2 * TSNE_MIN + 2], kl = -1.0;
	tp_err err = {0};
	assert_int_equal(tsne_layout(&s, y, &kl, &err), want);
	assert_non_null(strstr(err.text, text));
	assert_true(kl == -1.0);
}

static void what_is_wrong_is_named(void **state)
{
	pool *p = new_pool(1);
	float *x = random_floats(5 * DIMS, 1);
	tsne_spec s = spec_of(x, 5, 2.0, p), bad;
	bad = s, bad.n = 3;
	refused(bad, TP_INVALID, "3 points");
	bad = s, bad.n = TSNE_MAX + 1;
	refused(bad, TP_INVALID, "2049 points");
	bad = s, bad.dims = 0;
	refused(bad, TP_INVALID, "coordinates");
	bad = s, bad.perplexity = 4.0;
	refused(bad, TP_INVALID, "perplexity 4");
	bad = s, bad.perplexity = 1.0;
	refused(bad, TP_INVALID, "perplexity 1");
	bad = s, bad.perplexity = (double)NAN;
	refused(bad, TP_INVALID, "perplexity");
	bad = s, bad.iterations = 0;
	refused(bad, TP_INVALID, "iterations");
	atomic_int stop = 1;
	bad = s, bad.stop = &stop;
	refused(bad, TP_CANCELLED, "stopped");
	x[3 * DIMS + 1] = INFINITY;
	refused(s, TP_NONFINITE, "point 3");
	mem_free(x);
	pool_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(perplexity_is_reached), cmocka_unit_test(ties_end),
		cmocka_unit_test(affinities_are_symmetric), cmocka_unit_test(gradient_is_the_cost_s),
		cmocka_unit_test(same_bits), cmocka_unit_test(clusters_stay_apart),
		cmocka_unit_test(few_points_suffice), cmocka_unit_test(what_is_wrong_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
