/* conv_depthwise against the plain loops, against differences, and for the same bits on any number
 * of threads. */
#include "harness.h"

#include "golden.h"
#include "op/conv_depthwise.h"

enum { SHAPES = 13 };

/* in_h, in_w, c, kernel_h, kernel_w, stride, dilation, pad */
static const size_t shape_table[SHAPES][8] = {
	{7, 9, 8, 3, 3, 1, 1, 1},    {13, 21, 24, 3, 3, 1, 2, 2}, {17, 15, 19, 3, 3, 1, 4, 4},
	{12, 13, 16, 3, 3, 2, 1, 1}, {11, 14, 37, 3, 3, 2, 2, 2}, {5, 6, 40, 3, 3, 1, 6, 6},
	{1, 1, 3, 3, 3, 1, 1, 1},    {9, 40, 17, 5, 5, 1, 1, 2},  {10, 11, 8, 5, 3, 3, 2, 1},
	{6, 5, 9, 1, 1, 1, 1, 0},    {8, 8, 32, 2, 2, 2, 1, 0},   {9, 70, 8, 3, 3, 1, 1, 0},
	{4, 3, 11, 3, 3, 4, 3, 2},
};

static conv_plan plan_of(size_t k)
{
	const size_t *t = shape_table[k];
	conv_plan p = {.shape = {.in_h = t[0], .in_w = t[1], .in_c = t[2], .out_c = t[2],
	                         .kernel_h = t[3], .kernel_w = t[4], .stride = t[5],
	                         .dilation = t[6], .pad_top = t[7], .pad_left = t[7],
	                         .groups = t[2]},
	               .forward = CONV_DEPTHWISE, .backward_data = CONV_DEPTHWISE,
	               .backward_weight = CONV_DEPTHWISE, .threads = 4};
	p.shape.out_h = conv_out_size(t[0], t[3], t[5], t[6], t[7]);
	p.shape.out_w = conv_out_size(t[1], t[4], t[5], t[6], t[7]);
	p.prepared_floats = conv_depthwise_prepared(&p.shape);
	p.scratch_floats = conv_depthwise_scratch(&p.shape, true, 4);
	return p;
}

typedef struct fixture {
	conv_plan plan;
	size_t in, out, c, weights;
	float *x, *w, *scale, *bias, *dy, *residual, *prepared, *scratch;
} fixture;

static fixture fixture_of(size_t k)
{
	fixture f = {.plan = plan_of(k)};
	const conv_shape *s = &f.plan.shape;
	f.in = s->in_h * s->in_w * s->in_c;
	f.out = s->out_h * s->out_w * s->in_c;
	f.c = s->in_c;
	f.weights = s->kernel_h * s->kernel_w * s->in_c;
	f.x = random_floats(f.in, 10 * k + 1);
	f.w = random_floats(f.weights, 10 * k + 2);
	f.scale = random_floats(f.c, 10 * k + 3);
	f.bias = random_floats(f.c, 10 * k + 4);
	f.dy = random_floats(f.out, 10 * k + 5);
	f.residual = random_floats(f.out, 10 * k + 6);
	f.prepared = floats(f.plan.prepared_floats);
	f.scratch = floats(f.plan.scratch_floats);
	return f;
}

static void fixture_free(fixture *f)
{
	float *all[] = {f->x, f->w, f->scale, f->bias, f->dy, f->residual, f->prepared, f->scratch};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		mem_free(all[i]);
}

static void forward_matches_reference(void **state)
{
	static const activation acts[] = {ACT_NONE, ACT_RELU, ACT_RELU6, ACT_LEAKY};
	pool *p = new_pool(2);
	for (size_t k = 0; k < 4 * SHAPES; k++) {
		fixture f = fixture_of(k % SHAPES);
		bool full = k / SHAPES % 2 == 0;
		const float *scale = full ? f.scale : NULL, *bias = full ? f.bias : NULL;
		const float *residual = k / SHAPES < 2 ? NULL : f.residual;
		activation act = acts[(k + k / SHAPES) % 4];
		float *want = floats(f.out), *got = random_floats(f.out, 99);
		conv_forward_reference(&f.plan.shape, f.x, f.w, scale, bias, residual, act, want);
		conv_depthwise_prepare(&f.plan, f.w, scale, f.prepared, p);
		conv_depthwise_forward(&f.plan, f.x, f.prepared, bias, residual, act, got,
		                       f.scratch, p);
		assert_close(got, want, f.out, 3e-6);
		/* The result may take the residual's place. */
		if (residual != NULL) {
			conv_depthwise_forward(&f.plan, f.x, f.prepared, bias, f.residual, act,
			                       f.residual, f.scratch, p);
			assert_memory_equal(f.residual, got, f.out * sizeof *got);
		}
		mem_free(want);
		mem_free(got);
		fixture_free(&f);
	}
	pool_free(p);
}

static void backward_matches_reference(void **state)
{
	pool *p = new_pool(2);
	for (size_t k = 0; k < 2 * SHAPES; k++) {
		fixture f = fixture_of(k % SHAPES);
		const bool accumulate = k >= SHAPES;
		const float *scale = accumulate ? f.scale : NULL;
		float *start[3] = {random_floats(f.in, 1), random_floats(f.weights, 2),
		                   random_floats(f.c, 3)};
		float *want[3] = {random_floats(f.in, 1), random_floats(f.weights, 2),
		                  random_floats(f.c, 3)};
		conv_backward_reference(&f.plan.shape, f.x, f.w, scale, f.dy, want[0], accumulate,
		                        want[1], want[2]);
		conv_depthwise_prepare(&f.plan, f.w, scale, f.prepared, p);
		conv_grad g = {.x = f.x, .dy = f.dy, .weights = &(conv_weights){NULL, scale, f.prepared},
		               .dx = start[0], .dx_accumulate = accumulate, .dw = start[1],
		               .dbias = start[2]};
		conv_depthwise_backward(&f.plan, &g, f.scratch, p);
		assert_close(start[0], want[0], f.in, 3e-6);
		assert_close(start[1], want[1], f.weights, 5e-6);
		assert_close(start[2], want[2], f.c, 5e-6);
		for (size_t i = 0; i < 3; i++) {
			mem_free(start[i]);
			mem_free(want[i]);
		}
		fixture_free(&f);
	}
	pool_free(p);
}

/* Each output of the backward pass may be left out and the others keep their bits. */
static void backward_parts_are_optional(void **state)
{
	pool *p = new_pool(1);
	fixture f = fixture_of(1);
	float *dx = floats(f.in), *dw = floats(f.weights), *db = floats(f.c);
	float *dx1 = floats(f.in), *dw1 = floats(f.weights), *db1 = floats(f.c);
	conv_depthwise_prepare(&f.plan, f.w, NULL, f.prepared, p);
	conv_grad all = {.x = f.x, .dy = f.dy, .weights = &(conv_weights){NULL, NULL, f.prepared}, .dx = dx, .dw = dw,
	                 .dbias = db};
	conv_depthwise_backward(&f.plan, &all, f.scratch, p);
	conv_grad one = {.x = f.x, .dy = f.dy, .weights = &(conv_weights){NULL, NULL, f.prepared}, .dx = dx1};
	conv_depthwise_backward(&f.plan, &one, f.scratch, p);
	one.dx = NULL;
	one.dw = dw1;
	conv_depthwise_backward(&f.plan, &one, f.scratch, p);
	one.dw = NULL;
	one.dbias = db1;
	conv_depthwise_backward(&f.plan, &one, f.scratch, p);
	assert_memory_equal(dx, dx1, f.in * sizeof *dx);
	assert_memory_equal(dw, dw1, f.weights * sizeof *dw);
	assert_memory_equal(db, db1, f.c * sizeof *db);
	float *all_blocks[] = {dx, dw, db, dx1, dw1, db1};
	for (size_t i = 0; i < 6; i++)
		mem_free(all_blocks[i]);
	fixture_free(&f);
	pool_free(p);
}

/* <dy, f(a+h v) - f(a-h v)> / 2h = <gradient, v>: f is linear in x and in w, so h may be large. */
static void backward_is_the_derivative(void **state)
{
	pool *p = new_pool(1);
	for (size_t k = 0; k < SHAPES; k++) {
		fixture f = fixture_of(k);
		const conv_shape *s = &f.plan.shape;
		float *vx = random_floats(f.in, 71), *vw = random_floats(f.weights, 72);
		float *up = floats(f.out), *down = floats(f.out);
		float *dx = floats(f.in), *dw = floats(f.weights);
		conv_depthwise_prepare(&f.plan, f.w, f.scale, f.prepared, p);
		conv_grad g = {.x = f.x, .dy = f.dy, .weights = &(conv_weights){NULL, f.scale, f.prepared},
		               .dx = dx, .dw = dw};
		conv_depthwise_backward(&f.plan, &g, f.scratch, p);
		for (size_t part = 0; part < 2; part++) {
			float *at = part == 0 ? f.x : f.w, *v = part == 0 ? vx : vw;
			size_t n = part == 0 ? f.in : f.weights;
			for (size_t i = 0; i < n; i++)
				at[i] += v[i];
			conv_forward_reference(s, f.x, f.w, f.scale, f.bias, NULL, ACT_NONE, up);
			for (size_t i = 0; i < n; i++)
				at[i] -= 2 * v[i];
			conv_forward_reference(s, f.x, f.w, f.scale, f.bias, NULL, ACT_NONE, down);
			for (size_t i = 0; i < n; i++)
				at[i] += v[i];
			double slope = (dot_product(f.dy, up, f.out) -
			                dot_product(f.dy, down, f.out)) / 2;
			double want = dot_product(part == 0 ? dx : dw, v, n);
			assert_near(slope, want, 1e-4 * (1 + fabs(want)));
		}
		float *all[] = {vx, vw, up, down, dx, dw};
		for (size_t i = 0; i < 6; i++)
			mem_free(all[i]);
		fixture_free(&f);
	}
	pool_free(p);
}

static void same_bits_for_any_threads(void **state)
{
	for (size_t k = 0; k < SHAPES; k++) {
		fixture f = fixture_of(k);
		size_t total = f.out + f.in + f.weights + f.c;
		float *first = floats(total), *other = floats(total);
		for (size_t threads = 1; threads <= 4; threads++) {
			pool *p = new_pool(threads);
			float *to = threads == 1 ? first : other;
			memset(to, 0, total * sizeof *to);
			conv_depthwise_prepare(&f.plan, f.w, f.scale, f.prepared, p);
			conv_depthwise_forward(&f.plan, f.x, f.prepared, f.bias, NULL, ACT_RELU6,
			                       to, f.scratch, p);
			conv_grad g = {.x = f.x, .dy = f.dy, .weights = &(conv_weights){NULL, f.scale, f.prepared}, .dx = to + f.out,
			               .dw = to + f.out + f.in,
			               .dbias = to + f.out + f.in + f.weights};
			conv_depthwise_backward(&f.plan, &g, f.scratch, p);
			assert_memory_equal(to, first, total * sizeof *to);
			pool_free(p);
		}
		mem_free(first);
		mem_free(other);
		fixture_free(&f);
	}
}

static void nan_passes_every_activation(void **state)
{
	static const activation acts[] = {ACT_NONE, ACT_RELU, ACT_RELU6, ACT_LEAKY};
	pool *p = new_pool(1);
	for (size_t k = 0; k < 4; k++) {
		fixture f = fixture_of(0);
		float *y = floats(f.out);
		/* Pixel (3,4) is read by the nine outputs around it, in its channel only. */
		f.x[(3 * 9 + 4) * f.c + 5] = NAN;
		conv_depthwise_prepare(&f.plan, f.w, NULL, f.prepared, p);
		conv_depthwise_forward(&f.plan, f.x, f.prepared, f.bias, NULL, acts[k], y,
		                       f.scratch, p);
		for (size_t i = 0; i < f.out; i++) {
			size_t ch = i % f.c, ox = i / f.c % 9, oy = i / f.c / 9;
			bool hit = ch == 5 && oy >= 2 && oy <= 4 && ox >= 3 && ox <= 5;
			assert_int_equal(isnan(y[i]) != 0, hit);
		}
		mem_free(y);
		fixture_free(&f);
	}
	pool_free(p);
}

/* torch.nn.functional.conv2d(groups = c) and relu6 (golden/make_ops_misc.py). */
static void matches_pytorch(void **state)
{
	golden_file g;
	golden_open(TEST_GOLDEN "/ops_misc.bin", &g);
	const golden_tensor *list = golden_find(&g, "depthwise");
	assert_non_null(list);
	pool *p = new_pool(2);
	for (size_t i = 0; i < list->dim[0]; i++) {
		const int32_t *t = list->i32 + 5 * i;
		const size_t c = (size_t)t[2], in = (size_t)(t[0] * t[1]) * c, weights = 9 * c;
		const size_t stride = (size_t)t[3], d = (size_t)t[4];
		conv_plan plan = {.shape = {.in_h = (size_t)t[0], .in_w = (size_t)t[1], .in_c = c,
		                            .out_c = c, .kernel_h = 3, .kernel_w = 3,
		                            .stride = stride, .dilation = d, .pad_top = d,
		                            .pad_left = d, .groups = c}};
		plan.shape.out_h = conv_out_size(plan.shape.in_h, 3, stride, d, d);
		plan.shape.out_w = conv_out_size(plan.shape.in_w, 3, stride, d, d);
		const size_t out = plan.shape.out_h * plan.shape.out_w * c;
		float *prepared = floats(conv_depthwise_prepared(&plan.shape));
		float *scratch = floats(conv_depthwise_scratch(&plan.shape, true, 2));
		float *y = floats(out), *dy = floats(out);
		float *dx = floats(in), *dw = floats(weights), *db = floats(c);
		const float *x = golden_f32(&g, in, "dw_x%zu", i);
		conv_depthwise_prepare(&plan, golden_f32(&g, weights, "dw_w%zu", i), NULL,
		                       prepared, p);
		conv_depthwise_forward(&plan, x, prepared, golden_f32(&g, c, "dw_b%zu", i), NULL,
		                       ACT_RELU6, y, scratch, p);
		assert_close(y, golden_f32(&g, out, "dw_y%zu", i), out, 2e-6);
		memcpy(dy, golden_f32(&g, out, "dw_dy%zu", i), out * sizeof *dy);
		for (size_t k = 0; k < out; k++)
			dy[k] *= y[k] > 0.0f && y[k] < 6.0f;
		conv_grad grad = {.x = x, .dy = dy, .weights = &(conv_weights){NULL, NULL, prepared}, .dx = dx, .dw = dw,
		                  .dbias = db};
		conv_depthwise_backward(&plan, &grad, scratch, p);
		assert_close(dx, golden_f32(&g, in, "dw_dx%zu", i), in, 3e-6);
		assert_close(dw, golden_f32(&g, weights, "dw_dw%zu", i), weights, 3e-6);
		assert_close(db, golden_f32(&g, c, "dw_db%zu", i), c, 3e-6);
		float *all[] = {prepared, scratch, y, dy, dx, dw, db};
		for (size_t k = 0; k < 7; k++)
			mem_free(all[k]);
	}
	pool_free(p);
	golden_close(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forward_matches_reference),
		cmocka_unit_test(backward_matches_reference),
		cmocka_unit_test(backward_parts_are_optional),
		cmocka_unit_test(backward_is_the_derivative),
		cmocka_unit_test(same_bits_for_any_threads),
		cmocka_unit_test(nan_passes_every_activation),
		cmocka_unit_test(matches_pytorch),
	};
	return cmocka_run_group_tests_name("depthwise", tests, NULL, NULL);
}
