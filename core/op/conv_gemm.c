#include "op/conv_gemm.h"

#include <string.h>

#include "base/mem.h"
#include "op/conv_taps.h"
#include "op/epilogue.h"
#include "op/gemm.h"

bool conv_is_pointwise(const conv_shape *s)
{
	return s->kernel_h == 1 && s->kernel_w == 1 && s->stride == 1 && s->pad_top == 0 &&
	       s->pad_left == 0 && s->in_h == s->out_h && s->in_w == s->out_w;
}

static size_t column_length(const conv_shape *s) { return s->kernel_h * s->kernel_w * s->in_c; }

/* A rows x cols matrix cut into blocks of nearly equal size: enough of them for eight cores, each
 * big enough that packing inside GEMM stays a few percent of its multiplications. */
typedef struct grid {
	size_t rows, cols; /* of the matrix */
	size_t row_blocks, col_blocks;
} grid;

static grid grid_make(size_t rows, size_t cols, size_t want_rows, size_t want_cols)
{
	grid g = {.rows = rows, .cols = cols};
	g.row_blocks = (rows + want_rows - 1) / want_rows;
	g.col_blocks = (cols + want_cols - 1) / want_cols;
	return g;
}

static size_t grid_count(const grid *g) { return g->row_blocks * g->col_blocks; }

typedef struct block {
	size_t r0, r1, c0, c1;
} block;

static block grid_block(const grid *g, size_t k)
{
	block b;
	pool_part(g->rows, g->row_blocks, k / g->col_blocks, &b.r0, &b.r1);
	pool_part(g->cols, g->col_blocks, k % g->col_blocks, &b.c0, &b.c1);
	return b;
}

typedef struct gemm_job {
	const conv_shape *s;
	grid grid;
	const float *x, *w, *bias, *residual, *dy, *scale;
	float *y;
	activation act;
	bool accumulate;
	float *scratch;
	size_t worker_floats, chunks;
} gemm_job;

/* One kernel row of one receptive field: taps [t0, t1) lie in the image row that `from` points
 * into at tap t0. */
static void gather_row(const conv_shape *s, const float *from, size_t t0, size_t t1, float *to)
{
	size_t c = s->in_c;
	memset(to, 0, t0 * c * sizeof(float));
	if (s->dilation == 1) /* neighbours in the image too */
		memcpy(to + t0 * c, from, (t1 - t0) * c * sizeof(float));
	else
		for (size_t t = t0; t < t1; t++, from += s->dilation * c)
			memcpy(to + t * c, from, c * sizeof(float));
	memset(to + t1 * c, 0, (s->kernel_w - t1) * c * sizeof(float));
}

/* Rows [p0, p1) of the gathered matrix: for each output pixel its receptive field in
 * (tap, channel) order, zero outside the image. */
static void gather_columns(const conv_shape *s, const float *x, size_t p0, size_t p1, float *to)
{
	for (size_t p = p0; p < p1; p++) {
		ptrdiff_t top = (ptrdiff_t)(p / s->out_w * s->stride) - (ptrdiff_t)s->pad_top;
		ptrdiff_t left = (ptrdiff_t)(p % s->out_w * s->stride) - (ptrdiff_t)s->pad_left;
		size_t r0, r1, t0, t1;
		conv_taps_range(s->kernel_h, s->in_h, s->dilation, top, &r0, &r1);
		conv_taps_range(s->kernel_w, s->in_w, s->dilation, left, &t0, &t1);
		for (size_t r = 0; r < s->kernel_h; r++, to += s->kernel_w * s->in_c) {
			bool exists = r >= r0 && r < r1 && t0 < t1;
			size_t y = exists ? (size_t)top + r * s->dilation : 0;
			size_t col = exists ? (size_t)left + t0 * s->dilation : 0;
			gather_row(s, x + (y * s->in_w + col) * s->in_c, exists ? t0 : 0,
			           exists ? t1 : 0, to);
		}
	}
}

/* ---- forward ---- */

/* Output pixels per block: the gathered rows should fit the second-level cache. */
static grid forward_grid(const conv_shape *s)
{
	size_t pixels = s->out_h * s->out_w;
	if (conv_is_pointwise(s))
		return grid_make(pixels, s->out_c, 224, 512);
	size_t fit = ((size_t)1 << 18) / column_length(s);
	return grid_make(pixels, s->out_c, fit < 96 ? 96 : fit > 256 ? 256 : fit, s->out_c);
}

static size_t forward_worker(const conv_shape *s)
{
	grid g = forward_grid(s);
	size_t rows = (g.rows + g.row_blocks - 1) / g.row_blocks;
	return conv_is_pointwise(s) ? 0 : round_up(rows * column_length(s), 16);
}

size_t conv_gemm_forward_scratch(const conv_shape *s, size_t threads)
{
	return threads * forward_worker(s);
}

static void forward_chunk(void *arg, size_t chunk, size_t worker)
{
	const gemm_job *job = arg;
	const conv_shape *s = job->s;
	block b = grid_block(&job->grid, chunk);
	const float *a = job->x + b.r0 * s->in_c;
	size_t k = column_length(s);
	if (job->worker_floats != 0) {
		float *columns = job->scratch + worker * job->worker_floats;
		gather_columns(s, job->x, b.r0, b.r1, columns);
		a = columns;
	}
	size_t at = b.r0 * s->out_c + b.c0;
	/* y may be the residual, so it can take the raw sums only when there is none. */
	gemm(GEMM_N, GEMM_N, b.r1 - b.r0, b.c1 - b.c0, k, 1.0f, a, k, job->w + b.c0, s->out_c,
	     job->accumulate ? 1.0f : 0.0f, job->y + at, s->out_c);
	epilogue_rows(b.r1 - b.r0, b.c1 - b.c0, job->y + at, s->out_c,
	              job->bias == NULL ? NULL : job->bias + b.c0,
	              job->residual == NULL ? NULL : job->residual + at, job->act, job->y + at,
	              s->out_c);
}

void conv_gemm_forward(const conv_plan *plan, const float *x, const float *w, const float *bias,
                       const float *residual, activation act, float *y, float *scratch,
                       pool *workers)
{
	gemm_job job = {.s = &plan->shape, .grid = forward_grid(&plan->shape), .x = x, .w = w,
	                .bias = bias, .residual = residual, .act = act, .y = y,
	                .scratch = scratch, .worker_floats = forward_worker(&plan->shape)};
	if (residual == y) { /* already there: GEMM adds to it */
		job.accumulate = residual != NULL;
		job.residual = NULL;
	}
	pool_run(workers, grid_count(&job.grid), forward_chunk, &job);
}

/* ---- data gradient, pointwise ---- */

static void data_chunk(void *arg, size_t chunk, size_t worker)
{
	const gemm_job *job = arg;
	const conv_shape *s = job->s;
	block b = grid_block(&job->grid, chunk);
	(void)worker;
	gemm(GEMM_N, GEMM_T, b.r1 - b.r0, b.c1 - b.c0, s->out_c, 1.0f, job->dy + b.r0 * s->out_c,
	     s->out_c, job->w + b.c0 * s->out_c, s->out_c, job->accumulate ? 1.0f : 0.0f,
	     job->y + b.r0 * s->in_c + b.c0, s->in_c);
}

void conv_gemm_backward_data(const conv_plan *plan, const float *dy, const float *w, float *dx,
                             bool accumulate, pool *workers)
{
	const conv_shape *s = &plan->shape;
	gemm_job job = {.s = s, .grid = grid_make(s->in_h * s->in_w, s->in_c, 224, 512), .w = w,
	                .dy = dy, .y = dx, .accumulate = accumulate};
	pool_run(workers, grid_count(&job.grid), data_chunk, &job);
}

/* ---- weight gradient ---- */

enum {
	SMALL_WEIGHTS = 1 << 16, /* floats of dw up to which pixel chunks with partial sums pay */
	MANY_PIXELS = 1 << 12,
	WEIGHT_ROWS = 512, /* pixels gathered at a time when summing one tile of dw */
	WEIGHT_TILE = 256, /* channels of one tile, each way */
};

static bool by_pixels(const conv_shape *s)
{
	return column_length(s) * s->out_c <= SMALL_WEIGHTS && s->out_h * s->out_w >= 32;
}

/* Each chunk costs one more pass over dw, so there are few of them on small maps. */
static size_t pixel_chunks(const conv_shape *s)
{
	return s->out_h * s->out_w < MANY_PIXELS ? 8 : 16;
}

/* Tiles of the pixel-chunk form: rows of the gathered matrix at a time. */
static size_t pixel_rows(const conv_shape *s)
{
	size_t fit = ((size_t)1 << 17) / column_length(s);
	return fit < 64 ? 64 : fit > 512 ? 512 : fit;
}

static grid weight_grid(const conv_shape *s)
{
	/* Rows are (tap, in_c); a tile never spans two taps, so count blocks per tap. */
	grid g = grid_make(s->in_c, s->out_c, WEIGHT_TILE, WEIGHT_TILE);
	size_t taps = s->kernel_h * s->kernel_w;
	if (taps * grid_count(&g) < 8) /* halve the longer side until eight cores have work */
		while (taps * grid_count(&g) < 8 && (s->in_c / g.row_blocks > 64 ||
		                                     s->out_c / g.col_blocks > 64)) {
			if (s->in_c / g.row_blocks >= s->out_c / g.col_blocks)
				g.row_blocks *= 2;
			else
				g.col_blocks *= 2;
		}
	return g;
}

static size_t tile_side(size_t n, size_t blocks) { return (n + blocks - 1) / blocks; }

static size_t weight_worker(const conv_shape *s)
{
	if (by_pixels(s))
		return round_up(pixel_rows(s) * column_length(s), 16);
	grid g = weight_grid(s);
	size_t rows = tile_side(g.rows, g.row_blocks), cols = tile_side(g.cols, g.col_blocks);
	size_t gathered = conv_is_pointwise(s) ? 0 : WEIGHT_ROWS * (rows + cols);
	return round_up(rows * cols + gathered, 16);
}

size_t conv_gemm_weight_scratch(const conv_shape *s, size_t threads)
{
	size_t partial = by_pixels(s) ? pixel_chunks(s) * column_length(s) * s->out_c : 0;
	return round_up(partial, 16) + threads * weight_worker(s);
}

static void pixel_chunk(void *arg, size_t chunk, size_t worker)
{
	const gemm_job *job = arg;
	const conv_shape *s = job->s;
	size_t k = column_length(s), begin, end;
	float *columns = job->scratch + worker * job->worker_floats;
	float *partial = job->y + chunk * k * s->out_c;
	pool_part(s->out_h * s->out_w, pixel_chunks(s), chunk, &begin, &end);
	for (size_t p = begin; p < end; p += pixel_rows(s)) {
		size_t stop = p + pixel_rows(s) < end ? p + pixel_rows(s) : end;
		const float *a = job->x + p * s->in_c;
		if (!conv_is_pointwise(s)) {
			gather_columns(s, job->x, p, stop, columns);
			a = columns;
		}
		gemm(GEMM_T, GEMM_N, k, s->out_c, stop - p, 1.0f, a, k, job->dy + p * s->out_c,
		     s->out_c, p == begin ? 0.0f : 1.0f, partial, s->out_c);
	}
}

/* dw rows of chunk `chunk` += scale * the partial sums, in chunk order. */
static void reduce_chunk(void *arg, size_t chunk, size_t worker)
{
	const gemm_job *job = arg;
	const conv_shape *s = job->s;
	size_t weights = column_length(s) * s->out_c, begin, end;
	(void)worker;
	pool_part(column_length(s), job->chunks, chunk, &begin, &end);
	for (size_t r = begin; r < end; r++) {
		float *sum = job->scratch + r * s->out_c;
		for (size_t c = 1; c < pixel_chunks(s); c++)
			epilogue_add(1, s->out_c, sum + c * weights, 0, NULL, sum, 0);
		epilogue_add(1, s->out_c, sum, 0, job->scale, job->y + r * s->out_c, 0);
	}
}

/* One tile of dw: for one tap, the channels of block b, summed over the rectangle of output
 * pixels where that tap meets the image. */
static void tile_chunk(void *arg, size_t chunk, size_t worker)
{
	const gemm_job *job = arg;
	const conv_shape *s = job->s;
	size_t tap = chunk / grid_count(&job->grid);
	block b = grid_block(&job->grid, chunk % grid_count(&job->grid));
	size_t rows = b.r1 - b.r0, cols = b.c1 - b.c0;
	float *tile = job->scratch + worker * job->worker_floats;
	float *to = job->y + (tap * s->in_c + b.r0) * s->out_c + b.c0;
	const float *scale = job->scale == NULL ? NULL : job->scale + b.c0;
	if (conv_is_pointwise(s)) {
		gemm(GEMM_T, GEMM_N, rows, cols, s->in_h * s->in_w, 1.0f, job->x + b.r0, s->in_c,
		     job->dy + b.c0, s->out_c, 0.0f, tile, cols);
		epilogue_add(rows, cols, tile, cols, scale, to, s->out_c);
		return;
	}
	float *xs = tile + rows * cols, *gs = xs + WEIGHT_ROWS * rows;
	size_t ty = tap / s->kernel_w, tx = tap % s->kernel_w, y0, y1, x0, x1, n = 0;
	ptrdiff_t off_y = (ptrdiff_t)(ty * s->dilation) - (ptrdiff_t)s->pad_top;
	ptrdiff_t off_x = (ptrdiff_t)(tx * s->dilation) - (ptrdiff_t)s->pad_left;
	conv_taps_range(s->out_h, s->in_h, s->stride, off_y, &y0, &y1);
	conv_taps_range(s->out_w, s->in_w, s->stride, off_x, &x0, &x1);
	memset(tile, 0, rows * cols * sizeof(float));
	for (size_t oy = y0; oy < y1; oy++)
		for (size_t ox = x0; ox < x1; ox++) {
			size_t iy = oy * s->stride + (size_t)off_y;
			size_t ix = ox * s->stride + (size_t)off_x;
			memcpy(xs + n * rows, job->x + (iy * s->in_w + ix) * s->in_c + b.r0,
			       rows * sizeof(float));
			memcpy(gs + n * cols, job->dy + (oy * s->out_w + ox) * s->out_c + b.c0,
			       cols * sizeof(float));
			bool last = oy + 1 == y1 && ox + 1 == x1;
			if (++n == WEIGHT_ROWS || last) {
				gemm(GEMM_T, GEMM_N, rows, cols, n, 1.0f, xs, rows, gs, cols, 1.0f,
				     tile, cols);
				n = 0;
			}
		}
	epilogue_add(rows, cols, tile, cols, scale, to, s->out_c);
}

void conv_gemm_backward_weight(const conv_plan *plan, const float *x, const float *dy,
                               const float *scale, float *dw, float *scratch, pool *workers)
{
	const conv_shape *s = &plan->shape;
	gemm_job job = {.s = s, .x = x, .dy = dy, .scale = scale, .y = dw, .scratch = scratch,
	                .worker_floats = weight_worker(s)};
	if (!by_pixels(s)) {
		job.grid = weight_grid(s);
		pool_run(workers, s->kernel_h * s->kernel_w * grid_count(&job.grid), tile_chunk,
		         &job);
		return;
	}
	size_t partial = round_up(pixel_chunks(s) * column_length(s) * s->out_c, 16);
	job.scratch = scratch + partial;
	job.y = scratch;
	pool_run(workers, pixel_chunks(s), pixel_chunk, &job);
	job.scratch = scratch;
	job.y = dw;
	job.chunks = column_length(s) < 32 ? column_length(s) : 32;
	pool_run(workers, job.chunks, reduce_chunk, &job);
}
