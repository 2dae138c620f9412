/* state: everything the next training step depends on beyond the recipe and the data, and its file.
 *
 * Weights and momentum of the segmenter, weights and Adam moments of the discriminator, and the
 * cursor (stage, step in it). Random numbers have no state (base/rng.h), sample order and augmentation
 * are functions of seed and step, schedules of the step; so this is all a resumed run needs. */
#ifndef TP_TRAIN_STATE_H
#define TP_TRAIN_STATE_H

#include "net/graph.h"
#include "train/recipe.h"

typedef struct train_state {
	const graph *net, *disc; /* borrowed; disc NULL when the recipe is not adversarial */
	float *values, *momentum;            /* net: params.floats, params.trained_floats */
	float *disc_values, *disc_m, *disc_v; /* disc: all its parameters are trained */
	uint64_t disc_steps;                 /* Adam's t */
	uint64_t stage, step;
} train_state;

/* Zeroed momentum, initial weights from the seed. */
tp_status train_state_create(const graph *net, const graph *disc, uint64_t seed, train_state *ret,
                             tp_err *err) TP_MUST_CHECK;
void train_state_done(train_state *s);

/* A safetensors file, written durably: public weights, momentum under "momentum.", discriminator
 * under "discriminator.", "discriminator.m.", "discriminator.v."; cursor and `stamp` (what computed
 * this: build and BLAS) in the metadata. */
tp_status train_state_save(const train_state *s, const char *stamp, int dirfd, const char *path,
                           tp_err *err) TP_MUST_CHECK;
/* Reads into a created state; TP_CORRUPT when anything is missing or does not fit. *ret_stamp
 * (malloc'ed) receives the file's stamp. */
tp_status train_state_load(train_state *s, int dirfd, const char *path, char **ret_stamp,
                           tp_err *err) TP_MUST_CHECK;

#endif
