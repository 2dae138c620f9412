/* adam: as PyTorch defines it (algorithms.md 6.3): m, v bias-corrected, eps outside the root,
 * no weight decay. */
#ifndef TP_OPTIM_ADAM_H
#define TP_OPTIM_ADAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"

typedef struct adam_spec {
	float lr, beta1, beta2, eps; /* ADVENT's discriminator: 1e-4, 0.9, 0.99, 1e-8 */
} adam_spec;

/* `t` counts steps from 1. w, m, v are updated in place from g. */
void adam_step(const adam_spec *spec, uint64_t t, float *w, float *m, float *v, const float *g,
               size_t count, pool *pool);

#endif
