/* norms: statistics for batch norms that training leaves frozen.
 *
 * DeepLab trains with frozen batch norms, which presumes that somebody measured their mean and variance on
 * images like these: normally ImageNet training. Two cases need more:
 *
 * calibrate  a network from random weights would run un-normalised for ever, so mean and variance are
 *            measured on a few source images before its first step (as in data-dependent initialisation;
 *            not in the papers, which never start from random weights).
 * align      a network trained on the source meets activations of another distribution on the target. Its
 *            norms are moved so that what they put out on the target is distributed as it was on the source
 *            (algorithms.md 9.1): with s, t the mean and variance of a norm's input over images of source
 *            and target, and m = (1-a) s + a t,
 *              scale' = scale sd_s / sd_m,   shift' = shift + scale mu_s - scale' mu_m,
 *            written as another mean and variance, so that the result is a network like any other.
 *
 * Both go layer by layer from the input, each behind the layers already set; the source is measured with the
 * norms it has. A layer is measured by a pass through all layers before it, so the time grows with the square
 * of the depth. The same inputs give the same bits for any number of threads. TP_CANCELLED when *stop was
 * set; values are then half-measured. */
#ifndef TP_TRAIN_NORMS_H
#define TP_TRAIN_NORMS_H

#include "net/exec.h"

/* Images, each [h][w][channels of the network's input]. */
typedef struct norm_inputs {
	const float *const *image;
	size_t count;
} norm_inputs;

typedef struct norm_spec {
	const graph *net;
	size_t h, w;
	pool *pool;
	const atomic_int *stop;
} norm_spec;

/* This and norms_align change the BN_MEAN and BN_VAR parameters in `values`, nothing else. */
tp_status norms_calibrate(const norm_spec *spec, const norm_inputs *source, float *values,
                          tp_err *err) TP_MUST_CHECK;

enum { NORMS_MAX_CLASSES = 256 };

/* Is an aligned network better? Without labels nobody knows, but two things tell: how much of what is predicted
 * overall it changes, and whether the network agrees better or worse with itself on mirrored images. Where only style
 * differs, alignment changes little, or much for the better; where it has moved class evidence, it changes much and
 * the network agrees less with itself. */
typedef struct norm_predictions {
	double share[NORMS_MAX_CLASSES]; /* of the outputs (at the network's resolution) predicted as each class */
	double mirror_change;            /* share of the outputs whose class the mirrored image does not get there */
} norm_predictions;

/* Does not change `values`. */
tp_status norms_predict(const norm_spec *spec, const norm_inputs *in, const float *values, norm_predictions *ret,
                        tp_err *err) TP_MUST_CHECK;

typedef struct norm_outcome {
	double shift;  /* half the sum of the changes of the predicted shares */
	double mirror; /* mirror_change after it by that before it; 1 where that was 0 */
	bool kept;     /* else `values` are as they were */
} norm_outcome;

/* Harmful by all that can be seen: the predictions move a lot and the network does not agree clearly better with
 * itself, or it agrees much worse. The limits lie in the gaps between what helped and what harmed on six pairs of
 * domains, with a = 0.5 and 32 crops; docs/results.md has the source models, and two where they err. */
bool norms_doubtful(double shift, double mirror);

/* Aligns by a; check: takes it back where that looks harmful. */
tp_status norms_align(const norm_spec *spec, const norm_inputs *source, const norm_inputs *target, double a,
                      bool check, float *values, norm_outcome *ret, tp_err *err) TP_MUST_CHECK;
/* What that keeps of the source, beside the network's own memory. */
size_t norms_align_bytes(const graph *net);

#endif
