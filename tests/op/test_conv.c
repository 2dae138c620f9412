/* Every algorithm of conv.h against the plain loops, over odd shapes, modes and thread counts;
 * the gradients against finite differences; both against PyTorch. */
#include "op_test.h"

#include <float.h>
#include <stdio.h>

#include "golden.h"
#include "op/conv.h"
#include "op/conv_winograd.h"
#include "op/gemm.h"

typedef struct conv_case {
	size_t h, w, in_c, out_c, kernel_h, kernel_w, stride, dilation, pad;
	size_t extra; /* output rows and columns beyond the symmetric formula's: more zeros below */
} conv_case;

static const conv_case cases[] = {
	{1, 1, 1, 1, 1, 1, 1, 1, 0, 0},
	{1, 1, 19, 21, 3, 3, 1, 1, 1, 0},
	{7, 5, 3, 19, 1, 1, 1, 1, 0, 0},
	{13, 9, 64, 48, 1, 1, 1, 1, 0, 0},
	{31, 29, 40, 72, 1, 1, 1, 1, 0, 0},
	{9, 9, 600, 300, 1, 1, 1, 1, 0, 0}, /* weight gradient by tiles */
	{12, 11, 32, 40, 1, 1, 2, 1, 0, 0},
	{9, 8, 400, 360, 1, 1, 2, 1, 0, 0},
	{5, 5, 8, 8, 1, 1, 1, 1, 1, 0}, /* 1x1 with padding */
	{33, 27, 3, 32, 7, 7, 2, 1, 3, 0},
	{33, 31, 3, 16, 3, 3, 2, 1, 1, 0},
	{16, 16, 3, 16, 3, 3, 2, 1, 0, 1}, /* zeros only below and right */
	{24, 17, 19, 64, 4, 4, 2, 1, 1, 0},
	{15, 18, 64, 96, 4, 4, 2, 1, 1, 0},
	{10, 12, 130, 1, 4, 4, 2, 1, 1, 0},
	{8, 8, 24, 24, 5, 5, 3, 1, 2, 0},
	{14, 15, 17, 21, 3, 5, 1, 1, 1, 0}, /* kernel_h != kernel_w, padding short on one axis */
	{20, 23, 3, 64, 3, 3, 1, 1, 1, 0},
	{20, 23, 64, 64, 3, 3, 1, 1, 1, 0},
	{9, 7, 19, 21, 3, 3, 1, 1, 1, 0},
	{4, 4, 33, 65, 3, 3, 1, 1, 1, 0},
	{6, 5, 16, 16, 3, 3, 1, 1, 0, 0}, /* no padding */
	{6, 5, 16, 24, 3, 3, 1, 1, 2, 1}, /* output larger than the input */
	{21, 17, 48, 32, 3, 3, 1, 2, 2, 0},
	{13, 41, 32, 32, 3, 3, 1, 4, 4, 0},
	{22, 10, 24, 32, 3, 3, 1, 4, 4, 0}, /* lattices packed on a line, a gap of 1 */
	{18, 30, 32, 24, 3, 3, 1, 4, 1, 0}, /* packed, a gap of 2: padding shorter than the dilation */
	{14, 18, 24, 32, 3, 3, 1, 3, 5, 0}, /* padding longer than the dilation */
	{17, 22, 16, 24, 3, 3, 1, 4, 4, 1},
	{15, 19, 40, 64, 3, 3, 1, 12, 12, 0},
	{7, 30, 48, 40, 3, 3, 1, 24, 24, 0}, /* map lower than the dilation */
	{3, 2, 8, 8, 3, 3, 1, 6, 6, 0},
	{11, 12, 160, 130, 3, 3, 1, 1, 1, 0}, /* weight gradient by tiles and taps */
	{17, 13, 96, 192, 3, 3, 2, 1, 1, 0},
};
enum { CASES = sizeof cases / sizeof cases[0] };

static conv_shape shape_of(const conv_case *c)
{
	conv_shape s = {.in_h = c->h, .in_w = c->w, .in_c = c->in_c, .out_c = c->out_c,
	                .kernel_h = c->kernel_h, .kernel_w = c->kernel_w, .stride = c->stride,
	                .dilation = c->dilation, .pad_top = c->pad, .pad_left = c->pad,
	                .groups = 1};
	s.out_h = conv_out_size(c->h, c->kernel_h, c->stride, c->dilation, c->pad) + c->extra;
	s.out_w = conv_out_size(c->w, c->kernel_w, c->stride, c->dilation, c->pad) + c->extra;
	return s;
}

static void label(char text[128], const conv_shape *s, const char *what)
{
	(void)snprintf(text, 128, "%zux%zux%zu->%zu k%zux%zu s%zu d%zu p%zu %s", s->in_h, s->in_w,
	               s->in_c, s->out_c, s->kernel_h, s->kernel_w, s->stride, s->dilation,
	               s->pad_top, what);
}

/* All arrays of one convolution: inputs, and results of a forward and a backward pass. */
typedef struct conv_set {
	conv_shape s;
	size_t nx, ny, nw;
	float *x, *w, *scale, *bias, *residual, *dy;
	float *y, *dx, *dw, *dbias;
	double size; /* reference only: root mean square of the sums before the activation */
} conv_set;

static conv_set set_make(const conv_shape *s)
{
	conv_set a = {.s = *s, .nx = s->in_h * s->in_w * s->in_c,
	              .ny = s->out_h * s->out_w * s->out_c,
	              .nw = s->kernel_h * s->kernel_w * s->in_c * s->out_c};
	a.x = random_buffer(a.nx, 1);
	a.w = random_buffer(a.nw, 2);
	a.scale = random_buffer(s->out_c, 3);
	a.bias = random_buffer(s->out_c, 4);
	a.residual = random_buffer(a.ny, 5);
	a.dy = random_buffer(a.ny, 6);
	a.y = buffer(a.ny);
	a.dx = random_buffer(a.nx, 7);
	a.dw = random_buffer(a.nw, 8);
	a.dbias = random_buffer(s->out_c, 9);
	return a;
}

static void set_free(conv_set *a)
{
	buffer_free(a->x, a->nx);
	buffer_free(a->w, a->nw);
	buffer_free(a->scale, a->s.out_c);
	buffer_free(a->bias, a->s.out_c);
	buffer_free(a->residual, a->ny);
	buffer_free(a->dy, a->ny);
	buffer_free(a->y, a->ny);
	buffer_free(a->dx, a->nx);
	buffer_free(a->dw, a->nw);
	buffer_free(a->dbias, a->s.out_c);
}

/* The same inputs with every sign removed: running them bounds each sum's rounding error. */
static void set_absolute(conv_set *a)
{
	float *const all[] = {a->x, a->w, a->scale, a->bias, a->residual, a->dy,
	                      a->dx, a->dw, a->dbias};
	const size_t n[] = {a->nx, a->nw, a->s.out_c, a->s.out_c, a->ny, a->ny,
	                    a->nx, a->nw, a->s.out_c};
	for (size_t k = 0; k < sizeof n / sizeof n[0]; k++)
		for (size_t i = 0; i < n[k]; i++)
			all[k][i] = fabsf(all[k][i]);
}

static void run_reference(conv_set *a, activation act, bool accumulate)
{
	conv_forward_reference(&a->s, a->x, a->w, a->scale, a->bias, a->residual, ACT_NONE, a->y);
	a->size = rms(a->y, a->ny);
	conv_forward_reference(&a->s, a->x, a->w, a->scale, a->bias, a->residual, act, a->y);
	conv_backward_reference(&a->s, a->x, a->w, a->scale, a->dy, a->dx, accumulate, a->dw,
	                        a->dbias);
}

/* In the Winograd modes also shapes for which the plan would rather not. */
static conv_plan plan_for(const conv_shape *s, kernel_mode mode, bool backward, size_t threads)
{
	conv_plan plan;
	tp_err err = {0};
	if (conv_plan_make(s, mode, backward, threads, &plan, &err) != TP_OK)
		fail_msg("%s", err.text);
	if ((mode == KERNELS_F2 || mode == KERNELS_F4) && conv_winograd_fits(s)) {
		size_t m = mode == KERNELS_F2 ? 2 : 4;
		size_t scratch = conv_winograd_scratch(s, m, backward, threads);
		plan.forward = plan.backward_data = plan.backward_weight =
			m == 2 ? CONV_WINOGRAD2 : CONV_WINOGRAD4;
		plan.prepared_floats = conv_winograd_prepared(s, m, backward);
		if (plan.scratch_floats < scratch)
			plan.scratch_floats = scratch;
	}
	return plan;
}

static conv_plan run_fast(conv_set *a, kernel_mode mode, size_t threads, activation act,
                          bool accumulate)
{
	conv_plan plan = plan_for(&a->s, mode, true, threads);
	pool *workers;
	assert_int_equal(pool_create(threads, &workers, NULL), TP_OK);
	float *prepared = buffer(plan.prepared_floats), *scratch = buffer(plan.scratch_floats);
	const conv_weights weights = {a->w, a->scale, prepared};
	conv_forward(&plan, a->x, &weights, a->bias, a->residual, act, a->y, scratch, workers);
	conv_grad grad = {.x = a->x, .dy = a->dy, .weights = &weights,
	                  .dx = a->dx, .dx_accumulate = accumulate, .dw = a->dw,
	                  .dbias = a->dbias};
	conv_backward(&plan, &grad, scratch, workers);
	buffer_free(prepared, plan.prepared_floats);
	buffer_free(scratch, plan.scratch_floats);
	pool_free(workers);
	return plan;
}

/* dw: each output channel by its own size, because each has its own scale. */
static void near_by_channel(const char *text, const conv_set *got, const conv_set *want, double share)
{
	size_t c = got->s.out_c, rows = got->nw / c;
	float *g = buffer(rows), *w = buffer(rows);
	for (size_t o = 0; o < c; o++) {
		for (size_t r = 0; r < rows; r++) {
			g[r] = got->dw[r * c + o];
			w[r] = want->dw[r * c + o];
		}
		assert_near(text, g, w, share * rms(w, rows), rows);
	}
	buffer_free(g, rows);
	buffer_free(w, rows);
}

/* Exact algorithms: 4 eps sqrt(K) of the sum of absolute terms, per element. Winograd: the
 * worst error over the root mean square, as measured in performance.md section 5. */
static void compare(const conv_set *got, const conv_set *want, const conv_set *bound,
                    const conv_plan *plan)
{
	const conv_shape *s = &got->s;
	static const double share[] = {[CONV_WINOGRAD2] = 5e-6, [CONV_WINOGRAD4] = 1e-4};
	double terms = (double)(s->kernel_h * s->kernel_w);
	double pixels = (double)(s->out_h * s->out_w);
	double k_y = terms * (double)s->in_c + 2, k_x = terms * (double)s->out_c + 1;
	char text[128];
	label(text, s, "y");
	if (plan->forward < CONV_WINOGRAD2)
		assert_within(text, got->y, want->y, bound->y, 4 * FLT_EPSILON * sqrt(k_y),
		              got->ny);
	else
		assert_near(text, got->y, want->y, share[plan->forward] * want->size, got->ny);
	label(text, s, "dx");
	if (plan->backward_data < CONV_WINOGRAD2)
		assert_within(text, got->dx, want->dx, bound->dx, 4 * FLT_EPSILON * sqrt(k_x),
		              got->nx);
	else
		assert_near(text, got->dx, want->dx,
		            share[plan->backward_data] * rms(want->dx, got->nx), got->nx);
	label(text, s, "dw");
	if (plan->backward_weight < CONV_WINOGRAD2)
		assert_within(text, got->dw, want->dw, bound->dw,
		              4 * FLT_EPSILON * sqrt(pixels + 1), got->nw);
	else
		near_by_channel(text, got, want, share[plan->backward_weight]);
	label(text, s, "dbias");
	assert_within(text, got->dbias, want->dbias, bound->dbias,
	              4 * FLT_EPSILON * sqrt(pixels + 1), s->out_c);
}

static void test_against_reference(void **state)
{
	static const kernel_mode modes[] = {KERNELS_REFERENCE, KERNELS_EXACT, KERNELS_F2,
	                                    KERNELS_F4};
	(void)state;
	for (size_t i = 0; i < CASES; i++) {
		conv_shape s = shape_of(&cases[i]);
		activation act = (activation)(i % 4);
		bool accumulate = i % 2 == 0;
		conv_set want = set_make(&s), bound = set_make(&s);
		run_reference(&want, act, accumulate);
		set_absolute(&bound);
		run_reference(&bound, ACT_NONE, accumulate);
		for (size_t m = 0; m < sizeof modes / sizeof modes[0]; m++) {
			conv_set got = set_make(&s);
			conv_plan plan = run_fast(&got, modes[m], 2, act, accumulate);
			compare(&got, &want, &bound, &plan);
			if (modes[m] == KERNELS_EXACT) {
				assert_true(plan.forward < CONV_WINOGRAD2);
				assert_true(plan.backward_data < CONV_WINOGRAD2);
				assert_true(plan.backward_weight < CONV_WINOGRAD2);
			}
			set_free(&got);
		}
		set_free(&want);
		set_free(&bound);
	}
}

/* Transformed weights so large that a training pass makes them in two parts: the forward pass has the
 * bits of the plan that keeps them whole, the gradients agree with the reference. */
static void test_parts(void **state)
{
	const conv_case large = {2, 5, 768, 800, 3, 3, 1, 1, 1, 0};
	conv_shape s = shape_of(&large);
	conv_set want = set_make(&s), got = set_make(&s);
	conv_plan whole = plan_for(&s, KERNELS_F4, false, 2);
	pool *workers;
	(void)state;
	run_reference(&want, ACT_RELU, true);
	conv_plan plan = run_fast(&got, KERNELS_F4, 2, ACT_RELU, true);
	assert_true(plan.prepared_floats < 2 * whole.prepared_floats / 3);
	assert_near("dx", got.dx, want.dx, 1e-4 * rms(want.dx, got.nx), got.nx);
	near_by_channel("dw", &got, &want, 1e-4);
	assert_int_equal(pool_create(2, &workers, NULL), TP_OK);
	float *prepared = buffer(whole.prepared_floats), *scratch = buffer(whole.scratch_floats);
	const conv_weights weights = {got.w, got.scale, prepared};
	conv_prepare(&whole, &weights, workers);
	conv_forward(&whole, got.x, &weights, got.bias, got.residual, ACT_RELU, want.y, scratch,
	             workers);
	assert_memory_equal(got.y, want.y, got.ny * sizeof(float));
	buffer_free(prepared, whole.prepared_floats);
	buffer_free(scratch, whole.scratch_floats);
	pool_free(workers);
	set_free(&want);
	set_free(&got);
}

/* The same bits for every number of threads, in every mode. */
static void test_threads(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASES; i++)
		for (int mode = KERNELS_EXACT; mode <= KERNELS_F4; mode++) {
			conv_shape s = shape_of(&cases[i]);
			conv_set one = set_make(&s);
			run_fast(&one, (kernel_mode)mode, 1, ACT_RELU, true);
			for (size_t threads = 2; threads <= 4; threads++) {
				conv_set got = set_make(&s);
				run_fast(&got, (kernel_mode)mode, threads, ACT_RELU, true);
				assert_memory_equal(got.y, one.y, one.ny * sizeof(float));
				assert_memory_equal(got.dx, one.dx, one.nx * sizeof(float));
				assert_memory_equal(got.dw, one.dw, one.nw * sizeof(float));
				assert_memory_equal(got.dbias, one.dbias, s.out_c * sizeof(float));
				set_free(&got);
			}
			set_free(&one);
		}
}

/* Sizes that need several slabs and panels of Winograd's scratch: against the exact algorithms,
 * as the plain loops would take too long. */
static void test_many_slabs(void **state)
{
	static const conv_case large[] = {{53, 57, 700, 80, 3, 3, 1, 1, 1, 0},
	                                  {60, 49, 90, 640, 3, 3, 1, 2, 2, 0}};
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		conv_shape s = shape_of(&large[i]);
		conv_set want = set_make(&s), one = set_make(&s), got = set_make(&s);
		run_fast(&want, KERNELS_EXACT, 2, ACT_NONE, true);
		run_fast(&one, KERNELS_F4, 1, ACT_NONE, true);
		run_fast(&got, KERNELS_F4, 3, ACT_NONE, true);
		assert_near("y", got.y, want.y, 1e-4 * rms(want.y, want.ny), want.ny);
		assert_near("dx", got.dx, want.dx, 1e-4 * rms(want.dx, want.nx), want.nx);
		assert_near("dw", got.dw, want.dw, 1e-4 * rms(want.dw, want.nw), want.nw);
		assert_memory_equal(got.y, one.y, one.ny * sizeof(float));
		assert_memory_equal(got.dx, one.dx, one.nx * sizeof(float));
		assert_memory_equal(got.dw, one.dw, one.nw * sizeof(float));
		set_free(&want);
		set_free(&one);
		set_free(&got);
	}
}

/* <dy, conv>, in double, through the reference: the loss of the finite differences. */
static double loss(const conv_set *a, const float *x, const float *w, const float *bias)
{
	float *y = buffer(a->ny);
	conv_forward_reference(&a->s, x, w, a->scale, bias, a->residual, ACT_NONE, y);
	double sum = dot(a->dy, y, a->ny);
	buffer_free(y, a->ny);
	return sum;
}

static float *moved(const float *from, const float *direction, float step, size_t n)
{
	float *p = copy_buffer(from, n);
	for (size_t i = 0; i < n; i++)
		p[i] += step * direction[i];
	return p;
}

/* Directional central differences; the loss is linear in each argument, so the step is large. */
static void check_direction(const conv_set *a, const float *gradient, const float *const base[3],
                            size_t which, size_t n, double tolerance, uint64_t id)
{
	float *direction = random_buffer(n, id);
	const float *up[3] = {base[0], base[1], base[2]}, *down[3] = {base[0], base[1], base[2]};
	float *plus = moved(base[which], direction, 0.5f, n);
	float *minus = moved(base[which], direction, -0.5f, n);
	up[which] = plus, down[which] = minus;
	double wanted = loss(a, up[0], up[1], up[2]) - loss(a, down[0], down[1], down[2]);
	double got = dot(gradient, direction, n);
	double size = sqrt(dot(gradient, gradient, n)) + 1e-3;
	if (!(fabs(got - wanted) <= tolerance * size)) {
		char text[128];
		label(text, &a->s, "gradient");
		fail_msg("%s %zu: %.9g, differences give %.9g", text, which, got, wanted);
	}
	buffer_free(direction, n);
	buffer_free(plus, n);
	buffer_free(minus, n);
}

static void test_finite_differences(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASES; i++)
		for (int mode = KERNELS_EXACT; mode <= KERNELS_F4; mode++) {
			conv_shape s = shape_of(&cases[i]);
			if (s.in_h * s.in_w * s.in_c > 20000)
				continue;
			conv_set a = set_make(&s);
			memset(a.dw, 0, a.nw * sizeof(float));
			memset(a.dbias, 0, s.out_c * sizeof(float));
			run_fast(&a, (kernel_mode)mode, 2, ACT_NONE, false);
			const float *const base[3] = {a.x, a.w, a.bias};
			for (uint64_t id = 100; id < 103; id++) {
				check_direction(&a, a.dx, base, 0, a.nx, 1e-4, id);
				check_direction(&a, a.dw, base, 1, a.nw, 1e-4, id);
				check_direction(&a, a.dbias, base, 2, s.out_c, 1e-4, id);
			}
			set_free(&a);
		}
}

/* NULL bias, residual, scale and unwanted gradients; y on top of residual. */
static void test_optional_arguments(void **state)
{
	(void)state;
	for (int mode = KERNELS_REFERENCE; mode <= KERNELS_F4; mode++)
		for (size_t i = 0; i < CASES; i += 3) {
			conv_shape s = shape_of(&cases[i]);
			conv_set a = set_make(&s);
			conv_plan plan;
			pool *workers;
			tp_status st = conv_plan_make(&s, (kernel_mode)mode, false, 2, &plan, NULL);
			assert_int_equal(st, TP_OK);
			assert_int_equal(pool_create(2, &workers, NULL), TP_OK);
			float *prepared = buffer(plan.prepared_floats);
			float *scratch = buffer(plan.scratch_floats);
			float *want = buffer(a.ny), *sum = copy_buffer(a.residual, a.ny);
			const conv_weights weights = {a.w, NULL, prepared};
			conv_prepare(&plan, &weights, workers);
			conv_forward_reference(&s, a.x, a.w, NULL, NULL, NULL, ACT_NONE, want);
			conv_forward(&plan, a.x, &weights, NULL, NULL, ACT_NONE, a.y, scratch,
			             workers);
			double share = mode == KERNELS_F4 ? 1e-4 : 1e-5;
			double tolerance = share * (rms(want, a.ny) + 1.0);
			assert_near("no bias", a.y, want, tolerance, a.ny);
			conv_forward_reference(&s, a.x, a.w, NULL, NULL, a.residual, ACT_NONE,
			                       want);
			conv_forward(&plan, a.x, &weights, NULL, sum, ACT_NONE, sum, scratch,
			             workers);
			assert_near("in place", sum, want, tolerance, a.ny);
			buffer_free(prepared, plan.prepared_floats);
			buffer_free(scratch, plan.scratch_floats);
			buffer_free(want, a.ny);
			buffer_free(sum, a.ny);
			pool_free(workers);
			set_free(&a);
		}
}

/* A NaN in the input reaches the output through every activation. */
static void test_nan_passes(void **state)
{
	(void)state;
	conv_case c = {9, 9, 16, 16, 3, 3, 1, 1, 1, 0};
	conv_shape s = shape_of(&c);
	for (int mode = KERNELS_REFERENCE; mode <= KERNELS_F4; mode++)
		for (int act = ACT_NONE; act <= ACT_LEAKY; act++) {
			conv_set a = set_make(&s);
			a.x[40 * 16 + 3] = NAN;
			run_fast(&a, (kernel_mode)mode, 1, (activation)act, false);
			for (size_t o = 0; o < s.out_c; o++)
				assert_true(isnan(a.y[40 * 16 + o]));
			set_free(&a);
		}
}

static void test_activation_backward(void **state)
{
	static const float y[] = {-1.0f, 0.0f, 0.5f, 6.0f, 3.0f, 2.0f};
	static const float want[][6] = {
		{1, 2, 3, 4, 5, 6}, {0, 0, 3, 4, 5, 6}, {0, 0, 3, 0, 5, 6},
		{0.2f, 0.4f, 3, 4, 5, 6},
	};
	pool *workers;
	(void)state;
	assert_int_equal(pool_create(2, &workers, NULL), TP_OK);
	for (int act = ACT_NONE; act <= ACT_LEAKY; act++) {
		float dy[] = {1, 2, 3, 4, 5, 6};
		activation_backward((activation)act, y, dy, 6, workers);
		assert_near("activation", dy, want[act], 1e-7, 6);
	}
	float bad[] = {NAN};
	activation_backward(ACT_RELU, y, bad, 1, workers);
	assert_true(isnan(bad[0]));
	pool_free(workers);
}

/* What the cost model picks for layers of the networks. */
static void test_choice(void **state)
{
	static const struct {
		conv_case c;
		kernel_mode mode;
		conv_algorithm forward, data;
	} picks[] = {
		{{41, 41, 1024, 256, 1, 1, 1, 1, 0, 0}, KERNELS_F4, CONV_GEMM, CONV_GEMM},
		{{81, 81, 256, 512, 1, 1, 2, 1, 0, 0}, KERNELS_F4, CONV_GEMM, CONV_TAPS},
		{{41, 41, 256, 256, 3, 3, 1, 2, 2, 0}, KERNELS_F4, CONV_WINOGRAD4, CONV_WINOGRAD4},
		{{41, 41, 256, 256, 3, 3, 1, 2, 2, 0}, KERNELS_F2, CONV_WINOGRAD2, CONV_WINOGRAD2},
		{{41, 41, 256, 256, 3, 3, 1, 2, 2, 0}, KERNELS_EXACT, CONV_GEMM, CONV_TAPS},
		{{41, 41, 512, 1024, 3, 3, 1, 12, 12, 0}, KERNELS_F4, CONV_WINOGRAD4,
		 CONV_WINOGRAD4},
		{{41, 41, 512, 1024, 3, 3, 1, 24, 24, 0}, KERNELS_F4, CONV_TAPS, CONV_TAPS},
		{{321, 321, 3, 64, 3, 3, 1, 1, 1, 0}, KERNELS_F4, CONV_GEMM, CONV_TAPS},
		{{321, 321, 3, 64, 7, 7, 2, 1, 3, 0}, KERNELS_REFERENCE, CONV_REFERENCE,
		 CONV_REFERENCE},
	};
	(void)state;
	for (size_t i = 0; i < sizeof picks / sizeof picks[0]; i++) {
		conv_shape s = shape_of(&picks[i].c);
		conv_plan plan;
		assert_int_equal(conv_plan_make(&s, picks[i].mode, true, 2, &plan, NULL), TP_OK);
		assert_int_equal(plan.forward, picks[i].forward);
		assert_int_equal(plan.backward_data, picks[i].data);
	}
	conv_shape s = shape_of(&cases[17]);
	s.in_c = s.out_c = s.groups = 32;
	conv_plan plan;
	assert_int_equal(conv_plan_make(&s, KERNELS_EXACT, true, 2, &plan, NULL), TP_OK);
	assert_int_equal(plan.forward, CONV_DEPTHWISE);
}

static void test_refusals(void **state)
{
	conv_plan plan;
	conv_shape good = shape_of(&cases[20]);
	(void)state;
	for (int k = 0; k < 9; k++) {
		conv_shape s = good;
		tp_err err = {0};
		size_t *const field[] = {&s.in_h, &s.out_w, &s.in_c, &s.out_c, &s.kernel_h,
		                         &s.stride, &s.dilation};
		if (k < 7)
			*field[k] = 0;
		else if (k == 7)
			s.out_h = 1000; /* windows that begin below the image */
		else
			s.groups = 3;
		assert_int_equal(conv_plan_make(&s, KERNELS_F4, true, 1, &plan, &err), TP_SHAPE);
		assert_true(err.text[0] != '\0');
	}
	conv_shape s = good;
	s.in_h = (size_t)1 << 40;
	assert_int_equal(conv_plan_make(&s, KERNELS_F4, true, 1, &plan, NULL), TP_SHAPE);
	assert_int_equal(conv_plan_make(&good, KERNELS_F4, true, 0, &plan, NULL), TP_INVALID);
}

/* Outputs and gradients of torch.nn.functional.conv2d (golden/make_conv.py). */
static void test_golden(void **state)
{
	golden_file f;
	(void)state;
	golden_open(TEST_GOLDEN "/conv.bin", &f);
	const golden_tensor *list = golden_find(&f, "shapes");
	assert_non_null(list);
	for (size_t i = 0; i < list->dim[0]; i++) {
		const int32_t *v = list->i32 + i * list->dim[1];
		conv_case c = {(size_t)v[0], (size_t)v[1], (size_t)v[2], (size_t)v[3], (size_t)v[4],
		               (size_t)v[5], (size_t)v[6], (size_t)v[7], (size_t)v[8], 0};
		conv_shape s = shape_of(&c);
		for (int mode = KERNELS_REFERENCE; mode <= KERNELS_F4; mode++) {
			conv_set a = set_make(&s);
			memcpy(a.x, golden_f32(&f, a.nx, "x%zu", i), a.nx * sizeof(float));
			memcpy(a.w, golden_f32(&f, a.nw, "w%zu", i), a.nw * sizeof(float));
			memcpy(a.bias, golden_f32(&f, s.out_c, "b%zu", i), s.out_c * sizeof(float));
			memcpy(a.dy, golden_f32(&f, a.ny, "dy%zu", i), a.ny * sizeof(float));
			memset(a.residual, 0, a.ny * sizeof(float));
			memset(a.dw, 0, a.nw * sizeof(float));
			memset(a.dbias, 0, s.out_c * sizeof(float));
			for (size_t o = 0; o < s.out_c; o++)
				a.scale[o] = 1.0f;
			run_fast(&a, (kernel_mode)mode, 2, ACT_NONE, false);
			const float *y = golden_f32(&f, a.ny, "y%zu", i);
			const float *dx = golden_f32(&f, a.nx, "dx%zu", i);
			const float *dw = golden_f32(&f, a.nw, "dw%zu", i);
			const float *db = golden_f32(&f, s.out_c, "db%zu", i);
			assert_near("y", a.y, y, 1e-4 * rms(y, a.ny), a.ny);
			assert_near("dx", a.dx, dx, 1e-4 * rms(dx, a.nx), a.nx);
			assert_near("dw", a.dw, dw, 1e-4 * rms(dw, a.nw), a.nw);
			assert_near("db", a.dbias, db, 1e-4 * rms(db, s.out_c), s.out_c);
			set_free(&a);
		}
	}
	golden_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_reference),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_many_slabs),
		cmocka_unit_test(test_finite_differences),
		cmocka_unit_test(test_optional_arguments),
		cmocka_unit_test(test_nan_passes),
		cmocka_unit_test(test_activation_backward),
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_golden),
	};
	if (gemm_init(NULL) != TP_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
