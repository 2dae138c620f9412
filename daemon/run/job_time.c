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

/* Seconds a pixel of the forward pass alone, and of forward and backward; of one update. */
typedef struct rates {
	double infer, train, update;
} rates;

static void trial_size(const recipe *r, size_t *ret_h, size_t *ret_w)
{
	double pixels = (double)r->data.crop_h * (double)r->data.crop_w;
	double scale = pixels > MOST_PIXELS ? sqrt(MOST_PIXELS / pixels) : 1.0;
	*ret_h = (size_t)((double)r->data.crop_h * scale);
	*ret_w = (size_t)((double)r->data.crop_w * scale);
}

static exec_spec trial_spec(const job_setup *s, pool *pool, bool train)
{
	exec_spec spec = {.graph = &s->net, .train = train, .kernels = s->config.recipe.kernels, .pool = pool};
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

static tp_status check_room(const job_setup *s, pool *pool, tp_err *err)
{
	exec_size size;
	exec_spec spec = trial_spec(s, pool, true);
	const param_table *t = &s->net.params;
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

/* The best of PASSES passes after a first one that touches everything. */
static tp_status time_passes(const job_setup *s, pool *pool, bool train, const float *values,
                             float *grads, double *ret, tp_err *err)
{
	exec *e;
	exec_spec spec = trial_spec(s, pool, train);
	tp_status st = exec_create(&spec, &e, err);
	if (st != TP_OK)
		return st;
	float *doutput = NULL;
	const exec_size *size = exec_sizes(e);
	if (train)
		st = mem_floats(size->out_h * size->out_w * size->out_c, &doutput, err);
	double best = INFINITY;
	for (int i = 0; i <= PASSES && st == TP_OK; i++) {
		const float *out;
		double begin = monotonic_seconds();
		if (i == 0 || train)
			exec_prepare(e, values);
		st = exec_forward(e, &out, err);
		if (st == TP_OK && train)
			st = exec_backward(e, doutput, grads, NULL, err);
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
	const param_table *t = &s->net.params;
	float *values = NULL, *grads = NULL, *momentum = NULL;
	tp_status st = mem_floats(t->floats, &values, err);
	if (st == TP_OK)
		st = mem_floats(t->trained_floats, &grads, err);
	if (st == TP_OK)
		st = mem_floats(t->trained_floats, &momentum, err);
	if (st == TP_OK)
		st = time_passes(s, pool, false, values, NULL, &ret->infer, err);
	if (st == TP_OK)
		st = time_passes(s, pool, true, values, grads, &ret->train, err);
	if (st == TP_OK) {
		double begin = monotonic_seconds();
		sgd_step(values, momentum, grads, t->trained_floats, 0.0f, 0.9f, 0.0f, pool);
		ret->update = monotonic_seconds() - begin;
	}
	mem_free(values);
	mem_free(grads);
	mem_free(momentum);
	return st;
}

tp_status job_setup_time(const job_setup *s, size_t threads, run_time *ret, tp_err *err)
{
	pool *pool = NULL;
	rates rate = {0};
	tp_status st = pool_create(threads, &pool, err);
	if (st == TP_OK)
		st = check_room(s, pool, err);
	if (st == TP_OK)
		st = measure(s, pool, &rate, err);
	pool_free(pool);
	if (st != TP_OK)
		return st;
	*ret = (run_time){0};
	for (size_t i = 0; i < s->stage_count; i++) {
		const stage_cost *c = &s->cost[i];
		bool trains = recipe_stage_steps(&s->config.recipe, &s->stages[i]) > 0;
		/* A training step's cost counts three passes for a pixel trained on. */
		double unit = trains ? c->cost / 3.0 * rate.train + rate.update : c->cost * rate.infer;
		ret->phase[c->phase] += (double)c->units * unit;
		ret->seconds += (double)c->units * unit;
	}
	return TP_OK;
}
