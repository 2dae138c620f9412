#include "op/conv_taps.h"

#include <string.h>

#include "base/mem.h"
#include "op/epilogue.h"
#include "op/gemm.h"

enum {
	BLOCK_PIXELS = 448, /* destination pixels per block */
	BLOCK_CHANNELS = 256,
};

void conv_taps_range(size_t n, size_t size, size_t step, ptrdiff_t offset, size_t *begin,
                     size_t *end)
{
	size_t first = offset >= 0 ? 0 : ((size_t)-offset + step - 1) / step;
	ptrdiff_t room = (ptrdiff_t)size - offset; /* i * step < room */
	size_t last = room <= 0 ? 0 : ((size_t)room - 1) / step + 1;
	*end = last < n ? last : n;
	*begin = first < *end ? first : *end;
}

/* One sum over taps, forward or backward: destination pixels form grids (one per class), and
 * under a tap destination (i, j) of a class reads source (i, j) * step + offset. */
typedef struct tap_job {
	const conv_shape *s;
	bool backward;
	size_t src_h, src_w, src_c, dst_h, dst_w, dst_c;
	size_t step;    /* source pixels per grid pixel */
	size_t spacing; /* destination pixels per grid pixel = classes per axis */
	size_t row_blocks, col_blocks; /* per class */
	const float *src, *w, *bias, *residual;
	activation act;
	float *dst;
	bool accumulate;
	float *scratch;
	size_t worker_floats;
} tap_job;

static size_t blocks_of(size_t n, size_t want) { return (n + want - 1) / want; }

static void forward_job(const conv_shape *s, tap_job *job)
{
	memset(job, 0, sizeof *job);
	job->s = s;
	job->src_h = s->in_h, job->src_w = s->in_w, job->src_c = s->in_c;
	job->dst_h = s->out_h, job->dst_w = s->out_w, job->dst_c = s->out_c;
	job->step = s->stride;
	job->spacing = 1;
}

static void backward_job(const conv_shape *s, tap_job *job)
{
	memset(job, 0, sizeof *job);
	job->s = s;
	job->backward = true;
	job->src_h = s->out_h, job->src_w = s->out_w, job->src_c = s->out_c;
	job->dst_h = s->in_h, job->dst_w = s->in_w, job->dst_c = s->in_c;
	job->step = 1;
	job->spacing = s->stride;
}

static size_t finish_job(tap_job *job)
{
	size_t grid = blocks_of(job->dst_h, job->spacing) * blocks_of(job->dst_w, job->spacing);
	job->row_blocks = blocks_of(grid, BLOCK_PIXELS);
	job->col_blocks = blocks_of(job->dst_c, BLOCK_CHANNELS);
	size_t rows = blocks_of(grid, job->row_blocks);
	size_t cols = blocks_of(job->dst_c, job->col_blocks);
	job->worker_floats = round_up(rows * (job->src_c + 2 * cols), 16);
	return job->worker_floats;
}

size_t conv_taps_forward_scratch(const conv_shape *s, size_t threads)
{
	tap_job job;
	forward_job(s, &job);
	return threads * finish_job(&job);
}

size_t conv_taps_data_scratch(const conv_shape *s, size_t threads)
{
	tap_job job;
	backward_job(s, &job);
	return threads * finish_job(&job);
}

size_t conv_taps_valid(const conv_shape *s)
{
	size_t rows = 0, cols = 0, begin, end;
	for (size_t t = 0; t < s->kernel_h; t++) {
		ptrdiff_t off = (ptrdiff_t)(t * s->dilation) - (ptrdiff_t)s->pad_top;
		conv_taps_range(s->out_h, s->in_h, s->stride, off, &begin, &end);
		rows += end - begin;
	}
	for (size_t t = 0; t < s->kernel_w; t++) {
		ptrdiff_t off = (ptrdiff_t)(t * s->dilation) - (ptrdiff_t)s->pad_left;
		conv_taps_range(s->out_w, s->in_w, s->stride, off, &begin, &end);
		cols += end - begin;
	}
	return rows * cols;
}

/* Source offset of tap t for class `class` of one axis; false when the class never meets it. */
static bool tap_offset(const tap_job *job, size_t t, size_t class, size_t pad, ptrdiff_t *offset)
{
	ptrdiff_t shift = (ptrdiff_t)(t * job->s->dilation) - (ptrdiff_t)pad;
	if (!job->backward) {
		*offset = shift;
		return true;
	}
	ptrdiff_t d = (ptrdiff_t)class - shift, stride = (ptrdiff_t)job->s->stride;
	*offset = d / stride;
	return d % stride == 0;
}

/* A block: grid pixels [p0, p1) of a class, counted along its rows of `width`. */
typedef struct tap_block {
	size_t class_y, class_x, width, p0, p1, c0, c1;
} tap_block;

/* The part of a block that one tap reaches, walked as runs inside grid rows: run k covers grid
 * row y, columns [x0, x1). */
typedef struct run_walk {
	size_t y, y_end, x_begin, x_end; /* rectangle, grid coordinates */
} run_walk;

static bool next_run(const tap_block *b, run_walk *walk, size_t *y, size_t *x0, size_t *x1)
{
	for (; walk->y < walk->y_end; walk->y++) {
		size_t row = walk->y * b->width;
		size_t from = b->p0 > row ? b->p0 - row : 0;
		size_t to = b->p1 > row ? b->p1 - row : 0;
		*x0 = from > walk->x_begin ? from : walk->x_begin;
		*x1 = to < walk->x_end ? to : walk->x_end;
		if (*x0 < *x1) {
			*y = walk->y++;
			return true;
		}
	}
	return false;
}

/* Adds one tap's product to `tile` [block pixels x block channels]. */
static void add_tap(const tap_job *job, const tap_block *b, size_t ty, size_t tx, float *tile,
                    float *rows, float *product)
{
	const conv_shape *s = job->s;
	size_t c = job->src_c, cols = b->c1 - b->c0, y, x0, x1, n = 0;
	ptrdiff_t off_y, off_x;
	if (!tap_offset(job, ty, b->class_y, s->pad_top, &off_y) ||
	    !tap_offset(job, tx, b->class_x, s->pad_left, &off_x))
		return;
	run_walk all;
	size_t grid_h = blocks_of(b->p1, b->width);
	conv_taps_range(grid_h, job->src_h, job->step, off_y, &all.y, &all.y_end);
	conv_taps_range(b->width, job->src_w, job->step, off_x, &all.x_begin, &all.x_end);
	if (all.y < b->p0 / b->width)
		all.y = b->p0 / b->width;
	for (run_walk walk = all; next_run(b, &walk, &y, &x0, &x1); n += x1 - x0) {
		const float *from = job->src +
		                    (y * job->step + (size_t)off_y) * job->src_w * c +
		                    (x0 * job->step + (size_t)off_x) * c;
		if (job->step == 1)
			memcpy(rows + n * c, from, (x1 - x0) * c * sizeof(float));
		else
			for (size_t x = 0; x < x1 - x0; x++)
				memcpy(rows + (n + x) * c, from + x * job->step * c,
				       c * sizeof(float));
	}
	if (n == 0)
		return;
	bool whole = n == b->p1 - b->p0;
	const float *w = job->w + (ty * s->kernel_w + tx) * s->in_c * s->out_c +
	                 (job->backward ? b->c0 * s->out_c : b->c0);
	gemm(GEMM_N, job->backward ? GEMM_T : GEMM_N, n, cols, c, 1.0f, rows, c, w, s->out_c,
	     whole ? 1.0f : 0.0f, whole ? tile : product, cols);
	if (whole)
		return;
	for (run_walk walk = all; next_run(b, &walk, &y, &x0, &x1); product += (x1 - x0) * cols)
		epilogue_add(1, (x1 - x0) * cols, product, 0, NULL,
		             tile + (y * b->width + x0 - b->p0) * cols, 0);
}

static void tap_chunk(void *arg, size_t chunk, size_t worker)
{
	const tap_job *job = arg;
	size_t per_class = job->row_blocks * job->col_blocks;
	tap_block b = {.class_y = chunk / per_class / job->spacing,
	               .class_x = chunk / per_class % job->spacing};
	if (b.class_y >= job->dst_h || b.class_x >= job->dst_w)
		return;
	size_t height = blocks_of(job->dst_h - b.class_y, job->spacing);
	b.width = blocks_of(job->dst_w - b.class_x, job->spacing);
	size_t at = chunk % per_class;
	pool_part(height * b.width, job->row_blocks, at / job->col_blocks, &b.p0, &b.p1);
	pool_part(job->dst_c, job->col_blocks, at % job->col_blocks, &b.c0, &b.c1);
	size_t pixels = b.p1 - b.p0, cols = b.c1 - b.c0;
	float *tile = job->scratch + worker * job->worker_floats;
	float *product = tile + pixels * cols, *rows = product + pixels * cols;
	memset(tile, 0, pixels * cols * sizeof(float));
	for (size_t t = 0; t < job->s->kernel_h * job->s->kernel_w; t++)
		add_tap(job, &b, t / job->s->kernel_w, t % job->s->kernel_w, tile, rows, product);
	for (size_t p = b.p0; p < b.p1; p++) {
		size_t y = p / b.width * job->spacing + b.class_y;
		size_t x = p % b.width * job->spacing + b.class_x;
		size_t to = (y * job->dst_w + x) * job->dst_c + b.c0;
		const float *residual = job->accumulate ? job->dst : job->residual;
		epilogue_rows(1, cols, tile + (p - b.p0) * cols, 0,
		              job->bias == NULL ? NULL : job->bias + b.c0,
		              residual == NULL ? NULL : residual + to, job->act, job->dst + to, 0);
	}
}

static void run_job(tap_job *job, pool *workers)
{
	size_t classes = job->spacing * job->spacing;
	pool_run(workers, classes * job->row_blocks * job->col_blocks, tap_chunk, job);
}

void conv_taps_forward(const conv_plan *plan, const float *x, const float *w, const float *bias,
                       const float *residual, activation act, float *y, float *scratch,
                       pool *workers)
{
	tap_job job;
	forward_job(&plan->shape, &job);
	finish_job(&job);
	job.src = x, job.w = w, job.bias = bias, job.residual = residual, job.act = act;
	job.dst = y, job.scratch = scratch;
	run_job(&job, workers);
}

void conv_taps_backward_data(const conv_plan *plan, const float *dy, const float *w, float *dx,
                             bool accumulate, float *scratch, pool *workers)
{
	tap_job job;
	backward_job(&plan->shape, &job);
	finish_job(&job);
	job.src = dy, job.w = w, job.act = ACT_NONE;
	job.dst = dx, job.accumulate = accumulate, job.scratch = scratch;
	run_job(&job, workers);
}
