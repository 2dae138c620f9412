/* params: initial values and the two layouts. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/deeplab.h"

static void layout_round_trip(void **state)
{
	enum { O = 19, I = 3, H = 2, W = 3, N = O * I * H * W };
	param p = {.kind = PARAM_WEIGHT, .dims = {O, I, H, W}, .ndim = 4, .offset = 5, .count = N};
	float block[N + 5], flat[N], back[N + 5];
	for (int i = 0; i < N + 5; i++) {
		block[i] = (float)i;
		back[i] = i < 5 ? (float)i : -1;
	}
	params_to_public(&p, block, flat);
	for (size_t o = 0; o < O; o++)
		for (size_t i = 0; i < I; i++)
			for (size_t h = 0; h < H; h++)
				for (size_t w = 0; w < W; w++)
					assert_float_equal(flat[((o * I + i) * H + h) * W + w],
					                   block[5 + ((h * W + w) * I + i) * O + o],
					                   0);
	params_from_public(&p, flat, back);
	assert_memory_equal(block, back, sizeof block);
}

static void depthwise_layout(void **state)
{
	enum { C = 33, T = 9 };
	param p = {.kind = PARAM_DEPTHWISE, .dims = {C, 1, 3, 3}, .ndim = 4, .count = C * T};
	float block[C * T], flat[C * T], back[C * T];
	for (int i = 0; i < C * T; i++)
		block[i] = (float)i;
	params_to_public(&p, block, flat);
	for (size_t c = 0; c < C; c++)
		for (size_t t = 0; t < T; t++)
			assert_float_equal(flat[c * T + t], block[t * C + c], 0);
	params_from_public(&p, flat, back);
	assert_memory_equal(block, back, sizeof block);
}

static void initial_values(void **state)
{
	graph g;
	net_spec spec = net_spec_default(ARCH_MOBILENETV2);
	spec.width_divisor = 2;
	assert_int_equal(net_build(&spec, &g, NULL), TP_OK);
	const param_table *t = &g.params;
	float *a = malloc(t->floats * sizeof *a), *b = malloc(t->floats * sizeof *b);
	params_init(t, 7, a);
	params_init(t, 7, b);
	assert_memory_equal(a, b, t->floats * sizeof *a);
	params_init(t, 8, b);
	size_t same = 0, normal = 0;
	for (size_t i = 0; i < t->count; i++) {
		const param *p = &t->item[i];
		double sum = 0, square = 0;
		for (size_t j = p->offset; j < p->offset + p->count; j++) {
			sum += a[j];
			square += (double)a[j] * a[j];
			same += p->init_std != 0 && a[j] == b[j];
		}
		double n = (double)p->count;
		if (p->init_std == 0) {
			assert_float_equal(sum, n * p->init, 1e-4 * n);
			continue;
		}
		normal++;
		/* Five standard errors of a mean and of a variance. */
		assert_true(fabs(sum / n) < 5 * p->init_std / sqrt(n));
		double v = p->init_std * (double)p->init_std;
		assert_true(fabs(square / n - v) < 5 * v * sqrt(2 / n));
	}
	assert_true(same < 10);
	assert_true(normal > 50);
	free(a);
	free(b);
	graph_done(&g);
}

static void finds_names(void **state)
{
	graph g;
	net_spec spec = net_spec_default(ARCH_RESNET50);
	spec.width_divisor = 16;
	assert_int_equal(net_build(&spec, &g, NULL), TP_OK);
	for (size_t i = 0; i < g.params.count; i++)
		assert_int_equal(params_find(&g.params, g.params.item[i].name), i);
	assert_int_equal(params_find(&g.params, "layer9.weight"), -1);
	graph_done(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layout_round_trip),
		cmocka_unit_test(depthwise_layout),
		cmocka_unit_test(initial_values),
		cmocka_unit_test(finds_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
