/* vote_rule: the arithmetic of one vote, shared by vote_run and its reference (algorithms.md 4.3):
 *   s_c = own_weight * r_c + pool_weight * P_c;  label c* = argmax s_c when s_c* > 1,  v' = s_c*
 * in integers: r and v times 2^20, weights times 2^16. The largest sum is
 * 401^2 * 256 * 2^20 * 2^16 < 2^62. */
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
} vote_rule;

/* One of the two competing classes of a pixel. */
typedef struct vote_candidate {
	uint32_t own;    /* r_c */
	uint32_t voters; /* n_c: labelled neighbours of the class */
	uint64_t pooled; /* sum of their v (sum, mean, box) or the largest v (max) */
} vote_candidate;

static inline vote_rule vote_rule_of(const vote_spec *spec)
{
	float own = spec->alpha_on == VOTE_ALPHA_ORIGINAL ? spec->alpha : 1.0f - spec->alpha;
	int64_t weight = lrintf(own * (float)VOTE_WEIGHT_ONE);
	return (vote_rule){weight, VOTE_WEIGHT_ONE - weight, spec->pool};
}

/* Scaling by a power of two is exact, so this rounds once, with or without fused operations. */
static TP_INLINE int32_t vote_quantise(float r)
{
	float c = r < VOTE_R_MAX ? r : VOTE_R_MAX;
	return c > 0.0f ? (int32_t)(c * VOTE_R_ONE + 0.5f) : 0;
}

static TP_INLINE int64_t vote_score(const vote_rule *rule, const vote_candidate *c, uint64_t area)
{
	uint64_t pooled = c->pooled;
	if (rule->pool == VOTE_MEAN)
		pooled = c->voters > 0 ? pooled / c->voters : 0;
	else if (rule->pool == VOTE_BOX)
		pooled /= area;
	return rule->own_weight * c->own + rule->pool_weight * (int64_t)pooled;
}

/* 0 or 1: which candidate wins, first[0] being the higher ranked class; -1: none exceeds 1.
 * *v receives the winner's value as a voter. `area` is what box divides by. */
static TP_INLINE int vote_decide(const vote_rule *rule, const vote_candidate first[2],
                                 uint64_t area, uint32_t *v)
{
	int64_t s0 = vote_score(rule, &first[0], area), s1 = vote_score(rule, &first[1], area);
	int winner = s1 > s0 || (s1 == s0 && first[1].voters > first[0].voters);
	int64_t score = winner ? s1 : s0;
	if (score <= VOTE_SCORE_ONE)
		return -1;
	int64_t value = score / VOTE_WEIGHT_ONE, most = (int64_t)(VOTE_R_MAX * VOTE_R_ONE);
	*v = (uint32_t)(value < most ? value : most);
	return winner;
}

/* What box divides by at column x of row y; `reach` = (window - 1) / 2. */
static TP_INLINE uint64_t vote_area(vote_border border, size_t y, size_t x, size_t h, size_t w,
                                    size_t reach)
{
	if (border == VOTE_BORDER_ZERO)
		return (uint64_t)(2 * reach + 1) * (2 * reach + 1);
	size_t top = y < reach ? 0 : y - reach, bottom = h - 1 - y < reach ? h : y + reach + 1;
	size_t left = x < reach ? 0 : x - reach, right = w - 1 - x < reach ? w : x + reach + 1;
	return (uint64_t)(bottom - top) * (right - left);
}

#endif
