/* vote_sums: the sliding sums behind vote_run: for one pixel and every class, the number of voters in
 * its window and the sum of their v, by weight. Rows enter and leave sums per column, columns enter
 * and leave the sums of the window, so a step costs the same whatever the window.
 *
 * With R the reach and c(i) what lies at row or column i (nothing outside the image), a step is
 *   flat       T(i+1) = T(i) + c(i+1+R) - c(i-R)
 *   triangle   T(i+1) = T(i) + A(i) - B(i)  with B(i) = c(i-R) + ... + c(i), behind and at i,
 *                                           and A(i) = c(i+1) + ... + c(i+R+1), ahead of i,
 * since the weights of what lies ahead grow by one and those of what lies behind shrink by one.
 *
 * Classes with the same reach form a group and lie in neighbouring lanes, whole vectors of them. */
#ifndef TP_ADAPT_VOTE_SUMS_H
#define TP_ADAPT_VOTE_SUMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/simd.h"
#include "loss/pixel.h" /* LABEL_NONE */

/* 255 classes in two groups, each rounded up to whole vectors. */
enum { VOTE_LANES = 8, VOTE_LANES_MAX = 256 + VOTE_LANES };

typedef struct vote_group {
	size_t reach;
	size_t from, lanes;
} vote_group;

/* Sums of v and of weights; [lanes], or [columns][lanes]. */
typedef struct vote_lanes {
	uint64_t *sum;
	uint32_t *voters;
} vote_lanes;

/* T, and for triangles B and A. */
typedef struct vote_sums {
	vote_lanes total, behind, ahead;
} vote_sums;

/* Who votes, and as which lane. */
typedef struct vote_voters {
	const uint8_t *label; /* [h*w] */
	const uint32_t *v;    /* [h*w] */
	size_t h, w, lanes;   /* of all groups */
	const uint16_t *lane; /* [256], by label */
} vote_voters;

/* Adds (sign 1) or subtracts (sign -1) lanes that start at `at`. */
static TP_INLINE void lanes_add(vote_lanes to, size_t to_at, vote_lanes from, size_t at, size_t lanes,
                                int sign)
{
	uint64_t *sum = to.sum + to_at;
	uint32_t *voters = to.voters + to_at;
	for (size_t k = 0; k < lanes; k++)
		sum[k] += sign > 0 ? from.sum[at + k] : -from.sum[at + k];
	for (size_t k = 0; k < lanes; k++)
		voters[k] += sign > 0 ? from.voters[at + k] : -from.voters[at + k];
}

/* Adds the group's voters of row y, each times `weight`, to the columns; rows beyond the image are
 * empty. */
static TP_INLINE void vote_row_add(const vote_voters *of, const vote_group *g, vote_lanes columns,
                                   ptrdiff_t y, int64_t weight)
{
	if (y < 0 || y >= (ptrdiff_t)of->h)
		return;
	const uint8_t *label = of->label + (size_t)y * of->w;
	const uint32_t *v = of->v + (size_t)y * of->w;
	for (size_t x = 0; x < of->w; x++) {
		if (label[x] == LABEL_NONE)
			continue;
		size_t lane = of->lane[label[x]];
		if (lane - g->from >= g->lanes)
			continue;
		columns.sum[x * of->lanes + lane] += (uint64_t)weight * v[x];
		columns.voters[x * of->lanes + lane] += (uint32_t)weight;
	}
}

/* Columns, zeroed before, to their sums at row y. */
static TP_INLINE void vote_rows_start(const vote_voters *of, const vote_group *g, vote_sums columns,
                                      size_t y, bool triangle)
{
	ptrdiff_t at = (ptrdiff_t)y, reach = (ptrdiff_t)g->reach;
	for (ptrdiff_t d = -reach; d <= reach; d++)
		vote_row_add(of, g, columns.total, at + d, triangle ? reach + 1 - (d < 0 ? -d : d) : 1);
	for (ptrdiff_t d = 0; d <= reach && triangle; d++) {
		vote_row_add(of, g, columns.behind, at - d, 1);
		vote_row_add(of, g, columns.ahead, at + 1 + d, 1);
	}
}

/* From row y to y + 1. */
static TP_INLINE void vote_rows_step(const vote_voters *of, const vote_group *g, vote_sums columns,
                                     size_t y, bool triangle)
{
	ptrdiff_t at = (ptrdiff_t)y, reach = (ptrdiff_t)g->reach;
	if (!triangle) {
		vote_row_add(of, g, columns.total, at + 1 + reach, 1);
		vote_row_add(of, g, columns.total, at - reach, -1);
		return;
	}
	for (size_t x = 0; x < of->w; x++) {
		size_t lane = x * of->lanes + g->from;
		lanes_add(columns.total, lane, columns.ahead, lane, g->lanes, 1);
		lanes_add(columns.total, lane, columns.behind, lane, g->lanes, -1);
	}
	vote_row_add(of, g, columns.behind, at + 1, 1);
	vote_row_add(of, g, columns.behind, at - reach, -1);
	vote_row_add(of, g, columns.ahead, at + reach + 2, 1);
	vote_row_add(of, g, columns.ahead, at + 1, -1);
}

static TP_INLINE void column_add(const vote_voters *of, const vote_group *g, vote_lanes window,
                                 vote_lanes columns, ptrdiff_t x, int sign)
{
	if (x >= 0 && x < (ptrdiff_t)of->w)
		lanes_add(window, g->from, columns, (size_t)x * of->lanes + g->from, g->lanes, sign);
}

/* The window from column x to x + 1. It starts empty at vote_before(g), left of the image. */
static TP_INLINE void vote_window_step(const vote_voters *of, const vote_group *g, vote_sums window,
                                       vote_lanes columns, ptrdiff_t x, bool triangle)
{
	ptrdiff_t reach = (ptrdiff_t)g->reach;
	if (!triangle) {
		column_add(of, g, window.total, columns, x + 1 + reach, 1);
		column_add(of, g, window.total, columns, x - reach, -1);
		return;
	}
	lanes_add(window.total, g->from, window.ahead, g->from, g->lanes, 1);
	lanes_add(window.total, g->from, window.behind, g->from, g->lanes, -1);
	column_add(of, g, window.behind, columns, x + 1, 1);
	column_add(of, g, window.behind, columns, x - reach, -1);
	column_add(of, g, window.ahead, columns, x + reach + 2, 1);
	column_add(of, g, window.ahead, columns, x + 1, -1);
}

/* A column at which every sum is still empty. */
static TP_INLINE ptrdiff_t vote_before(const vote_group *g)
{
	return -(ptrdiff_t)g->reach - 2;
}

#endif
