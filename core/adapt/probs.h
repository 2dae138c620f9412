/* probs: stored logits -> full-resolution probabilities (algorithms.md 1.2 step 2).
 *
 * Scoring keeps, per target image and round, only the network's logits at output resolution
 * (planar [K][h][w]), and those of the mirrored image when flips are averaged. These functions turn
 * them into p [K][H*W] the same way everywhere (thresholds, labels, .npy download, soft labels in
 * the loader), so all see the very same bits. */
#ifndef TP_ADAPT_PROBS_H
#define TP_ADAPT_PROBS_H

#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"
#include "base/status.h"

typedef struct logit_map {
	size_t classes, h, w;  /* output resolution of the network */
	size_t full_h, full_w; /* of the image */
	const float *plain;    /* [K][h][w] */
	const float *mirrored; /* [K][h][w] of the mirrored image, not mirrored back; or NULL */
} logit_map;

/* Floats of scratch memory: as many as p has when there is a mirrored map, else 0 (scratch may then
 * be NULL). */
size_t probs_scratch(const logit_map *m);
/* p: [K][full_h*full_w]. Bilinear (align_corners) on the logits, softmax, then the mean of the two
 * PROBABILITY maps. Any thread that owns the pool; cannot fail. */
void probs_from_logits(const logit_map *m, float *p, float *scratch, pool *pool);

/* agree [full_h*full_w]: 1 where the image and its mirror image have the same likeliest class, else 0.
 * m->mirrored must be there. scratch [K][full_h*full_w] and other [full_h*full_w] hold nothing of use
 * afterwards. */
void probs_flips_agree(const logit_map *m, uint8_t *agree, float *scratch, uint8_t *other, pool *pool);

/* pred[x] = argmax_k p (ties: lowest k), conf[x] = max_k p; conf may be NULL. classes <= 255. */
void probs_argmax(const float *p, size_t classes, size_t pixels, uint8_t *pred, float *conf,
                  pool *pool);

#endif
