/* gemm_goto: the text of a matrix product, compiled once for each vector length. Structure after Goto
 * and van de Geijn 2008 ("Anatomy of High-Performance Matrix Multiplication"): a block of B
 * [KC x NC] is packed into panels of NR columns and stays in the second-level cache; rows of A pass
 * over it MR at a time, from a small buffer in the first level; a tile of C [MR x NR] is summed in
 * 2 MR registers.
 *
 * Whoever includes it defines before
 *   GOTO_TARGET  the function attribute that allows the instructions
 *   GOTO_LANES   floats of a register
 *   GOTO_MR      rows of a tile: 2 MR sums, 2 vectors of B and 1 of A fill the registers
 * and gets goto_gemm, a gemm_fn. */
#include <string.h>

#include "op/gemm_kernel.h"

#define GOTO_INLINE GOTO_TARGET inline __attribute__((always_inline))

enum {
	LANES = GOTO_LANES,
	MR = GOTO_MR,
	NR = 2 * LANES,
	KC = 384, /* a panel of B takes 48 KiB with AVX-512, 24 with AVX2; the rows of A 21 or 9 */
	NC = 256,
	A_ROW = KC + LANES, /* no power of two: the rows use different cache sets */
	AHEAD_ROWS = NR,
	CACHE_WAYS = 8, /* as many rows lie in the first level beside each other, whatever their stride */
	LINE = 16, /* floats of a cache line */
};

typedef float vec __attribute__((vector_size(4 * GOTO_LANES), aligned(4), may_alias));

static inline size_t min_size(size_t a, size_t b) { return a < b ? a : b; }

/* Element (i, p) of the packed rows of A is a[i * row + p * step]. */
typedef struct packed_a {
	const float *at;
	size_t row, step;
} packed_a;

/* Memory wanted next, an unpacked panel of B or rows of A: NR floats at (p % AHEAD_ROWS) * near +
 * (p / AHEAD_ROWS) * far are fetched into the second-level cache beside multiplication step p of a
 * tile, so that memory works while the multipliers do. Nothing is read, so any address will do. */
typedef struct look_ahead {
	const float *at;
	size_t near, far;
} look_ahead;

/* What happens to the sums: c = alpha sums + beta c. */
typedef struct target {
	float alpha, beta;
	float *c;
	size_t ldc;
} target;

static GOTO_INLINE void store(const target *t, float *c, vec sum)
{
	vec v = sum * t->alpha;
	if (t->beta != 0.0f)
		v += *(const vec *)c * t->beta;
	*(vec *)c = v;
}

static GOTO_INLINE void store_part(const target *t, float *c, vec sum, size_t width)
{
	float v[LANES];
	*(vec *)v = sum * t->alpha;
	for (size_t i = 0; i < width; i++)
		c[i] = t->beta != 0.0f ? v[i] + c[i] * t->beta : v[i];
}

/* `rows` x (LANES * vectors) tile of C, of the last vector only `width` columns. Inlined with
 * constants for rows, vectors and the strides of A, so that the sums live in registers. */
static GOTO_INLINE void tile(size_t rows, size_t vectors, size_t k, packed_a a, const float *b,
                             look_ahead ahead, const target *t, float *c, size_t width)
{
	vec left[MR], right[MR];
#pragma GCC unroll 16
	for (size_t i = 0; i < rows; i++) {
		left[i] = right[i] = (vec){0};
		__builtin_prefetch(c + i * t->ldc, 0, 3);
		__builtin_prefetch(c + i * t->ldc + (vectors - 1) * LANES, 0, 3);
	}
	for (size_t left_k = k; left_k > 0; ahead.at += ahead.far) {
		const float *line = ahead.at;
		size_t stop = left_k < AHEAD_ROWS ? 0 : left_k - AHEAD_ROWS;
		for (; left_k > stop; left_k--, a.at += a.step, b += NR, line += ahead.near) {
			vec b0 = *(const vec *)b, b1 = *(const vec *)(b + (vectors - 1) * LANES);
			for (size_t q = 0; q < NR; q += LINE)
				__builtin_prefetch(line + q, 0, 2);
#pragma GCC unroll 16
			for (size_t i = 0; i < rows; i++) {
				float v = a.at[i * a.row];
				left[i] += v * b0;
				if (vectors == 2)
					right[i] += v * b1;
			}
		}
	}
#pragma GCC unroll 16
	for (size_t i = 0; i < rows; i++) {
		if (vectors == 2)
			store(t, c + i * t->ldc, left[i]);
		vec last = vectors == 2 ? right[i] : left[i];
		if (width == LANES)
			store(t, c + i * t->ldc + (vectors - 1) * LANES, last);
		else
			store_part(t, c + i * t->ldc + (vectors - 1) * LANES, last, width);
	}
}

static GOTO_INLINE void tile_rows(size_t rows, size_t vectors, size_t k, packed_a a,
                                  const float *b, look_ahead ahead, const target *t, float *c,
                                  size_t width)
{
	switch (rows) {
/* Heights above MR do not occur; they compile as 1, which fits the arrays of `tile`. */
#define ROWS(r)                                                                                    \
	case r:                                                                                    \
		tile(r <= MR ? r : 1, vectors, k, a, b, ahead, t, c, width);                       \
		break;
		ROWS(1) ROWS(2) ROWS(3) ROWS(4) ROWS(5) ROWS(6) ROWS(7)
		ROWS(8) ROWS(9) ROWS(10) ROWS(11) ROWS(12) ROWS(13) ROWS(14)
#undef ROWS
	}
	_Static_assert(MR <= 14, "every height has a case");
}

GOTO_TARGET static void pack_a_n(size_t rows, size_t k, const float *a, size_t lda, float *to)
{
	for (size_t i = 0; i < rows; i++)
		memcpy(to + i * A_ROW, a + i * lda, k * sizeof(float));
}

/* Columns i..i+rows-1 of a stored matrix that goes on for `room` columns, as rows of LANES. */
GOTO_TARGET static void pack_a_t(size_t rows, size_t room, size_t k, const float *a, size_t lda, float *to)
{
	_Static_assert(MR <= LANES, "a packed step of A is one vector");
	for (size_t p = 0; p < k; p++, a += lda, to += LANES) {
		if (room >= LANES)
			*(vec *)to = *(const vec *)a;
		else
			memcpy(to, a, rows * sizeof(float));
	}
}

/* A block of B, n columns by k rows, and its packed panels: panel j holds columns [NR j, NR j + NR)
 * as k rows of NR, zeros past the end. */
typedef struct block_b {
	gemm_op op;
	size_t k, n, ldb;
	const float *b;
	float *packed;
} block_b;

GOTO_TARGET static void pack_panel_n(const block_b *b, size_t j, float *to)
{
	size_t width = min_size(b->n - j, NR);
	const float *from = b->b + j;
	for (size_t p = 0; p < b->k; p++, from += b->ldb, to += NR) {
		if (width == NR) {
			*(vec *)to = *(const vec *)from;
			*(vec *)(to + LANES) = *(const vec *)(from + LANES);
		} else {
			memset(to, 0, NR * sizeof(float));
			memcpy(to, from, width * sizeof(float));
		}
	}
}

typedef float quad __attribute__((vector_size(16), aligned(4), may_alias));

/* Four stored rows of B, transposed: columns q..q+3 of a panel. */
GOTO_TARGET static void pack_four(size_t k, const float *b, size_t ldb, float *to)
{
	typedef int pick __attribute__((vector_size(16)));
	const pick low = {0, 4, 1, 5}, high = {2, 6, 3, 7}, front = {0, 1, 4, 5}, back = {2, 3, 6, 7};
	size_t p = 0;
	for (; p + 4 <= k; p += 4, to += 4 * NR) {
		quad r0 = *(const quad *)(b + p), r1 = *(const quad *)(b + ldb + p);
		quad r2 = *(const quad *)(b + 2 * ldb + p), r3 = *(const quad *)(b + 3 * ldb + p);
		quad l01 = __builtin_shuffle(r0, r1, low), h01 = __builtin_shuffle(r0, r1, high);
		quad l23 = __builtin_shuffle(r2, r3, low), h23 = __builtin_shuffle(r2, r3, high);
		*(quad *)to = __builtin_shuffle(l01, l23, front);
		*(quad *)(to + NR) = __builtin_shuffle(l01, l23, back);
		*(quad *)(to + 2 * NR) = __builtin_shuffle(h01, h23, front);
		*(quad *)(to + 3 * NR) = __builtin_shuffle(h01, h23, back);
	}
	for (; p < k; p++, to += NR)
		for (size_t i = 0; i < 4; i++)
			to[i] = b[i * ldb + p];
}

GOTO_TARGET static void pack_panel_t(const block_b *b, size_t j, float *to)
{
	size_t width = min_size(b->n - j, NR), q = 0;
	const float *from = b->b + j * b->ldb;
	for (; q + 4 <= width; q += 4)
		pack_four(b->k, from + q * b->ldb, b->ldb, to + q);
	for (; q < NR; q++)
		for (size_t p = 0; p < b->k; p++)
			to[p * NR + q] = q < width ? from[q * b->ldb + p] : 0.0f;
}

/* `rows` rows of C from column c on: the packed rows of A by all panels of B. The first call for a
 * block packs each panel just before its use and looks ahead to the next one; all look ahead to
 * the next rows of A. */
static GOTO_INLINE void row_of_tiles(size_t rows, const block_b *b, bool first, packed_a a,
                                     look_ahead next_a, const target *t, float *c)
{
	const look_ahead nothing = {b->packed, 0, 0};
	for (size_t j = 0; j < b->n; j += NR) {
		look_ahead ahead = (first ? j + NR >= b->n : j == 0) ? next_a : nothing;
		size_t width = min_size(b->n - j, NR);
		float *panel = b->packed + j * b->k;
		if (first && b->op == GEMM_T) {
			pack_panel_t(b, j, panel);
			if (j + NR < b->n)
				ahead = (look_ahead){b->b + (j + NR) * b->ldb, b->ldb, NR};
		} else if (first) {
			pack_panel_n(b, j, panel);
			if (j + NR < b->n)
				ahead = (look_ahead){b->b + j + NR, b->ldb, AHEAD_ROWS * b->ldb};
		}
		if (width > LANES)
			tile_rows(rows, 2, b->k, a, panel, ahead, t, c + j, width - LANES);
		else
			tile_rows(rows, 1, b->k, a, panel, ahead, t, c + j, width);
	}
}

/* A as stored, or rows of A copied one after the other. */
GOTO_TARGET static void rows_n(size_t rows, const block_b *b, bool first, const float *a, size_t lda,
                               look_ahead next_a, const target *t, float *c)
{
	packed_a p = {a, lda, 1};
	row_of_tiles(rows, b, first, p, next_a, t, c);
}

/* A transposed: one vector after the other. */
GOTO_TARGET static void rows_t(size_t rows, const block_b *b, bool first, const float *a, look_ahead next_a,
                        const target *t, float *c)
{
	packed_a p = {a, 1, LANES};
	row_of_tiles(rows, b, first, p, next_a, t, c);
}

static size_t cut(size_t n, size_t parts, size_t part) { return n * part / parts; }

/* All rows of C by one block of B; rows are cut evenly, so that no tile is much lower than the
 * others. */
GOTO_TARGET static void block_rows(gemm_op op_a, size_t m, const float *a, size_t lda, const block_b *b,
                            const target *t)
{
	enum { ROOM = MR * A_ROW > KC * LANES ? MR * A_ROW : KC * LANES }; /* either packing of A */
	float packed[ROOM] __attribute__((aligned(64)));
	size_t parts = (m + MR - 1) / MR;
	for (size_t r = 0; r < parts; r++) {
		size_t i = cut(m, parts, r), rows = cut(m, parts, r + 1) - i;
		if (op_a == GEMM_T) {
			look_ahead next = {a + i + rows, lda, AHEAD_ROWS * lda};
			pack_a_t(rows, m - i, b->k, a + i, lda, packed);
			rows_t(rows, b, r == 0, packed, next, t, t->c + i * t->ldc);
		} else {
			const bool copy = MR > CACHE_WAYS;
			const float *from = a + i * lda;
			look_ahead next = {from + rows * lda, lda, NR};
			if (copy)
				pack_a_n(rows, b->k, from, lda, packed);
			rows_n(rows, b, r == 0, copy ? packed : from, copy ? A_ROW : lda, next, t,
			       t->c + i * t->ldc);
		}
	}
}

static void goto_gemm(gemm_op op_a, gemm_op op_b, size_t m, size_t n, size_t k, float alpha,
                      const float *a, size_t lda, const float *b, size_t ldb, float beta, float *c,
                      size_t ldc)
{
	float packed[KC * NC] __attribute__((aligned(64)));
	size_t k_parts = k == 0 ? 1 : (k + KC - 1) / KC;
	for (size_t j = 0; j < n; j += NC)
		for (size_t part = 0; part < k_parts; part++) {
			size_t p = cut(k, k_parts, part), depth = cut(k, k_parts, part + 1) - p;
			block_b block = {.op = op_b, .k = depth, .n = min_size(n - j, NC),
			                 .ldb = ldb, .b = op_b == GEMM_T ? b + j * ldb + p : b + p * ldb + j,
			                 .packed = packed};
			target t = {.alpha = alpha, .beta = part == 0 ? beta : 1.0f, .c = c + j,
			            .ldc = ldc};
			block_rows(op_a, m, op_a == GEMM_T ? a + p * lda : a + p, lda, &block, &t);
		}
}
