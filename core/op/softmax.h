/* softmax: over the class axis of planar maps [K][pixels] (algorithms.md notation p = softmax(z)). */
#ifndef TP_OP_SOFTMAX_H
#define TP_OP_SOFTMAX_H

#include <stddef.h>

#include "base/pool.h"

enum { MAX_CLASSES = 256 }; /* train ids are bytes and 255 means "no label" */

/* p may alias z. Uses base/simd.h's exponential; NaN in any class of a pixel gives NaN there. */
void softmax_forward(const float *z, size_t classes, size_t pixels, float *p, pool *pool);
/* dz_j = p_j (dp_j - sum_k dp_k p_k); dz may alias dp. */
void softmax_backward(const float *p, const float *dp, size_t classes, size_t pixels, float *dz,
                      pool *pool);
void softmax_forward_reference(const float *z, size_t classes, size_t pixels, float *p);

#endif
