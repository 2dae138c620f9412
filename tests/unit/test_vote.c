/* voting: a 5x5 map by hand, ties, its readings by hand, and the fast version against the plain loops
 * for every option, bit for bit. */
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
static void vote_with(const vote_spec *s, const vote_image *im, uint8_t *label, pool *workers)
{
	void *scratch;
	size_t pixels = im->h * im->w, bytes = vote_scratch(s, im->classes, im->h, im->w), guard = 64;
	assert_ok(mem_bytes(bytes + guard, &scratch, err));
	memset(scratch, 0xa5, bytes + guard); /* nothing may count on zeroes */
	uint8_t *plain = malloc(pixels + 1);
	memcpy(plain, label, pixels);
	vote_run_reference(s, im, plain, scratch);
	vote_run(s, im, label, scratch, workers);
	assert_memory_equal(label, plain, pixels);
	for (size_t i = bytes; i < bytes + guard; i++)
		assert_int_equal(((uint8_t *)scratch)[i], 0xa5);
	free(plain);
	mem_free(scratch);
}

static void vote(const vote_spec *s, const float *p, const float *lambda, size_t classes, size_t h,
                 size_t w, uint8_t *label, pool *workers)
{
	vote_image im = {.p = p, .lambda = lambda, .classes = classes, .h = h, .w = w};
	vote_with(s, &im, label, workers);
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
			vote_image im = {.p = p, .lambda = lambda, .classes = K, .h = H, .w = W};
			void *scratch;
			assert_ok(mem_bytes(vote_scratch(&s, K, H, W), &scratch, err));
			vote_run(&s, &im, label, scratch, workers);
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

/* ---- readings ---- */

/* Probabilities in 1024ths of cells of 6 x 6 pixels with a likely class each, so that every machine
 * computes with the same numbers. */
static void whole_probs(float *p, size_t classes, size_t h, size_t w)
{
	for (size_t i = 0; i < h * w; i++) {
		uint64_t left = 1024;
		size_t first = rng_below(5, RNG_TEST, (i / w / 6) * 97 + i % w / 6, classes);
		for (size_t n = 0; n < classes; n++) {
			size_t k = (first + n) % classes;
			uint64_t part = n + 1 == classes ? left
			                                 : rng_below(6, RNG_TEST, i * classes + n, left + 1);
			p[k * h * w + i] = (float)part / 1024.0f;
			left -= part;
		}
	}
}

/* The digest is that of the labels before there were readings to choose from. */
static void the_plain_reading_keeps_its_bits(void **state)
{
	enum { K = 4, H = 37, W = 45, P = H * W };
	static const size_t windows[] = {3, 5, 57};
	const float lambda[K] = {0.75f, 0.625f, 0.3125f, 0.5f};
	float *p = floats(K * P);
	uint8_t start[P], label[P];
	uint64_t digest = 14695981039346656037u;
	size_t grown = 0;
	pool *workers = new_pool(2);
	whole_probs(p, K, H, W);
	pseudo_confident(p, lambda, K, P, start, NULL, workers);
	for (int kind = VOTE_SUM; kind <= VOTE_MAX; kind++)
		for (int bits = 0; bits < 16; bits++)
			for (size_t n = 0; n < 3; n++) {
				vote_spec s = spec_of(windows[n], 3, VOTE_ALPHA_ORIGINAL, (vote_pool)kind);
				s.alpha_on = bits & 1 ? VOTE_ALPHA_POOLED : VOTE_ALPHA_ORIGINAL;
				s.rank = bits & 2 ? VOTE_TOP2_BY_P : VOTE_TOP2_BY_R;
				s.reuse_voted = (bits & 4) != 0;
				s.border = bits & 8 ? VOTE_BORDER_ZERO : VOTE_BORDER_CLIP;
				memcpy(label, start, P);
				vote(&s, p, lambda, K, H, W, label, workers);
				grown += memcmp(label, start, P) != 0;
				for (size_t i = 0; i < P; i++)
					digest = (digest ^ label[i]) * 1099511628211u;
			}
	assert_int_equal(grown, 176);
	assert_true(digest == 0xff8354553c1ecbdeu);
	pool_free(workers);
	mem_free(p);
}

/* [0] [?] [1] in a row; alpha .5, window 3. p of the open pixel is (.5, .375), v (.75, .5), lambda
 * (.75, .25). By r: (.67, 1.5) and v (1, 2) give (.83, 1.75). By p: (.625, .4375) against (.75, .25):
 * the second is enough, the larger first is not. With lambda (.5, .25) both are, and the larger wins. */
static void votes_of_p(void **state)
{
	const float p[6] = {0.75f, 0.5f, 0.0f, 0.25f, 0.375f, 0.5f};
	float lambda[2] = {0.75f, 0.25f};
	vote_spec s = spec_of(3, 1, VOTE_ALPHA_ORIGINAL, VOTE_MEAN);
	s.alpha = 0.5f;
	pool *workers = new_pool(1);
	for (int n = 0; n < 4; n++) {
		uint8_t label[3] = {0, X, 1};
		s.value = n < 1 ? VOTE_OF_R : VOTE_OF_P;
		lambda[0] = n < 2 ? 0.75f : 0.5f;
		lambda[1] = n < 3 ? 0.25f : 0.4375f;
		vote(&s, p, lambda, 2, 1, 3, label, workers);
		assert_int_equal(label[1], n < 2 ? 1 : 0);
	}
	/* Exactly lambda is not enough. */
	uint8_t label[3] = {0, X, 1};
	lambda[0] = 0.625f;
	vote(&s, p, lambda, 2, 1, 3, label, workers);
	assert_int_equal(label[1], X);
	pool_free(workers);
}

/* A 1 x 5 row [0] [?] [?] [0] [0], lambda 1, p .5 at the open pixels, v 1; window 5, so R = 2 and
 * weights are 1/3, 2/3, 1 along the row (and 1 down it). At column 1 the voters are 1 and 2 away:
 * weights 2/3 + 1/3. At column 2: 1/3 + 2/3 + 1/3. s = .5 * .5 + .5 * P. */
static uint8_t triangle_row(vote_pool kind, vote_border border, float v, size_t at)
{
	const float lambda[1] = {1.0f};
	const float p[5] = {v, 0.5f, 0.5f, v, v};
	uint8_t label[5] = {0, X, X, 0, 0};
	vote_spec s = spec_of(5, 1, VOTE_ALPHA_ORIGINAL, kind);
	s.alpha = 0.5f;
	s.kernel = VOTE_TRIANGLE;
	s.border = border;
	pool *workers = new_pool(1);
	vote(&s, p, lambda, 1, 1, 5, label, workers);
	pool_free(workers);
	return label[at];
}

static void triangles(void **state)
{
	const vote_border clip = VOTE_BORDER_CLIP, zero = VOTE_BORDER_ZERO;
	/* .25 + .5 * v (1 or 4/3) > 1 */
	assert_int_equal(triangle_row(VOTE_SUM, clip, 1.49f, 1), X);
	assert_int_equal(triangle_row(VOTE_SUM, clip, 1.51f, 1), 0);
	assert_int_equal(triangle_row(VOTE_SUM, clip, 1.12f, 2), X);
	assert_int_equal(triangle_row(VOTE_SUM, clip, 1.13f, 2), 0);
	/* The mean of equal values is that value. */
	assert_int_equal(triangle_row(VOTE_MEAN, clip, 1.49f, 1), X);
	assert_int_equal(triangle_row(VOTE_MEAN, clip, 1.51f, 1), 0);
	/* Box: the weights inside are 2/3 + 1 + 2/3 + 1/3 = 8/3 at column 1, 3 at column 2; times 3 rows
	 * when the border counts. P = v 3/8, v 4/9; v 1/9, v 4/27. */
	assert_int_equal(triangle_row(VOTE_BOX, clip, 3.99f, 1), X);
	assert_int_equal(triangle_row(VOTE_BOX, clip, 4.01f, 1), 0);
	assert_int_equal(triangle_row(VOTE_BOX, clip, 3.37f, 2), X);
	assert_int_equal(triangle_row(VOTE_BOX, clip, 3.38f, 2), 0);
	assert_int_equal(triangle_row(VOTE_BOX, zero, 13.49f, 1), X);
	assert_int_equal(triangle_row(VOTE_BOX, zero, 13.51f, 1), 0);
	assert_int_equal(triangle_row(VOTE_BOX, zero, 10.12f, 2), X);
	assert_int_equal(triangle_row(VOTE_BOX, zero, 10.13f, 2), 0);
}

/* The open pixel's neighbour of class 0 differs by 10 in one channel, that of class 1 by 11; both
 * labels would win alone. */
static void colors(void **state)
{
	const float p[6] = {1.5f, 0.6f, 0.0f, 0.0f, 0.6f, 1.75f}, lambda[2] = {1.0f, 1.0f};
	static const uint8_t rgb[9] = {60, 90, 50, 50, 100, 50, 50, 100, 39};
	static const uint8_t want[3] = {X, 0, 1}; /* distances 9, 10, 11 */
	pool *workers = new_pool(1);
	for (int kind = VOTE_SUM; kind <= VOTE_MAX; kind++)
		for (size_t n = 0; n < 4; n++) {
			uint8_t label[3] = {0, X, 1};
			vote_spec s = spec_of(3, 1, VOTE_ALPHA_POOLED, (vote_pool)kind);
			s.color_distance = 9 + n % 3;
			vote_image im = {.p = p, .lambda = lambda, .classes = 2, .h = 1, .w = 3};
			im.rgb = n < 3 ? rgb : NULL;
			vote_with(&s, &im, label, workers);
			/* box: .3 * .6 + .7 * 1.75 / 3 is not enough for anyone */
			assert_int_equal(label[1], kind == VOTE_BOX ? X : want[n < 3 ? n : 2]);
		}
	pool_free(workers);
}

/* [1] [0] [?] [?] [?]: a window of 5 reaches column 2 from both, one of 3 only from class 0. */
static void rare_windows(void **state)
{
	const float p[10] = {0, 1.5f, 0.5f, 0, 0, 1.5f, 0, 0.6f, 0, 0}, lambda[2] = {1.0f, 1.0f};
	static const bool none[2] = {false, false}, second[2] = {false, true};
	const bool *const rare[3] = {none, second, NULL};
	pool *workers = new_pool(1);
	for (size_t n = 0; n < 3; n++) {
		uint8_t label[5] = {1, 0, X, X, X};
		vote_spec s = spec_of(5, 1, VOTE_ALPHA_POOLED, VOTE_SUM);
		s.rare_share = 0.01;
		s.window_rare = 3;
		vote_image im = {.p = p, .lambda = lambda, .classes = 2, .h = 1, .w = 5};
		im.rare = rare[n];
		vote_with(&s, &im, label, workers);
		assert_int_equal(label[2], n == 1 ? 0 : 1);
	}
	pool_free(workers);
}

static void only_where_flips_agree(void **state)
{
	const float p[3] = {1.5f, 0.5f, 0.5f}, lambda[1] = {1.0f};
	static const uint8_t agree[3] = {0, 0, 1};
	pool *workers = new_pool(1);
	for (size_t n = 0; n < 3; n++) {
		uint8_t label[3] = {0, X, X};
		vote_spec s = spec_of(5, 2, VOTE_ALPHA_POOLED, VOTE_SUM);
		s.flips_agree = n > 0;
		vote_image im = {.p = p, .lambda = lambda, .classes = 1, .h = 1, .w = 3};
		im.agree = n > 1 ? NULL : agree;
		vote_with(&s, &im, label, workers);
		assert_int_equal(label[0], 0); /* confident pixels keep their label */
		assert_int_equal(label[1], n == 1 ? X : 0);
		assert_int_equal(label[2], 0);
	}
	pool_free(workers);
}

/* An image of blobs: colours, an agreement and which classes are rare, all at random. */
typedef struct scene {
	vote_image im;
	float *p, lambda[19];
	uint8_t *rgb, *agree, *start;
	bool rare[19];
} scene;

static scene scene_of(size_t classes, size_t h, size_t w, uint64_t seed, pool *workers)
{
	size_t pixels = h * w;
	scene s = {.p = random_probs(classes, pixels, 1.2f, seed), .rgb = malloc(pixels * 3),
	           .agree = malloc(pixels), .start = malloc(pixels)};
	for (size_t k = 0; k < classes; k++) {
		s.lambda[k] = classes == 1 ? 1.0f : 0.45f + 0.35f * (float)rng_uniform(seed, RNG_TEST, k);
		s.rare[k] = k % 2 == 1;
	}
	for (size_t i = 0; i < pixels; i++) {
		for (size_t c = 0; c < 3; c++)
			s.rgb[i * 3 + c] = (uint8_t)(rng_below(seed, RNG_TEST, 9 * i + c, 60) +
			                             (i % w * 2 > w ? 150 : 0));
		s.agree[i] = rng_below(seed + 1, RNG_TEST, i, 3) > 0;
	}
	pseudo_confident(s.p, s.lambda, classes, pixels, s.start, NULL, workers);
	s.im = (vote_image){.p = s.p, .classes = classes, .h = h, .w = w, .rgb = s.rgb, .agree = s.agree};
	return s;
}

static void scene_done(scene *s)
{
	mem_free(s->p);
	free(s->rgb);
	free(s->agree);
	free(s->start);
}

enum { READINGS = 128 };

/* Every combination of pool and readings; the other options take turns. */
static vote_spec reading(size_t n, size_t window)
{
	vote_spec s = spec_of(window, 3, VOTE_ALPHA_POOLED, (vote_pool)(n % 4));
	s.value = n & 4 ? VOTE_OF_P : VOTE_OF_R;
	s.kernel = n & 8 ? VOTE_TRIANGLE : VOTE_FLAT;
	s.color_distance = n & 16 ? 40 : 0;
	s.rare_share = n & 32 ? 0.01 : 0.0;
	s.window_rare = 3;
	s.flips_agree = (n & 64) != 0;
	s.alpha_on = n / 4 % 3 == 0 ? VOTE_ALPHA_ORIGINAL : VOTE_ALPHA_POOLED;
	s.rank = n / 4 % 5 == 0 ? VOTE_TOP2_BY_P : VOTE_TOP2_BY_R;
	s.reuse_voted = n / 4 % 7 != 0;
	s.border = n / 4 % 2 == 0 ? VOTE_BORDER_ZERO : VOTE_BORDER_CLIP;
	return s;
}

static void every_reading(void **state)
{
	static const size_t shape[][3] = {{23, 31, 5}, {1, 1, 1},  {1, 40, 3},
	                                  {40, 1, 2},  {9, 17, 19}, {17, 16, 9}};
	static const size_t windows[] = {1, 5, 9, 25, 57};
	size_t grown = 0;
	pool *workers = new_pool(3);
	for (size_t t = 0; t < sizeof shape / sizeof *shape; t++) {
		size_t pixels = shape[t][0] * shape[t][1];
		scene s = scene_of(shape[t][2], shape[t][0], shape[t][1], 20 + t, workers);
		uint8_t *label = malloc(pixels);
		s.im.lambda = s.lambda;
		s.im.rare = s.rare;
		for (size_t n = 0; n < READINGS; n++)
			for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
				vote_spec spec = reading(n, windows[i]);
				memcpy(label, s.start, pixels);
				vote_with(&spec, &s.im, label, workers);
				grown += t == 0 && memcmp(label, s.start, pixels) != 0;
			}
		free(label);
		scene_done(&s);
	}
	assert_true(grown > READINGS * 3); /* the comparison is about something */
	pool_free(workers);
}

/* Each reading, taken alone, changes the labels: none of the comparisons above is of equal things. */
static void readings_differ(void **state)
{
	enum { H = 30, W = 40, P = H * W };
	pool *workers = new_pool(2);
	scene s = scene_of(5, H, W, 3, workers);
	uint8_t plain[P], label[P];
	s.im.lambda = s.lambda;
	s.im.rare = s.rare;
	for (size_t n = 0; n < 6; n++) {
		vote_spec spec = spec_of(9, 3, VOTE_ALPHA_ORIGINAL, VOTE_SUM);
		spec.value = n == 1 ? VOTE_OF_P : VOTE_OF_R;
		spec.kernel = n == 2 ? VOTE_TRIANGLE : VOTE_FLAT;
		spec.color_distance = n == 3 ? 40 : 0;
		spec.rare_share = n == 4 ? 0.01 : 0.0;
		spec.window_rare = 3;
		spec.flips_agree = n == 5;
		memcpy(label, s.start, P);
		vote_with(&spec, &s.im, label, workers);
		if (n == 0)
			memcpy(plain, label, P);
		else
			assert_memory_not_equal(label, plain, P);
	}
	scene_done(&s);
	pool_free(workers);
}

static void same_readings_on_any_threads(void **state)
{
	enum { H = 70, W = 90, P = H * W };
	uint8_t *label = malloc(P), *first = malloc(P);
	for (size_t n = 0; n < READINGS; n++)
		for (size_t threads = 1; threads <= THREADS_MAX; threads++) {
			pool *workers = new_pool(threads);
			scene s = scene_of(6, H, W, 7, workers);
			s.im.lambda = s.lambda;
			s.im.rare = s.rare;
			vote_spec spec = reading(n, 9);
			void *scratch;
			assert_ok(mem_bytes(vote_scratch(&spec, 6, H, W), &scratch, err));
			memcpy(label, s.start, P);
			vote_run(&spec, &s.im, label, scratch, workers);
			if (threads == 1)
				memcpy(first, label, P);
			assert_memory_equal(label, first, P);
			mem_free(scratch);
			scene_done(&s);
			pool_free(workers);
		}
	free(first);
	free(label);
}

/* The largest window full of the largest values: weighted sums of 201^4 * 256 * 2^20 keep their bits.
 * The open pixel in the middle needs P near 256 (mean, box), which a carry lost would miss. */
static void large_triangles(void **state)
{
	enum { SIDE = 401, P = SIDE * SIDE, MIDDLE = P / 2 };
	const float lambda[2] = {1.0f / 256, 1.0f};
	float *p = floats(2 * P);
	uint8_t *label = malloc(P);
	pool *workers = new_pool(2);
	for (int kind = VOTE_SUM; kind <= VOTE_BOX; kind++) {
		vote_spec s = spec_of(SIDE, 1, VOTE_ALPHA_ORIGINAL, (vote_pool)kind);
		s.kernel = VOTE_TRIANGLE;
		s.alpha = 1.0f - 1.0f / 256 - 1.0f / 65536; /* (1/256 + 2^-16) * 256 > 1 */
		for (size_t i = 0; i < P; i++) {
			label[i] = i == MIDDLE ? X : 0;
			p[i] = i == MIDDLE ? 0.0f : 1.0f;
			p[P + i] = 0.0f;
		}
		vote(&s, p, lambda, 2, SIDE, SIDE, label, workers);
		assert_int_equal(label[MIDDLE], 0);
	}
	pool_free(workers);
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
		cmocka_unit_test(the_plain_reading_keeps_its_bits),
		cmocka_unit_test(votes_of_p),
		cmocka_unit_test(triangles),
		cmocka_unit_test(colors),
		cmocka_unit_test(rare_windows),
		cmocka_unit_test(only_where_flips_agree),
		cmocka_unit_test(every_reading),
		cmocka_unit_test(readings_differ),
		cmocka_unit_test(same_readings_on_any_threads),
		cmocka_unit_test(large_triangles),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
