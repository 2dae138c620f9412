/* online: a teacher's labels and what they weigh. */
#include "harness.h"

#include "adapt/online.h"

enum { K = 3, P = 5, MANY = 20011 };

static void labels_and_share_of_sure_pixels(void **state)
{
	pool *p = new_pool(2);
	/* Pixels: sure of 0, unsure of 1, sure of 2, a tie of 1 and 2, one not to teach. */
	const float z[K * P] = {9, 0, 0, 0, 9, /* */ 0, 1, 0, 4, 0, /* */ 0, 0, 9, 4, 0};
	const uint8_t teach[P] = {1, 1, 1, 1, 0};
	uint8_t label[P] = {7, 7, 7, 7, 7}, want[P] = {0, 1, 2, 1, 7};
	float weight[P] = {-1, -1, -1, -1, -1};
	assert_near((double)online_labels(z, K, P, 0.968f, teach, label, weight, p), 0.5, 0);
	assert_memory_equal(label, want, P);
	for (size_t i = 0; i < P; i++)
		assert_true(weight[i] == (i == 4 ? -1.0f : 0.5f));
	const uint8_t none[P] = {0};
	assert_true(online_labels(z, K, P, 0.968f, none, label, weight, p) == 0.0f);
	assert_memory_equal(label, want, P);
	pool_free(p);
}

/* Against softmax in double, and the same on any number of threads. */
static void many_pixels(void **state)
{
	float *z = random_floats(K * MANY, 4), first = -1;
	uint8_t *teach = malloc(MANY), *label = malloc(MANY), *one = malloc(MANY);
	float *weight = floats(MANY);
	size_t taught = 0, sure = 0;
	assert_true(teach != NULL && label != NULL && one != NULL);
	for (size_t i = 0; i < MANY; i++) {
		double max = -1e9, sum = 0;
		size_t best = 0;
		teach[i] = i % 7 != 0;
		for (size_t k = 0; k < K; k++) {
			z[k * MANY + i] *= 3;
			if ((double)z[k * MANY + i] > max) {
				max = (double)z[k * MANY + i];
				best = k;
			}
		}
		for (size_t k = 0; k < K; k++)
			sum += exp((double)z[k * MANY + i] - max);
		one[i] = teach[i] ? (uint8_t)best : 9;
		taught += teach[i];
		sure += teach[i] && 1 / sum > 0.9;
	}
	for (size_t threads = 1; threads <= 4; threads++) {
		pool *p = new_pool(threads);
		memset(label, 9, MANY);
		float share = online_labels(z, K, MANY, 0.9f, teach, label, weight, p);
		if (threads == 1)
			first = share;
		assert_true(share == first);
		assert_memory_equal(label, one, MANY);
		pool_free(p);
	}
	assert_near((double)first, (double)sure / (double)taught, 2e-4);
	mem_free(z);
	mem_free(weight);
	free(teach);
	free(label);
	free(one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(labels_and_share_of_sure_pixels),
		cmocka_unit_test(many_pixels),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
