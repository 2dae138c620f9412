/* online: labels that a teacher gives to a crop while a network trains on it (DACS, algorithms.md 9): the
 * likeliest class everywhere, and the share of pixels that it is sure of, which is what all of them weigh. */
#ifndef TP_ADAPT_ONLINE_H
#define TP_ADAPT_ONLINE_H

#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"

/* z [K][P] logits; for pixels with teach[i] != 0 writes label[i] = argmax_k z_k (ties: lowest k) and
 * weight[i] = share; the others stay. Returns share: of the pixels to teach, those with max p > tau; 0 when
 * there are none. The same bits for any number of threads. Cannot fail. */
float online_labels(const float *z, size_t classes, size_t pixels, float tau, const uint8_t *teach,
                    uint8_t *label, float *weight, pool *pool);

#endif
