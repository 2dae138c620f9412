/* gemm_kernel: who computes the matrix product of gemm.h. Our own code for CPUs with AVX-512 or AVX2 is
 * some 5 % faster than OpenBLAS 0.3.21 on the shapes of DeepLab, because it spends less on packing when
 * a matrix is only a few hundred rows high; both come from one text, gemm_goto.h. m and n are not 0. */
#ifndef TP_OP_GEMM_KERNEL_H
#define TP_OP_GEMM_KERNEL_H

#include <stdbool.h>

#include "op/gemm.h"

typedef void gemm_fn(gemm_op op_a, gemm_op op_b, size_t m, size_t n, size_t k, float alpha,
                     const float *a, size_t lda, const float *b, size_t ldb, float beta, float *c,
                     size_t ldc);

typedef struct gemm_kernel {
	const char *name;
	bool (*usable)(void); /* false on machines and in builds that cannot run it */
	gemm_fn *run;         /* about 0.4 MiB of stack */
} gemm_kernel;

extern const gemm_kernel gemm_avx512, gemm_avx2, gemm_blas;

#endif
