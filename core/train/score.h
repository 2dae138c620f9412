/* score: target images through the network, and the method on what comes out: logits (kept), counts
 * for the thresholds, labels, voting, confidence. And evaluation on labelled images.
 * The one place where networks (net/) and self-training (adapt/) meet.
 *
 * Buffers grow to the largest image seen; execs are rebuilt when the image size changes. */
#ifndef TP_TRAIN_SCORE_H
#define TP_TRAIN_SCORE_H

#include <stdatomic.h>

#include "adapt/confidence.h"
#include "adapt/probs.h"
#include "adapt/pseudo.h"
#include "adapt/threshold.h"
#include "data/image.h"
#include "net/exec.h"
#include "train/recipe.h"

typedef struct scorer scorer;

typedef struct scorer_spec {
	const recipe *recipe;
	const graph *net;    /* borrowed */
	const float *values; /* borrowed, unchanged while the scorer lives */
	size_t classes;
	input_norm norm;
	pool *pool;
	const atomic_int *stop;
} scorer_spec;

/* Networks stay bound to at most so many image sizes: images of a data set come in few, evaluation
 * scales multiply them. */
enum { SCORER_EXECS = 4 };

/* Width and height of an image, pixels. */
typedef struct image_size {
	size_t w, h;
} image_size;

/* Bytes that a scorer takes for images of these sizes, one after the other: for scorer_predict, or
 * for scorer_logits, scorer_count and the labels. `values` is not read. */
tp_status scorer_measure(const scorer_spec *spec, const image_size *size, size_t sizes,
                         bool predict, size_t *ret_bytes, tp_err *err) TP_MUST_CHECK;
tp_status scorer_create(const scorer_spec *spec, scorer **ret, tp_err *err) TP_MUST_CHECK;
void scorer_free(scorer *s);

/* Logits of one target image at output resolution, mirrored image too when the recipe averages flips;
 * valid until the next call. TP_NONFINITE when a logit is NaN or infinite. */
tp_status scorer_logits(scorer *s, const image *img, logit_map *ret, tp_err *err) TP_MUST_CHECK;
/* Mixes the previous round's logits of the image into those that scorer_logits just returned:
 * z = m before + (1 - m) z with the recipe's label_momentum m. TP_INVALID when they are not of the same shape. */
tp_status scorer_steady(scorer *s, const logit_map *m, const logit_map *before, tp_err *err) TP_MUST_CHECK;

/* Adds an image to the counts behind the thresholds. */
tp_status scorer_count(scorer *s, const logit_map *m, conf_hist *hist, tp_err *err) TP_MUST_CHECK;

/* Everything a round says of one image; the maps are valid until the next call. */
typedef struct scored_image {
	size_t w, h;
	const uint8_t *prediction, *confidence; /* argmax p; round(255 max p) */
	const uint8_t *confident, *voted, *final, *origin;
	const float *prob;      /* p [K][h*w], which they were made from */
	const uint16_t *weight; /* round(65535 w), easy images of phase 2 only, else NULL */
	image_confidence score;
	double share[4];        /* by label_origin: none, confident, voted, soft; sum 1 */
} scored_image;
/* What voting needs beyond logits and thresholds when the recipe says so; borrowed. */
typedef struct vote_aid {
	const image *image;    /* for color_distance, else NULL; of the size the logits belong to */
	const conf_hist *hist; /* of all images, for rare_share; else NULL */
} vote_aid;
/* Does the recipe's voting look at colours? */
bool scorer_needs_image(const recipe *r);

/* aid may be NULL. TP_INVALID when the recipe's voting needs something that is not there: a member of
 * it, or the mirrored logits. */
tp_status scorer_label(scorer *s, const logit_map *m, const float *lambda, const vote_aid *aid,
                       scored_image *ret, tp_err *err) TP_MUST_CHECK;
/* Full pseudo labels of an easy image (phase 2): final, origin, weight and share differ. */
tp_status scorer_label_easy(scorer *s, const logit_map *m, const float *lambda, const vote_aid *aid,
                            scored_image *ret, tp_err *err) TP_MUST_CHECK;

/* Prediction of a labelled image by the evaluation's protocol (scales, flip; logits averaged at the
 * image's size), valid until the next call. */
tp_status scorer_predict(scorer *s, const image *img, const uint8_t **ret, tp_err *err) TP_MUST_CHECK;
/* Probabilities [K][h*w] of one forward pass at the image's own size (inference). */
tp_status scorer_probabilities(scorer *s, const image *img, const float **ret, tp_err *err) TP_MUST_CHECK;

#endif
