#include "adapt/online.h"

#include "base/grid.h"
#include "base/simd.h"

enum { BLOCK = 256, GRAIN = 4096 };

typedef struct job {
	const float *z;
	size_t classes, pixels, chunks;
	float least; /* 1 / tau: p > tau where the sum of e^(z - max) is below it */
	const uint8_t *teach;
	uint8_t *label;
	size_t taught[GRID_MAX], sure[GRID_MAX];
} job;

static TP_SIMD void label_chunk(void *arg, size_t chunk, size_t worker)
{
	job *j = arg;
	size_t begin, end, taught = 0, sure = 0;
	float best[BLOCK], sum[BLOCK];
	int32_t which[BLOCK];
	pool_part(j->pixels, j->chunks, chunk, &begin, &end);
	for (size_t at = begin; at < end; at += BLOCK) {
		size_t n = end - at < BLOCK ? end - at : BLOCK;
		for (size_t i = 0; i < n; i++) {
			best[i] = j->z[at + i];
			which[i] = 0;
			sum[i] = 0.0f;
		}
		for (size_t k = 1; k < j->classes; k++) {
			const float *z = j->z + k * j->pixels + at;
			for (size_t i = 0; i < n; i++) {
				which[i] = z[i] > best[i] ? (int32_t)k : which[i];
				best[i] = z[i] > best[i] ? z[i] : best[i];
			}
		}
		for (size_t k = 0; k < j->classes; k++) {
			const float *z = j->z + k * j->pixels + at;
			for (size_t i = 0; i < n; i++)
				sum[i] += simd_expf(z[i] - best[i]);
		}
		for (size_t i = 0; i < n; i++) {
			if (!j->teach[at + i])
				continue;
			j->label[at + i] = (uint8_t)which[i];
			taught++;
			sure += sum[i] < j->least;
		}
	}
	j->taught[chunk] = taught;
	j->sure[chunk] = sure;
}

float online_labels(const float *z, size_t classes, size_t pixels, float tau, const uint8_t *teach,
                    uint8_t *label, float *weight, pool *workers)
{
	job j = {.z = z, .classes = classes, .pixels = pixels, .chunks = grid_chunks(pixels, GRAIN),
	         .least = 1.0f / tau, .teach = teach, .label = label};
	size_t taught = 0, sure = 0;
	pool_run(workers, j.chunks, label_chunk, &j);
	for (size_t k = 0; k < j.chunks; k++) {
		taught += j.taught[k];
		sure += j.sure[k];
	}
	float share = taught == 0 ? 0.0f : (float)sure / (float)taught;
	for (size_t i = 0; i < pixels; i++)
		if (teach[i])
			weight[i] = share;
	return share;
}
