/* DeepLab-v2 on VGG16 without pool4 and pool5: algorithms.md 8.4 (a). */
#include <stdio.h>

#include "net/build.h"

int vgg_build(graph *g, const net_spec *spec)
{
	/* torchvision's numbering of `features`; ReLUs and pools take the numbers between. */
	static const struct {
		unsigned char index, dilation, pool; /* pool: 2x2 max pool behind it */
		unsigned short out;
	} layers[] = {
		{0, 1, 0, 64},   {2, 1, 1, 64},                    /* conv1 */
		{5, 1, 0, 128},  {7, 1, 1, 128},                   /* conv2 */
		{10, 1, 0, 256}, {12, 1, 0, 256}, {14, 1, 1, 256}, /* conv3 */
		{17, 1, 0, 512}, {19, 1, 0, 512}, {21, 1, 0, 512}, /* conv4 */
		{23, 2, 0, 512}, {25, 2, 0, 512}, {27, 2, 0, 512}, /* conv5 */
		{29, 4, 0, 1024},                                  /* fc6 */
		{31, 4, 0, 1024},                                  /* fc7 */
	};
	int x = 0;
	for (size_t i = 0; i < sizeof layers / sizeof layers[0]; i++) {
		char name[32];
		(void)snprintf(name, sizeof name, "features.%d", layers[i].index);
		x = graph_conv(g, x, name,
		               &(conv_attr){.out = net_width(layers[i].out, spec->width_divisor),
		                            .kernel = 3,
		                            .stride = 1,
		                            .pad = layers[i].dilation,
		                            .dilation = layers[i].dilation,
		                            .bias = true,
		                            .act = ACT_RELU,
		                            .residual = -1});
		if (layers[i].pool)
			x = graph_maxpool(g, x, 2, 2, 0, false);
	}
	return graph_aspp(g, x, "classifier.conv2d_list", spec->classes, spec->aspp_branches,
	                  spec->aspp_dilations);
}
