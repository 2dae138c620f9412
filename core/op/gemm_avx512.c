#include "op/gemm_kernel.h"

#ifdef __x86_64__

#define GOTO_TARGET                                                                                \
	__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,fma,prefer-vector-width=512")))
#define GOTO_LANES 16
#define GOTO_MR 14
#include "op/gemm_goto.h"

static bool usable(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
	       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
}

const gemm_kernel gemm_avx512 = {"gemm_avx512 2", usable, goto_gemm};

#else

static bool usable(void) { return false; }

const gemm_kernel gemm_avx512 = {"gemm_avx512", usable, NULL};

#endif
