#include "op/conv_depthwise.h"

#include <math.h>
#include <string.h>

#include "base/simd.h"

/* Eight channels at a time: the widest vector that needs no more than the 16 registers of AVX2 for
 * eight sums, a weight and the clamp, or for nine sums of weights in the dw pass. Named as a type,
 * because gcc does not keep a plain float[8] in a register over the pixel loop. */
enum { LANES = 8 };
typedef float lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t lane_mask __attribute__((vector_size(4 * LANES)));

enum {
	GROUP = 8,         /* pixels that share one load of a weight, or of a sum of the dw pass */
	ROW_CHUNKS = 64,   /* at most so many parts of a map in the forward and dx passes */
	GRAD_CHUNKS = 16,  /* and in the dw pass, each with its own partial sums */
	UNROLLED_TAPS = 3, /* kernels up to 3x3 have their taps written out */
};

/* One axis of a pass. Target i sums source[origin + i*advance + j*spread] * w[first + j*step] over
 * those j in 0..taps-1 whose source lies in 0..length-1; spread > 0. The forward pass is one such
 * axis; the data gradient is one per phase of the stride, because input i only met those taps k
 * for which i + pad - k*dilation is a multiple of the stride. */
typedef struct axis {
	ptrdiff_t origin, advance, spread, length;
	ptrdiff_t first, step;
	size_t taps;
} axis;

static axis axis_forward(size_t in, size_t kernel, size_t stride, size_t dilation, size_t pad)
{
	return (axis){.origin = -(ptrdiff_t)pad, .advance = (ptrdiff_t)stride,
	              .spread = (ptrdiff_t)dilation, .length = (ptrdiff_t)in, .first = 0, .step = 1,
	              .taps = kernel};
}

/* Taps are listed from the last to the first, so that the source grows with j. */
static axis axis_adjoint(size_t out, size_t kernel, size_t stride, size_t dilation, size_t pad,
                         size_t phase)
{
	ptrdiff_t s = (ptrdiff_t)stride, d = (ptrdiff_t)dilation;
	ptrdiff_t at = (ptrdiff_t)(phase + pad);
	size_t k = 0, step = 1;
	while (k < kernel && (at - (ptrdiff_t)k * d) % s != 0)
		k++;
	while (step * dilation % stride != 0)
		step++;
	size_t taps = k < kernel ? (kernel - 1 - k) / step + 1 : 0;
	ptrdiff_t last = taps > 0 ? (ptrdiff_t)(k + (taps - 1) * step) : 0;
	return (axis){.origin = (at - last * d) / s, .advance = 1,
	              .spread = (ptrdiff_t)step * d / s, .length = (ptrdiff_t)out, .first = last,
	              .step = -(ptrdiff_t)step, .taps = taps};
}

static ptrdiff_t axis_source(const axis *a, size_t i, size_t tap)
{
	return a->origin + (ptrdiff_t)i * a->advance + (ptrdiff_t)tap * a->spread;
}

/* Targets at..end-1 see the same taps: tap..tap+taps-1 lie inside the source, the others not. */
typedef struct run {
	const axis *axis;
	size_t at, end, tap, taps;
} run;

static run run_single(const axis *a, size_t i)
{
	ptrdiff_t base = axis_source(a, i, 0);
	ptrdiff_t lo = base < 0 ? (-base + a->spread - 1) / a->spread : 0;
	ptrdiff_t hi = base < a->length ? (a->length - 1 - base) / a->spread + 1 : 0;
	hi = hi < (ptrdiff_t)a->taps ? hi : (ptrdiff_t)a->taps;
	run r = {.axis = a, .at = i, .end = i + 1};
	if (lo < hi) {
		r.tap = (size_t)lo;
		r.taps = (size_t)(hi - lo);
	}
	return r;
}

/* The longest run that begins at target i of `count`. Only the few targets at the rim are looked
 * at one by one; the end of the inner run is computed. */
static run run_longest(const axis *a, size_t i, size_t count)
{
	run r = run_single(a, i);
	if (r.taps == a->taps && r.taps > 0) {
		ptrdiff_t left = a->length - 1 - a->origin - (ptrdiff_t)(a->taps - 1) * a->spread;
		r.end = (size_t)(left / a->advance) + 1;
	}
	while (r.end < count) {
		run next = run_single(a, r.end);
		if (next.tap != r.tap || next.taps != r.taps)
			break;
		r.end++;
	}
	r.end = r.end < count ? r.end : count;
	return r;
}

/* A run of pixels and its taps as addresses; steps are in floats. In the dw pass `w` holds the
 * sums, `y` is dy and `bias` the sum of dy. */
typedef struct span {
	const float *x, *residual;
	float *w, *bias, *y;
	ptrdiff_t x_step, x_row, x_col, w_row, w_col, y_step;
	size_t rows, cols, pixels, c;
	float low, high;
} span;

/* Whole vectors of channels of the n pixels from p0 on, n <= GROUP. Channels run innermost, so
 * that memory is read and written in order, and the pixels share each weight. Called with
 * constants where the number of taps is small. */
static TP_INLINE void sum_pixels(const span *s, size_t rows, size_t cols, size_t p0, size_t n)
{
	const lanes zero = {0}, low = zero + s->low, high = zero + s->high;
	const ptrdiff_t x_step = s->x_step, x_row = s->x_row, x_col = s->x_col;
	const ptrdiff_t w_row = s->w_row, w_col = s->w_col, y_step = s->y_step;
	const size_t vectors = s->c / LANES;
	const float *x = s->x + (ptrdiff_t)p0 * x_step, *w = s->w, *bias = s->bias;
	const float *residual = s->residual;
	float *y = s->y + (ptrdiff_t)p0 * y_step;
	for (size_t v = 0; v < vectors; v++, x += LANES, w += LANES, y += LANES) {
		lanes sum[GROUP];
#pragma GCC unroll 8
		for (size_t p = 0; p < n; p++)
			sum[p] = bias == NULL ? zero : *(const lanes *)(bias + v * LANES);
#pragma GCC unroll 8
		for (size_t i = 0; i < rows; i++)
#pragma GCC unroll 8
			for (size_t j = 0; j < cols; j++) {
				const float *at = x + (ptrdiff_t)i * x_row + (ptrdiff_t)j * x_col;
				const lanes k = *(const lanes *)(w + (ptrdiff_t)i * w_row +
				                                 (ptrdiff_t)j * w_col);
#pragma GCC unroll 8
				for (size_t p = 0; p < n; p++, at += x_step)
					sum[p] += k * *(const lanes *)at;
			}
		float *to = y;
#pragma GCC unroll 8
		for (size_t p = 0; p < n; p++, to += y_step) {
			if (residual != NULL)
				sum[p] += *(const lanes *)(residual + (to - s->y));
			/* Written as selections, so that NaN stays; low is 0 or -infinity. */
			const lanes bent = (lanes)((lane_mask)sum[p] & ~(sum[p] < low));
			const lane_mask over = bent > high;
			*(lanes *)to =
			    (lanes)((over & (lane_mask)high) | (~over & (lane_mask)bent));
		}
	}
}

/* The channels behind the last full vector. */
static void sum_rest(const span *s, size_t p0, size_t n, size_t at)
{
	for (size_t p = p0; p < p0 + n; p++)
		for (size_t l = at; l < s->c; l++) {
			const float *x = s->x + (ptrdiff_t)p * s->x_step + l, *w = s->w + l;
			const ptrdiff_t out = (ptrdiff_t)p * s->y_step + (ptrdiff_t)l;
			float sum = s->bias == NULL ? 0.0f : s->bias[l];
			for (size_t t = 0; t < s->rows * s->cols; t++) {
				ptrdiff_t i = (ptrdiff_t)(t / s->cols);
				ptrdiff_t j = (ptrdiff_t)(t % s->cols);
				sum += x[i * s->x_row + j * s->x_col] *
				       w[i * s->w_row + j * s->w_col];
			}
			if (s->residual != NULL)
				sum += s->residual[out];
			sum = sum < s->low ? s->low : sum;
			s->y[out] = sum > s->high ? s->high : sum;
		}
}

/* Expands X(rows, cols, unrolled) for each small size and for the general one. */
#define BY_TAPS(rows, cols, X)                                                                    \
	switch ((rows) <= UNROLLED_TAPS && (cols) <= UNROLLED_TAPS ? 4 * (rows) + (cols) : 0) {   \
	case 15: X(3, 3, true); break;                                                            \
	case 14: X(3, 2, true); break;                                                            \
	case 13: X(3, 1, true); break;                                                            \
	case 11: X(2, 3, true); break;                                                            \
	case 10: X(2, 2, true); break;                                                            \
	case 9: X(2, 1, true); break;                                                             \
	case 7: X(1, 3, true); break;                                                             \
	case 6: X(1, 2, true); break;                                                             \
	case 5: X(1, 1, true); break;                                                             \
	default: X(rows, cols, false);                                                            \
	}

TP_SIMD static void sum_span(const span *s)
{
	size_t p = 0;
#define SUM(rows, cols, unrolled)                                                                 \
	for (; p + GROUP <= s->pixels; p += GROUP)                                                \
		sum_pixels(s, rows, cols, p, GROUP);                                              \
	for (; p < s->pixels; p++)                                                                \
	sum_pixels(s, rows, cols, p, 1)
	BY_TAPS(s->rows, s->cols, SUM)
#undef SUM
	if (s->c % LANES > 0)
		sum_rest(s, 0, s->pixels, s->c - s->c % LANES);
}

static TP_INLINE void grad_lanes(const span *s, size_t rows, size_t cols, size_t p0, size_t n,
                                 size_t at)
{
	float *w = s->w + at;
	const float *x = s->x + (ptrdiff_t)p0 * s->x_step + at;
	const float *dy = s->y + (ptrdiff_t)p0 * s->y_step + at;
	const ptrdiff_t x_step = s->x_step, x_row = s->x_row, x_col = s->x_col;
	const ptrdiff_t w_row = s->w_row, w_col = s->w_col, y_step = s->y_step;
	lanes dbias = *(lanes *)(s->bias + at), k[UNROLLED_TAPS * UNROLLED_TAPS];
	for (size_t i = 0; i < rows; i++)
		for (size_t j = 0; j < cols; j++)
			k[i * UNROLLED_TAPS + j] =
			    *(lanes *)(w + (ptrdiff_t)i * w_row + (ptrdiff_t)j * w_col);
	for (size_t p = 0; p < n; p++) {
		const lanes d = *(const lanes *)dy;
		dbias += d;
		for (size_t i = 0; i < rows; i++)
			for (size_t j = 0; j < cols; j++)
				k[i * UNROLLED_TAPS + j] +=
				    d * *(const lanes *)(x + (ptrdiff_t)i * x_row +
				                         (ptrdiff_t)j * x_col);
		x += x_step;
		dy += y_step;
	}
	for (size_t i = 0; i < rows; i++)
		for (size_t j = 0; j < cols; j++)
			*(lanes *)(w + (ptrdiff_t)i * w_row + (ptrdiff_t)j * w_col) =
			    k[i * UNROLLED_TAPS + j];
	*(lanes *)(s->bias + at) = dbias;
}

/* Any number of taps, any number of channels from `at`. */
static TP_INLINE void grad_rest(const span *s, size_t p0, size_t n, size_t at)
{
	for (size_t p = p0; p < p0 + n; p++) {
		const float *x = s->x + (ptrdiff_t)p * s->x_step;
		const float *dy = s->y + (ptrdiff_t)p * s->y_step;
		for (size_t l = at; l < s->c; l++)
			s->bias[l] += dy[l];
		for (size_t i = 0; i < s->rows; i++)
			for (size_t j = 0; j < s->cols; j++) {
				const float *restrict xt =
				    x + (ptrdiff_t)i * s->x_row + (ptrdiff_t)j * s->x_col;
				float *restrict wt =
				    s->w + (ptrdiff_t)i * s->w_row + (ptrdiff_t)j * s->w_col;
				for (size_t l = at; l < s->c; l++)
					wt[l] += dy[l] * xt[l];
			}
	}
}

TP_SIMD static void grad_span(const span *s)
{
	for (size_t p = 0; p < s->pixels; p += GROUP) {
		size_t n = s->pixels - p < GROUP ? s->pixels - p : GROUP, at = 0;
#define GRAD(rows, cols, unrolled)                                                                \
	for (; unrolled && at + LANES <= s->c; at += LANES)                                       \
	grad_lanes(s, rows, cols, p, n, at)
		BY_TAPS(s->rows, s->cols, GRAD)
#undef GRAD
		if (at < s->c)
			grad_rest(s, p, n, at);
	}
}

/* Everything one pass over the rows of a map needs. */
typedef struct job {
	const conv_shape *s;
	const float *x, *residual, *prepared, *bias;
	float *y;
	const float *dy;
	float *dx, *partial;
	activation act;
	bool accumulate;
	size_t chunks;
} job;

/* Points the span at the pixels of `col` in the target row of `row`, and at their taps. */
static void span_aim(span *s, const float *source, size_t source_w, float *w, size_t kernel_w,
                     const run *row, const run *col)
{
	const axis *v = row->axis, *h = col->axis;
	const ptrdiff_t c = (ptrdiff_t)s->c;
	const ptrdiff_t source_row = (ptrdiff_t)source_w * c, w_row = (ptrdiff_t)kernel_w * c;
	s->pixels = col->end - col->at;
	s->rows = s->cols = 0;
	s->x = source;
	s->w = w;
	if (row->taps == 0 || col->taps == 0)
		return;
	s->rows = row->taps;
	s->cols = col->taps;
	s->x_step = h->advance * c;
	s->x_row = v->spread * source_row;
	s->x_col = h->spread * c;
	s->w_row = v->step * w_row;
	s->w_col = h->step * c;
	s->x += axis_source(v, row->at, row->tap) * source_row;
	s->x += axis_source(h, col->at, col->tap) * c;
	s->w += (v->first + (ptrdiff_t)row->tap * v->step) * w_row;
	s->w += (h->first + (ptrdiff_t)col->tap * h->step) * c;
}

static void forward_rows(void *arg, size_t chunk, size_t worker)
{
	const job *b = arg;
	const conv_shape *s = b->s;
	const axis rows = axis_forward(s->in_h, s->kernel_h, s->stride, s->dilation, s->pad_top);
	const axis cols = axis_forward(s->in_w, s->kernel_w, s->stride, s->dilation, s->pad_left);
	const size_t c = s->in_c;
	const bool relu = b->act == ACT_RELU || b->act == ACT_RELU6;
	span t = {.bias = (float *)b->bias, .c = c, .y_step = (ptrdiff_t)c,
	          .low = relu ? 0.0f : -INFINITY, .high = b->act == ACT_RELU6 ? 6.0f : INFINITY};
	size_t begin, end;
	pool_part(s->out_h, b->chunks, chunk, &begin, &end);
	for (size_t row = begin; row < end; row++) {
		const run v = run_single(&rows, row);
		float *y = b->y + row * s->out_w * c;
		run h = {0};
		for (size_t col = 0; col < s->out_w; col = h.end) {
			h = run_longest(&cols, col, s->out_w);
			span_aim(&t, b->x, s->in_w, (float *)b->prepared, s->kernel_w, &v, &h);
			t.y = y + col * c;
			t.residual = b->residual == NULL ? NULL : b->residual + (t.y - b->y);
			sum_span(&t);
		}
		for (size_t i = 0; b->act == ACT_LEAKY && i < s->out_w * c; i++)
			y[i] = y[i] < 0.0f ? 0.2f * y[i] : y[i];
	}
}

/* The columns phase, phase + stride, ... of row y. */
static void dx_phase(const job *b, span *t, const run *row, size_t y, size_t phase)
{
	const conv_shape *s = b->s;
	const axis cols = axis_adjoint(s->out_w, s->kernel_w, s->stride, s->dilation, s->pad_left,
	                               phase);
	const size_t count = (s->in_w - phase + s->stride - 1) / s->stride;
	run h = {0};
	for (size_t col = 0; col < count; col = h.end) {
		h = run_longest(&cols, col, count);
		span_aim(t, b->dy, s->out_w, (float *)b->prepared, s->kernel_w, row, &h);
		t->y = b->dx + (y * s->in_w + phase + col * s->stride) * t->c;
		t->residual = b->accumulate ? t->y : NULL;
		sum_span(t);
	}
}

static void dx_rows(void *arg, size_t chunk, size_t worker)
{
	const job *b = arg;
	const conv_shape *s = b->s;
	span t = {.c = s->in_c, .y_step = (ptrdiff_t)(s->stride * s->in_c), .low = -INFINITY,
	          .high = INFINITY};
	size_t begin, end;
	pool_part(s->in_h, b->chunks, chunk, &begin, &end);
	for (size_t y = begin; y < end; y++) {
		const axis rows = axis_adjoint(s->out_h, s->kernel_h, s->stride, s->dilation,
		                               s->pad_top, y % s->stride);
		const run v = run_single(&rows, y / s->stride);
		for (size_t x = 0; x < s->stride && x < s->in_w; x++)
			dx_phase(b, &t, &v, y, x);
	}
}

static void dw_rows(void *arg, size_t chunk, size_t worker)
{
	const job *b = arg;
	const conv_shape *s = b->s;
	const axis rows = axis_forward(s->in_h, s->kernel_h, s->stride, s->dilation, s->pad_top);
	const axis cols = axis_forward(s->in_w, s->kernel_w, s->stride, s->dilation, s->pad_left);
	const size_t c = s->in_c, taps = s->kernel_h * s->kernel_w;
	float *sums = b->partial + chunk * (taps + 1) * c;
	memset(sums, 0, (taps + 1) * c * sizeof *sums);
	span t = {.bias = sums + taps * c, .c = c, .y_step = (ptrdiff_t)c};
	size_t begin, end;
	pool_part(s->out_h, b->chunks, chunk, &begin, &end);
	for (size_t row = begin; row < end; row++) {
		const run v = run_single(&rows, row);
		run h = {0};
		for (size_t col = 0; col < s->out_w; col = h.end) {
			h = run_longest(&cols, col, s->out_w);
			span_aim(&t, b->x, s->in_w, sums, s->kernel_w, &v, &h);
			t.y = (float *)b->dy + (row * s->out_w + col) * c;
			grad_span(&t);
		}
	}
}

static size_t grad_chunks(const conv_shape *s)
{
	return s->out_h < GRAD_CHUNKS ? s->out_h : GRAD_CHUNKS;
}

size_t conv_depthwise_prepared(const conv_shape *s)
{
	return s->kernel_h * s->kernel_w * s->in_c;
}

size_t conv_depthwise_scratch(const conv_shape *s, bool need_backward, size_t threads)
{
	return need_backward ? grad_chunks(s) * (s->kernel_h * s->kernel_w + 1) * s->in_c : 0;
}

void conv_depthwise_prepare(const conv_plan *plan, const float *w, const float *scale,
                            float *prepared, pool *workers)
{
	const conv_shape *s = &plan->shape;
	for (size_t t = 0; t < s->kernel_h * s->kernel_w; t++)
		for (size_t i = 0; i < s->in_c; i++)
			prepared[t * s->in_c + i] =
			    w[t * s->in_c + i] * (scale == NULL ? 1.0f : scale[i]);
}

void conv_depthwise_forward(const conv_plan *plan, const float *x, const float *prepared,
                            const float *bias, const float *residual, activation act, float *y,
                            float *scratch, pool *workers)
{
	const conv_shape *s = &plan->shape;
	job b = {.s = s, .x = x, .residual = residual, .prepared = prepared, .bias = bias, .y = y,
	         .act = act, .chunks = s->out_h < ROW_CHUNKS ? s->out_h : ROW_CHUNKS};
	pool_run(workers, b.chunks, forward_rows, &b);
}

/* Adds up the row groups in their order: the same bits for every number of threads. */
static void add_partial(const job *b, const float *scale, float *dw, float *dbias)
{
	const size_t c = b->s->in_c, taps = b->s->kernel_h * b->s->kernel_w;
	for (size_t t = 0; t <= taps; t++) {
		float *to = t < taps ? dw : dbias;
		if (to == NULL)
			continue;
		to += t < taps ? t * c : 0;
		float *sum = b->partial + t * c;
		for (size_t k = 1; k < b->chunks; k++) {
			const float *part = sum + k * (taps + 1) * c;
			for (size_t i = 0; i < c; i++)
				sum[i] += part[i];
		}
		for (size_t i = 0; i < c; i++)
			to[i] += t < taps && scale != NULL ? scale[i] * sum[i] : sum[i];
	}
}

void conv_depthwise_backward(const conv_plan *plan, const conv_grad *grad, float *scratch,
                             pool *workers)
{
	const conv_shape *s = &plan->shape;
	job b = {.s = s, .x = grad->x, .prepared = grad->weights->prepared, .dy = grad->dy, .dx = grad->dx,
	         .accumulate = grad->dx_accumulate, .partial = scratch};
	if (grad->dx != NULL) {
		b.chunks = s->in_h < ROW_CHUNKS ? s->in_h : ROW_CHUNKS;
		pool_run(workers, b.chunks, dx_rows, &b);
	}
	if (grad->dw != NULL || grad->dbias != NULL) {
		b.chunks = grad_chunks(s);
		pool_run(workers, b.chunks, dw_rows, &b);
		add_partial(&b, grad->weights->scale, grad->dw, grad->dbias);
	}
}
