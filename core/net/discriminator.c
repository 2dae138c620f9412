/* ADVENT's discriminator: algorithms.md 5.5. Layer names are those of its nn.Sequential. */
#include <math.h>
#include <stdio.h>

#include "net/build.h"

tp_status discriminator_build(size_t classes, size_t width_divisor, graph *ret, tp_err *err)
{
	enum { LAYERS = 5 };
	static const unsigned short out[LAYERS] = {64, 128, 256, 512, 1};
	if (classes < 2 || classes > 255)
		return tp_fail(err, TP_INVALID, 0, "classes: %zu is not in 2..255", classes);
	if (width_divisor < 1 || width_divisor > 64)
		return tp_fail(err, TP_INVALID, 0, "width_divisor: %zu is not in 1..64",
		               width_divisor);
	graph g;
	tp_status st = graph_init(classes, &g, err);
	if (st != TP_OK)
		return st;
	int x = 0;
	size_t in = classes;
	for (size_t i = 0; i < LAYERS; i++) {
		bool last = i + 1 == LAYERS;
		char name[8];
		(void)snprintf(name, sizeof name, "%zu", 2 * i);
		conv_attr a = {.out = last ? 1 : net_width(out[i], width_divisor),
		               .kernel = 4,
		               .stride = 2,
		               .pad = 1,
		               .dilation = 1,
		               .bias = true,
		               .act = last ? ACT_NONE : ACT_LEAKY,
		               .residual = -1,
		               .init_std = 1.0f / sqrtf(3.0f * 16.0f * (float)in)};
		x = graph_conv(&g, x, name, &a);
		in = a.out;
	}
	st = graph_finish(&g, err);
	if (st == TP_OK)
		*ret = g;
	else
		graph_done(&g);
	return st;
}
