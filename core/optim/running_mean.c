#include "optim/running_mean.h"

#include "base/grid.h"
#include "base/simd.h"

enum { GRAIN = 16384 };

typedef struct mean_job {
	float *mean;
	const float *x;
	size_t count, chunks;
	float m;
} mean_job;

static TP_SIMD void mean_chunk(void *arg, size_t chunk, size_t worker)
{
	const mean_job *j = arg;
	size_t begin, end;
	pool_part(j->count, j->chunks, chunk, &begin, &end);
	float *restrict mean = j->mean;
	const float *restrict x = j->x;
	/* Not mean + (1-m)(x - mean): with m = 0 the mean is x itself, bit for bit. */
	for (size_t i = begin; i < end; i++)
		mean[i] = j->m * mean[i] + (1.0f - j->m) * x[i];
}

void running_mean(float *mean, const float *x, size_t count, float m, pool *workers)
{
	mean_job j = {mean, x, count, grid_chunks(count, GRAIN), m};
	pool_run(workers, j.chunks, mean_chunk, &j);
}
