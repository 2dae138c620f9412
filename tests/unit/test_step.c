/* step: whole training steps of every phase against PyTorch (golden/make_step.py), the same bits for
 * any number of threads, no allocation after the first step, nothing updated when a step fails. */
#include "train_fixture.h"

#include <errno.h>
#include <stdatomic.h>

#include "../golden/golden.h"

/* ---- allocations of all threads ----------------------------------------------------------- */

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define COUNT_ALLOCATIONS 1
#else
#define COUNT_ALLOCATIONS 0
#endif

static atomic_bool counting;
static atomic_int allocations;

#if COUNT_ALLOCATIONS
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t align, size_t size);

static void count(void)
{
	if (atomic_load(&counting))
		atomic_fetch_add(&allocations, 1);
}

void *malloc(size_t size)
{
	count();
	return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	count();
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	count();
	return __libc_realloc(p, size);
}

void *aligned_alloc(size_t align, size_t size)
{
	count();
	return __libc_memalign(align, size);
}

void *memalign(size_t align, size_t size);
void *memalign(size_t align, size_t size)
{
	count();
	return __libc_memalign(align, size);
}

int posix_memalign(void **ret, size_t align, size_t size)
{
	count();
	void *p = __libc_memalign(align, size);
	if (p != NULL)
		*ret = p;
	return p != NULL ? 0 : ENOMEM;
}
#endif

/* ---- a rig: network, state, stepper ------------------------------------------------------- */

enum { STEPS = 3, TOTAL = 8 };

typedef struct rig {
	graph net, disc;
	recipe recipe;
	train_state state;
	pool *pool;
	atomic_int stop;
	stepper *stepper;
	phase phase;
} rig;

static void rig_open(rig *r, phase phase, uint64_t seed, size_t threads)
{
	bool adversarial = phase == PHASE_PHASE2_TRAINING;
	*r = (rig){.net = small_network(), .disc = small_discriminator(), .recipe = small_recipe(),
	           .pool = new_pool(threads), .phase = phase};
	assert_ok(train_state_create(&r->net, adversarial ? &r->disc : NULL, 1, &r->state, err));
	fill_state(&r->state, 40 + seed, 50 + seed);
	stepper_spec spec = {.recipe = &r->recipe,
	                     .phase = phase,
	                     .steps = TOTAL,
	                     .unlabelled = adversarial,
	                     .state = &r->state,
	                     .lambda = phase == PHASE_SOURCE_TRAINING ? NULL : round_lambda,
	                     .pool = r->pool,
	                     .stop = &r->stop};
	assert_ok(stepper_create(&spec, &r->stepper, err));
}

static void rig_close(rig *r)
{
	stepper_free(r->stepper);
	train_state_done(&r->state);
	graph_done(&r->net);
	graph_done(&r->disc);
	pool_free(r->pool);
}

static step_result rig_step(rig *r, uint64_t seed)
{
	small_samples s;
	step_result res;
	samples_make(seed, r->phase, r->state.step, &s);
	assert_ok(stepper_run(r->stepper, s.slot, &res, err));
	samples_done(&s);
	return res;
}

/* ---- against PyTorch ---------------------------------------------------------------------- */

/* Error of the change of one parameter, over its norm; what float32 cannot hold is not held against
 * it: each weight is rounded at each step. */
static double change_error(uint64_t seed, const param *p, const float *after, const float *before,
                           const float *want)
{
	float *a = floats(p->count), *b = floats(p->count);
	char sign[80];
	double got[8] = {0}, rounding = 0, worst = 0;
	params_to_public(p, after, a);
	params_to_public(p, before, b);
	(void)snprintf(sign, sizeof sign, "sign %s", p->name);
	for (size_t j = 0; j < p->count; j++) {
		double d = (double)a[j] - b[j];
		uint64_t bits = rng_u64(seed, RNG_TEST, value_counter(sign) + j);
		got[0] += d * d;
		rounding += (double)a[j] * a[j];
		for (int k = 0; k < 7; k++)
			got[1 + k] += (bits >> k & 1) != 0 ? d : -d;
	}
	got[0] = sqrt(got[0]);
	rounding = sqrt(rounding) * STEPS * 3e-8;
	for (int k = 0; k < 8; k++) {
		double e = (fabs(got[k] - (double)want[k]) - rounding) / (double)want[0];
		worst = e > worst || isnan(e) ? e : worst;
	}
	mem_free(a);
	mem_free(b);
	return worst;
}

static double worst_change(uint64_t seed, const graph *g, const float *after, const float *before,
                           const golden_file *f, const char *prefix)
{
	double worst = 0;
	for (size_t i = 0; i < g->params.count; i++) {
		const param *p = &g->params.item[i];
		if (!p->trained) {
			assert_memory_equal(after + p->offset, before + p->offset,
			                    p->count * sizeof(float));
			continue;
		}
		double e = change_error(seed, p, after, before,
		                        golden_f32(f, 8, "%s/%s", prefix, p->name));
		worst = e > worst || isnan(e) ? e : worst;
	}
	return worst;
}

static void against_pytorch(phase phase, int number, double limit)
{
	golden_file f;
	rig r;
	char prefix[8];
	golden_open(TEST_GOLDEN "/step.bin", &f);
	rig_open(&r, phase, (uint64_t)number, 2);
	float *before = net_values(&r.net, 40 + (uint64_t)number);
	float *disc_before = net_values(&r.disc, 50 + (uint64_t)number);
	const float *want = golden_f32(&f, STEPS * 5, "%d/losses", number);
	for (size_t i = 0; i < STEPS; i++, want += 5) {
		step_result res = rig_step(&r, (uint64_t)number);
		assert_near(res.loss, (double)want[0], 2e-4);
		assert_near(res.label_term, (double)want[1], 2e-4);
		assert_near(res.reg_term, (double)want[2], 2e-5);
		assert_near(res.adversarial, (double)want[3], 2e-5);
		assert_near(res.discriminator, (double)want[4], 2e-5);
		assert_near(res.lr, 2e-2 * pow(1 - (double)i / TOTAL, 0.9), 1e-12);
		assert_int_equal(r.state.step, i + 1);
	}
	(void)snprintf(prefix, sizeof prefix, "%d", number);
	double e = worst_change((uint64_t)number, &r.net, r.state.values, before, &f, prefix), d = 0;
	if (phase == PHASE_PHASE2_TRAINING) {
		d = worst_change((uint64_t)number, &r.disc, r.state.disc_values, disc_before, &f, "disc");
		assert_int_equal(r.state.disc_steps, STEPS);
	}
	print_message("%s: change of the weights off by %.1e, of the discriminator's by %.1e\n",
	              phase_name(phase), e, d);
	assert_true(e <= limit);
	assert_true(d <= limit);
	mem_free(before);
	mem_free(disc_before);
	rig_close(&r);
	golden_close(&f);
}

static void source_steps_are_pytorchs(void **state)
{
	(void)state;
	against_pytorch(PHASE_SOURCE_TRAINING, 0, 2e-3);
}

static void phase1_steps_are_pytorchs(void **state)
{
	(void)state;
	against_pytorch(PHASE_PHASE1_TRAINING, 1, 2e-3);
}

static void phase2_steps_are_pytorchs(void **state)
{
	(void)state;
	against_pytorch(PHASE_PHASE2_TRAINING, 2, 4e-3);
}

/* ---- threads and memory ------------------------------------------------------------------- */

static void threads_change_no_bit(void **state)
{
	(void)state;
	rig one;
	rig_open(&one, PHASE_PHASE2_TRAINING, 7, 1);
	step_result first[STEPS];
	for (size_t i = 0; i < STEPS; i++)
		first[i] = rig_step(&one, 7);
	for (size_t threads = 2; threads <= 4; threads++) {
		rig r;
		rig_open(&r, PHASE_PHASE2_TRAINING, 7, threads);
		for (size_t i = 0; i < STEPS; i++) {
			step_result res = rig_step(&r, 7);
			assert_memory_equal(&res, &first[i], sizeof res);
		}
		size_t n = one.net.params.floats * sizeof(float);
		size_t t = one.net.params.trained_floats * sizeof(float);
		size_t d = one.disc.params.floats * sizeof(float);
		assert_memory_equal(r.state.values, one.state.values, n);
		assert_memory_equal(r.state.momentum, one.state.momentum, t);
		assert_memory_equal(r.state.disc_values, one.state.disc_values, d);
		assert_memory_equal(r.state.disc_m, one.state.disc_m, d);
		assert_memory_equal(r.state.disc_v, one.state.disc_v, d);
		rig_close(&r);
	}
	rig_close(&one);
}

static void a_step_allocates_nothing(void **state)
{
	(void)state;
	if (!COUNT_ALLOCATIONS)
		skip();
	static const phase phases[] = {PHASE_SOURCE_TRAINING, PHASE_PHASE1_TRAINING,
	                               PHASE_PHASE2_TRAINING};
	for (size_t k = 0; k < 3; k++) {
		rig r;
		small_samples s;
		step_result res;
		rig_open(&r, phases[k], 3, 3);
		samples_make(3, phases[k], 0, &s);
		assert_ok(stepper_run(r.stepper, s.slot, &res, err)); /* warms BLAS up */
		atomic_store(&allocations, 0);
		atomic_store(&counting, true);
		tp_status a = stepper_run(r.stepper, s.slot, &res, NULL);
		tp_status b = stepper_run(r.stepper, s.slot, &res, NULL);
		atomic_store(&counting, false);
		assert_int_equal(a, TP_OK);
		assert_int_equal(b, TP_OK);
		assert_int_equal(atomic_load(&allocations), 0);
		samples_done(&s);
		rig_close(&r);
	}
	/* The counter itself works. */
	atomic_store(&counting, true);
	void *volatile p = malloc(10);
	atomic_store(&counting, false);
	free(p);
	assert_int_equal(atomic_load(&allocations), 1);
}

static void measuring_tells_the_truth(void **state)
{
	(void)state;
	rig r;
	size_t small, large;
	rig_open(&r, PHASE_PHASE2_TRAINING, 1, 1);
	stepper_spec spec = {.recipe = &r.recipe, .phase = PHASE_PHASE2_TRAINING, .unlabelled = true,
	                     .state = &r.state, .pool = r.pool};
	assert_ok(stepper_measure(&spec, &large, err));
	spec.unlabelled = false;
	assert_ok(stepper_measure(&spec, &small, err));
	size_t own = sizeof(float) * (3 * r.net.params.trained_floats + (size_t)PIXELS * CLASSES);
	assert_true(small > sizeof(float) * r.net.params.trained_floats && large > small);
	assert_true(large > own / 3);
	rig_close(&r);
}

/* ---- failures ----------------------------------------------------------------------------- */

/* A copy of all that a step may change. */
typedef struct snapshot {
	float *block[5];
	size_t bytes[5];
	uint64_t step, disc_steps;
} snapshot;

static void blocks_of_state(const train_state *s, float *block[5], size_t bytes[5])
{
	float *all[5] = {s->values, s->momentum, s->disc_values, s->disc_m, s->disc_v};
	for (size_t i = 0; i < 5; i++) {
		block[i] = all[i];
		bytes[i] = sizeof(float) * (i == 0   ? s->net->params.floats
		                            : i == 1 ? s->net->params.trained_floats
		                                     : s->disc->params.floats);
	}
}

static snapshot snapshot_take(const train_state *s)
{
	snapshot t = {.step = s->step, .disc_steps = s->disc_steps};
	float *block[5];
	blocks_of_state(s, block, t.bytes);
	for (size_t i = 0; i < 5; i++) {
		t.block[i] = malloc(t.bytes[i]);
		assert_non_null(t.block[i]);
		memcpy(t.block[i], block[i], t.bytes[i]);
	}
	return t;
}

static void assert_unchanged(const train_state *s, snapshot *t)
{
	float *block[5];
	size_t bytes[5];
	blocks_of_state(s, block, bytes);
	for (size_t i = 0; i < 5; i++) {
		assert_memory_equal(block[i], t->block[i], bytes[i]);
		free(t->block[i]);
	}
	assert_int_equal(s->step, t->step);
	assert_int_equal(s->disc_steps, t->disc_steps);
}

/* A step on a spoilt sample fails, changes nothing, and the next one is as if it had not been. */
static void spoilt(size_t slot, const char *wanted)
{
	rig r, clean;
	rig_open(&r, PHASE_PHASE2_TRAINING, 5, 2);
	rig_open(&clean, PHASE_PHASE2_TRAINING, 5, 2);
	(void)rig_step(&r, 5);
	(void)rig_step(&clean, 5);
	snapshot before = snapshot_take(&r.state);
	small_samples s;
	samples_make(5, r.phase, r.state.step, &s);
	s.slot[slot].input[1000] = NAN;
	step_result res = {.loss = -7};
	tp_err e = {0};
	assert_int_equal(stepper_run(r.stepper, s.slot, &res, &e), TP_NONFINITE);
	assert_non_null(strstr(e.text, wanted));
	assert_true(res.loss == -7); /* results only on success */
	assert_unchanged(&r.state, &before);
	samples_done(&s);
	(void)rig_step(&r, 5);
	(void)rig_step(&clean, 5);
	assert_memory_equal(r.state.values, clean.state.values, r.net.params.floats * sizeof(float));
	assert_memory_equal(r.state.disc_values, clean.state.disc_values,
	                    r.disc.params.floats * sizeof(float));
	rig_close(&r);
	rig_close(&clean);
}

static void nan_in_a_labelled_sample_updates_nothing(void **state)
{
	(void)state;
	spoilt(0, "loss");
	spoilt(1, "loss");
}

static void nan_in_a_hard_sample_updates_nothing(void **state)
{
	(void)state;
	spoilt(BATCH, "discriminator");
}

static void infinite_weights_are_noticed(void **state)
{
	(void)state;
	rig r;
	rig_open(&r, PHASE_SOURCE_TRAINING, 5, 2);
	ptrdiff_t i = params_find(&r.net.params, "classifier.conv2d_list.0.bias");
	assert_true(i >= 0);
	r.state.values[r.net.params.item[i].offset] = INFINITY;
	small_samples s;
	step_result res;
	samples_make(5, r.phase, 0, &s);
	assert_int_equal(stepper_run(r.stepper, s.slot, &res, NULL), TP_NONFINITE);
	assert_int_equal(r.state.step, 0);
	samples_done(&s);
	rig_close(&r);
}

/* Sets the stop flag when a chosen number of layers has passed. */
typedef struct stopper {
	atomic_int *stop;
	int left;
} stopper;

static void stop_later(void *arg, size_t node, bool backward, bool begin)
{
	stopper *s = arg;
	(void)node;
	(void)backward;
	if (begin && s->left-- == 0)
		atomic_store(s->stop, 1);
}

static void a_stopped_step_updates_nothing(void **state)
{
	(void)state;
	rig r, clean;
	rig_open(&r, PHASE_PHASE2_TRAINING, 6, 2);
	rig_open(&clean, PHASE_PHASE2_TRAINING, 6, 2);
	small_samples s;
	samples_make(6, r.phase, 0, &s);
	size_t layers = r.net.nodes;
	/* before the first layer, in the first forward and backward pass, in the hard sample's */
	const int when[] = {0, 5, (int)layers + 3, 4 * (int)layers + 2, 5 * (int)layers + 2};
	for (size_t i = 0; i < sizeof when / sizeof *when; i++) {
		stopper stop = {&r.stop, when[i]};
		step_result res;
		snapshot before = snapshot_take(&r.state);
		exec_set_probe(stepper_exec(r.stepper), stop_later, &stop);
		assert_int_equal(stepper_run(r.stepper, s.slot, &res, NULL), TP_CANCELLED);
		assert_unchanged(&r.state, &before);
		atomic_store(&r.stop, 0);
	}
	exec_set_probe(stepper_exec(r.stepper), NULL, NULL);
	samples_done(&s);
	(void)rig_step(&r, 6);
	(void)rig_step(&clean, 6);
	assert_memory_equal(r.state.values, clean.state.values, r.net.params.floats * sizeof(float));
	assert_memory_equal(r.state.disc_values, clean.state.disc_values,
	                    r.disc.params.floats * sizeof(float));
	rig_close(&r);
	rig_close(&clean);
}

static void a_step_without_labels_only_decays(void **state)
{
	(void)state;
	rig r;
	rig_open(&r, PHASE_PHASE1_TRAINING, 4, 2);
	small_samples s;
	step_result res;
	samples_make(4, r.phase, 0, &s);
	for (size_t i = 0; i < BATCH; i++)
		memset(s.slot[i].label, LABEL_NONE, PIXELS);
	float w = r.state.values[0];
	assert_ok(stepper_run(r.stepper, s.slot, &res, err));
	assert_true(res.loss == 0 && res.labelled_share == 0);
	double lr = res.lr * (r.net.params.item[0].head ? 10 : 1);
	assert_near((double)r.state.values[0], (double)w * (1 - lr * 5e-4), 1e-7);
	samples_done(&s);
	rig_close(&r);
}

/* The mean over the last half of 8 steps, by hand; settled, it is the source model. */
static void a_source_model_is_a_mean_of_weights(void **state)
{
	(void)state;
	rig r;
	rig_open(&r, PHASE_SOURCE_TRAINING, 1, 2);
	const param_table *t = &r.net.params;
	double *sum = calloc(t->floats, sizeof *sum);
	assert_non_null(sum);
	r.recipe.source_training.average = 0.5;
	assert_ok(train_state_extend(&r.state, recipe_averages(&r.recipe), false, err));
	for (size_t step = 0; step < TOTAL; step++) {
		(void)rig_step(&r, 1);
		for (size_t i = 0; i < t->floats && step >= TOTAL / 2; i++)
			sum[i] += (double)r.state.values[i] / (TOTAL / 2);
	}
	train_state_settle(&r.state);
	for (size_t i = 0; i < t->floats; i++)
		assert_near((double)r.state.values[i], sum[i], 1e-5 * (1 + fabs(sum[i])));
	assert_true(train_state_model(&r.state) == r.state.values);
	float last = r.state.values[0];
	train_state_settle(&r.state); /* nothing learned since: nothing to settle */
	assert_true(r.state.values[0] == last);
	free(sum);
	rig_close(&r);
}

/* Each phase has its own limit: a first step without decay and momentum is as long as the limit says. */
static void long_gradients_are_shortened(void **state)
{
	(void)state;
	enum { PHASES = 2 };
	const double limit[PHASES] = {0.02, 0.01};
	for (int p = 0; p < PHASES; p++) {
		rig r;
		rig_open(&r, p == 0 ? PHASE_SOURCE_TRAINING : PHASE_PHASE1_TRAINING, 1, 2);
		const param_table *t = &r.net.params;
		recipe_sgd sgd = {.lr = 1, .head_lr_multiplier = 1};
		r.recipe.source_training.sgd = r.recipe.self.sgd = sgd;
		r.recipe.source_training.gradient_clip = limit[0];
		r.recipe.self.gradient_clip = limit[1];
		memset(r.state.momentum, 0, t->trained_floats * sizeof *r.state.momentum);
		float *before = floats(t->trained_floats);
		memcpy(before, r.state.values, t->trained_floats * sizeof *before);
		(void)rig_step(&r, 1);
		double sum = 0.0;
		for (size_t i = 0; i < t->trained_floats; i++) {
			double change = (double)r.state.values[i] - (double)before[i];
			sum += change * change;
		}
		assert_near(sqrt(sum), limit[p], 1e-3 * limit[p]);
		mem_free(before);
		rig_close(&r);
	}
}

/* One step of phase 1 on samples of one domain; with `two` the state holds other norms for the other one.
 * Returns the weights after it. */
static float *step_of_domain(bool target, bool two, const float *norms)
{
	rig r;
	small_samples smp;
	step_result res;
	rig_open(&r, PHASE_PHASE1_TRAINING, 1, 2);
	stepper_free(r.stepper);
	const param_table *t = &r.net.params;
	size_t count = t->floats - t->trained_floats;
	float *tail = r.state.values + t->trained_floats, *weights = floats(t->floats);
	if (two) {
		r.recipe.self.norm_strength = 0.5;
		r.recipe.self.teacher_momentum = 0.99;
		assert_ok(train_state_extend(&r.state, true, true, err));
		memcpy(target ? tail : r.state.source_norms, norms, count * sizeof *norms);
	} else {
		memcpy(tail, norms, count * sizeof *norms);
	}
	float *kept = floats(count);
	memcpy(kept, tail, count * sizeof *kept);
	stepper_spec spec = {.recipe = &r.recipe, .phase = r.phase, .steps = TOTAL, .state = &r.state,
	                     .lambda = round_lambda, .pool = r.pool, .stop = &r.stop};
	assert_ok(stepper_create(&spec, &r.stepper, err));
	samples_make(1, r.phase, 0, &smp);
	for (size_t i = 0; i < BATCH; i++)
		smp.slot[i].target = target;
	assert_ok(stepper_run(r.stepper, smp.slot, &res, err));
	assert_memory_equal(tail, kept, count * sizeof *kept); /* between steps: the target's */
	if (two)
		assert_memory_equal(r.state.teacher, r.state.values, t->floats * sizeof(float));
	memcpy(weights, r.state.values, t->trained_floats * sizeof *weights);
	samples_done(&smp);
	mem_free(kept);
	rig_close(&r);
	return weights;
}

static void each_domain_passes_through_its_own_norms(void **state)
{
	graph g = small_network();
	size_t trained = g.params.trained_floats, count = g.params.floats - trained;
	float *v = net_values(&g, 77), *norms = floats(count);
	memcpy(norms, v + trained, count * sizeof *norms);
	for (int target = 0; target < 2; target++) {
		float *one = step_of_domain(target == 1, false, norms);
		float *two = step_of_domain(target == 1, true, norms);
		assert_memory_equal(one, two, trained * sizeof *one);
		mem_free(one);
		mem_free(two);
	}
	mem_free(v);
	mem_free(norms);
	graph_done(&g);
}

/* Steps of entropy training on the samples of a source step with one unlabelled target sample. */
static void entropy_rig(rig *r, entropy_kind kind, double weight)
{
	rig_open(r, PHASE_PHASE2_TRAINING, 1, 2); /* a state with a discriminator */
	stepper_free(r->stepper);
	r->phase = PHASE_ENTROPY_TRAINING;
	r->recipe.entropy.steps = TOTAL;
	r->recipe.entropy.kind = kind;
	r->recipe.entropy.weight = weight;
	r->recipe.source_training.sgd.lr = 1e-3; /* the other steps' 2e-2 lets losses jump */
	stepper_spec spec = {.recipe = &r->recipe, .phase = r->phase, .steps = TOTAL, .unlabelled = true,
	                     .state = &r->state, .pool = r->pool, .stop = &r->stop};
	assert_ok(stepper_create(&spec, &r->stepper, err));
}

static step_result entropy_step(rig *r)
{
	small_samples s;
	step_result res;
	samples_make(1, PHASE_SOURCE_TRAINING, 0, &s);
	assert_ok(stepper_run(r->stepper, s.slot, &res, err));
	samples_done(&s);
	r->state.step = 0; /* no end of the schedule */
	return res;
}

/* A weight large enough to be seen beside the cross-entropy makes the target's entropy small. */
static void minent_lowers_the_entropy_of_the_target(void **state)
{
	rig with, without;
	step_result a = {0}, b = {0};
	entropy_rig(&with, ENTROPY_MINENT, 3.0);
	entropy_rig(&without, ENTROPY_MINENT, 0.0);
	step_result first = entropy_step(&with);
	assert_true(first.entropy > 0.0 && first.entropy <= 1.0 && first.discriminator == 0.0);
	assert_near(entropy_step(&without).entropy, first.entropy, 1e-9);
	for (size_t i = 0; i < 12; i++) {
		a = entropy_step(&with);
		b = entropy_step(&without);
	}
	print_message("entropy %.4f, %.4f with and %.4f without\n", first.entropy, a.entropy, b.entropy);
	assert_true(a.entropy < 0.8 * b.entropy);
	rig_close(&with);
	rig_close(&without);
}

static void advent_trains_a_discriminator(void **state)
{
	rig r;
	entropy_rig(&r, ENTROPY_ADVENT, 0.001);
	float *before = floats(r.disc.params.floats);
	memcpy(before, r.state.disc_values, r.disc.params.floats * sizeof *before);
	step_result first = entropy_step(&r), last = first;
	for (size_t i = 0; i < 15; i++)
		last = entropy_step(&r);
	assert_true(first.entropy == 0.0 && first.adversarial > 0.0);
	assert_true(last.discriminator < first.discriminator);
	assert_memory_not_equal(before, r.state.disc_values, r.disc.params.floats * sizeof *before);
	assert_int_equal(r.state.disc_steps, 16);
	mem_free(before);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(source_steps_are_pytorchs),
		cmocka_unit_test(phase1_steps_are_pytorchs),
		cmocka_unit_test(phase2_steps_are_pytorchs),
		cmocka_unit_test(threads_change_no_bit),
		cmocka_unit_test(a_step_allocates_nothing),
		cmocka_unit_test(measuring_tells_the_truth),
		cmocka_unit_test(nan_in_a_labelled_sample_updates_nothing),
		cmocka_unit_test(nan_in_a_hard_sample_updates_nothing),
		cmocka_unit_test(infinite_weights_are_noticed),
		cmocka_unit_test(a_stopped_step_updates_nothing),
		cmocka_unit_test(a_step_without_labels_only_decays),
		cmocka_unit_test(minent_lowers_the_entropy_of_the_target),
		cmocka_unit_test(advent_trains_a_discriminator),
		cmocka_unit_test(a_source_model_is_a_mean_of_weights),
		cmocka_unit_test(long_gradients_are_shortened),
		cmocka_unit_test(each_domain_passes_through_its_own_norms),
	};
	return cmocka_run_group_tests(tests, start_blas, NULL);
}
