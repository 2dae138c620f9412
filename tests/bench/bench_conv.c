/* Time of single convolutions: one JSON line per layer and mode, to be compared with the lines of
 * bench_conv_torch.py for the same layers. GF/s count the multiply-adds of the direct formula.
 *
 *   bench_conv THREADS MODE [FIRST [LAST [REPEATS]]]      MODE: exact, f2 or f4 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/rng.h"
#include "op/conv.h"
#include "op/gemm.h"

/* h, w, in_c, out_c, kernel, stride, dilation: layers of DeepLab at 321x321; bench_conv_torch.py
 * reads this table. */
static const size_t layers[][7] = {
	{41, 41, 1024, 256, 1, 1, 1}, /* ResNet layer3 */
	{41, 41, 256, 256, 3, 1, 2},
	{41, 41, 256, 1024, 1, 1, 1},
	{41, 41, 2048, 512, 1, 1, 1}, /* layer4 */
	{41, 41, 512, 512, 3, 1, 4},
	{41, 41, 512, 2048, 1, 1, 1},
	{41, 41, 512, 128, 1, 1, 1}, /* layer2 */
	{41, 41, 128, 128, 3, 1, 1},
	{41, 41, 128, 512, 1, 1, 1},
	{81, 81, 256, 64, 1, 1, 1}, /* layer1 */
	{81, 81, 64, 64, 3, 1, 1},
	{81, 81, 64, 256, 1, 1, 1},
	{81, 81, 256, 512, 1, 2, 1}, /* shortcut of layer2 */
	{321, 321, 3, 64, 7, 2, 1}, /* stem */
	{321, 321, 3, 64, 3, 1, 1}, /* VGG */
	{321, 321, 64, 64, 3, 1, 1},
	{161, 161, 64, 128, 3, 1, 1},
	{161, 161, 128, 128, 3, 1, 1},
	{81, 81, 128, 256, 3, 1, 1},
	{81, 81, 256, 256, 3, 1, 1},
	{41, 41, 256, 512, 3, 1, 1},
	{41, 41, 512, 512, 3, 1, 1},
	{41, 41, 512, 512, 3, 1, 2},
	{41, 41, 512, 1024, 3, 1, 12}, /* fc6 */
	{41, 41, 1024, 1024, 1, 1, 1}, /* fc7 */
	{321, 321, 19, 64, 4, 2, 1}, /* discriminator */
	{160, 160, 64, 128, 4, 2, 1},
	{80, 80, 128, 256, 4, 2, 1},
	{81, 81, 144, 24, 1, 1, 1}, /* MobileNetV2 */
	{81, 81, 24, 144, 1, 1, 1},
	{41, 41, 192, 32, 1, 1, 1},
	{41, 41, 64, 384, 1, 1, 1},
};
enum { LAYERS = sizeof layers / sizeof layers[0] };

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float *filled(size_t n)
{
	float *p;
	if (mem_floats(n, &p, NULL) != TP_OK)
		exit(1);
	for (size_t i = 0; i < n; i++)
		p[i] = (float)(rng_uniform(1, RNG_TEST, i) - 0.4);
	return p;
}

static void bench(const size_t *l, kernel_mode mode, size_t threads, int repeats, pool *workers)
{
	conv_shape s = {.in_h = l[0], .in_w = l[1], .in_c = l[2], .out_c = l[3], .kernel_h = l[4],
	                .kernel_w = l[4], .stride = l[5], .dilation = l[6], .groups = 1};
	s.pad_top = s.pad_left = l[6] * (l[4] - 1) / 2;
	s.out_h = conv_out_size(l[0], l[4], l[5], l[6], s.pad_top);
	s.out_w = conv_out_size(l[1], l[4], l[5], l[6], s.pad_left);
	conv_plan plan;
	if (conv_plan_make(&s, mode, true, threads, &plan, NULL) != TP_OK)
		exit(1);
	size_t nx = s.in_h * s.in_w * s.in_c, ny = s.out_h * s.out_w * s.out_c;
	size_t nw = s.kernel_h * s.kernel_w * s.in_c * s.out_c;
	float *x = filled(nx), *w = filled(nw), *bias = filled(s.out_c), *y = filled(ny);
	float *dx = filled(nx), *dw = filled(nw), *dy = filled(ny);
	float *prepared = filled(plan.prepared_floats), *scratch = filled(plan.scratch_floats);
	double best[4] = {1e9, 1e9, 1e9, 1e9};
	const conv_weights weights = {w, bias, prepared};
	conv_grad both = {.x = x, .dy = dy, .weights = &weights, .dx = dx, .dw = dw};
	conv_grad data = both, weight = both;
	data.dw = NULL, weight.dx = NULL;
	for (int r = 0; r < repeats; r++) {
		double t[5];
		t[0] = now();
		conv_forward(&plan, x, &weights, bias, NULL, ACT_RELU, y, scratch, workers);
		t[1] = now();
		conv_backward(&plan, &data, scratch, workers);
		t[2] = now();
		conv_backward(&plan, &weight, scratch, workers);
		t[3] = now();
		conv_backward(&plan, &both, scratch, workers);
		t[4] = now();
		for (int k = 0; k < 4; k++)
			best[k] = t[k + 1] - t[k] < best[k] ? t[k + 1] - t[k] : best[k];
	}
	double gf = 2e-9 * (double)ny * (double)(nw / s.out_c);
	printf("{\"layer\": \"%zux%zux%zu-%zu k%zu s%zu d%zu\", \"algorithm\": [%d, %d, %d], "
	       "\"forward_ms\": %.3f, \"data_ms\": %.3f, "
	       "\"weight_ms\": %.3f, \"backward_ms\": %.3f, \"forward_gfs\": %.0f, "
	       "\"data_gfs\": %.0f, "
	       "\"weight_gfs\": %.0f}\n",
	       s.in_h, s.in_w, s.in_c, s.out_c, s.kernel_h, s.stride, s.dilation, plan.forward,
	       plan.backward_data, plan.backward_weight, 1e3 * best[0], 1e3 * best[1],
	       1e3 * best[2], 1e3 * best[3], gf / best[0], gf / best[1], gf / best[2]);
	float *const all[] = {x, w, bias, y, dx, dw, dy, prepared, scratch};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		mem_free(all[i]);
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: bench_conv THREADS exact|f2|f4 [FIRST [LAST [REPEATS]]]\n");
		return 2;
	}
	size_t threads = strtoul(argv[1], NULL, 10);
	kernel_mode mode = strcmp(argv[2], "exact") == 0 ? KERNELS_EXACT
	                   : strcmp(argv[2], "f2") == 0  ? KERNELS_F2
	                                                 : KERNELS_F4;
	size_t first = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
	size_t last = argc > 4 ? strtoul(argv[4], NULL, 10) : LAYERS - 1;
	int repeats = argc > 5 ? atoi(argv[5]) : 5;
	pool *workers;
	if (gemm_init(NULL) != TP_OK || pool_create(threads, &workers, NULL) != TP_OK)
		return 1;
	for (size_t i = first; i <= last && i < LAYERS; i++)
		bench(layers[i], mode, threads, repeats, workers);
	pool_free(workers);
	return 0;
}
