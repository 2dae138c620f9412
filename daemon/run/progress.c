#include "run/progress.h"

#include <math.h>
#include <string.h>
#include <time.h>

double monotonic_seconds(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void progress_init(progress *p)
{
	memset(p, 0, sizeof *p);
	(void)pthread_mutex_init(&p->lock, NULL);
}

void progress_done(progress *p) { (void)pthread_mutex_destroy(&p->lock); }

void progress_begin(progress *p, int64_t run, const stage_cost *stage, size_t stages, size_t rounds)
{
	pthread_mutex_lock(&p->lock);
	p->run = run;
	p->stage = stage;
	p->stages = stages;
	p->rounds = rounds;
	p->at = p->done = 0;
	memset(p->seconds, 0, sizeof p->seconds);
	memset(p->cost, 0, sizeof p->cost);
	p->last = monotonic_seconds();
	p->loss = NAN;
	p->per_step = -1;
	p->waited = p->worked = 0;
	pthread_mutex_unlock(&p->lock);
}

void progress_stage(progress *p, size_t at, size_t done)
{
	pthread_mutex_lock(&p->lock);
	p->at = at;
	p->done = done;
	p->last = monotonic_seconds();
	p->per_step = -1;
	pthread_mutex_unlock(&p->lock);
}

void progress_unit(progress *p, size_t done, double loss, double waited)
{
	pthread_mutex_lock(&p->lock);
	double now = monotonic_seconds(), took = now - p->last;
	const stage_cost *s = &p->stage[p->at];
	size_t units = done > p->done ? done - p->done : 0;
	p->done = done;
	p->last = now;
	p->seconds[s->phase] += took;
	p->cost[s->phase] += (double)units * s->cost;
	p->waited += waited;
	p->worked += took;
	if (units > 0) {
		double each = took / (double)units;
		p->per_step = p->per_step < 0 ? each : 0.9 * p->per_step + 0.1 * each;
	}
	if (!isnan(loss))
		p->loss = loss;
	pthread_mutex_unlock(&p->lock);
}

void progress_end(progress *p)
{
	pthread_mutex_lock(&p->lock);
	p->run = 0;
	p->stage = NULL;
	p->stages = 0;
	pthread_mutex_unlock(&p->lock);
}

void progress_of_row(const stage_cost *stage, size_t stages, size_t rounds, size_t at, size_t done,
                     run_progress *ret)
{
	double before = 0, all = 0;
	for (size_t i = 0; i < stages; i++) {
		double cost = (double)stage[i].units * stage[i].cost;
		all += cost;
		before += i < at ? cost : i == at ? (double)done * stage[i].cost : 0;
	}
	size_t show = at < stages ? at : stages - 1;
	*ret = (run_progress){
		.phase = phase_name(stage[show].phase),
		.round = stage[show].round,
		.rounds_total = rounds,
		.stage = at,
		.step = (int64_t)(at < stages ? done : stage[show].units),
		.steps_total = (int64_t)stage[show].units,
		.progress = all > 0 ? fmin(1.0, before / all) : 1.0,
		.eta_seconds = -1,
		.loss = NAN,
		.seconds_per_step = -1,
		.heartbeat_age_seconds = -1,
	};
}

/* Seconds that the units from (at, done) on will take, or -1 when nothing was measured yet. */
static double seconds_left(const progress *p)
{
	double seconds = 0, cost = 0, left = 0;
	for (int i = 0; i < PHASE_COUNT; i++) {
		seconds += p->seconds[i];
		cost += p->cost[i];
	}
	if (cost <= 0)
		return -1;
	for (size_t i = p->at; i < p->stages; i++) {
		const stage_cost *s = &p->stage[i];
		size_t units = i == p->at ? s->units - p->done : s->units;
		double rate = p->cost[s->phase] > 0 ? p->seconds[s->phase] / p->cost[s->phase]
		                                    : seconds / cost;
		left += (double)units * s->cost * rate;
	}
	return left;
}

bool progress_read(progress *p, int64_t run, run_progress *ret)
{
	pthread_mutex_lock(&p->lock);
	bool live = p->run == run && p->stages > 0;
	if (live) {
		progress_of_row(p->stage, p->stages, p->rounds, p->at, p->done, ret);
		ret->live = true;
		ret->eta_seconds = seconds_left(p);
		ret->loss = p->loss;
		ret->seconds_per_step = p->per_step;
		ret->wait_share = p->worked > 0 ? p->waited / p->worked : 0;
		ret->heartbeat_age_seconds = monotonic_seconds() - p->last;
	}
	pthread_mutex_unlock(&p->lock);
	return live;
}

bool progress_age(progress *p, double *ret_age, double *ret_expected)
{
	pthread_mutex_lock(&p->lock);
	bool live = p->run != 0 && p->stages > 0;
	if (live) {
		*ret_age = monotonic_seconds() - p->last;
		*ret_expected = p->per_step;
	}
	pthread_mutex_unlock(&p->lock);
	return live;
}
