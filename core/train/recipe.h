/* recipe: everything that decides a run's result, as plain numbers (contract.md section 3). Values
 * and their origins: recipe_fields.c is the one table of hyper-parameters, recipe.c holds what the
 * presets change in it. The JSON form lives in daemon/config/run_config.c. */
#ifndef TP_TRAIN_RECIPE_H
#define TP_TRAIN_RECIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapt/threshold.h"
#include "adapt/vote.h"
#include "data/photometric.h"
#include "loss/pixel.h"
#include "net/deeplab.h"

enum { RECIPE_MAX_SCALES = 8, RECIPE_MAX_ROUNDS = 200 };

typedef struct recipe_sgd {
	double lr, head_lr_multiplier, power, momentum, weight_decay;
} recipe_sgd;

/* How the network learns from unlabelled target images beside labelled source ones (before any self-training):
 * MINENT  the mean entropy of its predictions there is made small
 * ADVENT  a discriminator tells their self-information from the source's, and is to be fooled */
typedef enum entropy_kind { ENTROPY_MINENT, ENTROPY_ADVENT } entropy_kind;

/* By what target images are ranked into easy and hard (algorithms.md 5.1, 5.7). */
typedef enum split_measure { SPLIT_CONFIDENCE, SPLIT_ENTROPY } split_measure;

typedef struct recipe {
	uint64_t seed;
	size_t threads; /* 0: all cores */
	kernel_mode kernels;

	struct {
		net_arch arch;
		size_t output_stride, width_divisor;
		size_t aspp_dilations[ASPP_MAX_BRANCHES], aspp_branches;
	} model;

	struct {
		size_t crop_h, crop_w;
		double scale_low, scale_high;
		bool mirror;
		size_t batch;
		photometric_spec photometric; /* chances 0: off */
		double transfer_chance; /* that a source image takes a target image's colours; 0: off */
		double rare_temperature;      /* rare-class sampling of source images; 0: off */
	} data;

	struct {
		size_t steps; /* 0: the initial weights are the source model */
		size_t warmup_steps; /* the learning rate grows linearly over these first steps */
		double gradient_clip; /* longest gradient; 0: no limit */
		double average;      /* the source model is the mean over this last share of the steps; 0: off */
		recipe_sgd sgd;
	} source_training;

	struct {
		size_t steps; /* 0: no such stage */
		entropy_kind kind;
		double weight;
	} entropy;

	struct {
		size_t phase1_rounds, phase2_rounds, steps_per_round; /* steps 0 allowed with 0 rounds only */
		recipe_sgd sgd;
		size_t warmup_steps;   /* of every round */
		double gradient_clip;  /* longest gradient; 0: no limit */
		bool balanced_batch;   /* phase 1: half of each batch is target */
		double teacher_momentum; /* 0: no teacher */
		double online_threshold; /* phase 1: the teacher labels each sample; 0: labels of the round */
		threshold_kind thresholds;
		double label_momentum; /* share of the previous round's logits in a round's; 0: off */
		double class_mix;      /* chance that a target sample gets source classes pasted; 0: off */
		double norm_strength;  /* a of the norm alignment; 0: off */
		size_t norm_images;    /* of each domain, measured for it */
		bool norm_check;       /* taken back where it looks harmful (train/norms.h) */
		bool norm_required;    /* no rounds where it was taken back */
		double source_portion_initial, source_portion_step, source_portion_max;
		double source_per_target; /* at least so many source images per target image in a round */
		double portion_initial, portion_step, portion_max;
		regularizer reg;
		double reg_weight; /* effective coefficient; alpha for lrent */
		bool bootstrap;
		double bootstrap_beta;
		vote_spec vote; /* iterations 0: no voting */
		double easy_portion, gamma;
		split_measure split;
		vote_rank easy_rank; /* labels of easy images: the class of largest r, or p */
		bool inverse_lambda;   /* 1/lambda in the image confidence */
		bool phase2_source;    /* keep source supervision in phase 2 (algorithms.md 5.3) */
		bool adversarial;
		double adversarial_weight, discriminator_lr;
		double mine_chance, mine_portion;
		bool flip_average;
		double scoring_scale;  /* of the image, for target inference; CRST uses 0.9 */
		size_t threshold_stride; /* every n-th pixel enters the thresholds; CRST 4 */
	} self;

	struct {
		size_t every_rounds;
		bool flip;
		size_t scales;
		double scale[RECIPE_MAX_SCALES];
	} evaluation;
} recipe;

/* Index of a preset's name (source-only cbst crst-mrkld crst-lrent tpld-phase1 tpld), or -1. */
int recipe_preset_find(const char *name);
const char *recipe_preset_name(size_t i); /* NULL past the end */
const char *recipe_preset_text(size_t i); /* one line for people */
recipe recipe_preset(size_t i);
/* reg_weight when a regulariser is chosen without one. */
double recipe_regularizer_weight(regularizer reg);

/* Range check of every field; the error starts with the field's JSON pointer, e.g.
 * "/data/batch: 0 is not in 1..64". */
tp_status recipe_check(const recipe *r, tp_err *err) TP_MUST_CHECK;

/* A run is a fixed list of stages; one stage is one phase of one round. */
typedef enum phase {
	PHASE_SOURCE_TRAINING,
	PHASE_ENTROPY_TRAINING,
	PHASE_NORM_ALIGNMENT,
	PHASE_SCORING,
	PHASE_PHASE1_TRAINING,
	PHASE_PHASE2_TRAINING,
	PHASE_EVALUATION,
	PHASE_COUNT,
} phase;

enum { ROUND_SOURCE = -1 }; /* the round number of the source model: before round 0 */

typedef struct stage {
	phase phase;
	int round; /* ROUND_SOURCE for source training and its evaluation */
} stage;

const char *phase_name(phase p); /* "source_training", ... */
/* source_training, evaluation(source), entropy_training and norm_alignment, each with its evaluation, when asked for, then per round scoring, training, evaluation (each
 * every_rounds-th and the last, when `evaluate`). Writes at most `max`, returns how many there are. */
size_t recipe_stages(const recipe *r, bool evaluate, stage *ret, size_t max);
size_t recipe_rounds(const recipe *r);
/* Does any stage of the run need a discriminator? Does this one? */
bool recipe_adversarial(const recipe *r);
/* Does any stage keep a running mean of the weights? */
bool recipe_averages(const recipe *r);
bool recipe_phase_adversarial(const recipe *r, phase p);
/* Training steps of a stage (0 for the others). */
size_t recipe_stage_steps(const recipe *r, const stage *s);

#endif
