#include "op/maxpool.h"

#include "base/simd.h"

enum {
	CHANNELS = 64,   /* channels whose running maximum stays in registers or L1 */
	ROW_CHUNKS = 64, /* at most so many parts of a map */
};

size_t maxpool_out_size(size_t in, size_t kernel, size_t stride, size_t pad, bool ceil_mode)
{
	if (in + 2 * pad < kernel)
		return 0;
	size_t span = in + 2 * pad - kernel;
	size_t out = (span + (ceil_mode ? stride - 1 : 0)) / stride + 1;
	return ceil_mode && (out - 1) * stride >= in + pad ? out - 1 : out;
}

/* The part [lo, hi) of the window axis at output `o` that lies inside the image. */
static void window(size_t o, size_t in, const maxpool_shape *s, size_t *lo, size_t *hi)
{
	size_t at = o * s->stride, end = in + s->pad;
	*lo = at < s->pad ? s->pad - at : 0;
	*hi = at + s->kernel < end ? s->kernel : end > at ? end - at : 0;
}

/* One output pixel, n <= CHANNELS channels; x is the input under the first tap inside the image,
 * which starts the maximum, so that nothing needs to be smaller than every float. */
static TP_INLINE void pool_pixel(const maxpool_shape *s, const float *x, size_t y_lo, size_t y_hi,
                                 size_t x_lo, size_t x_hi, size_t n, float *y, uint8_t *argmax)
{
	float best[CHANNELS];
	int32_t tap[CHANNELS];
	for (size_t i = 0; i < n; i++) {
		best[i] = x[i];
		tap[i] = (int32_t)(y_lo * s->kernel + x_lo);
	}
	for (size_t ky = y_lo; ky < y_hi; ky++)
		for (size_t kx = x_lo; kx < x_hi; kx++) {
			const float *v = x + ((ky - y_lo) * s->in_w + kx - x_lo) * s->c;
			const int32_t t = (int32_t)(ky * s->kernel + kx);
			for (size_t i = 0; i < n; i++) {
				/* Without a branch; NaN wins over all. */
				int take = (v[i] > best[i]) | (v[i] != v[i]);
				best[i] = take ? v[i] : best[i];
				tap[i] = take ? t : tap[i];
			}
		}
	for (size_t i = 0; i < n; i++)
		y[i] = best[i];
	for (size_t i = 0; argmax != NULL && i < n; i++)
		argmax[i] = (uint8_t)tap[i];
}

TP_SIMD static void pool_row(const maxpool_shape *s, const float *x, size_t oy, float *y,
                             uint8_t *argmax)
{
	size_t y_lo, y_hi, x_lo, x_hi;
	window(oy, s->in_h, s, &y_lo, &y_hi);
	for (size_t ox = 0; ox < s->out_w; ox++) {
		window(ox, s->in_w, s, &x_lo, &x_hi);
		const size_t row = oy * s->stride + y_lo - s->pad;
		const size_t col = ox * s->stride + x_lo - s->pad;
		const float *at = x + (row * s->in_w + col) * s->c;
		size_t i = 0;
		for (; i + CHANNELS <= s->c; i += CHANNELS)
			pool_pixel(s, at + i, y_lo, y_hi, x_lo, x_hi, CHANNELS, y + i,
			           argmax == NULL ? NULL : argmax + i);
		if (i < s->c)
			pool_pixel(s, at + i, y_lo, y_hi, x_lo, x_hi, s->c - i, y + i,
			           argmax == NULL ? NULL : argmax + i);
		y += s->c;
		argmax = argmax == NULL ? NULL : argmax + s->c;
	}
}

typedef struct job {
	const maxpool_shape *s;
	const float *x;
	float *y;
	uint8_t *argmax;
	const uint8_t *taps;
	bool accumulate;
	size_t chunks;
} job;

static void forward_rows(void *arg, size_t chunk, size_t worker)
{
	const job *b = arg;
	const size_t row = b->s->out_w * b->s->c;
	size_t begin, end;
	pool_part(b->s->out_h, b->chunks, chunk, &begin, &end);
	for (size_t oy = begin; oy < end; oy++)
		pool_row(b->s, b->x, oy, b->y + oy * row,
		         b->argmax == NULL ? NULL : b->argmax + oy * row);
}

void maxpool_forward(const maxpool_shape *s, const float *x, float *y, uint8_t *argmax, pool *p)
{
	job b = {.s = s, .x = x, .y = y, .argmax = argmax,
	         .chunks = s->out_h < ROW_CHUNKS ? s->out_h : ROW_CHUNKS};
	pool_run(p, b.chunks, forward_rows, &b);
}

/* Outputs [lo, hi) whose window holds input `i`. */
static void owners(size_t i, size_t out, const maxpool_shape *s, size_t *lo, size_t *hi)
{
	size_t at = i + s->pad;
	*lo = at < s->kernel ? 0 : (at - s->kernel) / s->stride + 1;
	*hi = at / s->stride + 1 < out ? at / s->stride + 1 : out;
}

/* Each input asks the windows that hold it, in their order: rows are independent. */
TP_SIMD static void unpool_row(const maxpool_shape *s, const float *dy, const uint8_t *argmax,
                               size_t iy, float *dx, bool accumulate)
{
	size_t y_lo, y_hi, x_lo, x_hi;
	owners(iy, s->out_h, s, &y_lo, &y_hi);
	for (size_t ix = 0; ix < s->in_w; ix++, dx += s->c) {
		owners(ix, s->out_w, s, &x_lo, &x_hi);
		for (size_t i = 0; !accumulate && i < s->c; i++)
			dx[i] = 0.0f;
		for (size_t oy = y_lo; oy < y_hi; oy++)
			for (size_t ox = x_lo; ox < x_hi; ox++) {
				const uint8_t t =
				    (uint8_t)((iy + s->pad - oy * s->stride) * s->kernel + ix +
				              s->pad - ox * s->stride);
				const float *restrict g = dy + (oy * s->out_w + ox) * s->c;
				const uint8_t *restrict won = argmax + (oy * s->out_w + ox) * s->c;
				float *restrict to = dx;
				for (size_t i = 0; i < s->c; i++)
					to[i] += won[i] == t ? g[i] : 0.0f;
			}
	}
}

static void backward_rows(void *arg, size_t chunk, size_t worker)
{
	const job *b = arg;
	size_t begin, end;
	pool_part(b->s->in_h, b->chunks, chunk, &begin, &end);
	for (size_t iy = begin; iy < end; iy++)
		unpool_row(b->s, b->x, b->taps, iy, b->y + iy * b->s->in_w * b->s->c,
		           b->accumulate);
}

void maxpool_backward(const maxpool_shape *s, const float *dy, const uint8_t *argmax, float *dx,
                      bool dx_accumulate, pool *p)
{
	job b = {.s = s, .x = dy, .y = dx, .taps = argmax, .accumulate = dx_accumulate,
	         .chunks = s->in_h < ROW_CHUNKS ? s->in_h : ROW_CHUNKS};
	pool_run(p, b.chunks, backward_rows, &b);
}
