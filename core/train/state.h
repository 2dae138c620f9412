/* state: everything the next training step depends on beyond the recipe and the data, and its file.
 *
 * Weights and momentum of the segmenter, weights and Adam moments of the discriminator, a teacher's
 * weights, the batch norms of source passes, and the cursor (stage, step in it). Random numbers have no state (base/rng.h), sample order and augmentation
 * are functions of seed and step, schedules of the step; so this is all a resumed run needs. */
#ifndef TP_TRAIN_STATE_H
#define TP_TRAIN_STATE_H

#include "base/pool.h"
#include "net/graph.h"
#include "train/recipe.h"

typedef struct train_state {
	const graph *net, *disc; /* borrowed; disc NULL when the recipe is not adversarial */
	float *values, *momentum;            /* net: params.floats, params.trained_floats */
	float *disc_values, *disc_m, *disc_v; /* disc: all its parameters are trained */
	uint64_t disc_steps;                 /* Adam's t */
	float *teacher;         /* params.floats: a running mean of the weights, or NULL */
	uint64_t teacher_steps; /* how many weights went into it */
	float *source_norms;    /* untrained parameters (batch norms) as source samples want them; `values`
	                           then holds those of the target (train/norms.h); or NULL */
	uint64_t stage, step;
} train_state;

/* Zeroed momentum, initial weights from the seed. */
tp_status train_state_create(const graph *net, const graph *disc, uint64_t seed, train_state *ret,
                             tp_err *err) TP_MUST_CHECK;
/* Gives it a teacher, source norms (a copy of the present ones). */
tp_status train_state_extend(train_state *s, bool teacher, bool source_norms, tp_err *err) TP_MUST_CHECK;
void train_state_done(train_state *s);
/* The network that labels, is judged and is published: the teacher once it has learned, else the
 * weights themselves. A block of params.floats. */
const float *train_state_model(const train_state *s);
/* Takes the present weights into the teacher: teacher = m teacher + (1-m) values, m = min(1 - 1/(n+1),
 * momentum) with n weights so far (DACS, algorithms.md 9). */
void train_state_teach(train_state *s, double momentum, pool *pool);

/* The teacher's weights, if it has learned any, become the weights, and it starts anew. */
void train_state_settle(train_state *s);

/* A safetensors file, written durably: public weights, momentum under "momentum.", discriminator
 * under "discriminator.", "discriminator.m.", "discriminator.v.", the teacher under "teacher.", source norms
 * under "source."; cursor and `stamp` (what computed
 * this: build and BLAS) in the metadata. */
tp_status train_state_save(const train_state *s, const char *stamp, int dirfd, const char *path,
                           tp_err *err) TP_MUST_CHECK;
/* Reads into a created state; TP_CORRUPT when anything is missing or does not fit. *ret_stamp
 * (malloc'ed) receives the file's stamp. */
tp_status train_state_load(train_state *s, int dirfd, const char *path, char **ret_stamp,
                           tp_err *err) TP_MUST_CHECK;

#endif
