/* bce: binary cross-entropy on logits against one constant label, mean over the map (5.4, 5.5).
 * Numerically safe form max(z,0) - z t + log(1 + e^-|z|). */
#ifndef TP_LOSS_BCE_H
#define TP_LOSS_BCE_H

#include <stddef.h>

/* z [count], one image's discriminator output: a few hundred values, so one thread does.
 * dz (overwritten, may be z or NULL) = scale * (sigmoid(z) - label) / count;
 * returns scale * mean, 0 when count is 0. Any thread; cannot fail. */
double bce_logits(const float *z, size_t count, float label, float scale, float *dz);

#endif
