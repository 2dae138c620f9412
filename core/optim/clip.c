#include "optim/clip.h"

#include <math.h>

#include "base/grid.h"
#include "base/simd.h"

enum { GRAIN = 16384 };

typedef struct clip_job {
	float *g;
	size_t count, chunks;
	float scale;
	double square[GRID_MAX];
} clip_job;

static TP_SIMD void square_chunk(void *arg, size_t chunk, size_t worker)
{
	clip_job *j = arg;
	size_t begin, end;
	double sum = 0.0;
	pool_part(j->count, j->chunks, chunk, &begin, &end);
	for (size_t i = begin; i < end; i++)
		sum += (double)j->g[i] * (double)j->g[i];
	j->square[chunk] = sum;
}

static TP_SIMD void scale_chunk(void *arg, size_t chunk, size_t worker)
{
	const clip_job *j = arg;
	size_t begin, end;
	pool_part(j->count, j->chunks, chunk, &begin, &end);
	for (size_t i = begin; i < end; i++)
		j->g[i] *= j->scale;
}

double clip_length(float *g, size_t count, double limit, pool *workers)
{
	clip_job j = {.g = g, .count = count, .chunks = grid_chunks(count, GRAIN)};
	pool_run(workers, j.chunks, square_chunk, &j);
	double sum = 0.0;
	for (size_t k = 0; k < j.chunks; k++)
		sum += j.square[k];
	double length = sqrt(sum);
	if (length > limit) {
		j.scale = (float)(limit / length);
		pool_run(workers, j.chunks, scale_chunk, &j);
	}
	return length;
}
