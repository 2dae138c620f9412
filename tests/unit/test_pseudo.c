/* pseudo labels: the vectors of algorithms.md, the strict limit, LRENT's released selection rule,
 * the easy labels, threads. */
#include "method_fixture.h"

#include "adapt/pseudo.h"

static const float p3[3] = {0.6f, 0.3f, 0.1f}, lambda3[3] = {0.8f, 0.25f, 0.5f};

/* 1.1: the label is the argmax of p/lambda, not of p. */
static void confident_vector(void **state)
{
	pool *workers = new_pool(1);
	uint8_t label;
	float r;
	pseudo_confident(p3, lambda3, 3, 1, &label, &r, workers);
	assert_int_equal(label, 1);
	assert_near(r, 1.2, 1e-6);
	const float high[3] = {0.8f, 0.5f, 0.5f};
	pseudo_confident(p3, high, 3, 1, &label, &r, workers);
	assert_int_equal(label, LABEL_NONE);
	assert_near(r, 0.75, 1e-6);
	pool_free(workers);
}

/* p = lambda is not confident, the next float is; equal r give the lowest class. */
static void limits_and_ties(void **state)
{
	pool *workers = new_pool(1);
	for (uint64_t i = 0; i < 20000; i++) {
		float lambda[2] = {(float)rng_uniform(1, RNG_TEST, i) + 1e-6f, 1.0f};
		const float p[4] = {lambda[0], nextafterf(lambda[0], 2.0f), 0.0f, 0.0f};
		uint8_t label[2];
		pseudo_confident(p, lambda, 2, 2, label, NULL, workers);
		assert_int_equal(label[0], LABEL_NONE);
		assert_int_equal(label[1], 0);
	}
	const float p[3] = {0.25f, 0.25f, 0.5f}, lambda[3] = {0.25f, 0.125f, 0.25f};
	uint8_t label;
	float weight;
	pseudo_confident(p, lambda, 3, 1, &label, NULL, workers);
	assert_int_equal(label, 1);
	pseudo_easy(p, lambda, 2.0f, 3, 1, &label, &weight, workers);
	assert_int_equal(label, 1);
	pool_free(workers);
}

/* 2.2 */
static void lrent_vector(void **state)
{
	pool *workers = new_pool(1);
	float soft[3];
	pseudo_lrent(p3, lambda3, 0.25f, 3, 1, soft, workers);
	assert_near(soft[0], 0.1323, 5e-5);
	assert_near(soft[1], 0.8670, 5e-5);
	assert_near(soft[2], 0.0007, 5e-5);
	/* Z = 2.3916: thresholds 2.3916^(1/4) times as high, give or take, decide */
	for (int side = -1; side <= 1; side += 2) {
		float lambda[3];
		for (int k = 0; k < 3; k++)
			lambda[k] = lambda3[k] * powf(2.3916f * (1.0f + (float)side * 1e-3f), 0.25f);
		pseudo_lrent(p3, lambda, 0.25f, 3, 1, soft, workers);
		assert_true((soft[1] == 0.0f) == (side > 0));
	}
	pool_free(workers);
}

/* Z > 1 is the released code's rule: sum -y log p + alpha y log y < sum -y log lambda. */
static void lrent_released_rule(void **state)
{
	enum { K = 6, N = 5000 };
	const float alphas[3] = {0.1f, 0.25f, 0.5f};
	pool *workers = new_pool(2);
	float *p = random_probs(K, N, 2.5f, 1), *soft = floats(K * N), lambda[K];
	for (size_t k = 0; k < K; k++)
		lambda[k] = 0.6f + 0.06f * (float)k;
	for (int a = 0; a < 3; a++) {
		size_t kept = 0, near = 0;
		pseudo_lrent(p, lambda, alphas[a], K, N, soft, workers);
		for (size_t i = 0; i < N; i++) {
			double y[K], z = 0.0, left = 0.0, right = 0.0, got = 0.0;
			for (size_t k = 0; k < K; k++)
				z += y[k] = pow((double)p[k * N + i] / lambda[k], 1.0 / alphas[a]);
			for (size_t k = 0; k < K; k++) {
				y[k] /= z;
				if (y[k] > 0.0)
					left += y[k] * (alphas[a] * log(y[k]) - log(p[k * N + i]));
				right -= y[k] * log(lambda[k]);
				got += soft[k * N + i];
			}
			if (fabs(left - right) < 1e-5) {
				near++;
				continue;
			}
			assert_true((got > 0.0) == (left < right));
			kept += left < right;
			for (size_t k = 0; k < K; k++)
				assert_near(soft[k * N + i], left < right ? y[k] : 0.0, 1e-5);
		}
		assert_true(kept > N / 10 && kept < N && near < 20);
	}
	mem_free(p);
	mem_free(soft);
	pool_free(workers);
}

static void lrent_small_alpha(void **state)
{
	pool *workers = new_pool(1);
	const float p[2] = {0.9f, 0.1f}, lambda[2] = {0.01f, 0.5f};
	float soft[2];
	pseudo_lrent(p, lambda, 1e-3f, 2, 1, soft, workers);
	assert_true(soft[0] == 1.0f && soft[1] == 0.0f);
	pool_free(workers);
}

/* 5.3 */
static void easy_weights(void **state)
{
	/* pixels: the vector above (r = 1.2), r = (.5, .8, .2), r = (1, .4, 0), p = 0 */
	const float p[12] = {0.6f, 0.4f, 0.8f, 0.0f, 0.3f, 0.2f, 0.1f, 0.0f, 0.1f, 0.1f, 0.0f, 0.0f};
	uint8_t label[4];
	float weight[4];
	pool *workers = new_pool(1);
	pseudo_easy(p, lambda3, 2.0f, 3, 4, label, weight, workers);
	const uint8_t want[4] = {1, 1, 0, 0};
	assert_memory_equal(label, want, 4);
	assert_true(weight[0] == 1.0f);
	assert_near(weight[1], 0.64, 1e-6);
	assert_near(weight[2], 1.0, 1e-6);
	assert_true(weight[3] == 0.0f);
	pseudo_easy(p, lambda3, 0.0f, 3, 4, label, weight, workers);
	assert_true(weight[1] == 1.0f);
	pool_free(workers);
}

static void same_bits_on_any_threads_and_in_place(void **state)
{
	enum { K = 5, N = 12345 };
	float *p = random_probs(K, N, 2.0f, 3), *soft = floats(K * N), *first = floats(K * N);
	float *map[2] = {floats(N), floats(N)}, lambda[K];
	uint8_t label[2][N];
	random_lambda(lambda, K, 4);
	for (size_t threads = 1; threads <= THREADS_MAX; threads++) {
		pool *workers = new_pool(threads);
		size_t to = threads > 1;
		pseudo_confident(p, lambda, K, N, label[to], map[to], workers);
		assert_memory_equal(label[to], label[0], N);
		assert_memory_equal(map[to], map[0], N * sizeof(float));
		memcpy(soft, p, K * N * sizeof(float));
		pseudo_lrent(threads % 2 ? p : soft, lambda, 0.25f, K, N, soft, workers);
		if (threads == 1)
			memcpy(first, soft, K * N * sizeof(float));
		assert_memory_equal(soft, first, K * N * sizeof(float));
		pool_free(workers);
	}
	for (size_t threads = 1; threads <= THREADS_MAX; threads++) {
		pool *workers = new_pool(threads);
		size_t to = threads > 1;
		pseudo_easy(p, lambda, 2.0f, K, N, label[to], map[to], workers);
		assert_memory_equal(label[to], label[0], N);
		assert_memory_equal(map[to], map[0], N * sizeof(float));
		pool_free(workers);
	}
	mem_free(p);
	mem_free(soft);
	mem_free(first);
	mem_free(map[0]);
	mem_free(map[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(confident_vector),
		cmocka_unit_test(limits_and_ties),
		cmocka_unit_test(lrent_vector),
		cmocka_unit_test(lrent_released_rule),
		cmocka_unit_test(lrent_small_alpha),
		cmocka_unit_test(easy_weights),
		cmocka_unit_test(same_bits_on_any_threads_and_in_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
