#include "optim/adam.h"

#include <math.h>

#include "base/grid.h"
#include "base/simd.h"

enum { GRAIN = 16384 };

typedef struct adam_job {
	float *w, *m, *v;
	const float *g;
	size_t count, chunks;
	float beta1, beta2, eps;
	float keep1, keep2; /* 1 - beta, taken in double as PyTorch does */
	float rate;         /* lr / (1 - beta1^t) */
	float unbias;       /* 1 / sqrt(1 - beta2^t) */
} adam_job;

static TP_SIMD void adam_chunk(void *arg, size_t chunk, size_t worker)
{
	const adam_job *j = arg;
	size_t begin, end;
	pool_part(j->count, j->chunks, chunk, &begin, &end);
	float *restrict w = j->w, *restrict m = j->m, *restrict v = j->v;
	const float *restrict g = j->g;
	const adam_job c = *j;
	for (size_t i = begin; i < end; i++) {
		m[i] = c.beta1 * m[i] + c.keep1 * g[i];
		v[i] = c.beta2 * v[i] + c.keep2 * g[i] * g[i];
		w[i] -= c.rate * m[i] / (sqrtf(v[i]) * c.unbias + c.eps);
	}
}

void adam_step(const adam_spec *spec, uint64_t t, float *w, float *m, float *v, const float *g,
               size_t count, pool *workers)
{
	double b1 = spec->beta1, b2 = spec->beta2;
	adam_job j = {
		.w = w, .m = m, .v = v, .g = g,
		.count = count, .chunks = grid_chunks(count, GRAIN),
		.beta1 = spec->beta1, .beta2 = spec->beta2, .eps = spec->eps,
		.keep1 = (float)(1.0 - b1), .keep2 = (float)(1.0 - b2),
		.rate = (float)(spec->lr / (1.0 - pow(b1, (double)t))),
		.unbias = (float)(1.0 / sqrt(1.0 - pow(b2, (double)t))),
	};
	pool_run(workers, j.chunks, adam_chunk, &j);
}
