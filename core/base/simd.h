/* simd: how a hot plain-C loop is compiled for the machine it runs on.
 *
 * TP_SIMD on a function makes gcc emit it three times (AVX-512, AVX2+FMA, baseline) and choose at
 * load time by CPU features, so one binary serves every x86-64. Functions it calls must be
 * `static inline TP_INLINE` to be compiled along. Bits may differ between CPU generations (FMA);
 * they do not differ between runs or thread counts on one machine. */
#ifndef TP_BASE_SIMD_H
#define TP_BASE_SIMD_H

#include <stdint.h>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(TP_NO_CLONES)
#define TP_SIMD __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define TP_SIMD
#endif
#define TP_INLINE inline __attribute__((always_inline))

/* e^x for a float, about 1 ulp; below -87 returns 0, above 88 returns e^88 (1.65e38); NaN stays
 * NaN. Branch-free, so that loops over it vectorise (Cody-Waite reduction, degree-6 polynomial).
 * The exponent is cut out of the rounded sum's bits, not converted: NaN has no integer. */
static TP_INLINE float simd_expf(float x)
{
	float c = x < -87.0f ? -87.0f : x;
	c = c > 88.0f ? 88.0f : c;
	union {
		float f;
		uint32_t i;
	} u = {.f = c * 1.44269504089f + 12582912.0f}; /* 1.5 * 2^23: rounds to nearest */
	float n = u.f - 12582912.0f;
	float r = c - n * 0.693359375f;
	r = r - n * -2.12194440e-4f;
	float p = 1.9875691500e-4f;
	p = p * r + 1.3981999507e-3f;
	p = p * r + 8.3334519073e-3f;
	p = p * r + 4.1665795894e-2f;
	p = p * r + 1.6666665459e-1f;
	p = p * r + 5.0000001201e-1f;
	p = p * r * r + r + 1.0f;
	u.i = (u.i + 127) << 23;
	float y = p * u.f;
	return x < -87.0f ? 0.0f : y;
}

/* Natural logarithm for normal x > 0 up to FLT_MAX, about 1 ulp; denormals, 0 and below give
 * log(FLT_MIN), about -87.3; infinity gives about 88.7; NaN stays NaN. */
static TP_INLINE float simd_logf(float x)
{
	union {
		float f;
		int32_t i;
	} u = {.f = x < 1.17549435e-38f ? 1.17549435e-38f : x};
	int32_t e = ((u.i >> 23) & 255) - 126;
	u.i = (u.i & 0x007fffff) | 0x3f000000; /* mantissa in [0.5, 1) */
	float m = u.f;
	int32_t small = m < 0.707106781f;
	e -= small;
	m = small ? m + m - 1.0f : m - 1.0f;
	float z = m * m;
	float y = 7.0376836292e-2f;
	y = y * m - 1.1514610310e-1f;
	y = y * m + 1.1676998740e-1f;
	y = y * m - 1.2420140846e-1f;
	y = y * m + 1.4249322787e-1f;
	y = y * m - 1.6668057665e-1f;
	y = y * m + 2.0000714765e-1f;
	y = y * m - 2.4999993993e-1f;
	y = y * m + 3.3333331174e-1f;
	y = y * m * z;
	float fe = (float)e;
	y = y + fe * -2.12194440e-4f;
	y = y - 0.5f * z;
	float r = m + y + fe * 0.693359375f;
	return x != x ? x : r;
}

#endif
