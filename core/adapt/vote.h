/* vote: sliding-window voting of TPLD's phase 1 (algorithms.md 4.3; paper sec. 4.1, eq. (4)).
 * Unlabelled pixels take the better of their two top classes when a weighted sum of their own r
 * and the pooled r of labelled neighbours of that class exceeds 1. Cost does not depend on the
 * window: summed-area tables (sum, mean, box) or running maxima (max). */
#ifndef TP_ADAPT_VOTE_H
#define TP_ADAPT_VOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"

typedef enum vote_pool { VOTE_SUM, VOTE_MEAN, VOTE_BOX, VOTE_MAX } vote_pool;
typedef enum vote_alpha_on { VOTE_ALPHA_ORIGINAL, VOTE_ALPHA_POOLED } vote_alpha_on;
typedef enum vote_rank { VOTE_TOP2_BY_R, VOTE_TOP2_BY_P } vote_rank;
typedef enum vote_border { VOTE_BORDER_CLIP, VOTE_BORDER_ZERO } vote_border; /* box: which area */

typedef struct vote_spec {
	size_t window;       /* odd, 1..401 pixels */
	size_t iterations;   /* 0 switches voting off; the paper's figure shows 3 */
	float alpha;         /* 0.7 */
	vote_alpha_on alpha_on; /* original: s = alpha r + (1-alpha) P; pooled: the weights swapped */
	vote_pool pool;      /* sum: sum of neighbours' v; mean: / their number; box: / window area */
	vote_rank rank;
	bool reuse_voted;    /* voted pixels vote in later iterations (default true) */
	vote_border border;
} vote_spec;

/* Bytes of scratch memory vote_run needs. */
size_t vote_scratch(const vote_spec *spec, size_t classes, size_t h, size_t w);

/* p planar [K][h*w], lambda [K]; label [h*w] holds pseudo_confident's result on entry and the
 * densified labels on return. Labelled pixels never change. Synchronous iterations. */
void vote_run(const vote_spec *spec, const float *p, const float *lambda, size_t classes, size_t h,
              size_t w, uint8_t *label, void *scratch, pool *pool);

/* Plain loops over the window, for tests. */
void vote_run_reference(const vote_spec *spec, const float *p, const float *lambda, size_t classes,
                        size_t h, size_t w, uint8_t *label, void *scratch);

#endif
