#include "adapt/vote.h"

#include <string.h>

#include "adapt/pseudo.h"
#include "adapt/vote_rule.h"
#include "base/grid.h"
#include "base/mem.h"

/* One iteration is a sweep: each chunk takes a band of rows and slides the window down it, keeping
 * per column and class the sum and number of voters inside the window's rows, then along each
 * row, adding one column and dropping one. A pixel costs K additions whatever the window. The
 * band's start costs one pass over `window` rows; bands are few for that reason.
 *
 * Voted labels go to `next` until every band is done; v of an unlabelled pixel may be written at
 * once, since only labelled pixels are read. */
enum { BLOCK = 256, GRAIN = 4096, BANDS = 16, LANES = 8, STRIP = 32 };

typedef struct columns {
	uint64_t *sum;    /* [w][lanes] */
	uint32_t *voters; /* [w][lanes] */
} columns;

typedef struct job {
	const vote_spec *spec;
	vote_rule rule;
	const float *p, *lambda;
	size_t classes, h, w, pixels, reach;
	size_t lanes;             /* classes rounded up: whole vectors */
	size_t bands, chunks;     /* of rows; of pixels */
	uint8_t *label;
	uint8_t *next;            /* [P] */
	uint8_t *top[2];          /* [P] the competing classes */
	uint32_t *own[2];         /* [P] their r */
	uint32_t *v;              /* [P] value of a labelled pixel as a voter */
	uint64_t *sum;            /* [bands][w][lanes] */
	uint32_t *voters;         /* [bands][w][lanes] */
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
	TAKE(sum, big * sizeof(uint64_t));
	TAKE(voters, big * sizeof(uint32_t));
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

static job job_of(const vote_spec *spec, size_t classes, size_t h, size_t w)
{
	return (job){.spec = spec, .classes = classes, .h = h, .w = w, .pixels = h * w,
	             .reach = (spec->window - 1) / 2, .lanes = round_up(classes, LANES),
	             .bands = bands_of(h, (spec->window - 1) / 2), .chunks = grid_chunks(h * w, GRAIN)};
}

size_t vote_scratch(const vote_spec *spec, size_t classes, size_t h, size_t w)
{
	job j = job_of(spec, classes, h, w);
	return lay_out(&j, NULL);
}

/* Competing classes, their r, and v of the labelled pixels. */
static TP_SIMD void prepare_chunk(void *arg, size_t chunk, size_t worker)
{
	const job *j = arg;
	size_t begin, end;
	float best[2][BLOCK], own[2][BLOCK];
	int32_t top[2][BLOCK];
	bool by_r = j->spec->rank == VOTE_TOP2_BY_R;
	pool_part(j->pixels, j->chunks, chunk, &begin, &end);
	for (size_t at = begin; at < end; at += BLOCK) {
		size_t n = end - at < BLOCK ? end - at : BLOCK;
		for (size_t i = 0; i < n; i++) {
			best[0][i] = best[1][i] = -1.0f;
			own[0][i] = own[1][i] = 0.0f;
			top[0][i] = top[1][i] = 0;
		}
		for (size_t k = 0; k < j->classes; k++) {
			const float *p = j->p + k * j->pixels + at;
			float lambda = j->lambda[k];
			int32_t class = (int32_t)k;
			for (size_t i = 0; i < n; i++) {
				float r = p[i] / lambda, value = by_r ? r : p[i];
				bool first = value > best[0][i], second = value > best[1][i];
				best[1][i] = first ? best[0][i] : second ? value : best[1][i];
				own[1][i] = first ? own[0][i] : second ? r : own[1][i];
				top[1][i] = first ? top[0][i] : second ? class : top[1][i];
				best[0][i] = first ? value : best[0][i];
				own[0][i] = first ? r : own[0][i];
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
			if (k != LABEL_NONE)
				j->v[i] = (uint32_t)vote_quantise(j->p[k * j->pixels + i] /
				                                  j->lambda[k]);
		}
	}
}

/* Adds (sign 1) or removes (sign -1) the voters of row y. */
static TP_INLINE void columns_row(const job *j, columns c, size_t y, int sign)
{
	const uint8_t *label = j->label + y * j->w;
	const uint32_t *v = j->v + y * j->w;
	for (size_t x = 0; x < j->w; x++) {
		if (label[x] == LABEL_NONE)
			continue;
		size_t at = x * j->lanes + label[x];
		c.sum[at] += sign > 0 ? v[x] : -(uint64_t)v[x];
		c.voters[at] += (uint32_t)sign;
	}
}

static TP_INLINE void window_add(uint64_t *sum, uint32_t *voters, columns c, size_t x,
                                 size_t lanes)
{
	for (size_t k = 0; k < lanes; k++)
		sum[k] += c.sum[x * lanes + k];
	for (size_t k = 0; k < lanes; k++)
		voters[k] += c.voters[x * lanes + k];
}

static TP_INLINE void window_drop(uint64_t *sum, uint32_t *voters, columns c, size_t x,
                                  size_t lanes)
{
	for (size_t k = 0; k < lanes; k++)
		sum[k] -= c.sum[x * lanes + k];
	for (size_t k = 0; k < lanes; k++)
		voters[k] -= c.voters[x * lanes + k];
}

static TP_INLINE void sweep_row(const job *j, columns c, size_t y)
{
	uint64_t sum[256] = {0};
	uint32_t voters[256] = {0};
	size_t reach = j->reach, w = j->w, lanes = j->lanes;
	bool max = j->rule.pool == VOTE_MAX;
	for (size_t x = 0; x < w && x < reach; x++)
		window_add(sum, voters, c, x, lanes);
	for (size_t x = 0; x < w; x++) {
		if (x + reach < w)
			window_add(sum, voters, c, x + reach, lanes);
		if (x > reach)
			window_drop(sum, voters, c, x - reach - 1, lanes);
		size_t i = y * w + x;
		if (j->label[i] != LABEL_NONE)
			continue;
		vote_candidate two[2];
		for (int n = 0; n < 2; n++) {
			size_t k = j->top[n][i];
			two[n] = (vote_candidate){j->own[n][i], voters[k],
			                          max ? j->largest[n][i] : sum[k]};
		}
		uint64_t area = vote_area(j->spec->border, y, x, j->h, w, reach);
		int winner = vote_decide(&j->rule, two, area, &j->v[i]);
		j->next[i] = winner < 0 ? LABEL_NONE : j->top[winner][i];
	}
}

static TP_SIMD void sweep_band(void *arg, size_t band, size_t worker)
{
	const job *j = arg;
	size_t begin, end, n = j->w * j->lanes;
	pool_part(j->h, j->bands, band, &begin, &end);
	columns c = {j->sum + band * n, j->voters + band * n};
	memset(c.sum, 0, n * sizeof *c.sum);
	memset(c.voters, 0, n * sizeof *c.voters);
	for (size_t y = begin < j->reach ? 0 : begin - j->reach; y < j->h && y < begin + j->reach; y++)
		columns_row(j, c, y, 1);
	for (size_t y = begin; y < end; y++) {
		if (y + j->reach < j->h)
			columns_row(j, c, y + j->reach, 1);
		if (y > begin && y > j->reach)
			columns_row(j, c, y - j->reach - 1, -1);
		sweep_row(j, c, y);
	}
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

/* Running maxima over a window of 2*reach+1 elements at three comparisons each (van Herk, Gil and
 * Werman): maxima from the start of each block of window length, and from its end; a window is
 * the end of one block and the start of the next. Elements of x are `stride` apart, `lanes` lines
 * lie side by side; prefix and suffix [n][lanes] are dense, since a stride of a power of two would
 * put them in few sets of the cache. The result replaces `x`. Blocks are counted along: a division
 * per element would cost more than the comparisons. */
static TP_INLINE void running_max(uint32_t *x, uint32_t *prefix, uint32_t *suffix, size_t n,
                                  size_t stride, size_t lanes, size_t reach)
{
	size_t window = 2 * reach + 1, in_block = 0;
	uint32_t most[STRIP] = {0}; /* so far, in registers: through memory it would wait for itself */
	for (size_t i = 0; i < n; i++) {
		uint32_t keep = in_block == 0 ? 0 : UINT32_MAX;
		for (size_t l = 0; l < lanes; l++) {
			uint32_t a = x[i * stride + l], b = most[l] & keep;
			most[l] = a > b ? a : b;
			prefix[i * lanes + l] = most[l];
		}
		in_block = in_block + 1 == window ? 0 : in_block + 1;
	}
	size_t to_end = n % window == 0 ? window : n % window; /* elements up to i in i's block */
	for (size_t i = n; i-- > 0;) {
		uint32_t keep = i + 1 == n || to_end == window ? 0 : UINT32_MAX;
		for (size_t l = 0; l < lanes; l++) {
			uint32_t a = x[i * stride + l], b = most[l] & keep;
			most[l] = a > b ? a : b;
			suffix[i * lanes + l] = most[l];
		}
		to_end = to_end == 1 ? window : to_end - 1;
	}
	size_t block_end = window; /* of the block that holds `low` */
	for (size_t i = 0; i < n; i++) {
		size_t low = i < reach ? 0 : i - reach, high = i + reach < n ? i + reach : n - 1;
		block_end += low == block_end ? window : 0;
		/* Inside one block the window touches the block's start or its (clipped) end. */
		bool from_start = low == 0, same = high < block_end;
		for (size_t l = 0; l < lanes; l++) {
			uint32_t a = from_start ? 0 : suffix[low * lanes + l];
			uint32_t b = same && !from_start ? 0 : prefix[high * lanes + l];
			x[i * stride + l] = a > b ? a : b;
		}
	}
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
		running_max(line, j->prefix + y * w, j->suffix + y * w, w, 1, 1, j->reach);
	}
}

/* Strips of columns, narrow enough that the three maps of a strip stay in L2 from one end of a
 * window to the other. */
static size_t strips_of(size_t w) { return (w + STRIP - 1) / STRIP; }

static TP_SIMD void max_columns_strip(void *arg, size_t strip, size_t worker)
{
	const job *j = arg;
	size_t begin, end, w = j->w;
	begin = strip * STRIP;
	end = begin + STRIP < w ? begin + STRIP : w;
	uint32_t *prefix = j->prefix + begin * j->h, *suffix = j->suffix + begin * j->h;
	if (end - begin == STRIP) /* the compiler keeps a known width in registers */
		running_max(j->line + begin, prefix, suffix, j->h, w, STRIP, j->reach);
	else
		running_max(j->line + begin, prefix, suffix, j->h, w, end - begin, j->reach);
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

void vote_run(const vote_spec *spec, const float *p, const float *lambda, size_t classes, size_t h,
              size_t w, uint8_t *label, void *scratch, pool *workers)
{
	size_t iterations = spec->reuse_voted || spec->iterations == 0 ? spec->iterations : 1;
	if (iterations == 0 || h * w == 0)
		return;
	job j = job_of(spec, classes, h, w);
	j.rule = vote_rule_of(spec);
	j.p = p;
	j.lambda = lambda;
	j.label = label;
	lay_out(&j, scratch);
	pool_run(workers, j.chunks, prepare_chunk, &j);
	for (size_t t = 0; t < iterations; t++) {
		if (spec->pool == VOTE_MAX)
			pool_maxima(&j, workers);
		pool_run(workers, j.bands, sweep_band, &j);
		pool_run(workers, j.chunks, commit_chunk, &j);
	}
}
