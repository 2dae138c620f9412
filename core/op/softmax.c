#include "op/softmax.h"

#include "base/simd.h"

/* A block of pixels at a time, classes outside: loops over pixels vectorise, and the block's
 * values stay in L2 between the passes over the classes. */
enum { BLOCK = 256, CHUNK = 16 * BLOCK };

TP_SIMD static void softmax_block(const float *z, size_t classes, size_t pixels, size_t n, float *p)
{
	float max[BLOCK], sum[BLOCK];
	for (size_t i = 0; i < n; i++) {
		max[i] = z[i];
		sum[i] = 0.0f;
	}
	for (size_t k = 1; k < classes; k++)
		for (size_t i = 0; i < n; i++)
			max[i] = z[k * pixels + i] > max[i] ? z[k * pixels + i] : max[i];
	/* NaN is not larger than the maximum, but its exponential enters the sum. */
	for (size_t k = 0; k < classes; k++) {
		const float *from = z + k * pixels;
		float *to = p + k * pixels;
#pragma GCC ivdep /* p is z or apart from it */
		for (size_t i = 0; i < n; i++) {
			float e = simd_expf(from[i] - max[i]);
			sum[i] += e;
			to[i] = e;
		}
	}
	for (size_t i = 0; i < n; i++)
		sum[i] = 1.0f / sum[i];
	for (size_t k = 0; k < classes; k++)
		for (size_t i = 0; i < n; i++)
			p[k * pixels + i] *= sum[i];
}

TP_SIMD static void gradient_block(const float *p, const float *dp, size_t classes, size_t pixels,
                                   size_t n, float *dz)
{
	float dot[BLOCK] = {0};
	for (size_t k = 0; k < classes; k++)
		for (size_t i = 0; i < n; i++)
			dot[i] += dp[k * pixels + i] * p[k * pixels + i];
	for (size_t k = 0; k < classes; k++) {
		const float *pk = p + k * pixels, *from = dp + k * pixels;
		float *to = dz + k * pixels;
#pragma GCC ivdep /* dz is dp or apart from it */
		for (size_t i = 0; i < n; i++)
			to[i] = pk[i] * (from[i] - dot[i]);
	}
}

typedef struct job {
	const float *a, *dp; /* dp NULL: forward */
	float *to;
	size_t classes, pixels;
} job;

static void run_chunk(void *arg, size_t chunk, size_t worker)
{
	const job *b = arg;
	const size_t begin = chunk * CHUNK;
	for (size_t i = begin; i < b->pixels && i < begin + CHUNK; i += BLOCK) {
		size_t n = b->pixels - i < BLOCK ? b->pixels - i : BLOCK;
		if (b->dp == NULL)
			softmax_block(b->a + i, b->classes, b->pixels, n, b->to + i);
		else
			gradient_block(b->a + i, b->dp + i, b->classes, b->pixels, n, b->to + i);
	}
}

static void run(const job *b, pool *workers)
{
	pool_run(workers, (b->pixels + CHUNK - 1) / CHUNK, run_chunk, (void *)b);
}

void softmax_forward(const float *z, size_t classes, size_t pixels, float *p, pool *workers)
{
	run(&(job){.a = z, .to = p, .classes = classes, .pixels = pixels}, workers);
}

void softmax_backward(const float *p, const float *dp, size_t classes, size_t pixels, float *dz,
                      pool *workers)
{
	run(&(job){.a = p, .dp = dp, .to = dz, .classes = classes, .pixels = pixels}, workers);
}
