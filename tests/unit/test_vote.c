/* voting: a 5x5 map by hand, ties, and the fast version against the plain loops for every option,
 * bit for bit. */
#include "method_fixture.h"

#include "adapt/pseudo.h"
#include "adapt/vote.h"

enum { X = LABEL_NONE };

static vote_spec spec_of(size_t window, size_t iterations, vote_alpha_on on, vote_pool kind)
{
	return (vote_spec){.window = window, .iterations = iterations, .alpha = 0.7f, .alpha_on = on,
	                   .pool = kind, .reuse_voted = true};
}

/* Runs both versions, which must agree; the labels replace `label`. */
static void vote(const vote_spec *s, const float *p, const float *lambda, size_t classes, size_t h,
                 size_t w, uint8_t *label, pool *workers)
{
	void *scratch;
	size_t bytes = vote_scratch(s, classes, h, w), guard = 64;
	assert_ok(mem_bytes(bytes + guard, &scratch, err));
	memset(scratch, 0xa5, bytes + guard); /* nothing may count on zeroes */
	uint8_t *plain = malloc(h * w + 1);
	memcpy(plain, label, h * w);
	vote_run_reference(s, p, lambda, classes, h, w, plain, scratch);
	vote_run(s, p, lambda, classes, h, w, label, scratch, workers);
	assert_memory_equal(label, plain, h * w);
	for (size_t i = bytes; i < bytes + guard; i++)
		assert_int_equal(((uint8_t *)scratch)[i], 0xa5);
	free(plain);
	mem_free(scratch);
}

/* 5x5, two classes, lambda = (.8, .8). Around the centre: two of class 0 with r = 1.2, three of
 * class 1 with r = 1.1, three unlabelled. r is (.75, .5) at the centre, elsewhere (.625, .625). */
static void toy(float p[50], uint8_t label[25])
{
	static const uint8_t map[25] = {
		X, X, X, X, X,
		X, 0, 1, X, X,
		X, 1, X, 1, X,
		X, X, 0, X, X,
		X, X, X, X, X,
	};
	memcpy(label, map, 25);
	for (size_t i = 0; i < 25; i++) {
		float p0 = map[i] == 0 ? 0.96f : map[i] == 1 ? 0.12f : i == 12 ? 0.6f : 0.5f;
		p[i] = p0;
		p[25 + i] = map[i] == 1 ? 0.88f : i == 12 ? 0.4f : 0.5f;
	}
}

static uint8_t toy_centre(vote_alpha_on on, vote_pool kind)
{
	static const float lambda[2] = {0.8f, 0.8f};
	float p[50];
	uint8_t label[25];
	toy(p, label);
	vote_spec s = spec_of(3, 1, on, kind);
	pool *workers = new_pool(2);
	vote(&s, p, lambda, 2, 5, 5, label, workers);
	pool_free(workers);
	assert_int_equal(label[6], 0); /* labelled pixels stay */
	assert_int_equal(label[7], 1);
	return label[12];
}

static void toy_by_hand(void **state)
{
	/* original: .7 (.75, .5) = (.525, .35), plus .3 P */
	assert_int_equal(toy_centre(VOTE_ALPHA_ORIGINAL, VOTE_SUM), 1);  /* 1.245, 1.34 */
	assert_int_equal(toy_centre(VOTE_ALPHA_ORIGINAL, VOTE_MEAN), X); /* .885, .68 */
	assert_int_equal(toy_centre(VOTE_ALPHA_ORIGINAL, VOTE_BOX), X);
	assert_int_equal(toy_centre(VOTE_ALPHA_ORIGINAL, VOTE_MAX), X);
	/* pooled: .3 (.75, .5) = (.225, .15), plus .7 P */
	assert_int_equal(toy_centre(VOTE_ALPHA_POOLED, VOTE_SUM), 1);  /* 1.905, 2.46 */
	assert_int_equal(toy_centre(VOTE_ALPHA_POOLED, VOTE_MEAN), 0); /* 1.065, .92 */
	assert_int_equal(toy_centre(VOTE_ALPHA_POOLED, VOTE_MAX), 0);
	assert_int_equal(toy_centre(VOTE_ALPHA_POOLED, VOTE_BOX), X);  /* .225 + .7 * 2.4/9 */
}

/* Sum, window 3, r = (.625, .625), so a pixel needs neighbours of one class worth 1.875 together.
 * Iteration 1: (1,3) has (1,2) and (2,3) of class 1. 2: (0,3), (1,4) and, with the centre's 1.34,
 * (3,3). 3: the corners (0,4), from three neighbours, and (3,4). 4: the corner (4,4). */
static void spreading(void **state)
{
	static const float lambda[2] = {0.8f, 0.8f};
	pool *workers = new_pool(1);
	for (int reuse = 0; reuse < 2; reuse++) {
		float p[50];
		uint8_t once[25], often[25];
		toy(p, once);
		toy(p, often);
		vote_spec s = spec_of(3, 1, VOTE_ALPHA_ORIGINAL, VOTE_SUM);
		s.reuse_voted = reuse;
		vote(&s, p, lambda, 2, 5, 5, once, workers);
		assert_int_equal(once[8], 1);
		assert_int_equal(once[4], X);
		s.iterations = 3;
		vote(&s, p, lambda, 2, 5, 5, often, workers);
		assert_int_equal(often[4], reuse ? 1 : X);
		assert_int_equal(often[24], X);
		if (!reuse)
			assert_memory_equal(once, often, 25);
		s.iterations = 4;
		toy(p, often);
		vote(&s, p, lambda, 2, 5, 5, often, workers);
		assert_int_equal(often[24], reuse ? 1 : X);
		s.iterations = 0;
		uint8_t before[25];
		toy(p, often);
		toy(p, before);
		vote(&s, p, lambda, 2, 5, 5, often, workers);
		assert_memory_equal(before, often, 25);
	}
	pool_free(workers);
}

/* One row: [a] [?] [b] [c], window 5. lambda is 1 for all, so v = p of the labelled pixels, which
 * need not exceed 1 here. */
static uint8_t row_of_four(const float p[12], vote_pool kind, uint8_t a, uint8_t b, uint8_t c)
{
	static const float lambda[3] = {1.0f, 1.0f, 1.0f};
	uint8_t label[4] = {a, X, b, c};
	vote_spec s = spec_of(5, 1, VOTE_ALPHA_ORIGINAL, kind);
	s.alpha = 0.5f;
	pool *workers = new_pool(1);
	vote(&s, p, lambda, 3, 1, 4, label, workers);
	pool_free(workers);
	return label[1];
}

static void ties(void **state)
{
	/* r = .75 for classes 1 and 2 at the open pixel; votes 2.0 of class 1, 1.0 + 1.0 of class 2:
	 * equal sums, class 2 has more voters. */
	const float sums[12] = {0, 0, 0, 0,  2.0f, 0.75f, 0, 0,  0, 0.75f, 1.0f, 1.0f};
	assert_int_equal(row_of_four(sums, VOTE_SUM, 1, 2, 2), 2);
	/* one voter each: the higher ranked class, and of equal ranks the lower one */
	const float means[12] = {0, 0, 0, 0,  1.5f, 0.75f, 0, 0,  0, 0.75f, 1.5f, 0};
	assert_int_equal(row_of_four(means, VOTE_MEAN, 1, 2, X), 1);
	assert_int_equal(row_of_four(means, VOTE_MAX, 1, 2, X), 1);
	/* a score of exactly 1 is not enough: .5 * .75 + .5 * 1.25 */
	const float exact[12] = {0, 0, 0, 0,  1.25f, 0.75f, 0, 0,  0, 0.5f, 0, 0};
	assert_int_equal(row_of_four(exact, VOTE_SUM, 1, X, X), X);
	const float more[12] = {0, 0, 0, 0,  1.25f, 0.75001f, 0, 0,  0, 0.5f, 0, 0};
	assert_int_equal(row_of_four(more, VOTE_SUM, 1, X, X), 1);
	/* three classes tie: only the two lowest compete */
	const float three[12] = {0, 0.5f, 0, 0,  0, 0.5f, 0, 0,  4.0f, 0.5f, 4.0f, 0};
	assert_int_equal(row_of_four(three, VOTE_SUM, 2, 2, X), X);
}

/* By p the candidates are 0 and 1, by r 2 and 0; only class 2 has voters. */
static void ranking(void **state)
{
	const float p[6] = {0.5f, 0.0f, 0.4f, 0.0f, 0.1f, 0.5f}, lambda[3] = {0.9f, 0.9f, 0.15f};
	pool *workers = new_pool(1);
	for (int by_p = 0; by_p < 2; by_p++) {
		uint8_t label[2] = {X, 2};
		vote_spec s = spec_of(3, 1, VOTE_ALPHA_ORIGINAL, VOTE_MEAN);
		s.rank = by_p ? VOTE_TOP2_BY_P : VOTE_TOP2_BY_R;
		vote(&s, p, lambda, 3, 1, 2, label, workers);
		assert_int_equal(label[0], by_p ? X : 2);
	}
	pool_free(workers);
}

/* Box: a corner's window of 9 has 4 pixels inside; .5 * 1 + .5 * 2 * 3 / area */
static void borders(void **state)
{
	const float p[4] = {0.999f, 2.0f, 2.0f, 2.0f}, lambda[1] = {1.0f};
	pool *workers = new_pool(1);
	for (int zero = 0; zero < 2; zero++) {
		uint8_t label[4] = {X, 0, 0, 0};
		vote_spec s = spec_of(3, 1, VOTE_ALPHA_ORIGINAL, VOTE_BOX);
		s.alpha = 0.5f;
		s.border = zero ? VOTE_BORDER_ZERO : VOTE_BORDER_CLIP;
		vote(&s, p, lambda, 1, 2, 2, label, workers);
		assert_int_equal(label[0], zero ? X : 0);
	}
	pool_free(workers);
}

static void every_option(void **state)
{
	enum { K = 5, H = 23, W = 31, P = H * W };
	static const size_t windows[] = {1, 3, 5, 57};
	float *p = random_probs(K, P, 1.2f, 1), lambda[K];
	uint8_t start[P], label[P];
	pool *workers = new_pool(2);
	random_lambda(lambda, K, 2);
	for (size_t k = 0; k < K; k++)
		lambda[k] = 0.45f + 0.5f * lambda[k];
	pseudo_confident(p, lambda, K, P, start, NULL, workers);
	size_t runs = 0, grown = 0;
	for (int kind = VOTE_SUM; kind <= VOTE_MAX; kind++)
		for (int bits = 0; bits < 16; bits++)
			for (size_t n = 0; n < 4; n++) {
				vote_spec s = spec_of(windows[n], 3, VOTE_ALPHA_ORIGINAL,
				                      (vote_pool)kind);
				s.alpha_on = bits & 1 ? VOTE_ALPHA_POOLED : VOTE_ALPHA_ORIGINAL;
				s.rank = bits & 2 ? VOTE_TOP2_BY_P : VOTE_TOP2_BY_R;
				s.reuse_voted = (bits & 4) != 0;
				s.border = bits & 8 ? VOTE_BORDER_ZERO : VOTE_BORDER_CLIP;
				memcpy(label, start, P);
				vote(&s, p, lambda, K, H, W, label, workers);
				runs++;
				grown += memcmp(label, start, P) != 0;
			}
	assert_int_equal(runs, 256);
	assert_true(grown > 100); /* the comparison is about something */
	pool_free(workers);
	mem_free(p);
}

static void odd_shapes(void **state)
{
	static const size_t shape[][3] = {{1, 1, 1},  {1, 40, 3}, {40, 1, 3}, {17, 16, 2},
	                                  {3, 50, 19}, {33, 9, 9}, {70, 33, 4}, {9, 70, 3}};
	pool *workers = new_pool(3);
	for (size_t t = 0; t < sizeof shape / sizeof *shape; t++)
		for (int kind = VOTE_SUM; kind <= VOTE_MAX; kind++)
			for (size_t window = 1; window <= 21; window += 4) {
				size_t h = shape[t][0], w = shape[t][1], k = shape[t][2];
				float *p = random_probs(k, h * w, 1.0f, t), lambda[19];
				for (size_t c = 0; c < k; c++)
					lambda[c] = k == 1 ? 1.0f : 0.7f / (float)k + 0.2f;
				uint8_t *label = malloc(h * w);
				pseudo_confident(p, lambda, k, h * w, label, NULL, workers);
				vote_spec s = spec_of(window, 2, VOTE_ALPHA_POOLED, (vote_pool)kind);
				vote(&s, p, lambda, k, h, w, label, workers);
				free(label);
				mem_free(p);
			}
	pool_free(workers);
}

/* One row: 32 voters of class 0 worth 256 each, an open pixel that sees them all, 31 pixels of
 * class 2, and an open pixel that sees only the first one: .45 + 4096 saturates at 256, which is
 * enough for the second iteration (and would be .45 if it were cut to 32 bits). */
static void large_sums(void **state)
{
	enum { W = 65 };
	const float lambda[3] = {1.0f / 256, 1.0f, 1.0f};
	float *p = floats(3 * W);
	uint8_t label[W];
	for (size_t i = 0; i < W; i++) {
		bool open = i == 32 || i == 64;
		label[i] = open ? X : i < 32 ? 0 : 2;
		p[i] = open ? 0.9f / 256 : i < 32 ? 1.0f : 0.0f;
		p[W + i] = open ? 0.1f : 0.0f;
		p[2 * W + i] = open || i < 32 ? 0.0f : 1.0f;
	}
	pool *workers = new_pool(1);
	vote_spec s = spec_of(65, 2, VOTE_ALPHA_POOLED, VOTE_SUM);
	s.alpha = 0.5f;
	vote(&s, p, lambda, 3, 1, W, label, workers);
	assert_int_equal(label[32], 0);
	assert_int_equal(label[64], 0);
	pool_free(workers);
	mem_free(p);
}

static void same_labels_on_any_threads(void **state)
{
	enum { K = 6, H = 90, W = 110, P = H * W };
	float *p = random_probs(K, P, 1.2f, 7), lambda[K];
	uint8_t *first = malloc(P), *label = malloc(P);
	for (size_t k = 0; k < K; k++)
		lambda[k] = 0.7f;
	for (int kind = VOTE_SUM; kind <= VOTE_MAX; kind++)
		for (size_t threads = 1; threads <= THREADS_MAX; threads++) {
			pool *workers = new_pool(threads);
			vote_spec s = spec_of(9, 3, VOTE_ALPHA_POOLED, (vote_pool)kind);
			pseudo_confident(p, lambda, K, P, label, NULL, workers);
			void *scratch;
			assert_ok(mem_bytes(vote_scratch(&s, K, H, W), &scratch, err));
			vote_run(&s, p, lambda, K, H, W, label, scratch, workers);
			if (threads == 1)
				memcpy(first, label, P);
			assert_memory_equal(label, first, P);
			mem_free(scratch);
			pool_free(workers);
		}
	free(first);
	free(label);
	mem_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(toy_by_hand),
		cmocka_unit_test(spreading),
		cmocka_unit_test(ties),
		cmocka_unit_test(ranking),
		cmocka_unit_test(borders),
		cmocka_unit_test(every_option),
		cmocka_unit_test(odd_shapes),
		cmocka_unit_test(large_sums),
		cmocka_unit_test(same_labels_on_any_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
