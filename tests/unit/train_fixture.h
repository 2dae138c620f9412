/* train_fixture: a reduced network with its training state, and samples by formula; the same numbers
 * as golden/make_step.py. */
#ifndef TP_TESTS_TRAIN_FIXTURE_H
#define TP_TESTS_TRAIN_FIXTURE_H

#include "harness.h"

#include "../net/net_test.h"
#include "train/step.h"

enum { CLASSES = 5, CROP_H = 45, CROP_W = 37, PIXELS = CROP_H * CROP_W };
enum { BATCH = 2, SLOTS = BATCH + 1 };

static const float round_lambda[CLASSES] = {0.9f, 0.5f, 0.7f, 0.3f, 0.95f};

/* values that a formula gives to a state: fill() of make_nets.py. */
MAYBE_UNUSED static void fill_state(train_state *s, uint64_t seed, uint64_t disc_seed)
{
	float *v = net_values(s->net, seed);
	memcpy(s->values, v, s->net->params.floats * sizeof *v);
	mem_free(v);
	if (s->disc == NULL)
		return;
	v = net_values(s->disc, disc_seed);
	memcpy(s->disc_values, v, s->disc->params.floats * sizeof *v);
	mem_free(v);
}

MAYBE_UNUSED static graph small_network(void)
{
	graph g;
	net_spec spec = net_spec_default(ARCH_MOBILENETV2);
	spec.classes = CLASSES;
	spec.width_divisor = 4;
	const size_t dilations[ASPP_MAX_BRANCHES] = {1, 2, 4, 6};
	memcpy(spec.aspp_dilations, dilations, sizeof dilations);
	assert_ok(net_build(&spec, &g, err));
	return g;
}

MAYBE_UNUSED static graph small_discriminator(void)
{
	graph g;
	assert_ok(discriminator_build(CLASSES, 8, &g, err));
	return g;
}

/* What make_step.py trains with. */
MAYBE_UNUSED static recipe small_recipe(void)
{
	recipe r = recipe_preset((size_t)recipe_preset_find("tpld"));
	r.data.crop_h = CROP_H;
	r.data.crop_w = CROP_W;
	r.data.batch = BATCH;
	r.kernels = KERNELS_EXACT;
	recipe_sgd sgd = {.lr = 2e-2, .head_lr_multiplier = 10, .power = 0.9, .momentum = 0.9,
	                  .weight_decay = 5e-4};
	r.source_training.sgd = r.self.sgd = sgd;
	r.self.bootstrap = true;
	r.self.bootstrap_beta = 0.8;
	r.self.reg = REG_MRKLD;
	r.self.reg_weight = 0.1;
	r.self.adversarial = true;
	r.self.adversarial_weight = 0.05;
	r.self.discriminator_lr = 1e-3;
	return r;
}

/* Samples of one step; memory owned by the struct. */
typedef struct small_samples {
	sample slot[SLOTS];
} small_samples;

MAYBE_UNUSED static void samples_make(uint64_t seed, phase phase, size_t step, small_samples *ret)
{
	float *v = floats(PIXELS);
	for (size_t i = 0; i < SLOTS; i++) {
		char name[48];
		sample *s = &ret->slot[i];
		*s = (sample){.target = i == BATCH || (phase != PHASE_SOURCE_TRAINING && i == 0)};
		s->input = floats(PIXELS * 3);
		s->label = malloc(PIXELS);
		assert_non_null(s->label);
		(void)snprintf(name, sizeof name, "image %zu/%zu", step, i);
		named_image(seed, name, PIXELS, 3, 2.0, s->input);
		(void)snprintf(name, sizeof name, "label %zu/%zu", step, i);
		uniform_values(seed, name, PIXELS, 0, CLASSES + 1, v);
		for (size_t p = 0; p < PIXELS; p++) {
			int label = (int)floorf(v[p]);
			s->label[p] = i == BATCH || label >= CLASSES ? LABEL_NONE : (uint8_t)label;
		}
		if (phase == PHASE_PHASE2_TRAINING && i == 0) {
			s->weight = floats(PIXELS);
			(void)snprintf(name, sizeof name, "weight %zu/%zu", step, i);
			uniform_values(seed, name, PIXELS, -0.2, 1, s->weight);
			for (size_t p = 0; p < PIXELS; p++)
				s->weight[p] = s->weight[p] < 0 ? 0 : s->weight[p];
		}
	}
	mem_free(v);
}

MAYBE_UNUSED static void samples_done(small_samples *s)
{
	for (size_t i = 0; i < SLOTS; i++) {
		mem_free(s->slot[i].input);
		mem_free(s->slot[i].weight);
		free(s->slot[i].label);
	}
}

#endif
