/* sampling: which image each slot of each step shows. */
#include "harness.h"

#include "train/sampling.h"

enum { SOURCES = 20, TARGETS = 7 };

static recipe plain(void)
{
	recipe r = recipe_preset((size_t)recipe_preset_find("tpld"));
	r.seed = 11;
	r.data.batch = 2;
	r.self.source_portion_initial = 0.2;
	r.self.source_portion_step = 0.1;
	r.self.source_portion_max = 0.35;
	r.self.source_per_target = 0;
	r.self.adversarial = true;
	r.self.phase2_source = true;
	return r;
}

static const stage source_stage = {PHASE_SOURCE_TRAINING, ROUND_SOURCE};
static const bool easy[TARGETS] = {false, true, false, true, true, false, false};

static sampling *create(const recipe *r, phase p, int round)
{
	sampling *s;
	stage sg = {p, round};
	assert_ok(sampling_create(r, &sg, SOURCES, TARGETS, easy, &s, err));
	return s;
}

typedef struct pick {
	sample_domain domain;
	uint32_t index;
} pick;

static pick at(sampling *s, uint64_t step, size_t slot)
{
	pick p;
	sampling_at(s, step, slot, &p.domain, &p.index);
	return p;
}

static void an_epoch_shows_every_source_image_once(void **state)
{
	(void)state;
	recipe r = plain();
	sampling *s;
	assert_ok(sampling_create(&r, &source_stage, SOURCES, TARGETS, NULL, &s, err));
	assert_int_equal(sampling_slots(s), 2);
	assert_false(sampling_unlabelled(s));
	uint32_t first[SOURCES];
	size_t moved = 0;
	for (uint64_t epoch = 0; epoch < 3; epoch++) {
		int seen[SOURCES] = {0};
		for (uint64_t i = 0; i < SOURCES; i++) {
			pick p = at(s, (epoch * SOURCES + i) / 2, (epoch * SOURCES + i) % 2);
			assert_int_equal(p.domain, DOMAIN_SOURCE);
			seen[p.index]++;
			if (epoch == 0)
				first[i] = p.index;
			else
				moved += first[i] != p.index;
		}
		for (size_t i = 0; i < SOURCES; i++)
			assert_int_equal(seen[i], 1);
	}
	assert_true(moved > SOURCES); /* another order each epoch */
	sampling_free(s);
}

/* A resumed run asks for later steps first; it must see what an undisturbed one sees. */
static void a_step_does_not_depend_on_those_before(void **state)
{
	(void)state;
	recipe r = plain();
	const phase phases[] = {PHASE_PHASE1_TRAINING, PHASE_PHASE2_TRAINING};
	for (size_t k = 0; k < 2; k++) {
		sampling *a = create(&r, phases[k], 1), *b = create(&r, phases[k], 1);
		for (uint64_t step = 0; step < 60; step++)
			for (size_t slot = 0; slot < sampling_slots(a); slot++)
				(void)at(a, step, slot);
		for (uint64_t step = 60; step-- > 0;)
			for (size_t slot = 0; slot < sampling_slots(a); slot++) {
				pick p = at(a, step, slot), q = at(b, step, slot);
				assert_true(p.domain == q.domain && p.index == q.index);
			}
		sampling_free(a);
		sampling_free(b);
	}
}

/* Distinct source images shown in `steps` steps. */
static size_t sources_shown(sampling *s, size_t steps, bool shown[SOURCES])
{
	size_t n = 0;
	memset(shown, 0, SOURCES * sizeof *shown);
	for (uint64_t step = 0; step < steps; step++)
		for (size_t slot = 0; slot < sampling_slots(s); slot++) {
			pick p = at(s, step, slot);
			if (p.domain == DOMAIN_SOURCE && !shown[p.index]) {
				shown[p.index] = true;
				n++;
			}
		}
	return n;
}

static void phase1_mixes_a_source_subset_with_all_targets(void **state)
{
	(void)state;
	recipe r = plain();
	const size_t chosen[] = {4, 6, 7, 7}; /* floor(20 * min(0.35, 0.2 + 0.1 round)) */
	bool shown[4][SOURCES];
	for (int round = 0; round < 4; round++) {
		sampling *s = create(&r, PHASE_PHASE1_TRAINING, round);
		size_t epoch = chosen[round] + TARGETS, targets = 0;
		for (uint64_t i = 0; i < epoch; i++)
			targets += at(s, i / 2, i % 2).domain == DOMAIN_TARGET;
		assert_int_equal(targets, TARGETS);
		assert_int_equal(sources_shown(s, 200, shown[round]), chosen[round]);
		sampling_free(s);
	}
	/* drawn anew each round */
	assert_memory_not_equal(shown[2], shown[3], sizeof shown[2]);
}

static void balanced_batches_are_half_target(void **state)
{
	(void)state;
	recipe r = plain();
	r.self.balanced_batch = true;
	r.data.batch = 3;
	sampling *s = create(&r, PHASE_PHASE1_TRAINING, 1);
	bool shown[TARGETS] = {false}, source[SOURCES] = {false};
	for (uint64_t step = 0; step < TARGETS; step++) {
		for (size_t slot = 0; slot < 2; slot++) {
			pick p = at(s, step, slot);
			assert_true(p.domain == DOMAIN_TARGET);
			shown[p.index] = true;
		}
		pick p = at(s, step, 2);
		assert_true(p.domain == DOMAIN_SOURCE);
		source[p.index] = true;
	}
	size_t sources = 0;
	for (size_t i = 0; i < TARGETS; i++)
		assert_true(shown[i]);
	for (size_t i = 0; i < SOURCES; i++)
		sources += source[i];
	assert_int_equal(sources, 6); /* the round's subset, as without */
	sampling_free(s);
}

static void the_subset_is_never_empty(void **state)
{
	(void)state;
	recipe r = plain();
	bool shown[SOURCES];
	r.self.source_portion_initial = r.self.source_portion_step = 0.001;
	sampling *s = create(&r, PHASE_PHASE1_TRAINING, 0);
	assert_int_equal(sources_shown(s, 100, shown), 1);
	sampling_free(s);
	r.self.source_portion_initial = r.self.source_portion_max = 1;
	s = create(&r, PHASE_PHASE1_TRAINING, 0);
	assert_int_equal(sources_shown(s, 300, shown), SOURCES);
	sampling_free(s);
	/* a product that binary fractions put just below a whole number still counts */
	r.self.source_portion_initial = r.self.source_portion_max = 0.15;
	s = create(&r, PHASE_PHASE1_TRAINING, 0);
	assert_int_equal(sources_shown(s, 300, shown), 3);
	sampling_free(s);
}

static void small_portions_do_not_leave_the_target_alone(void **state)
{
	(void)state;
	static const struct {
		double portion, per_target;
		int expect;
	} cases[] = {
		{0.1, 0, 2}, {0.1, 0.5, 3}, {0.1, 1, TARGETS}, {0.9, 1, 18}, {0.1, 1000, SOURCES},
	};
	bool shown[SOURCES];
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		recipe r = plain();
		r.self.source_portion_initial = r.self.source_portion_max = cases[i].portion;
		r.self.source_per_target = cases[i].per_target;
		sampling *s = create(&r, PHASE_PHASE1_TRAINING, 0);
		assert_int_equal(sources_shown(s, 300, shown), cases[i].expect);
		sampling_free(s);
	}
}

static void phase2_shows_easy_source_and_hard_images_in_their_slots(void **state)
{
	(void)state;
	for (size_t batch = 1; batch <= 4; batch++) {
		recipe r = plain();
		r.data.batch = batch;
		sampling *s = create(&r, PHASE_PHASE2_TRAINING, 1);
		assert_int_equal(sampling_slots(s), batch + 1);
		assert_true(sampling_unlabelled(s));
		size_t hards[TARGETS] = {0};
		for (uint64_t step = 0; step < 40; step++) {
			for (size_t slot = 0; slot < batch; slot++) {
				pick p = at(s, step, slot);
				if (slot < (batch + 1) / 2)
					assert_true(p.domain == DOMAIN_TARGET && easy[p.index]);
				else
					assert_int_equal(p.domain, DOMAIN_SOURCE);
			}
			pick p = at(s, step, batch);
			assert_true(p.domain == DOMAIN_TARGET && !easy[p.index]);
			hards[p.index]++;
		}
		for (size_t i = 0; i < TARGETS; i++)
			assert_int_equal(hards[i], easy[i] ? 0 : 10);
		sampling_free(s);
	}
}

static void phase2_without_source_shows_easy_images_only(void **state)
{
	(void)state;
	recipe r = plain();
	bool shown[SOURCES];
	r.self.phase2_source = false;
	r.self.adversarial = false;
	sampling *s = create(&r, PHASE_PHASE2_TRAINING, 1);
	assert_int_equal(sampling_slots(s), 2);
	assert_false(sampling_unlabelled(s));
	assert_int_equal(sources_shown(s, 50, shown), 0);
	sampling_free(s);
}

static void without_hard_images_nothing_is_adversarial(void **state)
{
	(void)state;
	recipe r = plain();
	const bool all_easy[TARGETS] = {true, true, true, true, true, true, true};
	const bool none_easy[TARGETS] = {false};
	const stage sg = {PHASE_PHASE2_TRAINING, 0};
	sampling *s;
	assert_ok(sampling_create(&r, &sg, SOURCES, TARGETS, all_easy, &s, err));
	assert_int_equal(sampling_slots(s), 2);
	sampling_free(s);
	tp_err e = {0};
	assert_int_equal(sampling_create(&r, &sg, SOURCES, TARGETS, none_easy, &s, &e), TP_INVALID);
	assert_non_null(strstr(e.text, "easy"));
	e = (tp_err){0};
	assert_int_equal(sampling_create(&r, &sg, 0, TARGETS, all_easy, &s, &e), TP_INVALID);
	assert_non_null(strstr(e.text, "source"));
}

static void seeds_and_rounds_differ(void **state)
{
	(void)state;
	recipe r = plain(), other = plain();
	other.seed = 12;
	sampling *a = create(&r, PHASE_PHASE1_TRAINING, 0);
	sampling *b = create(&other, PHASE_PHASE1_TRAINING, 0);
	sampling *c = create(&r, PHASE_PHASE1_TRAINING, 1);
	size_t by_seed = 0, by_round = 0;
	for (uint64_t step = 0; step < 30; step++) {
		pick p = at(a, step, 0), q = at(b, step, 0), t = at(c, step, 0);
		by_seed += p.domain != q.domain || p.index != q.index;
		by_round += p.domain != t.domain || p.index != t.index;
	}
	assert_true(by_seed > 10 && by_round > 10);
	sampling_free(a);
	sampling_free(b);
	sampling_free(c);
	const stage round0 = {PHASE_PHASE1_TRAINING, 0}, round1 = {PHASE_PHASE2_TRAINING, 1};
	uint64_t seed[] = {sampling_augment_seed(&r, &source_stage), sampling_augment_seed(&r, &round0),
	                   sampling_augment_seed(&r, &round1), sampling_augment_seed(&other, &round0)};
	for (size_t i = 0; i < 4; i++)
		for (size_t j = 0; j < i; j++)
			assert_true(seed[i] != seed[j]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_epoch_shows_every_source_image_once),
		cmocka_unit_test(a_step_does_not_depend_on_those_before),
		cmocka_unit_test(phase1_mixes_a_source_subset_with_all_targets),
		cmocka_unit_test(balanced_batches_are_half_target),
		cmocka_unit_test(the_subset_is_never_empty),
		cmocka_unit_test(small_portions_do_not_leave_the_target_alone),
		cmocka_unit_test(phase2_shows_easy_source_and_hard_images_in_their_slots),
		cmocka_unit_test(phase2_without_source_shows_easy_images_only),
		cmocka_unit_test(without_hard_images_nothing_is_adversarial),
		cmocka_unit_test(seeds_and_rounds_differ),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
