/* calibrate: statistics for the frozen batch norms of a network that starts from random weights.
 *
 * DeepLab trains with frozen batch norms, which presumes that somebody measured their mean and
 * variance: normally ImageNet training. A network without such weights would run un-normalised for
 * ever. So, before its first step, mean and variance of every batch norm are measured on a few
 * source images, layer by layer from the input, each behind the layers already measured (as in
 * data-dependent initialisation; not in the papers, which never start from random weights). */
#ifndef TP_TRAIN_CALIBRATE_H
#define TP_TRAIN_CALIBRATE_H

#include "net/exec.h"

typedef struct calibration {
	const graph *net;
	const float *const *input; /* images, each [h][w][channels of the input] */
	size_t images, h, w;
	pool *pool;
	const atomic_int *stop;
} calibration;

/* Changes the BN_MEAN and BN_VAR parameters in `values`, nothing else. The same inputs give the same
 * bits for any number of threads. TP_CANCELLED when *stop was set; values are then half-measured. */
tp_status calibrate_batch_norms(const calibration *c, float *values, tp_err *err) TP_MUST_CHECK;

#endif
