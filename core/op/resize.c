#include "op/resize.h"

#include <string.h>

#include "base/simd.h"

enum {
	BLOCK = 512,       /* output columns whose source positions stand in one table */
	CHUNKS = 64,       /* about so many parts of all planes; each sets up its own tables */
	TILE = 32,         /* transposes: pixels and channels that stay in L1 */
	TILE_PIXELS = 512, /* and pixels in one parallel part */
};

/* Source position of one output: between `lo` and lo+1 (or at the border, hi = lo). The position is
 * a fraction, so it is exact in integers: no rounding decides between two neighbours. */
typedef struct place {
	size_t lo, hi;
	float frac; /* weight of hi */
} place;

static place place_of(size_t o, size_t in, size_t out, bool align_corners)
{
	uint64_t num, den;
	if (align_corners) {
		num = out > 1 ? (uint64_t)o * (in - 1) : 0;
		den = out > 1 ? out - 1 : 1;
	} else {
		num = (uint64_t)(2 * o + 1) * in;
		num = num > out ? num - out : 0; /* clamped at the centre of the first pixel */
		den = 2 * (uint64_t)out;
	}
	size_t lo = (size_t)(num / den);
	if (lo + 1 >= in)
		return (place){.lo = in - 1, .hi = in - 1, .frac = 0.0f};
	return (place){.lo = lo, .hi = lo + 1, .frac = (float)((double)(num % den) / (double)den)};
}

typedef struct columns {
	size_t first, count;
	int32_t lo[BLOCK], hi[BLOCK];
	float frac[BLOCK];
} columns;

static void columns_set(columns *t, const resize_shape *s, size_t first)
{
	t->first = first;
	t->count = s->out_w - first < BLOCK ? s->out_w - first : BLOCK;
	for (size_t i = 0; i < t->count; i++) {
		place p = place_of(first + i, s->in_w, s->out_w, s->align_corners);
		t->lo[i] = (int32_t)p.lo;
		t->hi[i] = (int32_t)p.hi;
		t->frac[i] = p.frac;
	}
}

typedef struct job {
	const resize_shape *s;
	const float *from;
	float *to;
	size_t chunks; /* per plane */
} job;

TP_SIMD static void stretch_row(const columns *t, const float *restrict row, float *restrict to)
{
	for (size_t i = 0; i < t->count; i++) {
		float a = row[t->lo[i]], b = row[t->hi[i]];
		to[i] = a + t->frac[i] * (b - a);
	}
}

TP_SIMD static void blend_rows(const float *restrict a, const float *restrict b, float frac,
                               size_t n, float *restrict to)
{
	for (size_t i = 0; i < n; i++)
		to[i] = a[i] + frac * (b[i] - a[i]);
}

/* Rows of one plane: both source rows are stretched sideways, then blended; when enlarging, most
 * output rows find their source rows stretched already. */
static void forward_rows(void *arg, size_t chunk, size_t worker)
{
	const job *b = arg;
	const resize_shape *s = b->s;
	const float *x = b->from + chunk / b->chunks * s->in_h * s->in_w;
	float *y = b->to + chunk / b->chunks * s->out_h * s->out_w;
	size_t begin, end;
	pool_part(s->out_h, b->chunks, chunk % b->chunks, &begin, &end);
	columns t;
	float stretched[2][BLOCK];
	for (size_t col = 0; col < s->out_w; col += BLOCK) {
		columns_set(&t, s, col);
		size_t held[2] = {SIZE_MAX, SIZE_MAX}; /* stretched[r % 2] is source row r */
		for (size_t oy = begin; oy < end; oy++) {
			place p = place_of(oy, s->in_h, s->out_h, s->align_corners);
			for (size_t r = p.lo; r <= p.hi; r++)
				if (held[r % 2] != r) {
					stretch_row(&t, x + r * s->in_w, stretched[r % 2]);
					held[r % 2] = r;
				}
			blend_rows(stretched[p.lo % 2], stretched[p.hi % 2], p.frac, t.count,
			           y + oy * s->out_w + col);
		}
	}
}

/* Parts per plane. */
static size_t row_chunks(const resize_shape *s, size_t rows)
{
	size_t n = (CHUNKS + s->c - 1) / s->c;
	return n < rows ? n : rows;
}

void resize_forward(const resize_shape *s, const float *x, float *y, pool *p)
{
	job b = {.s = s, .from = x, .to = y, .chunks = row_chunks(s, s->out_h)};
	pool_run(p, s->c * b.chunks, forward_rows, &b);
}

/* First output row whose upper (want_hi) or lower source row is at least `row`. */
static size_t first_output(const resize_shape *s, size_t row, bool want_hi)
{
	size_t lo = 0, hi = s->out_h;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		place p = place_of(mid, s->in_h, s->out_h, s->align_corners);
		if ((want_hi ? p.hi : p.lo) >= row)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

TP_SIMD static void add_row(const float *restrict from, float weight, size_t n, float *restrict to)
{
	for (size_t i = 0; i < n; i++)
		to[i] += weight * from[i];
}

/* Adjoint of stretch_row. Neighbouring outputs share their source, so the two sums stay in
 * registers until the source moves on. */
static void gather_row(const columns *t, const float *v, float *to)
{
	for (size_t i = 0; i < t->count;) {
		const int32_t lo = t->lo[i], hi = t->hi[i];
		float sum_lo = 0.0f, sum_hi = 0.0f;
		for (; i < t->count && t->lo[i] == lo; i++) {
			sum_lo += (1.0f - t->frac[i]) * v[i];
			sum_hi += t->frac[i] * v[i];
		}
		to[lo] += sum_lo;
		if (hi != lo)
			to[hi] += sum_hi;
	}
}

/* Input rows of one plane: the output rows that read a row are added up, then its columns. */
static void backward_rows(void *arg, size_t chunk, size_t worker)
{
	const job *b = arg;
	const resize_shape *s = b->s;
	const float *dy = b->from + chunk / b->chunks * s->out_h * s->out_w;
	float *dx = b->to + chunk / b->chunks * s->in_h * s->in_w;
	size_t begin, end;
	pool_part(s->in_h, b->chunks, chunk % b->chunks, &begin, &end);
	memset(dx + begin * s->in_w, 0, (end - begin) * s->in_w * sizeof *dx);
	columns t;
	float sum[BLOCK];
	for (size_t col = 0; col < s->out_w; col += BLOCK) {
		columns_set(&t, s, col);
		for (size_t iy = begin; iy < end; iy++) {
			const size_t first = first_output(s, iy, true);
			const size_t last = first_output(s, iy + 1, false);
			memset(sum, 0, t.count * sizeof *sum);
			for (size_t oy = first; oy < last; oy++) {
				place p = place_of(oy, s->in_h, s->out_h, s->align_corners);
				float weight = p.lo == iy ? 1.0f - p.frac : p.frac;
				add_row(dy + oy * s->out_w + col, weight, t.count, sum);
			}
			gather_row(&t, sum, dx + iy * s->in_w);
		}
	}
}

void resize_backward(const resize_shape *s, const float *dy, float *dx, pool *p)
{
	job b = {.s = s, .from = dy, .to = dx, .chunks = row_chunks(s, s->in_h)};
	pool_run(p, s->c * b.chunks, backward_rows, &b);
}

typedef struct turn {
	const float *from;
	float *to;
	size_t pixels, c;
	bool planar; /* the result is */
} turn;

/* In tiles small enough that the rows touched by the strided side stay in L1. */
TP_SIMD static void turn_pixels(const turn *t, size_t begin, size_t end)
{
	for (size_t p0 = begin; p0 < end; p0 += TILE)
		for (size_t c0 = 0; c0 < t->c; c0 += TILE) {
			const size_t p1 = p0 + TILE < end ? p0 + TILE : end;
			const size_t c1 = c0 + TILE < t->c ? c0 + TILE : t->c;
			if (t->planar) {
				for (size_t c = c0; c < c1; c++)
					for (size_t p = p0; p < p1; p++)
						t->to[c * t->pixels + p] = t->from[p * t->c + c];
			} else {
				for (size_t p = p0; p < p1; p++)
					for (size_t c = c0; c < c1; c++)
						t->to[p * t->c + c] = t->from[c * t->pixels + p];
			}
		}
}

static void turn_chunk(void *arg, size_t chunk, size_t worker)
{
	const turn *t = arg;
	const size_t begin = chunk * TILE_PIXELS, end = begin + TILE_PIXELS;
	turn_pixels(t, begin, end < t->pixels ? end : t->pixels);
}

void to_planar(const float *x, size_t pixels, size_t c, float *y, pool *p)
{
	turn t = {.from = x, .to = y, .pixels = pixels, .c = c, .planar = true};
	pool_run(p, (pixels + TILE_PIXELS - 1) / TILE_PIXELS, turn_chunk, &t);
}

void to_pixels(const float *x, size_t pixels, size_t c, float *y, pool *p)
{
	turn t = {.from = x, .to = y, .pixels = pixels, .c = c, .planar = false};
	pool_run(p, (pixels + TILE_PIXELS - 1) / TILE_PIXELS, turn_chunk, &t);
}
