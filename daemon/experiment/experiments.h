/* experiments: the service that adds experiments and drives them, beside the scheduler, which knows
 * runs only. A thread of its own looks at the unfinished ones (advance.h) whenever it is woken: it may
 * touch SQLite, which the event loop may not, and it waits for no training.
 *
 * Threads: add, cancel, delete and wake may be called from any thread; wake only sets a flag. */
#ifndef TPLDD_EXPERIMENT_EXPERIMENTS_H
#define TPLDD_EXPERIMENT_EXPERIMENTS_H

#include <jansson.h>

#include "run/scheduler.h"

typedef struct experiments experiments;

/* All borrowed until experiments_free. notify: events were added; must only wake somebody. */
typedef struct experiments_deps {
	store *store;
	scheduler *scheduler;
	int state_dirfd;
	scheduler_notify *notify;
	void *notify_arg;
} experiments_deps;

tp_status experiments_create(const experiments_deps *deps, experiments **ret, tp_err *err) TP_MUST_CHECK;
/* Starts the thread, which looks at once: what a crash interrupted goes on. */
tp_status experiments_start(experiments *e, tp_err *err) TP_MUST_CHECK;
/* Something may have changed: a run's state, say. */
void experiments_wake(experiments *e);
/* Returns when the thread has ended. */
void experiments_stop(experiments *e);
/* Stops first when need be. NULL is fine. */
void experiments_free(experiments *e);

/* Checks the definition and every run of it, then adds the experiment; its runs follow by themselves.
 * Errors with pointers into the definition, as in run_config.h. */
tp_status experiments_add(experiments *e, const json_t *definition, int64_t *ret_id,
                          config_error *errors, size_t max, size_t *ret_errors,
                          tp_err *err) TP_MUST_CHECK;
/* No run is started any more, those that have not ended are cancelled. TP_CONFLICT when it has ended
 * otherwise; cancelling again does nothing. */
tp_status experiments_cancel(experiments *e, int64_t id, tp_err *err) TP_MUST_CHECK;
/* TP_CONFLICT until all its runs have ended. with_runs: they go too, with their files. */
tp_status experiments_delete(experiments *e, int64_t id, bool with_runs, tp_err *err) TP_MUST_CHECK;

#endif
