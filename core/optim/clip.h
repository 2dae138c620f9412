/* clip: bounds the length of a gradient (algorithms.md 9.1): when sqrt(sum g^2) exceeds `limit`, g[count] is
 * scaled to it. Returns the length before. The sum is taken in double over a fixed chunk grid: the same bits
 * for any number of threads. Any thread that owns the pool; cannot fail. */
#ifndef TP_OPTIM_CLIP_H
#define TP_OPTIM_CLIP_H

#include <stddef.h>

#include "base/pool.h"

double clip_length(float *g, size_t count, double limit, pool *pool);

#endif
