/* One training phase: loader, stepper, metrics, profile, checkpoints. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "data/loader.h"
#include "run/census.h"
#include "run/crops.h"
#include "run/job.h"
#include "run/looks.h"
#include "run/publish.h"
#include "run/round_state.h"
#include "store/run_files.h"
#include "train/norms.h"
#include "train/rare.h"
#include "train/recipe_fields.h"
#include "train/sampling.h"
#include "train/step.h"

enum { MAX_POINTS = 2000, CALIBRATION_IMAGES = 4 };
static const double FLUSH_SECONDS = 2.0;

/* What a slot's request borrows beside paths: the augmentation of a source sample, and what is pasted. */
typedef struct slot_plan {
	augment_spec augment;
	uint8_t mine;
	sample_request paste;
} slot_plan;

/* What the loader's thread reads; constant while it lives. */
typedef struct plan_ctx {
	const job *job;
	sampling *sampling;
	augment_spec source, target;
	round_state round; /* thresholds, rare classes, split; self-training only */
	bool phase2, soft, online;
	uint64_t seed;         /* of augmentation, mixing and rare-class sampling */
	rare_sampler *rare;    /* source samples by class; NULL: as they come */
	const photometric_spec *photometric; /* NULL: none */
	slot_plan *slot;
	char (*label)[CONFIG_PATH_MAX + RUN_FILE_MAX]; /* per slot: paths handed to the loader */
	char (*extra)[CONFIG_PATH_MAX + RUN_FILE_MAX];
} plan_ctx;

static void round_path(const plan_ctx *c, void (*name)(int64_t, int64_t, int64_t, char *),
                       uint32_t index, char *path)
{
	char file[RUN_FILE_MAX];
	name(c->job->run, c->round.round, index, file);
	(void)snprintf(path, CONFIG_PATH_MAX + RUN_FILE_MAX, "%s/%s", c->job->daemon->state_dir, file);
}

static void final_file(int64_t run, int64_t round, int64_t index, char *ret)
{
	run_layer_file(run, round, index, LAYER_PSEUDO_FINAL, ret);
}

/* What a target image brings: pseudo labels of the round, never its own label file. */
static void plan_target(const plan_ctx *c, size_t slot, bool hard, uint32_t index, sample_request *q)
{
	q->image = c->job->setup.target.row[index].image;
	q->augment = &c->target;
	q->target = true;
	if (hard) {
		q->source = LABELS_NONE;
	} else if (c->online) {
		q->source = LABELS_ONLINE;
	} else if (c->soft && !c->phase2) {
		round_path(c, run_logits_file, index, c->extra[slot]);
		q->source = LABELS_SOFT;
		q->logits = c->extra[slot];
		q->logits_stamp = run_logits_stamp(c->job->run, c->round.round);
		q->lambda = c->round.lambda;
		q->lrent_alpha = (float)c->job->setup.config.recipe.self.reg_weight;
	} else {
		round_path(c, final_file, index, c->label[slot]);
		q->source = LABELS_PSEUDO;
		q->label = c->label[slot];
		if (c->phase2) {
			round_path(c, run_weight_file, index, c->extra[slot]);
			q->weight = c->extra[slot];
		}
	}
}

/* A source image with its labels; with rare-class sampling another one than `index`, around a pixel of the
 * class it was drawn for. */
static void plan_source(const plan_ctx *c, uint64_t step, size_t slot, uint32_t index,
                        sample_request *q)
{
	slot_plan *p = &c->slot[slot];
	p->augment = c->source;
	if (c->rare != NULL) {
		rare_at(c->rare, c->seed, step * 4096 + slot, &p->mine, &index);
		p->augment.mine_id = &p->mine;
		p->augment.mine_ids = 1;
		p->augment.mine_chance = 1.0;
	}
	*q = (sample_request){.image = c->job->setup.source.row[index].image,
	                      .label = c->job->setup.source.row[index].label,
	                      .source = LABELS_FILE,
	                      .map = &c->job->setup.source.map,
	                      .augment = &p->augment,
	                      .look = look_draw(c->job, c->seed, step * 4096 + slot),
	                      .index = index};
}

/* ClassMix: which source image lies over a labelled target sample, if any. */
static void plan_paste(const plan_ctx *c, uint64_t step, size_t slot, sample_request *q)
{
	uint64_t at = (step * 4096 + slot) * 2;
	size_t sources = c->job->setup.source.count;
	if (q->source == LABELS_NONE ||
	    rng_uniform(c->seed, RNG_SUBSET, at) >= c->job->setup.config.recipe.self.class_mix)
		return;
	uint32_t index = (uint32_t)rng_below(c->seed, RNG_SUBSET, at + 1, sources);
	plan_source(c, step, slot, index, &c->slot[slot].paste);
	q->paste = &c->slot[slot].paste;
}

static tp_status plan(void *arg, uint64_t step, size_t slot, sample_request *ret, tp_err *err)
{
	plan_ctx *c = arg;
	sample_domain domain;
	uint32_t index;
	(void)err;
	sampling_at(c->sampling, step, slot, &domain, &index);
	*ret = (sample_request){.index = index};
	if (domain == DOMAIN_TARGET) {
		plan_target(c, slot, slot >= c->job->setup.config.recipe.data.batch, index, ret);
		plan_paste(c, step, slot, ret);
	} else {
		plan_source(c, step, slot, index, ret);
	}
	ret->photometric = c->photometric;
	return TP_OK;
}

static tp_status plan_rare(job *j, rare_sampler **ret, tp_err *err)
{
	uint64_t *pixels;
	tp_status st = census_of(j, &j->setup.source, &pixels, err);
	if (st == TP_OK)
		st = rare_create(pixels, j->setup.source.count, j->setup.spec.classes,
		                 j->setup.config.recipe.data.rare_temperature, ret, err);
	free(pixels);
	return st;
}

static tp_status plan_open(job *j, plan_ctx *c, tp_err *err)
{
	const recipe *r = &j->setup.config.recipe;
	const stage *s = job_stage(j);
	*c = (plan_ctx){.job = j, .phase2 = s->phase == PHASE_PHASE2_TRAINING,
	                .soft = r->self.reg == REG_LRENT,
	                .online = s->phase == PHASE_PHASE1_TRAINING && r->self.online_threshold > 0.0};
	c->source = (augment_spec){.crop_h = r->data.crop_h,
	                           .crop_w = r->data.crop_w,
	                           .scale_low = r->data.scale_low,
	                           .scale_high = r->data.scale_high,
	                           .mirror = r->data.mirror};
	c->target = c->source;
	c->seed = sampling_augment_seed(r, s);
	if (r->data.photometric.jitter_chance > 0.0 || r->data.photometric.blur_chance > 0.0)
		c->photometric = &r->data.photometric;
	c->label = calloc(r->data.batch + 1, sizeof *c->label);
	c->extra = calloc(r->data.batch + 1, sizeof *c->extra);
	c->slot = calloc(r->data.batch + 1, sizeof *c->slot);
	if (c->label == NULL || c->extra == NULL || c->slot == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory for sample paths");
	if (r->data.rare_temperature > 0.0) {
		tp_status st = plan_rare(j, &c->rare, err);
		if (st != TP_OK)
			return st;
	}
	if (s->round != ROUND_SOURCE) {
		tp_status st = round_state_load(j->store, j->run, s->round, j->setup.spec.classes,
		                                j->setup.target.count, &c->round, err);
		if (st != TP_OK)
			return st;
		c->target.mine_chance = r->self.mine_chance;
		c->target.mine_id = c->round.mine;
		c->target.mine_ids = c->round.mines;
	}
	return sampling_create(r, s, j->setup.source.count, j->setup.target.count, c->round.easy,
	                       &c->sampling, err);
}

static void plan_close(plan_ctx *c)
{
	sampling_free(c->sampling);
	round_state_done(&c->round);
	rare_free(c->rare);
	free(c->label);
	free(c->extra);
	free(c->slot);
}

static void record(job *j, const step_result *r, size_t every)
{
	size_t step = j->state.step; /* counts finished steps of this stage */
	if (step % every != 0)
		return;
	int64_t at = job_global_step(j, j->at) + (int64_t)step;
	job_metric(j, "loss", at, r->loss);
	job_metric(j, "loss/label", at, r->label_term);
	job_metric(j, "lr", at, r->lr);
	job_metric(j, "labelled", at, r->labelled_share);
	if (r->reg_term != 0)
		job_metric(j, "loss/regularizer", at, r->reg_term);
	if (r->entropy != 0)
		job_metric(j, "loss/entropy", at, r->entropy);
	if (r->discriminator != 0) {
		job_metric(j, "loss/adversarial", at, r->adversarial);
		job_metric(j, "loss/discriminator", at, r->discriminator);
	}
}

static tp_status profile_start(job *j, stepper *s, tp_err *err)
{
	const recipe *r = &j->setup.config.recipe;
	profile_stage p = {.run = j->run,
	                   .stage = (int64_t)j->at,
	                   .round = job_stage(j)->round,
	                   .phase = phase_name(job_stage(j)->phase),
	                   .kernels = recipe_field_find("/kernels")->choice(r->kernels),
	                   .crop_h = r->data.crop_h,
	                   .crop_w = r->data.crop_w,
	                   .threads = pool_threads(j->pool),
	                   .sgemm_gflops = j->sgemm_gflops};
	return profile_begin(j->profile, &p, stepper_exec(s), stepper_discriminator(s), err);
}

/* What was measured, into the database; before the position passes the stage, so that a finished stage
 * always has a row. */
static tp_status keep_profile(job *j, tp_err *err)
{
	profile_row row;
	tp_err none = {0};
	tp_status st = profile_read(j->profile, j->run, job_stage(j)->round, &row, &none);
	if (st != TP_OK)
		return st == TP_NOTFOUND ? TP_OK : tp_fail(err, st, 0, "%s", none.text);
	st = store_profile_put(j->store, &row, err);
	profile_row_done(&row);
	return st;
}

static tp_status save_checkpoint(job *j, size_t step, tp_err *err)
{
	tp_status st = keep_profile(j, err);
	return st == TP_OK ? job_save(j, j->at, step, true, err) : st;
}

/* Steps until the stage's end, the stop flag or a failure; saves on the way. */
static tp_status steps(job *j, loader *l, stepper *s, size_t total, tp_err *err)
{
	size_t every = total / MAX_POINTS + 1;
	tp_status st = TP_OK;
	while (j->state.step < total && st == TP_OK) {
		const sample *samples;
		bool waited;
		step_result result;
		double t0 = monotonic_seconds();
		if (job_stopped(j))
			return TP_CANCELLED;
		profile_step_begin(j->profile);
		st = loader_next(l, &samples, &waited, err);
		profile_mark(j->profile, PROFILE_WAITING);
		double wait = waited ? monotonic_seconds() - t0 : 0;
		if (st == TP_OK)
			st = stepper_run(s, samples, &result, err);
		if (st != TP_OK)
			return st;
		profile_mark(j->profile, PROFILE_OPTIMISER);
		record(j, &result, every);
		progress_unit(j->progress, j->state.step, result.loss, wait);
		double now = monotonic_seconds();
		if (j->state.step < total && now - j->saved >= j->daemon->checkpoint_seconds)
			st = save_checkpoint(j, j->state.step, err);
		else if (now - j->flushed >= FLUSH_SECONDS || j->metrics + 16 > j->metric_room)
			st = job_save(j, j->at, j->state.step, false, err);
		profile_step_end(j->profile);
	}
	return st;
}

/* A run without initial weights measures its batch norms on source images first. */
static tp_status calibrate(job *j, tp_err *err)
{
	const recipe *r = &j->setup.config.recipe;
	crops c;
	tp_status st = crops_take(j, &j->setup.source, false, CALIBRATION_IMAGES, &c, err);
	norm_spec spec = {.net = &j->setup.net,
	                  .h = r->data.crop_h,
	                  .w = r->data.crop_w,
	                  .pool = j->pool,
	                  .stop = j->stop};
	norm_inputs in = {c.image, c.count};
	if (st == TP_OK)
		st = norms_calibrate(&spec, &in, j->state.values, err);
	crops_done(&c);
	return st;
}

static tp_status train(job *j, plan_ctx *c, size_t total, tp_err *err)
{
	const recipe *r = &j->setup.config.recipe;
	const stage *s = job_stage(j);
	bool unlabelled = sampling_unlabelled(c->sampling);
	bool self = s->round != ROUND_SOURCE;
	loader_spec ls = {.slots = sampling_slots(c->sampling),
	                  .classes = j->setup.spec.classes,
	                  .soft = self && c->soft && !c->phase2,
	                  .weights = c->phase2,
	                  .online = c->online,
	                  .crop_h = r->data.crop_h,
	                  .crop_w = r->data.crop_w,
	                  .norm = j->setup.norm,
	                  .seed = c->seed,
	                  .first_step = j->state.step,
	                  .last_step = total,
	                  .ahead = JOB_STEPS_AHEAD,
	                  .plan = plan,
	                  .plan_arg = c};
	stepper_spec ss = {.recipe = r,
	                   .phase = s->phase,
	                   .steps = total,
	                   .unlabelled = unlabelled,
	                   .state = &j->state,
	                   .lambda = self ? c->round.lambda : NULL,
	                   .pool = j->pool,
	                   .stop = j->stop};
	loader *l = NULL;
	stepper *stp = NULL;
	tp_status st = TP_OK;
	if (j->at == 0 && j->state.step == 0 && j->setup.init_file == NULL)
		st = calibrate(j, err);
	/* Before the network's memory is taken: the measurement wants some for itself. */
	if (j->sgemm_gflops <= 0)
		j->sgemm_gflops = profile_sgemm_gflops(j->pool, monotonic_seconds);
	if (st == TP_OK)
		st = stepper_create(&ss, &stp, err);
	if (st == TP_OK)
		st = profile_start(j, stp, err);
	if (st == TP_OK)
		st = loader_create(&ls, &l, err);
	if (st == TP_OK)
		st = steps(j, l, stp, total, err);
	loader_free(l);
	stepper_free(stp);
	return st;
}

tp_status stage_train(job *j, tp_err *err)
{
	const stage *s = job_stage(j);
	size_t total = recipe_stage_steps(&j->setup.config.recipe, s);
	plan_ctx c;
	if (j->state.step == 0) /* a new optimiser each phase, as CRST makes it (algorithms.md 1.4) */
		memset(j->state.momentum, 0, j->setup.net.params.trained_floats * sizeof(float));
	tp_status st = plan_open(j, &c, err);
	if (st == TP_OK)
		st = train(j, &c, total, err);
	plan_close(&c);
	if (st == TP_CANCELLED) {
		tp_status saved = save_checkpoint(j, j->state.step, err);
		return saved == TP_OK ? TP_CANCELLED : saved;
	}
	if (st == TP_OK && s->phase == PHASE_SOURCE_TRAINING)
		train_state_settle(&j->state);
	if (st == TP_OK)
		st = publish(j, err);
	if (st == TP_OK)
		st = save_checkpoint(j, total, err);
	else
		(void)!keep_profile(j, NULL); /* of a run that fails too, if it can be */
	if (st == TP_OK)
		job_event(j, "checkpoint.saved", "{}");
	return st;
}
