#include "op/aspp.h"

#include <string.h>

#include "base/mem.h"
#include "op/conv_taps.h"
#include "op/epilogue.h"
#include "op/gemm.h"

/* All taps are columns of one wide matrix [in_c][wide], each of out_c floats. Seen from a source
 * pixel q, tap t of branch b adds to the output p = q - d_b t. Rows near the border reach no output
 * through the taps of large dilations, and the columns are ordered for it: taps that point down
 * (to outputs above), largest dilation first; taps within the row; taps that point up, smallest
 * first. So the columns that a row uses are one range, and rows with the same range, a band, are
 * one matrix product. The middle taps of all branches see the same pixel: they are one column, the
 * sum of their weights. */
enum {
	TAPS = 9,
	MIDDLE = 4,
	MOST_COLUMNS = 8 * ASPP_MAX_BRANCHES + 1,
	MOST_BANDS = 2 * ASPP_MAX_BRANCHES + 1,
	BLOCK_ROWS = 224, /* pixels per block of the two pixel-major products */
	TILE_IN = 256,    /* rows of one tile of the weight gradient; its columns: half of wide */
	BIAS_CHUNKS = 16,
};

/* Which weights a column of out_c floats holds; the middle one those of every branch. */
typedef struct tap_column {
	size_t branch, tap;
} tap_column;

/* Source rows [y0, y1) use the columns [c0, c1). */
typedef struct band {
	size_t y0, y1, c0, c1;
} band;

typedef struct aspp_job {
	const aspp_shape *s;
	tap_column column[MOST_COLUMNS];
	band band[MOST_BANDS];
	size_t columns, bands;
	size_t wide, row_blocks, col_blocks;
	const float *x, *dy, *prepared;
	const float *const *w, *const *bias;
	float *const *dw;
	float *z, *out; /* z: [pixels][wide], of all taps, to be shifted or made by shifting */
	bool accumulate;
	float *scratch;
	size_t worker_floats;
} aspp_job;

static size_t columns_of(const aspp_shape *s) { return (TAPS - 1) * s->branches + 1; }
static size_t wide_of(const aspp_shape *s) { return columns_of(s) * s->out_c; }

static size_t blocks_of(size_t n, size_t want) { return (n + want - 1) / want; }

/* Branches, smallest dilation first. */
static void sort_branches(const aspp_shape *s, size_t order[ASPP_MAX_BRANCHES])
{
	for (size_t i = 0; i < s->branches; i++) {
		size_t j = i;
		for (; j > 0 && s->dilation[order[j - 1]] > s->dilation[i]; j--)
			order[j] = order[j - 1];
		order[j] = i;
	}
}

static void add_columns(aspp_job *job, size_t branch, size_t first_tap, size_t end_tap)
{
	for (size_t tap = first_tap; tap < end_tap; tap++)
		if (tap != MIDDLE)
			job->column[job->columns++] = (tap_column){branch, tap};
}

/* The columns that source row y uses. */
static band band_of_row(const aspp_job *job, size_t y)
{
	const aspp_shape *s = job->s;
	band ret = {.y0 = y, .y1 = y + 1, .c1 = job->columns};
	for (size_t b = 0; b < s->branches; b++) {
		ret.c0 += s->dilation[b] > y ? 3 : 0;
		ret.c1 -= s->dilation[b] >= s->h - y ? 3 : 0;
	}
	return ret;
}

static aspp_job job_make(const aspp_plan *plan)
{
	const aspp_shape *s = &plan->shape;
	aspp_job job = {.s = s, .wide = wide_of(s)};
	size_t order[ASPP_MAX_BRANCHES];
	sort_branches(s, order);
	for (size_t i = s->branches; i-- > 0;)
		add_columns(&job, order[i], 6, 9);
	for (size_t i = 0; i < s->branches; i++)
		add_columns(&job, order[i], 3, 6);
	job.column[job.columns++] = (tap_column){0, MIDDLE};
	for (size_t i = 0; i < s->branches; i++)
		add_columns(&job, order[i], 0, 3);
	for (size_t y = 0; y < s->h; y++) {
		band row = band_of_row(&job, y);
		if (y == 0 || row.c0 != job.band[job.bands - 1].c0 ||
		    row.c1 != job.band[job.bands - 1].c1)
			job.band[job.bands++] = row;
		job.band[job.bands - 1].y1 = row.y1;
	}
	return job;
}

/* Parallel parts of a band, of about BLOCK_ROWS pixels each. */
static size_t band_parts(const aspp_job *job, const band *b)
{
	return blocks_of((b->y1 - b->y0) * job->s->w, BLOCK_ROWS);
}

static size_t row_parts(const aspp_job *job)
{
	size_t n = 0;
	for (size_t i = 0; i < job->bands; i++)
		n += band_parts(job, &job->band[i]);
	return n;
}

/* Part `part` of all bands' parts: its band and its pixels [*p0, *p1). */
static const band *row_part(const aspp_job *job, size_t part, size_t *p0, size_t *p1)
{
	const band *b = job->band;
	for (; part >= band_parts(job, b); b++)
		part -= band_parts(job, b);
	pool_part((b->y1 - b->y0) * job->s->w, band_parts(job, b), part, p0, p1);
	*p0 += b->y0 * job->s->w;
	*p1 += b->y0 * job->s->w;
	return b;
}

static size_t tile_floats(const aspp_shape *s)
{
	size_t rows = s->in_c < TILE_IN ? s->in_c : TILE_IN;
	return round_up(rows * blocks_of(wide_of(s), 2), 16);
}

/* Weights stay below 2^31 floats per branch, and so does the wide matrix of the image. */
static tp_status check_shape(const aspp_shape *s, tp_err *err)
{
	size_t limit = (size_t)1 << 31, pixels, n;
	if (s->branches < 1 || s->branches > ASPP_MAX_BRANCHES)
		return tp_fail(err, TP_SHAPE, 0, "aspp: %zu branches (1..%d)", s->branches,
		               ASPP_MAX_BRANCHES);
	for (size_t b = 0; b < s->branches; b++)
		if (s->dilation[b] < 1 || s->dilation[b] > 1 << 16)
			return tp_fail(err, TP_SHAPE, 0, "aspp: dilation %zu", s->dilation[b]);
	if (s->h == 0 || s->w == 0 || s->in_c == 0 || s->out_c == 0 ||
	    !mul_size(s->h, s->w, &pixels) || s->out_c > 1 << 16 ||
	    !mul_size(pixels, wide_of(s), &n) || n >= limit || !mul_size(pixels, s->in_c, &n) ||
	    n >= limit || !mul_size(s->in_c, wide_of(s), &n) || n >= limit)
		return tp_fail(err, TP_SHAPE, 0, "aspp: %zux%zux%zu -> %zu classes", s->h, s->w,
		               s->in_c, s->out_c);
	return TP_OK;
}

tp_status aspp_plan_make(const aspp_shape *shape, kernel_mode mode, bool need_backward,
                         size_t threads, aspp_plan *ret, tp_err *err)
{
	tp_status st = check_shape(shape, err);
	if (st != TP_OK)
		return st;
	if (threads < 1 || threads > 256)
		return tp_fail(err, TP_INVALID, 0, "threads: %zu is not in 1..256", threads);
	aspp_plan p = {.shape = *shape, .mode = mode, .threads = threads};
	p.prepared_floats = shape->in_c * wide_of(shape);
	if (mode == KERNELS_REFERENCE)
		p.prepared_floats = shape->in_c * shape->branches * TAPS * shape->out_c;
	else
		p.scratch_floats = round_up(shape->h * shape->w * wide_of(shape), 16) +
		                   round_up(BIAS_CHUNKS * shape->out_c, 16);
	if (mode != KERNELS_REFERENCE && need_backward)
		p.scratch_floats += threads * tile_floats(shape);
	*ret = p;
	return TP_OK;
}

/* ---- prepare: w[b][tap][in_c][out_c] -> one row of `wide` per input channel ---- */

static void prepare_chunk(void *arg, size_t chunk, size_t worker)
{
	const aspp_job *job = arg;
	size_t begin, end, k = job->s->out_c, in_c = job->s->in_c;
	(void)worker;
	pool_part(in_c, job->row_blocks, chunk, &begin, &end);
	for (size_t i = begin; i < end; i++)
		for (size_t c = 0; c < job->columns; c++) {
			const tap_column *t = &job->column[c];
			float *to = job->out + i * job->wide + c * k;
			memcpy(to, job->w[t->branch] + (t->tap * in_c + i) * k, k * sizeof(float));
			for (size_t b = 1; t->tap == MIDDLE && b < job->s->branches; b++)
				epilogue_add(1, k, job->w[b] + (MIDDLE * in_c + i) * k, 0, NULL, to,
				             0);
		}
}

void aspp_prepare(const aspp_plan *plan, const float *const w[], float *prepared, pool *workers)
{
	const aspp_shape *s = &plan->shape;
	if (plan->mode == KERNELS_REFERENCE) {
		size_t one = TAPS * s->in_c * s->out_c;
		for (size_t b = 0; b < s->branches; b++)
			memcpy(prepared + b * one, w[b], one * sizeof(float));
		return;
	}
	aspp_job job = job_make(plan);
	job.w = w, job.out = prepared;
	job.row_blocks = blocks_of(s->in_c, 64);
	pool_run(workers, job.row_blocks, prepare_chunk, &job);
}

static void branch_weights(const aspp_plan *plan, const float *prepared,
                           const float *w[ASPP_MAX_BRANCHES])
{
	for (size_t b = 0; b < plan->shape.branches; b++)
		w[b] = prepared + b * TAPS * plan->shape.in_c * plan->shape.out_c;
}

/* ---- forward ---- */

static void product_chunk(void *arg, size_t chunk, size_t worker)
{
	const aspp_job *job = arg;
	size_t p0, p1, c0, c1, c = job->s->in_c, k = job->s->out_c;
	(void)worker;
	const band *b = row_part(job, chunk / job->col_blocks, &p0, &p1);
	pool_part((b->c1 - b->c0) * k, job->col_blocks, chunk % job->col_blocks, &c0, &c1);
	c0 += b->c0 * k;
	c1 += b->c0 * k;
	gemm(GEMM_N, GEMM_N, p1 - p0, c1 - c0, c, 1.0f, job->x + p0 * c, c, job->prepared + c0,
	     job->wide, 0.0f, job->z + p0 * job->wide + c0, job->wide);
}

/* Pixels [*x0, *x1) of row y that lie `steps` (1 or -1) times the tap's shift from a pixel of the
 * image; *there is that pixel for *x0. False when there is none. */
static bool tap_segment(const aspp_shape *s, const tap_column *t, int steps, size_t y, size_t *x0,
                        size_t *x1, size_t *there)
{
	ptrdiff_t d = (ptrdiff_t)s->dilation[t->branch] * steps;
	ptrdiff_t dy = d * ((ptrdiff_t)(t->tap / 3) - 1), dx = d * ((ptrdiff_t)(t->tap % 3) - 1);
	ptrdiff_t sy = (ptrdiff_t)y + dy;
	if (sy < 0 || sy >= (ptrdiff_t)s->h)
		return false;
	conv_taps_range(s->w, s->w, 1, dx, x0, x1);
	*there = (size_t)sy * s->w + (size_t)((ptrdiff_t)*x0 + dx);
	return *x0 < *x1;
}

/* One output row: biases, then each tap's column of z at the pixel the tap points to. */
static void shift_chunk(void *arg, size_t chunk, size_t worker)
{
	const aspp_job *job = arg;
	const aspp_shape *s = job->s;
	size_t k = s->out_c, x0, x1, src;
	float *row = job->out + chunk * s->w * k;
	(void)worker;
	memset(row, 0, s->w * k * sizeof(float));
	for (size_t b = 0; b < s->branches; b++)
		for (size_t x = 0; x < s->w && job->bias[b] != NULL; x++)
			epilogue_add(1, k, job->bias[b], 0, NULL, row + x * k, 0);
	for (size_t c = 0; c < job->columns; c++)
		if (tap_segment(s, &job->column[c], 1, chunk, &x0, &x1, &src))
			epilogue_add(x1 - x0, k, job->z + src * job->wide + c * k, job->wide, NULL,
			             row + x0 * k, k);
}

void aspp_forward(const aspp_plan *plan, const float *x, const float *prepared,
                  const float *const bias[], float *y, float *scratch, pool *workers)
{
	const aspp_shape *s = &plan->shape;
	if (plan->mode == KERNELS_REFERENCE) {
		const float *w[ASPP_MAX_BRANCHES];
		branch_weights(plan, prepared, w);
		aspp_forward_reference(s, x, w, bias, y);
		return;
	}
	aspp_job job = job_make(plan);
	job.x = x, job.prepared = prepared, job.bias = bias, job.z = scratch, job.out = y;
	job.row_blocks = row_parts(&job);
	job.col_blocks = blocks_of(job.wide, 512);
	pool_run(workers, job.row_blocks * job.col_blocks, product_chunk, &job);
	pool_run(workers, s->h, shift_chunk, &job);
}

/* ---- backward ---- */

/* Row `chunk` of the map: z at source pixel q = dy at the pixels that read q, in the columns that
 * the row uses; nobody reads the others. */
static void spread_chunk(void *arg, size_t chunk, size_t worker)
{
	const aspp_job *job = arg;
	const aspp_shape *s = job->s;
	size_t k = s->out_c, x0, x1, reader;
	float *z = job->z + chunk * s->w * job->wide;
	const band b = band_of_row(job, chunk);
	(void)worker;
	for (size_t x = 0; x < s->w; x++)
		memset(z + x * job->wide + b.c0 * k, 0, (b.c1 - b.c0) * k * sizeof(float));
	for (size_t c = b.c0; c < b.c1; c++)
		if (tap_segment(s, &job->column[c], -1, chunk, &x0, &x1, &reader))
			for (size_t x = x0; x < x1; x++, reader++)
				memcpy(z + x * job->wide + c * k, job->dy + reader * k,
				       k * sizeof(float));
}

static void data_chunk(void *arg, size_t chunk, size_t worker)
{
	const aspp_job *job = arg;
	size_t p0, p1, c0, c1, c = job->s->in_c, k = job->s->out_c;
	(void)worker;
	const band *b = row_part(job, chunk / job->col_blocks, &p0, &p1);
	pool_part(c, job->col_blocks, chunk % job->col_blocks, &c0, &c1);
	gemm(GEMM_N, GEMM_T, p1 - p0, c1 - c0, (b->c1 - b->c0) * k, 1.0f,
	     job->z + p0 * job->wide + b->c0 * k, job->wide,
	     job->prepared + c0 * job->wide + b->c0 * k, job->wide,
	     job->accumulate ? 1.0f : 0.0f, job->out + p0 * c + c0, c);
}

/* Adds `rows` rows of floats [f0, f1) of column c to the gradients it stands for. */
static void add_column(const aspp_job *job, size_t c, size_t i0, size_t rows, size_t f0, size_t f1,
                       const float *tile, size_t ld)
{
	const tap_column *t = &job->column[c];
	size_t k = job->s->out_c, branches = t->tap == MIDDLE ? job->s->branches : 1;
	for (size_t b = t->branch; b < t->branch + branches; b++)
		epilogue_add(rows, f1 - f0, tile, ld, NULL,
		             job->dw[b] + (t->tap * job->s->in_c + i0) * k + f0, k);
}

static void weight_chunk(void *arg, size_t chunk, size_t worker)
{
	const aspp_job *job = arg;
	const aspp_shape *s = job->s;
	size_t i0, i1, c0, c1, k = s->out_c;
	float *tile = job->scratch + worker * job->worker_floats;
	pool_part(s->in_c, job->row_blocks, chunk / job->col_blocks, &i0, &i1);
	pool_part(job->wide, job->col_blocks, chunk % job->col_blocks, &c0, &c1);
	size_t cols = c1 - c0;
	memset(tile, 0, (i1 - i0) * cols * sizeof(float));
	for (const band *b = job->band; b < job->band + job->bands; b++) {
		size_t from = b->c0 * k > c0 ? b->c0 * k : c0, to = b->c1 * k < c1 ? b->c1 * k : c1;
		size_t p0 = b->y0 * s->w, p1 = b->y1 * s->w;
		if (from < to)
			gemm(GEMM_T, GEMM_N, i1 - i0, to - from, p1 - p0, 1.0f,
			     job->x + p0 * s->in_c + i0, s->in_c, job->z + p0 * job->wide + from,
			     job->wide, 1.0f, tile + (from - c0), cols);
	}
	for (size_t f = c0; f < c1;) {
		size_t c = f / k, stop = (c + 1) * k < c1 ? (c + 1) * k : c1;
		add_column(job, c, i0, i1 - i0, f - c * k, stop - c * k, tile + (f - c0), cols);
		f = stop;
	}
}

static void bias_chunk(void *arg, size_t chunk, size_t worker)
{
	const aspp_job *job = arg;
	size_t p0, p1, k = job->s->out_c;
	(void)worker;
	pool_part(job->s->h * job->s->w, BIAS_CHUNKS, chunk, &p0, &p1);
	epilogue_sum_rows(p1 - p0, k, job->dy + p0 * k, k, false, job->out + chunk * k);
}

void aspp_backward(const aspp_plan *plan, const float *x, const float *dy, const float *prepared,
                   float *dx, bool dx_accumulate, float *const dw[], float *const dbias[],
                   float *scratch, pool *workers)
{
	const aspp_shape *s = &plan->shape;
	if (plan->mode == KERNELS_REFERENCE) {
		const float *w[ASPP_MAX_BRANCHES];
		branch_weights(plan, prepared, w);
		aspp_backward_reference(s, x, w, dy, dx, dx_accumulate, dw, dbias);
		return;
	}
	aspp_job job = job_make(plan);
	size_t pixels = s->h * s->w;
	job.x = x, job.dy = dy, job.prepared = prepared, job.z = scratch;
	pool_run(workers, s->h, spread_chunk, &job);
	if (dx != NULL) {
		job.out = dx, job.accumulate = dx_accumulate;
		job.row_blocks = row_parts(&job);
		job.col_blocks = blocks_of(s->in_c, 512);
		pool_run(workers, job.row_blocks * job.col_blocks, data_chunk, &job);
	}
	float *partial = scratch + round_up(pixels * job.wide, 16);
	if (dw != NULL) {
		job.dw = dw;
		job.scratch = partial + round_up(BIAS_CHUNKS * s->out_c, 16);
		job.worker_floats = tile_floats(s);
		job.row_blocks = blocks_of(s->in_c, TILE_IN);
		job.col_blocks = 2;
		pool_run(workers, job.row_blocks * job.col_blocks, weight_chunk, &job);
	}
	if (dbias != NULL) { /* the same sum for every branch */
		job.out = partial;
		pool_run(workers, BIAS_CHUNKS, bias_chunk, &job);
		for (size_t b = 0; b < s->branches; b++)
			epilogue_sum_rows(BIAS_CHUNKS, s->out_c, partial, s->out_c, true, dbias[b]);
	}
}
