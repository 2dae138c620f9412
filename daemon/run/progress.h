/* progress: where the running run stands, published by the trainer thread and read by anybody, and how
 * long the rest will take.
 *
 * Every stage is a number of units (steps, images) of a planned cost; the unit is "pixels through one
 * forward pass". What a unit really takes is measured per phase; phases not yet met are guessed from
 * the average seconds per cost. */
#ifndef TPLDD_PROGRESS_H
#define TPLDD_PROGRESS_H

#include <pthread.h>

#include "run/scheduler.h"

typedef struct stage_cost {
	phase phase;
	int round;
	size_t units;
	double cost; /* of one unit, in pixel-forwards */
} stage_cost;

typedef struct progress {
	pthread_mutex_t lock;
	int64_t run; /* 0: nobody runs */
	const stage_cost *stage; /* borrowed from the trainer until progress_end */
	size_t stages, rounds;
	size_t at, done;      /* current stage, units done in it */
	double seconds[PHASE_COUNT], cost[PHASE_COUNT]; /* measured so far */
	double last;          /* monotonic time of the last unit */
	double loss, per_step, waited, worked;
} progress;

void progress_init(progress *p);
void progress_done(progress *p);

/* Trainer thread. */
void progress_begin(progress *p, int64_t run, const stage_cost *stage, size_t stages, size_t rounds);
void progress_stage(progress *p, size_t at, size_t done);
/* A unit is finished; loss NaN when it has none, waited: seconds spent waiting for data. */
void progress_unit(progress *p, size_t done, double loss, double waited);
void progress_end(progress *p);

/* Any thread. False when `run` is not the one that runs. */
bool progress_read(progress *p, int64_t run, run_progress *ret);
/* The same for a run that does not compute now, from its stored position. */
void progress_of_row(const stage_cost *stage, size_t stages, size_t rounds, size_t at, size_t done,
                     run_progress *ret);
/* Seconds since the last unit and what a unit was expected to take; false when nobody runs. */
bool progress_age(progress *p, double *ret_age, double *ret_expected);

/* CLOCK_MONOTONIC in seconds. */
double monotonic_seconds(void);

#endif
