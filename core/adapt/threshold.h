/* threshold: class-balanced thresholds lambda_k of CBST (algorithms.md 1.2).
 *
 * lambda_k is the confidence of the m-th most confident pixel among those predicted as k, m =
 * floor(n_k * portion); 1.0 when m = 0. Instead of sorting, counts over 65 536 bins of [0, 1]; the
 * answer is the lower edge of the bin that holds the m-th value, exact to 1/65536. Integer
 * counts: the order of images does not matter. */
#ifndef TP_ADAPT_THRESHOLD_H
#define TP_ADAPT_THRESHOLD_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { CONF_BINS = 65536 };

typedef struct conf_hist {
	size_t classes;
	uint64_t *bin;       /* [classes][CONF_BINS]: sub-sampled pixels predicted as k */
	uint64_t *predicted; /* [classes]: all pixels predicted as k */
} conf_hist;

tp_status conf_hist_init(size_t classes, conf_hist *ret, tp_err *err) TP_MUST_CHECK;
void conf_hist_done(conf_hist *h);
/* Adds one image: of each class every stride-th predicted pixel in row-major order, starting with
 * the first (stride restarts for every image and class; CRST uses 4). */
void conf_hist_add(conf_hist *h, const uint8_t *pred, const float *conf, size_t pixels,
                   size_t stride);
/* lambda[classes] in (0, 1]. 0 < portion <= 1. */
void conf_hist_thresholds(const conf_hist *h, double portion, float *lambda);

/* Portion of a round: min(max, initial + step * round). */
double portion_of_round(double initial, double step, double max, size_t round);

/* CRST's mine_id (1.6): classes whose share of predicted pixels is > 0... < limit, ascending by
 * share; returns how many were written to ids[classes]. Classes never predicted count too, as in
 * the released code (they cannot occur in a pseudo label, so they are harmless). */
size_t rare_classes(const conf_hist *h, double limit, uint8_t *ids);

#endif
