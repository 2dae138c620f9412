/* sampling: which image each slot of each step shows; a pure function of (recipe, stage, lists);
 * of a stage its phase and round count, not how many evaluations lie before it.
 *
 *   source training  source images, a new permutation each epoch
 *   entropy training the same, and one more slot with a target image without labels
 *   phase 1          the round's source subset and all target images, concatenated and permuted
 *                    (algorithms.md 1.5); with balanced batches the first half of the slots (rounded up)
 *                    target images, the rest the source subset
 *   phase 2          the first half of the slots (rounded up) easy images, the rest the source subset
 *                    (or easy ones when source supervision is off); with the adversarial loss one more
 *                    slot, a hard image (5.3, 5.4)
 * The source subset of a round: floor(N * portion), at least one, drawn without replacement anew each
 * round (policy "replace"). */
#ifndef TP_TRAIN_SAMPLING_H
#define TP_TRAIN_SAMPLING_H

#include "train/recipe.h"

typedef enum sample_domain { DOMAIN_SOURCE, DOMAIN_TARGET } sample_domain;

typedef struct sampling sampling;

/* easy[targets] is needed for phase 2 only. Copies what it needs. */
tp_status sampling_create(const recipe *r, const stage *s, size_t sources, size_t targets,
                          const bool *easy, sampling **ret, tp_err *err) TP_MUST_CHECK;
void sampling_free(sampling *s);
/* Slots per step: the batch, and one more for an image without labels: the hard one of an adversarial phase
 * 2, the target's in entropy training. */
size_t sampling_slots(const sampling *s);
bool sampling_unlabelled(const sampling *s);
/* One thread at a time (it keeps the permutation of the current epoch). */
void sampling_at(sampling *s, uint64_t step, size_t slot, sample_domain *ret_domain,
                 uint32_t *ret_index);
/* The seed of a stage's augmentation. */
uint64_t sampling_augment_seed(const recipe *r, const stage *s);

#endif
