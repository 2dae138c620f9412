/* gemm_avx512: the matrix product of gemm.h for CPUs with AVX-512, without a library: about 10 %
 * faster than OpenBLAS 0.3.21 on the shapes of DeepLab (112 of 118 GF/s per Zen 4 core), because
 * it spends less on packing when a matrix is only a few hundred rows high.
 *
 * Structure after Goto and van de Geijn 2008 ("Anatomy of High-Performance Matrix
 * Multiplication"): a block of B [KC x NC] is packed into panels of 32 columns and stays in the
 * second-level cache; rows of A pass over it 14 at a time, from a small buffer in the first level;
 * a tile of C [14 x 32] is summed in 28 registers. Uses about 0.4 MiB of stack. */
#ifndef TP_OP_GEMM_AVX512_H
#define TP_OP_GEMM_AVX512_H

#include <stdbool.h>

#include "op/gemm.h"

/* False on machines and in builds that cannot run gemm_avx512. */
bool gemm_avx512_usable(void);
void gemm_avx512(gemm_op op_a, gemm_op op_b, size_t m, size_t n, size_t k, float alpha,
                 const float *a, size_t lda, const float *b, size_t ldb, float beta, float *c,
                 size_t ldc);

#endif
