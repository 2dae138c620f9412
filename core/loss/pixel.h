/* pixel: the losses of one image on planar logits z [K][P], P pixels, and their gradients.
 * Sources: algorithms.md 2 (CRST regularisers), 2.1 (normalisation), 2.2 (soft labels),
 * 3 (bootstrapping), 5.3 (weighted labels). p = softmax(z), r_k = p_k / lambda_k. */
#ifndef TP_LOSS_PIXEL_H
#define TP_LOSS_PIXEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"
#include "base/status.h"

enum { LABEL_NONE = 255 };

/* What each pixel should be: the vector yhat of the paper.
 *   label, weight NULL: one-hot (zero vector where label is LABEL_NONE)
 *   label and weight:   weight[x] at the label's class, else 0 (easy images, eq. (7))
 *   soft:               yhat[k][x] itself; an all-zero pixel is unlabelled; label is ignored */
typedef struct pixel_target {
	const uint8_t *label; /* [P] */
	const float *weight;  /* [P] or NULL */
	const float *soft;    /* [K][P] or NULL */
} pixel_target;

typedef enum regularizer { REG_NONE, REG_MRKLD, REG_LRENT, REG_MRENT, REG_MRL2 } regularizer;

typedef struct pixel_loss_spec {
	float scale;       /* of the label term: 1 / labelled pixels of the whole batch (2.1) */
	regularizer reg;   /* on labelled pixels; LRENT changes the label, so adds nothing here */
	float reg_scale;   /* effective coefficient / labelled target pixels of the batch */
	bool bootstrap;    /* section 3: w_k = beta yhat_k + (1-beta) r_k, loss -sum w_k log r_k */
	float beta;
	bool through_weight; /* differentiate r inside w_k too (default off: weight held constant) */
	const float *lambda; /* [K], needed when bootstrap */
} pixel_loss_spec;

typedef struct pixel_loss_result {
	double loss;        /* label term + regulariser, already scaled */
	double label_term, reg_term;
} pixel_loss_result;

/* Labelled pixels of a target: those whose yhat is not the zero vector. */
size_t pixel_target_count(const pixel_target *t, size_t classes, size_t pixels);

/* Writes dz = d loss / d z ([K][P], overwritten; may alias z). Sums in double over a fixed chunk
 * grid. Unlabelled pixels give gradient 0. NaN in z shows up as NaN in the loss. */
pixel_loss_result pixel_loss(const float *z, size_t classes, size_t pixels, const pixel_target *t,
                             const pixel_loss_spec *spec, float *dz, pool *pool);

/* The formulas one pixel at a time in double, for tests: loss contribution of a pixel (unscaled
 * label term, unscaled regulariser) and their gradients g_label[K], g_reg[K]. */
void pixel_loss_reference(const double *z, size_t classes, const double *yhat,
                          const pixel_loss_spec *spec, double *ret_label, double *ret_reg,
                          double *g_label, double *g_reg);

#endif
