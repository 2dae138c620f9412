#include "op/conv_winograd.h"

#include <string.h>

#include "op/conv_internal.h"
#include "op/epilogue.h"
#include "op/gemm.h"
#include "op/winograd.h"

enum {
	SLAB_FLOATS = 1 << 20,  /* of both transformed images, unless that is below */
	SLAB_TILES = 160,       /* this many tiles: the products need some rows */
	WEIGHT_FLOATS = 10 << 20, /* of transformed weights that are made for one pass */
	PANEL_FLOATS = 9 << 19, /* of the transformed weight gradient */
	SKEW = 80,              /* keeps the points' rows out of each other's cache sets */
	CHUNK_TILES = 4,        /* tiles transformed by one call of the pool */
	ROWS = 256,             /* channels of weights transformed at a time, on the stack */
	BLOCK = 64,             /* channels of a tile of dx added at a time */
};

/* With dilation d the outputs r, r + d, r + 2d, ... of one axis are a lattice of their own: d small
 * convolutions of dilation 1 (n outputs, of the inputs 0 .. n + 1). Each lattice has a slot on a line
 * that is cut into tiles of m outputs. Slots are
 *   aligned: n rounded up to whole tiles; each lattice's last tile may be part empty, or
 *   packed: n and a gap of unused outputs; a tile may reach over to the next lattice, and only the
 *     line's last tile is part empty. Where the last input of a lattice and the first of the next
 *     are both padding, they share a place and a gap of 1 is enough, else it is 2;
 * whichever takes fewer tiles. */
typedef struct axis {
	size_t dilation, pad, in;
	size_t lattices, long_lattices;  /* the first ones have one output more */
	size_t outputs, slot, long_slot; /* outputs of a short lattice; lengths on the line */
	size_t tiles;
	bool packed;
} axis;

static axis axis_make(size_t in, size_t out, size_t dilation, size_t pad, size_t m)
{
	size_t n = out / dilation, longs = out % dilation, lattices = n > 0 ? dilation : longs;
	size_t tiles = (n + m - 1) / m, long_tiles = (n + m) / m;
	size_t aligned = longs * long_tiles + (lattices - longs) * tiles;
	size_t gap = pad >= dilation && in + pad <= out + dilation ? 1 : 2;
	size_t packed = (out + (lattices - 1) * gap + m - 1) / m;
	axis a = {.dilation = dilation, .pad = pad, .in = in, .lattices = lattices,
	          .long_lattices = longs, .outputs = n, .packed = packed < aligned};
	a.tiles = a.packed ? packed : aligned;
	a.slot = a.packed ? n + gap : tiles * m;
	a.long_slot = a.packed ? n + 1 + gap : long_tiles * m;
	return a;
}

/* Lattice and index within it of place i of the tile at `at`; false past the line's end. */
static bool axis_place(const axis *a, size_t at, size_t i, size_t *lattice, size_t *index)
{
	size_t all_long = a->long_lattices * a->long_slot, place = a->packed ? at + i : at;
	if (place < all_long) {
		*lattice = place / a->long_slot;
		*index = place % a->long_slot;
	} else {
		*lattice = a->long_lattices + (place - all_long) / a->slot;
		*index = (place - all_long) % a->slot;
	}
	*index += a->packed ? 0 : i;
	return *lattice < a->lattices;
}

/* Image coordinates of the n places from `at` on, NOWHERE for gaps and padding. */
enum { NOWHERE = -1 };

static void axis_outputs(const axis *a, size_t at, size_t n, ptrdiff_t *to)
{
	for (size_t i = 0; i < n; i++) {
		size_t r, k;
		bool exists = axis_place(a, at, i, &r, &k) && k < a->outputs + (r < a->long_lattices);
		to[i] = exists ? (ptrdiff_t)(r + a->dilation * k) : NOWHERE;
	}
}

static void axis_inputs(const axis *a, size_t at, size_t n, ptrdiff_t *to)
{
	for (size_t i = 0; i < n; i++) {
		size_t r, k;
		bool exists = axis_place(a, at, i, &r, &k) && r + a->dilation * k >= a->pad &&
		              r + a->dilation * k - a->pad < a->in;
		to[i] = exists ? (ptrdiff_t)(r + a->dilation * k - a->pad) : NOWHERE;
	}
}

/* The next stretch of coordinates a lattice apart, from *end on; false when there is none. */
static bool axis_run(const axis *a, const ptrdiff_t *at, size_t n, size_t *begin, size_t *end)
{
	size_t i = *end;
	while (i < n && at[i] == NOWHERE)
		i++;
	*begin = i;
	if (i == n)
		return false;
	for (i++; i < n && at[i] == at[i - 1] + (ptrdiff_t)a->dilation;)
		i++;
	*end = i;
	return true;
}

/* The layout of everything, from the shape alone. */
typedef struct wino {
	const conv_shape *s;
	const winograd *f;
	axis rows, cols;
	size_t tiles, slab; /* in all, per slab */
	size_t width;               /* output channels worked on at a time */
	size_t u_step, in_step, out_step; /* floats from one point to the next */
	size_t panel;               /* output channels of the weight gradient at a time; 0: no gradient */
	size_t worker_floats;
} wino;

static size_t max_size(size_t a, size_t b) { return a > b ? a : b; }

/* Weights kept for inference are transformed whole. Those of one pass in parts where they are very
 * large (1024 to 1024 channels): that repeats the other transforms, a few per cent, and saves most
 * of the largest block of memory. */
static size_t part_width(const conv_shape *s, size_t points, bool per_pass)
{
	size_t whole = points * s->in_c * s->out_c;
	size_t parts = per_pass ? (whole + WEIGHT_FLOATS - 1) / WEIGHT_FLOATS : 1;
	size_t width = round_up((s->out_c + parts - 1) / parts, 64);
	return width < s->out_c ? width : s->out_c;
}

static wino wino_make(const conv_shape *s, size_t m, bool per_pass)
{
	wino z = {.s = s, .f = m == 2 ? &winograd_f2 : &winograd_f4};
	size_t points = z.f->points;
	z.rows = axis_make(s->in_h, s->out_h, s->dilation, s->pad_top, m);
	z.cols = axis_make(s->in_w, s->out_w, s->dilation, s->pad_left, m);
	z.tiles = z.cols.tiles * z.rows.tiles;
	z.width = part_width(s, points, per_pass);
	size_t most = max_size(SLAB_TILES, SLAB_FLOATS / (points * (s->in_c + z.width)));
	size_t slabs = (z.tiles + most - 1) / most;
	z.slab = (z.tiles + slabs - 1) / slabs;
	z.u_step = round_up(s->in_c * z.width, 16) + SKEW;
	z.in_step = round_up(z.slab * s->in_c, 16) + SKEW;
	z.out_step = round_up(z.slab * z.width, 16) + SKEW;
	z.panel = per_pass ? max_size(64, PANEL_FLOATS / (points * s->in_c) / 64 * 64) : 0;
	if (z.panel > z.width)
		z.panel = z.width;
	z.worker_floats = round_up(max_size(m * m * z.width, points * BLOCK), 16);
	return z;
}

bool conv_winograd_fits(const conv_shape *s)
{
	return s->kernel_h == 3 && s->kernel_w == 3 && s->stride == 1 && s->groups == 1;
}

size_t conv_winograd_tiles(const conv_shape *s, size_t m)
{
	wino z = wino_make(s, m, false);
	return z.tiles;
}

size_t conv_winograd_prepared(const conv_shape *s, size_t m, bool per_pass)
{
	wino z = wino_make(s, m, per_pass);
	return z.f->points * z.u_step;
}

/* Scratch: a row of zeros, both transformed slabs, the weight gradient's panel, then per worker
 * one tile. */
static size_t zero_floats(const conv_shape *s)
{
	return round_up(max_size(s->in_c, s->out_c), 16);
}

/* Floats from one point of the panel to the next. */
static size_t panel_step(const wino *z)
{
	return z->panel > 0 ? round_up(z->s->in_c * z->panel, 16) + SKEW : 0;
}

static size_t shared_floats(const wino *z)
{
	return zero_floats(z->s) + z->f->points * (z->in_step + z->out_step + panel_step(z));
}

size_t conv_winograd_scratch(const conv_shape *s, size_t m, bool per_pass, size_t threads)
{
	wino z = wino_make(s, m, per_pass);
	return shared_floats(&z) + threads * z.worker_floats;
}

typedef struct wino_job {
	wino z;
	size_t first, count; /* tiles of the current slab */
	size_t k0, k1;       /* output channels of the current part */
	size_t g0, g1;       /* of the weight gradient's current panel */
	size_t chunks;
	size_t parity;       /* of the rows of tiles being added to dx */
	const float *x, *w, *scale, *bias, *residual, *dy;
	activation act;
	float *y, *dx, *dw, *u;
	float *zeros, *in, *out, *panel, *workers; /* parts of scratch */
} wino_job;

static wino_job job_make(const conv_plan *plan, size_t m, const conv_weights *weights,
                         float *scratch)
{
	wino_job job = {.z = wino_make(&plan->shape, m, plan->per_pass)};
	const wino *z = &job.z;
	job.w = weights->w, job.scale = weights->scale;
	job.u = weights->prepared + conv_dense_floats(plan);
	if (scratch == NULL)
		return job;
	job.zeros = scratch;
	job.in = job.zeros + zero_floats(z->s);
	job.out = job.in + z->f->points * z->in_step;
	job.panel = job.out + z->f->points * z->out_step;
	job.workers = scratch + shared_floats(z);
	memset(job.zeros, 0, zero_floats(z->s) * sizeof(float));
	return job;
}

/* Where a tile's pixels lie in the image, by row and column. */
typedef struct tile_place {
	ptrdiff_t y[WINOGRAD_MAX_SIDE], x[WINOGRAD_MAX_SIDE];
} tile_place;

static tile_place tile_outputs(const wino *z, size_t tile)
{
	tile_place p;
	size_t m = z->f->m;
	axis_outputs(&z->rows, tile / z->cols.tiles * m, m, p.y);
	axis_outputs(&z->cols, tile % z->cols.tiles * m, m, p.x);
	return p;
}

static tile_place tile_inputs(const wino *z, size_t tile)
{
	tile_place p;
	size_t m = z->f->m, side = z->f->side;
	axis_inputs(&z->rows, tile / z->cols.tiles * m, side, p.y);
	axis_inputs(&z->cols, tile % z->cols.tiles * m, side, p.x);
	return p;
}

/* Points to channel `from` of the side x side pixels of a tile, `zeros` where there is none. */
static void tile_pixels(const float *image, size_t from, size_t w, size_t c, const tile_place *p,
                        size_t side, const float *zeros, const float **to)
{
	for (size_t i = 0; i < side; i++)
		for (size_t j = 0; j < side; j++)
			to[i * side + j] = p->y[i] == NOWHERE || p->x[j] == NOWHERE
			                       ? zeros
			                       : image + from +
			                             ((size_t)p->y[i] * w + (size_t)p->x[j]) * c;
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

/* Channels of the current part: the length of a row of `u` and `out`. */
static size_t part(const wino_job *job) { return job->k1 - job->k0; }

/* ---- weights ---- */

static void prepare_chunk(void *arg, size_t chunk, size_t worker)
{
	const wino_job *job = arg;
	const wino *z = &job->z;
	size_t begin, end, out_c = z->s->out_c, width = part(job);
	float g[9][ROWS];
	const float *in[9];
	float *out[WINOGRAD_MAX_POINTS];
	(void)worker;
	pool_part(z->s->in_c, job->chunks, chunk, &begin, &end);
	for (size_t i = begin; i < end; i++)
		for (size_t k = 0; k < width; k += ROWS) {
			size_t n = width - k < ROWS ? width - k : ROWS;
			for (size_t t = 0; t < 9; t++) {
				in[t] = job->w + (t * z->s->in_c + i) * out_c + job->k0 + k;
				if (job->scale == NULL)
					continue;
				memset(g[t], 0, n * sizeof(float));
				epilogue_add(1, n, in[t], 0, job->scale + job->k0 + k, g[t], 0);
				in[t] = g[t];
			}
			point_rows(job->u + i * width + k, z->u_step, z->f->points, out);
			z->f->weight(in, out, n);
		}
}

static void prepare_part(wino_job *job, pool *workers)
{
	job->chunks = (job->z.s->in_c + 7) / 8;
	pool_run(workers, job->chunks, prepare_chunk, job);
}

void conv_winograd_prepare(const conv_plan *plan, size_t m, const conv_weights *weights,
                           pool *workers)
{
	wino_job job = job_make(plan, m, weights, NULL);
	job.k1 = plan->shape.out_c;
	prepare_part(&job, workers);
}

/* The next part of the output channels, its weights made when the plan says so; false when all are
 * done. Starts from k1 = 0. */
static bool next_part(wino_job *job, const conv_plan *plan, pool *workers)
{
	size_t left = plan->shape.out_c - job->k1;
	job->k0 = job->k1;
	job->k1 += left < job->z.width ? left : job->z.width;
	if (left > 0 && plan->per_pass)
		prepare_part(job, workers);
	return left > 0;
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
	size_t begin, end;
	(void)worker;
	pool_part(job->count, job->chunks, chunk, &begin, &end);
	for (size_t t = begin; t < end; t++) {
		tile_place p = tile_inputs(z, job->first + t);
		tile_pixels(job->x, 0, s->in_w, s->in_c, &p, z->f->side, job->zeros, in);
		point_rows(job->in + t * s->in_c, z->in_step, z->f->points, out);
		z->f->input(in, out, s->in_c);
	}
}

static void product_chunk(void *arg, size_t chunk, size_t worker)
{
	const wino_job *job = arg;
	const wino *z = &job->z;
	size_t in_c = z->s->in_c, width = part(job);
	(void)worker;
	gemm(GEMM_N, GEMM_N, job->count, width, in_c, 1.0f, job->in + chunk * z->in_step, in_c,
	     job->u + chunk * z->u_step, width, 0.0f, job->out + chunk * z->out_step, width);
}

static void output_chunk(void *arg, size_t chunk, size_t worker)
{
	const wino_job *job = arg;
	const wino *z = &job->z;
	const conv_shape *s = z->s;
	size_t m = z->f->m, c = part(job), begin, end;
	const float *bias = job->bias == NULL ? NULL : job->bias + job->k0;
	float *tile = job->workers + worker * z->worker_floats;
	const float *in[WINOGRAD_MAX_POINTS];
	float *out[WINOGRAD_MAX_POINTS];
	point_rows(tile, c, m * m, out);
	pool_part(job->count, job->chunks, chunk, &begin, &end);
	for (size_t t = begin; t < end; t++) {
		tile_place p = tile_outputs(z, job->first + t);
		const_rows(job->out + t * c, z->out_step, z->f->points, in);
		z->f->output(in, out, c);
		for (size_t i = 0; i < m; i++) {
			size_t x0, x1 = 0;
			while (p.y[i] != NOWHERE && axis_run(&z->cols, p.x, m, &x0, &x1)) {
				size_t at = (size_t)p.y[i] * s->out_w + (size_t)p.x[x0];
				at = at * s->out_c + job->k0;
				epilogue_rows(x1 - x0, c, tile + (i * m + x0) * c, c, bias,
				              job->residual == NULL ? NULL : job->residual + at,
				              job->act, job->y + at, s->dilation * s->out_c);
			}
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

void conv_winograd_forward(const conv_plan *plan, size_t m, const float *x,
                           const conv_weights *weights, const float *bias, const float *residual,
                           activation act, float *y, float *scratch, pool *workers)
{
	wino_job job = job_make(plan, m, weights, scratch);
	job.x = x, job.bias = bias, job.residual = residual, job.act = act, job.y = y;
	while (next_part(&job, plan, workers))
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
	size_t begin, end;
	(void)worker;
	pool_part(job->count, job->chunks, chunk, &begin, &end);
	for (size_t t = begin; t < end; t++) {
		tile_place p = tile_outputs(z, job->first + t);
		tile_pixels(job->dy, job->k0, s->out_w, s->out_c, &p, z->f->m, job->zeros, in);
		point_rows(job->out + t * part(job), z->out_step, z->f->points, out);
		z->f->output_adjoint(in, out, part(job));
	}
}

static void data_product_chunk(void *arg, size_t chunk, size_t worker)
{
	const wino_job *job = arg;
	const wino *z = &job->z;
	size_t in_c = z->s->in_c, width = part(job);
	(void)worker;
	gemm(GEMM_N, GEMM_T, job->count, in_c, width, 1.0f, job->out + chunk * z->out_step, width,
	     job->u + chunk * z->u_step, width, 0.0f, job->in + chunk * z->in_step, in_c);
}

/* Adds the gradient of tile t of the slab to dx. */
static void add_tile(const wino_job *job, size_t t, float *buffer)
{
	const wino *z = &job->z;
	const conv_shape *s = z->s;
	size_t side = z->f->side;
	const float *in[WINOGRAD_MAX_POINTS];
	float *out[WINOGRAD_MAX_POINTS];
	tile_place p = tile_inputs(z, job->first + t);
	for (size_t c = 0; c < s->in_c; c += BLOCK) {
		size_t n = s->in_c - c < BLOCK ? s->in_c - c : BLOCK;
		const_rows(job->in + t * s->in_c + c, z->in_step, z->f->points, in);
		point_rows(buffer, n, z->f->points, out);
		z->f->input_adjoint(in, out, n);
		for (size_t i = 0; i < side; i++) {
			size_t x0, x1 = 0;
			while (p.y[i] != NOWHERE && axis_run(&z->cols, p.x, side, &x0, &x1)) {
				size_t at = (size_t)p.y[i] * s->in_w + (size_t)p.x[x0];
				epilogue_add(x1 - x0, n, buffer + (i * side + x0) * n, n, NULL,
				             job->dx + at * s->in_c + c, s->dilation * s->in_c);
			}
		}
	}
}

/* Neighbouring tiles overlap, so a chunk is a whole row of tiles, and the even rows are done before
 * the odd ones. */
static void overlap_chunk(void *arg, size_t chunk, size_t worker)
{
	const wino_job *job = arg;
	const wino *z = &job->z;
	size_t row = job->first / z->cols.tiles + chunk;
	if (row % 2 != job->parity)
		return;
	size_t begin = row * z->cols.tiles, end = begin + z->cols.tiles;
	size_t last = job->first + job->count;
	for (size_t t = begin > job->first ? begin : job->first; t < end && t < last; t++)
		add_tile(job, t - job->first, job->workers + worker * z->worker_floats);
}

static void weight_product_chunk(void *arg, size_t chunk, size_t worker)
{
	const wino_job *job = arg;
	const wino *z = &job->z;
	size_t in_c = z->s->in_c, n = job->g1 - job->g0;
	(void)worker;
	gemm(GEMM_T, GEMM_N, in_c, n, job->count, 1.0f, job->in + chunk * z->in_step, in_c,
	     job->out + chunk * z->out_step + job->g0 - job->k0, part(job), 0.0f,
	     job->panel + chunk * panel_step(z), n);
}

static void weight_chunk(void *arg, size_t chunk, size_t worker)
{
	const wino_job *job = arg;
	const wino *z = &job->z;
	size_t begin, end, width = job->g1 - job->g0;
	float g[9][ROWS];
	const float *in[WINOGRAD_MAX_POINTS];
	float *out[9];
	(void)worker;
	point_rows(g[0], ROWS, 9, out);
	pool_part(z->s->in_c, job->chunks, chunk, &begin, &end);
	for (size_t i = begin; i < end; i++)
		for (size_t k = 0; k < width; k += ROWS) {
			size_t n = width - k < ROWS ? width - k : ROWS;
			const_rows(job->panel + i * width + k, panel_step(z), z->f->points, in);
			z->f->weight_adjoint(in, out, n);
			size_t at = i * z->s->out_c + job->g0 + k;
			const float *scale = job->scale == NULL ? NULL : job->scale + job->g0 + k;
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
	size_t across = z->cols.tiles;
	size_t rows = (job->first + job->count - 1) / across - job->first / across + 1;
	for (job->parity = 0; job->parity < 2; job->parity++)
		pool_run(workers, rows, overlap_chunk, job);
}

static void slab_weight_gradient(wino_job *job, pool *workers)
{
	const wino *z = &job->z;
	size_t transform_chunks = job->chunks;
	pool_run(workers, transform_chunks, input_chunk, job);
	for (job->g0 = job->k0; job->g0 < job->k1; job->g0 = job->g1) {
		job->g1 = job->k1 - job->g0 < z->panel ? job->k1 : job->g0 + z->panel;
		pool_run(workers, z->f->points, weight_product_chunk, job);
		job->chunks = (z->s->in_c + 7) / 8;
		pool_run(workers, job->chunks, weight_chunk, job);
		job->chunks = transform_chunks;
	}
}

void conv_winograd_backward(const conv_plan *plan, size_t m, const conv_grad *grad, float *scratch,
                            pool *workers)
{
	wino_job job = job_make(plan, m, grad->weights, scratch);
	job.x = grad->x, job.dy = grad->dy;
	job.dx = grad->dx, job.dw = grad->dw;
	if (grad->dx != NULL && !grad->dx_accumulate)
		pool_run(workers, plan->shape.in_h, clear_chunk, &job);
	while (next_part(&job, plan, workers))
		for (size_t t = 0; t < job.z.tiles; t += job.z.slab) {
			next_slab(&job, t);
			pool_run(workers, job.chunks, gradient_chunk, &job);
			if (grad->dx != NULL)
				slab_data_gradient(&job, workers);
			if (grad->dw != NULL)
				slab_weight_gradient(&job, workers);
		}
}
