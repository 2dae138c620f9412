#include "optim/sgd.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/grid.h"
#include "base/simd.h"

enum { GRAIN = 16384 };

typedef struct sgd_job {
	float *w, *v;
	const float *g;
	size_t count, chunks;
	float lr, momentum, weight_decay;
} sgd_job;

static TP_SIMD void sgd_chunk(void *arg, size_t chunk, size_t worker)
{
	const sgd_job *j = arg;
	size_t begin, end;
	pool_part(j->count, j->chunks, chunk, &begin, &end);
	float *restrict w = j->w, *restrict v = j->v;
	const float *restrict g = j->g;
	float lr = j->lr, momentum = j->momentum, weight_decay = j->weight_decay;
	for (size_t i = begin; i < end; i++) {
		float step = momentum * v[i] + (g[i] + weight_decay * w[i]);
		v[i] = step;
		w[i] -= lr * step;
	}
}

void sgd_step(float *w, float *v, const float *g, size_t count, float lr, float momentum,
              float weight_decay, pool *workers)
{
	sgd_job j = {w, v, g, count, grid_chunks(count, GRAIN), lr, momentum, weight_decay};
	pool_run(workers, j.chunks, sgd_chunk, &j);
}

double schedule_poly(double lr0, double power, size_t step, size_t steps)
{
	if (power == 0.0)
		return lr0;
	if (step >= steps)
		return 0.0;
	return lr0 * pow(1.0 - (double)step / (double)steps, power);
}

typedef struct finite_job {
	const float *x;
	size_t count, chunks;
	uint32_t bad[GRID_MAX];
} finite_job;

static TP_SIMD void finite_chunk(void *arg, size_t chunk, size_t worker)
{
	finite_job *j = arg;
	size_t begin, end;
	pool_part(j->count, j->chunks, chunk, &begin, &end);
	uint32_t bad = 0;
	for (size_t i = begin; i < end; i++) {
		uint32_t bits;
		memcpy(&bits, &j->x[i], sizeof bits);
		bad |= (bits & 0x7f800000u) == 0x7f800000u;
	}
	j->bad[chunk] = bad;
}

int all_finite(const float *x, size_t count, pool *workers)
{
	finite_job j = {.x = x, .count = count, .chunks = grid_chunks(count, GRAIN)};
	pool_run(workers, j.chunks, finite_chunk, &j);
	uint32_t bad = 0;
	for (size_t k = 0; k < j.chunks; k++)
		bad |= j.bad[k];
	return !bad;
}
