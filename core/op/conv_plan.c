#include "op/conv_internal.h"

#include "op/conv_depthwise.h"
#include "op/conv_gemm.h"
#include "op/conv_taps.h"
#include "op/conv_winograd.h"

size_t conv_out_size(size_t in, size_t kernel, size_t stride, size_t dilation, size_t pad)
{
	size_t span = dilation * (kernel - 1) + 1;
	return in + 2 * pad < span ? 0 : (in + 2 * pad - span) / stride + 1;
}

/* BLAS counts in 32-bit integers and no image or weight comes near this many floats. */
static bool count_fits(size_t a, size_t b, size_t c)
{
	size_t n;
	return mul_size(a, b, &n) && mul_size(n, c, &n) && n > 0 && n < (size_t)1 << 31;
}

/* The last window of an axis has to start inside the image or a padding as long as the leading
 * one on the other side. */
static bool axis_fits(size_t in, size_t out, size_t stride, size_t pad)
{
	size_t limit = (size_t)1 << 24;
	return in < limit && out < limit && stride < limit && pad < limit && out > 0 &&
	       (out - 1) * stride < in + 2 * pad;
}

static tp_status check_shape(const conv_shape *s, tp_err *err)
{
	bool positive = s->kernel_h > 0 && s->kernel_w > 0 && s->stride > 0 && s->dilation > 0;
	bool kernel = s->kernel_h <= 64 && s->kernel_w <= 64 && s->dilation < (size_t)1 << 16;
	if (!positive || !kernel)
		return tp_fail(err, TP_SHAPE, 0,
		               "convolution: kernel %zux%zu, stride %zu, dilation %zu",
		               s->kernel_h, s->kernel_w, s->stride, s->dilation);
	if (!count_fits(s->in_h, s->in_w, s->in_c) || !count_fits(s->out_h, s->out_w, s->out_c) ||
	    !count_fits(s->kernel_h * s->kernel_w, s->in_c, s->out_c) ||
	    !axis_fits(s->in_h, s->out_h, s->stride, s->pad_top) ||
	    !axis_fits(s->in_w, s->out_w, s->stride, s->pad_left))
		return tp_fail(err, TP_SHAPE, 0,
		               "convolution: %zux%zux%zu does not give %zux%zux%zu",
		               s->in_h, s->in_w, s->in_c, s->out_h, s->out_w, s->out_c);
	if (s->groups != 1 && (s->groups != s->in_c || s->in_c != s->out_c))
		return tp_fail(err, TP_SHAPE, 0,
		               "convolution: %zu groups, %zu -> %zu channels (1 or depthwise only)",
		               s->groups, s->in_c, s->out_c);
	return TP_OK;
}

static size_t max_size(size_t a, size_t b) { return a > b ? a : b; }

/* The exact algorithms; Winograd may replace them afterwards. */
static void choose_direct(conv_plan *p)
{
	const conv_shape *s = &p->shape;
	double columns = (double)(s->out_h * s->out_w * s->kernel_h * s->kernel_w);
	double valid = (double)conv_taps_valid(s);
	p->forward = valid < 0.9 * columns && s->in_c >= 32 ? CONV_TAPS : CONV_GEMM;
	p->backward_data = conv_is_pointwise(s) ? CONV_GEMM : CONV_TAPS;
	p->backward_weight = CONV_GEMM;
}

/* Multiply-adds per pair of channels and pass, as time on one core. Fitted on Zen 4: the
 * transforms add a fifth to the products; a product of few rows pays for packing its weights as
 * for this many rows more; and the weights' own transform, once per step of three passes, writes
 * `points` floats where a multiply-add is some 8 times cheaper than a write. */
static double winograd_cost(const conv_shape *s, size_t m)
{
	const double transforms = 1.2, packing_rows = 6.0, prepare = 8.0;
	double points = (double)((m + 2) * (m + 2));
	return points * (transforms * ((double)conv_winograd_tiles(s, m) + packing_rows) + prepare);
}

/* Winograd where it is cheaper than the taps that meet the image: not with dilations near the
 * size of the map, nor on tiny maps. */
static void choose_winograd(conv_plan *p, size_t m)
{
	enum { FEW_CHANNELS = 16 }; /* a vector of the transforms would be part empty */
	const conv_shape *s = &p->shape;
	if (!conv_winograd_fits(s) || s->in_c < FEW_CHANNELS || s->out_c < FEW_CHANNELS)
		return;
	if (winograd_cost(s, m) < (double)conv_taps_valid(s))
		p->forward = p->backward_data = p->backward_weight =
			m == 2 ? CONV_WINOGRAD2 : CONV_WINOGRAD4;
}

static size_t forward_scratch(const conv_plan *p)
{
	switch (p->forward) {
	case CONV_GEMM:
		return conv_gemm_forward_scratch(&p->shape, p->threads);
	case CONV_TAPS:
		return conv_taps_forward_scratch(&p->shape, p->threads);
	case CONV_WINOGRAD2:
	case CONV_WINOGRAD4:
		return conv_winograd_scratch(&p->shape, conv_winograd_tile(p->forward), p->per_pass,
		                             p->threads);
	default:
		return 0;
	}
}

static size_t backward_scratch(const conv_plan *p)
{
	size_t n = CONV_BIAS_CHUNKS * p->shape.out_c;
	if (p->backward_data == CONV_TAPS)
		n = max_size(n, conv_taps_data_scratch(&p->shape, p->threads));
	size_t m = conv_winograd_tile(p->backward_data);
	if (m == 0)
		m = conv_winograd_tile(p->backward_weight);
	if (m != 0)
		n = max_size(n, conv_winograd_scratch(&p->shape, m, true, p->threads));
	if (p->backward_weight == CONV_GEMM)
		n = max_size(n, conv_gemm_weight_scratch(&p->shape, p->threads));
	return n;
}

tp_status conv_plan_make(const conv_shape *shape, kernel_mode mode, bool need_backward,
                         size_t threads, conv_plan *ret, tp_err *err)
{
	tp_status st = check_shape(shape, err);
	if (st != TP_OK)
		return st;
	if (threads < 1 || threads > 256)
		return tp_fail(err, TP_INVALID, 0, "threads: %zu is not in 1..256", threads);
	conv_plan p = {.shape = *shape, .threads = threads, .per_pass = need_backward,
	               .forward = CONV_REFERENCE, .backward_data = CONV_REFERENCE,
	               .backward_weight = CONV_REFERENCE};
	if (mode != KERNELS_REFERENCE && shape->groups != 1) {
		p.forward = p.backward_data = p.backward_weight = CONV_DEPTHWISE;
		p.prepared_floats = conv_depthwise_prepared(shape);
		p.scratch_floats = conv_depthwise_scratch(shape, need_backward, threads);
		*ret = p;
		return TP_OK;
	}
	if (mode != KERNELS_REFERENCE)
		choose_direct(&p);
	if (mode == KERNELS_F2 || mode == KERNELS_F4)
		choose_winograd(&p, mode == KERNELS_F2 ? 2 : 4);
	p.scratch_floats = forward_scratch(&p);
	if (need_backward)
		p.scratch_floats = max_size(p.scratch_floats, backward_scratch(&p));
	p.prepared_floats = conv_dense_floats(&p);
	size_t m = conv_winograd_tile(p.forward) != 0 ? conv_winograd_tile(p.forward)
	                                              : conv_winograd_tile(p.backward_data);
	if (m != 0)
		p.prepared_floats += conv_winograd_prepared(shape, m, p.per_pass);
	*ret = p;
	return TP_OK;
}
