/* sgd: stochastic gradient descent with momentum, as PyTorch defines it (algorithms.md 6.3):
 *   v = mu v + (g + wd w),  w = w - lr v      (v = 0 at the start gives v = g + wd w)
 * All three functions may be called by any thread that owns the pool; they cannot fail. */
#ifndef TP_OPTIM_SGD_H
#define TP_OPTIM_SGD_H

#include <stddef.h>

#include "base/pool.h"

/* Updates w[count] and v[count] in place from g[count]. */
void sgd_step(float *w, float *v, const float *g, size_t count, float lr, float momentum,
              float weight_decay, pool *pool);

/* Poly schedule (6.2): lr0 (1 - step/steps)^power; 0 from `steps` on. Power 0 (CRST's own
 * setting) is the constant lr0 for every step. */
double schedule_poly(double lr0, double power, size_t step, size_t steps);

/* True when every value is finite (looks at the exponent bits; immune to compiler flags). */
int all_finite(const float *x, size_t count, pool *pool);

#endif
