#include "run/scheduler.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/thread.h"
#include "run/job.h"
#include "run/reserve.h"
#include "store/run_files.h"
#include "run/sweep.h"
#include "run/transitions.h"

struct scheduler {
	store *store;
	const daemon_config *config;
	int state_dirfd;
	scheduler_notify *notify;
	void *notify_arg;
	progress progress;
	profile profile;
	pthread_t thread;
	bool started;

	pthread_mutex_t lock; /* guards what follows, and every change of a run's state */
	pthread_cond_t wake;
	int64_t current;      /* the run the trainer holds, 0: none */
	bool quit;
	atomic_int stop;      /* read by the computing code between layers */
};

enum { STALL_SECONDS = 600, STALL_FACTOR = 50 };

/* ---- state changes, under the lock ------------------------------------------------------ */

static run_state state_of(scheduler *s, int64_t run, tp_status *st, tp_err *err)
{
	run_row row;
	*st = store_run_get(s->store, run, &row, err);
	if (*st != TP_OK)
		return RUN_FAILED;
	run_state state = row.state;
	run_row_done(&row);
	return state;
}

/* The only writer of run states. `error` NULL keeps the stored one. */
static tp_status post(scheduler *s, int64_t run, run_event e, const char *reason, const char *error,
                      run_state *ret_to, tp_err *err)
{
	tp_status st;
	run_state from = state_of(s, run, &st, err);
	if (st != TP_OK)
		return st;
	int to = run_next_state(from, e);
	if (to == NO_TRANSITION) {
		char allowed[64];
		run_allowed_actions(from, allowed, sizeof allowed);
		return tp_fail(err, TP_CONFLICT, 0, "the run is %s; allowed now: %s", run_state_name(from),
		               allowed);
	}
	if (to != (int)from)
		st = store_run_set_state(s->store, run, (run_state)to, reason, error, err);
	if (st == TP_OK && ret_to != NULL)
		*ret_to = (run_state)to;
	s->notify(s->notify_arg);
	return st;
}

/* ---- trainer thread --------------------------------------------------------------------- */

static void wait_a_little(scheduler *s)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += 2;
	(void)pthread_cond_timedwait(&s->wake, &s->lock, &t);
}

/* A state that cannot be stored (disk full, the reserve too) is tried again until it can or the
 * daemon ends: the next start would otherwise find it live and continue it, which is right too. */
static void post_until_stored(scheduler *s, int64_t run, run_event e, const char *reason,
                              const char *error)
{
	for (;;) {
		tp_status st = post(s, run, e, reason, error, NULL, NULL);
		if (st == TP_OK || st == TP_CONFLICT || st == TP_NOTFOUND)
			return;
		if (reserve_release(s->state_dirfd))
			continue;
		if (s->quit)
			return;
		wait_a_little(s);
	}
}

static bool next_queued(scheduler *s, int64_t *ret)
{
	int64_t *id = NULL;
	size_t n = 0;
	if (store_run_ids(s->store, RUN_QUEUED, &id, &n, NULL) != TP_OK)
		return false;
	if (n > 0)
		*ret = id[0];
	free(id);
	return n > 0;
}

static void settle(scheduler *s, int64_t run, tp_status st, const char *end, const tp_err *err)
{
	switch (st) {
	case TP_OK:
		post_until_stored(s, run, EVENT_FINISH, end, NULL);
		post_until_stored(s, run, EVENT_COMPLETED, "completed", NULL);
		break;
	case TP_CANCELLED:
		if (s->quit)
			post_until_stored(s, run, EVENT_REQUEUE, "the daemon stops; continues at its next start",
			                  NULL);
		else
			post_until_stored(s, run, EVENT_STOPPED, "saved", NULL);
		break;
	case TP_NOSPACE:
		post_until_stored(s, run, EVENT_PAUSE, err->text, err->text);
		post_until_stored(s, run, EVENT_STOPPED, err->text, NULL);
		break;
	default:
		post_until_stored(s, run, EVENT_FAIL, err->text, err->text);
	}
}

static void run_one(scheduler *s, int64_t run)
{
	job_deps deps = {.store = s->store,
	                 .state_dirfd = s->state_dirfd,
	                 .daemon = s->config,
	                 .progress = &s->progress,
	                 .profile = &s->profile,
	                 .notify = s->notify,
	                 .notify_arg = s->notify_arg,
	                 .stop = &s->stop};
	tp_err err = {0};
	job *j = NULL;
	char end[sizeof j->end];
	pthread_mutex_unlock(&s->lock);
	reserve_hold(s->state_dirfd);
	tp_status st = job_open(&deps, run, &j, &err);
	if (st == TP_OK) {
		pthread_mutex_lock(&s->lock);
		st = post(s, run, EVENT_STARTED, "loaded", "", NULL, &err);
		pthread_mutex_unlock(&s->lock);
	}
	if (st == TP_OK)
		st = job_run(j, &err);
	(void)snprintf(end, sizeof end, "%s", j != NULL && j->end[0] != 0 ? j->end : "all stages are done");
	job_close(j);
	pthread_mutex_lock(&s->lock);
	settle(s, run, st, end, &err);
}

static void *trainer_main(void *arg)
{
	scheduler *s = arg;
	pthread_mutex_lock(&s->lock);
	while (!s->quit) {
		int64_t run = 0;
		if (!next_queued(s, &run)) {
			pthread_cond_wait(&s->wake, &s->lock);
			continue;
		}
		atomic_store(&s->stop, 0);
		s->current = run;
		if (post(s, run, EVENT_START, "its turn", NULL, NULL, NULL) == TP_OK)
			run_one(s, run);
		else
			wait_a_little(s);
		s->current = 0;
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* ---- life ------------------------------------------------------------------------------- */

/* Runs that a crash left in a live state continue; a pause or cancel that was under way is done. */
static tp_status recover(scheduler *s, tp_err *err)
{
	static const run_state live[] = {RUN_STARTING, RUN_RUNNING, RUN_PAUSING, RUN_CANCELLING,
	                                 RUN_COMPLETING, RUN_INTERRUPTED};
	for (size_t k = 0; k < sizeof live / sizeof *live; k++) {
		int64_t *id = NULL;
		size_t n = 0;
		tp_status st = store_run_ids(s->store, live[k], &id, &n, err);
		for (size_t i = 0; i < n && st == TP_OK; i++) {
			run_state to = live[k];
			if (live[k] != RUN_INTERRUPTED)
				st = post(s, id[i], EVENT_CRASHED, "the daemon ended without notice", NULL, &to,
				          err);
			if (st == TP_OK && to == RUN_INTERRUPTED)
				st = post(s, id[i], EVENT_REQUEUE, "continues from its last checkpoint", NULL,
				          NULL, err);
		}
		free(id);
		if (st != TP_OK)
			return st;
	}
	return TP_OK;
}

tp_status scheduler_create(store *st, const daemon_config *config, scheduler_notify *notify,
                           void *notify_arg, scheduler **ret, tp_err *err)
{
	scheduler *s = calloc(1, sizeof *s);
	if (s == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory for the scheduler");
	s->store = st;
	s->config = config;
	s->notify = notify;
	s->notify_arg = notify_arg;
	progress_init(&s->progress);
	profile_init(&s->profile, monotonic_seconds);
	(void)pthread_mutex_init(&s->lock, NULL);
	(void)pthread_cond_init(&s->wake, NULL);
	s->state_dirfd = open(config->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	tp_status rc = s->state_dirfd < 0
	                   ? tp_fail(err, TP_IO, errno, "cannot open %s", config->state_dir)
	                   : recover(s, err);
	if (rc != TP_OK) {
		scheduler_free(s);
		return rc;
	}
	sweep_runs(st, s->state_dirfd);
	*ret = s;
	return TP_OK;
}

tp_status scheduler_start(scheduler *s, tp_err *err)
{
	tp_status st = thread_start(trainer_main, s, "the trainer thread", &s->thread, err);
	s->started = st == TP_OK;
	return st;
}

void scheduler_stop(scheduler *s)
{
	pthread_mutex_lock(&s->lock);
	s->quit = true;
	atomic_store(&s->stop, 1);
	pthread_cond_broadcast(&s->wake);
	pthread_mutex_unlock(&s->lock);
	if (s->started)
		(void)pthread_join(s->thread, NULL);
	s->started = false;
}

void scheduler_free(scheduler *s)
{
	if (s == NULL)
		return;
	if (s->started)
		scheduler_stop(s);
	if (s->state_dirfd >= 0)
		(void)close(s->state_dirfd);
	progress_done(&s->progress);
	profile_done(&s->profile);
	(void)pthread_cond_destroy(&s->wake);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

/* ---- requests --------------------------------------------------------------------------- */

static size_t threads_of(const scheduler *s, const recipe *r)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	size_t n = r->threads != 0 ? r->threads : s->config->threads;
	return n != 0 ? n : cores > 0 ? (size_t)cores : 1;
}

static tp_status plan_of(const scheduler *s, const job_setup *setup, run_plan *ret, tp_err *err)
{
	run_plan p = {.source = setup->source.dataset,
	              .target = setup->target.dataset,
	              .eval = setup->eval.dataset,
	              .init = setup->init,
	              .init_checkpoint = setup->init_checkpoint};
	for (size_t i = 0; i < setup->stage_count; i++) {
		const stage_cost *c = &setup->cost[i];
		p.steps_total += (int64_t)recipe_stage_steps(&setup->config.recipe, &setup->stages[i]);
		p.cost[c->phase] += (double)c->units * c->cost;
	}
	tp_status st = job_setup_needs(setup, threads_of(s, &setup->config.recipe), &p.memory_bytes,
	                               &p.disk_bytes, err);
	if (st == TP_OK)
		*ret = p;
	return st;
}

/* Memory the machine has. A run that cannot fit would be killed half-way. */
static tp_status check_memory(const run_plan *p, config_error *errors, size_t max,
                              size_t *ret_errors, tp_err *err)
{
	uint64_t have = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	if (p->memory_bytes <= have)
		return TP_OK;
	char why[160];
	(void)snprintf(why, sizeof why, "the run needs about %.1f GiB of memory, this machine has %.1f",
	               (double)p->memory_bytes / 1073741824.0, (double)have / 1073741824.0);
	if (max > 0) {
		(void)snprintf(errors[0].pointer, sizeof errors[0].pointer, "/data/crop");
		(void)snprintf(errors[0].detail, sizeof errors[0].detail, "%s", why);
		*ret_errors = 1;
	}
	return tp_fail(err, TP_INVALID, 0, "/data/crop: %s", why);
}

tp_status scheduler_plan(scheduler *s, const run_config *c, run_plan *ret, config_error *errors,
                         size_t max, size_t *ret_errors, tp_err *err)
{
	job_setup setup;
	*ret_errors = 0;
	tp_status st = job_setup_create(s->store, s->state_dirfd, c, &setup, errors, max, ret_errors, err);
	if (st != TP_OK)
		return st;
	run_plan p;
	st = plan_of(s, &setup, &p, err);
	job_setup_done(&setup);
	if (st == TP_OK)
		st = check_memory(&p, errors, max, ret_errors, err);
	if (st == TP_OK)
		*ret = p;
	return st;
}

tp_status scheduler_time(scheduler *s, const run_config *c, run_time *ret, config_error *errors,
                         size_t max, size_t *ret_errors, tp_err *err)
{
	job_setup setup;
	*ret_errors = 0;
	tp_status st = job_setup_create(s->store, s->state_dirfd, c, &setup, errors, max, ret_errors, err);
	if (st != TP_OK)
		return st;
	st = job_setup_time(&setup, threads_of(s, &setup.config.recipe), ret, err);
	job_setup_done(&setup);
	return st;
}

tp_status scheduler_submit_part(scheduler *s, const run_config *c, int64_t experiment, int64_t part,
                                int64_t *ret_id, config_error *errors, size_t max, size_t *ret_errors,
                                tp_err *err)
{
	run_plan p;
	tp_status st = scheduler_plan(s, c, &p, errors, max, ret_errors, err);
	if (st != TP_OK)
		return st;
	json_t *json = run_config_json(c);
	char *text = json_dumps(json, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
	json_decref(json);
	if (text == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory");
	run_row row = {.name = (char *)c->name,
	               .config = text,
	               .source = p.source,
	               .target = p.target,
	               .eval = p.eval,
	               .init = p.init,
	               .init_checkpoint = p.init_checkpoint,
	               .experiment = experiment,
	               .part = part,
	               .state = RUN_QUEUED,
	               .error = (char *)"",
	               .miou_source = -1,
	               .miou_current = -1,
	               .miou_best = -1,
	               .memory_bytes = (int64_t)p.memory_bytes,
	               .disk_bytes = (int64_t)p.disk_bytes};
	pthread_mutex_lock(&s->lock);
	st = store_run_add(s->store, &row, ret_id, err);
	pthread_cond_broadcast(&s->wake);
	pthread_mutex_unlock(&s->lock);
	free(text);
	s->notify(s->notify_arg);
	return st;
}

tp_status scheduler_submit(scheduler *s, const run_config *c, int64_t *ret_id, config_error *errors,
                           size_t max, size_t *ret_errors, tp_err *err)
{
	return scheduler_submit_part(s, c, 0, 0, ret_id, errors, max, ret_errors, err);
}

tp_status scheduler_act(scheduler *s, int64_t run, run_action a, tp_err *err)
{
	static const run_event event[] = {[ACTION_PAUSE] = EVENT_PAUSE,
	                                  [ACTION_RESUME] = EVENT_RESUME,
	                                  [ACTION_CANCEL] = EVENT_CANCEL};
	static const char *const reason[] = {[ACTION_PAUSE] = "pause requested",
	                                     [ACTION_RESUME] = "resume requested",
	                                     [ACTION_CANCEL] = "cancel requested"};
	run_state to = RUN_STATES;
	pthread_mutex_lock(&s->lock);
	tp_status st = post(s, run, event[a], reason[a], NULL, &to, err);
	if (st == TP_OK && run == s->current && (to == RUN_PAUSING || to == RUN_CANCELLING))
		atomic_store(&s->stop, 1);
	pthread_cond_broadcast(&s->wake);
	pthread_mutex_unlock(&s->lock);
	return st;
}

tp_status scheduler_delete(scheduler *s, int64_t run, tp_err *err)
{
	char dir[RUN_FILE_MAX];
	pthread_mutex_lock(&s->lock);
	tp_status st = store_run_delete(s->store, run, err);
	pthread_mutex_unlock(&s->lock);
	if (st != TP_OK)
		return st;
	run_dir(run, dir);
	s->notify(s->notify_arg);
	return file_remove_tree(s->state_dirfd, dir, err);
}

tp_status scheduler_progress(scheduler *s, const run_row *row, run_progress *ret, tp_err *err)
{
	if (progress_read(&s->progress, row->id, ret))
		return TP_OK;
	run_config c;
	config_error bad[1];
	size_t bads, targets = 0, evals = 0;
	json_t *json = json_loads(row->config, 0, NULL);
	tp_status st = run_config_parse(json, &c, bad, 1, &bads, err);
	json_decref(json);
	if (st != TP_OK)
		return st;
	dataset_row d;
	if (store_dataset_get(s->store, row->target, &d, NULL) == TP_OK) {
		targets = (size_t)d.images;
		dataset_row_done(&d);
	}
	if (row->eval != 0 && store_dataset_get(s->store, row->eval, &d, NULL) == TP_OK) {
		evals = (size_t)d.labelled;
		dataset_row_done(&d);
	}
	size_t n = recipe_stages(&c.recipe, row->eval != 0, NULL, 0);
	stage *stages = calloc(n + 1, sizeof *stages);
	stage_cost *cost = calloc(n + 1, sizeof *cost);
	if (stages == NULL || cost == NULL) {
		free(stages);
		free(cost);
		return tp_fail(err, TP_NOMEM, 0, "out of memory");
	}
	(void)recipe_stages(&c.recipe, row->eval != 0, stages, n);
	for (size_t i = 0; i < n; i++) {
		size_t steps = recipe_stage_steps(&c.recipe, &stages[i]);
		size_t units = stage_units(&c.recipe, &stages[i], targets, evals);
		cost[i] = (stage_cost){stages[i].phase, stages[i].round, units, steps > 0 ? 6 : 1};
	}
	progress_of_row(cost, n, recipe_rounds(&c.recipe), (size_t)row->stage, (size_t)row->step, ret);
	if (row->state == RUN_COMPLETED)
		ret->progress = 1;
	free(stages);
	free(cost);
	return TP_OK;
}

tp_status scheduler_profile(scheduler *s, int64_t run, int64_t round, profile_row *ret, tp_err *err)
{
	tp_err none = {0};
	tp_status st = profile_read(&s->profile, run, round, ret, &none);
	if (st == TP_NOTFOUND) {
		none = (tp_err){0};
		st = store_profile_get(s->store, run, round, ret, &none);
	}
	if (st == TP_NOTFOUND && round < -1) {
		*ret = (profile_row){.run = run, .round = ROUND_SOURCE};
		return TP_OK;
	}
	return st == TP_OK ? st : tp_fail(err, st, none.sys, "%s", none.text);
}

bool scheduler_healthy(scheduler *s)
{
	double age, expected;
	if (!progress_age(&s->progress, &age, &expected))
		return true;
	return age < STALL_SECONDS || (expected > 0 && age < STALL_FACTOR * expected);
}
