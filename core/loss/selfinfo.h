/* selfinfo: ADVENT's weighted self-information map, the discriminator's input (algorithms.md 5.4):
 *   I_k = - p_k log2(p_k + 1e-30) / log2(K),   sum_k I_k in [0, 1];   2 <= K <= MAX_CLASSES
 * p planar [K][P] in, I pixel-major [P][K] out (the layout the discriminator's convolutions read).
 * Any thread that owns the pool; cannot fail. */
#ifndef TP_LOSS_SELFINFO_H
#define TP_LOSS_SELFINFO_H

#include <stddef.h>

#include "base/pool.h"

void selfinfo_forward(const float *p, size_t classes, size_t pixels, float *ret_i, pool *pool);
/* dp (planar, overwritten) from di (pixel-major): dp_k = -di_k (ln(p_k + 1e-30) + 1) / ln K. */
void selfinfo_backward(const float *p, const float *di, size_t classes, size_t pixels, float *dp,
                       pool *pool);

#endif
