/* scoring: the whole chain from logits to labels, confidence and split, on four images of different
 * sizes, against the NumPy version in golden/numpy_method.py: labels and split equal, numbers within
 * 1e-5. Why thresholds can be compared like that is said there. */
#include "method_fixture.h"

#include <stdbool.h>

#include "golden.h"

#include "adapt/confidence.h"
#include "adapt/probs.h"
#include "adapt/pseudo.h"
#include "adapt/split.h"
#include "adapt/threshold.h"
#include "adapt/vote.h"

enum { IMAGES = 4, K = 5, P_MAX = 1024, VOTES = 14 /* settings of the voting */ };

/* SIZES of make_method.py. */
static const struct {
	size_t h, w, full_h, full_w;
} size[IMAGES] = {{8, 11, 25, 37}, {9, 6, 41, 23}, {5, 12, 18, 49}, {8, 8, 31, 31}};

typedef struct chain {
	golden_file f;
	pool *workers;
	float *p[IMAGES], lambda[K];
	uint64_t predicted[K];
	uint8_t rare[K];
	size_t rare_count;
	uint64_t kept[K], listed[K]; /* of the pixels that entered the thresholds: those above, all */
} chain;

static size_t pixels_of(size_t image) { return size[image].full_h * size[image].full_w; }

static void near_all(const float *got, const float *want, size_t count, const char *what)
{
	for (size_t i = 0; i < count; i++)
		if (!(fabsf(got[i] - want[i]) <= 1e-5f))
			fail_msg("%s[%zu]: %.8g, not %.8g", what, i, (double)got[i], (double)want[i]);
}

/* Counts the pixels that entered the thresholds, and those of them above. */
static void count_kept(chain *c)
{
	for (size_t i = 0; i < IMAGES; i++) {
		float conf[P_MAX];
		uint8_t pred[P_MAX];
		uint64_t seen[K] = {0};
		probs_argmax(c->p[i], K, pixels_of(i), pred, conf, c->workers);
		for (size_t x = 0; x < pixels_of(i); x++) {
			uint8_t k = pred[x];
			if (seen[k]++ % 4 != 0)
				continue;
			c->listed[k]++;
			c->kept[k] += conf[x] > c->lambda[k];
		}
	}
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
		size_t low = size[i].h * size[i].w, n = pixels_of(i);
		logit_map m = {K, size[i].h, size[i].w, size[i].full_h, size[i].full_w,
		               golden_f32(&c.f, K * low, "chain_plain%zu", i),
		               golden_f32(&c.f, K * low, "chain_mirrored%zu", i)};
		float *scratch = floats(probs_scratch(&m)), conf[P_MAX];
		uint8_t pred[P_MAX];
		c.p[i] = floats(K * n);
		probs_from_logits(&m, c.p[i], scratch, c.workers);
		mem_free(scratch);
		probs_argmax(c.p[i], K, n, pred, conf, c.workers);
		conf_hist_add(&hist, pred, conf, n, 4);
	}
	conf_hist_thresholds(&hist, 0.3, c.lambda);
	memcpy(c.predicted, hist.predicted, sizeof c.predicted);
	c.rare_count = rare_classes(&hist, 0.1, c.rare);
	conf_hist_done(&hist);
	count_kept(&c);
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
	for (size_t i = 0; i < IMAGES; i++) {
		size_t n = K * pixels_of(i);
		near_all(c->p[i], golden_f32(&c->f, n, "chain_p%zu", i), n, "p");
	}
}

static void thresholds(void **state)
{
	chain *c = *state;
	near_all(c->lambda, golden_f32(&c->f, K, "chain_lambda"), K, "lambda");
	const int32_t *predicted = golden_i32(&c->f, K, "chain_predicted");
	for (size_t k = 0; k < K; k++) {
		assert_int_equal(c->predicted[k], predicted[k]);
		assert_int_equal(c->kept[k], (uint64_t)floor((double)c->listed[k] * 0.3));
	}
	const golden_tensor *rare = golden_find(&c->f, "chain_rare");
	assert_int_equal(c->rare_count, rare->count);
	assert_memory_equal(c->rare, rare->u8, rare->count);
}

/* VOTES of make_method.py: the first eight are all poolings with alpha on either side. */
static vote_spec vote_setting(size_t n)
{
	static const vote_spec other[] = {
#define VOTING(side, sweeps, weight, on, how, by, again, edge)                                     \
	{.window = side, .iterations = sweeps, .alpha = weight, .alpha_on = VOTE_ALPHA_##on,       \
	 .pool = VOTE_##how, .rank = VOTE_TOP2_BY_##by, .reuse_voted = again,                      \
	 .border = VOTE_BORDER_##edge}
		VOTING(9, 2, 0.6f, POOLED, BOX, P, true, ZERO),
		VOTING(57, 3, 0.7f, ORIGINAL, MEAN, P, true, CLIP),
		VOTING(3, 3, 0.7f, ORIGINAL, SUM, R, false, CLIP),
		VOTING(7, 3, 0.8f, POOLED, SUM, P, false, CLIP),
		VOTING(7, 2, 0.9f, POOLED, MAX, P, true, CLIP),
		VOTING(3, 3, 0.5f, ORIGINAL, BOX, R, true, ZERO),
#undef VOTING
	};
	if (n >= 8)
		return other[n - 8];
	return (vote_spec){.window = 5, .iterations = 3, .alpha = 0.7f, .reuse_voted = true,
	                   .alpha_on = (vote_alpha_on)(n / 4), .pool = (vote_pool)(n % 4)};
}

static void labels(void **state)
{
	chain *c = *state;
	for (size_t i = 0; i < IMAGES; i++) {
		uint8_t label[P_MAX], voted[P_MAX];
		size_t h = size[i].full_h, w = size[i].full_w, p = h * w;
		pseudo_confident(c->p[i], c->lambda, K, p, label, NULL, c->workers);
		assert_memory_equal(label, golden_u8(&c->f, p, "chain_confident%zu", i), p);
		for (size_t n = 0; n < VOTES; n++) {
			vote_spec s = vote_setting(n);
			void *scratch;
			assert_ok(mem_bytes(vote_scratch(&s, K, h, w), &scratch, err));
			memcpy(voted, label, p);
			vote_image im = {.p = c->p[i], .lambda = c->lambda, .classes = K, .h = h, .w = w};
			vote_run(&s, &im, voted, scratch, c->workers);
			mem_free(scratch);
			assert_memory_equal(voted, golden_u8(&c->f, p, "chain_voted%zu_%zu", i, n), p);
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
		image_confidence_of(c->p[i], c->lambda, K, pixels_of(i), false, &conf);
		assert_near(conf.score, golden_f32(&c->f, IMAGES, "chain_plain_score")[i], 1e-5);
		image_confidence_of(c->p[i], c->lambda, K, pixels_of(i), true, &conf);
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
	float *soft = floats(K * P_MAX), weight[P_MAX];
	uint8_t label[P_MAX];
	for (size_t i = 0; i < IMAGES; i++) {
		size_t n = pixels_of(i);
		pseudo_easy(c->p[i], c->lambda, 2.0f, K, n, label, weight, c->workers);
		assert_memory_equal(label, golden_u8(&c->f, n, "chain_easy%zu", i), n);
		near_all(weight, golden_f32(&c->f, n, "chain_weight%zu", i), n, "weight");
		pseudo_lrent(c->p[i], c->lambda, 0.25f, K, n, soft, c->workers);
		near_all(soft, golden_f32(&c->f, K * n, "chain_soft%zu", i), K * n, "soft");
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
