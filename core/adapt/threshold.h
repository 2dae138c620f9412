/* threshold: class-balanced thresholds lambda_k of CBST (algorithms.md 1.2).
 *
 * lambda_k is the confidence of the m-th most confident pixel among those predicted as k, m =
 * floor(n_k * portion); 1.0 when m = 0. Instead of sorting, counts over bins of (0, 1]; the answer
 * is the lower edge of the bin that holds the m-th value. Bins exclude their lower edge, so
 * lambda_k < m-th value <= lambda_k + 2^-16: the strict rule r > 1 keeps that pixel, as the
 * released code does (it keeps equality), even at 1.0. Confidences crowd towards 1, where bins
 * of 2^-16 would select far more than the portion, so they shrink to 2^-24, the spacing of
 * floats there. Integer counts: the order of images does not matter. */
#ifndef TP_ADAPT_THRESHOLD_H
#define TP_ADAPT_THRESHOLD_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* With q = 2^24 - ceil(2^24 conf): one bin per q below 2^8, 256 bins per octave from 2^8 to 2^16,
 * and bins of 2^8 above. */
enum { CONF_BINS = 256 + 8 * 256 + (65536 - 256) };

typedef struct conf_hist {
	size_t classes;
	uint64_t *bin;       /* [classes][CONF_BINS]: sub-sampled pixels predicted as k */
	uint64_t *predicted; /* [classes]: all pixels predicted as k */
} conf_hist;

/* Zeroed counters, 1 <= classes <= 256, about 0.5 MiB a class; released by conf_hist_done (which
 * takes a zeroed struct too). TP_NOMEM, TP_INVALID. */
tp_status conf_hist_init(size_t classes, conf_hist *ret, tp_err *err) TP_MUST_CHECK;
void conf_hist_done(conf_hist *h);
/* Adds one image: of each class every stride-th predicted pixel in row-major order, starting with
 * the first (stride >= 1 restarts for every image and class; CRST uses 4). pred and conf come from
 * probs_argmax; a pred that is no class is skipped. One thread at a time. */
void conf_hist_add(conf_hist *h, const uint8_t *pred, const float *conf, size_t pixels,
                   size_t stride);
/* lambda[classes] in (0, 1]. 0 < portion <= 1. */
void conf_hist_thresholds(const conf_hist *h, double portion, float *lambda);
/* The same with one lambda for all classes, the confidence of the m-th most confident of all pixels (the
 * paper's ancestor of class balance: plain self-training). */
void conf_hist_global_threshold(const conf_hist *h, double portion, float *lambda);

typedef enum threshold_kind { THRESHOLD_CLASS, THRESHOLD_GLOBAL } threshold_kind;

/* Portion of a round counted from 0 (1.2): min(max, initial + step * round). */
double portion_of_round(double initial, double step, double max, size_t round);

/* CRST's mine_id (1.6): the classes whose share of all predicted pixels is below `limit`, ascending
 * by share (ties: lower id); returns how many were written to ids[classes], 0 when nothing was
 * predicted at all. Classes never predicted count, as in the released code (they cannot occur in
 * a pseudo label, so they are harmless). */
size_t rare_classes(const conf_hist *h, double limit, uint8_t *ids);

#endif
