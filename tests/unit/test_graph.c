/* graph and the builders: counts, names, order, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net/deeplab.h"

static graph build(net_spec spec)
{
	graph g;
	tp_err err = {0};
	if (net_build(&spec, &g, &err) != TP_OK)
		fail_msg("%s", err.text);
	return g;
}

static size_t public_count(net_arch arch, size_t classes)
{
	net_spec spec = net_spec_default(arch);
	spec.classes = classes;
	graph g = build(spec);
	size_t n = params_public_count(&g.params);
	graph_done(&g);
	return n;
}

/* algorithms.md 5.5, 8.1, 8.4; MobileNetV2 and ResNet-50: torchvision's count without classifier
 * (and without features.18) plus the head. */
static void parameter_counts(void **state)
{
	assert_int_equal(public_count(ARCH_RESNET101, 19), 43901068);
	assert_int_equal(public_count(ARCH_RESNET101, 16), 43679872);
	assert_int_equal(public_count(ARCH_VGG16, 19), 29573004);
	assert_int_equal(public_count(ARCH_VGG16, 16), 29462400);
	assert_int_equal(public_count(ARCH_RESNET50, 19), 25557032 - 2049000 + 1400908);
	assert_int_equal(public_count(ARCH_MOBILENETV2, 19),
	                 3504872 - 1281000 - (320 * 1280 + 2 * 1280) + 4 * 19 * (320 * 9 + 1));
	const size_t want[2][2] = {{19, 2781121}, {16, 2778049}};
	for (int i = 0; i < 2; i++) {
		graph g;
		assert_int_equal(discriminator_build(want[i][0], 1, &g, NULL), TP_OK);
		assert_int_equal(params_public_count(&g.params), want[i][1]);
		assert_int_equal(g.params.trained_floats, want[i][1]);
		graph_done(&g);
	}
}

static void two_branch_head(void **state)
{
	net_spec spec = net_spec_default(ARCH_RESNET101);
	spec.aspp_branches = 2;
	graph g = build(spec);
	assert_int_equal(params_public_count(&g.params), 43901068 - 1400908 / 2);
	assert_int_equal(params_find(&g.params, "layer5.conv2d_list.2.weight"), -1);
	graph_done(&g);
}

static void table_order(void **state)
{
	for (net_arch a = 0; a < ARCH_COUNT; a++) {
		net_spec spec = net_spec_default(a);
		spec.width_divisor = 8;
		graph g = build(spec);
		const param_table *t = &g.params;
		size_t offset = 0, heads = 0;
		for (size_t i = 0; i < t->count; i++) {
			const param *p = &t->item[i];
			assert_int_equal(p->offset, offset);
			offset += p->count;
			assert_int_equal(p->trained, offset <= t->trained_floats);
			assert_int_equal(p->trained, p->kind < PARAM_BN_WEIGHT);
			heads += p->head;
			bool head_name = strstr(p->name, "conv2d_list") != NULL;
			assert_int_equal(p->head, head_name);
		}
		assert_int_equal(offset, t->floats);
		assert_int_equal(heads, 8);
		graph_done(&g);
	}
}

static const char *weight_name(const graph *g, const node *n)
{
	return g->params.item[n->weight].name;
}

static const node *find_node(const graph *g, const char *weight)
{
	for (size_t i = 0; i < g->nodes; i++)
		if (g->node[i].weight >= 0 && strcmp(weight_name(g, &g->node[i]), weight) == 0)
			return &g->node[i];
	fail_msg("no layer %s", weight);
	return NULL;
}

/* contract.md section 5: the block that loses its stride keeps the dilation before it. */
static void mobilenet_dilations(void **state)
{
	static const struct {
		size_t output_stride;
		const char *weight;
		size_t stride, dilation;
	} want[] = {
		{8, "features.0.0.weight", 2, 1},        {8, "features.1.conv.0.0.weight", 1, 1},
		{8, "features.2.conv.1.0.weight", 2, 1}, {8, "features.4.conv.1.0.weight", 2, 1},
		{8, "features.6.conv.1.0.weight", 1, 1}, {8, "features.7.conv.1.0.weight", 1, 1},
		{8, "features.8.conv.1.0.weight", 1, 2}, {8, "features.13.conv.1.0.weight", 1, 2},
		{8, "features.14.conv.1.0.weight", 1, 2}, {8, "features.15.conv.1.0.weight", 1, 4},
		{8, "features.17.conv.1.0.weight", 1, 4}, {16, "features.7.conv.1.0.weight", 2, 1},
		{16, "features.13.conv.1.0.weight", 1, 1}, {16, "features.14.conv.1.0.weight", 1, 1},
		{16, "features.15.conv.1.0.weight", 1, 2}, {16, "features.17.conv.1.0.weight", 1, 2},
	};
	for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
		net_spec spec = net_spec_default(ARCH_MOBILENETV2);
		spec.output_stride = want[i].output_stride;
		graph g = build(spec);
		const node *n = find_node(&g, want[i].weight);
		assert_int_equal(n->stride, want[i].stride);
		assert_int_equal(n->dilation, want[i].dilation);
		assert_int_equal(n->pad, want[i].dilation);
		graph_done(&g);
	}
}

static void resnet_structure(void **state)
{
	graph g = build(net_spec_default(ARCH_RESNET101));
	assert_int_equal(find_node(&g, "layer2.0.conv1.weight")->stride, 2);
	assert_int_equal(find_node(&g, "layer2.0.conv2.weight")->stride, 1);
	assert_int_equal(find_node(&g, "layer2.0.downsample.0.weight")->stride, 2);
	assert_int_equal(find_node(&g, "layer3.0.conv1.weight")->stride, 1);
	assert_int_equal(find_node(&g, "layer3.0.conv2.weight")->dilation, 2);
	assert_int_equal(find_node(&g, "layer4.2.conv2.weight")->dilation, 4);
	const node *identity = find_node(&g, "layer3.22.conv3.weight");
	assert_int_equal(identity->residual, find_node(&g, "layer3.22.conv1.weight")->input);
	assert_int_equal(g.node[1].op, NODE_MAXPOOL);
	assert_true(g.node[1].ceil_mode);
	assert_int_equal(g.node[g.nodes - 1].op, NODE_ASPP);
	graph_done(&g);
}

static void refuses(const net_spec *spec, const char *word)
{
	graph g;
	tp_err err = {0};
	assert_int_equal(net_build(spec, &g, &err), TP_INVALID);
	if (strstr(err.text, word) == NULL)
		fail_msg("'%s' does not name %s", err.text, word);
}

static void bad_specs(void **state)
{
	net_spec s = net_spec_default(ARCH_RESNET101);
	net_spec t = s;
	t.arch = ARCH_COUNT;
	refuses(&t, "arch");
	t = s;
	t.classes = 1;
	refuses(&t, "classes");
	t.classes = 256;
	refuses(&t, "classes");
	t = s;
	t.output_stride = 16;
	refuses(&t, "output_stride");
	t.arch = ARCH_MOBILENETV2;
	t.output_stride = 32;
	refuses(&t, "output_stride");
	t = s;
	t.aspp_branches = 3;
	refuses(&t, "aspp_branches");
	t = s;
	t.aspp_dilations[3] = 0;
	refuses(&t, "aspp_dilations");
	t.aspp_dilations[3] = 65;
	refuses(&t, "aspp_dilations");
	t = s;
	t.width_divisor = 0;
	refuses(&t, "width_divisor");
	graph g;
	assert_int_equal(discriminator_build(1, 1, &g, NULL), TP_INVALID);
	assert_int_equal(discriminator_build(19, 65, &g, NULL), TP_INVALID);
}

static void arch_names(void **state)
{
	for (net_arch a = 0; a < ARCH_COUNT; a++) {
		net_arch b;
		assert_true(net_arch_parse(net_arch_name(a), &b));
		assert_int_equal(a, b);
	}
	net_arch b;
	assert_false(net_arch_parse("deeplabv3-resnet101", &b));
	assert_string_equal(net_arch_name(ARCH_MOBILENETV2), "deeplabv2-mobilenetv2");
}

static void expect_failure(graph *g, tp_status want, const char *word)
{
	tp_err err = {0};
	assert_int_equal(graph_finish(g, &err), want);
	if (strstr(err.text, word) == NULL)
		fail_msg("'%s' does not name %s", err.text, word);
	graph_done(g);
}

static void builder_failures(void **state)
{
	const conv_attr a = {.out = 4, .kernel = 3, .stride = 1, .dilation = 1, .residual = -1};
	graph g;
	assert_int_equal(graph_init(0, &g, NULL), TP_INVALID);

	assert_int_equal(graph_init(3, &g, NULL), TP_OK);
	expect_failure(&g, TP_INVALID, "no layers");

	assert_int_equal(graph_init(3, &g, NULL), TP_OK);
	assert_int_equal(graph_conv(&g, 1, "a", &a), -1);
	/* The first failure is the one reported, and later calls do nothing. */
	assert_int_equal(graph_conv(&g, 0, "b", &a), -1);
	assert_int_equal(graph_maxpool(&g, 0, 2, 2, 0, false), -1);
	assert_int_equal(graph_aspp(&g, 0, "c", 2, 2, (size_t[]){1, 2}), -1);
	expect_failure(&g, TP_INVALID, "a: no such");

	assert_int_equal(graph_init(3, &g, NULL), TP_OK);
	assert_int_equal(graph_conv(&g, 0, "a", &a), 1);
	assert_int_equal(graph_conv(&g, 1, "a", &a), -1);
	expect_failure(&g, TP_INVALID, "a.weight exists");

	conv_attr bad = a;
	bad.residual = 0;
	assert_int_equal(graph_init(3, &g, NULL), TP_OK);
	assert_int_equal(graph_conv(&g, 0, "a", &bad), -1);
	expect_failure(&g, TP_SHAPE, "3 channels to 4");

	bad = a;
	bad.depthwise = true;
	assert_int_equal(graph_init(3, &g, NULL), TP_OK);
	assert_int_equal(graph_conv(&g, 0, "a", &bad), -1);
	expect_failure(&g, TP_INVALID, "bad convolution");

	char long_name[80];
	memset(long_name, 'x', sizeof long_name - 1);
	long_name[sizeof long_name - 1] = 0;
	assert_int_equal(graph_init(3, &g, NULL), TP_OK);
	assert_int_equal(graph_conv(&g, 0, long_name, &a), -1);
	expect_failure(&g, TP_INVALID, "too long");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameter_counts),  cmocka_unit_test(two_branch_head),
		cmocka_unit_test(table_order),       cmocka_unit_test(mobilenet_dilations),
		cmocka_unit_test(resnet_structure),  cmocka_unit_test(bad_specs),
		cmocka_unit_test(arch_names),        cmocka_unit_test(builder_failures),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
