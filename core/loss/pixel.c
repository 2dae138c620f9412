#include "loss/pixel.h"

#include <math.h>

#include "base/grid.h"
#include "base/simd.h"
#include "op/softmax.h"

/* One chunk goes through its pixels in blocks of BLOCK: three sweeps over the K class rows of a
 * block (softmax statistics, sums over classes, gradients), all from the first-level cache.
 * exp is taken twice rather than stored, so that no scratch memory is needed and dz may be z. */
enum { BLOCK = 256, GRAIN = 4096 };

typedef struct job {
	const float *z;
	float *dz;
	size_t classes, pixels, chunks;
	const pixel_target *t;
	const pixel_loss_spec *spec;
	float inv_lambda[MAX_CLASSES], log_lambda[MAX_CLASSES]; /* set when bootstrap */
	double label[GRID_MAX], reg[GRID_MAX];
} job;

typedef struct block {
	size_t at, n;           /* pixels at .. at+n-1 */
	float max[BLOCK];       /* softmax: log p_k = z_k - max - log_sum */
	float log_sum[BLOCK];
	int32_t label[BLOCK];
	float weight[BLOCK];    /* yhat at `label`; 0 where unlabelled */
	float active[BLOCK];    /* 1 where labelled, else 0 */
	float y[BLOCK];         /* row k: yhat_k */
	float log_p[BLOCK];     /* row k */
	float p[BLOCK];         /* row k */
	float sum_w[BLOCK];     /* sum_k w_k (w = yhat without bootstrapping) */
	float sum_r_log[BLOCK]; /* sum_k r_k log r_k */
	float sum_reg[BLOCK];   /* the regulariser's sum over k, without its factor */
	float label_loss[BLOCK];
	float grad_label[BLOCK], grad_reg[BLOCK]; /* row k */
} block;

/* Soft targets: a pixel is labelled when any yhat_k differs from 0. */
static TP_INLINE void active_of_soft(const float *soft, size_t classes, size_t pixels, size_t at,
                                     size_t n, float *active)
{
	for (size_t i = 0; i < n; i++)
		active[i] = 0.0f;
	for (size_t k = 0; k < classes; k++) {
		const float *row = soft + k * pixels + at;
		for (size_t i = 0; i < n; i++)
			active[i] = row[i] != 0.0f ? 1.0f : active[i];
	}
}

static TP_INLINE void block_target(const job *j, block *b)
{
	const pixel_target *t = j->t;
	if (t->soft != NULL) {
		active_of_soft(t->soft, j->classes, j->pixels, b->at, b->n, b->active);
		return;
	}
	const uint8_t *label = t->label + b->at;
	int32_t classes = (int32_t)j->classes;
	for (size_t i = 0; i < b->n; i++) {
		float w = t->weight != NULL ? t->weight[b->at + i] : 1.0f;
		b->label[i] = label[i];
		b->weight[i] = label[i] != LABEL_NONE && b->label[i] < classes ? w : 0.0f;
		b->active[i] = b->weight[i] != 0.0f ? 1.0f : 0.0f;
	}
}

static TP_INLINE void block_softmax(const job *j, block *b)
{
	for (size_t i = 0; i < b->n; i++) {
		b->max[i] = j->z[b->at + i];
		b->log_sum[i] = 0.0f;
	}
	for (size_t k = 1; k < j->classes; k++) {
		const float *z = j->z + k * j->pixels + b->at;
		for (size_t i = 0; i < b->n; i++)
			b->max[i] = z[i] > b->max[i] ? z[i] : b->max[i];
	}
	for (size_t k = 0; k < j->classes; k++) {
		const float *z = j->z + k * j->pixels + b->at;
		for (size_t i = 0; i < b->n; i++)
			b->log_sum[i] += simd_expf(z[i] - b->max[i]);
	}
	for (size_t i = 0; i < b->n; i++)
		b->log_sum[i] = simd_logf(b->log_sum[i]);
}

/* Fills the rows y, log_p and p of class k. */
static TP_INLINE void block_row(const job *j, block *b, size_t k)
{
	const float *z = j->z + k * j->pixels + b->at;
	if (j->t->soft != NULL) {
		const float *soft = j->t->soft + k * j->pixels + b->at;
		for (size_t i = 0; i < b->n; i++)
			b->y[i] = soft[i];
	} else {
		for (size_t i = 0; i < b->n; i++)
			b->y[i] = b->label[i] == (int32_t)k ? b->weight[i] : 0.0f;
	}
	for (size_t i = 0; i < b->n; i++) {
		b->log_p[i] = z[i] - b->max[i] - b->log_sum[i];
		b->p[i] = simd_expf(b->log_p[i]);
	}
}

static TP_INLINE void block_sums(const job *j, block *b)
{
	const pixel_loss_spec *s = j->spec;
	size_t n = b->n;
	for (size_t i = 0; i < n; i++)
		b->sum_w[i] = b->sum_r_log[i] = b->sum_reg[i] = b->label_loss[i] = 0.0f;
	for (size_t k = 0; k < j->classes; k++) {
		block_row(j, b, k);
		if (s->bootstrap) {
			float inv = j->inv_lambda[k], log_l = j->log_lambda[k], beta = s->beta;
			for (size_t i = 0; i < n; i++) {
				float r = b->p[i] * inv, log_r = b->log_p[i] - log_l;
				float w = beta * b->y[i] + (1.0f - beta) * r;
				b->sum_w[i] += w;
				b->sum_r_log[i] += r * log_r;
				b->label_loss[i] -= w * log_r;
			}
		} else {
			for (size_t i = 0; i < n; i++) {
				b->sum_w[i] += b->y[i];
				b->label_loss[i] -= b->y[i] * b->log_p[i];
			}
		}
		switch (s->reg) {
		case REG_MRKLD:
			for (size_t i = 0; i < n; i++)
				b->sum_reg[i] += b->log_p[i];
			break;
		case REG_MRENT:
			for (size_t i = 0; i < n; i++)
				b->sum_reg[i] += b->p[i] * b->log_p[i];
			break;
		case REG_MRL2:
			for (size_t i = 0; i < n; i++)
				b->sum_reg[i] += b->p[i] * b->p[i];
			break;
		case REG_NONE:
		case REG_LRENT:
			break;
		}
	}
}

/* Gradient rows of class k, unscaled. */
static TP_INLINE void block_gradient(const job *j, block *b, size_t k)
{
	const pixel_loss_spec *s = j->spec;
	size_t n = b->n;
	if (s->bootstrap) {
		float inv = j->inv_lambda[k], log_l = j->log_lambda[k], beta = s->beta;
		float through = s->through_weight ? 1.0f - beta : 0.0f;
		for (size_t i = 0; i < n; i++) {
			float r = b->p[i] * inv, log_r = b->log_p[i] - log_l;
			float w = beta * b->y[i] + (1.0f - beta) * r;
			b->grad_label[i] = b->p[i] * b->sum_w[i] - w -
			                   through * (r * log_r - b->p[i] * b->sum_r_log[i]);
		}
	} else {
		for (size_t i = 0; i < n; i++)
			b->grad_label[i] = b->p[i] * b->sum_w[i] - b->y[i];
	}
	switch (s->reg) {
	case REG_MRKLD:
		for (size_t i = 0; i < n; i++)
			b->grad_reg[i] = b->p[i] - 1.0f / (float)j->classes;
		break;
	case REG_MRENT:
		for (size_t i = 0; i < n; i++)
			b->grad_reg[i] = b->p[i] * (b->log_p[i] - b->sum_reg[i]);
		break;
	case REG_MRL2:
		for (size_t i = 0; i < n; i++)
			b->grad_reg[i] = 2.0f * b->p[i] * (b->p[i] - b->sum_reg[i]);
		break;
	case REG_NONE:
	case REG_LRENT:
		for (size_t i = 0; i < n; i++)
			b->grad_reg[i] = 0.0f;
		break;
	}
}

static TP_SIMD void loss_chunk(void *arg, size_t chunk, size_t worker)
{
	job *j = arg;
	const pixel_loss_spec *s = j->spec;
	size_t begin, end;
	pool_part(j->pixels, j->chunks, chunk, &begin, &end);
	double label = 0.0, reg = 0.0;
	block b;
	for (b.at = begin; b.at < end; b.at += b.n) {
		b.n = end - b.at < BLOCK ? end - b.at : BLOCK;
		block_target(j, &b);
		block_softmax(j, &b);
		block_sums(j, &b);
		/* Times `active`, not a choice: a NaN at an unlabelled pixel stays visible. */
		for (size_t i = 0; i < b.n; i++) {
			label += b.active[i] * b.label_loss[i];
			reg += b.active[i] * b.sum_reg[i];
		}
		for (size_t k = 0; k < j->classes; k++) {
			block_row(j, &b, k);
			block_gradient(j, &b, k);
			float *dz = j->dz + k * j->pixels + b.at;
			for (size_t i = 0; i < b.n; i++)
				dz[i] = b.active[i] * (s->scale * b.grad_label[i] +
				                       s->reg_scale * b.grad_reg[i]);
		}
	}
	j->label[chunk] = label;
	j->reg[chunk] = reg;
}

pixel_loss_result pixel_loss(const float *z, size_t classes, size_t pixels, const pixel_target *t,
                             const pixel_loss_spec *spec, float *dz, pool *workers)
{
	job j = {.z = z, .dz = dz, .classes = classes, .pixels = pixels, .t = t, .spec = spec};
	j.chunks = grid_chunks(pixels, GRAIN);
	for (size_t k = 0; k < classes && spec->bootstrap; k++) {
		j.inv_lambda[k] = 1.0f / spec->lambda[k];
		j.log_lambda[k] = logf(spec->lambda[k]);
	}
	pool_run(workers, j.chunks, loss_chunk, &j);
	double label = 0.0, reg = 0.0;
	for (size_t c = 0; c < j.chunks; c++) {
		label += j.label[c];
		reg += j.reg[c];
	}
	if (spec->reg == REG_MRKLD)
		reg *= -1.0 / (double)classes;
	pixel_loss_result r = {.label_term = spec->scale * label, .reg_term = spec->reg_scale * reg};
	r.loss = r.label_term + r.reg_term;
	return r;
}

size_t pixel_target_count(const pixel_target *t, size_t classes, size_t pixels)
{
	size_t count = 0;
	if (t->soft == NULL) {
		for (size_t i = 0; i < pixels; i++)
			count += t->label[i] != LABEL_NONE && t->label[i] < classes &&
			         (t->weight == NULL || t->weight[i] != 0.0f);
		return count;
	}
	float active[BLOCK];
	for (size_t at = 0; at < pixels; at += BLOCK) {
		size_t n = pixels - at < BLOCK ? pixels - at : BLOCK;
		active_of_soft(t->soft, classes, pixels, at, n, active);
		for (size_t i = 0; i < n; i++)
			count += active[i] != 0.0f;
	}
	return count;
}
