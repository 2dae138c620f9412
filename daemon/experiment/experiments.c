#include "experiment/experiments.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/file.h"
#include "base/thread.h"
#include "experiment/advance.h"
#include "experiment/grid.h"
#include "store/run_files.h"

enum { RETRY_SECONDS = 5 };

struct experiments {
	experiments_deps deps;
	pthread_t thread;
	bool started;
	pthread_mutex_t lock; /* guards what follows; held for moments, never during a call into others */
	pthread_cond_t changed;
	bool woken, quit;
};

/* ---- the thread ---- */

static void wait_for_news(experiments *e, bool forever)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += RETRY_SECONDS;
	int rc = 0;
	while (!e->woken && !e->quit && rc == 0)
		rc = forever ? pthread_cond_wait(&e->changed, &e->lock)
		             : pthread_cond_timedwait(&e->changed, &e->lock, &t);
}

static void *main_of_thread(void *arg)
{
	experiments *e = arg;
	bool good = true;
	pthread_mutex_lock(&e->lock);
	e->woken = true;
	for (;;) {
		wait_for_news(e, good);
		if (e->quit)
			break;
		e->woken = false;
		pthread_mutex_unlock(&e->lock);
		good = advance_all(e->deps.store, e->deps.scheduler);
		e->deps.notify(e->deps.notify_arg);
		pthread_mutex_lock(&e->lock);
	}
	pthread_mutex_unlock(&e->lock);
	return NULL;
}

void experiments_wake(experiments *e)
{
	pthread_mutex_lock(&e->lock);
	e->woken = true;
	pthread_cond_signal(&e->changed);
	pthread_mutex_unlock(&e->lock);
}

/* ---- life ---- */

tp_status experiments_create(const experiments_deps *deps, experiments **ret, tp_err *err)
{
	experiments *e = calloc(1, sizeof *e);
	if (e == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory for experiments");
	e->deps = *deps;
	(void)pthread_mutex_init(&e->lock, NULL);
	(void)pthread_cond_init(&e->changed, NULL);
	*ret = e;
	return TP_OK;
}

tp_status experiments_start(experiments *e, tp_err *err)
{
	tp_status st = thread_start(main_of_thread, e, "the thread of experiments", &e->thread, err);
	e->started = st == TP_OK;
	return st;
}

void experiments_stop(experiments *e)
{
	pthread_mutex_lock(&e->lock);
	e->quit = true;
	pthread_cond_signal(&e->changed);
	pthread_mutex_unlock(&e->lock);
	if (e->started)
		(void)pthread_join(e->thread, NULL);
	e->started = false;
}

void experiments_free(experiments *e)
{
	if (e == NULL)
		return;
	experiments_stop(e);
	(void)pthread_cond_destroy(&e->changed);
	(void)pthread_mutex_destroy(&e->lock);
	free(e);
}

/* ---- requests ---- */

static void announce(experiments *e)
{
	experiments_wake(e);
	e->deps.notify(e->deps.notify_arg);
}

static tp_status add(experiments *e, const json_t *body, const definition *d, int64_t *ret_id,
                     problems *p)
{
	part_row *part = NULL;
	size_t parts = 0;
	tp_status st = grid_make(e->deps.scheduler, e->deps.store, d, &part, &parts, p);
	if (st != TP_OK)
		return st;
	char *text = json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(17));
	experiment_row row = {.name = (char *)d->name, .definition = text};
	st = text == NULL ? tp_fail(p->err, TP_NOMEM, 0, "out of memory for an experiment")
	                  : store_experiment_add(e->deps.store, &row, part, parts, ret_id, p->err);
	free(text);
	rows_done(part, parts, sizeof *part, (void (*)(void *))part_row_done);
	return st;
}

tp_status experiments_add(experiments *e, const json_t *body, int64_t *ret_id, config_error *errors,
                          size_t max, size_t *ret_errors, tp_err *err)
{
	problems p = {.error = errors, .max = max, .err = err};
	definition *d = calloc(1, sizeof *d);
	tp_status st = d == NULL ? tp_fail(err, TP_NOMEM, 0, "out of memory for an experiment")
	                         : definition_read(body, d, &p);
	/* The cells of a definition with mistakes are looked at all the same, to find theirs too. */
	if (st == TP_OK || (st == TP_INVALID && d->variants > 0))
		st = add(e, body, d, ret_id, &p);
	*ret_errors = p.count < max ? p.count : max;
	if (d != NULL)
		definition_done(d);
	free(d);
	if (st == TP_OK)
		announce(e);
	return st;
}

tp_status experiments_cancel(experiments *e, int64_t id, tp_err *err)
{
	tp_status st = store_experiment_end(e->deps.store, id, EXPERIMENT_CANCELLED, "", err);
	if (st == TP_OK)
		announce(e);
	return st;
}

tp_status experiments_delete(experiments *e, int64_t id, bool with_runs, tp_err *err)
{
	int64_t *run = NULL;
	size_t n = 0;
	tp_status st = store_experiment_delete(e->deps.store, id, with_runs, &run, &n, err);
	/* Files that stay behind go at the next start (run/sweep.h). */
	for (size_t i = 0; i < n && st == TP_OK; i++) {
		char dir[RUN_FILE_MAX];
		run_dir(run[i], dir);
		st = file_remove_tree(e->deps.state_dirfd, dir, err);
	}
	free(run);
	if (st == TP_OK)
		announce(e);
	return st;
}
