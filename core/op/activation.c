#include "base/simd.h"
#include "op/conv.h"

typedef struct act_job {
	activation act;
	const float *y;
	float *dy;
	size_t count, chunks;
} act_job;

/* A product with 0 or 1 instead of a choice: NaN in dy has to stay visible. */
TP_SIMD static void act_part(activation act, const float *restrict y, float *restrict dy, size_t n)
{
	switch (act) {
	case ACT_NONE:
		break;
	case ACT_RELU:
		for (size_t i = 0; i < n; i++)
			dy[i] *= y[i] > 0.0f ? 1.0f : 0.0f;
		break;
	case ACT_RELU6:
		for (size_t i = 0; i < n; i++)
			dy[i] *= (y[i] > 0.0f) & (y[i] < 6.0f) ? 1.0f : 0.0f;
		break;
	case ACT_LEAKY:
		for (size_t i = 0; i < n; i++)
			dy[i] *= y[i] > 0.0f ? 1.0f : 0.2f;
		break;
	}
}

static void act_chunk(void *arg, size_t chunk, size_t worker)
{
	const act_job *job = arg;
	size_t begin, end;
	(void)worker;
	pool_part(job->count, job->chunks, chunk, &begin, &end);
	act_part(job->act, job->y + begin, job->dy + begin, end - begin);
}

void activation_backward(activation act, const float *y, float *dy, size_t count, pool *workers)
{
	enum { CHUNK = 1 << 15 };
	act_job job = {.act = act, .y = y, .dy = dy, .count = count, .chunks = count / CHUNK + 1};
	if (act != ACT_NONE)
		pool_run(workers, job.chunks, act_chunk, &job);
}
