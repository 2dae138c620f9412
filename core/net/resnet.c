/* DeepLab-v2 on ResNet-50 and ResNet-101: algorithms.md 8.1. */
#include <math.h>
#include <stdio.h>

#include "net/build.h"

typedef struct stage {
	size_t planes, blocks, stride, dilation;
} stage;

/* One convolution with the batch norm that follows it, both named inside a block. */
static int conv_bn(graph *g, int input, const char *block, const char *conv, const char *bn,
                   conv_attr a)
{
	char name[64], bn_name[64];
	(void)snprintf(name, sizeof name, "%s.%s", block, conv);
	(void)snprintf(bn_name, sizeof bn_name, "%s.%s", block, bn);
	a.bn = bn_name;
	return graph_conv(g, input, name, &a);
}

/* 1x1 (with the stride, Caffe style), 3x3 dilated, 1x1 to four times the width; plus shortcut. */
static int bottleneck(graph *g, int x, const char *block, size_t planes, size_t stride, size_t d,
                      bool project, float bn_init, bool same_pad)
{
	int y = conv_bn(g, x, block, "conv1", "bn1",
	                (conv_attr){.out = planes,
	                            .kernel = 1,
	                            .stride = stride,
	                            .dilation = 1,
	                            .same_pad = same_pad,
	                            .act = ACT_RELU,
	                            .residual = -1});
	y = conv_bn(g, y, block, "conv2", "bn2",
	            (conv_attr){.out = planes,
	                        .kernel = 3,
	                        .stride = 1,
	                        .pad = d,
	                        .dilation = d,
	                        .act = ACT_RELU,
	                        .residual = -1});
	int shortcut = x;
	if (project)
		shortcut = conv_bn(g, x, block, "downsample.0", "downsample.1",
		                   (conv_attr){.out = 4 * planes,
		                               .kernel = 1,
		                               .stride = stride,
		                               .dilation = 1,
		                               .same_pad = same_pad,
		                               .residual = -1});
	return conv_bn(g, y, block, "conv3", "bn3",
	               (conv_attr){.out = 4 * planes,
	                           .kernel = 1,
	                           .stride = 1,
	                           .dilation = 1,
	                           .act = ACT_RELU,
	                           .residual = shortcut,
	                           .bn_init = bn_init});
}

int resnet_build(graph *g, const net_spec *spec)
{
	const stage stages[4] = {
		{64, 3, 1, 1},
		{128, 4, 2, 1},
		{256, spec->arch == ARCH_RESNET101 ? 23 : 6, 1, 2},
		{512, 3, 1, 4},
	};
	size_t div = spec->width_divisor, blocks = 0;
	for (int s = 0; s < 4; s++)
		blocks += stages[s].blocks;
	/* Frozen batch norm never tames a fresh network's growth by summation, so the branches
	 * start small enough that the sum of all of them only doubles the signal or so. Without
	 * this ResNet-101 starts with logits of 40 000. */
	float bn_init = 1.0f / sqrtf((float)blocks);

	int x = graph_conv(g, 0, "conv1",
	                   &(conv_attr){.out = net_width(64, div),
	                                .kernel = 7,
	                                .stride = 2,
	                                .pad = 3,
	                                .dilation = 1,
	                                .same_pad = spec->same_pad,
	                                .bn = "bn1",
	                                .act = ACT_RELU,
	                                .residual = -1});
	x = graph_maxpool(g, x, 3, 2, 1, true);
	for (int s = 0; s < 4; s++) {
		for (size_t b = 0; b < stages[s].blocks; b++) {
			char block[32];
			(void)snprintf(block, sizeof block, "layer%d.%zu", s + 1, b);
			x = bottleneck(g, x, block, net_width(stages[s].planes, div),
			               b == 0 ? stages[s].stride : 1, stages[s].dilation, b == 0,
			               bn_init, spec->same_pad);
		}
	}
	return graph_aspp(g, x, "layer5.conv2d_list", spec->classes, spec->aspp_branches,
	                  spec->aspp_dilations);
}
