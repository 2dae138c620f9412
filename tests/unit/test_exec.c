/* exec, bind and plan: memory placement, sums of gradients, states, cancelling, probes. */
#include <stdio.h>

#include "../net/net_test.h"
#include "net/plan.h"

/* ---- plan ---- */

static void blocks_never_overlap(void **state)
{
	enum { BLOCKS = 200, ROUNDS = 20 };
	for (uint64_t round = 0; round < ROUNDS; round++) {
		plan_block b[BLOCKS];
		size_t live[64] = {0}, total, peak = 0;
		for (uint64_t i = 0; i < BLOCKS; i++) {
			uint64_t c = round << 32 | i << 8;
			size_t first = (size_t)rng_below(1, RNG_TEST, c, 60);
			b[i] = (plan_block){.bytes = (size_t)rng_below(1, RNG_TEST, c + 1, 5000),
			                    .first = first,
			                    .last = first +
			                            (size_t)rng_below(1, RNG_TEST, c + 2, 4)};
			for (size_t t = b[i].first; t <= b[i].last; t++)
				live[t] += round_up(b[i].bytes, TP_ALIGN);
		}
		assert_int_equal(plan_place(b, BLOCKS, &total, NULL), TP_OK);
		for (size_t t = 0; t < 64; t++)
			peak = live[t] > peak ? live[t] : peak;
		assert_true(total >= peak);
		assert_true(total <= peak * 13 / 10);
		for (size_t i = 0; i < BLOCKS; i++) {
			assert_int_equal(b[i].offset % TP_ALIGN, 0);
			assert_true(b[i].offset + b[i].bytes <= total);
			for (size_t j = 0; j < i; j++) {
				bool together = b[i].first <= b[j].last && b[j].first <= b[i].last;
				bool apart = b[i].offset + b[i].bytes <= b[j].offset ||
				             b[j].offset + b[j].bytes <= b[i].offset;
				assert_true(!together || apart);
			}
		}
	}
}

static void huge_blocks_are_refused(void **state)
{
	plan_block b[2] = {{.bytes = SIZE_MAX / 2}, {.bytes = SIZE_MAX / 2}};
	size_t total;
	tp_err err = {0};
	assert_int_equal(plan_place(b, 2, &total, &err), TP_NOMEM);
}

/* ---- exec on a graph that has every way for gradients to meet ---- */

/*   0 -> a -> 1;  b(1) + 1 -> 2;  c(2) + 1 -> 3;  pool(3) -> 4;  d(0) strided + 4 -> 5;  e(5) -> 6 */
static graph knot(activation act)
{
	graph g;
	tp_err err = {0};
	assert_int_equal(graph_init(3, &g, &err), TP_OK);
	conv_attr k = {.out = 4, .kernel = 3, .stride = 1, .pad = 1, .dilation = 1, .act = act};
	k.bias = true;
	k.residual = -1;
	int v1 = graph_conv(&g, 0, "a", &k);
	k.residual = v1;
	int v2 = graph_conv(&g, v1, "b", &k);
	int v3 = graph_conv(&g, v2, "c", &k);
	int v4 = graph_maxpool(&g, v3, 2, 2, 0, false);
	k.residual = v4;
	k.stride = 2;
	k.bias = false;
	k.bn = "bn";
	int v5 = graph_conv(&g, 0, "d", &k);
	k.residual = -1;
	k.stride = 1;
	k.bn = NULL;
	(void)graph_conv(&g, v5, "e", &k);
	assert_int_equal(graph_finish(&g, &err), TP_OK);
	return g;
}

typedef struct bench {
	graph g;
	pool *workers;
	exec *e;
	float *values, *dy, *grads;
	exec_size size;
} bench;

enum { H = 8, W = 6 };

static void bench_open(bench *b, activation act, exec_spec spec)
{
	tp_err err = {0};
	b->g = knot(act);
	assert_int_equal(pool_create(2, &b->workers, &err), TP_OK);
	spec.graph = &b->g;
	spec.in_h = H;
	spec.in_w = W;
	spec.pool = b->workers;
	assert_int_equal(exec_create(&spec, &b->e, &err), TP_OK);
	b->size = *exec_sizes(b->e);
	b->values = net_values(&b->g, 3);
	b->grads = new_floats(b->g.params.trained_floats);
	b->dy = new_floats(b->size.out_h * b->size.out_w * b->size.out_c);
	named_image(3, "loss", b->size.out_h * b->size.out_w, b->size.out_c, 1, b->dy);
	named_image(3, "image", H * W, 3, 1, exec_input(b->e));
}

static void bench_close(bench *b)
{
	exec_free(b->e);
	pool_free(b->workers);
	mem_free(b->values);
	mem_free(b->grads);
	mem_free(b->dy);
	graph_done(&b->g);
}

static double bench_loss(bench *b)
{
	const float *y;
	exec_prepare(b->e, b->values);
	assert_int_equal(exec_forward(b->e, &y, NULL), TP_OK);
	double sum = 0;
	for (size_t i = 0; i < b->size.out_h * b->size.out_w * b->size.out_c; i++)
		sum += (double)y[i] * b->dy[i];
	return sum;
}

/* The network is linear in each single value but for the choice of the pool's winner, so a central
 * difference is exact up to rounding (a changed winner would show as a gross error; the step is
 * small enough that none changes). */
static void gradients_meet(void **state)
{
	bench b;
	bench_open(&b, ACT_NONE, (exec_spec){.train = true,
	                                     .input_gradient = true,
	                                     .kernels = KERNELS_REFERENCE});
	const float *dx, step = 0x1p-8f;
	(void)bench_loss(&b);
	assert_int_equal(exec_backward(b.e, b.dy, b.grads, &dx, NULL), TP_OK);
	float dinput[H * W * 3];
	memcpy(dinput, dx, sizeof dinput);
	for (size_t i = 0; i < b.g.params.trained_floats; i++) {
		float keep = b.values[i];
		b.values[i] = keep + step;
		double up = bench_loss(&b);
		b.values[i] = keep - step;
		double down = bench_loss(&b);
		b.values[i] = keep;
		double want = (up - down) / (2 * step);
		if (!(fabs(b.grads[i] - want) <= 2e-2 + 2e-3 * fabs(want)))
			fail_msg("value %zu: %g, wanted %g", i, b.grads[i], want);
	}
	float *x = exec_input(b.e);
	for (size_t i = 0; i < H * W * 3; i++) {
		float keep = x[i];
		x[i] = keep + step;
		double up = bench_loss(&b);
		x[i] = keep - step;
		double down = bench_loss(&b);
		x[i] = keep;
		double want = (up - down) / (2 * step);
		if (!(fabs(dinput[i] - want) <= 2e-2 + 2e-3 * fabs(want)))
			fail_msg("input %zu: %g, wanted %g", i, dinput[i], want);
	}
	bench_close(&b);
}

static void gradients_add_up(void **state)
{
	bench b;
	bench_open(&b, ACT_RELU, (exec_spec){.train = true, .kernels = KERNELS_EXACT});
	size_t n = b.g.params.trained_floats;
	float *once = new_floats(n);
	(void)bench_loss(&b);
	assert_int_equal(exec_backward(b.e, b.dy, once, NULL, NULL), TP_OK);
	for (int pass = 0; pass < 2; pass++) {
		(void)bench_loss(&b);
		assert_int_equal(exec_backward(b.e, b.dy, b.grads, NULL, NULL), TP_OK);
	}
	for (size_t i = 0; i < n; i++)
		assert_true(fabsf(b.grads[i] - 2 * once[i]) <= 1e-5f * (1 + fabsf(once[i])));
	mem_free(once);
	bench_close(&b);
}

static void parameter_gradients_are_optional(void **state)
{
	bench b;
	bench_open(&b, ACT_LEAKY, (exec_spec){.train = true,
	                                      .input_gradient = true,
	                                      .kernels = KERNELS_EXACT});
	const float *dx;
	float with[H * W * 3];
	(void)bench_loss(&b);
	assert_int_equal(exec_backward(b.e, b.dy, b.grads, &dx, NULL), TP_OK);
	memcpy(with, dx, sizeof with);
	(void)bench_loss(&b);
	assert_int_equal(exec_backward(b.e, b.dy, NULL, &dx, NULL), TP_OK);
	assert_memory_equal(dx, with, sizeof with);
	bench_close(&b);
}

static void inference_equals_training(void **state)
{
	bench t, i;
	bench_open(&t, ACT_RELU6, (exec_spec){.train = true, .kernels = KERNELS_EXACT});
	bench_open(&i, ACT_RELU6, (exec_spec){.kernels = KERNELS_EXACT});
	/* Sums over a dying residual may round differently: inference writes more of them in place. */
	double first = bench_loss(&i);
	assert_true(fabs(bench_loss(&t) - first) < 1e-5 * fabs(first));
	assert_true(bench_loss(&i) == first); /* the input survived the first pass */
	assert_true(i.size.bytes < t.size.bytes);
	bench_close(&t);
	bench_close(&i);
}

static void wrong_order_is_refused(void **state)
{
	bench t, i;
	const float *p;
	bench_open(&t, ACT_RELU, (exec_spec){.train = true, .kernels = KERNELS_EXACT});
	bench_open(&i, ACT_RELU, (exec_spec){.kernels = KERNELS_EXACT});
	assert_int_equal(exec_forward(t.e, &p, NULL), TP_CONFLICT); /* not prepared */
	assert_int_equal(exec_backward(t.e, t.dy, t.grads, NULL, NULL), TP_CONFLICT);
	(void)bench_loss(&t);
	(void)bench_loss(&i);
	assert_int_equal(exec_backward(i.e, i.dy, i.grads, NULL, NULL), TP_CONFLICT);
	assert_int_equal(exec_backward(t.e, t.dy, t.grads, &p, NULL), TP_CONFLICT);
	assert_int_equal(exec_backward(t.e, t.dy, t.grads, NULL, NULL), TP_OK);
	assert_int_equal(exec_backward(t.e, t.dy, t.grads, NULL, NULL), TP_CONFLICT);
	(void)bench_loss(&t);
	exec_prepare(t.e, t.values); /* new weights do not fit the old activations */
	assert_int_equal(exec_backward(t.e, t.dy, t.grads, NULL, NULL), TP_CONFLICT);
	bench_close(&t);
	bench_close(&i);
}

typedef struct watch {
	char text[400];
	atomic_int *stop;
	size_t stop_at, calls;
} watch;

static void record(void *arg, size_t i, bool backward, bool begin)
{
	watch *w = arg;
	size_t n = strlen(w->text);
	(void)snprintf(w->text + n, sizeof w->text - n, "%s%zu%s", backward ? "b" : "f", i,
	               begin ? "(" : ") ");
	if (++w->calls == w->stop_at)
		atomic_store(w->stop, 1);
}

static void probe_and_stop(void **state)
{
	atomic_int stop = 0;
	bench b;
	const float *y;
	bench_open(&b, ACT_RELU,
	           (exec_spec){.train = true, .kernels = KERNELS_EXACT, .stop = &stop});
	watch w = {.stop = &stop};
	exec_set_probe(b.e, record, &w);
	(void)bench_loss(&b);
	assert_int_equal(exec_backward(b.e, b.dy, b.grads, NULL, NULL), TP_OK);
	assert_string_equal(w.text, "f0(f0) f1(f1) f2(f2) f3(f3) f4(f4) f5(f5) "
	                            "b5(b5) b4(b4) b3(b3) b2(b2) b1(b1) b0(b0) ");

	w = (watch){.stop = &stop, .stop_at = 3};
	tp_err err = {0};
	assert_int_equal(exec_forward(b.e, &y, &err), TP_CANCELLED);
	assert_string_equal(w.text, "f0(f0) f1(f1) ");
	assert_int_equal(exec_backward(b.e, b.dy, b.grads, NULL, NULL), TP_CONFLICT);
	atomic_store(&stop, 0);
	w = (watch){.stop = &stop, .stop_at = 14};
	assert_int_equal(exec_forward(b.e, &y, &err), TP_OK);
	assert_int_equal(exec_backward(b.e, b.dy, b.grads, NULL, NULL), TP_CANCELLED);
	atomic_store(&stop, 0);
	exec_set_probe(b.e, NULL, NULL);
	(void)bench_loss(&b);
	bench_close(&b);
}

static void nan_reaches_the_output(void **state)
{
	for (kernel_mode k = KERNELS_REFERENCE; k <= KERNELS_F4; k++) {
		bench b;
		bench_open(&b, ACT_RELU6, (exec_spec){.kernels = k});
		exec_input(b.e)[(3 * W + 3) * 3] = NAN;
		assert_true(isnan(bench_loss(&b)));
		bench_close(&b);
	}
}

static void measure_tells_sizes(void **state)
{
	graph g;
	net_spec net = net_spec_default(ARCH_MOBILENETV2);
	net.width_divisor = 4;
	assert_int_equal(net_build(&net, &g, NULL), TP_OK);
	pool *workers;
	assert_int_equal(pool_create(1, &workers, NULL), TP_OK);
	for (int train = 0; train < 2; train++) {
		exec_spec spec = {.graph = &g,
		                  .in_h = 50,
		                  .in_w = 41,
		                  .train = train,
		                  .kernels = KERNELS_F4,
		                  .pool = workers};
		exec_size size;
		exec *e;
		assert_int_equal(exec_measure(&spec, &size, NULL), TP_OK);
		assert_int_equal(exec_create(&spec, &e, NULL), TP_OK);
		assert_memory_equal(&size, exec_sizes(e), sizeof size);
		assert_int_equal(size.out_h, 7);
		assert_int_equal(size.out_w, 6);
		assert_int_equal(size.out_c, 19);
		exec_free(e);
	}
	pool_free(workers);
	graph_done(&g);
}

/* performance.md section 3 lists 149.8 GF for ResNet-101 at 321x321 (with its own maps). */
static void flop_of_resnet101(void **state)
{
	graph g;
	net_spec net = net_spec_default(ARCH_RESNET101);
	assert_int_equal(net_build(&net, &g, NULL), TP_OK);
	pool *workers;
	assert_int_equal(pool_create(2, &workers, NULL), TP_OK);
	exec_spec spec = {.graph = &g,
	                  .in_h = 321,
	                  .in_w = 321,
	                  .train = true,
	                  .kernels = KERNELS_F4,
	                  .pool = workers};
	exec_size size;
	assert_int_equal(exec_measure(&spec, &size, NULL), TP_OK);
	assert_float_equal(size.forward_flop / 1e9, 149.8, 0.2);
	pool_free(workers);
	graph_done(&g);
}

static void small_images_are_refused(void **state)
{
	graph g;
	assert_int_equal(discriminator_build(5, 16, &g, NULL), TP_OK);
	pool *workers;
	assert_int_equal(pool_create(1, &workers, NULL), TP_OK);
	const struct {
		size_t h, w;
		tp_status want;
		const char *word;
	} cases[] = {{32, 32, TP_OK, NULL},
	             {16, 64, TP_SHAPE, "for 8"},
	             {1, 64, TP_SHAPE, "for 0"},
	             {0, 64, TP_SHAPE, "0x64"},
	             {64, (size_t)1 << 40, TP_SHAPE, "1..32768"}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		exec_spec spec = {.graph = &g,
		                  .in_h = cases[i].h,
		                  .in_w = cases[i].w,
		                  .kernels = KERNELS_EXACT,
		                  .pool = workers};
		exec_size size;
		tp_err err = {0};
		assert_int_equal(exec_measure(&spec, &size, &err), cases[i].want);
		if (cases[i].word != NULL && strstr(err.text, cases[i].word) == NULL)
			fail_msg("'%s' lacks '%s'", err.text, cases[i].word);
	}
	pool_free(workers);
	graph_done(&g);
}

static void labels_name_layers(void **state)
{
	graph g;
	net_spec net = net_spec_default(ARCH_RESNET50);
	net.width_divisor = 16;
	assert_int_equal(net_build(&net, &g, NULL), TP_OK);
	pool *workers;
	exec *e;
	assert_int_equal(pool_create(1, &workers, NULL), TP_OK);
	exec_spec spec = {
		.graph = &g, .in_h = 33, .in_w = 33, .kernels = KERNELS_REFERENCE, .pool = workers};
	assert_int_equal(exec_create(&spec, &e, NULL), TP_OK);
	char text[64];
	const struct {
		size_t node;
		const char *name, *algorithm;
	} cases[] = {{0, "conv1", "reference"},
	             {1, "maxpool", ""},
	             {2, "layer1.0.conv1", "reference"},
	             {4, "layer1.0.downsample.0", "reference"},
	             {g.nodes - 1, "layer5.conv2d_list", "aspp"}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		exec_node_name(e, cases[i].node, text, sizeof text);
		assert_string_equal(text, cases[i].name);
		exec_node_algorithm(e, cases[i].node, text, sizeof text);
		assert_string_equal(text, cases[i].algorithm);
	}
	exec_node_name(e, 2, text, 5);
	assert_string_equal(text, "laye");
	exec_free(e);
	/* The three directions of a layer may be computed in different ways. */
	spec.kernels = KERNELS_EXACT;
	spec.train = true;
	assert_int_equal(exec_create(&spec, &e, NULL), TP_OK);
	exec_node_algorithm(e, 0, text, sizeof text);
	assert_string_equal(text, "gemm/taps/gemm");
	exec_node_algorithm(e, 1, text, sizeof text);
	assert_string_equal(text, "");
	exec_node_algorithm(e, 2, text, sizeof text);
	assert_string_equal(text, "gemm");
	exec_free(e);
	exec_free(NULL);
	pool_free(workers);
	graph_done(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_never_overlap),
		cmocka_unit_test(huge_blocks_are_refused),
		cmocka_unit_test(gradients_meet),
		cmocka_unit_test(gradients_add_up),
		cmocka_unit_test(parameter_gradients_are_optional),
		cmocka_unit_test(inference_equals_training),
		cmocka_unit_test(wrong_order_is_refused),
		cmocka_unit_test(probe_and_stop),
		cmocka_unit_test(nan_reaches_the_output),
		cmocka_unit_test(measure_tells_sizes),
		cmocka_unit_test(flop_of_resnet101),
		cmocka_unit_test(small_images_are_refused),
		cmocka_unit_test(labels_name_layers),
	};
	return cmocka_run_group_tests(tests, start_blas, NULL);
}
