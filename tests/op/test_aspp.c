/* The wide-matrix head of aspp.h against the sum of plain dilated convolutions, and PyTorch. */
#include "op_test.h"

#include <float.h>

#include "golden.h"
#include "op/aspp.h"
#include "op/gemm.h"

static const aspp_shape shapes[] = {
	{1, 1, 3, 2, 1, {1}},
	{7, 9, 16, 5, 2, {1, 2}},
	{10, 13, 24, 19, 4, {6, 12, 18, 24}}, /* smaller than most dilations */
	{29, 31, 40, 19, 4, {6, 12, 18, 24}},
	{33, 15, 300, 21, 2, {6, 12}}, /* several tiles of the weight gradient */
	{5, 40, 17, 1, 3, {3, 9, 27}},
	{31, 12, 8, 7, 4, {9, 3, 40, 3}}, /* in no order, one twice, one outside the image */
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

typedef struct aspp_set {
	aspp_shape s;
	size_t nx, ny, nw;
	float *x, *dy, *y, *dx;
	float *w[ASPP_MAX_BRANCHES], *bias[ASPP_MAX_BRANCHES];
	float *dw[ASPP_MAX_BRANCHES], *dbias[ASPP_MAX_BRANCHES];
} aspp_set;

static aspp_set set_make(const aspp_shape *s)
{
	aspp_set a = {.s = *s, .nx = s->h * s->w * s->in_c, .ny = s->h * s->w * s->out_c,
	              .nw = 9 * s->in_c * s->out_c};
	a.x = random_buffer(a.nx, 1);
	a.dy = random_buffer(a.ny, 2);
	a.y = buffer(a.ny);
	a.dx = random_buffer(a.nx, 3);
	for (size_t b = 0; b < s->branches; b++) {
		a.w[b] = random_buffer(a.nw, 10 + b);
		a.bias[b] = random_buffer(s->out_c, 20 + b);
		a.dw[b] = random_buffer(a.nw, 30 + b);
		a.dbias[b] = random_buffer(s->out_c, 40 + b);
	}
	return a;
}

static void set_free(aspp_set *a)
{
	buffer_free(a->x, a->nx);
	buffer_free(a->dy, a->ny);
	buffer_free(a->y, a->ny);
	buffer_free(a->dx, a->nx);
	for (size_t b = 0; b < a->s.branches; b++) {
		buffer_free(a->w[b], a->nw);
		buffer_free(a->bias[b], a->s.out_c);
		buffer_free(a->dw[b], a->nw);
		buffer_free(a->dbias[b], a->s.out_c);
	}
}

static void run_fast(aspp_set *a, kernel_mode mode, size_t threads, bool accumulate)
{
	aspp_plan plan;
	pool *workers;
	assert_int_equal(aspp_plan_make(&a->s, mode, true, threads, &plan, NULL), TP_OK);
	assert_int_equal(pool_create(threads, &workers, NULL), TP_OK);
	float *prepared = buffer(plan.prepared_floats), *scratch = buffer(plan.scratch_floats);
	aspp_prepare(&plan, (const float *const *)a->w, prepared, workers);
	aspp_forward(&plan, a->x, prepared, (const float *const *)a->bias, a->y, scratch, workers);
	aspp_backward(&plan, a->x, a->dy, prepared, a->dx, accumulate, a->dw, a->dbias, scratch,
	              workers);
	buffer_free(prepared, plan.prepared_floats);
	buffer_free(scratch, plan.scratch_floats);
	pool_free(workers);
}

static void run_reference(aspp_set *a, bool accumulate)
{
	aspp_forward_reference(&a->s, a->x, (const float *const *)a->w,
	                       (const float *const *)a->bias, a->y);
	aspp_backward_reference(&a->s, a->x, (const float *const *)a->w, a->dy, a->dx, accumulate,
	                        a->dw, a->dbias);
}

static void test_against_reference(void **state)
{
	(void)state;
	for (size_t i = 0; i < SHAPES; i++)
		for (int mode = KERNELS_REFERENCE; mode <= KERNELS_F4; mode++) {
			aspp_set want = set_make(&shapes[i]), got = set_make(&shapes[i]);
			bool accumulate = mode % 2 == 0;
			run_reference(&want, accumulate);
			run_fast(&got, (kernel_mode)mode, 2, accumulate);
			assert_near("y", got.y, want.y, 1e-5 * rms(want.y, want.ny), want.ny);
			assert_near("dx", got.dx, want.dx, 1e-5 * rms(want.dx, want.nx), want.nx);
			for (size_t b = 0; b < shapes[i].branches; b++) {
				assert_near("dw", got.dw[b], want.dw[b],
				            1e-5 * rms(want.dw[b], want.nw), want.nw);
				assert_near("dbias", got.dbias[b], want.dbias[b],
				            1e-5 * rms(want.dbias[b], want.s.out_c), want.s.out_c);
			}
			set_free(&want);
			set_free(&got);
		}
}

static void test_threads(void **state)
{
	(void)state;
	for (size_t i = 0; i < SHAPES; i++) {
		aspp_set one = set_make(&shapes[i]);
		run_fast(&one, KERNELS_F4, 1, true);
		for (size_t threads = 2; threads <= 4; threads++) {
			aspp_set got = set_make(&shapes[i]);
			run_fast(&got, KERNELS_F4, threads, true);
			assert_memory_equal(got.y, one.y, one.ny * sizeof(float));
			assert_memory_equal(got.dx, one.dx, one.nx * sizeof(float));
			for (size_t b = 0; b < one.s.branches; b++) {
				assert_memory_equal(got.dw[b], one.dw[b], one.nw * sizeof(float));
				assert_memory_equal(got.dbias[b], one.dbias[b],
				                    one.s.out_c * sizeof(float));
			}
			set_free(&got);
		}
		set_free(&one);
	}
}

static void test_golden(void **state)
{
	static const aspp_shape s = {10, 13, 24, 5, 4, {2, 4, 8, 12}};
	golden_file f;
	(void)state;
	golden_open(TEST_GOLDEN "/conv.bin", &f);
	aspp_set a = set_make(&s);
	memcpy(a.x, golden_f32(&f, a.nx, "aspp_x"), a.nx * sizeof(float));
	memcpy(a.dy, golden_f32(&f, a.ny, "aspp_dy"), a.ny * sizeof(float));
	for (size_t b = 0; b < s.branches; b++) {
		memcpy(a.w[b], golden_f32(&f, a.nw, "aspp_w%zu", b), a.nw * sizeof(float));
		memcpy(a.bias[b], golden_f32(&f, s.out_c, "aspp_b%zu", b), s.out_c * sizeof(float));
		memset(a.dw[b], 0, a.nw * sizeof(float));
		memset(a.dbias[b], 0, s.out_c * sizeof(float));
	}
	run_fast(&a, KERNELS_EXACT, 2, false);
	const float *y = golden_f32(&f, a.ny, "aspp_y"), *dx = golden_f32(&f, a.nx, "aspp_dx");
	assert_near("y", a.y, y, 1e-5 * rms(y, a.ny), a.ny);
	assert_near("dx", a.dx, dx, 1e-5 * rms(dx, a.nx), a.nx);
	for (size_t b = 0; b < s.branches; b++) {
		const float *dw = golden_f32(&f, a.nw, "aspp_dw%zu", b);
		const float *db = golden_f32(&f, s.out_c, "aspp_db%zu", b);
		assert_near("dw", a.dw[b], dw, 1e-5 * rms(dw, a.nw), a.nw);
		assert_near("db", a.dbias[b], db, 1e-5 * rms(db, s.out_c), s.out_c);
	}
	set_free(&a);
	golden_close(&f);
}

static void test_refusals(void **state)
{
	aspp_plan plan;
	(void)state;
	for (int k = 0; k < 6; k++) {
		aspp_shape s = shapes[1];
		if (k == 0)
			s.branches = 0;
		else if (k == 1)
			s.branches = ASPP_MAX_BRANCHES + 1;
		else if (k == 2)
			s.dilation[1] = 0;
		else if (k == 3)
			s.h = (size_t)1 << 40;
		else if (k == 4)
			s.in_c = 0;
		else
			s.out_c = (size_t)1 << 30;
		tp_err err = {0};
		assert_int_equal(aspp_plan_make(&s, KERNELS_F4, true, 1, &plan, &err), TP_SHAPE);
		assert_true(err.text[0] != '\0');
	}
	assert_int_equal(aspp_plan_make(&shapes[1], KERNELS_F4, true, 0, &plan, NULL), TP_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_reference),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_refusals),
	};
	if (gemm_init(NULL) != TP_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
