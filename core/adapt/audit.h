/* audit: what a round's predictions and labels look like next to the round before, next to the mirrored
 * pass, and, where somebody knows it, next to the truth. For people only: nothing learns from it.
 * Whole counts, added image by image; the order of images shows in the last bits of the entropy alone.
 *
 * Voting adds labels, so it has to be compared with the plain way to more labels: lowering the threshold
 * until as many pixels are labelled (algorithms.md 4.4). audit_ranking counts the pixels with a truth by
 * class argmax r and by p there, which within a class is the order of r = p/lambda;
 * audit_threshold_accuracy takes the best of them. Bins hold 1 - p to 1/128 of itself, from 2^-24 (the
 * spacing of floats below 1) to 1, so the crowd near p = 1, r = 1/lambda, stays apart. What is
 * inexact: the bin in which the count ends is taken as a mix of its pixels, and between classes pixels
 * are in order only up to the width of a bin. Equal values (many are exactly 1) have no order anyway.
 *
 * Maps are [pixels]; a prediction or label that is no class (LABEL_NONE) is none. One thread at a time. */
#ifndef TP_ADAPT_AUDIT_H
#define TP_ADAPT_AUDIT_H

#include "adapt/confidence.h"
#include "adapt/probs.h"
#include "adapt/pseudo.h"
#include "base/status.h"

/* One bin for p = 1, 24 octaves of 128, one for p = 0. */
enum { AUDIT_BINS = 1 + 24 * 128 + 1, AUDIT_ORIGINS = 3, AUDIT_ALL = -1 };

/* Labels of one class and origin. */
typedef struct audit_label {
	uint64_t pixels, truth, right; /* labelled; of those, with a truth; of those, equal to it */
} audit_label;

typedef struct audit_class {
	uint64_t predicted; /* pixels predicted as the class */
	double entropy;     /* sum over them of the entropy / ln K */
	uint64_t same, either; /* where there is an earlier prediction: both say the class; one does */
	uint64_t base;         /* pixels predicted as the class in the images of audit_labels */
	audit_label label[AUDIT_ORIGINS]; /* by label_origin - 1 */
} audit_class;

/* A pair of maps: pixels where both have a class, and where it is the same. */
typedef struct audit_match {
	uint64_t both, same;
} audit_match;

typedef struct audit {
	size_t classes;
	audit_class *of;     /* [classes] */
	uint64_t (*bin)[2];  /* [classes][AUDIT_BINS]: pixels, and how many of them are right */
	audit_match earlier; /* predictions of this round and the one before */
	audit_match labels;  /* final labels of this round and the one before */
	audit_match flip;    /* predictions of the two passes */
	uint64_t truth;      /* pixels with a truth in the images of audit_labels */
} audit;

/* Zeroed counters, 1 <= classes <= 255, about 50 KiB a class; released by audit_done (which takes a
 * zeroed struct too). TP_NOMEM, TP_INVALID. */
tp_status audit_init(size_t classes, audit *ret, tp_err *err) TP_MUST_CHECK;
void audit_done(audit *a);
/* Bytes that audit_init takes. */
size_t audit_bytes(size_t classes);

/* An image's prediction and what image_confidence_of said of it; `before`: the prediction of the round
 * before, or NULL. */
void audit_predictions(audit *a, const uint8_t *now, const uint8_t *before,
                       const image_confidence *c, size_t pixels);

/* Whether the two passes agree, by the argmax of the logits where the network gives them (its output
 * resolution: between those pixels logits are interpolated). Nothing without a mirrored map. */
void audit_flip(audit *a, const logit_map *m);

/* An image's final labels with their origin; `before`: the final labels of the round before, or NULL;
 * `truth`: train ids, LABEL_NONE where nobody knows, or NULL. */
void audit_labels(audit *a, const uint8_t *prediction, const uint8_t *final, const uint8_t *origin,
                  const uint8_t *before, const uint8_t *truth, size_t pixels);

/* The same image's pixels with a truth by r; p planar [classes][pixels]. */
void audit_ranking(audit *a, const float *p, const float *lambda, const uint8_t *truth,
                   size_t pixels);

/* Sum over origins. */
audit_label audit_label_sum(const audit_class *c);

/* Accuracy of as many labels as are confident or voted and have a truth, taken by descending r from the
 * pixels of audit_ranking: of class k from those with argmax r = k (all of them where voting made more
 * labels than there are), of AUDIT_ALL from all. lambda as in audit_ranking. -1 when there are no
 * such labels. */
double audit_threshold_accuracy(const audit *a, const float *lambda, int k);

#endif
