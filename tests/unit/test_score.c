/* score: target pictures through the network and the method on what comes out, against the same put
 * together here from its parts. */
#include "train_fixture.h"

#include "adapt/vote.h"
#include "op/resize.h"
#include "train/score.h"

enum { W = 50, H = 41 };

typedef struct rig {
	graph net;
	float *values;
	recipe recipe;
	pool *pool;
	atomic_int stop;
	scorer *scorer;
} rig;

static void rig_open(rig *r, size_t threads)
{
	*r = (rig){.net = small_network(), .recipe = small_recipe(), .pool = new_pool(threads)};
	r->values = net_values(&r->net, 8);
	r->recipe.self.flip_average = true;
	r->recipe.self.scoring_scale = 1;
	r->recipe.self.threshold_stride = 1;
	r->recipe.evaluation.scales = 1;
	r->recipe.evaluation.scale[0] = 1;
	r->recipe.evaluation.flip = false;
	scorer_spec spec = {.recipe = &r->recipe, .net = &r->net, .values = r->values,
	                    .classes = CLASSES, .norm = INPUT_NORM_IMAGENET, .pool = r->pool,
	                    .stop = &r->stop};
	assert_ok(scorer_create(&spec, &r->scorer, err));
}

static void rig_close(rig *r)
{
	scorer_free(r->scorer);
	mem_free(r->values);
	pool_free(r->pool);
	graph_done(&r->net);
}

static image picture(size_t w, size_t h, uint64_t seed)
{
	image img = {.w = w, .h = h, .rgb = malloc(w * h * 3)};
	assert_non_null(img.rgb);
	for (size_t i = 0; i < w * h * 3; i++)
		img.rgb[i] = (uint8_t)rng_below(seed, RNG_TEST, i, 256);
	return img;
}

/* Logits [K][h][w] of one pass; *ret_pixels of them. */
static float *one_pass(const rig *r, const image *img, size_t h, size_t w, bool mirror,
                       size_t *ret_h, size_t *ret_w)
{
	exec *e;
	const float *y;
	exec_spec spec = {.graph = &r->net, .in_h = h, .in_w = w, .kernels = r->recipe.kernels,
	                  .pool = r->pool};
	assert_ok(exec_create(&spec, &e, err));
	exec_prepare(e, r->values);
	image_to_input(img, &INPUT_NORM_IMAGENET, h, w, mirror, exec_input(e), NULL);
	assert_ok(exec_forward(e, &y, err));
	*ret_h = exec_sizes(e)->out_h;
	*ret_w = exec_sizes(e)->out_w;
	size_t pixels = *ret_h * *ret_w;
	float *planes = floats(pixels * CLASSES);
	for (size_t p = 0; p < pixels; p++)
		for (size_t k = 0; k < CLASSES; k++)
			planes[k * pixels + p] = y[p * CLASSES + k];
	exec_free(e);
	return planes;
}

static void logits_are_the_networks(void **state)
{
	(void)state;
	rig r;
	logit_map m;
	size_t h, w;
	rig_open(&r, 2);
	image img = picture(W, H, 1);
	assert_ok(scorer_logits(r.scorer, &img, &m, err));
	for (int mirror = 0; mirror <= 1; mirror++) {
		float *want = one_pass(&r, &img, H, W, mirror != 0, &h, &w);
		assert_true(m.h == h && m.w == w && m.full_h == H && m.full_w == W && m.classes == CLASSES);
		assert_memory_equal(mirror ? m.mirrored : m.plain, want, h * w * CLASSES * sizeof(float));
		mem_free(want);
	}
	r.recipe.self.flip_average = false;
	r.recipe.self.scoring_scale = 0.75;
	assert_ok(scorer_logits(r.scorer, &img, &m, err));
	float *want = one_pass(&r, &img, 31, 38, false, &h, &w); /* 30.75 and 37.5, rounded */
	assert_true(m.h == h && m.w == w && m.full_h == H && m.full_w == W);
	assert_null(m.mirrored);
	assert_memory_equal(m.plain, want, h * w * CLASSES * sizeof(float));
	mem_free(want);
	image_done(&img);
	rig_close(&r);
}

/* A round's logits with a share of those of the round before, here of another picture. */
static void labels_of_rounds_are_steadied(void **state)
{
	(void)state;
	rig r;
	logit_map m, before;
	rig_open(&r, 2);
	r.recipe.self.label_momentum = 0.25;
	image first = picture(W, H, 1), second = picture(W, H, 2), small = picture(W - 20, H, 3);
	assert_ok(scorer_logits(r.scorer, &first, &m, err));
	size_t count = m.classes * m.h * m.w;
	float *old = floats(2 * count), *now = floats(2 * count);
	memcpy(old, m.plain, count * sizeof *old);
	memcpy(old + count, m.mirrored, count * sizeof *old);
	before = m;
	before.plain = old;
	before.mirrored = old + count;
	assert_ok(scorer_logits(r.scorer, &second, &m, err));
	memcpy(now, m.plain, count * sizeof *now);
	memcpy(now + count, m.mirrored, count * sizeof *now);
	assert_ok(scorer_steady(r.scorer, &m, &before, err));
	for (size_t i = 0; i < 2 * count; i++)
		assert_near((double)(i < count ? m.plain[i] : m.mirrored[i - count]),
		            0.25 * (double)old[i] + 0.75 * (double)now[i], 1e-5);
	assert_ok(scorer_logits(r.scorer, &small, &m, err));
	assert_int_equal(scorer_steady(r.scorer, &m, &before, NULL), TP_INVALID);
	mem_free(old);
	mem_free(now);
	image_done(&first);
	image_done(&second);
	image_done(&small);
	rig_close(&r);
}

static float lambda_of(rig *r, const logit_map *m, float lambda[CLASSES])
{
	conf_hist hist;
	assert_ok(conf_hist_init(CLASSES, &hist, err));
	assert_ok(scorer_count(r->scorer, m, &hist, err));
	uint64_t all = 0;
	for (size_t k = 0; k < CLASSES; k++)
		all += hist.predicted[k];
	assert_int_equal(all, (uint64_t)W * H);
	conf_hist_thresholds(&hist, 0.3, lambda);
	conf_hist_done(&hist);
	return lambda[0];
}

static void labels_are_the_methods(void **state)
{
	(void)state;
	rig r;
	logit_map m;
	scored_image s;
	float lambda[CLASSES];
	const size_t n = W * H;
	rig_open(&r, 2);
	r.recipe.self.vote.iterations = 2;
	image img = picture(W, H, 2);
	assert_ok(scorer_logits(r.scorer, &img, &m, err));
	(void)lambda_of(&r, &m, lambda);
	assert_ok(scorer_label(r.scorer, &m, lambda, NULL, &s, err));
	assert_true(s.w == W && s.h == H && s.weight == NULL);

	float *p = floats(n * CLASSES), *scratch = floats(n * CLASSES), *conf = floats(n);
	uint8_t *map = malloc(n);
	void *votes = NULL;
	probs_from_logits(&m, p, scratch, r.pool);
	probs_argmax(p, CLASSES, n, map, conf, r.pool);
	assert_memory_equal(s.prediction, map, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(s.confidence[i], (int)floor((double)conf[i] * 255 + 0.5));
	pseudo_confident(p, lambda, CLASSES, n, map, NULL, r.pool);
	assert_memory_equal(s.confident, map, n);
	assert_ok(mem_bytes(vote_scratch(&r.recipe.self.vote, CLASSES, H, W), &votes, err));
	vote_image im = {.p = p, .lambda = lambda, .classes = CLASSES, .h = H, .w = W};
	vote_run(&r.recipe.self.vote, &im, map, votes, r.pool);
	assert_memory_equal(s.voted, map, n);
	assert_memory_equal(s.final, map, n);
	size_t count[4] = {0};
	for (size_t i = 0; i < n; i++) {
		int want = s.confident[i] != LABEL_NONE ? ORIGIN_CONFIDENT
		           : s.final[i] != LABEL_NONE   ? ORIGIN_VOTED
		                                        : ORIGIN_NONE;
		assert_int_equal(s.origin[i], want);
		count[want]++;
	}
	assert_true(count[ORIGIN_CONFIDENT] > 0 && count[ORIGIN_NONE] > 0);
	for (size_t o = 0; o < 4; o++)
		assert_near(s.share[o], (double)count[o] / (double)n, 1e-12);
	image_confidence want;
	image_confidence_of(p, lambda, CLASSES, n, true, &want);
	assert_memory_equal(&s.score, &want, sizeof want);

	/* An easy image is labelled everywhere, the unsure pixels with a smaller weight. */
	double score = s.score.score;
	float *weight = floats(n);
	assert_ok(scorer_label_easy(r.scorer, &m, lambda, NULL, &s, err));
	pseudo_easy(p, lambda, (float)r.recipe.self.gamma, CLASSES, n, map, weight, r.pool);
	assert_memory_equal(s.final, map, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(s.weight[i], (int)floorf(weight[i] * 65535.0f + 0.5f));
		assert_int_equal(s.origin[i],
		                 s.confident[i] != LABEL_NONE ? ORIGIN_CONFIDENT : ORIGIN_SOFT);
	}
	assert_true(s.share[ORIGIN_NONE] == 0 && s.share[ORIGIN_VOTED] == 0);
	assert_near(s.score.score, score, 0);
	mem_free(p);
	mem_free(scratch);
	mem_free(conf);
	mem_free(weight);
	mem_free(votes);
	free(map);
	image_done(&img);
	rig_close(&r);
}

/* The readings of voting that need more than logits get it, or are refused. */
static void voting_is_given_what_it_needs(void **state)
{
	(void)state;
	rig r;
	logit_map m;
	scored_image s;
	conf_hist hist;
	float lambda[CLASSES];
	const size_t n = W * H;
	tp_err e = {0};
	rig_open(&r, 2);
	r.recipe.self.vote = (vote_spec){.window = 9, .iterations = 3, .alpha = 0.7f, .reuse_voted = true,
	                                 .window_rare = 3};
	vote_spec *v = &r.recipe.self.vote;
	image img = picture(W, H, 8), small = picture(W - 1, H, 8);
	assert_ok(scorer_logits(r.scorer, &img, &m, err));
	(void)lambda_of(&r, &m, lambda);
	assert_false(scorer_needs_image(&r.recipe));
	v->color_distance = 120;
	assert_true(scorer_needs_image(&r.recipe));
	assert_int_equal(scorer_label(r.scorer, &m, lambda, NULL, &s, &e), TP_INVALID);
	assert_string_equal(e.text, "voting by colour needs the image");
	e = (tp_err){0};
	assert_int_equal(scorer_label(r.scorer, &m, lambda, &(vote_aid){.image = &small}, &s, &e), TP_INVALID);
	assert_string_equal(e.text, "the image is 49x41, its logits are of 50x41");
	v->rare_share = 0.3;
	e = (tp_err){0};
	assert_int_equal(scorer_label(r.scorer, &m, lambda, &(vote_aid){.image = &img}, &s, &e), TP_INVALID);
	assert_string_equal(e.text, "windows by class need the counts of all images");
	v->flips_agree = true;
	assert_ok(conf_hist_init(CLASSES, &hist, err));
	assert_ok(scorer_count(r.scorer, &m, &hist, err));
	vote_aid aid = {&img, &hist};
	logit_map plain = m;
	plain.mirrored = NULL;
	e = (tp_err){0};
	assert_int_equal(scorer_label(r.scorer, &plain, lambda, &aid, &s, &e), TP_INVALID);
	assert_string_equal(e.text, "agreement of flips needs logits of the mirror image");

	/* Each reading alone, put together here from its parts. */
	float *p = floats(n * CLASSES), *scratch = floats(n * CLASSES);
	uint8_t *map = malloc(n), *agree = malloc(n), *other = malloc(n), id[CLASSES];
	bool rare[CLASSES] = {false};
	size_t differ = 0, rares = rare_classes(&hist, 0.3, id);
	for (size_t k = 0; k < rares; k++)
		rare[id[k]] = true;
	assert_true(rares > 0);
	probs_flips_agree(&m, agree, scratch, other, r.pool);
	probs_from_logits(&m, p, scratch, r.pool);
	for (int which = 0; which < 4; which++) {
		void *votes = NULL;
		v->color_distance = which == 1 ? 120 : 0;
		v->rare_share = which == 2 ? 0.3 : 0.0;
		v->flips_agree = which == 3;
		vote_image im = {.p = p, .lambda = lambda, .classes = CLASSES, .h = H, .w = W};
		im.rgb = which == 1 ? img.rgb : NULL;
		im.rare = which == 2 ? rare : NULL;
		im.agree = which == 3 ? agree : NULL;
		pseudo_confident(p, lambda, CLASSES, n, map, NULL, r.pool);
		assert_ok(mem_bytes(vote_scratch(v, CLASSES, H, W), &votes, err));
		vote_run(v, &im, map, votes, r.pool);
		assert_ok(scorer_label(r.scorer, &m, lambda, &aid, &s, err));
		assert_memory_equal(s.voted, map, n);
		assert_memory_equal(s.final, map, n);
		mem_free(votes);
		if (which == 0)
			memcpy(other, map, n);
		else
			differ += memcmp(other, map, n) != 0;
	}
	assert_int_equal(differ, 3);
	conf_hist_done(&hist);
	mem_free(p);
	mem_free(scratch);
	free(map);
	free(agree);
	free(other);
	image_done(&img);
	image_done(&small);
	rig_close(&r);
}

/* Pictures of more sizes than are kept bound, in any order. */
static void sizes_may_change_all_the_time(void **state)
{
	(void)state;
	static const size_t side[] = {33, 40, 47, 54, 61, 33, 61, 40, 47, 33};
	rig r;
	rig_open(&r, 2);
	for (size_t i = 0; i < sizeof side / sizeof *side; i++) {
		logit_map m;
		size_t h, w;
		image img = picture(side[i], side[i] - 1, side[i]);
		assert_ok(scorer_logits(r.scorer, &img, &m, err));
		float *want = one_pass(&r, &img, side[i] - 1, side[i], false, &h, &w);
		assert_memory_equal(m.plain, want, h * w * CLASSES * sizeof(float));
		mem_free(want);
		image_done(&img);
	}
	rig_close(&r);
}

static void evaluation_averages_scales_and_mirrors(void **state)
{
	(void)state;
	rig r;
	const uint8_t *got;
	const size_t n = W * H;
	const double scales[] = {1.0, 0.75, 1.25};
	rig_open(&r, 2);
	memcpy(r.recipe.evaluation.scale, scales, sizeof scales);
	r.recipe.evaluation.scales = 3;
	r.recipe.evaluation.flip = true;
	image img = picture(W, H, 3);
	float *sum = floats(n * CLASSES), *up = floats(n * CLASSES);
	for (size_t i = 0; i < 3; i++) {
		size_t sh = (size_t)(H * scales[i] + 0.5), sw = (size_t)(W * scales[i] + 0.5), h, w;
		float *plain = one_pass(&r, &img, sh, sw, false, &h, &w);
		float *mirrored = one_pass(&r, &img, sh, sw, true, &h, &w);
		for (size_t row = 0; row < CLASSES * h; row++)
			for (size_t x = 0; x < w; x++)
				plain[row * w + x] =
					0.5f * (plain[row * w + x] + mirrored[row * w + w - 1 - x]);
		resize_shape shape = {CLASSES, h, w, H, W, true};
		resize_forward(&shape, plain, up, r.pool);
		for (size_t j = 0; j < n * CLASSES; j++)
			sum[j] += up[j];
		mem_free(plain);
		mem_free(mirrored);
	}
	uint8_t *want = malloc(n);
	probs_argmax(sum, CLASSES, n, want, NULL, r.pool);
	assert_ok(scorer_predict(r.scorer, &img, &got, err));
	assert_memory_equal(got, want, n);
	free(want);
	mem_free(sum);
	mem_free(up);
	image_done(&img);
	rig_close(&r);
}

static void probabilities_sum_to_one(void **state)
{
	(void)state;
	rig r;
	const float *p;
	rig_open(&r, 2);
	image img = picture(W, H, 4);
	assert_ok(scorer_probabilities(r.scorer, &img, &p, err));
	for (size_t i = 0; i < W * H; i++) {
		double sum = 0;
		for (size_t k = 0; k < CLASSES; k++)
			sum += (double)p[k * W * H + i];
		assert_near(sum, 1, 1e-5);
	}
	image_done(&img);
	rig_close(&r);
}

static void threads_change_no_bit(void **state)
{
	(void)state;
	rig a, b;
	logit_map m, q;
	scored_image s, t;
	float lambda[CLASSES], other[CLASSES];
	rig_open(&a, 1);
	rig_open(&b, 4);
	image img = picture(W, H, 5);
	assert_ok(scorer_logits(a.scorer, &img, &m, err));
	assert_ok(scorer_logits(b.scorer, &img, &q, err));
	assert_memory_equal(m.plain, q.plain, m.h * m.w * CLASSES * sizeof(float));
	assert_memory_equal(m.mirrored, q.mirrored, m.h * m.w * CLASSES * sizeof(float));
	(void)lambda_of(&a, &m, lambda);
	(void)lambda_of(&b, &q, other);
	assert_memory_equal(lambda, other, sizeof lambda);
	assert_ok(scorer_label_easy(a.scorer, &m, lambda, NULL, &s, err));
	assert_ok(scorer_label_easy(b.scorer, &q, lambda, NULL, &t, err));
	assert_memory_equal(s.final, t.final, W * H);
	assert_memory_equal(s.voted, t.voted, W * H);
	assert_memory_equal(s.weight, t.weight, W * H * sizeof *s.weight);
	assert_memory_equal(&s.score, &t.score, sizeof s.score);
	image_done(&img);
	rig_close(&a);
	rig_close(&b);
}

static void what_is_not_finite_is_refused(void **state)
{
	(void)state;
	rig r;
	logit_map m;
	tp_err e = {0};
	const uint8_t *pred;
	rig_open(&r, 2);
	image img = picture(W, H, 6);
	ptrdiff_t i = params_find(&r.net.params, "classifier.conv2d_list.1.weight");
	assert_true(i >= 0);
	r.values[r.net.params.item[i].offset + 3] = NAN;
	assert_int_equal(scorer_logits(r.scorer, &img, &m, &e), TP_NONFINITE);
	assert_non_null(strstr(e.text, "finite"));
	assert_int_equal(scorer_predict(r.scorer, &img, &pred, NULL), TP_NONFINITE);
	image_done(&img);
	rig_close(&r);
}

static void it_stops_on_request(void **state)
{
	(void)state;
	rig r;
	logit_map m;
	rig_open(&r, 2);
	image img = picture(W, H, 7);
	atomic_store(&r.stop, 1);
	assert_int_equal(scorer_logits(r.scorer, &img, &m, NULL), TP_CANCELLED);
	atomic_store(&r.stop, 0);
	assert_ok(scorer_logits(r.scorer, &img, &m, err));
	image_done(&img);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logits_are_the_networks),
		cmocka_unit_test(labels_of_rounds_are_steadied),
		cmocka_unit_test(labels_are_the_methods),
		cmocka_unit_test(voting_is_given_what_it_needs),
		cmocka_unit_test(sizes_may_change_all_the_time),
		cmocka_unit_test(evaluation_averages_scales_and_mirrors),
		cmocka_unit_test(probabilities_sum_to_one),
		cmocka_unit_test(threads_change_no_bit),
		cmocka_unit_test(what_is_not_finite_is_refused),
		cmocka_unit_test(it_stops_on_request),
	};
	return cmocka_run_group_tests(tests, start_blas, NULL);
}
