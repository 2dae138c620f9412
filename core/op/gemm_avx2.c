#include "op/gemm_kernel.h"

#ifdef __x86_64__

#define GOTO_TARGET __attribute__((target("avx2,fma")))
#define GOTO_LANES 8
#define GOTO_MR 6
#include "op/gemm_goto.h"

static bool usable(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

const gemm_kernel gemm_avx2 = {"gemm_avx2 1", usable, goto_gemm};

#else

static bool usable(void) { return false; }

const gemm_kernel gemm_avx2 = {"gemm_avx2", usable, NULL};

#endif
