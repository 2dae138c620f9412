#include "op/gemm.h"

#include <cblas.h>

#include "op/gemm_kernel.h"

static bool always(void) { return true; }

static void blas(gemm_op op_a, gemm_op op_b, size_t m, size_t n, size_t k, float alpha, const float *a,
                 size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc)
{
	cblas_sgemm(CblasRowMajor, op_a == GEMM_T ? CblasTrans : CblasNoTrans,
	            op_b == GEMM_T ? CblasTrans : CblasNoTrans, (blasint)m, (blasint)n, (blasint)k,
	            alpha, a, (blasint)lda, b, (blasint)ldb, beta, c, (blasint)ldc);
}

const gemm_kernel gemm_blas = {"OpenBLAS", always, blas};

static const gemm_kernel *best(void)
{
	return gemm_avx512.usable() ? &gemm_avx512 : gemm_avx2.usable() ? &gemm_avx2 : &gemm_blas;
}

void gemm(gemm_op op_a, gemm_op op_b, size_t m, size_t n, size_t k, float alpha, const float *a,
          size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc)
{
	if (m != 0 && n != 0)
		best()->run(op_a, op_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

tp_status gemm_init(tp_err *err)
{
	if (openblas_get_parallel() == OPENBLAS_OPENMP)
		return tp_fail(err, TP_INVALID, 0,
		               "the linked OpenBLAS is an OpenMP build, which starts threads "
		               "of its own in every worker; install libopenblas0-pthread");
	openblas_set_num_threads(1);
	return TP_OK;
}

/* A product of 0.11 GFLOP: long against the wake-up of a thread, short enough for slow machines. Two
 * for each thread, so that one that wakes late evens out. */
enum { LOAD = 384, LOADS = 2 };

static void load_chunk(void *arg, size_t chunk, size_t worker)
{
	float *work = arg;
	const size_t square = (size_t)LOAD * LOAD; /* two factors, then a result of each worker */
	(void)chunk;
	gemm(GEMM_N, GEMM_N, LOAD, LOAD, LOAD, 1.0f, work, LOAD, work + square, LOAD, 0.0f,
	     work + (2 + worker) * square, LOAD);
}

size_t gemm_load_floats(const pool *pool) { return (2 + pool_threads(pool)) * LOAD * LOAD; }

double gemm_load(float *work, pool *pool)
{
	size_t chunks = LOADS * pool_threads(pool);
	pool_run(pool, chunks, load_chunk, work);
	return 2.0 * LOAD * LOAD * LOAD * (double)chunks;
}

const char *gemm_version(void)
{
	return best() == &gemm_blas ? openblas_get_config() : best()->name;
}
