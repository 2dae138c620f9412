/* step: one training step: forward, loss, backward over the samples of a batch, update.
 *
 * source training  cross-entropy on source samples
 * entropy training (algorithms.md 5.4)  cross-entropy on source samples; then the target sample's entropy
 *                  is lowered, or its self-information pushed towards the source's by the discriminator,
 *                  which learns as in phase 2, source = 1 and target = 0
 * phase 1 (eq. 5)  cross-entropy on source samples, bootstrapped loss (or plain cross-entropy) and the
 *                  CRST regulariser on target samples; normalised over the batch (algorithms.md 2.1)
 *                  With online labels the teacher first labels each target sample's clean input, all pixels
 *                  alike, before the network sees it pasted over and coloured
 * phase 2 (eq. 8-10)  cross-entropy on source and bootstrapped loss on easy samples, no regulariser;
 *                  then the hard sample's self-information is pushed towards "easy" by the
 *                  discriminator, then the discriminator learns easy = 1 from the first easy sample
 *                  of the step and hard = 0 (order as in 5.5)
 * Nothing is allocated after stepper_create. Gradients of a step are summed in one block before one
 * update, so that ranks can be added there later. */
#ifndef TP_TRAIN_STEP_H
#define TP_TRAIN_STEP_H

#include <stdatomic.h>

#include "data/loader.h"
#include "net/exec.h"
#include "train/state.h"

typedef struct stepper stepper;

typedef struct stepper_spec {
	const recipe *recipe;
	phase phase;          /* a training phase */
	size_t steps;         /* of the stage, for the schedule */
	bool unlabelled;      /* one more slot with an image without labels: hard (phase 2), or target */
	train_state *state;   /* borrowed, updated */
	const float *lambda;  /* [classes] of the round; NULL in source training */
	pool *pool;
	const atomic_int *stop;
} stepper_spec;

typedef struct step_result {
	double loss;      /* what was minimised on labelled pixels: label term + regulariser */
	double label_term, reg_term;
	double adversarial, discriminator; /* of the unlabelled sample, else 0 */
	double entropy;   /* mean normalised entropy of the target sample (minent), else 0 */
	double lr;
	double labelled_share; /* of the batch's pixels */
} step_result;

/* Bytes stepper_create would allocate. */
tp_status stepper_measure(const stepper_spec *spec, size_t *ret_bytes, tp_err *err) TP_MUST_CHECK;
tp_status stepper_create(const stepper_spec *spec, stepper **ret, tp_err *err) TP_MUST_CHECK;
void stepper_free(stepper *s);
/* Runs step state->step with samples[slots], whose online labels it fills in, and advances it. TP_NONFINITE: loss or gradients are not
 * finite; nothing was updated. TP_CANCELLED: *stop was set; nothing was updated. */
tp_status stepper_run(stepper *s, const sample *samples, step_result *ret, tp_err *err) TP_MUST_CHECK;
/* For profiles: see exec_set_probe. Borrowed until stepper_free. */
exec *stepper_exec(stepper *s);
/* NULL when the steps are not adversarial. */
exec *stepper_discriminator(stepper *s);

#endif
