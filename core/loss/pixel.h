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
 *   label, weight NULL: one-hot (zero vector where label is LABEL_NONE or no class at all)
 *   label and weight:   weight[x] at the label's class, else 0 (easy images, eq. (7))
 *   soft:               yhat[k][x] itself; an all-zero pixel is unlabelled; label is ignored */
typedef struct pixel_target {
	const uint8_t *label; /* [P] */
	const float *weight;  /* [P] or NULL */
	const float *soft;    /* [K][P] or NULL */
} pixel_target;

/* The regulariser r_c of one labelled pixel (2) and its gradient; reg_scale multiplies both:
 *   MRKLD  -(1/K) sum log p_k     p_j - 1/K
 *   MRENT  sum p_k log p_k        p_j (log p_j - sum p_k log p_k)
 *   MRL2   sum p_k^2              2 p_j (p_j - sum p_k^2)
 * LRENT acts on the label (adapt/pseudo.h), so it adds nothing here. */
typedef enum regularizer { REG_NONE, REG_MRKLD, REG_LRENT, REG_MRENT, REG_MRL2 } regularizer;

/* The label term of one labelled pixel:
 *   plain      -sum yhat_k log p_k            p_j sum yhat_k - yhat_j
 *   bootstrap  w_k = beta yhat_k + (1-beta) r_k (3; paper eq. (3)):
 *              -sum w_k log r_k               p_j sum w_k - w_j   (w held constant)
 *                                             - (1-beta) (r_j log r_j - p_j sum r_k log r_k)
 *                                             (added by through_weight)
 * Logarithms come from the log-softmax, so finite logits need no floor. */
typedef struct pixel_loss_spec {
	float scale;       /* of the label term: 1 / labelled pixels of the whole batch (2.1) */
	regularizer reg;
	float reg_scale;   /* effective coefficient / labelled target pixels of the batch */
	bool bootstrap;
	float beta;
	bool through_weight; /* differentiate r inside w_k too (default off) */
	const float *lambda; /* [K], each in (0, 1]; needed when bootstrap */
} pixel_loss_spec;

typedef struct pixel_loss_result {
	double loss; /* label_term + reg_term */
	double label_term, reg_term; /* already scaled */
} pixel_loss_result;

/* Labelled pixels of a target: those whose yhat is not the zero vector. */
size_t pixel_target_count(const pixel_target *t, size_t classes, size_t pixels);

/* Writes dz = d loss / d z ([K][P], overwritten; may be z itself). 1 <= classes <= MAX_CLASSES.
 * Sums in double over a fixed chunk grid: the same bits for any number of threads. Unlabelled
 * pixels give gradient 0, and so does everything when no pixel is labelled. NaN or infinity in z,
 * labelled pixel or not, shows up as NaN in the loss. Any thread that owns the pool. */
pixel_loss_result pixel_loss(const float *z, size_t classes, size_t pixels, const pixel_target *t,
                             const pixel_loss_spec *spec, float *dz, pool *pool);

/* The formulas one pixel at a time in double, for tests: the pixel's unscaled label term and
 * regulariser (REG_LRENT and REG_NONE give 0) and their gradients g_label[K], g_reg[K]. */
void pixel_loss_reference(const double *z, size_t classes, const double *yhat,
                          const pixel_loss_spec *spec, double *ret_label, double *ret_reg,
                          double *g_label, double *g_reg);

#endif
