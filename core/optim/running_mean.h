/* running_mean: mean[count] = m mean + (1 - m) x, an exponential moving average of weights. Any thread
 * that owns the pool; cannot fail. */
#ifndef TP_OPTIM_RUNNING_MEAN_H
#define TP_OPTIM_RUNNING_MEAN_H

#include <stddef.h>

#include "base/pool.h"

void running_mean(float *mean, const float *x, size_t count, float m, pool *pool);

#endif
