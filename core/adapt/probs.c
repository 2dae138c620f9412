#include "adapt/probs.h"

#include "base/grid.h"
#include "base/simd.h"
#include "op/resize.h"
#include "op/softmax.h"

enum { BLOCK = 256, GRAIN = 4096 };

static void upsample(const logit_map *m, const float *z, float *p, pool *workers)
{
	resize_shape s = {m->classes, m->h, m->w, m->full_h, m->full_w, .align_corners = true};
	resize_forward(&s, z, p, workers);
	softmax_forward(p, m->classes, m->full_h * m->full_w, p, workers);
}

typedef struct flip_job {
	float *p;
	const float *mirrored;
	size_t rows, w, chunks; /* rows of all class planes together */
} flip_job;

static TP_SIMD void flip_chunk(void *arg, size_t chunk, size_t worker)
{
	const flip_job *j = arg;
	size_t begin, end;
	pool_part(j->rows, j->chunks, chunk, &begin, &end);
	for (size_t y = begin; y < end; y++) {
		float *restrict p = j->p + y * j->w;
		const float *restrict q = j->mirrored + y * j->w;
		for (size_t x = 0; x < j->w; x++)
			p[x] = 0.5f * (p[x] + q[j->w - 1 - x]);
	}
}

size_t probs_scratch(const logit_map *m)
{
	return m->mirrored != NULL ? m->classes * m->full_h * m->full_w : 0;
}

void probs_from_logits(const logit_map *m, float *p, float *scratch, pool *workers)
{
	upsample(m, m->plain, p, workers);
	if (m->mirrored == NULL)
		return;
	upsample(m, m->mirrored, scratch, workers);
	flip_job j = {p, scratch, m->classes * m->full_h, m->full_w, 0};
	j.chunks = grid_chunks(j.rows, 1);
	pool_run(workers, j.chunks, flip_chunk, &j);
}

typedef struct argmax_job {
	const float *p;
	size_t classes, pixels, chunks;
	uint8_t *pred;
	float *conf;
} argmax_job;

static TP_SIMD void argmax_chunk(void *arg, size_t chunk, size_t worker)
{
	const argmax_job *j = arg;
	size_t begin, end;
	float best[BLOCK];
	int32_t which[BLOCK];
	pool_part(j->pixels, j->chunks, chunk, &begin, &end);
	for (size_t at = begin; at < end; at += BLOCK) {
		size_t n = end - at < BLOCK ? end - at : BLOCK;
		for (size_t i = 0; i < n; i++) {
			best[i] = j->p[at + i];
			which[i] = 0;
		}
		for (size_t k = 1; k < j->classes; k++) {
			const float *p = j->p + k * j->pixels + at;
			for (size_t i = 0; i < n; i++) {
				which[i] = p[i] > best[i] ? (int32_t)k : which[i];
				best[i] = p[i] > best[i] ? p[i] : best[i];
			}
		}
		for (size_t i = 0; i < n; i++)
			j->pred[at + i] = (uint8_t)which[i];
		for (size_t i = 0; i < n && j->conf != NULL; i++)
			j->conf[at + i] = best[i];
	}
}

void probs_argmax(const float *p, size_t classes, size_t pixels, uint8_t *pred, float *conf,
                  pool *workers)
{
	argmax_job j = {p, classes, pixels, grid_chunks(pixels, GRAIN), pred, conf};
	pool_run(workers, j.chunks, argmax_chunk, &j);
}

/* Softmax keeps the order of classes, so logits decide. */
void probs_flips_agree(const logit_map *m, uint8_t *agree, float *scratch, uint8_t *other,
                       pool *workers)
{
	size_t w = m->full_w, pixels = m->full_h * w;
	resize_shape s = {m->classes, m->h, m->w, m->full_h, m->full_w, .align_corners = true};
	resize_forward(&s, m->plain, scratch, workers);
	probs_argmax(scratch, m->classes, pixels, agree, NULL, workers);
	resize_forward(&s, m->mirrored, scratch, workers);
	probs_argmax(scratch, m->classes, pixels, other, NULL, workers);
	for (size_t row = 0; row < pixels; row += w)
		for (size_t x = 0; x < w; x++)
			agree[row + x] = agree[row + x] == other[row + w - 1 - x];
}
