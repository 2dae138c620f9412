#include "adapt/pseudo.h"

#include "base/grid.h"
#include "base/simd.h"

enum { BLOCK = 256, GRAIN = 4096 };

typedef struct job {
	const float *p, *lambda;
	size_t classes, pixels, chunks;
	float power;    /* gamma, or 1/alpha */
	uint8_t *label;
	float *r_max;   /* may be NULL */
	float *weight;
	float *soft;
} job;

/* best[i] = max_k r_k, which[i] = its class (ties: lowest k), of pixels at..at+n-1. */
static TP_INLINE void block_best(const job *j, size_t at, size_t n, float *best, int32_t *which)
{
	for (size_t i = 0; i < n; i++) {
		best[i] = j->p[at + i] / j->lambda[0];
		which[i] = 0;
	}
	for (size_t k = 1; k < j->classes; k++) {
		const float *p = j->p + k * j->pixels + at;
		float lambda = j->lambda[k];
		for (size_t i = 0; i < n; i++) {
			float r = p[i] / lambda;
			which[i] = r > best[i] ? (int32_t)k : which[i];
			best[i] = r > best[i] ? r : best[i];
		}
	}
}

static TP_SIMD void confident_chunk(void *arg, size_t chunk, size_t worker)
{
	const job *j = arg;
	size_t begin, end;
	float best[BLOCK];
	int32_t which[BLOCK];
	pool_part(j->pixels, j->chunks, chunk, &begin, &end);
	for (size_t at = begin; at < end; at += BLOCK) {
		size_t n = end - at < BLOCK ? end - at : BLOCK;
		block_best(j, at, n, best, which);
		for (size_t i = 0; i < n; i++)
			j->label[at + i] = best[i] > 1.0f ? (uint8_t)which[i] : LABEL_NONE;
		for (size_t i = 0; i < n && j->r_max != NULL; i++)
			j->r_max[at + i] = best[i];
	}
}

void pseudo_confident(const float *p, const float *lambda, size_t classes, size_t pixels,
                      uint8_t *label, float *r_max, pool *workers)
{
	job j = {.p = p, .lambda = lambda, .classes = classes, .pixels = pixels,
	         .chunks = grid_chunks(pixels, GRAIN), .label = label, .r_max = r_max};
	pool_run(workers, j.chunks, confident_chunk, &j);
}

/* Z in logarithms, so that a small alpha cannot overflow: with a_k = log(r_k)/alpha and M = max a,
 * log Z = M + log sum e^(a-M). */
static TP_SIMD void lrent_chunk(void *arg, size_t chunk, size_t worker)
{
	const job *j = arg;
	size_t begin, end;
	float max[BLOCK], sum[BLOCK], scale[BLOCK];
	int32_t which[BLOCK];
	pool_part(j->pixels, j->chunks, chunk, &begin, &end);
	for (size_t at = begin; at < end; at += BLOCK) {
		size_t n = end - at < BLOCK ? end - at : BLOCK;
		block_best(j, at, n, max, which);
		for (size_t i = 0; i < n; i++) {
			max[i] = j->power * simd_logf(max[i]);
			sum[i] = 0.0f;
		}
		for (size_t k = 0; k < j->classes; k++) {
			const float *p = j->p + k * j->pixels + at;
			float *soft = j->soft + k * j->pixels + at;
			float lambda = j->lambda[k];
#pragma GCC ivdep /* soft is p or apart from it */
			for (size_t i = 0; i < n; i++) {
				float e = simd_expf(j->power * simd_logf(p[i] / lambda) - max[i]);
				sum[i] += e;
				soft[i] = e;
			}
		}
		for (size_t i = 0; i < n; i++)
			scale[i] = max[i] + simd_logf(sum[i]) > 0.0f ? 1.0f / sum[i] : 0.0f;
		for (size_t k = 0; k < j->classes; k++) {
			float *soft = j->soft + k * j->pixels + at;
			for (size_t i = 0; i < n; i++)
				soft[i] *= scale[i];
		}
	}
}

void pseudo_lrent(const float *p, const float *lambda, float alpha, size_t classes, size_t pixels,
                  float *soft, pool *workers)
{
	job j = {.p = p, .lambda = lambda, .classes = classes, .pixels = pixels,
	         .chunks = grid_chunks(pixels, GRAIN), .power = 1.0f / alpha, .soft = soft};
	pool_run(workers, j.chunks, lrent_chunk, &j);
}

static TP_SIMD void easy_chunk(void *arg, size_t chunk, size_t worker)
{
	const job *j = arg;
	size_t begin, end;
	float best[BLOCK];
	int32_t which[BLOCK];
	pool_part(j->pixels, j->chunks, chunk, &begin, &end);
	for (size_t at = begin; at < end; at += BLOCK) {
		size_t n = end - at < BLOCK ? end - at : BLOCK;
		block_best(j, at, n, best, which);
		for (size_t i = 0; i < n; i++)
			j->label[at + i] = (uint8_t)which[i];
		for (size_t i = 0; i < n; i++) {
			float unsure = simd_expf(j->power * simd_logf(best[i]));
			j->weight[at + i] = best[i] > 1.0f ? 1.0f : unsure;
		}
	}
}

void pseudo_easy(const float *p, const float *lambda, float gamma, size_t classes, size_t pixels,
                 uint8_t *label, float *weight, pool *workers)
{
	job j = {.p = p, .lambda = lambda, .classes = classes, .pixels = pixels,
	         .chunks = grid_chunks(pixels, GRAIN), .power = gamma, .label = label,
	         .weight = weight};
	pool_run(workers, j.chunks, easy_chunk, &j);
}
