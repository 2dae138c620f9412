#include "train/recipe.h"

#include <string.h>

#include "train/recipe_fields.h"

static const struct {
	const char *name, *text;
} presets[] = {
	{"source-only", "Supervised training on the source, no adaptation"},
	{"minent", "Source training, then with small entropy on the target (MinEnt)"},
	{"advent", "Source training, then entropy maps aligned by a discriminator (AdvEnt)"},
	{"intrada", "AdvEnt, then hard images aligned to easy ones, ranked by entropy (IntraDA)"},
	{"cbst", "Class-balanced self-training (CBST)"},
	{"crst-mrkld", "CBST with the KL model regulariser (CRST)"},
	{"crst-lrent", "CBST with soft labels by entropy regularisation (CRST)"},
	{"crst-mrent", "CBST with the entropy model regulariser (CRST)"},
	{"crst-mrl2", "CBST with the L2 model regulariser (CRST)"},
	{"tpld-phase1", "TPLD without its second phase: voting and bootstrapping"},
	{"tpld", "TPLD: voting, then easy and hard images"},
	{"tpld-cbst", "TPLD without a confidence regulariser"},
	{"tpld-lrent", "TPLD with soft labels by entropy regularisation in phase 1"},
	{"gta5-to-cityscapes", "TPLD as published: ResNet-101, 100000 source steps; weeks on a CPU"},
	{"gta5-to-cityscapes-vgg16", "The same with VGG16"},
	{"synthia-to-cityscapes", "TPLD on SYNTHIA as published: ResNet-101"},
	{"synthia-to-cityscapes-vgg16", "The same with VGG16"},
	{"tpld-plus", "TPLD with what makes it work on real images: aligned batch norms, a teacher, mixing"},
};

enum { PRESETS = sizeof presets / sizeof *presets };

/* The published set-up (algorithms.md 6): what TPLD's papers and code leave open is CRST's. Source training
 * on crops of 512x1024 and batch 2 as the rounds, where CRST trained it on 500x500 and batch 4: one crop
 * serves a whole run, and the steps are doubled for the batch. */
#define PUBLISHED(name, arch)                                                                      \
	{name, "/model/arch", arch}, {name, "/source_training/steps", 200000},                     \
	{name, "/self_training/steps_per_round", 1154}, /* two epochs of 649 + 505 images */       \
	{name, "/self_training/scoring_scale", 0.9}, {name, "/evaluation/flip", 1}

/* As CRST's author gave it to TPLD's first one (1.7); one scale range for both domains, the target's. */
#define SYNTHIA(name)                                                                              \
	{name, "/self_training/source_portion", 0.02}, {name, "/data/scale", 0.6}

/* How a preset differs from the defaults of recipe_fields.c, which are those of tpld. An option's
 * value 0 switches it off; of a list only the first element differs. */
static const struct {
	const char *preset, *pointer;
	double value;
} changes[] = {
	PUBLISHED("gta5-to-cityscapes", ARCH_RESNET101),
	PUBLISHED("gta5-to-cityscapes-vgg16", ARCH_VGG16),
	PUBLISHED("synthia-to-cityscapes", ARCH_RESNET101),
	PUBLISHED("synthia-to-cityscapes-vgg16", ARCH_VGG16),
	SYNTHIA("synthia-to-cityscapes"),
	SYNTHIA("synthia-to-cityscapes-vgg16"),
	{"source-only", "/self_training/phase1_rounds", 0},
	{"source-only", "/self_training/phase2_rounds", 0},
	{"minent", "/self_training/phase1_rounds", 0},
	{"minent", "/self_training/phase2_rounds", 0},
	{"minent", "/entropy_training/steps", 20000},
	{"minent", "/entropy_training/kind", ENTROPY_MINENT},
	{"advent", "/self_training/phase1_rounds", 0},
	{"advent", "/self_training/phase2_rounds", 0},
	{"advent", "/entropy_training/steps", 20000},
	/* Its second step goes on from the first one's network: it reports that this makes little difference. */
	{"intrada", "/entropy_training/steps", 20000},
	{"intrada", "/self_training/phase1_rounds", 0},
	{"intrada", "/self_training/phase2_rounds", 1},
	{"intrada", "/self_training/steps_per_round", 20000},
	{"intrada", "/self_training/lr", 2.5e-4},
	{"intrada", "/self_training/power", 0.9},
	{"intrada", "/self_training/bootstrap", 0},
	{"intrada", "/self_training/voting", 0},
	{"intrada", "/self_training/rare_class_mining", 0},
	{"intrada", "/self_training/flip_average", 0},
	{"intrada", "/self_training/easy_portion", 0.67},
	{"intrada", "/self_training/split", SPLIT_ENTROPY},
	{"intrada", "/self_training/easy_rank", VOTE_TOP2_BY_P},
	{"intrada", "/self_training/gamma", 0},
	{"intrada", "/self_training/phase2_source", 0},
	/* Three rounds are what CRST's released default of 4 trains (algorithms.md 1.4). */
	{"cbst", "/self_training/phase1_rounds", 3},
	{"cbst", "/self_training/phase2_rounds", 0},
	{"cbst", "/self_training/regularizer/kind", REG_NONE},
	{"cbst", "/self_training/regularizer/weight", 0},
	{"cbst", "/self_training/bootstrap", 0},
	{"cbst", "/self_training/voting", 0},
	{"cbst", "/self_training/adversarial", 0},
	{"crst-mrkld", "/self_training/phase1_rounds", 3},
	{"crst-mrkld", "/self_training/phase2_rounds", 0},
	{"crst-mrkld", "/self_training/bootstrap", 0},
	{"crst-mrkld", "/self_training/voting", 0},
	{"crst-mrkld", "/self_training/adversarial", 0},
	{"crst-lrent", "/self_training/phase1_rounds", 3},
	{"crst-lrent", "/self_training/phase2_rounds", 0},
	{"crst-lrent", "/self_training/regularizer/kind", REG_LRENT},
	{"crst-lrent", "/self_training/regularizer/weight", 0.25},
	{"crst-lrent", "/self_training/bootstrap", 0},
	{"crst-lrent", "/self_training/voting", 0},
	{"crst-lrent", "/self_training/adversarial", 0},
	{"crst-mrent", "/self_training/phase1_rounds", 3},
	{"crst-mrent", "/self_training/phase2_rounds", 0},
	{"crst-mrent", "/self_training/regularizer/kind", REG_MRENT},
	{"crst-mrent", "/self_training/bootstrap", 0},
	{"crst-mrent", "/self_training/voting", 0},
	{"crst-mrent", "/self_training/adversarial", 0},
	{"crst-mrl2", "/self_training/phase1_rounds", 3},
	{"crst-mrl2", "/self_training/phase2_rounds", 0},
	{"crst-mrl2", "/self_training/regularizer/kind", REG_MRL2},
	{"crst-mrl2", "/self_training/bootstrap", 0},
	{"crst-mrl2", "/self_training/voting", 0},
	{"crst-mrl2", "/self_training/adversarial", 0},
	{"tpld-cbst", "/self_training/regularizer/kind", REG_NONE},
	{"tpld-cbst", "/self_training/regularizer/weight", 0},
	{"tpld-lrent", "/self_training/regularizer/kind", REG_LRENT},
	{"tpld-lrent", "/self_training/regularizer/weight", 0.25},
	{"tpld-plus", "/data/color_jitter/chance", 0.8},
	{"tpld-plus", "/data/rare_class_sampling/temperature", 0.1},
	{"tpld-plus", "/source_training/average", 0.5},
	{"tpld-plus", "/self_training/balanced_batch", 1},
	{"tpld-plus", "/self_training/teacher/momentum", 0.99},
	{"tpld-plus", "/self_training/class_mix/chance", 1},
	{"tpld-plus", "/self_training/norm_alignment/strength", 0.5},
	/* Measured (docs/results.md): without it teaching gains two points with some seeds, loses ten with others. */
	{"tpld-plus", "/self_training/norm_alignment/required", 1},
	{"tpld-plus", "/self_training/online_labels/threshold", 0.968},
	{"tpld-plus", "/self_training/phase1_rounds", 2},
	/* Measured (docs/results.md): a round of phase 2 lost what two of phase 1 had gained. */
	{"tpld-plus", "/self_training/phase2_rounds", 0},
	{"tpld-plus", "/self_training/adversarial", 0},
	{"tpld-plus", "/self_training/regularizer/kind", REG_NONE},
	{"tpld-plus", "/self_training/regularizer/weight", 0},
	{"tpld-plus", "/self_training/bootstrap", 0},
	{"tpld-plus", "/self_training/gradient_clip", 5},
	{"tpld-plus", "/self_training/warmup_steps", 50},
	{"tpld-plus", "/self_training/lr", 2.5e-4},
	{"tpld-phase1", "/self_training/phase2_rounds", 0},
	{"tpld-phase1", "/self_training/adversarial", 0},
};

int recipe_preset_find(const char *name)
{
	for (int i = 0; i < PRESETS; i++)
		if (strcmp(presets[i].name, name) == 0)
			return i;
	return -1;
}

const char *recipe_preset_name(size_t i)
{
	return i < PRESETS ? presets[i].name : NULL;
}

const char *recipe_preset_text(size_t i)
{
	return i < PRESETS ? presets[i].text : NULL;
}

recipe recipe_preset(size_t i)
{
	/* memset, not {0}: padding too, so that equal recipes are equal bytes. */
	recipe r;
	memset(&r, 0, sizeof r);
	r.evaluation.scales = 1;
	const recipe_field *f;
	for (size_t k = 0; (f = recipe_field_at(k)) != NULL; k++) {
		if (f->kind == FIELD_OBJECT)
			continue;
		size_t n = recipe_field_count(f, &r);
		for (size_t e = 0; e < n; e++)
			recipe_field_set(f, &r, e, f->value[e]);
	}
	for (size_t k = 0; k < sizeof changes / sizeof *changes && i < PRESETS; k++)
		if (strcmp(changes[k].preset, presets[i].name) == 0)
			recipe_field_set(recipe_field_find(changes[k].pointer), &r, 0,
			                 changes[k].value);
	return r;
}

double recipe_regularizer_weight(regularizer reg)
{
	switch (reg) {
	case REG_NONE:
		return 0.0;
	case REG_LRENT:
		return 0.25; /* CRST's released alpha (2.2) */
	case REG_MRKLD:
		return 0.01; /* CRST's released effective coefficient (2.1) */
	case REG_MRENT:
	case REG_MRL2:
		return 0.01; /* no released value is known; like MRKLD */
	}
	return 0.0;
}

tp_status recipe_check(const recipe *r, tp_err *err)
{
	recipe_problem first;
	if (recipe_problems(r, &first, 1) == 0)
		return TP_OK;
	return tp_fail(err, TP_INVALID, 0, "%s: %s", first.pointer, first.text);
}

const char *phase_name(phase p)
{
	static const char *const name[] = {
		[PHASE_SOURCE_TRAINING] = "source_training",
		[PHASE_ENTROPY_TRAINING] = "entropy_training",
		[PHASE_NORM_ALIGNMENT] = "norm_alignment",
		[PHASE_SCORING] = "scoring",
		[PHASE_PHASE1_TRAINING] = "phase1_training",
		[PHASE_PHASE2_TRAINING] = "phase2_training",
		[PHASE_EVALUATION] = "evaluation",
	};
	return p < PHASE_COUNT ? name[p] : "?";
}

size_t recipe_rounds(const recipe *r)
{
	return r->self.phase1_rounds + r->self.phase2_rounds;
}

bool recipe_phase_adversarial(const recipe *r, phase p)
{
	return (p == PHASE_PHASE2_TRAINING && r->self.phase2_rounds > 0 && r->self.adversarial) ||
	       (p == PHASE_ENTROPY_TRAINING && r->entropy.steps > 0 &&
	        r->entropy.kind == ENTROPY_ADVENT);
}

bool recipe_adversarial(const recipe *r)
{
	return recipe_phase_adversarial(r, PHASE_PHASE2_TRAINING) ||
	       recipe_phase_adversarial(r, PHASE_ENTROPY_TRAINING);
}

bool recipe_averages(const recipe *r)
{
	return r->source_training.average > 0.0 || r->self.teacher_momentum > 0.0;
}

static void add_stage(stage *list, size_t max, size_t *n, phase p, int round)
{
	if (*n < max)
		list[*n] = (stage){.phase = p, .round = round};
	(*n)++;
}

size_t recipe_stages(const recipe *r, bool evaluate, stage *ret, size_t max)
{
	size_t n = 0, rounds = recipe_rounds(r);
	add_stage(ret, max, &n, PHASE_SOURCE_TRAINING, ROUND_SOURCE);
	if (evaluate)
		add_stage(ret, max, &n, PHASE_EVALUATION, ROUND_SOURCE);
	if (r->entropy.steps > 0) {
		add_stage(ret, max, &n, PHASE_ENTROPY_TRAINING, ROUND_SOURCE);
		if (evaluate)
			add_stage(ret, max, &n, PHASE_EVALUATION, ROUND_SOURCE);
	}
	if (r->self.norm_strength > 0.0) {
		add_stage(ret, max, &n, PHASE_NORM_ALIGNMENT, ROUND_SOURCE);
		if (evaluate)
			add_stage(ret, max, &n, PHASE_EVALUATION, ROUND_SOURCE);
	}
	for (size_t k = 0; k < rounds; k++) {
		add_stage(ret, max, &n, PHASE_SCORING, (int)k);
		add_stage(ret, max, &n,
		          k < r->self.phase1_rounds ? PHASE_PHASE1_TRAINING : PHASE_PHASE2_TRAINING,
		          (int)k);
		if (evaluate && ((k + 1) % r->evaluation.every_rounds == 0 || k + 1 == rounds))
			add_stage(ret, max, &n, PHASE_EVALUATION, (int)k);
	}
	return n;
}

size_t recipe_stage_steps(const recipe *r, const stage *s)
{
	switch (s->phase) {
	case PHASE_SOURCE_TRAINING:
		return r->source_training.steps;
	case PHASE_ENTROPY_TRAINING:
		return r->entropy.steps;
	case PHASE_PHASE1_TRAINING:
	case PHASE_PHASE2_TRAINING:
		return r->self.steps_per_round;
	case PHASE_NORM_ALIGNMENT:
	case PHASE_SCORING:
	case PHASE_EVALUATION:
	case PHASE_COUNT:
		break;
	}
	return 0;
}
