#include "op/aspp.h"

static conv_shape branch_shape(const aspp_shape *s, size_t b)
{
	conv_shape c = {.in_h = s->h, .in_w = s->w, .in_c = s->in_c, .out_h = s->h, .out_w = s->w,
	                .out_c = s->out_c, .kernel_h = 3, .kernel_w = 3, .stride = 1,
	                .dilation = s->dilation[b], .pad_top = s->dilation[b],
	                .pad_left = s->dilation[b], .groups = 1};
	return c;
}

void aspp_forward_reference(const aspp_shape *s, const float *x, const float *const w[],
                            const float *const bias[], float *y)
{
	for (size_t b = 0; b < s->branches; b++) {
		conv_shape c = branch_shape(s, b);
		conv_forward_reference(&c, x, w[b], NULL, bias[b], b == 0 ? NULL : y, ACT_NONE, y);
	}
}

void aspp_backward_reference(const aspp_shape *s, const float *x, const float *const w[],
                             const float *dy, float *dx, bool dx_accumulate, float *const dw[],
                             float *const dbias[])
{
	for (size_t b = 0; b < s->branches; b++) {
		conv_shape c = branch_shape(s, b);
		conv_backward_reference(&c, x, w[b], NULL, dy, dx, dx_accumulate || b > 0,
		                        dw == NULL ? NULL : dw[b], dbias == NULL ? NULL : dbias[b]);
	}
}
