/* confidence: one number that says how well an image is understood (algorithms.md 5.1, eq. (6)):
 *   conf_t = (1/K') sum_{k: N_k > 0} (N*_k / N_k) (1 / lambda_k)
 * N_k pixels predicted as k (argmax p), N*_k those of them with p_k > lambda_k, K' the number of
 * classes predicted in the image. */
#ifndef TP_ADAPT_CONFIDENCE_H
#define TP_ADAPT_CONFIDENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct image_confidence {
	double score;                /* conf_t; 0 when nothing is predicted */
	double per_class[256];       /* N*_k/N_k, or -1 when the class is not predicted */
	uint64_t predicted[256];     /* N_k */
	uint64_t confident[256];     /* N*_k */
	double mean_entropy;         /* mean over pixels of entropy / ln K (5.7); 0 when K = 1 */
	double class_entropy[256];   /* sum of the same over the pixels predicted as k */
} image_confidence;

/* p planar [K][P], 1 <= K <= 256, lambda [K] in (0, 1]. use_inverse_lambda false drops the 1/lambda
 * factor (the ablation). One thread, any thread; entries of *ret beyond K are 0 (-1 in per_class).
 * Cannot fail. */
void image_confidence_of(const float *p, const float *lambda, size_t classes, size_t pixels,
                         bool use_inverse_lambda, image_confidence *ret);

#endif
