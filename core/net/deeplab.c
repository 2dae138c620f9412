#include "net/deeplab.h"

#include <string.h>

#include "net/build.h"

static const struct {
	const char *name;
	int (*build)(graph *g, const net_spec *spec);
} arch_table[ARCH_COUNT] = {
	[ARCH_VGG16] = {"deeplabv2-vgg16", vgg_build},
	[ARCH_RESNET101] = {"deeplabv2-resnet101", resnet_build},
	[ARCH_RESNET50] = {"deeplabv2-resnet50", resnet_build},
	[ARCH_MOBILENETV2] = {"deeplabv2-mobilenetv2", mobilenet_build},
};

const char *net_arch_name(net_arch a) { return a < ARCH_COUNT ? arch_table[a].name : "?"; }

bool net_arch_parse(const char *name, net_arch *ret)
{
	for (net_arch a = 0; a < ARCH_COUNT; a++) {
		if (strcmp(arch_table[a].name, name) == 0) {
			*ret = a;
			return true;
		}
	}
	return false;
}

net_spec net_spec_default(net_arch arch)
{
	return (net_spec){.arch = arch,
	                  .classes = 19,
	                  .output_stride = 8,
	                  .aspp_branches = 4,
	                  .aspp_dilations = {6, 12, 18, 24},
	                  .width_divisor = 1};
}

size_t net_width(size_t c, size_t divisor)
{
	if (divisor == 1)
		return c;
	size_t w = c / divisor / 4 * 4;
	return w < 4 ? 4 : w;
}

static tp_status check(const net_spec *s, tp_err *err)
{
	if (s->arch >= ARCH_COUNT)
		return tp_fail(err, TP_INVALID, 0, "arch: unknown architecture");
	if (s->classes < 2 || s->classes > 255)
		return tp_fail(err, TP_INVALID, 0, "classes: %zu is not in 2..255", s->classes);
	if (s->output_stride != 8 && (s->output_stride != 16 || s->arch != ARCH_MOBILENETV2))
		return tp_fail(err, TP_INVALID, 0, "output_stride: %zu is not possible with %s",
		               s->output_stride, net_arch_name(s->arch));
	if (s->aspp_branches != 2 && s->aspp_branches != 4)
		return tp_fail(err, TP_INVALID, 0, "aspp_branches: %zu is neither 2 nor 4",
		               s->aspp_branches);
	for (size_t b = 0; b < s->aspp_branches; b++)
		if (s->aspp_dilations[b] < 1 || s->aspp_dilations[b] > 64)
			return tp_fail(err, TP_INVALID, 0, "aspp_dilations: %zu is not in 1..64",
			               s->aspp_dilations[b]);
	if (s->width_divisor < 1 || s->width_divisor > 64)
		return tp_fail(err, TP_INVALID, 0, "width_divisor: %zu is not in 1..64",
		               s->width_divisor);
	return TP_OK;
}

tp_status net_build(const net_spec *spec, graph *ret, tp_err *err)
{
	graph g;
	tp_status st = check(spec, err);
	if (st == TP_OK)
		st = graph_init(3, &g, err);
	if (st != TP_OK)
		return st;
	(void)arch_table[spec->arch].build(&g, spec);
	st = graph_finish(&g, err);
	if (st == TP_OK)
		*ret = g;
	else
		graph_done(&g);
	return st;
}
