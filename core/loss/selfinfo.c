#include "loss/selfinfo.h"

#include <math.h>

#include "base/grid.h"
#include "base/simd.h"

/* A block of pixels times K classes fits the first-level cache, so the change of layout costs no
 * extra pass through memory. */
enum { BLOCK = 128, GRAIN = 4096 };
#define FLOOR 1e-30f /* of the logarithm's argument, as ADVENT's code */

typedef struct job {
	const float *p, *di;
	float *out; /* I pixel-major, or dp planar */
	size_t classes, pixels, chunks;
	float inv_log_k; /* 1 / ln K; log2 x / log2 K = ln x / ln K */
} job;

static TP_SIMD void forward_chunk(void *arg, size_t chunk, size_t worker)
{
	const job *j = arg;
	size_t begin, end, classes = j->classes;
	float factor = -j->inv_log_k;
	float row[BLOCK];
	pool_part(j->pixels, j->chunks, chunk, &begin, &end);
	for (size_t at = begin; at < end; at += BLOCK) {
		size_t n = end - at < BLOCK ? end - at : BLOCK;
		for (size_t k = 0; k < classes; k++) {
			const float *p = j->p + k * j->pixels + at;
			for (size_t i = 0; i < n; i++)
				row[i] = factor * p[i] * simd_logf(p[i] + FLOOR);
			float *out = j->out + at * classes + k;
			for (size_t i = 0; i < n; i++)
				out[i * classes] = row[i];
		}
	}
}

static TP_SIMD void backward_chunk(void *arg, size_t chunk, size_t worker)
{
	const job *j = arg;
	size_t begin, end, classes = j->classes;
	float factor = -j->inv_log_k;
	float row[BLOCK];
	pool_part(j->pixels, j->chunks, chunk, &begin, &end);
	for (size_t at = begin; at < end; at += BLOCK) {
		size_t n = end - at < BLOCK ? end - at : BLOCK;
		for (size_t k = 0; k < classes; k++) {
			const float *di = j->di + at * classes + k;
			for (size_t i = 0; i < n; i++)
				row[i] = di[i * classes];
			const float *p = j->p + k * j->pixels + at;
			float *dp = j->out + k * j->pixels + at;
			for (size_t i = 0; i < n; i++)
				dp[i] = factor * row[i] * (simd_logf(p[i] + FLOOR) + 1.0f);
		}
	}
}

static job job_of(const float *p, const float *di, size_t classes, size_t pixels, float *out)
{
	return (job){p, di, out, classes, pixels, grid_chunks(pixels, GRAIN),
	             (float)(1.0 / log((double)classes))};
}

void selfinfo_forward(const float *p, size_t classes, size_t pixels, float *ret_i, pool *workers)
{
	job j = job_of(p, NULL, classes, pixels, ret_i);
	pool_run(workers, j.chunks, forward_chunk, &j);
}

void selfinfo_backward(const float *p, const float *di, size_t classes, size_t pixels, float *dp,
                       pool *workers)
{
	job j = job_of(p, di, classes, pixels, dp);
	pool_run(workers, j.chunks, backward_chunk, &j);
}
