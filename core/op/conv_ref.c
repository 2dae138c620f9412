/* The formula of conv.h as plain loops. Slow on purpose: it is what the fast versions are held
 * against, so nothing here may be shared with them but the formula. */
#include "op/conv.h"
#include "op/epilogue.h"

/* Input coordinate of output coordinate o under tap t, or -1 when it lies outside. */
static ptrdiff_t source(size_t o, size_t t, size_t stride, size_t dilation, size_t pad, size_t size)
{
	ptrdiff_t i = (ptrdiff_t)(o * stride + t * dilation) - (ptrdiff_t)pad;
	return i < 0 || i >= (ptrdiff_t)size ? -1 : i;
}

static double weight(const conv_shape *s, const float *w, const float *scale, size_t t, size_t i,
                     size_t o)
{
	double v = s->groups == 1 ? w[(t * s->in_c + i) * s->out_c + o] : w[t * s->in_c + o];
	return scale == NULL ? v : v * scale[o];
}

void conv_forward_reference(const conv_shape *s, const float *x, const float *w, const float *scale,
                            const float *bias, const float *residual, activation act, float *y)
{
	size_t taps = s->kernel_h * s->kernel_w;
	for (size_t oy = 0; oy < s->out_h; oy++)
		for (size_t ox = 0; ox < s->out_w; ox++)
			for (size_t o = 0; o < s->out_c; o++) {
				size_t at = (oy * s->out_w + ox) * s->out_c + o;
				size_t first = s->groups == 1 ? 0 : o;
				size_t last = s->groups == 1 ? s->in_c : o + 1;
				double sum = bias == NULL ? 0.0 : bias[o];
				if (residual != NULL)
					sum += residual[at];
				for (size_t t = 0; t < taps; t++) {
					ptrdiff_t iy = source(oy, t / s->kernel_w, s->stride,
					                      s->dilation, s->pad_top, s->in_h);
					ptrdiff_t ix = source(ox, t % s->kernel_w, s->stride,
					                      s->dilation, s->pad_left, s->in_w);
					if (iy < 0 || ix < 0)
						continue;
					const float *px =
						x + ((size_t)iy * s->in_w + (size_t)ix) * s->in_c;
					for (size_t i = first; i < last; i++)
						sum += px[i] * weight(s, w, scale, t, i, o);
				}
				y[at] = activate(act, (float)sum);
			}
}

/* dx: for one input pixel and channel, the sum over the outputs that read it. */
static double input_gradient(const conv_shape *s, const float *w, const float *scale,
                             const float *dy, size_t iy, size_t ix, size_t i)
{
	ptrdiff_t stride = (ptrdiff_t)s->stride;
	double sum = 0.0;
	for (size_t t = 0; t < s->kernel_h * s->kernel_w; t++) {
		ptrdiff_t ny = (ptrdiff_t)(iy + s->pad_top) -
		               (ptrdiff_t)(t / s->kernel_w * s->dilation);
		ptrdiff_t nx = (ptrdiff_t)(ix + s->pad_left) -
		               (ptrdiff_t)(t % s->kernel_w * s->dilation);
		if (ny < 0 || nx < 0 || ny % stride != 0 || nx % stride != 0)
			continue;
		size_t oy = (size_t)(ny / stride), ox = (size_t)(nx / stride);
		if (oy >= s->out_h || ox >= s->out_w)
			continue;
		const float *g = dy + (oy * s->out_w + ox) * s->out_c;
		size_t first = s->groups == 1 ? 0 : i;
		size_t last = s->groups == 1 ? s->out_c : i + 1;
		for (size_t o = first; o < last; o++)
			sum += g[o] * weight(s, w, scale, t, i, o);
	}
	return sum;
}

/* dw of one weight, before the scale: the sum over output pixels of input times gradient. */
static double weight_gradient(const conv_shape *s, const float *x, const float *dy, size_t t,
                              size_t i, size_t o)
{
	double sum = 0.0;
	for (size_t oy = 0; oy < s->out_h; oy++)
		for (size_t ox = 0; ox < s->out_w; ox++) {
			ptrdiff_t iy = source(oy, t / s->kernel_w, s->stride, s->dilation,
			                      s->pad_top, s->in_h);
			ptrdiff_t ix = source(ox, t % s->kernel_w, s->stride, s->dilation,
			                      s->pad_left, s->in_w);
			size_t at = (size_t)iy * s->in_w + (size_t)ix;
			if (iy >= 0 && ix >= 0)
				sum += (double)x[at * s->in_c + i] *
				       dy[(oy * s->out_w + ox) * s->out_c + o];
		}
	return sum;
}

static void weight_gradients(const conv_shape *s, const float *x, const float *dy,
                             const float *scale, float *dw)
{
	for (size_t t = 0; t < s->kernel_h * s->kernel_w; t++)
		for (size_t i = 0; i < (s->groups == 1 ? s->in_c : 1); i++)
			for (size_t o = 0; o < s->out_c; o++) {
				size_t in = s->groups == 1 ? i : o;
				size_t at = s->groups == 1 ? (t * s->in_c + i) * s->out_c + o
				                           : t * s->in_c + o;
				double k = scale == NULL ? 1.0 : scale[o];
				dw[at] += (float)(k * weight_gradient(s, x, dy, t, in, o));
			}
}

void conv_backward_reference(const conv_shape *s, const float *x, const float *w,
                             const float *scale, const float *dy, float *dx, bool dx_accumulate,
                             float *dw, float *dbias)
{
	if (dx != NULL)
		for (size_t p = 0; p < s->in_h * s->in_w; p++)
			for (size_t i = 0; i < s->in_c; i++) {
				size_t iy = p / s->in_w, ix = p % s->in_w;
				double g = input_gradient(s, w, scale, dy, iy, ix, i);
				float *to = dx + p * s->in_c + i;
				*to = (float)(dx_accumulate ? *to + g : g);
			}
	if (dw != NULL)
		weight_gradients(s, x, dy, scale, dw);
	if (dbias != NULL)
		for (size_t o = 0; o < s->out_c; o++) {
			double sum = 0.0;
			for (size_t p = 0; p < s->out_h * s->out_w; p++)
				sum += dy[p * s->out_c + o];
			dbias[o] += (float)sum;
		}
}
