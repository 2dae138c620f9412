/* gemm: C = alpha op(A) op(B) + beta C, row-major float32. Our own kernel where the CPU has AVX-512
 * or AVX2 (gemm_kernel.h), OpenBLAS elsewhere. gemm.c is the only file that calls BLAS.
 * One thread per call; parallel work is cut outside, by shape (pool.h). */
#ifndef TP_OP_GEMM_H
#define TP_OP_GEMM_H

#include <stddef.h>

#include "base/pool.h"
#include "base/status.h"

typedef enum gemm_op { GEMM_N, GEMM_T } gemm_op;

/* op(A) is m x k, op(B) k x n, C m x n; ld* are row lengths in floats of the stored matrices. */
void gemm(gemm_op op_a, gemm_op op_b, size_t m, size_t n, size_t k, float alpha, const float *a,
          size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc);

/* Once at program start, before any thread computes: makes the library single-threaded per call.
 * TP_INVALID when the linked OpenBLAS is an OpenMP build, which does not honour that. */
tp_status gemm_init(tp_err *err) TP_MUST_CHECK;
/* For callers with a clock that want the machine's rate of matrix products: a few products of a
 * layer's size on all threads of the pool, in `work` (gemm_load_floats floats). Returns the floating
 * point operations that took. */
size_t gemm_load_floats(const pool *pool);
double gemm_load(float *work, pool *pool);
/* "OpenBLAS 0.3.21 SkylakeX": part of the environment stamp of a checkpoint. Static storage. */
const char *gemm_version(void);

#endif
