/* vote: sliding-window voting of TPLD's phase 1 (algorithms.md 4.3; paper sec. 4.1, eq. (4)).
 * An unlabelled pixel takes the better of its two top classes when a weighted sum of its own r
 * and the pooled value v of labelled neighbours of that class exceeds 1; v is r for a confident
 * pixel and the score for a voted one. Cost does not depend on the window: sliding sums
 * (sum, mean, box) and running maxima (max). Only where neighbours are chosen by colour it grows
 * with the window's area. */
#ifndef TP_ADAPT_VOTE_H
#define TP_ADAPT_VOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"

typedef enum vote_pool { VOTE_SUM, VOTE_MEAN, VOTE_BOX, VOTE_MAX } vote_pool;
typedef enum vote_alpha_on { VOTE_ALPHA_ORIGINAL, VOTE_ALPHA_POOLED } vote_alpha_on;
typedef enum vote_rank { VOTE_TOP2_BY_R, VOTE_TOP2_BY_P } vote_rank;
/* Windows end at the image border; what `box` then divides by: the clipped or the full area. */
typedef enum vote_border { VOTE_BORDER_CLIP, VOTE_BORDER_ZERO } vote_border;
/* What is summed: r, and the score must exceed 1; or p, and it must exceed lambda. */
typedef enum vote_value { VOTE_OF_R, VOTE_OF_P } vote_value;
/* Weight of a neighbour dy, dx away, with R = (window - 1) / 2: 1, or
 * (1 - |dy|/(R+1)) (1 - |dx|/(R+1)), which is 1 at the pixel itself. */
typedef enum vote_kernel { VOTE_FLAT, VOTE_TRIANGLE } vote_kernel;

/* Choosing neighbours by colour looks at each of them: with larger windows it would take longer than a
 * small network. The recipe refuses them; vote_run does not care. */
enum { VOTE_COLOR_WINDOW_MAX = 25 };

/* Zero in the fields from `value` on is the plain reading. */
typedef struct vote_spec {
	size_t window;       /* odd, 1..401 pixels */
	size_t iterations;   /* 0 switches voting off; the paper's figure shows 3 */
	float alpha;         /* 0.7 */
	vote_alpha_on alpha_on; /* original: s = alpha r + (1-alpha) P; pooled: the weights swapped */
	vote_pool pool;      /* sum: sum of neighbours' v; mean: / their number; box: / window area */
	vote_rank rank;
	bool reuse_voted;    /* voted pixels vote in later iterations (default true); without it
	                      * every iteration sees the same voters, so one is enough */
	vote_border border;
	vote_value value;
	vote_kernel kernel;  /* triangle: weights instead of ones in sums, numbers and areas alike; max
	                      * has no use for weights and ignores it */
	size_t color_distance; /* 1..255: only neighbours vote whose red, green and blue each differ by
	                      * no more; box divides by the whole window still. 0: all vote */
	double rare_share;   /* classes with less than this share of predicted pixels ... 0: none */
	size_t window_rare;  /* ... look for votes in this window; odd, 1..401 */
	bool flips_agree;    /* pixels on whose class the two passes disagree are never voted on */
} vote_spec;

/* What is voted on. The last three may be NULL; what the spec asks of them is then as if it did not
 * ask. */
typedef struct vote_image {
	const float *p;        /* planar [K][h*w] */
	const float *lambda;   /* [K], in (0, 1] */
	size_t classes, h, w;  /* classes <= 255 */
	const uint8_t *rgb;    /* [h*w][3], for color_distance */
	const bool *rare;      /* [K], for rare_share: which classes are */
	const uint8_t *agree;  /* [h*w], for flips_agree: 0 where the passes differ */
} vote_image;

/* Arithmetic is in integers, so that the result depends neither on the order of sums nor on the
 * machine: r, p and v are rounded to 2^-20, alpha to 2^-16, v' to 2^-20 downwards, weighted sums too.
 * v saturates at 256 (the largest 1/lambda there can be); with pool = sum and large windows, votes of
 * voted pixels would otherwise grow by orders of magnitude with every iteration. */

/* Bytes of scratch memory vote_run and vote_run_reference need: 15 a pixel (35 for max), and
 * at most 12 * 16 * classes * w for the sliding windows, three times that for triangles. It depends
 * on the window, too. */
size_t vote_scratch(const vote_spec *spec, size_t classes, size_t h, size_t w);

/* label [h*w] holds pseudo_confident's result on entry and the densified labels on return. Labelled
 * pixels never change. Synchronous iterations. Of the two classes whose scores are high enough the
 * larger wins; of equal scores the class with more labelled neighbours (by weight), then the higher
 * ranked one. scratch: vote_scratch bytes, TP_ALIGN-aligned. Any thread that owns the pool; cannot
 * fail. */
void vote_run(const vote_spec *spec, const vote_image *image, uint8_t *label, void *scratch,
              pool *pool);

/* The same by plain loops over the window, for tests: equal bit for bit. */
void vote_run_reference(const vote_spec *spec, const vote_image *image, uint8_t *label,
                        void *scratch);

#endif
