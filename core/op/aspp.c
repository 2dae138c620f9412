#include "op/aspp.h"

#include <string.h>

#include "base/mem.h"
#include "op/conv_taps.h"
#include "op/epilogue.h"
#include "op/gemm.h"

/* Column of the wide matrix [in_c][wide]: ((branch * 9 + tap) * out_c + class). */
enum {
	TAPS = 9,
	BLOCK_ROWS = 224, /* pixels per block of the two pixel-major products */
	TILE_IN = 256,    /* rows of one tile of the weight gradient; its columns: half of wide */
	BIAS_CHUNKS = 16,
};

typedef struct aspp_job {
	const aspp_shape *s;
	size_t wide, row_blocks, col_blocks;
	const float *x, *dy, *prepared;
	const float *const *w, *const *bias;
	float *const *dw;
	float *z, *out; /* z: [pixels][wide], of all taps, to be shifted or made by shifting */
	bool accumulate;
	float *scratch;
	size_t worker_floats;
} aspp_job;

static size_t wide_of(const aspp_shape *s) { return s->branches * TAPS * s->out_c; }

static size_t blocks_of(size_t n, size_t want) { return (n + want - 1) / want; }

static aspp_job job_make(const aspp_plan *plan)
{
	aspp_job job = {.s = &plan->shape, .wide = wide_of(&plan->shape)};
	return job;
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
	if (mode != KERNELS_REFERENCE)
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
	size_t begin, end, k = job->s->out_c;
	(void)worker;
	pool_part(job->s->in_c, job->row_blocks, chunk, &begin, &end);
	for (size_t i = begin; i < end; i++)
		for (size_t bt = 0; bt < job->s->branches * TAPS; bt++)
			memcpy(job->out + i * job->wide + bt * k,
			       job->w[bt / TAPS] + (bt % TAPS * job->s->in_c + i) * k,
			       k * sizeof(float));
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
	size_t p0, p1, c0, c1, c = job->s->in_c;
	(void)worker;
	pool_part(job->s->h * job->s->w, job->row_blocks, chunk / job->col_blocks, &p0, &p1);
	pool_part(job->wide, job->col_blocks, chunk % job->col_blocks, &c0, &c1);
	gemm(GEMM_N, GEMM_N, p1 - p0, c1 - c0, c, 1.0f, job->x + p0 * c, c, job->prepared + c0,
	     job->wide, 0.0f, job->z + p0 * job->wide + c0, job->wide);
}

/* Columns [*x0, *x1) of output row y whose pixel under tap bt lies in the image; *src is the
 * source pixel of column *x0. False when there is none. */
static bool tap_segment(const aspp_shape *s, size_t bt, size_t y, size_t *x0, size_t *x1,
                        size_t *src)
{
	ptrdiff_t d = (ptrdiff_t)s->dilation[bt / TAPS];
	ptrdiff_t dy = d * ((ptrdiff_t)(bt % TAPS / 3) - 1), dx = d * ((ptrdiff_t)(bt % 3) - 1);
	ptrdiff_t sy = (ptrdiff_t)y + dy;
	if (sy < 0 || sy >= (ptrdiff_t)s->h)
		return false;
	conv_taps_range(s->w, s->w, 1, dx, x0, x1);
	*src = (size_t)sy * s->w + (size_t)((ptrdiff_t)*x0 + dx);
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
	for (size_t bt = 0; bt < s->branches * TAPS; bt++)
		if (tap_segment(s, bt, chunk, &x0, &x1, &src))
			epilogue_add(x1 - x0, k, job->z + src * job->wide + bt * k, job->wide, NULL,
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
	job.row_blocks = blocks_of(s->h * s->w, BLOCK_ROWS);
	job.col_blocks = blocks_of(job.wide, 512);
	pool_run(workers, job.row_blocks * job.col_blocks, product_chunk, &job);
	pool_run(workers, s->h, shift_chunk, &job);
}

/* ---- backward ---- */

/* Row `chunk` of the map: z at source pixel q, column (b, tap) = dy at the pixel that read q. */
static void spread_chunk(void *arg, size_t chunk, size_t worker)
{
	const aspp_job *job = arg;
	const aspp_shape *s = job->s;
	size_t k = s->out_c, x0, x1, reader;
	float *z = job->z + chunk * s->w * job->wide;
	(void)worker;
	memset(z, 0, s->w * job->wide * sizeof(float));
	for (size_t bt = 0; bt < s->branches * TAPS; bt++) {
		/* q = p + d t, so p = q - d t: the opposite tap (8 - tap) points to the reader. */
		size_t opposite = bt / TAPS * TAPS + TAPS - 1 - bt % TAPS;
		if (tap_segment(s, opposite, chunk, &x0, &x1, &reader))
			for (size_t x = x0; x < x1; x++, reader++)
				memcpy(z + x * job->wide + bt * k, job->dy + reader * k,
				       k * sizeof(float));
	}
}

static void data_chunk(void *arg, size_t chunk, size_t worker)
{
	const aspp_job *job = arg;
	size_t p0, p1, c0, c1, c = job->s->in_c;
	(void)worker;
	pool_part(job->s->h * job->s->w, job->row_blocks, chunk / job->col_blocks, &p0, &p1);
	pool_part(c, job->col_blocks, chunk % job->col_blocks, &c0, &c1);
	gemm(GEMM_N, GEMM_T, p1 - p0, c1 - c0, job->wide, 1.0f, job->z + p0 * job->wide, job->wide,
	     job->prepared + c0 * job->wide, job->wide, job->accumulate ? 1.0f : 0.0f,
	     job->out + p0 * c + c0, c);
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
	gemm(GEMM_T, GEMM_N, i1 - i0, cols, s->h * s->w, 1.0f, job->x + i0, s->in_c, job->z + c0,
	     job->wide, 0.0f, tile, cols);
	for (size_t c = c0; c < c1;) { /* runs of columns that belong to one (branch, tap) */
		size_t bt = c / k, stop = (bt + 1) * k < c1 ? (bt + 1) * k : c1;
		float *to = job->dw[bt / TAPS] + (bt % TAPS * s->in_c + i0) * k + c % k;
		epilogue_add(i1 - i0, stop - c, tile + (c - c0), cols, NULL, to, k);
		c = stop;
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
		job.row_blocks = blocks_of(pixels, BLOCK_ROWS);
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
