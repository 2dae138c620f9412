/* vote_rule: the arithmetic of one vote, shared by vote_run and its reference (algorithms.md 4.3):
 *   s_c = own_weight * r_c + pool_weight * P_c;  label c* = argmax s_c when s_c* > 1,  v' = s_c*
 * in integers: r and v times 2^20, weights times 2^16. The largest sum is
 * 401^2 * 256 * 2^20 * 2^16 < 2^62.
 *
 * A triangle's weights are times (R+1)^2: whole numbers up to 201^2, and a window's sum of weights is
 * up to 201^4 < 2^31, of weighted v < 2^59; `sum` divides by (R+1)^2 before alpha comes in. */
#ifndef TP_ADAPT_VOTE_RULE_H
#define TP_ADAPT_VOTE_RULE_H

#include <math.h>
#include <stdint.h>

#include "adapt/vote.h"
#include "base/simd.h"

enum { VOTE_WEIGHT_ONE = 1 << 16 };
#define VOTE_R_ONE 1048576.0f /* 2^20 */
#define VOTE_R_MAX 256.0f
#define VOTE_SCORE_ONE ((int64_t)1 << 36)

typedef struct vote_rule {
	int64_t own_weight, pool_weight;
	vote_pool pool;
	vote_border border;
	bool triangle;
} vote_rule;

/* One of the two competing classes of a pixel. */
typedef struct vote_candidate {
	uint32_t own;    /* r_c, or p_c */
	uint32_t voters; /* n_c: labelled neighbours of the class, by weight */
	uint64_t pooled; /* weighted sum of their v (sum, mean, box) or the largest v (max) */
	uint64_t divisor; /* of `pooled`, from vote_divisor */
	int64_t limit;   /* a score above it is enough */
} vote_candidate;

static inline vote_rule vote_rule_of(const vote_spec *spec)
{
	float own = spec->alpha_on == VOTE_ALPHA_ORIGINAL ? spec->alpha : 1.0f - spec->alpha;
	int64_t weight = lrintf(own * (float)VOTE_WEIGHT_ONE);
	return (vote_rule){weight, VOTE_WEIGHT_ONE - weight, spec->pool, spec->border,
	                   spec->kernel == VOTE_TRIANGLE && spec->pool != VOTE_MAX};
}

/* What a score of the class must exceed. A score is whole, so rounding lambda down changes nothing. */
static inline int64_t vote_limit(const vote_spec *spec, float lambda)
{
	return spec->value == VOTE_OF_R ? VOTE_SCORE_ONE
	                                : (int64_t)((double)lambda * (double)VOTE_SCORE_ONE);
}

static inline size_t vote_reach(const vote_spec *spec, const vote_image *image, size_t class)
{
	bool rare = spec->rare_share > 0.0 && image->rare != NULL && image->rare[class];
	return ((rare ? spec->window_rare : spec->window) - 1) / 2;
}

/* Scaling by a power of two is exact, so this rounds once, with or without fused operations. */
static TP_INLINE int32_t vote_quantise(float r)
{
	float c = r < VOTE_R_MAX ? r : VOTE_R_MAX;
	return c > 0.0f ? (int32_t)(c * VOTE_R_ONE + 0.5f) : 0;
}

/* The distance of two colours is the largest difference of a channel. */
static TP_INLINE bool vote_similar(const uint8_t a[3], const uint8_t b[3], int distance)
{
	int r = a[0] - b[0], g = a[1] - b[1], c = a[2] - b[2];
	return r <= distance && -r <= distance && g <= distance && -g <= distance && c <= distance &&
	       -c <= distance;
}

/* Sum of the weights along one side of the window at `at` of n, clipped. */
static TP_INLINE uint64_t vote_side(bool triangle, size_t at, size_t n, size_t reach)
{
	uint64_t before = at < reach ? at : reach, after = n - 1 - at < reach ? n - 1 - at : reach;
	if (!triangle)
		return before + 1 + after;
	return (reach + 1) * (before + 1 + after) - before * (before + 1) / 2 - after * (after + 1) / 2;
}

/* What the pooled value of a class with that reach is divided by, at column x of row y. */
static TP_INLINE uint64_t vote_divisor(const vote_rule *rule, uint32_t voters, size_t y, size_t x,
                                       size_t h, size_t w, size_t reach)
{
	uint64_t side = reach + 1;
	switch (rule->pool) {
	case VOTE_SUM:
		return rule->triangle ? side * side : 1;
	case VOTE_MEAN:
		return voters > 0 ? voters : 1;
	case VOTE_BOX:
		if (rule->border == VOTE_BORDER_CLIP)
			return vote_side(rule->triangle, y, h, reach) *
			       vote_side(rule->triangle, x, w, reach);
		side = rule->triangle ? side * side : 2 * reach + 1;
		return side * side;
	case VOTE_MAX:
		break;
	}
	return 1;
}

static TP_INLINE int64_t vote_score(const vote_rule *rule, const vote_candidate *c)
{
	uint64_t pooled = c->divisor > 1 ? c->pooled / c->divisor : c->pooled;
	return rule->own_weight * c->own + rule->pool_weight * (int64_t)pooled;
}

/* 0 or 1: which candidate wins, first[0] being the higher ranked class; -1: no score is enough.
 * *v receives the winner's value as a voter. */
static TP_INLINE int vote_decide(const vote_rule *rule, const vote_candidate first[2], uint32_t *v)
{
	int64_t s0 = vote_score(rule, &first[0]), s1 = vote_score(rule, &first[1]);
	bool enough0 = s0 > first[0].limit, enough1 = s1 > first[1].limit;
	if (!enough0 && !enough1)
		return -1;
	bool larger = s1 > s0 || (s1 == s0 && first[1].voters > first[0].voters);
	int winner = enough1 && (larger || !enough0);
	int64_t value = (winner ? s1 : s0) / VOTE_WEIGHT_ONE, most = (int64_t)(VOTE_R_MAX * VOTE_R_ONE);
	*v = (uint32_t)(value < most ? value : most);
	return winner;
}

#endif
