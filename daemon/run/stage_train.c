/* One training phase: loader, stepper, metrics, profile, checkpoints. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "ckpt/weights.h"
#include "data/loader.h"
#include "run/job.h"
#include "run/round_state.h"
#include "store/run_files.h"
#include "train/calibrate.h"
#include "train/recipe_fields.h"
#include "train/sampling.h"
#include "train/step.h"

enum { MAX_POINTS = 2000, CALIBRATION_IMAGES = 4 };
static const double FLUSH_SECONDS = 2.0;

/* What the loader's thread reads; constant while it lives. */
typedef struct plan_ctx {
	const job *job;
	sampling *sampling;
	augment_spec source, target;
	round_state round; /* thresholds, rare classes, split; self-training only */
	bool phase2, soft;
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
	} else {
		ret->image = c->job->setup.source.row[index].image;
		ret->label = c->job->setup.source.row[index].label;
		ret->source = LABELS_FILE;
		ret->map = &c->job->setup.source.map;
		ret->augment = &c->source;
	}
	return TP_OK;
}

static tp_status plan_open(job *j, plan_ctx *c, tp_err *err)
{
	const recipe *r = &j->setup.config.recipe;
	const stage *s = job_stage(j);
	*c = (plan_ctx){.job = j, .phase2 = s->phase == PHASE_PHASE2_TRAINING,
	                .soft = r->self.reg == REG_LRENT};
	c->source = (augment_spec){.crop_h = r->data.crop_h,
	                           .crop_w = r->data.crop_w,
	                           .scale_low = r->data.scale_low,
	                           .scale_high = r->data.scale_high,
	                           .mirror = r->data.mirror};
	c->target = c->source;
	c->label = calloc(r->data.batch + 1, sizeof *c->label);
	c->extra = calloc(r->data.batch + 1, sizeof *c->extra);
	if (c->label == NULL || c->extra == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory for sample paths");
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
	free(c->label);
	free(c->extra);
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

/* The public weights of a finished phase, before the state that says it is finished. */
static tp_status publish(job *j, tp_err *err)
{
	const stage *s = job_stage(j);
	char dir[RUN_FILE_MAX], file[2 * RUN_FILE_MAX], sha[65];
	net_meta meta;
	net_meta_fill(&meta, &j->setup.spec, &j->setup.norm);
	run_checkpoint_dir(j->run, dir);
	if (s->round == ROUND_SOURCE)
		(void)snprintf(file, sizeof file, "%s/source.safetensors", dir);
	else
		(void)snprintf(file, sizeof file, "%s/round-%d.safetensors", dir, s->round);
	tp_status st = weights_save(j->state_dirfd, file, &j->setup.net, j->state.values, meta.pair,
	                            NET_META_PAIRS, err);
	if (st == TP_OK)
		st = sha256_file(j->state_dirfd, file, sha, err);
	if (st != TP_OK)
		return st;
	checkpoint_row row = {.run = j->run,
	                      .round = s->round,
	                      .stage = (int64_t)j->at,
	                      .step = job_global_step(j, j->at) + (int64_t)j->state.step,
	                      .phase = (char *)phase_name(s->phase),
	                      .file = file,
	                      .bytes = job_file_bytes(j, file),
	                      .sha256 = sha};
	int64_t id;
	return store_checkpoint_add(j->store, &row, &id, err);
}

/* A run without initial weights measures its batch norms on the samples of its first steps. */
static tp_status calibrate(job *j, const loader_spec *like, tp_err *err)
{
	loader_spec ls = *like;
	size_t floats = ls.crop_h * ls.crop_w * 3;
	float *copy[CALIBRATION_IMAGES] = {NULL};
	loader *l = NULL;
	tp_status st = TP_OK;
	ls.last_step = CALIBRATION_IMAGES;
	st = loader_create(&ls, &l, err);
	for (size_t i = 0; i < CALIBRATION_IMAGES && st == TP_OK; i++) {
		const sample *s;
		bool waited;
		st = mem_floats(floats, &copy[i], err);
		if (st == TP_OK)
			st = loader_next(l, &s, &waited, err);
		if (st == TP_OK)
			memcpy(copy[i], s->input, floats * sizeof(float));
	}
	loader_free(l);
	calibration c = {.net = &j->setup.net,
	                 .input = (const float *const *)copy,
	                 .images = CALIBRATION_IMAGES,
	                 .h = ls.crop_h,
	                 .w = ls.crop_w,
	                 .pool = j->pool,
	                 .stop = j->stop};
	if (st == TP_OK)
		st = calibrate_batch_norms(&c, j->state.values, err);
	for (size_t i = 0; i < CALIBRATION_IMAGES; i++)
		mem_free(copy[i]);
	return st;
}

static tp_status train(job *j, plan_ctx *c, size_t total, tp_err *err)
{
	const recipe *r = &j->setup.config.recipe;
	const stage *s = job_stage(j);
	bool adversarial = sampling_adversarial(c->sampling);
	bool self = s->round != ROUND_SOURCE;
	loader_spec ls = {.slots = sampling_slots(c->sampling),
	                  .classes = j->setup.spec.classes,
	                  .soft = self && c->soft && !c->phase2,
	                  .weights = c->phase2,
	                  .crop_h = r->data.crop_h,
	                  .crop_w = r->data.crop_w,
	                  .norm = j->setup.norm,
	                  .seed = sampling_augment_seed(r, s),
	                  .first_step = j->state.step,
	                  .last_step = total,
	                  .ahead = JOB_STEPS_AHEAD,
	                  .plan = plan,
	                  .plan_arg = c};
	stepper_spec ss = {.recipe = r,
	                   .phase = s->phase,
	                   .steps = total,
	                   .adversarial = adversarial,
	                   .state = &j->state,
	                   .lambda = self ? c->round.lambda : NULL,
	                   .pool = j->pool,
	                   .stop = j->stop};
	loader *l = NULL;
	stepper *stp = NULL;
	tp_status st = TP_OK;
	if (j->at == 0 && j->state.step == 0 && j->setup.init_file == NULL)
		st = calibrate(j, &ls, err);
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
