/* training: twenty steps on each loss end with the weights that PyTorch's autograd and optimisers end
 * with (golden/make_training.py). What is measured is the distance between the two ends over the
 * length of PyTorch's way from the start, for all weights together and for each tensor. */
#include "harness.h"

#include <stdatomic.h>

#include "../golden/golden.h"
#include "../net/net_test.h"
#include "adapt/probs.h"
#include "adapt/pseudo.h"
#include "adapt/vote.h"
#include "train/step.h"

enum { CLASSES = 5, BATCH = 2, SLOTS = BATCH + 1, BATCHES = 4, STEPS = 20, GRID_H = 5, GRID_W = 6 };
enum { DISC_DIVISOR = 16, DISC_SEED = 1000 };

static const float lambda[CLASSES] = {0.9f, 0.5f, 0.7f, 0.3f, 0.95f};
static const float gamma_of_easy = 2.0f, lrent_alpha = 0.25f;

typedef enum label_kind { LABEL_TRUE, LABEL_CONFIDENT, LABEL_VOTED, LABEL_EASY, LABEL_SOFT } label_kind;

/* CASES of make_training.py. */
typedef struct training {
	const char *name;
	net_arch arch;
	size_t divisor, h, w;
	phase phase;
	label_kind labels; /* of the target's images, one in each batch but in source training */
	regularizer reg;
	bool bootstrap, adversarial;
} training;

static const training source = {"source", ARCH_MOBILENETV2, 8, 33, 41, PHASE_SOURCE_TRAINING,
                                LABEL_TRUE, REG_NONE, false, false};
static const training cbst = {"cbst", ARCH_RESNET50, 64, 33, 41, PHASE_PHASE1_TRAINING,
                              LABEL_CONFIDENT, REG_NONE, false, false};
static const training mrkld = {"mrkld", ARCH_VGG16, 32, 97, 103, PHASE_PHASE1_TRAINING,
                               LABEL_CONFIDENT, REG_MRKLD, false, false};
static const training lrent = {"lrent", ARCH_MOBILENETV2, 16, 33, 41, PHASE_PHASE1_TRAINING,
                               LABEL_SOFT, REG_LRENT, false, false};
static const training bootstrap = {"bootstrap", ARCH_RESNET50, 64, 33, 41, PHASE_PHASE1_TRAINING,
                                   LABEL_VOTED, REG_NONE, true, false};
static const training phase1 = {"phase1", ARCH_VGG16, 64, 33, 41, PHASE_PHASE1_TRAINING,
                                LABEL_VOTED, REG_MRKLD, true, false};
static const training easy = {"easy", ARCH_MOBILENETV2, 16, 33, 41, PHASE_PHASE2_TRAINING,
                              LABEL_EASY, REG_NONE, true, false};
static const training adversarial = {"adversarial", ARCH_RESNET50, 32, 65, 70, PHASE_PHASE2_TRAINING,
                                     LABEL_EASY, REG_NONE, true, true};
static const training mrent = {"mrent", ARCH_MOBILENETV2, 16, 33, 41, PHASE_PHASE1_TRAINING,
                               LABEL_CONFIDENT, REG_MRENT, false, false};
static const training mrl2 = {"mrl2", ARCH_VGG16, 64, 33, 41, PHASE_PHASE1_TRAINING,
                              LABEL_CONFIDENT, REG_MRL2, false, false};

/* ---- samples ------------------------------------------------------------------------------ */

static void vote_on(const float *p, size_t h, size_t w, uint8_t *label, pool *pool)
{
	const vote_spec spec = {.window = 5, .iterations = 3, .alpha = 0.7f,
	                        .alpha_on = VOTE_ALPHA_ORIGINAL, .pool = VOTE_SUM,
	                        .rank = VOTE_TOP2_BY_R, .reuse_voted = true,
	                        .border = VOTE_BORDER_CLIP};
	void *scratch;
	assert_ok(mem_bytes(vote_scratch(&spec, CLASSES, h, w), &scratch, err));
	vote_image im = {.p = p, .lambda = lambda, .classes = CLASSES, .h = h, .w = w};
	vote_run(&spec, &im, label, scratch, pool);
	mem_free(scratch);
}

/* label, and weight or soft where the kind has them, from the image's probability map. */
static void make_labels(label_kind kind, const float *p, size_t h, size_t w, sample *s, pool *pool)
{
	size_t n = h * w;
	if (kind == LABEL_EASY) {
		s->weight = floats(n);
		pseudo_easy(p, lambda, gamma_of_easy, CLASSES, n, s->label, s->weight, pool);
		return;
	}
	pseudo_confident(p, lambda, CLASSES, n, s->label, NULL, pool);
	if (kind == LABEL_VOTED)
		vote_on(p, h, w, s->label, pool);
	if (kind == LABEL_SOFT) {
		s->soft = floats(CLASSES * n);
		pseudo_lrent(p, lambda, lrent_alpha, CLASSES, n, s->soft, pool);
	}
}

/* sample() of make_training.py. */
static void sample_of(const training *t, uint64_t seed, size_t batch, size_t slot, sample *s, pool *pool)
{
	char name[48];
	size_t n = t->h * t->w;
	float plain[CLASSES * GRID_H * GRID_W], colour[CLASSES * 3];
	float *p = floats(CLASSES * n), *unknown = floats(n);
	uint8_t *truth = malloc(n);
	assert_non_null(truth);
	*s = (sample){.target = t->labels != LABEL_TRUE && slot != 1, .input = floats(3 * n),
	              .label = malloc(n)};
	assert_non_null(s->label);

	(void)snprintf(name, sizeof name, "logits %zu/%zu", batch, slot);
	uniform_values(seed, name, CLASSES * GRID_H * GRID_W, -4, 4, plain);
	logit_map m = {CLASSES, GRID_H, GRID_W, t->h, t->w, plain, NULL};
	probs_from_logits(&m, p, NULL, pool);
	probs_argmax(p, CLASSES, n, truth, NULL, pool);

	uniform_values(seed, "colour", CLASSES * 3, -1.5, 1.5, colour);
	(void)snprintf(name, sizeof name, "image %zu/%zu", batch, slot);
	named_image(seed, name, n, 3, 1.0, s->input);
	for (size_t i = 0; i < 3 * n; i++)
		s->input[i] += colour[3 * truth[i / 3] + i % 3];

	if (slot == BATCH) {
		memset(s->label, LABEL_NONE, n);
	} else if (s->target) {
		make_labels(t->labels, p, t->h, t->w, s, pool);
	} else {
		(void)snprintf(name, sizeof name, "unknown %zu/%zu", batch, slot);
		uniform_values(seed, name, n, 0, 1, unknown);
		for (size_t i = 0; i < n; i++)
			s->label[i] = unknown[i] < 0.1f ? LABEL_NONE : truth[i];
	}
	mem_free(p);
	mem_free(unknown);
	free(truth);
}

static void sample_done(sample *s)
{
	mem_free(s->input);
	mem_free(s->weight);
	mem_free(s->soft);
	free(s->label);
}

/* ---- one training ------------------------------------------------------------------------- */

/* LR of make_training.py. */
static double rate_of(net_arch arch)
{
	return arch == ARCH_MOBILENETV2 ? 0.15 : arch == ARCH_VGG16 ? 0.2 : 0.02;
}

static recipe recipe_of(const training *t, kernel_mode kernels)
{
	recipe r = recipe_preset((size_t)recipe_preset_find("tpld"));
	r.data.crop_h = t->h;
	r.data.crop_w = t->w;
	r.data.batch = BATCH;
	r.kernels = kernels;
	recipe_sgd sgd = {.lr = rate_of(t->arch), .head_lr_multiplier = 0.5, .power = 0.9, .momentum = 0.9,
	                  .weight_decay = 5e-4};
	r.source_training.sgd = r.self.sgd = sgd;
	r.self.bootstrap = t->bootstrap;
	r.self.bootstrap_beta = 0.8;
	r.self.reg = t->reg;
	r.self.reg_weight = t->reg == REG_LRENT ? (double)lrent_alpha : 0.1;
	r.self.adversarial = t->adversarial;
	r.self.adversarial_weight = 0.05;
	r.self.discriminator_lr = 1e-3;
	return r;
}

static graph network_of(const training *t)
{
	graph g;
	net_spec spec = net_spec_default(t->arch);
	const size_t dilations[ASPP_MAX_BRANCHES] = {1, 2, 4, 6};
	spec.classes = CLASSES;
	spec.width_divisor = t->divisor;
	memcpy(spec.aspp_dilations, dilations, sizeof dilations);
	assert_ok(net_build(&spec, &g, err));
	return g;
}

/* How far ours end from PyTorch's weights, over PyTorch's way from the start. */
typedef struct gap {
	double off, way; /* sums of squares over all tensors */
	double worst;    /* of a tensor */
	char where[64];
	double loss;     /* largest difference of a step's losses */
} gap;

static void add_tensors(gap *gap, const golden_file *f, const char *prefix, const graph *g,
                        const float *after, const float *before)
{
	for (size_t i = 0; i < g->params.count; i++) {
		const param *p = &g->params.item[i];
		if (!p->trained) {
			assert_memory_equal(after + p->offset, before + p->offset, p->count * sizeof(float));
			continue;
		}
		const float *want = golden_f32(f, p->count, "%s%s", prefix, p->name);
		float *a = floats(p->count), *b = floats(p->count);
		double off = 0, way = 0;
		params_to_public(p, after, a);
		params_to_public(p, before, b);
		for (size_t j = 0; j < p->count; j++) {
			double d = (double)a[j] - want[j], w = (double)want[j] - b[j];
			off += d * d;
			way += w * w;
		}
		double e = sqrt(off / way);
		if (!(e <= gap->worst)) {
			gap->worst = e;
			(void)snprintf(gap->where, sizeof gap->where, "%s", p->name);
		}
		gap->off += off;
		gap->way += way;
		mem_free(a);
		mem_free(b);
	}
}

static gap run(const training *t, kernel_mode kernels, const golden_file *f)
{
	gap gap = {0};
	char prefix[32];
	sample s[BATCHES][SLOTS];
	atomic_int stop = 0;
	pool *pool = new_pool(2);
	graph net = network_of(t), disc;
	assert_ok(discriminator_build(CLASSES, DISC_DIVISOR, &disc, err));
	uint64_t seed = (uint64_t)golden_i32(f, 1, "%s/seed", t->name)[0];
	const float *losses = golden_f32(f, STEPS * 3, "%s/losses", t->name);
	float *before = net_values(&net, seed), *disc_before = net_values(&disc, seed + DISC_SEED);
	size_t slots = t->adversarial ? SLOTS : BATCH;
	for (size_t b = 0; b < BATCHES; b++)
		for (size_t i = 0; i < slots; i++)
			sample_of(t, seed, b, i, &s[b][i], pool);

	recipe recipe = recipe_of(t, kernels);
	train_state state;
	stepper *stepper;
	assert_ok(train_state_create(&net, t->adversarial ? &disc : NULL, 1, &state, err));
	memcpy(state.values, before, net.params.floats * sizeof *before);
	if (t->adversarial)
		memcpy(state.disc_values, disc_before, disc.params.floats * sizeof *disc_before);
	stepper_spec spec = {.recipe = &recipe,
	                     .phase = t->phase,
	                     .steps = STEPS,
	                     .unlabelled = t->adversarial,
	                     .state = &state,
	                     .lambda = t->phase == PHASE_SOURCE_TRAINING ? NULL : lambda,
	                     .pool = pool,
	                     .stop = &stop};
	assert_ok(stepper_create(&spec, &stepper, err));
	for (size_t i = 0; i < STEPS; i++, losses += 3) {
		step_result res;
		assert_ok(stepper_run(stepper, s[i % BATCHES], &res, err));
		gap.loss = fmax(gap.loss, fabs(res.loss - (double)losses[0]));
		gap.loss = fmax(gap.loss, fabs(res.adversarial - (double)losses[1]));
		gap.loss = fmax(gap.loss, fabs(res.discriminator - (double)losses[2]));
	}
	(void)snprintf(prefix, sizeof prefix, "%s/", t->name);
	add_tensors(&gap, f, prefix, &net, state.values, before);
	if (t->adversarial) {
		(void)snprintf(prefix, sizeof prefix, "%s/disc.", t->name);
		add_tensors(&gap, f, prefix, &disc, state.disc_values, disc_before);
	}

	stepper_free(stepper);
	train_state_done(&state);
	for (size_t b = 0; b < BATCHES; b++)
		for (size_t i = 0; i < slots; i++)
			sample_done(&s[b][i]);
	mem_free(before);
	mem_free(disc_before);
	graph_done(&net);
	graph_done(&disc);
	pool_free(pool);
	return gap;
}

static gap against_pytorch(const training *t, kernel_mode kernels, const char *mode)
{
	golden_file f;
	golden_open(TEST_GOLDEN "/training.bin", &f);
	gap g = run(t, kernels, &f);
	const float *single = golden_f32(&f, 2, "%s/float32", t->name);
	print_message("%s, %s: off by %.1e of the way, worst %.1e (%s); PyTorch in float32 %.1e, %.1e; losses %.1e\n",
	              t->name, mode, sqrt(g.off / g.way), g.worst, g.where, (double)single[0],
	              (double)single[1], g.loss);
	golden_close(&f);
	return g;
}

static void exactly(const training *t)
{
	gap g = against_pytorch(t, KERNELS_EXACT, "exact");
	assert_true(sqrt(g.off / g.way) <= 1e-4);
	assert_true(g.worst <= 1e-4);
	assert_true(g.loss <= 1e-4);
}

static void source_cross_entropy(void **state) { (void)state; exactly(&source); }
static void cbst_hard_labels(void **state) { (void)state; exactly(&cbst); }
static void mrkld_regulariser(void **state) { (void)state; exactly(&mrkld); }
static void lrent_soft_labels(void **state) { (void)state; exactly(&lrent); }
static void bootstrapped_voted_labels(void **state) { (void)state; exactly(&bootstrap); }
static void phase1_all_terms(void **state) { (void)state; exactly(&phase1); }
static void phase2_weighted_labels(void **state) { (void)state; exactly(&easy); }
static void phase2_with_discriminator(void **state) { (void)state; exactly(&adversarial); }
static void mrent_regulariser(void **state) { (void)state; exactly(&mrent); }
static void mrl2_regulariser(void **state) { (void)state; exactly(&mrl2); }

/* The one network and crop here that are large enough for Winograd to be chosen. */
static void winograd_kernels(void **state)
{
	(void)state;
	gap f2 = against_pytorch(&mrkld, KERNELS_F2, "f2");
	gap f4 = against_pytorch(&mrkld, KERNELS_F4, "f4");
	gap exact = against_pytorch(&mrkld, KERNELS_EXACT, "exact");
	assert_true(f4.off != exact.off && f2.off != exact.off);
	assert_true(f2.worst <= 1e-4);
	assert_true(f4.worst <= 1e-4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(source_cross_entropy),
		cmocka_unit_test(cbst_hard_labels),
		cmocka_unit_test(mrkld_regulariser),
		cmocka_unit_test(lrent_soft_labels),
		cmocka_unit_test(bootstrapped_voted_labels),
		cmocka_unit_test(phase1_all_terms),
		cmocka_unit_test(phase2_weighted_labels),
		cmocka_unit_test(phase2_with_discriminator),
		cmocka_unit_test(mrent_regulariser),
		cmocka_unit_test(mrl2_regulariser),
		cmocka_unit_test(winograd_kernels),
	};
	return cmocka_run_group_tests(tests, start_blas, NULL);
}
