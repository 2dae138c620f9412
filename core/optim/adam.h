/* adam: as PyTorch defines it (algorithms.md 6.3): m, v bias-corrected, eps outside the root,
 * no weight decay:
 *   m = b1 m + (1-b1) g,  v = b2 v + (1-b2) g^2,
 *   w = w - lr (m / (1-b1^t)) / (sqrt(v / (1-b2^t)) + eps) */
#ifndef TP_OPTIM_ADAM_H
#define TP_OPTIM_ADAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"

typedef struct adam_spec {
	float lr, beta1, beta2, eps; /* ADVENT's discriminator: 1e-4, 0.9, 0.99, 1e-8 (5.5) */
} adam_spec;

/* `t` counts steps from 1. w, m, v [count] are updated in place from g [count]; m = v = 0 before
 * the first step. Any thread that owns the pool; cannot fail. */
void adam_step(const adam_spec *spec, uint64_t t, float *w, float *m, float *v, const float *g,
               size_t count, pool *pool);

#endif
