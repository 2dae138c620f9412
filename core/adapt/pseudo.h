/* pseudo: probabilities and thresholds -> labels (algorithms.md 1.3, 2.2, 5.3). r_k = p_k/lambda_k.
 * All maps have P pixels; p is planar [K][P], K <= 255; lambda[K] lies in (0, 1]; labels are train
 * ids, LABEL_NONE = 255. Since r is a correctly rounded quotient, r > 1 exactly where p > lambda.
 * Any thread that owns the pool; nothing here can fail. */
#ifndef TP_ADAPT_PSEUDO_H
#define TP_ADAPT_PSEUDO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"
#include "loss/pixel.h" /* LABEL_NONE */

/* Where a pixel's final label comes from. Stored in `origin` maps. */
typedef enum label_origin {
	ORIGIN_NONE = 0,
	ORIGIN_CONFIDENT = 1, /* r > 1 */
	ORIGIN_VOTED = 2,     /* by sliding-window voting */
	ORIGIN_SOFT = 3,      /* easy image: weight (p/lambda)^gamma */
} label_origin;

/* CBST: label = argmax_k r_k (ties: lowest k) where r > 1, else none (1.3; the paper's strict
 * inequality). r_max may be NULL, else receives max_k r_k. */
void pseudo_confident(const float *p, const float *lambda, size_t classes, size_t pixels,
                      uint8_t *label, float *r_max, pool *pool);

/* LRENT (2.2): yhat_k = r_k^(1/alpha) / Z where Z = sum_j r_j^(1/alpha) > 1, else the zero vector;
 * alpha > 0 (CRST: 0.25). soft [K][P] may be p itself. */
void pseudo_lrent(const float *p, const float *lambda, float alpha, size_t classes, size_t pixels,
                  float *soft, pool *pool);

/* Easy images (5.3, eq. (7)): label = argmax_k r_k everywhere; weight 1 where r > 1,
 * else r^gamma; gamma >= 0 (2 in the paper). */
void pseudo_easy(const float *p, const float *lambda, float gamma, size_t classes, size_t pixels,
                 uint8_t *label, float *weight, pool *pool);

#endif
