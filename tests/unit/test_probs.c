/* probs: logits -> probabilities with the flip average, and the argmax. */
#include "method_fixture.h"

#include "adapt/probs.h"
#include "op/resize.h"

enum { K = 5, H = 7, W = 6, FULL_H = 40, FULL_W = 77, P = FULL_H * FULL_W };

static logit_map map_of(const float *plain, const float *mirrored)
{
	return (logit_map){K, H, W, FULL_H, FULL_W, plain, mirrored};
}

/* By the plain references and an explicit mirror. */
static void against_references(void **state)
{
	float *z[2] = {random_floats(K * H * W, 1), random_floats(K * H * W, 2)};
	float *q[2] = {floats(K * P), floats(K * P)}, *p = floats(K * P), *scratch = floats(K * P);
	resize_shape s = {K, H, W, FULL_H, FULL_W, true};
	for (int i = 0; i < 2; i++) {
		resize_forward_reference(&s, z[i], q[i]);
		softmax_forward_reference(q[i], K, P, q[i]);
	}
	pool *workers = new_pool(2);
	logit_map m = map_of(z[0], NULL);
	assert_int_equal(probs_scratch(&m), 0);
	probs_from_logits(&m, p, NULL, workers);
	assert_close(p, q[0], K * P, 2e-6);
	m.mirrored = z[1];
	assert_int_equal(probs_scratch(&m), K * P);
	probs_from_logits(&m, p, scratch, workers);
	for (size_t i = 0; i < K * P; i++)
		q[0][i] = (q[0][i] + q[1][i - i % FULL_W + FULL_W - 1 - i % FULL_W]) / 2;
	assert_close(p, q[0], K * P, 2e-6);
	pool_free(workers);
	for (int i = 0; i < 2; i++) {
		mem_free(z[i]);
		mem_free(q[i]);
	}
	mem_free(p);
	mem_free(scratch);
}

/* A mirrored map that is the exact mirror image changes nothing but rounding. */
static void mirror_of_itself(void **state)
{
	float *z = random_floats(K * H * W, 3), *mirror = floats(K * H * W);
	float *p = floats(K * P), *q = floats(K * P), *scratch = floats(K * P);
	for (size_t i = 0; i < K * H * W; i++)
		mirror[i] = z[i - i % W + W - 1 - i % W];
	pool *workers = new_pool(1);
	logit_map m = map_of(z, NULL);
	probs_from_logits(&m, p, NULL, workers);
	m.mirrored = mirror;
	probs_from_logits(&m, q, scratch, workers);
	assert_close(q, p, K * P, 1e-5);
	pool_free(workers);
	mem_free(z);
	mem_free(mirror);
	mem_free(p);
	mem_free(q);
	mem_free(scratch);
}

static void argmax(void **state)
{
	/* pixels: clear winner, tie of 0 and 2 (lowest), winner last, all equal */
	const float p[3 * 4] = {0.2f, 0.4f, 0.1f, 0.25f,  0.5f, 0.2f, 0.2f, 0.25f,
	                        0.3f, 0.4f, 0.7f, 0.25f};
	uint8_t pred[4];
	float conf[4];
	pool *workers = new_pool(1);
	probs_argmax(p, 3, 4, pred, conf, workers);
	const uint8_t want[4] = {1, 0, 2, 0};
	const float most[4] = {0.5f, 0.4f, 0.7f, 0.25f};
	assert_memory_equal(pred, want, 4);
	assert_memory_equal(conf, most, sizeof most);
	memset(pred, 9, 4);
	probs_argmax(p, 3, 4, pred, NULL, workers);
	assert_memory_equal(pred, want, 4);
	pool_free(workers);
}

static void same_bits_on_any_threads(void **state)
{
	float *z = random_floats(K * H * W, 4), *m = random_floats(K * H * W, 5);
	float *p = floats(K * P), *first = floats(K * P), *scratch = floats(K * P);
	float *conf = floats(P), *conf_first = floats(P);
	uint8_t pred[P], pred_first[P];
	logit_map map = map_of(z, m);
	for (size_t threads = 1; threads <= THREADS_MAX; threads++) {
		pool *workers = new_pool(threads);
		probs_from_logits(&map, p, scratch, workers);
		probs_argmax(p, K, P, pred, conf, workers);
		if (threads == 1) {
			memcpy(first, p, K * P * sizeof *p);
			memcpy(conf_first, conf, P * sizeof *conf);
			memcpy(pred_first, pred, P);
		}
		assert_memory_equal(p, first, K * P * sizeof *p);
		assert_memory_equal(conf, conf_first, P * sizeof *conf);
		assert_memory_equal(pred, pred_first, P);
		pool_free(workers);
	}
	mem_free(z);
	mem_free(m);
	mem_free(p);
	mem_free(first);
	mem_free(scratch);
	mem_free(conf);
	mem_free(conf_first);
}

/* By the references; where two classes are as good as equal either answer will do. */
static void where_flips_agree(void **state)
{
	float *z[2] = {random_floats(K * H * W, 4), random_floats(K * H * W, 5)};
	float *q[2] = {floats(K * P), floats(K * P)}, *scratch = floats(K * P);
	uint8_t agree[P], other[P];
	size_t sure = 0, agreed = 0;
	resize_shape s = {K, H, W, FULL_H, FULL_W, true};
	for (int i = 0; i < 2; i++)
		resize_forward_reference(&s, z[i], q[i]);
	pool *workers = new_pool(2);
	logit_map m = map_of(z[0], z[1]);
	probs_flips_agree(&m, agree, scratch, other, workers);
	for (size_t i = 0; i < P; i++) {
		size_t at[2] = {i, i - i % FULL_W + FULL_W - 1 - i % FULL_W}, best[2] = {0, 0};
		bool close = false;
		for (int n = 0; n < 2; n++) {
			for (size_t k = 1; k < K; k++)
				if (q[n][k * P + at[n]] > q[n][best[n] * P + at[n]])
					best[n] = k;
			for (size_t k = 0; k < K; k++)
				close |= k != best[n] &&
				         q[n][best[n] * P + at[n]] - q[n][k * P + at[n]] < 1e-5f;
		}
		if (close)
			continue;
		assert_int_equal(agree[i], best[0] == best[1]);
		sure++;
		agreed += agree[i];
	}
	assert_true(sure > P * 9 / 10 && agreed > 0 && agreed < sure);
	pool_free(workers);
	for (int i = 0; i < 2; i++) {
		mem_free(z[i]);
		mem_free(q[i]);
	}
	mem_free(scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(against_references),
		cmocka_unit_test(mirror_of_itself),
		cmocka_unit_test(argmax),
		cmocka_unit_test(same_bits_on_any_threads),
		cmocka_unit_test(where_flips_agree),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
