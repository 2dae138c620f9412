/* DeepLab-v2 on MobileNetV2: torchvision's features.0 to features.17 (contract.md section 5). A
 * block that would pass the output stride loses its stride; it keeps the dilation in force before
 * it, and the blocks after it use the doubled one. */
#include <math.h>
#include <stdio.h>

#include "net/build.h"

typedef struct block {
	size_t in, out, expand, stride, dilation;
	bool residual, same_pad;
	float bn_init;
} block;

/* 1x1 expansion (not in the first block), 3x3 depthwise, linear 1x1 projection. */
static int inverted_residual(graph *g, int x, size_t index, const block *b)
{
	char name[48], bn[48];
	size_t hidden = b->in * b->expand;
	int y = x, part = 0;
	if (b->expand != 1) {
		(void)snprintf(name, sizeof name, "features.%zu.conv.%d.0", index, part);
		(void)snprintf(bn, sizeof bn, "features.%zu.conv.%d.1", index, part++);
		y = graph_conv(g, y, name,
		               &(conv_attr){.out = hidden,
		                            .kernel = 1,
		                            .stride = 1,
		                            .dilation = 1,
		                            .bn = bn,
		                            .act = ACT_RELU6,
		                            .residual = -1});
	}
	(void)snprintf(name, sizeof name, "features.%zu.conv.%d.0", index, part);
	(void)snprintf(bn, sizeof bn, "features.%zu.conv.%d.1", index, part++);
	y = graph_conv(g, y, name,
	               &(conv_attr){.out = hidden,
	                            .kernel = 3,
	                            .stride = b->stride,
	                            .pad = b->dilation,
	                            .dilation = b->dilation,
	                            .depthwise = true,
	                            .same_pad = b->same_pad,
	                            .bn = bn,
	                            .act = ACT_RELU6,
	                            .residual = -1});
	(void)snprintf(name, sizeof name, "features.%zu.conv.%d", index, part);
	(void)snprintf(bn, sizeof bn, "features.%zu.conv.%d", index, part + 1);
	return graph_conv(g, y, name,
	                  &(conv_attr){.out = b->out,
	                               .kernel = 1,
	                               .stride = 1,
	                               .dilation = 1,
	                               .bn = bn,
	                               .residual = b->residual ? x : -1,
	                               .bn_init = b->residual ? b->bn_init : 0});
}

int mobilenet_build(graph *g, const net_spec *spec)
{
	static const struct {
		unsigned short expand, out, blocks, stride;
	} stages[] = {{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2},
	              {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
	enum { STAGES = sizeof stages / sizeof stages[0] };
	size_t div = spec->width_divisor, sums = 0;
	for (size_t s = 0; s < STAGES; s++)
		sums += stages[s].blocks - 1u;

	block b = {.in = net_width(32, div),
	           .dilation = 1,
	           .same_pad = spec->same_pad,
	           .bn_init = 1.0f / sqrtf((float)sums)}; /* as in resnet.c */
	int x = graph_conv(g, 0, "features.0.0",
	                   &(conv_attr){.out = b.in,
	                                .kernel = 3,
	                                .stride = 2,
	                                .pad = 1,
	                                .dilation = 1,
	                                .same_pad = spec->same_pad,
	                                .bn = "features.0.1",
	                                .act = ACT_RELU6,
	                                .residual = -1});
	size_t index = 1, stride_so_far = 2;
	for (size_t s = 0; s < STAGES; s++) {
		b.expand = stages[s].expand;
		b.out = net_width(stages[s].out, div);
		for (size_t i = 0; i < stages[s].blocks; i++, index++) {
			size_t stride = i == 0 ? stages[s].stride : 1;
			bool keep = stride_so_far * stride <= spec->output_stride;
			b.stride = keep ? stride : 1;
			b.residual = i > 0;
			x = inverted_residual(g, x, index, &b);
			stride_so_far *= b.stride;
			if (!keep)
				b.dilation *= stride;
			b.in = b.out;
		}
	}
	return graph_aspp(g, x, "classifier.conv2d_list", spec->classes, spec->aspp_branches,
	                  spec->aspp_dilations);
}
