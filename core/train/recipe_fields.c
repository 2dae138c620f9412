#include "train/recipe_fields.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(size_t) == sizeof(uint64_t), "FIELD_SIZE serves both");
_Static_assert(sizeof(net_arch) == sizeof(int) && sizeof(regularizer) == sizeof(int),
               "FIELD_CHOICE reads enums as int");

#define NAMES(function, ...)                                                                       \
	static const char *function(size_t i)                                                      \
	{                                                                                          \
		static const char *const name[] = {__VA_ARGS__};                                   \
		return i < sizeof name / sizeof *name ? name[i] : NULL;                            \
	}

/* Each list in the order of its enum. */
NAMES(kernel_name, "reference", "exact", "f2", "f4")
NAMES(regularizer_name, "none", "mrkld", "lrent", "mrent", "mrl2")
NAMES(pool_name, "sum", "mean", "box", "max")
NAMES(alpha_on_name, "original", "pooled")
NAMES(rank_name, "r", "p")
NAMES(entropy_name, "minent", "advent")
NAMES(threshold_name, "class", "global")
NAMES(split_name, "confidence", "entropy")
NAMES(border_name, "clip", "zero")
NAMES(value_name, "r", "p")
NAMES(kernel_shape_name, "flat", "triangle")

static const char *arch_name(size_t i)
{
	return i < ARCH_COUNT ? net_arch_name((net_arch)i) : NULL;
}

#define AT(member) offsetof(recipe, member)
#define SELF(member) offsetof(recipe, self.member)

/* Origins: numbers are sections of algorithms.md, which quotes CRST's released code and the reviews
 * of the TPLD paper; "own" is ours. */
static const recipe_field fields[] = {
	{"/seed", FIELD_SIZE, AT(seed), .high = 9007199254740992.0, .value = {1},
	 .text = "Every random choice of the run is a function of it", .origin = "own"},
	{"/threads", FIELD_SIZE, AT(threads), .high = 256, .value = {0},
	 .text = "Computing threads, 0 for all cores; the result does not depend on it",
	 .origin = "own"},
	{"/kernels", FIELD_CHOICE, AT(kernels), .choice = kernel_name, .value = {KERNELS_F4},
	 .text = "How 3x3 convolutions are computed: exact, or Winograd F(2x2) or F(4x4), faster"
		 " with slightly larger rounding errors; reference is for tests",
	 .origin = "own"},

	{"/model", FIELD_OBJECT, .text = "The segmentation network"},
	{"/model/arch", FIELD_CHOICE, AT(model.arch), .choice = arch_name,
	 .value = {ARCH_MOBILENETV2}, .text = "Architecture",
	 .origin = "own: trains without a GPU"},
	{"/model/output_stride", FIELD_SIZE, AT(model.output_stride), .low = 8, .high = 16,
	 .step = 8, .value = {8}, .text = "Pixels per logit; 16 with MobileNetV2 only",
	 .origin = "DeepLab-v2"},
	{"/model/width_divisor", FIELD_SIZE, AT(model.width_divisor), .low = 1, .high = 16,
	 .value = {1}, .text = "All channel counts divided by this: small networks for trials; only 1"
		 " fits published weights",
	 .origin = "own"},
	{"/model/aspp_branches", FIELD_SIZE, AT(model.aspp_branches), .low = 2, .high = 4,
	 .step = 2, .value = {4},
	 .text = "Branches of the head that are summed; 2 for checkpoints of AdaptSegNet"
		 " and its descendants",
	 .origin = "DeepLab-v2, CRST (8.3)"},
	{"/model/aspp_dilations", FIELD_SIZE, AT(model.aspp_dilations),
	 .elements = ASPP_MAX_BRANCHES, .count_offset = AT(model.aspp_branches), .low = 1,
	 .high = 64, .value = {6, 12, 18, 24}, .text = "Dilation of each branch",
	 .origin = "DeepLab-v2"},

	{"/data", FIELD_OBJECT, .text = "How training samples are cut"},
	{"/data/crop", FIELD_SIZE, AT(data.crop_h), .elements = 2, .low = 16, .high = 8192,
	 .value = {512, 1024}, .text = "Height and width in pixels", .origin = "CRST 1.7"},
	{"/data/scale", FIELD_REAL, AT(data.scale_low), .elements = 2, .low = 0.1, .high = 4,
	 .value = {0.5, 1.5}, .text = "Smallest and largest random scale", .origin = "CRST 1.7"},
	{"/data/mirror", FIELD_BOOL, AT(data.mirror), .high = 1, .value = {true},
	 .text = "Mirror every other sample", .origin = "CRST 1.6"},
	{"/data/batch", FIELD_SIZE, AT(data.batch), .low = 1, .high = 64, .value = {2},
	 .text = "Samples per step", .origin = "CRST 1.7"},
	{"/data/color_jitter", FIELD_OPTION, AT(data.photometric.jitter_chance),
	 .switch_kind = FIELD_REAL, .value = {0.8},
	 .text = "Brightness, contrast, saturation and hue of training samples vary",
	 .origin = "DACS (9)"},
	{"/data/color_jitter/chance", FIELD_REAL, AT(data.photometric.jitter_chance), .high = 1,
	 .value = {0}, .text = "Probability for a sample; 0 is off", .origin = "DACS (9): 0.8"},
	{"/data/color_jitter/strength", FIELD_REAL, AT(data.photometric.jitter_strength), .high = 1,
	 .value = {0.25}, .text = "Largest relative change; the hue turns by up to this share of 90 degrees",
	 .origin = "DACS (9)"},
	{"/data/blur", FIELD_OPTION, AT(data.photometric.blur_chance), .switch_kind = FIELD_REAL,
	 .value = {0.5}, .text = "Training samples are blurred", .origin = "DACS (9)"},
	{"/data/blur/chance", FIELD_REAL, AT(data.photometric.blur_chance), .high = 1, .value = {0},
	 .text = "Probability for a sample; 0 is off", .origin = "DACS (9): 0.5"},
	{"/data/blur/sigma", FIELD_REAL, AT(data.photometric.blur_sigma_low), .elements = 2, .low = 0,
	 .high = 10, .value = {0.15, 1.15}, .text = "Smallest and largest sigma in pixels",
	 .origin = "DACS (9)"},
	{"/data/color_transfer", FIELD_OPTION, AT(data.transfer_chance), .switch_kind = FIELD_REAL,
	 .value = {0.5}, .text = "Source images take the mean and deviation of each channel from a target image",
	 .origin = "Reinhard et al. 2001; own, measured"},
	{"/data/color_transfer/chance", FIELD_REAL, AT(data.transfer_chance), .high = 1, .value = {0},
	 .text = "Probability for a source image; 0 is off", .origin = "own, measured: 0.5"},
	{"/data/rare_class_sampling", FIELD_OPTION, AT(data.rare_temperature),
	 .switch_kind = FIELD_REAL, .value = {0.1},
	 .text = "Source images are drawn by class, rare ones more often, and crops centred on the class",
	 .origin = "DAFormer (9)"},
	{"/data/rare_class_sampling/temperature", FIELD_REAL, AT(data.rare_temperature), .high = 100,
	 .value = {0}, .text = "Probability of a class of share f: exp((1 - f)/temperature); 0 is off",
	 .origin = "own, measured (9.1); DAFormer 0.01"},

	{"/source_training", FIELD_OBJECT, .text = "Supervised training on the source"},
	{"/source_training/steps", FIELD_SIZE, AT(source_training.steps), .high = 1e7,
	 .value = {20000}, .text = "Steps; 0 takes the initial weights as the source model",
	 .origin = "own: a fifth of CRST's 100000 (6.2)"},
	{"/source_training/warmup_steps", FIELD_SIZE, AT(source_training.warmup_steps), .high = 1e7,
	 .value = {0}, .text = "The learning rate grows linearly over these first steps; helps networks"
		 " that start from random weights",
	 .origin = "own"},
	{"/source_training/gradient_clip", FIELD_REAL, AT(source_training.gradient_clip), .high = 1e6,
	 .value = {0}, .text = "Longer gradients are scaled to this length; 0 is off. Learning rates above the"
		 " default need it",
	 .origin = "own, measured"},
	{"/source_training/average", FIELD_REAL, AT(source_training.average), .high = 1, .value = {0},
	 .text = "The source model is the mean of the weights over this last share of the steps; 0: the last"
		 " weights",
	 .origin = "own, measured; weight averaging as in SWAD"},
	{"/source_training/lr", FIELD_REAL, AT(source_training.sgd.lr), .high = 10,
	 .value = {2.5e-4}, .text = "Learning rate of the backbone", .origin = "CRST 6.2"},
	{"/source_training/head_lr_multiplier", FIELD_REAL,
	 AT(source_training.sgd.head_lr_multiplier), .high = 1000, .value = {10},
	 .text = "Learning rate of the head over the backbone's", .origin = "CRST 6.2"},
	{"/source_training/power", FIELD_REAL, AT(source_training.sgd.power), .high = 10,
	 .value = {0.9}, .text = "Poly schedule: lr (1 - step/steps)^power", .origin = "CRST 6.2"},
	{"/source_training/momentum", FIELD_REAL, AT(source_training.sgd.momentum), .high = 0.9999,
	 .value = {0.9}, .text = "Momentum", .origin = "CRST 6.2"},
	{"/source_training/weight_decay", FIELD_REAL, AT(source_training.sgd.weight_decay),
	 .high = 1, .value = {5e-4}, .text = "Weight decay", .origin = "CRST 6.2"},

	{"/entropy_training", FIELD_OPTION, AT(entropy.steps), .switch_kind = FIELD_SIZE, .value = {20000},
	 .text = "Between source training and the rounds: source labels and the entropy of target predictions",
	 .origin = "ADVENT 5.5"},
	{"/entropy_training/steps", FIELD_SIZE, AT(entropy.steps), .high = 1e7, .value = {0},
	 .text = "Steps, with the optimiser of source training; 0 is off", .origin = "own: ADVENT 120000"},
	{"/entropy_training/kind", FIELD_CHOICE, AT(entropy.kind), .choice = entropy_name,
	 .value = {ENTROPY_ADVENT},
	 .text = "minent: the entropy itself is made small; advent: a discriminator compares it with the source's",
	 .origin = "ADVENT 5.4"},
	{"/entropy_training/weight", FIELD_REAL, AT(entropy.weight), .high = 10, .value = {0.001},
	 .text = "Weight of the entropy, or of the adversarial loss", .origin = "ADVENT 5.5"},

	{"/self_training", FIELD_OBJECT, .text = "Adaptation to the target in rounds"},
	{"/self_training/phase1_rounds", FIELD_SIZE, SELF(phase1_rounds), .high = RECIPE_MAX_ROUNDS,
	 .value = {6}, .text = "Rounds on thresholded and voted pseudo labels",
	 .origin = "TPLD 4.1"},
	{"/self_training/phase2_rounds", FIELD_SIZE, SELF(phase2_rounds), .high = RECIPE_MAX_ROUNDS,
	 .value = {3},
	 .text = "Rounds on easy images with full pseudo labels and hard ones by the"
		 " discriminator",
	 .origin = "TPLD 5.6"},
	{"/self_training/steps_per_round", FIELD_SIZE, SELF(steps_per_round), .high = 1e7,
	 .value = {1000}, .text = "Training steps of a round", .origin = "CRST 1.5: about 2 x 577"},
	{"/self_training/lr", FIELD_REAL, SELF(sgd.lr), .high = 10, .value = {5e-5},
	 .text = "Learning rate of the backbone", .origin = "CRST 1.7"},
	{"/self_training/head_lr_multiplier", FIELD_REAL, SELF(sgd.head_lr_multiplier),
	 .high = 1000, .value = {10}, .text = "Learning rate of the head over the backbone's",
	 .origin = "CRST 1.7"},
	{"/self_training/power", FIELD_REAL, SELF(sgd.power), .high = 10, .value = {0},
	 .text = "Poly schedule within a round; 0 is constant", .origin = "CRST 1.7"},
	{"/self_training/momentum", FIELD_REAL, SELF(sgd.momentum), .high = 0.9999, .value = {0.9},
	 .text = "Momentum, starting anew each round", .origin = "CRST 1.7"},
	{"/self_training/weight_decay", FIELD_REAL, SELF(sgd.weight_decay), .high = 1,
	 .value = {5e-4}, .text = "Weight decay", .origin = "CRST 1.7"},
	{"/self_training/warmup_steps", FIELD_SIZE, SELF(warmup_steps), .high = 1e7, .value = {0},
	 .text = "The learning rate grows linearly over the first steps of every round", .origin = "own (9.1)"},
	{"/self_training/gradient_clip", FIELD_REAL, SELF(gradient_clip), .high = 1e6, .value = {0},
	 .text = "Longer gradients are scaled to this length; 0 is off", .origin = "own (9.1)"},
	{"/self_training/balanced_batch", FIELD_BOOL, SELF(balanced_batch), .high = 1, .value = {false},
	 .text = "Phase 1: half of each batch are target samples, the rest source; else both are one list",
	 .origin = "DACS (9)"},
	{"/self_training/teacher", FIELD_OPTION, SELF(teacher_momentum), .switch_kind = FIELD_REAL,
	 .value = {0.99},
	 .text = "A running mean of the weights labels the target, is judged and is published",
	 .origin = "DACS (9)"},
	{"/self_training/teacher/momentum", FIELD_REAL, SELF(teacher_momentum), .high = 0.99999,
	 .value = {0}, .text = "Share of the old mean kept each step; 0 is off", .origin = "DACS (9): 0.99"},
	{"/self_training/online_labels", FIELD_OPTION, SELF(online_threshold), .switch_kind = FIELD_REAL,
	 .value = {0.968},
	 .text = "Phase 1: the teacher labels every target sample anew, all of it; the round's labels are only"
		 " shown",
	 .origin = "DACS (9)"},
	{"/self_training/online_labels/threshold", FIELD_REAL, SELF(online_threshold), .high = 1,
	 .value = {0}, .text = "A sample weighs as its share of pixels more probable than this; 0 is off",
	 .origin = "DACS (9): 0.968"},
	{"/self_training/class_mix", FIELD_OPTION, SELF(class_mix), .switch_kind = FIELD_REAL,
	 .value = {1}, .text = "Half of the classes of a source crop are pasted over a labelled target crop",
	 .origin = "ClassMix, DACS (9)"},
	{"/self_training/class_mix/chance", FIELD_REAL, SELF(class_mix), .high = 1, .value = {0},
	 .text = "Probability for a target sample; 0 is off", .origin = "DACS (9): 1"},
	{"/self_training/norm_alignment", FIELD_OPTION, SELF(norm_strength), .switch_kind = FIELD_REAL,
	 .value = {0.5},
	 .text = "Before round 0 the frozen batch norms are moved to the target's statistics; source samples"
		 " keep their own",
	 .origin = "own, measured (9.1)"},
	{"/self_training/norm_alignment/strength", FIELD_REAL, SELF(norm_strength), .high = 1,
	 .value = {0}, .text = "0 keeps the source's statistics (off), 1 takes the target's",
	 .origin = "own, measured (9.1): 0.5"},
	{"/self_training/norm_alignment/check", FIELD_BOOL, SELF(norm_check), .high = 1, .value = {true},
	 .text = "Taken back where it moves the predicted shares of the classes much, the less the network agrees"
		 " with itself on mirrored images the sooner",
	 .origin = "own, measured"},
	{"/self_training/norm_alignment/required", FIELD_BOOL, SELF(norm_required), .high = 1, .value = {false},
	 .text = "Where it is taken back, the run ends with its source model instead of teaching without it",
	 .origin = "own, measured"},
	{"/self_training/norm_alignment/images", FIELD_SIZE, SELF(norm_images), .low = 1, .high = 10000,
	 .value = {32}, .text = "Crops of each domain that are measured", .origin = "own"},
	{"/self_training/source_portion", FIELD_REAL, SELF(source_portion_initial), .elements = 3,
	 .high = 1, .value = {0.03, 0.0025, 0.06},
	 .text = "Share of source images mixed in: first round, added each round, at most",
	 .origin = "CRST 1.5"},
	{"/self_training/source_per_target", FIELD_REAL, SELF(source_per_target), .high = 1000, .value = {0},
	 .text = "At least so many source images for every target image in a round, however few source_portion says;"
		 " 0: source_portion alone",
	 .origin = "CRST 1.5: 599 beside 505"},
	{"/self_training/thresholds", FIELD_CHOICE, SELF(thresholds), .choice = threshold_name,
	 .value = {THRESHOLD_CLASS},
	 .text = "class: the portion of every class (CBST); global: of all pixels, by one threshold",
	 .origin = "CBST 1.2"},
	{"/self_training/label_momentum", FIELD_REAL, SELF(label_momentum), .high = 0.99, .value = {0},
	 .text = "Labels are made from a running mean of the rounds' logits, of which this share is old; 0 is"
		 " off",
	 .origin = "own"},
	{"/self_training/portion", FIELD_OBJECT,
	 .text = "Share of each class's pixels that the thresholds let through"},
	{"/self_training/portion/initial", FIELD_REAL, SELF(portion_initial), .high = 1,
	 .value = {0.2}, .text = "In the first round", .origin = "CRST 1.2, TPLD 4.1"},
	{"/self_training/portion/step", FIELD_REAL, SELF(portion_step), .high = 1, .value = {0.05},
	 .text = "Added each round", .origin = "CRST 1.2"},
	{"/self_training/portion/max", FIELD_REAL, SELF(portion_max), .high = 1, .value = {0.5},
	 .text = "At most", .origin = "CRST 1.2"},
	{"/self_training/regularizer", FIELD_OBJECT, .text = "Confidence regulariser of CRST"},
	{"/self_training/regularizer/kind", FIELD_CHOICE, SELF(reg), .choice = regularizer_name,
	 .value = {REG_MRKLD},
	 .text = "On the network (mrkld, mrent, mrl2) or on the label (lrent)",
	 .origin = "TPLD 5.6"},
	{"/self_training/regularizer/weight", FIELD_REAL, SELF(reg_weight), .high = 10,
	 .value = {0.01}, .text = "Effective coefficient; for lrent its alpha",
	 .origin = "CRST 2.1"},
	{"/self_training/bootstrap", FIELD_OPTION, SELF(bootstrap), .switch_kind = FIELD_BOOL,
	 .value = {true}, .text = "Mixes the network's own r into the labels", .origin = "TPLD 3"},
	{"/self_training/bootstrap/beta", FIELD_REAL, SELF(bootstrap_beta), .high = 1,
	 .value = {0.95}, .text = "Weight of the pseudo label", .origin = "Reed et al. (3)"},
	{"/self_training/voting", FIELD_OPTION, SELF(vote.iterations), .switch_kind = FIELD_SIZE,
	 .value = {3}, .text = "Phase 1: neighbours vote on unlabelled pixels", .origin = "TPLD 4"},
	{"/self_training/voting/window", FIELD_SIZE, SELF(vote.window), .low = 1, .high = 401,
	 .step = 2, .value = {5}, .text = "Side of the window in pixels",
	 .origin = "own, measured (4.4)"},
	{"/self_training/voting/iterations", FIELD_SIZE, SELF(vote.iterations), .high = 20,
	 .value = {3}, .text = "Sweeps; 0 is off", .origin = "TPLD 4.1"},
	{"/self_training/voting/alpha", FIELD_FLOAT, SELF(vote.alpha), .high = 1, .value = {0.7},
	 .text = "Weight in the sum of own and pooled value", .origin = "TPLD 4.1"},
	{"/self_training/voting/alpha_on", FIELD_CHOICE, SELF(vote.alpha_on),
	 .choice = alpha_on_name, .value = {VOTE_ALPHA_ORIGINAL},
	 .text = "Which of the two alpha weighs", .origin = "TPLD 4.3"},
	{"/self_training/voting/pool", FIELD_CHOICE, SELF(vote.pool), .choice = pool_name,
	 .value = {VOTE_MEAN}, .text = "How neighbours are pooled", .origin = "own, measured"},
	{"/self_training/voting/rank", FIELD_CHOICE, SELF(vote.rank), .choice = rank_name,
	 .value = {VOTE_TOP2_BY_R}, .text = "By what the two competing classes are chosen",
	 .origin = "TPLD 4.3"},
	{"/self_training/voting/reuse_voted", FIELD_BOOL, SELF(vote.reuse_voted), .high = 1,
	 .value = {true}, .text = "Voted pixels vote in the next sweep", .origin = "TPLD 4.3"},
	{"/self_training/voting/border", FIELD_CHOICE, SELF(vote.border), .choice = border_name,
	 .value = {VOTE_BORDER_CLIP}, .text = "What lies outside: nothing, or zeros",
	 .origin = "TPLD 4.3"},
	{"/self_training/voting/value", FIELD_CHOICE, SELF(vote.value), .choice = value_name,
	 .value = {VOTE_OF_R}, .text = "What votes: r, and a score above 1 is enough; or p, and it must exceed lambda",
	 .origin = "own (4.3)"},
	{"/self_training/voting/kernel", FIELD_CHOICE, SELF(vote.kernel), .choice = kernel_shape_name,
	 .value = {VOTE_FLAT},
	 .text = "Weight of a neighbour: the same for all, or falling linearly to the window's edge",
	 .origin = "own (4.3)"},
	{"/self_training/voting/color_distance", FIELD_SIZE, SELF(vote.color_distance), .high = 255,
	 .value = {0},
	 .text = "Only neighbours vote whose red, green and blue each differ by no more; 0: all vote",
	 .origin = "own (4.3)"},
	{"/self_training/voting/rare_share", FIELD_REAL, SELF(vote.rare_share), .high = 1, .value = {0},
	 .text = "Classes below this share of predicted pixels look for votes in window_rare; 0: none",
	 .origin = "own (4.3)"},
	{"/self_training/voting/window_rare", FIELD_SIZE, SELF(vote.window_rare), .low = 1, .high = 401,
	 .step = 2, .value = {3}, .text = "Side of the window of rare classes in pixels",
	 .origin = "own (4.3)"},
	{"/self_training/voting/flips_agree", FIELD_BOOL, SELF(vote.flips_agree), .high = 1,
	 .value = {false},
	 .text = "No votes on pixels to which the image and its mirror image give different classes",
	 .origin = "own (4.3)"},
	{"/self_training/easy_portion", FIELD_REAL, SELF(easy_portion), .high = 1, .value = {0.3},
	 .text = "Phase 2: share of images that are easy", .origin = "TPLD 5.2"},
	{"/self_training/split", FIELD_CHOICE, SELF(split), .choice = split_name,
	 .value = {SPLIT_CONFIDENCE},
	 .text = "What ranks images into easy and hard: TPLD's confidence, or IntraDA's mean entropy",
	 .origin = "TPLD 5.1, IntraDA 5.7"},
	{"/self_training/easy_rank", FIELD_CHOICE, SELF(easy_rank), .choice = rank_name,
	 .value = {VOTE_TOP2_BY_R}, .text = "Phase 2: easy images are labelled by the largest r, or by p, which then takes r's place in the weight",
	 .origin = "TPLD 5.3"},
	{"/self_training/gamma", FIELD_REAL, SELF(gamma), .high = 100, .value = {2},
	 .text = "Phase 2: unsure pixels of easy images weigh r^gamma", .origin = "TPLD 5.3"},
	{"/self_training/inverse_lambda", FIELD_BOOL, SELF(inverse_lambda), .high = 1,
	 .value = {true},
	 .text = "1/lambda in the image confidence favours images with rare classes",
	 .origin = "TPLD 5.1"},
	{"/self_training/phase2_source", FIELD_BOOL, SELF(phase2_source), .high = 1,
	 .value = {true}, .text = "Phase 2 keeps learning from the source", .origin = "own (5.3)"},
	{"/self_training/adversarial", FIELD_OPTION, SELF(adversarial), .switch_kind = FIELD_BOOL,
	 .value = {true},
	 .text = "Phase 2: hard images are aligned to easy ones by a discriminator",
	 .origin = "TPLD 5.4"},
	{"/self_training/adversarial/weight", FIELD_REAL, SELF(adversarial_weight), .high = 10,
	 .value = {0.001}, .text = "Weight of the adversarial loss", .origin = "ADVENT 5.5"},
	{"/self_training/adversarial/lr", FIELD_REAL, SELF(discriminator_lr), .high = 1,
	 .value = {1e-4}, .text = "Learning rate of the discriminator", .origin = "ADVENT 5.5"},
	{"/self_training/rare_class_mining", FIELD_OPTION, SELF(mine_chance),
	 .switch_kind = FIELD_REAL, .value = {0.8}, .text = "Target crops centred on rare classes",
	 .origin = "CRST 1.6"},
	{"/self_training/rare_class_mining/chance", FIELD_REAL, SELF(mine_chance), .high = 1,
	 .value = {0.8}, .text = "Probability for an image that holds one; 0 is off",
	 .origin = "CRST 1.6"},
	{"/self_training/rare_class_mining/portion", FIELD_REAL, SELF(mine_portion), .high = 1,
	 .value = {0.001}, .text = "Rare: below this share of predicted pixels",
	 .origin = "CRST 1.6"},
	{"/self_training/flip_average", FIELD_BOOL, SELF(flip_average), .high = 1, .value = {true},
	 .text = "Scoring averages the image and its mirror image", .origin = "CRST 1.2"},
	{"/self_training/scoring_scale", FIELD_REAL, SELF(scoring_scale), .low = 0.25, .high = 2,
	 .value = {1}, .text = "Scale of the image in scoring; CRST used 0.9", .origin = "own"},
	{"/self_training/threshold_stride", FIELD_SIZE, SELF(threshold_stride), .low = 1,
	 .high = 64, .value = {4}, .text = "Every n-th pixel enters the thresholds",
	 .origin = "CRST 1.2"},

	{"/evaluation", FIELD_OBJECT, .text = "Judging against labels; never used for training"},
	{"/evaluation/every_rounds", FIELD_SIZE, AT(evaluation.every_rounds), .low = 1,
	 .high = RECIPE_MAX_ROUNDS, .value = {1}, .text = "After every n-th round, and the last",
	 .origin = "own"},
	{"/evaluation/flip", FIELD_BOOL, AT(evaluation.flip), .high = 1, .value = {false},
	 .text = "Average with the mirror image", .origin = "own"},
	{"/evaluation/scales", FIELD_REAL, AT(evaluation.scale), .elements = RECIPE_MAX_SCALES,
	 .count_offset = AT(evaluation.scales), .low = 0.25, .high = 4, .value = {1},
	 .text = "Scales to average; CRST tested with 0.9, 1, 1.2", .origin = "own"},
};

enum { FIELDS = sizeof fields / sizeof *fields };

const recipe_field *recipe_field_at(size_t i)
{
	return i < FIELDS ? &fields[i] : NULL;
}

const recipe_field *recipe_field_find(const char *pointer)
{
	for (size_t i = 0; i < FIELDS; i++)
		if (strcmp(fields[i].pointer, pointer) == 0)
			return &fields[i];
	return NULL;
}

static field_kind stored_kind(const recipe_field *f)
{
	return f->kind == FIELD_OPTION ? f->switch_kind : f->kind;
}

double recipe_field_get(const recipe_field *f, const recipe *r, size_t element)
{
	const char *at = (const char *)r + f->offset;
	switch (stored_kind(f)) {
	case FIELD_SIZE:
		return (double)((const size_t *)(const void *)at)[element];
	case FIELD_REAL:
		return ((const double *)(const void *)at)[element];
	case FIELD_FLOAT:
		return *(const float *)(const void *)at;
	case FIELD_BOOL:
		return *(const bool *)at;
	case FIELD_CHOICE:
		return *(const int *)(const void *)at;
	case FIELD_OBJECT:
	case FIELD_OPTION:
		break;
	}
	return 0.0;
}

void recipe_field_set(const recipe_field *f, recipe *r, size_t element, double value)
{
	char *at = (char *)r + f->offset;
	switch (stored_kind(f)) {
	case FIELD_SIZE:
		((size_t *)(void *)at)[element] = (size_t)value;
		break;
	case FIELD_REAL:
		((double *)(void *)at)[element] = value;
		break;
	case FIELD_FLOAT:
		*(float *)(void *)at = (float)value;
		break;
	case FIELD_BOOL:
		*(bool *)at = value != 0.0;
		break;
	case FIELD_CHOICE:
		*(int *)(void *)at = (int)value;
		break;
	case FIELD_OBJECT:
	case FIELD_OPTION:
		break;
	}
}

size_t recipe_field_count(const recipe_field *f, const recipe *r)
{
	if (f->elements == 0)
		return 1;
	if (f->count_offset == 0)
		return f->elements;
	size_t n = *(const size_t *)(const void *)((const char *)r + f->count_offset);
	return n < f->elements ? n : f->elements;
}

bool recipe_field_accepts(const recipe_field *f, double value, char *why, size_t size)
{
	double low = f->low, high = f->high, step = f->step > 0.0 ? f->step : 1.0;
	if (f->kind == FIELD_CHOICE)
		for (high = -1.0; f->choice((size_t)(high + 1.0)) != NULL;)
			high += 1.0;
	/* Written so that NaN is refused. */
	bool inside = value >= low && value <= high;
	if (inside && f->kind == FIELD_SIZE)
		inside = fmod(value - low, step) == 0.0;
	if (!inside && low + step == high)
		(void)snprintf(why, size, "%.10g is neither %g nor %g", value, low, high);
	else if (!inside && step > 1.0)
		(void)snprintf(why, size, "%.10g is not one of %g, %g, ... %g", value, low,
		               low + step, high);
	else if (!inside)
		(void)snprintf(why, size, "%.10g is not in %.16g..%.16g", value, low, high);
	return inside;
}

typedef struct problem_list {
	recipe_problem *item;
	size_t max, count;
} problem_list;

TP_PRINTF(3, 4)
static void add_problem(problem_list *l, const char *pointer, const char *fmt, ...)
{
	if (l->count++ >= l->max)
		return;
	recipe_problem *p = &l->item[l->count - 1];
	(void)snprintf(p->pointer, sizeof p->pointer, "%s", pointer);
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(p->text, sizeof p->text, fmt, ap);
	va_end(ap);
}

static void check_ranges(const recipe *r, problem_list *l)
{
	for (const recipe_field *f = fields; f < fields + FIELDS; f++) {
		if (f->kind == FIELD_OBJECT || f->kind == FIELD_OPTION)
			continue;
		size_t n = recipe_field_count(f, r);
		if (n == 0)
			add_problem(l, f->pointer, "holds no value");
		for (size_t i = 0; i < n; i++) {
			char why[120];
			if (!recipe_field_accepts(f, recipe_field_get(f, r, i), why, sizeof why)) {
				add_problem(l, f->pointer, "%s", why);
				break;
			}
		}
	}
}

/* alpha of lrent is an exponent's divisor: below this r^(1/alpha) leaves the range of float. */
static const double lrent_alpha_min = 0.05;

/* exp(1/T) must stay a number. */
static const double rare_temperature_min = 0.002;

static void check_voting(const recipe *r, problem_list *l)
{
	const vote_spec *v = &r->self.vote;
	if (v->iterations == 0)
		return;
	bool rare = v->rare_share > 0.0;
	size_t largest = rare && v->window_rare > v->window ? v->window_rare : v->window;
	if (v->kernel == VOTE_TRIANGLE && v->pool == VOTE_MAX)
		add_problem(l, "/self_training/voting/kernel", "triangle has no meaning with pool max");
	if (rare && v->window_rare > v->window)
		add_problem(l, "/self_training/voting/window_rare", "%zu is larger than window, %zu",
		            v->window_rare, v->window);
	if (v->color_distance > 0 && largest > VOTE_COLOR_WINDOW_MAX)
		add_problem(l, "/self_training/voting/color_distance",
		            "needs a window of at most %d, not %zu", (int)VOTE_COLOR_WINDOW_MAX, largest);
	if (v->flips_agree && !r->self.flip_average)
		add_problem(l, "/self_training/voting/flips_agree",
		            "needs the mirror image (/self_training/flip_average)");
}

static void check_together(const recipe *r, problem_list *l)
{
	check_voting(r, l);
	if (r->model.output_stride == 16 && r->model.arch != ARCH_MOBILENETV2)
		add_problem(l, "/model/output_stride", "16 is possible with %s only",
		            net_arch_name(ARCH_MOBILENETV2));
	if (r->data.scale_low > r->data.scale_high)
		add_problem(l, "/data/scale", "%g is larger than %g", r->data.scale_low,
		            r->data.scale_high);
	if (r->data.photometric.blur_sigma_low > r->data.photometric.blur_sigma_high)
		add_problem(l, "/data/blur/sigma", "%g is larger than %g",
		            r->data.photometric.blur_sigma_low, r->data.photometric.blur_sigma_high);
	if (r->data.rare_temperature > 0.0 && r->data.rare_temperature < rare_temperature_min)
		add_problem(l, "/data/rare_class_sampling/temperature", "%g is neither 0 nor at least %g",
		            r->data.rare_temperature, rare_temperature_min);
	if (r->self.online_threshold > 0.0 && r->self.teacher_momentum == 0.0)
		add_problem(l, "/self_training/online_labels", "needs a teacher (/self_training/teacher)");
	if (r->self.online_threshold > 0.0 && r->self.reg == REG_LRENT)
		add_problem(l, "/self_training/online_labels", "has no use for the soft labels of lrent");
	if (r->self.balanced_batch && r->data.batch < 2)
		add_problem(l, "/self_training/balanced_batch", "needs a batch of 2 or more");
	if (r->self.portion_initial > r->self.portion_max)
		add_problem(l, "/self_training/portion/initial", "%g is larger than max, %g",
		            r->self.portion_initial, r->self.portion_max);
	if (r->self.source_portion_initial > r->self.source_portion_max)
		add_problem(l, "/self_training/source_portion", "%g is larger than the last, %g",
		            r->self.source_portion_initial, r->self.source_portion_max);
	if (r->self.reg == REG_LRENT && r->self.reg_weight < lrent_alpha_min)
		add_problem(l, "/self_training/regularizer/weight",
		            "%g is not in %g..10, the range of lrent's alpha", r->self.reg_weight,
		            lrent_alpha_min);
	if (recipe_rounds(r) > RECIPE_MAX_ROUNDS)
		add_problem(l, "/self_training/phase2_rounds", "%zu rounds in all are more than %d",
		            recipe_rounds(r), (int)RECIPE_MAX_ROUNDS);
	if (recipe_rounds(r) > 0 && r->self.steps_per_round == 0)
		add_problem(l, "/self_training/steps_per_round", "0 steps with %zu rounds",
		            recipe_rounds(r));
}

size_t recipe_problems(const recipe *r, recipe_problem *ret, size_t max)
{
	problem_list l = {.item = ret, .max = max};
	check_ranges(r, &l);
	check_together(r, &l);
	return l.count;
}
