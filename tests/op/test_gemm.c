/* Every kernel of gemm against triple loops in double: all four forms, odd sizes, strides, alpha and beta. */
#include "op_test.h"

#include <float.h>

#include "op/gemm_kernel.h"

static const size_t sizes[][3] = {
	{1, 1, 1}, {1, 33, 7}, {13, 17, 5}, {14, 32, 384}, {15, 31, 385}, {28, 64, 1}, {29, 16, 19},
	{3, 300, 40}, {100, 19, 30}, {50, 257, 800}, {64, 48, 0}, {7, 15, 1000},
};

static float at(const float *a, gemm_op op, size_t ld, size_t i, size_t j)
{
	return op == GEMM_N ? a[i * ld + j] : a[j * ld + i];
}

static void check(const gemm_kernel *kernel, gemm_op op_a, gemm_op op_b, const size_t *size, float alpha, float beta)
{
	size_t m = size[0], n = size[1], k = size[2];
	size_t lda = (op_a == GEMM_N ? k : m) + 3, ldb = (op_b == GEMM_N ? n : k) + 5, ldc = n + 7;
	size_t na = (op_a == GEMM_N ? m : k) * lda, nb = (op_b == GEMM_N ? k : n) * ldb;
	float *a = random_buffer(na, 1), *b = random_buffer(nb, 2);
	float *c = beta == 0.0f ? buffer(m * ldc) : random_buffer(m * ldc, 3);
	float *was = copy_buffer(c, m * ldc);
	kernel->run(op_a, op_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
	for (size_t i = 0; i < m; i++)
		for (size_t j = 0; j < ldc; j++) {
			const float *got = c + i * ldc + j, *old = was + i * ldc + j;
			if (j >= n) { /* between the rows nothing is written */
				assert_memory_equal(got, old, sizeof(float));
				continue;
			}
			double sum = 0.0, size_of_sum = 0.0;
			for (size_t p = 0; p < k; p++) {
				double term = at(a, op_a, lda, i, p);
				term *= at(b, op_b, ldb, p, j);
				sum += term;
				size_of_sum += fabs(term);
			}
			double want = alpha * sum + (beta == 0.0f ? 0.0 : beta * *old);
			double limit = 4 * FLT_EPSILON * sqrt((double)k + 2) *
			               (fabs(alpha) * size_of_sum + fabs(want) + 1e-30);
			if (!(fabs(*got - want) <= limit))
				fail_msg("%s %d%d %zux%zux%zu [%zu,%zu]: %.9g, wanted %.9g", kernel->name, op_a,
				         op_b, m, n, k, i, j, *got, want);
		}
	buffer_free(a, na);
	buffer_free(b, nb);
	buffer_free(c, m * ldc);
	buffer_free(was, m * ldc);
}

static void against_loops(const gemm_kernel *kernel)
{
	if (!kernel->usable())
		skip();
	for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
		for (int form = 0; form < 4; form++) {
			gemm_op op_a = form % 2 == 0 ? GEMM_N : GEMM_T;
			gemm_op op_b = form / 2 == 0 ? GEMM_N : GEMM_T;
			check(kernel, op_a, op_b, sizes[s], 1.0f, 0.0f);
			check(kernel, op_a, op_b, sizes[s], 1.0f, 1.0f);
			check(kernel, op_a, op_b, sizes[s], -0.5f, 2.0f);
		}
}

static void test_avx512(void **state) { (void)state, against_loops(&gemm_avx512); }
static void test_avx2(void **state) { (void)state, against_loops(&gemm_avx2); }
static void test_blas(void **state) { (void)state, against_loops(&gemm_blas); }

/* Blocks of a product have the bits of the whole: callers cut rows and columns as they like. */
static void test_cut(void **state)
{
	enum { M = 61, N = 70, K = 500, AT = 23 };
	float *a = random_buffer(M * K, 1), *b = random_buffer(K * N, 2);
	float *whole = buffer(M * N), *cut = buffer(M * N);
	(void)state;
	gemm(GEMM_N, GEMM_N, M, N, K, 1.0f, a, K, b, N, 0.0f, whole, N);
	gemm(GEMM_N, GEMM_N, AT, N, K, 1.0f, a, K, b, N, 0.0f, cut, N);
	gemm(GEMM_N, GEMM_N, M - AT, N, K, 1.0f, a + AT * K, K, b, N, 0.0f, cut + AT * N, N);
	if (gemm_avx2.usable()) /* OpenBLAS makes no such promise */
		assert_memory_equal(whole, cut, M * N * sizeof(float));
	buffer_free(a, M * K);
	buffer_free(b, K * N);
	buffer_free(whole, M * N);
	buffer_free(cut, M * N);
}

static void test_version(void **state)
{
	(void)state;
	assert_non_null(gemm_version());
	assert_true(gemm_version()[0] != '\0');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_avx512),
		cmocka_unit_test(test_avx2),
		cmocka_unit_test(test_blas),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_version),
	};
	if (gemm_init(NULL) != TP_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
