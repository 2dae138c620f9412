/* scheduler: which run has the cores. One run computes at a time, on the trainer thread; queued runs
 * wait in order of their ids. Owns the table of state transitions and is the only writer of run
 * state.
 *
 * Threads: every function may be called from any thread except where noted. Actions return at once;
 * what they ask for shows up later as a state change (a run.state event).
 *
 *              pause        resume       cancel
 *   queued     paused       -            cancelled
 *   starting   pausing      conflict     cancelling
 *   running    pausing      -            cancelling
 *   pausing    -            conflict     cancelling
 *   paused     -            queued       cancelled
 *   cancelling conflict     conflict     -
 *   completing conflict     conflict     conflict
 *   interrupted paused      queued       cancelled
 *   failed     conflict     queued       conflict     (goes on from its last checkpoint)
 *   cancelled  conflict     conflict     -
 *   completed: conflict
 * An action that already holds (-) is accepted without effect. */
#ifndef TPLDD_SCHEDULER_H
#define TPLDD_SCHEDULER_H

#include "base/status.h"
#include "config/daemon_config.h"
#include "config/run_config.h"
#include "store/store.h"

typedef struct scheduler scheduler;

/* Called on any thread whenever events were added or progress moved; must only wake somebody. */
typedef void scheduler_notify(void *arg);

/* Puts runs left in a live state by a crash back into the queue (through `interrupted`). Starts nothing
 * until scheduler_start. Borrows store and config. */
tp_status scheduler_create(store *s, const daemon_config *config, scheduler_notify *notify,
                           void *notify_arg, scheduler **ret, tp_err *err) TP_MUST_CHECK;
/* Starts the trainer thread. */
tp_status scheduler_start(scheduler *s, tp_err *err) TP_MUST_CHECK;
/* Asks the running run to save and stop within a step; it goes back to `queued` and starts again with
 * the next daemon. Returns when the trainer thread has ended. */
void scheduler_stop(scheduler *s);
void scheduler_free(scheduler *s);

/* Resolves names to rows and checks what can be checked without training: data sets exist, the target
 * has images, the source has labels, class counts agree, weights fit the architecture, memory. Errors
 * as in run_config.h. */
typedef struct run_plan {
	int64_t source, target, eval, init, init_checkpoint;
	uint64_t memory_bytes, disk_bytes; /* predicted */
	int64_t steps_total;
	double cost[PHASE_COUNT]; /* of the stages of each kind, in pixels through one forward pass */
} run_plan;
tp_status scheduler_plan(scheduler *s, const run_config *c, run_plan *ret, config_error *errors,
                         size_t max, size_t *ret_errors, tp_err *err) TP_MUST_CHECK;
/* How long such a run would take, measured (job_setup_time): all of it, and the stages of each kind. Errors as
 * above. */
typedef struct run_time {
	double seconds, phase[PHASE_COUNT];
} run_time;
tp_status scheduler_time(scheduler *s, const run_config *c, run_time *ret, config_error *errors,
                         size_t max, size_t *ret_errors, tp_err *err) TP_MUST_CHECK;
/* Plans, adds the run in state `queued`. */
tp_status scheduler_submit(scheduler *s, const run_config *c, int64_t *ret_id, config_error *errors,
                           size_t max, size_t *ret_errors, tp_err *err) TP_MUST_CHECK;

/* The same for a part of an experiment: the run and what it is for are written at once. TP_CONFLICT and
 * TP_EXISTS as in store_run_add. */
tp_status scheduler_submit_part(scheduler *s, const run_config *c, int64_t experiment, int64_t part,
                                int64_t *ret_id, config_error *errors, size_t max, size_t *ret_errors,
                                tp_err *err) TP_MUST_CHECK;

typedef enum run_action { ACTION_PAUSE, ACTION_RESUME, ACTION_CANCEL } run_action;
/* TP_NOTFOUND; TP_CONFLICT names the state and what is allowed in it. */
tp_status scheduler_act(scheduler *s, int64_t run, run_action a, tp_err *err) TP_MUST_CHECK;
/* Deletes rows and files of a run in a final state that nobody needs; else TP_CONFLICT. */
tp_status scheduler_delete(scheduler *s, int64_t run, tp_err *err) TP_MUST_CHECK;

/* Where a run stands, live for the running one, from its row otherwise. */
typedef struct run_progress {
	bool live;
	const char *phase;   /* phase_name, static */
	int round;           /* ROUND_SOURCE for the source model */
	size_t rounds_total;
	size_t stage;        /* index in recipe_stages, one past the last when all are done */
	int64_t step, steps_total; /* units of the current phase: steps, or images when scoring */
	double progress;     /* 0..1 of the whole run */
	double eta_seconds;  /* -1: unknown */
	double loss;         /* newest, or NaN */
	double seconds_per_step; /* -1: unknown */
	double wait_share;   /* of the time, waiting for the loader */
	double heartbeat_age_seconds; /* since the last step or image; -1 when not live */
} run_progress;
tp_status scheduler_progress(scheduler *s, const run_row *row, run_progress *ret, tp_err *err) TP_MUST_CHECK;

/* Where the time of a training stage goes: live for the running run's, else as stored. round < -1: the
 * current or last one; a run that has not trained yet gives a row without steps. TP_NOTFOUND: the round
 * that is named has not been trained. */
tp_status scheduler_profile(scheduler *s, int64_t run, int64_t round, profile_row *ret,
                            tp_err *err) TP_MUST_CHECK;

/* For /readyz and /metrics: false when a live run has not moved for far longer than it should. */
bool scheduler_healthy(scheduler *s);

#endif
