#include "op/conv_winograd.h"

#include <string.h>

#include "base/mem.h"
#include "op/epilogue.h"
#include "op/gemm.h"
#include "op/winograd.h"

enum {
	SLAB_FLOATS = 1 << 20,  /* of both transformed images, unless that is below */
	SLAB_TILES = 160,       /* this many tiles: the products need some rows */
	PANEL_FLOATS = 9 << 19, /* of the transformed weight gradient */
	SKEW = 80,              /* keeps the points' rows out of each other's cache sets */
	CHUNK_TILES = 4,        /* tiles transformed by one call of the pool */
	ROWS = 256,             /* channels of weights transformed at a time, on the stack */
	BLOCK = 64,             /* channels of a tile of dx added at a time */
};

/* Tiles along one axis of all lattices: lattice r holds the outputs r, r + d, r + 2d, ... */
typedef struct axis {
	size_t long_lattices, long_tiles, short_tiles; /* the first lattices may be one longer */
} axis;

static axis axis_make(size_t out, size_t dilation, size_t m)
{
	size_t q = out / dilation;
	axis a = {.long_lattices = out % dilation, .long_tiles = (q + m) / m,
	          .short_tiles = (q + m - 1) / m};
	return a;
}

static size_t axis_tiles(const axis *a, size_t dilation)
{
	return a->long_lattices * a->long_tiles + (dilation - a->long_lattices) * a->short_tiles;
}

/* Number of tile i inside its lattice. */
static size_t axis_number(const axis *a, size_t i)
{
	size_t in_long = a->long_lattices * a->long_tiles;
	return i < in_long ? i % a->long_tiles : (i - in_long) % a->short_tiles;
}

/* First output coordinate of tile i. */
static size_t axis_origin(const axis *a, size_t dilation, size_t m, size_t i)
{
	size_t in_long = a->long_lattices * a->long_tiles;
	if (i < in_long)
		return i / a->long_tiles + dilation * m * (i % a->long_tiles);
	i -= in_long;
	return a->long_lattices + i / a->short_tiles + dilation * m * (i % a->short_tiles);
}

/* The layout of everything, from the shape alone. */
typedef struct wino {
	const conv_shape *s;
	const winograd *f;
	axis rows, cols;
	size_t across, tiles, slab; /* tiles per row of tiles, in all, per slab */
	size_t u_step, in_step, out_step; /* floats from one point to the next */
	size_t panel;               /* output channels of the weight gradient at a time */
	size_t worker_floats;
} wino;

static size_t max_size(size_t a, size_t b) { return a > b ? a : b; }

static wino wino_make(const conv_shape *s, size_t m)
{
	wino z = {.s = s, .f = m == 2 ? &winograd_f2 : &winograd_f4};
	size_t d = s->dilation, points = z.f->points;
	z.rows = axis_make(s->out_h, d, m);
	z.cols = axis_make(s->out_w, d, m);
	z.across = axis_tiles(&z.cols, d);
	z.tiles = z.across * axis_tiles(&z.rows, d);
	size_t most = max_size(SLAB_TILES, SLAB_FLOATS / (points * (s->in_c + s->out_c)));
	size_t slabs = (z.tiles + most - 1) / most;
	z.slab = (z.tiles + slabs - 1) / slabs;
	z.u_step = round_up(s->in_c * s->out_c, 16) + SKEW;
	z.in_step = round_up(z.slab * s->in_c, 16) + SKEW;
	z.out_step = round_up(z.slab * s->out_c, 16) + SKEW;
	z.panel = max_size(64, PANEL_FLOATS / (points * s->in_c) / 64 * 64);
	if (z.panel > s->out_c)
		z.panel = s->out_c;
	z.worker_floats = round_up(max_size(m * m * s->out_c, points * BLOCK), 16);
	return z;
}

bool conv_winograd_fits(const conv_shape *s)
{
	return s->kernel_h == 3 && s->kernel_w == 3 && s->stride == 1 && s->groups == 1;
}

size_t conv_winograd_tiles(const conv_shape *s, size_t m)
{
	wino z = wino_make(s, m);
	return z.tiles;
}

size_t conv_winograd_prepared(const conv_shape *s, size_t m)
{
	wino z = wino_make(s, m);
	return z.f->points * z.u_step;
}

/* Scratch: a row of zeros, both transformed slabs, the weight gradient's panel, then per worker
 * one tile. */
static size_t zero_floats(const conv_shape *s)
{
	return round_up(max_size(s->in_c, s->out_c), 16);
}

static size_t shared_floats(const wino *z, bool backward)
{
	size_t panel = backward ? round_up(z->s->in_c * z->panel, 16) + SKEW : 0;
	return zero_floats(z->s) + z->f->points * (z->in_step + z->out_step + panel);
}

size_t conv_winograd_scratch(const conv_shape *s, size_t m, bool backward, size_t threads)
{
	wino z = wino_make(s, m);
	return shared_floats(&z, backward) + threads * z.worker_floats;
}

typedef struct wino_job {
	wino z;
	size_t first, count; /* tiles of the current slab */
	size_t k0, k1;       /* output channels of the current panel */
	size_t chunks;
	size_t parity;       /* of the rows of tiles being added to dx */
	const float *x, *w, *scale, *u, *bias, *residual, *dy;
	activation act;
	float *y, *dx, *dw, *prepared;
	float *zeros, *in, *out, *panel, *workers; /* parts of scratch */
} wino_job;

static wino_job job_make(const conv_plan *plan, size_t m, bool backward, float *scratch)
{
	wino_job job = {.z = wino_make(&plan->shape, m)};
	const wino *z = &job.z;
	if (scratch == NULL)
		return job;
	job.zeros = scratch;
	job.in = job.zeros + zero_floats(z->s);
	job.out = job.in + z->f->points * z->in_step;
	job.panel = job.out + z->f->points * z->out_step;
	job.workers = scratch + shared_floats(z, backward);
	memset(job.zeros, 0, zero_floats(z->s) * sizeof(float));
	return job;
}

static size_t panel_step(const wino_job *job)
{
	return round_up(job->z.s->in_c * job->z.panel, 16) + SKEW;
}

/* Origin of a tile in the output; its input starts there too, less the padding. */
static void tile_origin(const wino *z, size_t tile, size_t *y, size_t *x)
{
	*y = axis_origin(&z->rows, z->s->dilation, z->f->m, tile / z->across);
	*x = axis_origin(&z->cols, z->s->dilation, z->f->m, tile % z->across);
}

/* Pixels of a tile that exist: elements [begin, end) along one axis, the first at `origin`. */
static void tile_span(ptrdiff_t origin, size_t side, size_t dilation, size_t size, size_t *begin,
                      size_t *end)
{
	ptrdiff_t d = (ptrdiff_t)dilation, room = (ptrdiff_t)size - origin;
	size_t first = origin >= 0 ? 0 : (size_t)((d - 1 - origin) / d);
	size_t last = room <= 0 ? 0 : (size_t)((room + d - 1) / d);
	*end = last < side ? last : side;
	*begin = first < *end ? first : *end;
}

/* Points to the side x side pixels from (y0, x0) on, `zeros` where there is none. */
static void tile_pixels(const float *image, size_t h, size_t w, size_t c, size_t dilation,
                        ptrdiff_t y0, ptrdiff_t x0, size_t side, const float *zeros,
                        const float **to)
{
	size_t r0, r1, c0, c1;
	tile_span(y0, side, dilation, h, &r0, &r1);
	tile_span(x0, side, dilation, w, &c0, &c1);
	for (size_t i = 0; i < side; i++)
		for (size_t j = 0; j < side; j++) {
			size_t y = (size_t)(y0 + (ptrdiff_t)(i * dilation));
			size_t x = (size_t)(x0 + (ptrdiff_t)(j * dilation));
			bool exists = i >= r0 && i < r1 && j >= c0 && j < c1;
			to[i * side + j] = exists ? image + (y * w + x) * c : zeros;
		}
}

static void point_rows(float *base, size_t step, size_t points, float **to)
{
	for (size_t p = 0; p < points; p++)
		to[p] = base + p * step;
}

static void const_rows(const float *base, size_t step, size_t points, const float **to)
{
	for (size_t p = 0; p < points; p++)
		to[p] = base + p * step;
}

/* ---- weights ---- */

static void prepare_chunk(void *arg, size_t chunk, size_t worker)
{
	const wino_job *job = arg;
	const wino *z = &job->z;
	size_t begin, end, out_c = z->s->out_c;
	float g[9][ROWS];
	const float *in[9];
	float *out[WINOGRAD_MAX_POINTS];
	(void)worker;
	pool_part(z->s->in_c, job->chunks, chunk, &begin, &end);
	for (size_t i = begin; i < end; i++)
		for (size_t k = 0; k < out_c; k += ROWS) {
			size_t n = out_c - k < ROWS ? out_c - k : ROWS;
			for (size_t t = 0; t < 9; t++) {
				in[t] = job->w + (t * z->s->in_c + i) * out_c + k;
				if (job->scale == NULL)
					continue;
				memset(g[t], 0, n * sizeof(float));
				epilogue_add(1, n, in[t], 0, job->scale + k, g[t], 0);
				in[t] = g[t];
			}
			point_rows(job->prepared + i * out_c + k, z->u_step, z->f->points, out);
			z->f->weight(in, out, n);
		}
}

void conv_winograd_prepare(const conv_plan *plan, size_t m, const float *w, const float *scale,
                           float *u, pool *workers)
{
	wino_job job = job_make(plan, m, false, NULL);
	job.w = w, job.scale = scale, job.prepared = u;
	job.chunks = (plan->shape.in_c + 7) / 8;
	pool_run(workers, job.chunks, prepare_chunk, &job);
}

/* ---- forward ---- */

/* Transforms tiles of the input: job->in[point][tile][in_c]. */
static void input_chunk(void *arg, size_t chunk, size_t worker)
{
	const wino_job *job = arg;
	const wino *z = &job->z;
	const conv_shape *s = z->s;
	const float *in[WINOGRAD_MAX_POINTS];
	float *out[WINOGRAD_MAX_POINTS];
	size_t begin, end, y, x;
	(void)worker;
	pool_part(job->count, job->chunks, chunk, &begin, &end);
	for (size_t t = begin; t < end; t++) {
		tile_origin(z, job->first + t, &y, &x);
		tile_pixels(job->x, s->in_h, s->in_w, s->in_c, s->dilation,
		            (ptrdiff_t)y - (ptrdiff_t)s->pad_top,
		            (ptrdiff_t)x - (ptrdiff_t)s->pad_left, z->f->side, job->zeros, in);
		point_rows(job->in + t * s->in_c, z->in_step, z->f->points, out);
		z->f->input(in, out, s->in_c);
	}
}

static void product_chunk(void *arg, size_t chunk, size_t worker)
{
	const wino_job *job = arg;
	const wino *z = &job->z;
	size_t in_c = z->s->in_c, out_c = z->s->out_c;
	(void)worker;
	gemm(GEMM_N, GEMM_N, job->count, out_c, in_c, 1.0f, job->in + chunk * z->in_step, in_c,
	     job->u + chunk * z->u_step, out_c, 0.0f, job->out + chunk * z->out_step, out_c);
}

static void output_chunk(void *arg, size_t chunk, size_t worker)
{
	const wino_job *job = arg;
	const wino *z = &job->z;
	const conv_shape *s = z->s;
	size_t m = z->f->m, c = s->out_c, begin, end, y, x, none, rows, cols;
	float *tile = job->workers + worker * z->worker_floats;
	const float *in[WINOGRAD_MAX_POINTS];
	float *out[WINOGRAD_MAX_POINTS];
	point_rows(tile, c, m * m, out);
	pool_part(job->count, job->chunks, chunk, &begin, &end);
	for (size_t t = begin; t < end; t++) {
		tile_origin(z, job->first + t, &y, &x);
		tile_span((ptrdiff_t)y, m, s->dilation, s->out_h, &none, &rows);
		tile_span((ptrdiff_t)x, m, s->dilation, s->out_w, &none, &cols);
		const_rows(job->out + t * c, z->out_step, z->f->points, in);
		z->f->output(in, out, c);
		for (size_t i = 0; i < rows; i++) {
			size_t at = ((y + i * s->dilation) * s->out_w + x) * c;
			const float *residual = job->residual == NULL ? NULL : job->residual + at;
			epilogue_rows(cols, c, tile + i * m * c, c, job->bias, residual, job->act,
			              job->y + at, s->dilation * c);
		}
	}
}

/* Sets the tiles of slab `begin` and the chunks of the transforms. */
static void next_slab(wino_job *job, size_t begin)
{
	job->first = begin;
	job->count = job->z.tiles - begin < job->z.slab ? job->z.tiles - begin : job->z.slab;
	job->chunks = (job->count + CHUNK_TILES - 1) / CHUNK_TILES;
}

void conv_winograd_forward(const conv_plan *plan, size_t m, const float *x, const float *u,
                           const float *bias, const float *residual, activation act, float *y,
                           float *scratch, pool *workers)
{
	wino_job job = job_make(plan, m, false, scratch);
	job.x = x, job.u = u, job.bias = bias, job.residual = residual, job.act = act, job.y = y;
	for (size_t t = 0; t < job.z.tiles; t += job.z.slab) {
		next_slab(&job, t);
		pool_run(workers, job.chunks, input_chunk, &job);
		pool_run(workers, job.z.f->points, product_chunk, &job);
		pool_run(workers, job.chunks, output_chunk, &job);
	}
}

/* ---- backward ---- */

/* Transforms tiles of dy: job->out[point][tile][out_c]. */
static void gradient_chunk(void *arg, size_t chunk, size_t worker)
{
	const wino_job *job = arg;
	const wino *z = &job->z;
	const conv_shape *s = z->s;
	const float *in[WINOGRAD_MAX_POINTS];
	float *out[WINOGRAD_MAX_POINTS];
	size_t begin, end, y, x;
	(void)worker;
	pool_part(job->count, job->chunks, chunk, &begin, &end);
	for (size_t t = begin; t < end; t++) {
		tile_origin(z, job->first + t, &y, &x);
		tile_pixels(job->dy, s->out_h, s->out_w, s->out_c, s->dilation, (ptrdiff_t)y,
		            (ptrdiff_t)x, z->f->m, job->zeros, in);
		point_rows(job->out + t * s->out_c, z->out_step, z->f->points, out);
		z->f->output_adjoint(in, out, s->out_c);
	}
}

static void data_product_chunk(void *arg, size_t chunk, size_t worker)
{
	const wino_job *job = arg;
	const wino *z = &job->z;
	size_t in_c = z->s->in_c, out_c = z->s->out_c;
	(void)worker;
	gemm(GEMM_N, GEMM_T, job->count, in_c, out_c, 1.0f, job->out + chunk * z->out_step, out_c,
	     job->u + chunk * z->u_step, out_c, 0.0f, job->in + chunk * z->in_step, in_c);
}

/* Adds the gradient of tile t of the slab to dx. */
static void add_tile(const wino_job *job, size_t t, float *buffer)
{
	const wino *z = &job->z;
	const conv_shape *s = z->s;
	size_t side = z->f->side, d = s->dilation, y, x, r0, r1, x0, x1;
	const float *in[WINOGRAD_MAX_POINTS];
	float *out[WINOGRAD_MAX_POINTS];
	tile_origin(z, job->first + t, &y, &x);
	ptrdiff_t top = (ptrdiff_t)y - (ptrdiff_t)s->pad_top;
	ptrdiff_t left = (ptrdiff_t)x - (ptrdiff_t)s->pad_left;
	tile_span(top, side, d, s->in_h, &r0, &r1);
	tile_span(left, side, d, s->in_w, &x0, &x1);
	for (size_t c = 0; c < s->in_c; c += BLOCK) {
		size_t n = s->in_c - c < BLOCK ? s->in_c - c : BLOCK;
		const_rows(job->in + t * s->in_c + c, z->in_step, z->f->points, in);
		point_rows(buffer, n, z->f->points, out);
		z->f->input_adjoint(in, out, n);
		for (size_t i = r0; i < r1; i++) {
			size_t row = (size_t)(top + (ptrdiff_t)(i * d));
			size_t col = (size_t)(left + (ptrdiff_t)(x0 * d));
			epilogue_add(x1 - x0, n, buffer + (i * side + x0) * n, n, NULL,
			             job->dx + (row * s->in_w + col) * s->in_c + c, d * s->in_c);
		}
	}
}

/* Neighbouring tiles overlap, so a chunk is a whole row of tiles, and within each lattice the
 * even rows are done before the odd ones. */
static void overlap_chunk(void *arg, size_t chunk, size_t worker)
{
	const wino_job *job = arg;
	const wino *z = &job->z;
	size_t row = job->first / z->across + chunk;
	if (axis_number(&z->rows, row) % 2 != job->parity)
		return;
	size_t begin = row * z->across, end = begin + z->across;
	size_t last = job->first + job->count;
	for (size_t t = begin > job->first ? begin : job->first; t < end && t < last; t++)
		add_tile(job, t - job->first, job->workers + worker * z->worker_floats);
}

static void weight_product_chunk(void *arg, size_t chunk, size_t worker)
{
	const wino_job *job = arg;
	const wino *z = &job->z;
	size_t in_c = z->s->in_c, out_c = z->s->out_c, n = job->k1 - job->k0;
	(void)worker;
	gemm(GEMM_T, GEMM_N, in_c, n, job->count, 1.0f, job->in + chunk * z->in_step, in_c,
	     job->out + chunk * z->out_step + job->k0, out_c, 0.0f,
	     job->panel + chunk * panel_step(job), n);
}

static void weight_chunk(void *arg, size_t chunk, size_t worker)
{
	const wino_job *job = arg;
	const wino *z = &job->z;
	size_t begin, end, width = job->k1 - job->k0;
	float g[9][ROWS];
	const float *in[WINOGRAD_MAX_POINTS];
	float *out[9];
	(void)worker;
	point_rows(g[0], ROWS, 9, out);
	pool_part(z->s->in_c, job->chunks, chunk, &begin, &end);
	for (size_t i = begin; i < end; i++)
		for (size_t k = 0; k < width; k += ROWS) {
			size_t n = width - k < ROWS ? width - k : ROWS;
			const_rows(job->panel + i * width + k, panel_step(job), z->f->points, in);
			z->f->weight_adjoint(in, out, n);
			size_t at = i * z->s->out_c + job->k0 + k;
			const float *scale = job->scale == NULL ? NULL : job->scale + job->k0 + k;
			for (size_t t = 0; t < 9; t++)
				epilogue_add(1, n, g[t], 0, scale,
				             job->dw + t * z->s->in_c * z->s->out_c + at, 0);
		}
}

static void clear_chunk(void *arg, size_t chunk, size_t worker)
{
	const wino_job *job = arg;
	const conv_shape *s = job->z.s;
	(void)worker;
	memset(job->dx + chunk * s->in_w * s->in_c, 0, s->in_w * s->in_c * sizeof(float));
}

static void slab_data_gradient(wino_job *job, pool *workers)
{
	const wino *z = &job->z;
	pool_run(workers, z->f->points, data_product_chunk, job);
	size_t rows = (job->first + job->count - 1) / z->across - job->first / z->across + 1;
	for (job->parity = 0; job->parity < 2; job->parity++)
		pool_run(workers, rows, overlap_chunk, job);
}

static void slab_weight_gradient(wino_job *job, pool *workers)
{
	const wino *z = &job->z;
	size_t transform_chunks = job->chunks;
	pool_run(workers, transform_chunks, input_chunk, job);
	for (job->k0 = 0; job->k0 < z->s->out_c; job->k0 = job->k1) {
		job->k1 = z->s->out_c - job->k0 < z->panel ? z->s->out_c : job->k0 + z->panel;
		pool_run(workers, z->f->points, weight_product_chunk, job);
		job->chunks = (z->s->in_c + 7) / 8;
		pool_run(workers, job->chunks, weight_chunk, job);
		job->chunks = transform_chunks;
	}
}

void conv_winograd_backward(const conv_plan *plan, size_t m, const conv_grad *grad, const float *u,
                            float *scratch, pool *workers)
{
	wino_job job = job_make(plan, m, true, scratch);
	job.x = grad->x, job.dy = grad->dy, job.u = u, job.scale = grad->scale;
	job.dx = grad->dx, job.dw = grad->dw;
	if (grad->dx != NULL && !grad->dx_accumulate)
		pool_run(workers, plan->shape.in_h, clear_chunk, &job);
	for (size_t t = 0; t < job.z.tiles; t += job.z.slab) {
		next_slab(&job, t);
		pool_run(workers, job.chunks, gradient_chunk, &job);
		if (grad->dx != NULL)
			slab_data_gradient(&job, workers);
		if (grad->dw != NULL)
			slab_weight_gradient(&job, workers);
	}
}
