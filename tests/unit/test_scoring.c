/* scoring: the whole chain from logits to labels, confidence and split, on four images, against the
 * NumPy version in make_method.py: labels and split equal, numbers within 1e-5. */
#include "method_fixture.h"

#include <stdbool.h>

#include "golden.h"

#include "adapt/confidence.h"
#include "adapt/probs.h"
#include "adapt/pseudo.h"
#include "adapt/split.h"
#include "adapt/threshold.h"
#include "adapt/vote.h"

enum {
	IMAGES = 4, K = 5, H = 8, W = 11, FULL_H = 25, FULL_W = 37, P = FULL_H * FULL_W,
	VOTES = 11, /* settings of the voting */
};

typedef struct chain {
	golden_file f;
	pool *workers;
	float *p[IMAGES], lambda[K];
	uint64_t predicted[K];
	uint8_t rare[K];
	size_t rare_count;
} chain;

static void near_all(const float *got, const float *want, size_t count, const char *what)
{
	for (size_t i = 0; i < count; i++)
		if (!(fabsf(got[i] - want[i]) <= 1e-5f))
			fail_msg("%s[%zu]: %.8g, not %.8g", what, i, (double)got[i], (double)want[i]);
}

/* Probabilities of all images and their thresholds. */
static int begin(void **state)
{
	static chain c;
	golden_open(TEST_GOLDEN "/method.bin", &c.f);
	c.workers = new_pool(2);
	conf_hist hist;
	assert_ok(conf_hist_init(K, &hist, err));
	for (size_t i = 0; i < IMAGES; i++) {
		logit_map m = {K, H, W, FULL_H, FULL_W,
		               golden_f32(&c.f, K * H * W, "chain_plain%zu", i),
		               golden_f32(&c.f, K * H * W, "chain_mirrored%zu", i)};
		float *scratch = floats(probs_scratch(&m)), conf[P];
		uint8_t pred[P];
		c.p[i] = floats(K * P);
		probs_from_logits(&m, c.p[i], scratch, c.workers);
		mem_free(scratch);
		probs_argmax(c.p[i], K, P, pred, conf, c.workers);
		conf_hist_add(&hist, pred, conf, P, 4);
	}
	conf_hist_thresholds(&hist, 0.3, c.lambda);
	memcpy(c.predicted, hist.predicted, sizeof c.predicted);
	c.rare_count = rare_classes(&hist, 0.1, c.rare);
	conf_hist_done(&hist);
	*state = &c;
	return 0;
}

static int end(void **state)
{
	chain *c = *state;
	for (size_t i = 0; i < IMAGES; i++)
		mem_free(c->p[i]);
	pool_free(c->workers);
	golden_close(&c->f);
	return 0;
}

static void probabilities(void **state)
{
	chain *c = *state;
	for (size_t i = 0; i < IMAGES; i++)
		near_all(c->p[i], golden_f32(&c->f, K * P, "chain_p%zu", i), K * P, "p");
}

static void thresholds(void **state)
{
	chain *c = *state;
	near_all(c->lambda, golden_f32(&c->f, K, "chain_lambda"), K, "lambda");
	const int32_t *predicted = golden_i32(&c->f, K, "chain_predicted");
	for (size_t k = 0; k < K; k++)
		assert_int_equal(c->predicted[k], predicted[k]);
	const golden_tensor *rare = golden_find(&c->f, "chain_rare");
	assert_int_equal(c->rare_count, rare->count);
	assert_memory_equal(c->rare, rare->u8, rare->count);
}

/* The settings of make_method.py, in its order. */
static vote_spec vote_setting(size_t n)
{
	vote_spec s = {.window = 5, .iterations = 3, .alpha = 0.7f, .reuse_voted = true};
	if (n < 8) {
		s.alpha_on = (vote_alpha_on)(n / 4);
		s.pool = (vote_pool)(n % 4);
		return s;
	}
	if (n == 8)
		return (vote_spec){9, 2, 0.6f, VOTE_ALPHA_POOLED, VOTE_BOX, VOTE_TOP2_BY_P, true,
		                   VOTE_BORDER_ZERO};
	s.window = n == 9 ? 57 : 3;
	s.pool = n == 9 ? VOTE_MEAN : VOTE_SUM;
	s.rank = n == 9 ? VOTE_TOP2_BY_P : VOTE_TOP2_BY_R;
	s.reuse_voted = n == 9;
	return s;
}

static void labels(void **state)
{
	chain *c = *state;
	for (size_t i = 0; i < IMAGES; i++) {
		uint8_t label[P], voted[P];
		pseudo_confident(c->p[i], c->lambda, K, P, label, NULL, c->workers);
		assert_memory_equal(label, golden_u8(&c->f, P, "chain_confident%zu", i), P);
		for (size_t n = 0; n < VOTES; n++) {
			vote_spec s = vote_setting(n);
			void *scratch;
			assert_ok(mem_bytes(vote_scratch(&s, K, FULL_H, FULL_W), &scratch, err));
			memcpy(voted, label, P);
			vote_run(&s, c->p[i], c->lambda, K, FULL_H, FULL_W, voted, scratch,
			         c->workers);
			mem_free(scratch);
			assert_memory_equal(voted, golden_u8(&c->f, P, "chain_voted%zu_%zu", i, n),
			                    P);
		}
	}
}

static void confidence_and_split(void **state)
{
	chain *c = *state;
	double score[IMAGES];
	int64_t id[IMAGES];
	uint32_t order[IMAGES], rank[IMAGES];
	bool easy[IMAGES];
	for (size_t i = 0; i < IMAGES; i++) {
		image_confidence conf;
		image_confidence_of(c->p[i], c->lambda, K, P, true, &conf);
		score[i] = conf.score;
		id[i] = (int64_t)i;
		assert_near(score[i], golden_f32(&c->f, IMAGES, "chain_score")[i], 1e-5);
		assert_near(conf.mean_entropy, golden_f32(&c->f, 1, "chain_entropy%zu", i)[0], 1e-5);
	}
	assert_int_equal(split_by_confidence(score, id, IMAGES, 0.5, order, rank, easy), 2);
	const uint8_t *want_easy = golden_u8(&c->f, IMAGES, "chain_easy");
	const int32_t *want_rank = golden_i32(&c->f, IMAGES, "chain_rank");
	for (size_t i = 0; i < IMAGES; i++) {
		assert_int_equal(easy[i], want_easy[i]);
		assert_int_equal(rank[i], want_rank[i]);
	}
}

static void easy_and_soft_labels(void **state)
{
	chain *c = *state;
	float *soft = floats(K * P), weight[P];
	uint8_t label[P];
	for (size_t i = 0; i < IMAGES; i++) {
		pseudo_easy(c->p[i], c->lambda, 2.0f, K, P, label, weight, c->workers);
		assert_memory_equal(label, golden_u8(&c->f, P, "chain_easy%zu", i), P);
		near_all(weight, golden_f32(&c->f, P, "chain_weight%zu", i), P, "weight");
		pseudo_lrent(c->p[i], c->lambda, 0.25f, K, P, soft, c->workers);
		near_all(soft, golden_f32(&c->f, K * P, "chain_soft%zu", i), K * P, "soft");
	}
	mem_free(soft);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(probabilities),
		cmocka_unit_test(thresholds),
		cmocka_unit_test(labels),
		cmocka_unit_test(confidence_and_split),
		cmocka_unit_test(easy_and_soft_labels),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
