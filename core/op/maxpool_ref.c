#include "op/maxpool.h"

#include <string.h>

void maxpool_forward_reference(const maxpool_shape *s, const float *x, float *y, uint8_t *argmax)
{
	for (size_t o = 0; o < s->out_h * s->out_w * s->c; o++) {
		size_t ch = o % s->c, ox = o / s->c % s->out_w, oy = o / s->c / s->out_w;
		bool found = false;
		for (size_t t = 0; t < s->kernel * s->kernel; t++) {
			size_t py = oy * s->stride + t / s->kernel;
			size_t px = ox * s->stride + t % s->kernel;
			if (py < s->pad || px < s->pad || py - s->pad >= s->in_h ||
			    px - s->pad >= s->in_w)
				continue;
			float v = x[((py - s->pad) * s->in_w + px - s->pad) * s->c + ch];
			if (found && !(v > y[o] || v != v))
				continue;
			found = true;
			y[o] = v;
			if (argmax != NULL)
				argmax[o] = (uint8_t)t;
		}
	}
}

void maxpool_backward_reference(const maxpool_shape *s, const float *dy, const uint8_t *argmax,
                                float *dx, bool dx_accumulate)
{
	if (!dx_accumulate)
		memset(dx, 0, s->in_h * s->in_w * s->c * sizeof *dx);
	for (size_t o = 0; o < s->out_h * s->out_w * s->c; o++) {
		size_t ch = o % s->c, ox = o / s->c % s->out_w, oy = o / s->c / s->out_w;
		size_t py = oy * s->stride + argmax[o] / s->kernel;
		size_t px = ox * s->stride + argmax[o] % s->kernel;
		dx[((py - s->pad) * s->in_w + px - s->pad) * s->c + ch] += dy[o];
	}
}
