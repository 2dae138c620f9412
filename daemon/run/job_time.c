/* How long a run will take on this machine: its stages' costs (job_setup.c) at the rate that the network's
 * passes reach here, measured on a small crop; time is linear in pixels (docs/performance.md). Weights are
 * zeros: time does not depend on values. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "optim/sgd.h"
#include "run/job.h"

enum { MOST_PIXELS = 256 * 256, PASSES = 2 };
static const double TRIAL_SECONDS = 0.5; /* small networks pass more often: one disturbance is not the best */

/* Seconds a pixel of the forward pass alone, of forward and backward, of the discriminator's forward and
 * backward; of one update. */
typedef struct rates {
	double infer, train, discriminate, update;
} rates;

/* An adversarial step passes through the discriminator to fool it, then to learn both domains. */
enum { DISCRIMINATOR_PASSES = 3 };

static void trial_size(const recipe *r, size_t *ret_h, size_t *ret_w)
{
	double pixels = (double)r->data.crop_h * (double)r->data.crop_w;
	double scale = pixels > MOST_PIXELS ? sqrt(MOST_PIXELS / pixels) : 1.0;
	*ret_h = (size_t)((double)r->data.crop_h * scale);
	*ret_w = (size_t)((double)r->data.crop_w * scale);
}

static exec_spec trial_spec(const job_setup *s, const graph *g, pool *pool, bool train)
{
	exec_spec spec = {.graph = g, .train = train, .kernels = s->config.recipe.kernels, .pool = pool};
	trial_size(&s->config.recipe, &spec.in_h, &spec.in_w);
	return spec;
}

/* Memory that can be had without swapping, bytes; the most there is when the kernel does not say. */
static double available_bytes(void)
{
	char line[120];
	double kib = INFINITY;
	FILE *f = fopen("/proc/meminfo", "re");
	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (sscanf(line, "MemAvailable: %lf", &kib) == 1)
			break;
	if (f != NULL)
		(void)fclose(f);
	return kib * 1024.0;
}

static tp_status check_room(const job_setup *s, const graph *g, pool *pool, tp_err *err)
{
	exec_size size;
	exec_spec spec = trial_spec(s, g, pool, true);
	const param_table *t = &g->params;
	tp_status st = exec_measure(&spec, &size, err);
	if (st != TP_OK)
		return st;
	double wants = (double)size.bytes + sizeof(float) * ((double)t->floats + 2.0 * (double)t->trained_floats);
	double has = available_bytes();
	if (wants <= 0.5 * has)
		return TP_OK;
	return tp_fail(err, TP_NOMEM, 0, "measuring the network takes %.0f MiB, %.0f are available",
	               wants / 1048576.0, has / 1048576.0);
}

/* A network's memory for a trial. */
typedef struct trial {
	const graph *g;
	float *values, *grads, *momentum;
} trial;

static void trial_done(trial *t)
{
	mem_free(t->values);
	mem_free(t->grads);
	mem_free(t->momentum);
}

static tp_status trial_open(const job_setup *s, const graph *g, pool *pool, trial *ret, tp_err *err)
{
	*ret = (trial){.g = g};
	tp_status st = check_room(s, g, pool, err);
	if (st == TP_OK)
		st = mem_floats(g->params.floats, &ret->values, err);
	if (st == TP_OK)
		st = mem_floats(g->params.trained_floats, &ret->grads, err);
	if (st == TP_OK)
		st = mem_floats(g->params.trained_floats, &ret->momentum, err);
	return st;
}

/* The best of PASSES passes or more after a first one that touches everything; seconds a pixel. */
static tp_status time_passes(const job_setup *s, const trial *t, pool *pool, bool train, double *ret,
                             tp_err *err)
{
	exec *e;
	exec_spec spec = trial_spec(s, t->g, pool, train);
	tp_status st = exec_create(&spec, &e, err);
	if (st != TP_OK)
		return st;
	float *doutput = NULL;
	const exec_size *size = exec_sizes(e);
	if (train)
		st = mem_floats(size->out_h * size->out_w * size->out_c, &doutput, err);
	double best = INFINITY, until = monotonic_seconds() + TRIAL_SECONDS;
	for (int i = 0; (i <= PASSES || monotonic_seconds() < until) && st == TP_OK; i++) {
		const float *out;
		double begin = monotonic_seconds();
		if (i == 0 || train)
			exec_prepare(e, t->values);
		st = exec_forward(e, &out, err);
		if (st == TP_OK && train)
			st = exec_backward(e, doutput, t->grads, NULL, err);
		if (i > 0)
			best = fmin(best, monotonic_seconds() - begin);
	}
	*ret = best / (double)(spec.in_h * spec.in_w);
	mem_free(doutput);
	exec_free(e);
	return st;
}

static tp_status measure(const job_setup *s, pool *pool, rates *ret, tp_err *err)
{
	trial net, disc = {0};
	tp_status st = trial_open(s, &s->net, pool, &net, err);
	if (st == TP_OK)
		st = time_passes(s, &net, pool, false, &ret->infer, err);
	if (st == TP_OK)
		st = time_passes(s, &net, pool, true, &ret->train, err);
	if (st == TP_OK) {
		double begin = monotonic_seconds();
		sgd_step(net.values, net.momentum, net.grads, s->net.params.trained_floats, 0.0f, 0.9f, 0.0f,
		         pool);
		ret->update = monotonic_seconds() - begin;
	}
	trial_done(&net);
	if (st == TP_OK && s->has_disc) {
		st = trial_open(s, &s->disc, pool, &disc, err);
		if (st == TP_OK)
			st = time_passes(s, &disc, pool, true, &ret->discriminate, err);
		trial_done(&disc);
	}
	return st;
}

/* A step or an image of a stage, seconds. */
static double unit_seconds(const job_setup *s, const stage_cost *c, const rates *rate)
{
	const recipe *r = &s->config.recipe;
	bool trains = c->phase == PHASE_SOURCE_TRAINING || c->phase == PHASE_ENTROPY_TRAINING ||
	              c->phase == PHASE_PHASE1_TRAINING || c->phase == PHASE_PHASE2_TRAINING;
	if (!trains)
		return c->cost * rate->infer;
	double pixels = (double)r->data.crop_h * (double)r->data.crop_w;
	double adversary = recipe_phase_adversarial(r, c->phase)
	                       ? DISCRIMINATOR_PASSES * pixels * rate->discriminate
	                       : 0.0;
	/* A training step's cost counts three passes for a pixel trained on. */
	return c->cost / 3.0 * rate->train + rate->update + adversary;
}

tp_status job_setup_time(const job_setup *s, size_t threads, run_time *ret, tp_err *err)
{
	pool *pool = NULL;
	rates rate = {0};
	tp_status st = pool_create(threads, &pool, err);
	if (st == TP_OK)
		st = measure(s, pool, &rate, err);
	pool_free(pool);
	if (st != TP_OK)
		return st;
	*ret = (run_time){0};
	for (size_t i = 0; i < s->stage_count; i++) {
		const stage_cost *c = &s->cost[i];
		double unit = unit_seconds(s, c, &rate);
		ret->phase[c->phase] += (double)c->units * unit;
		ret->seconds += (double)c->units * unit;
	}
	return TP_OK;
}
