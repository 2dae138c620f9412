#include "train/score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "adapt/vote.h"
#include "base/mem.h"
#include "op/resize.h"
#include "op/softmax.h"
#include "optim/running_mean.h"
#include "optim/sgd.h"

typedef struct bound_exec {
	size_t h, w;
	exec *e;
	uint64_t used; /* for least-recently-used eviction */
} bound_exec;

struct scorer {
	scorer_spec spec;
	bound_exec bound[SCORER_EXECS];
	uint64_t clock;
	/* Grow-only buffers; counts in elements. */
	float *plain, *mirrored; /* [K][h][w] at output resolution */
	size_t low_room;
	size_t full_room;        /* pixels that the buffers below hold */
	float *prob, *scratch;   /* [K][pixels] */
	float *conf, *easy_weight;
	uint8_t *byte;           /* six byte maps */
	uint16_t *weight;
	void *vote;              /* voting's scratch */
	size_t vote_room;
};

enum { MAP_PREDICTION, MAP_CONFIDENCE, MAP_CONFIDENT, MAP_VOTED, MAP_FINAL, MAP_ORIGIN, MAPS };

tp_status scorer_create(const scorer_spec *spec, scorer **ret, tp_err *err)
{
	scorer *s = calloc(1, sizeof *s);
	if (s == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory for scoring");
	s->spec = *spec;
	*ret = s;
	return TP_OK;
}

static void free_full(scorer *s)
{
	mem_free(s->prob);
	mem_free(s->scratch);
	mem_free(s->conf);
	mem_free(s->easy_weight);
	mem_free(s->byte);
	mem_free(s->weight);
	s->prob = s->scratch = s->conf = s->easy_weight = NULL;
	s->byte = NULL;
	s->weight = NULL;
	s->full_room = 0;
}

void scorer_free(scorer *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < SCORER_EXECS; i++)
		exec_free(s->bound[i].e);
	mem_free(s->plain);
	mem_free(s->mirrored);
	mem_free(s->vote);
	free_full(s);
	free(s);
}

static tp_status exec_for(scorer *s, size_t h, size_t w, exec **ret, tp_err *err)
{
	bound_exec *oldest = &s->bound[0];
	for (size_t i = 0; i < SCORER_EXECS; i++) {
		bound_exec *b = &s->bound[i];
		if (b->e != NULL && b->h == h && b->w == w) {
			b->used = ++s->clock;
			*ret = b->e;
			return TP_OK;
		}
		if (b->used < oldest->used)
			oldest = b;
	}
	exec_free(oldest->e);
	*oldest = (bound_exec){.h = h, .w = w, .used = ++s->clock};
	exec_spec spec = {.graph = s->spec.net,
	                  .in_h = h,
	                  .in_w = w,
	                  .kernels = s->spec.recipe->kernels,
	                  .pool = s->spec.pool,
	                  .stop = s->spec.stop};
	tp_status st = exec_create(&spec, &oldest->e, err);
	if (st != TP_OK) {
		*oldest = (bound_exec){0};
		return st;
	}
	exec_prepare(oldest->e, s->spec.values);
	*ret = oldest->e;
	return TP_OK;
}

static tp_status need_full(scorer *s, size_t pixels, tp_err *err)
{
	if (pixels <= s->full_room)
		return TP_OK;
	free_full(s);
	size_t maps = s->spec.classes * pixels;
	void *bytes = NULL, *weight = NULL;
	tp_status st = mem_floats(maps, &s->prob, err);
	if (st == TP_OK)
		st = mem_floats(maps, &s->scratch, err);
	if (st == TP_OK)
		st = mem_floats(pixels, &s->conf, err);
	if (st == TP_OK)
		st = mem_floats(pixels, &s->easy_weight, err);
	if (st == TP_OK)
		st = mem_bytes(pixels * MAPS, &bytes, err);
	s->byte = bytes;
	if (st == TP_OK)
		st = mem_bytes(pixels * sizeof *s->weight, &weight, err);
	s->weight = weight;
	if (st == TP_OK)
		s->full_room = pixels;
	else
		free_full(s);
	return st;
}

static tp_status need_low(scorer *s, size_t floats, tp_err *err)
{
	if (floats <= s->low_room)
		return TP_OK;
	mem_free(s->plain);
	mem_free(s->mirrored);
	s->plain = s->mirrored = NULL;
	s->low_room = 0;
	tp_status st = mem_floats(floats, &s->plain, err);
	if (st == TP_OK)
		st = mem_floats(floats, &s->mirrored, err);
	if (st == TP_OK)
		s->low_room = floats;
	return st;
}

static size_t scaled(size_t side, double scale)
{
	double n = floor((double)side * scale + 0.5);
	return n < 1 ? 1 : (size_t)n;
}

/* Keeps the SCORER_EXECS largest of what exec_for may hold at a time. */
static void keep_largest(size_t most[SCORER_EXECS], size_t bytes)
{
	for (size_t i = 0; i < SCORER_EXECS; i++) {
		if (bytes > most[i]) {
			size_t less = most[i];
			most[i] = bytes;
			bytes = less;
		}
	}
}

tp_status scorer_measure(const scorer_spec *spec, const image_size *size, size_t sizes,
                         bool predict, size_t *ret_bytes, tp_err *err)
{
	const recipe *r = spec->recipe;
	size_t scales = predict ? r->evaluation.scales : 1, most[SCORER_EXECS] = {0}, bytes = sizeof(scorer);
	size_t full = 0, low = 0, voting = 0, k = spec->classes;
	const double *scale = predict ? r->evaluation.scale : &r->self.scoring_scale;
	for (size_t i = 0; i < sizes; i++) {
		size_t pixels = size[i].w * size[i].h;
		full = pixels > full ? pixels : full;
		if (!predict && r->self.vote.iterations > 0) {
			size_t want = vote_scratch(&r->self.vote, k, size[i].h, size[i].w);
			voting = want > voting ? want : voting;
		}
		for (size_t n = 0; n < scales; n++) {
			exec_size need;
			exec_spec es = {.graph = spec->net,
			                .in_h = scaled(size[i].h, scale[n]),
			                .in_w = scaled(size[i].w, scale[n]),
			                .kernels = r->kernels,
			                .pool = spec->pool};
			tp_status st = exec_measure(&es, &need, err);
			if (st != TP_OK)
				return st;
			keep_largest(most, need.bytes);
			size_t floats = need.out_h * need.out_w * k;
			low = floats > low ? floats : low;
		}
	}
	for (size_t i = 0; i < SCORER_EXECS; i++)
		bytes += most[i];
	bytes += 2 * low * sizeof(float); /* plain, mirrored */
	bytes += 2 * k * full * sizeof(float); /* prob, scratch */
	bytes += full * (2 * sizeof(float) + MAPS + sizeof(uint16_t));
	*ret_bytes = bytes + voting;
	return TP_OK;
}

/* The network on the image at `scale`; plain and, when asked, mirrored logits in the low buffers. */
static tp_status logits_at(scorer *s, const image *img, double scale, bool mirror, logit_map *ret,
                           tp_err *err)
{
	size_t h = scaled(img->h, scale), w = scaled(img->w, scale), k = s->spec.classes;
	exec *e;
	tp_status st = exec_for(s, h, w, &e, err);
	if (st != TP_OK)
		return st;
	const exec_size *size = exec_sizes(e);
	size_t pixels = size->out_h * size->out_w;
	st = need_low(s, pixels * k, err);
	for (int m = 0; m <= (mirror ? 1 : 0) && st == TP_OK; m++) {
		const float *out;
		float *to = m == 1 ? s->mirrored : s->plain;
		image_to_input(img, &s->spec.norm, h, w, m == 1, exec_input(e), s->spec.pool);
		st = exec_forward(e, &out, err);
		if (st != TP_OK)
			break;
		to_planar(out, pixels, k, to, s->spec.pool);
		if (!all_finite(to, pixels * k, s->spec.pool))
			st = tp_fail(err, TP_NONFINITE, 0, "a logit is not finite");
	}
	if (st == TP_OK)
		*ret = (logit_map){.classes = k,
		                   .h = size->out_h,
		                   .w = size->out_w,
		                   .full_h = img->h,
		                   .full_w = img->w,
		                   .plain = s->plain,
		                   .mirrored = mirror ? s->mirrored : NULL};
	return st;
}

tp_status scorer_logits(scorer *s, const image *img, logit_map *ret, tp_err *err)
{
	const recipe *r = s->spec.recipe;
	return logits_at(s, img, r->self.scoring_scale, r->self.flip_average, ret, err);
}

tp_status scorer_steady(scorer *s, const logit_map *m, const logit_map *before, tp_err *err)
{
	float old = (float)s->spec.recipe->self.label_momentum;
	size_t count = m->classes * m->h * m->w;
	if (before->classes != m->classes || before->h != m->h || before->w != m->w ||
	    (before->mirrored == NULL) != (m->mirrored == NULL))
		return tp_fail(err, TP_INVALID, 0, "the image has another size than in the round before");
	running_mean(s->plain, before->plain, count, 1.0f - old, s->spec.pool);
	if (m->mirrored != NULL)
		running_mean(s->mirrored, before->mirrored, count, 1.0f - old, s->spec.pool);
	return TP_OK;
}

static tp_status probabilities(scorer *s, const logit_map *m, tp_err *err)
{
	tp_status st = need_full(s, m->full_h * m->full_w, err);
	if (st == TP_OK)
		probs_from_logits(m, s->prob, s->scratch, s->spec.pool);
	return st;
}

static uint8_t *map_of(scorer *s, int which, size_t pixels)
{
	return s->byte + (size_t)which * pixels;
}

tp_status scorer_count(scorer *s, const logit_map *m, conf_hist *hist, tp_err *err)
{
	tp_status st = probabilities(s, m, err);
	if (st != TP_OK)
		return st;
	size_t pixels = m->full_h * m->full_w;
	uint8_t *pred = map_of(s, MAP_PREDICTION, pixels);
	probs_argmax(s->prob, m->classes, pixels, pred, s->conf, s->spec.pool);
	conf_hist_add(hist, pred, s->conf, pixels, s->spec.recipe->self.threshold_stride);
	return TP_OK;
}

static void shares(const uint8_t *origin, size_t pixels, double share[4])
{
	size_t n[4] = {0};
	for (size_t i = 0; i < pixels; i++)
		n[origin[i] & 3]++;
	for (size_t i = 0; i < 4; i++)
		share[i] = (double)n[i] / (double)pixels;
}

static void origins(const uint8_t *confident, const uint8_t *final, label_origin other,
                    size_t pixels, uint8_t *origin)
{
	for (size_t i = 0; i < pixels; i++)
		origin[i] = confident[i] != LABEL_NONE ? ORIGIN_CONFIDENT
		            : final[i] != LABEL_NONE   ? (uint8_t)other
		                                       : ORIGIN_NONE;
}

bool scorer_needs_image(const recipe *r)
{
	return r->self.vote.iterations > 0 && r->self.vote.color_distance > 0;
}

static tp_status need_vote(scorer *s, size_t bytes, tp_err *err)
{
	if (bytes <= s->vote_room)
		return TP_OK;
	mem_free(s->vote);
	s->vote = NULL;
	s->vote_room = 0;
	tp_status st = mem_bytes(bytes, &s->vote, err);
	if (st == TP_OK)
		s->vote_room = bytes;
	return st;
}

/* The image's colours. The file may have been replaced since its logits were computed. */
static tp_status colors_of(const logit_map *m, const vote_aid *aid, const uint8_t **ret, tp_err *err)
{
	if (aid == NULL || aid->image == NULL)
		return tp_fail(err, TP_INVALID, 0, "voting by colour needs the image");
	const image *img = aid->image;
	if (img->w != m->full_w || img->h != m->full_h)
		return tp_fail(err, TP_INVALID, 0, "the image is %zux%zu, its logits are of %zux%zu", img->w,
		               img->h, m->full_w, m->full_h);
	*ret = img->rgb;
	return TP_OK;
}

/* The maps `final` and `origin` serve as scratch: they are written after voting. */
static tp_status vote(scorer *s, const logit_map *m, const float *lambda, const vote_aid *aid,
                      uint8_t *label, tp_err *err)
{
	const vote_spec *spec = &s->spec.recipe->self.vote;
	size_t pixels = m->full_h * m->full_w;
	if (spec->iterations == 0)
		return TP_OK;
	vote_image im = {.p = s->prob, .lambda = lambda, .classes = m->classes, .h = m->full_h,
	                 .w = m->full_w};
	bool rare[256] = {false};
	tp_status st = need_vote(s, vote_scratch(spec, m->classes, m->full_h, m->full_w), err);
	if (st == TP_OK && spec->color_distance > 0)
		st = colors_of(m, aid, &im.rgb, err);
	if (st == TP_OK && spec->rare_share > 0.0 && (aid == NULL || aid->hist == NULL))
		st = tp_fail(err, TP_INVALID, 0, "windows by class need the counts of all images");
	if (st == TP_OK && spec->flips_agree && m->mirrored == NULL)
		st = tp_fail(err, TP_INVALID, 0, "agreement of flips needs logits of the mirror image");
	if (st != TP_OK)
		return st;
	if (spec->rare_share > 0.0) {
		uint8_t id[256];
		for (size_t n = rare_classes(aid->hist, spec->rare_share, id); n-- > 0;)
			rare[id[n]] = true;
		im.rare = rare;
	}
	if (spec->flips_agree) {
		uint8_t *agree = map_of(s, MAP_ORIGIN, pixels);
		probs_flips_agree(m, agree, s->scratch, map_of(s, MAP_FINAL, pixels), s->spec.pool);
		im.agree = agree;
	}
	vote_run(spec, &im, label, s->vote, s->spec.pool);
	return TP_OK;
}

/* What is the same for easy and hard images: prediction, confidence, sparse and voted labels. */
static tp_status label_common(scorer *s, const logit_map *m, const float *lambda,
                              const vote_aid *aid, scored_image *ret, tp_err *err)
{
	tp_status st = probabilities(s, m, err);
	if (st != TP_OK)
		return st;
	size_t pixels = m->full_h * m->full_w;
	uint8_t *prediction = map_of(s, MAP_PREDICTION, pixels);
	uint8_t *confidence = map_of(s, MAP_CONFIDENCE, pixels);
	uint8_t *confident = map_of(s, MAP_CONFIDENT, pixels), *voted = map_of(s, MAP_VOTED, pixels);
	probs_argmax(s->prob, m->classes, pixels, prediction, s->conf, s->spec.pool);
	for (size_t i = 0; i < pixels; i++)
		confidence[i] = (uint8_t)(s->conf[i] * 255.0f + 0.5f);
	pseudo_confident(s->prob, lambda, m->classes, pixels, confident, NULL, s->spec.pool);
	memcpy(voted, confident, pixels);
	st = vote(s, m, lambda, aid, voted, err);
	if (st != TP_OK)
		return st;
	*ret = (scored_image){.w = m->full_w,
	                      .h = m->full_h,
	                      .prediction = prediction,
	                      .confidence = confidence,
	                      .prob = s->prob,
	                      .confident = confident,
	                      .voted = voted};
	image_confidence_of(s->prob, lambda, m->classes, pixels, s->spec.recipe->self.inverse_lambda,
	                    &ret->score);
	if (s->spec.recipe->self.split == SPLIT_ENTROPY)
		ret->score.score = 1.0 - ret->score.mean_entropy;
	return TP_OK;
}

/* LRENT trains on soft labels; what people see of them is the likelier class where one is selected
 * (algorithms.md 2.2). The soft labels themselves are made again from the logits by the loader. */
static void label_soft(scorer *s, const logit_map *m, const float *lambda, uint8_t *final,
                       uint8_t *origin)
{
	size_t pixels = m->full_h * m->full_w;
	pseudo_lrent(s->prob, lambda, (float)s->spec.recipe->self.reg_weight, m->classes, pixels,
	             s->scratch, s->spec.pool);
	probs_argmax(s->scratch, m->classes, pixels, final, s->conf, s->spec.pool);
	for (size_t i = 0; i < pixels; i++) {
		if (s->conf[i] <= 0)
			final[i] = LABEL_NONE;
		origin[i] = final[i] == LABEL_NONE ? ORIGIN_NONE : ORIGIN_SOFT;
	}
}

tp_status scorer_label(scorer *s, const logit_map *m, const float *lambda, const vote_aid *aid,
                       scored_image *ret, tp_err *err)
{
	scored_image out;
	tp_status st = label_common(s, m, lambda, aid, &out, err);
	if (st != TP_OK)
		return st;
	size_t pixels = out.w * out.h;
	uint8_t *final = map_of(s, MAP_FINAL, pixels), *origin = map_of(s, MAP_ORIGIN, pixels);
	if (s->spec.recipe->self.reg == REG_LRENT) {
		label_soft(s, m, lambda, final, origin);
	} else {
		memcpy(final, out.voted, pixels);
		origins(out.confident, final, ORIGIN_VOTED, pixels, origin);
	}
	out.final = final;
	out.origin = origin;
	shares(origin, pixels, out.share);
	*ret = out;
	return TP_OK;
}

tp_status scorer_label_easy(scorer *s, const logit_map *m, const float *lambda, const vote_aid *aid,
                            scored_image *ret, tp_err *err)
{
	scored_image out;
	tp_status st = label_common(s, m, lambda, aid, &out, err);
	if (st != TP_OK)
		return st;
	size_t pixels = out.w * out.h;
	uint8_t *final = map_of(s, MAP_FINAL, pixels), *origin = map_of(s, MAP_ORIGIN, pixels);
	const float *by = lambda;
	float ones[256];
	if (s->spec.recipe->self.easy_rank == VOTE_TOP2_BY_P) { /* r = p */
		for (size_t k = 0; k < m->classes; k++)
			ones[k] = 1.0f;
		by = ones;
	}
	pseudo_easy(s->prob, by, (float)s->spec.recipe->self.gamma, m->classes, pixels, final,
	            s->easy_weight, s->spec.pool);
	for (size_t i = 0; i < pixels; i++)
		s->weight[i] = (uint16_t)(s->easy_weight[i] * 65535.0f + 0.5f);
	origins(out.confident, final, ORIGIN_SOFT, pixels, origin);
	out.final = final;
	out.origin = origin;
	out.weight = s->weight;
	shares(origin, pixels, out.share);
	*ret = out;
	return TP_OK;
}

/* plain = mean of plain and the mirrored map mirrored back. */
static void average_mirrored(const logit_map *m, float *plain)
{
	for (size_t row = 0; row < m->classes * m->h; row++) {
		const float *back = m->mirrored + row * m->w;
		float *to = plain + row * m->w;
		for (size_t x = 0; x < m->w; x++)
			to[x] = 0.5f * (to[x] + back[m->w - 1 - x]);
	}
}

tp_status scorer_predict(scorer *s, const image *img, const uint8_t **ret, tp_err *err)
{
	const recipe *r = s->spec.recipe;
	size_t pixels = img->w * img->h, k = s->spec.classes;
	tp_status st = need_full(s, pixels, err);
	for (size_t i = 0; i < r->evaluation.scales && st == TP_OK; i++) {
		logit_map m;
		st = logits_at(s, img, r->evaluation.scale[i], r->evaluation.flip, &m, err);
		if (st != TP_OK)
			break;
		if (m.mirrored != NULL)
			average_mirrored(&m, s->plain);
		resize_shape up = {k, m.h, m.w, img->h, img->w, true};
		resize_forward(&up, s->plain, i == 0 ? s->prob : s->scratch, s->spec.pool);
		for (size_t j = 0; i > 0 && j < k * pixels; j++)
			s->prob[j] += s->scratch[j]; /* the sum has the mean's argmax */
	}
	if (st != TP_OK)
		return st;
	uint8_t *pred = map_of(s, MAP_PREDICTION, pixels);
	probs_argmax(s->prob, k, pixels, pred, NULL, s->spec.pool);
	*ret = pred;
	return TP_OK;
}

tp_status scorer_probabilities(scorer *s, const image *img, const float **ret, tp_err *err)
{
	logit_map m;
	tp_status st = logits_at(s, img, 1.0, false, &m, err);
	if (st == TP_OK)
		st = probabilities(s, &m, err);
	if (st == TP_OK)
		*ret = s->prob;
	return st;
}
