#include "op/gemm_avx512.h"

#ifdef __x86_64__

#include <immintrin.h>
#include <string.h>

#define AVX512 __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,fma")))
#define AVX512_INLINE AVX512 inline __attribute__((always_inline))

enum {
	LANES = 16,
	MR = 14, /* rows and columns of a tile: 28 sums, 2 of B, 1 of A fill the 32 registers */
	NR = 2 * LANES,
	KC = 384, /* a panel of B is 48 KiB, the rows of A 21 KiB */
	NC = 256,
	A_ROW = KC + LANES, /* no power of two: the 14 rows use different cache sets */
};

bool gemm_avx512_usable(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
	       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
}

static inline size_t min_size(size_t a, size_t b) { return a < b ? a : b; }

/* Element (i, p) of the packed rows of A is a[i * row + p * step]. */
typedef struct packed_a {
	const float *at;
	size_t row, step;
} packed_a;

/* Memory wanted next, an unpacked panel of B or rows of A: its lines (p % 32) * near + (p / 32) *
 * far are fetched into the second-level cache beside multiplication step p of a tile, so that
 * memory works while the multipliers do. Nothing is read, so any address will do. */
typedef struct look_ahead {
	const float *at;
	size_t near, far;
} look_ahead;

enum { AHEAD_ROWS = 32 };

/* What happens to the sums: c = alpha sums + beta c. */
typedef struct target {
	float alpha, beta;
	float *c;
	size_t ldc;
} target;

static AVX512_INLINE void store(const target *t, float *c, __mmask16 mask, __m512 sum)
{
	__m512 v = _mm512_mul_ps(_mm512_set1_ps(t->alpha), sum);
	if (t->beta != 0.0f)
		v = _mm512_fmadd_ps(_mm512_set1_ps(t->beta), _mm512_maskz_loadu_ps(mask, c), v);
	_mm512_mask_storeu_ps(c, mask, v);
}

/* `rows` x (16 * vectors) tile of C, the last vector masked. Inlined with constants for rows,
 * vectors and the strides of A, so that the sums live in registers. */
static AVX512_INLINE void tile(size_t rows, size_t vectors, size_t k, packed_a a, const float *b,
                               look_ahead ahead, const target *t, float *c, __mmask16 mask)
{
	__m512 left[MR], right[MR];
#pragma GCC unroll 14
	for (size_t i = 0; i < rows; i++) {
		left[i] = right[i] = _mm512_setzero_ps();
		_mm_prefetch((const char *)(c + i * t->ldc), _MM_HINT_T0);
		_mm_prefetch((const char *)(c + i * t->ldc + (vectors - 1) * LANES), _MM_HINT_T0);
	}
	for (size_t left_k = k; left_k > 0; ahead.at += ahead.far) {
		const float *line = ahead.at;
		size_t stop = left_k < AHEAD_ROWS ? 0 : left_k - AHEAD_ROWS;
		for (; left_k > stop; left_k--, a.at += a.step, b += NR, line += ahead.near) {
			__m512 b0 = _mm512_load_ps(b);
			__m512 b1 = _mm512_load_ps(b + (vectors - 1) * LANES);
			_mm_prefetch((const char *)line, _MM_HINT_T1);
			_mm_prefetch((const char *)(line + LANES), _MM_HINT_T1);
#pragma GCC unroll 14
			for (size_t i = 0; i < rows; i++) {
				__m512 v = _mm512_set1_ps(a.at[i * a.row]);
				left[i] = _mm512_fmadd_ps(v, b0, left[i]);
				if (vectors == 2)
					right[i] = _mm512_fmadd_ps(v, b1, right[i]);
			}
		}
	}
#pragma GCC unroll 14
	for (size_t i = 0; i < rows; i++) {
		store(t, c + i * t->ldc, vectors == 2 ? 0xffff : mask, left[i]);
		if (vectors == 2)
			store(t, c + i * t->ldc + LANES, mask, right[i]);
	}
}

static AVX512_INLINE void tile_rows(size_t rows, size_t vectors, size_t k, packed_a a,
                                    const float *b, look_ahead ahead, const target *t, float *c,
                                    __mmask16 mask)
{
	switch (rows) {
#define ROWS(r)                                                                                    \
	case r:                                                                                    \
		tile(r, vectors, k, a, b, ahead, t, c, mask);                                      \
		break;
		ROWS(1) ROWS(2) ROWS(3) ROWS(4) ROWS(5) ROWS(6) ROWS(7)
		ROWS(8) ROWS(9) ROWS(10) ROWS(11) ROWS(12) ROWS(13) ROWS(14)
#undef ROWS
	}
}

AVX512 static void pack_a_n(size_t rows, size_t k, const float *a, size_t lda, float *to)
{
	for (size_t i = 0; i < rows; i++) {
		const float *from = a + i * lda;
		for (size_t p = 0; p < k; p += LANES) {
			size_t width = min_size(k - p, LANES);
			__mmask16 mask = (__mmask16)((1u << width) - 1);
			_mm512_mask_storeu_ps(to + i * A_ROW + p, mask,
			                      _mm512_maskz_loadu_ps(mask, from + p));
		}
	}
}

AVX512 static void pack_a_t(size_t rows, size_t k, const float *a, size_t lda, float *to)
{
	__mmask16 mask = (__mmask16)((1u << rows) - 1);
	for (size_t p = 0; p < k; p++, a += lda, to += LANES)
		_mm512_store_ps(to, _mm512_maskz_loadu_ps(mask, a));
}

/* A block of B, n columns by k rows, and its packed panels: panel j holds columns [32 j, 32 j + 32)
 * as k rows of 32, zeros past the end. */
typedef struct block_b {
	gemm_op op;
	size_t k, n, ldb;
	const float *b;
	float *packed;
} block_b;

AVX512 static void pack_panel_n(const block_b *b, size_t j, float *to)
{
	unsigned width = (unsigned)min_size(b->n - j, NR);
	__mmask32 mask = (__mmask32)((1ull << width) - 1);
	const float *from = b->b + j;
	for (size_t p = 0; p < b->k; p++, from += b->ldb, to += NR) {
		_mm512_store_ps(to, _mm512_maskz_loadu_ps((__mmask16)mask, from));
		_mm512_store_ps(to + LANES,
		                _mm512_maskz_loadu_ps((__mmask16)(mask >> LANES), from + LANES));
	}
}

/* Four stored rows of B, transposed: columns q..q+3 of a panel. */
AVX512 static void pack_four(size_t k, const float *b, size_t ldb, float *to)
{
	size_t p = 0;
	for (; p + 4 <= k; p += 4, to += 4 * NR) {
		__m128 r0 = _mm_loadu_ps(b + p), r1 = _mm_loadu_ps(b + ldb + p);
		__m128 r2 = _mm_loadu_ps(b + 2 * ldb + p), r3 = _mm_loadu_ps(b + 3 * ldb + p);
		_MM_TRANSPOSE4_PS(r0, r1, r2, r3);
		_mm_store_ps(to, r0);
		_mm_store_ps(to + NR, r1);
		_mm_store_ps(to + 2 * NR, r2);
		_mm_store_ps(to + 3 * NR, r3);
	}
	for (; p < k; p++, to += NR)
		for (size_t i = 0; i < 4; i++)
			to[i] = b[i * ldb + p];
}

AVX512 static void pack_panel_t(const block_b *b, size_t j, float *to)
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
static AVX512_INLINE void row_of_tiles(size_t rows, const block_b *b, bool first, packed_a a,
                                       look_ahead next_a, const target *t, float *c)
{
	const look_ahead nothing = {b->packed, 0, 0};
	for (size_t j = 0; j < b->n; j += NR) {
		look_ahead ahead = (first ? j + NR >= b->n : j == 0) ? next_a : nothing;
		size_t width = min_size(b->n - j, NR);
		size_t rest = width > LANES ? width - LANES : width;
		__mmask16 mask = (__mmask16)((1u << rest) - 1);
		float *panel = b->packed + j * b->k;
		if (first && b->op == GEMM_T) {
			pack_panel_t(b, j, panel);
			if (j + NR < b->n)
				ahead = (look_ahead){b->b + (j + NR) * b->ldb, b->ldb, 2 * LANES};
		} else if (first) {
			pack_panel_n(b, j, panel);
			if (j + NR < b->n)
				ahead = (look_ahead){b->b + j + NR, b->ldb, AHEAD_ROWS * b->ldb};
		}
		if (width > LANES)
			tile_rows(rows, 2, b->k, a, panel, ahead, t, c + j, mask);
		else
			tile_rows(rows, 1, b->k, a, panel, ahead, t, c + j, mask);
	}
}

/* A as stored: rows of A copied one after the other. */
AVX512 static void rows_n(size_t rows, const block_b *b, bool first, const float *a,
                          look_ahead next_a, const target *t, float *c)
{
	packed_a p = {a, A_ROW, 1};
	row_of_tiles(rows, b, first, p, next_a, t, c);
}

/* A transposed: one vector of 16 rows after the other. */
AVX512 static void rows_t(size_t rows, const block_b *b, bool first, const float *a,
                          look_ahead next_a, const target *t, float *c)
{
	packed_a p = {a, 1, LANES};
	row_of_tiles(rows, b, first, p, next_a, t, c);
}

static size_t cut(size_t n, size_t parts, size_t part) { return n * part / parts; }

/* All rows of C by one block of B; rows are cut evenly, so that no tile is much lower than the
 * others. */
AVX512 static void block_rows(gemm_op op_a, size_t m, const float *a, size_t lda, const block_b *b,
                              const target *t)
{
	float packed[KC * LANES] __attribute__((aligned(64)));
	_Static_assert(MR * A_ROW <= KC * LANES, "both packings of A fit");
	size_t parts = (m + MR - 1) / MR;
	for (size_t r = 0; r < parts; r++) {
		size_t i = cut(m, parts, r), rows = cut(m, parts, r + 1) - i;
		if (op_a == GEMM_T) {
			look_ahead next = {a + i + rows, lda, AHEAD_ROWS * lda};
			pack_a_t(rows, b->k, a + i, lda, packed);
			rows_t(rows, b, r == 0, packed, next, t, t->c + i * t->ldc);
		} else {
			look_ahead next = {a + (i + rows) * lda, lda, 2 * LANES};
			pack_a_n(rows, b->k, a + i * lda, lda, packed);
			rows_n(rows, b, r == 0, packed, next, t, t->c + i * t->ldc);
		}
	}
}

void gemm_avx512(gemm_op op_a, gemm_op op_b, size_t m, size_t n, size_t k, float alpha,
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

#else

bool gemm_avx512_usable(void) { return false; }

void gemm_avx512(gemm_op op_a, gemm_op op_b, size_t m, size_t n, size_t k, float alpha,
                 const float *a, size_t lda, const float *b, size_t ldb, float beta, float *c,
                 size_t ldc)
{
	__builtin_trap(); /* gemm.c asks gemm_avx512_usable first */
}

#endif
