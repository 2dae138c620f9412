#include "train/sampling.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

/* A list of images shown again and again, in a new order each epoch. */
typedef struct cycle {
	sample_domain *domain; /* NULL: all of `only` */
	sample_domain only;
	uint32_t *index;
	uint32_t count;
	uint32_t *order; /* permutation of the epoch in `epoch` */
	uint64_t epoch, seed;
} cycle;

struct sampling {
	size_t batch, slots, main_a; /* slots 0..main_a-1 from a, main_a..batch-1 from b, then hard */
	cycle a, b, hard;
};

/* A training stage is told by its round, so that evaluating in between changes nothing; entropy training,
 * which comes before the first, by a number that no round reaches. */
static uint64_t stage_number(const stage *s)
{
	return s->phase == PHASE_ENTROPY_TRAINING ? RECIPE_MAX_ROUNDS + 1
	                                          : (uint64_t)(s->round - ROUND_SOURCE);
}

static uint64_t stage_seed(const recipe *r, const stage *s, uint64_t what)
{
	return rng_u64(r->seed, RNG_ORDER, (stage_number(s) << 8) + what);
}

uint64_t sampling_augment_seed(const recipe *r, const stage *s)
{
	return rng_u64(r->seed, RNG_AUGMENT, stage_number(s));
}

static tp_status cycle_init(cycle *c, size_t count, bool mixed, uint64_t seed, tp_err *err)
{
	*c = (cycle){.count = (uint32_t)count, .epoch = UINT64_MAX, .seed = seed};
	c->index = calloc(count + 1, sizeof *c->index);
	c->order = calloc(count + 1, sizeof *c->order);
	c->domain = mixed ? calloc(count + 1, sizeof *c->domain) : NULL;
	if (c->index == NULL || c->order == NULL || (mixed && c->domain == NULL))
		return tp_fail(err, TP_NOMEM, 0, "out of memory for %zu sample indices", count);
	return TP_OK;
}

static void cycle_done(cycle *c)
{
	free(c->index);
	free(c->order);
	free(c->domain);
}

static void cycle_at(cycle *c, uint64_t i, sample_domain *ret_domain, uint32_t *ret_index)
{
	uint64_t epoch = i / c->count;
	if (epoch != c->epoch) {
		rng_permutation(c->seed, RNG_ORDER, epoch, c->count, c->order);
		c->epoch = epoch;
	}
	uint32_t at = c->order[i % c->count];
	*ret_domain = c->domain == NULL ? c->only : c->domain[at];
	*ret_index = c->index[at];
}

/* Writes the round's source subset to index[], returns its size. CRST's portion is of 19984 images, where
 * it outnumbers 505 target images; source_per_target keeps such a proportion in small sets. */
static size_t source_subset(const recipe *r, const stage *s, size_t sources, size_t targets, uint32_t *index)
{
	double portion = fmin(r->self.source_portion_max,
	                      r->self.source_portion_initial + r->self.source_portion_step * s->round);
	double least = r->self.source_per_target * (double)targets;
	size_t n = (size_t)floor(fmin(fmax((double)sources * portion, least), (double)sources) + 1e-9);
	n = n < 1 ? 1 : n;
	rng_permutation(stage_seed(r, s, 1), RNG_SUBSET, 0, (uint32_t)sources, index);
	return n;
}

static tp_status init_source(sampling *s, const recipe *r, const stage *sg, size_t sources,
                             tp_err *err)
{
	tp_status st = cycle_init(&s->a, sources, false, stage_seed(r, sg, 0), err);
	for (uint32_t i = 0; st == TP_OK && i < sources; i++)
		s->a.index[i] = i;
	return st;
}

static tp_status init_entropy(sampling *s, const recipe *r, const stage *sg, size_t sources,
                              size_t targets, tp_err *err)
{
	tp_status st = init_source(s, r, sg, sources, err);
	if (st == TP_OK)
		st = cycle_init(&s->hard, targets, false, stage_seed(r, sg, 3), err);
	for (uint32_t i = 0; st == TP_OK && i < targets; i++)
		s->hard.index[i] = i;
	s->hard.only = DOMAIN_TARGET;
	s->slots = s->batch + 1;
	return st;
}

static tp_status init_phase1(sampling *s, const recipe *r, const stage *sg,
                             const uint32_t *subset, size_t chosen, size_t targets, tp_err *err)
{
	tp_status st = cycle_init(&s->a, chosen + targets, true, stage_seed(r, sg, 0), err);
	if (st != TP_OK)
		return st;
	for (size_t i = 0; i < chosen + targets; i++) {
		s->a.domain[i] = i < chosen ? DOMAIN_SOURCE : DOMAIN_TARGET;
		s->a.index[i] = i < chosen ? subset[i] : (uint32_t)(i - chosen);
	}
	return TP_OK;
}

static tp_status init_balanced(sampling *s, const recipe *r, const stage *sg, const uint32_t *subset,
                               size_t chosen, size_t targets, tp_err *err)
{
	tp_status st = cycle_init(&s->a, targets, false, stage_seed(r, sg, 0), err);
	if (st == TP_OK)
		st = cycle_init(&s->b, chosen, false, stage_seed(r, sg, 2), err);
	if (st != TP_OK)
		return st;
	s->a.only = DOMAIN_TARGET;
	s->b.only = DOMAIN_SOURCE;
	s->main_a = (s->batch + 1) / 2;
	for (uint32_t i = 0; i < targets; i++)
		s->a.index[i] = i;
	memcpy(s->b.index, subset, chosen * sizeof *subset);
	return TP_OK;
}

static tp_status init_phase2(sampling *s, const recipe *r, const stage *sg, const uint32_t *subset,
                             size_t chosen, size_t targets, const bool *easy, tp_err *err)
{
	size_t easies = 0;
	for (size_t i = 0; i < targets; i++)
		easies += easy[i];
	if (easies == 0)
		return tp_fail(err, TP_INVALID, 0, "phase 2 needs at least one easy image");
	tp_status st = cycle_init(&s->a, easies, false, stage_seed(r, sg, 0), err);
	if (st == TP_OK)
		st = cycle_init(&s->b, chosen, false, stage_seed(r, sg, 2), err);
	if (st == TP_OK)
		st = cycle_init(&s->hard, targets - easies, false, stage_seed(r, sg, 3), err);
	if (st != TP_OK)
		return st;
	s->a.only = s->hard.only = DOMAIN_TARGET;
	s->b.only = DOMAIN_SOURCE;
	for (uint32_t i = 0, e = 0, h = 0; i < targets; i++) {
		if (easy[i])
			s->a.index[e++] = i;
		else
			s->hard.index[h++] = i;
	}
	memcpy(s->b.index, subset, chosen * sizeof *subset);
	if (r->self.phase2_source)
		s->main_a = (s->batch + 1) / 2;
	if (r->self.adversarial && targets > easies)
		s->slots = s->batch + 1;
	return TP_OK;
}

tp_status sampling_create(const recipe *r, const stage *sg, size_t sources, size_t targets,
                          const bool *easy, sampling **ret, tp_err *err)
{
	sampling *s = calloc(1, sizeof *s);
	uint32_t *subset = calloc(sources + 1, sizeof *subset);
	tp_status st = TP_OK;
	if (s == NULL || subset == NULL) {
		st = tp_fail(err, TP_NOMEM, 0, "out of memory for the sample order");
	} else {
		s->batch = s->slots = s->main_a = r->data.batch;
		size_t n = 0;
		if (sources == 0)
			st = tp_fail(err, TP_INVALID, 0, "the source data set has no labelled images");
		else
			n = source_subset(r, sg, sources, targets, subset);
		if (st == TP_OK && sg->phase == PHASE_SOURCE_TRAINING)
			st = init_source(s, r, sg, sources, err);
		else if (st == TP_OK && sg->phase == PHASE_ENTROPY_TRAINING)
			st = init_entropy(s, r, sg, sources, targets, err);
		else if (st == TP_OK && sg->phase == PHASE_PHASE1_TRAINING && r->self.balanced_batch)
			st = init_balanced(s, r, sg, subset, n, targets, err);
		else if (st == TP_OK && sg->phase == PHASE_PHASE1_TRAINING)
			st = init_phase1(s, r, sg, subset, n, targets, err);
		else if (st == TP_OK)
			st = init_phase2(s, r, sg, subset, n, targets, easy, err);
	}
	free(subset);
	if (st != TP_OK) {
		sampling_free(s);
		return st;
	}
	*ret = s;
	return TP_OK;
}

void sampling_free(sampling *s)
{
	if (s == NULL)
		return;
	cycle_done(&s->a);
	cycle_done(&s->b);
	cycle_done(&s->hard);
	free(s);
}

size_t sampling_slots(const sampling *s) { return s->slots; }

bool sampling_unlabelled(const sampling *s) { return s->slots > s->batch; }

void sampling_at(sampling *s, uint64_t step, size_t slot, sample_domain *ret_domain,
                 uint32_t *ret_index)
{
	if (slot == s->batch)
		cycle_at(&s->hard, step, ret_domain, ret_index);
	else if (slot < s->main_a)
		cycle_at(&s->a, step * s->main_a + slot, ret_domain, ret_index);
	else
		cycle_at(&s->b, step * (s->batch - s->main_a) + slot - s->main_a, ret_domain, ret_index);
}
