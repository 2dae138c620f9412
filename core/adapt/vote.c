#include "adapt/vote.h"

#include <string.h>

#include "adapt/pseudo.h"
#include "adapt/running_max.h"
#include "adapt/vote_rule.h"
#include "adapt/vote_sums.h"
#include "base/grid.h"
#include "base/mem.h"

/* One iteration is a sweep: each chunk takes a band of rows and slides the window down it and along each
 * row (vote_sums.h). A pixel costs K additions whatever the window. The band's start costs one pass
 * over the window's rows; bands are few for that reason.
 *
 * Voted labels go to `next` until every band is done; v of an unlabelled pixel may be written at
 * once, since only labelled pixels are read. */
enum { BLOCK = 256, GRAIN = 4096, BANDS = 16, STRIP = RUNNING_MAX_LANES };

typedef struct job {
	const vote_spec *spec;
	const vote_image *image;
	vote_rule rule;
	size_t classes, h, w, pixels;
	size_t reach;             /* the largest of all classes */
	size_t bands, chunks;     /* of rows; of pixels */
	uint8_t *label;
	vote_group group[2];      /* common and rare classes */
	size_t groups, lanes;
	uint16_t lane[256];       /* by class */
	uint16_t class_reach[256];
	int64_t limit[256];
	bool by_color;
	const uint8_t *agree;     /* NULL: everywhere */
	uint8_t *next;            /* [P] */
	uint8_t *top[2];          /* [P] the competing classes */
	uint32_t *own[2];         /* [P] their r (or p) */
	uint32_t *v;              /* [P] value of a labelled pixel as a voter */
	vote_sums columns;        /* [bands][w][lanes] each */
	uint32_t *largest[2];     /* [P] max only: pooled value of the competing classes */
	uint32_t *line;           /* [P] max only: v of class `of`, then its maximum along rows */
	uint32_t *prefix, *suffix;/* [P] max only: running maxima from block ends */
	size_t of;                /* max only: the class being pooled */
} job;

/* Lays the scratch memory out from base (nowhere when NULL) and returns its size. */
static size_t lay_out(job *j, char *base)
{
	size_t at = 0, big = j->bands * j->w * j->lanes, one = j->pixels;
	size_t words = one * sizeof(uint32_t);
#define TAKE(field, bytes)                                                                         \
	(j->field = base != NULL ? (void *)(base + at) : NULL, at += round_up(bytes, TP_ALIGN))
	TAKE(columns.total.sum, big * sizeof(uint64_t));
	TAKE(columns.total.voters, big * sizeof(uint32_t));
	if (j->rule.triangle) {
		TAKE(columns.behind.sum, big * sizeof(uint64_t));
		TAKE(columns.behind.voters, big * sizeof(uint32_t));
		TAKE(columns.ahead.sum, big * sizeof(uint64_t));
		TAKE(columns.ahead.voters, big * sizeof(uint32_t));
	}
	TAKE(own[0], words);
	TAKE(own[1], words);
	TAKE(v, words);
	TAKE(next, one);
	TAKE(top[0], one);
	TAKE(top[1], one);
	if (j->spec->pool == VOTE_MAX) {
		TAKE(largest[0], words);
		TAKE(largest[1], words);
		TAKE(line, words);
		TAKE(prefix, words);
		TAKE(suffix, words);
	}
#undef TAKE
	return at;
}

/* Bands of rows. A band starts by adding up the rows of its first window: where that would be more
 * rows than the image has, bands are half as many. Results are sums of integers: cutting changes no
 * bit. */
static size_t bands_of(size_t h, size_t reach)
{
	size_t n = 2 * reach * BANDS > h ? BANDS / 2 : BANDS;
	return h < n ? h : n;
}

/* Without the image: everything that the size of the scratch memory depends on. */
static job job_of(const vote_spec *spec, size_t classes, size_t h, size_t w)
{
	bool rare = spec->rare_share > 0.0;
	size_t window = rare && spec->window_rare > spec->window ? spec->window_rare : spec->window;
	job j = {.spec = spec, .rule = vote_rule_of(spec), .classes = classes, .h = h, .w = w,
	         .pixels = h * w, .reach = (window - 1) / 2, .groups = rare ? 2 : 1,
	         .lanes = round_up(classes, VOTE_LANES) + (rare ? VOTE_LANES : 0),
	         .chunks = grid_chunks(h * w, GRAIN)};
	j.bands = bands_of(h, j.reach);
	return j;
}

size_t vote_scratch(const vote_spec *spec, size_t classes, size_t h, size_t w)
{
	job j = job_of(spec, classes, h, w);
	return lay_out(&j, NULL);
}

/* Gives every class its window and its lane. */
static void group_classes(job *j)
{
	size_t lane = 0;
	for (size_t g = 0; g < j->groups; g++) {
		size_t window = g == 0 ? j->spec->window : j->spec->window_rare;
		j->group[g].reach = (window - 1) / 2;
		j->group[g].from = lane;
		for (size_t k = 0; k < j->classes; k++) {
			bool rare = j->groups == 2 && j->image->rare != NULL && j->image->rare[k];
			if (rare == (g == 1))
				j->lane[k] = (uint16_t)lane++;
		}
		lane = round_up(lane, VOTE_LANES);
		j->group[g].lanes = lane - j->group[g].from;
	}
	for (size_t k = 0; k < j->classes; k++) {
		j->class_reach[k] = (uint16_t)vote_reach(j->spec, j->image, k);
		j->limit[k] = vote_limit(j->spec, j->image->lambda[k]);
	}
}

/* Competing classes, their r or p, and v of the labelled pixels. */
static TP_SIMD void prepare_chunk(void *arg, size_t chunk, size_t worker)
{
	const job *j = arg;
	size_t begin, end;
	float best[2][BLOCK], own[2][BLOCK];
	int32_t top[2][BLOCK];
	bool by_r = j->spec->rank == VOTE_TOP2_BY_R, of_r = j->spec->value == VOTE_OF_R;
	pool_part(j->pixels, j->chunks, chunk, &begin, &end);
	for (size_t at = begin; at < end; at += BLOCK) {
		size_t n = end - at < BLOCK ? end - at : BLOCK;
		for (size_t i = 0; i < n; i++) {
			best[0][i] = best[1][i] = -1.0f;
			own[0][i] = own[1][i] = 0.0f;
			top[0][i] = top[1][i] = 0;
		}
		for (size_t k = 0; k < j->classes; k++) {
			const float *p = j->image->p + k * j->pixels + at;
			float lambda = j->image->lambda[k];
			int32_t class = (int32_t)k;
			for (size_t i = 0; i < n; i++) {
				float r = p[i] / lambda, rank = by_r ? r : p[i], value = of_r ? r : p[i];
				bool first = rank > best[0][i], second = rank > best[1][i];
				best[1][i] = first ? best[0][i] : second ? rank : best[1][i];
				own[1][i] = first ? own[0][i] : second ? value : own[1][i];
				top[1][i] = first ? top[0][i] : second ? class : top[1][i];
				best[0][i] = first ? rank : best[0][i];
				own[0][i] = first ? value : own[0][i];
				top[0][i] = first ? class : top[0][i];
			}
		}
		for (int c = 0; c < 2; c++)
			for (size_t i = 0; i < n; i++) {
				j->top[c][at + i] = (uint8_t)top[c][i];
				j->own[c][at + i] = (uint32_t)vote_quantise(own[c][i]);
			}
		for (size_t i = at; i < at + n; i++) {
			size_t k = j->label[i];
			if (k == LABEL_NONE)
				continue;
			float p = j->image->p[k * j->pixels + i];
			j->v[i] = (uint32_t)vote_quantise(of_r ? p / j->image->lambda[k] : p);
		}
	}
}

/* The voters of a class around a pixel that have its colour, one by one. Out of line: within the sweep it
 * would take registers from the plain case. */
static __attribute__((noinline)) void similar_voters(const job *j, size_t y, size_t x, size_t class,
                                     vote_candidate *c)
{
	size_t reach = j->class_reach[class], w = j->w;
	size_t top = y < reach ? 0 : y - reach, bottom = j->h - 1 - y < reach ? j->h : y + reach + 1;
	size_t left = x < reach ? 0 : x - reach, right = w - 1 - x < reach ? w : x + reach + 1;
	const uint8_t *rgb = j->image->rgb, *color = rgb + (y * w + x) * 3;
	int distance = (int)j->spec->color_distance;
	bool max = j->rule.pool == VOTE_MAX;
	c->voters = 0;
	c->pooled = 0;
	for (size_t ny = top; ny < bottom; ny++)
		for (size_t at = ny * w + left; at < ny * w + right; at++) {
			if (j->label[at] != class || !vote_similar(rgb + at * 3, color, distance))
				continue;
			size_t nx = at - ny * w, dy = ny < y ? y - ny : ny - y, dx = nx < x ? x - nx : nx - x;
			uint32_t weight =
				j->rule.triangle ? (uint32_t)((reach + 1 - dy) * (reach + 1 - dx)) : 1;
			c->voters += weight;
			if (!max)
				c->pooled += (uint64_t)weight * j->v[at];
			else if (j->v[at] > c->pooled)
				c->pooled = j->v[at];
		}
}

static TP_INLINE void vote_on(const job *j, vote_lanes window, size_t y, size_t x)
{
	size_t i = y * j->w + x;
	if (j->label[i] != LABEL_NONE)
		return;
	j->next[i] = LABEL_NONE;
	if (j->agree != NULL && j->agree[i] == 0)
		return;
	vote_candidate two[2];
	for (int n = 0; n < 2; n++) {
		size_t k = j->top[n][i], lane = j->lane[k];
		two[n] = (vote_candidate){.own = j->own[n][i], .voters = window.voters[lane],
		                          .pooled = window.sum[lane], .limit = j->limit[k]};
		if (j->by_color && two[n].voters > 0) /* the sums tell where a search is in vain */
			similar_voters(j, y, x, k, &two[n]);
		else if (j->rule.pool == VOTE_MAX && !j->by_color)
			two[n].pooled = j->largest[n][i];
		two[n].divisor =
			vote_divisor(&j->rule, two[n].voters, y, x, j->h, j->w, j->class_reach[k]);
	}
	int winner = vote_decide(&j->rule, two, &j->v[i]);
	if (winner >= 0)
		j->next[i] = j->top[winner][i];
}

static TP_INLINE void sweep_row(const job *j, const vote_voters *of, vote_lanes columns, size_t y,
                                bool triangle)
{
	uint64_t sum[3][VOTE_LANES_MAX];
	uint32_t voters[3][VOTE_LANES_MAX];
	for (size_t n = 0; n < (triangle ? 3 : 1); n++)
		for (size_t k = 0; k < j->lanes; k++) {
			sum[n][k] = 0;
			voters[n][k] = 0;
		}
	vote_sums window = {{sum[0], voters[0]}, {sum[1], voters[1]}, {sum[2], voters[2]}};
	/* By value and with a known start: read from *j at every step they would cost a fifth more. */
	const vote_group common = {j->group[0].reach, 0, j->group[0].lanes}, rare = j->group[1];
	for (ptrdiff_t x = vote_before(&common); x < -1; x++)
		vote_window_step(of, &common, window, columns, x, triangle);
	for (ptrdiff_t x = vote_before(&rare); x < -1 && j->groups == 2; x++)
		vote_window_step(of, &rare, window, columns, x, triangle);
	for (size_t x = 0; x < j->w; x++) {
		vote_window_step(of, &common, window, columns, (ptrdiff_t)x - 1, triangle);
		if (j->groups == 2)
			vote_window_step(of, &rare, window, columns, (ptrdiff_t)x - 1, triangle);
		vote_on(j, window.total, y, x);
	}
}

static TP_INLINE vote_lanes band_lanes(vote_lanes all, size_t band, size_t n)
{
	vote_lanes lanes = {all.sum + band * n, all.voters + band * n};
	memset(lanes.sum, 0, n * sizeof *lanes.sum);
	memset(lanes.voters, 0, n * sizeof *lanes.voters);
	return lanes;
}

static TP_INLINE void sweep(const job *j, size_t band, bool triangle)
{
	size_t begin, end, n = j->w * j->lanes;
	pool_part(j->h, j->bands, band, &begin, &end);
	vote_voters of = {j->label, j->v, j->h, j->w, j->lanes, j->lane};
	vote_sums columns = {.total = band_lanes(j->columns.total, band, n)};
	if (triangle) {
		columns.behind = band_lanes(j->columns.behind, band, n);
		columns.ahead = band_lanes(j->columns.ahead, band, n);
	}
	for (size_t y = begin; y < end; y++) {
		for (size_t g = 0; g < j->groups; g++)
			if (y == begin)
				vote_rows_start(&of, &j->group[g], columns, y, triangle);
			else
				vote_rows_step(&of, &j->group[g], columns, y - 1, triangle);
		sweep_row(j, &of, columns.total, y, triangle);
	}
}

static TP_SIMD void sweep_band(void *arg, size_t band, size_t worker)
{
	sweep(arg, band, false);
}

static TP_SIMD void sweep_band_triangle(void *arg, size_t band, size_t worker)
{
	sweep(arg, band, true);
}

static void commit_chunk(void *arg, size_t chunk, size_t worker)
{
	const job *j = arg;
	size_t begin, end;
	pool_part(j->pixels, j->chunks, chunk, &begin, &end);
	for (size_t i = begin; i < end; i++)
		if (j->label[i] == LABEL_NONE)
			j->label[i] = j->next[i];
}

static TP_SIMD void max_rows_band(void *arg, size_t band, size_t worker)
{
	const job *j = arg;
	size_t begin, end, w = j->w;
	pool_part(j->h, j->bands, band, &begin, &end);
	for (size_t y = begin; y < end; y++) {
		uint32_t *line = j->line + y * w;
		const uint8_t *label = j->label + y * w;
		const uint32_t *v = j->v + y * w;
		for (size_t x = 0; x < w; x++)
			line[x] = label[x] == j->of ? v[x] : 0;
		running_max(line, j->prefix + y * w, j->suffix + y * w, w, 1, 1, j->class_reach[j->of]);
	}
}

/* Strips of columns, narrow enough that the three maps of a strip stay in L2 from one end of a
 * window to the other. */
static size_t strips_of(size_t w) { return (w + STRIP - 1) / STRIP; }

static TP_SIMD void max_columns_strip(void *arg, size_t strip, size_t worker)
{
	const job *j = arg;
	size_t w = j->w, reach = j->class_reach[j->of];
	size_t begin = strip * STRIP, end = begin + STRIP < w ? begin + STRIP : w;
	uint32_t *prefix = j->prefix + begin * j->h, *suffix = j->suffix + begin * j->h;
	if (end - begin == STRIP) /* the compiler keeps a known width in registers */
		running_max(j->line + begin, prefix, suffix, j->h, w, STRIP, reach);
	else
		running_max(j->line + begin, prefix, suffix, j->h, w, end - begin, reach);
	for (size_t y = 0; y < j->h; y++)
		for (size_t i = y * w + begin; i < y * w + end; i++)
			for (int n = 0; n < 2; n++)
				if (j->top[n][i] == j->of)
					j->largest[n][i] = j->line[i];
}

static void pool_maxima(job *j, pool *workers)
{
	for (j->of = 0; j->of < j->classes; j->of++) {
		pool_run(workers, j->bands, max_rows_band, j);
		pool_run(workers, strips_of(j->w), max_columns_strip, j);
	}
}

void vote_run(const vote_spec *spec, const vote_image *image, uint8_t *label, void *scratch,
              pool *workers)
{
	size_t iterations = spec->reuse_voted || spec->iterations == 0 ? spec->iterations : 1;
	if (iterations == 0 || image->h * image->w == 0)
		return;
	job j = job_of(spec, image->classes, image->h, image->w);
	j.image = image;
	j.label = label;
	j.by_color = spec->color_distance > 0 && image->rgb != NULL;
	j.agree = spec->flips_agree ? image->agree : NULL;
	group_classes(&j);
	lay_out(&j, scratch);
	pool_run(workers, j.chunks, prepare_chunk, &j);
	for (size_t t = 0; t < iterations; t++) {
		if (spec->pool == VOTE_MAX && !j.by_color)
			pool_maxima(&j, workers);
		pool_run(workers, j.bands, j.rule.triangle ? sweep_band_triangle : sweep_band, &j);
		pool_run(workers, j.chunks, commit_chunk, &j);
	}
}
