#include "op/resize.h"

#include <math.h>

/* Source coordinate of output `o` along one axis. */
static double source(size_t o, size_t in, size_t out, bool align_corners)
{
	if (align_corners)
		return out > 1 ? (double)o * (double)(in - 1) / (double)(out - 1) : 0.0;
	return fmax(((double)o + 0.5) * (double)in / (double)out - 0.5, 0.0);
}

/* Weight that output (oy, ox) gives to input (iy, ix). */
static double weight(const resize_shape *s, size_t oy, size_t ox, size_t iy, size_t ix)
{
	double sy = fmin(source(oy, s->in_h, s->out_h, s->align_corners), (double)(s->in_h - 1));
	double sx = fmin(source(ox, s->in_w, s->out_w, s->align_corners), (double)(s->in_w - 1));
	return fmax(0.0, 1.0 - fabs(sy - (double)iy)) * fmax(0.0, 1.0 - fabs(sx - (double)ix));
}

void resize_forward_reference(const resize_shape *s, const float *x, float *y)
{
	for (size_t c = 0; c < s->c; c++, x += s->in_h * s->in_w)
		for (size_t oy = 0; oy < s->out_h; oy++)
			for (size_t ox = 0; ox < s->out_w; ox++) {
				double sum = 0.0;
				for (size_t i = 0; i < s->in_h * s->in_w; i++)
					sum += weight(s, oy, ox, i / s->in_w, i % s->in_w) * x[i];
				*y++ = (float)sum;
			}
}

void resize_backward_reference(const resize_shape *s, const float *dy, float *dx)
{
	for (size_t c = 0; c < s->c; c++, dy += s->out_h * s->out_w)
		for (size_t iy = 0; iy < s->in_h; iy++)
			for (size_t ix = 0; ix < s->in_w; ix++) {
				double sum = 0.0;
				for (size_t o = 0; o < s->out_h * s->out_w; o++)
					sum += dy[o] *
					       weight(s, o / s->out_w, o % s->out_w, iy, ix);
				*dx++ = (float)sum;
			}
}
