#include "run/job.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "ckpt/weights.h"
#include "op/gemm.h"
#include "store/run_files.h"
#include "run/sweep.h"

enum { METRIC_ROOM = 4096 };

/* What computed a checkpoint. Another stamp at resume means the bits may differ from there on. */
static void environment_stamp(const job *j, char text[160])
{
	static const char *const modes[] = {"reference", "exact", "f2", "f4"};
	(void)snprintf(text, 160, "tpldd " TPLDD_VERSION "; %s; kernels %s", gemm_version(),
	               modes[j->setup.config.recipe.kernels]);
}

int64_t job_global_step(const job *j, size_t at)
{
	int64_t steps = 0;
	for (size_t i = 0; i < at && i < j->setup.stage_count; i++)
		steps += (int64_t)recipe_stage_steps(&j->setup.config.recipe, &j->setup.stages[i]);
	return steps;
}

const stage *job_stage(const job *j) { return &j->setup.stages[j->at]; }

bool job_stopped(const job *j) { return atomic_load(j->stop) != 0; }

void job_event(job *j, const char *type, const char *data)
{
	int64_t id;
	(void)!store_event_add(j->store, j->run, type, data, &id, NULL);
	j->notify(j->notify_arg);
}

int64_t job_file_bytes(const job *j, const char *file)
{
	struct stat s;
	return fstatat(j->state_dirfd, file, &s, 0) == 0 ? (int64_t)s.st_size : 0;
}

tp_status job_check_space(const job *j, tp_err *err)
{
	struct statvfs v;
	if (fstatvfs(j->state_dirfd, &v) != 0)
		return TP_OK; /* unknown: the writes themselves will tell */
	uint64_t available = (uint64_t)v.f_bavail * v.f_frsize;
	if (available < j->daemon->min_free_bytes)
		return tp_fail(err, TP_NOSPACE, 0,
		               "disk almost full: %.0f MiB free in the state directory, %.0f MiB wanted",
		               (double)available / 1048576.0,
		               (double)j->daemon->min_free_bytes / 1048576.0);
	return TP_OK;
}

void job_metric(job *j, const char *key, int64_t step, double value)
{
	if (isfinite(value) && j->metrics < j->metric_room)
		j->metric[j->metrics++] = (metric_row){key, step, value};
}

static void unlink_stale(job *j, char **stale, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		(void)unlinkat(j->state_dirfd, stale[i], 0);
		free(stale[i]);
	}
	free(stale);
}

tp_status job_save(job *j, size_t at, size_t step, bool checkpoint, tp_err *err)
{
	store_progress p = {.run = j->run,
	                    .stage = (int64_t)at,
	                    .step = (int64_t)step,
	                    .seconds = j->spent + monotonic_seconds() - j->since,
	                    .metric = j->metric,
	                    .metrics = j->metrics};
	checkpoint_row row = {.run = j->run, .resume = true};
	char dir[RUN_FILE_MAX], file[2 * RUN_FILE_MAX], sha[65], stamp[160];
	tp_status st = TP_OK;
	if (checkpoint) {
		st = job_check_space(j, err);
		run_checkpoint_dir(j->run, dir);
		(void)snprintf(file, sizeof file, "%s/resume-%zu-%zu.safetensors", dir, at, step);
		environment_stamp(j, stamp);
		if (st == TP_OK)
			st = train_state_save(&j->state, stamp, j->state_dirfd, file, err);
		if (st == TP_OK)
			st = sha256_file(j->state_dirfd, file, sha, err);
		if (st != TP_OK)
			return st;
		row.stage = (int64_t)at;
		row.round = j->setup.stages[at].round;
		row.step = job_global_step(j, at) + (int64_t)step;
		row.phase = (char *)phase_name(j->setup.stages[at].phase);
		row.file = file;
		row.bytes = job_file_bytes(j, file);
		row.sha256 = sha;
		p.checkpoint = &row;
	}
	char **stale = NULL;
	size_t stales = 0;
	st = store_run_progress(j->store, &p, &stale, &stales, err);
	if (st != TP_OK)
		return st;
	unlink_stale(j, stale, stales);
	j->metrics = 0;
	j->flushed = monotonic_seconds();
	if (checkpoint)
		j->saved = j->flushed;
	j->notify(j->notify_arg);
	return TP_OK;
}

/* ---- opening ---------------------------------------------------------------------------- */

static tp_status load_initial(job *j, tp_err *err)
{
	const job_setup *s = &j->setup;
	if (s->init_file == NULL)
		return TP_OK;
	st_file f;
	weights_info info;
	char sha[65];
	tp_status st = TP_OK;
	if (s->init_sha256[0] != 0)
		st = sha256_file(j->state_dirfd, s->init_file, sha, err);
	if (st == TP_OK && s->init_sha256[0] != 0 && strcmp(sha, s->init_sha256) != 0)
		st = tp_fail(err, TP_CORRUPT, 0, "%s: checksum differs", s->init_file);
	if (st == TP_OK)
		st = st_open(j->state_dirfd, s->init_file, &f, err);
	if (st != TP_OK)
		return st;
	st = weights_load(&f, &s->net, true, j->state.values, &info, err);
	st_close(&f);
	if (st != TP_OK)
		return st;
	char text[160];
	(void)snprintf(text, sizeof text,
	               "{\"loaded\":%zu,\"initialised\":%zu,\"unused\":%zu}", info.loaded, info.missing,
	               info.unused);
	job_event(j, "run.weights", text);
	return TP_OK;
}

/* Loads the newest checkpoint that is intact; TP_NOTFOUND when there is none. */
static tp_status load_checkpoint(job *j, tp_err *err)
{
	for (size_t skip = 0;; skip++) {
		checkpoint_row row;
		tp_status st = store_checkpoint_resume(j->store, j->run, skip, &row, err);
		if (st != TP_OK)
			return st;
		char sha[65], *stamp = NULL, now[160];
		tp_err why = {0};
		st = sha256_file(j->state_dirfd, row.file, sha, &why);
		if (st == TP_OK && strcmp(sha, row.sha256) != 0)
			st = tp_fail(&why, TP_CORRUPT, 0, "%s: checksum differs", row.file);
		if (st == TP_OK)
			st = train_state_load(&j->state, j->state_dirfd, row.file, &stamp, &why);
		checkpoint_row_done(&row);
		if (st == TP_NOMEM)
			return tp_fail(err, st, 0, "%s", why.text);
		if (st != TP_OK) {
			job_event(j, "run.alarm", "{\"alarm\":\"checkpoint_damaged\"}");
			continue;
		}
		environment_stamp(j, now);
		if (strcmp(stamp, now) != 0)
			job_event(j, "run.alarm", "{\"alarm\":\"environment_changed\"}");
		free(stamp);
		return TP_OK;
	}
}

/* A finished stage of this kind left rows, durable before the run's position passed it; others change the
 * state, which only a checkpoint holds. */
static bool leaves_rows_only(const stage *s)
{
	return s->phase == PHASE_SCORING || s->phase == PHASE_EVALUATION;
}

/* The first (stage, step) still to be done: behind the checkpoint, and behind finished stages that leave
 * rows only. */
static void find_position(job *j, const run_row *row, bool loaded)
{
	const job_setup *s = &j->setup;
	size_t at = loaded ? (size_t)j->state.stage : 0;
	if (loaded && j->state.step >= recipe_stage_steps(&s->config.recipe, &s->stages[at])) {
		at++;
		j->state.step = 0;
	}
	while (j->state.step == 0 && at < (size_t)row->stage && at < s->stage_count &&
	       leaves_rows_only(&s->stages[at]))
		at++;
	j->at = at;
	j->state.stage = at;
}

/* Removes training states that no row names: left by a crash between file and row, or rewound. */
static void remove_orphans(const job *j)
{
	enum { KEPT = 2 };
	char dir[RUN_FILE_MAX], file[2 * RUN_FILE_MAX];
	checkpoint_row row[KEPT];
	size_t rows = 0;
	while (rows < KEPT && store_checkpoint_resume(j->store, j->run, rows, &row[rows], NULL) == TP_OK)
		rows++;
	run_checkpoint_dir(j->run, dir);
	int fd = openat(j->state_dirfd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
		bool named = strncmp(e->d_name, "resume-", 7) != 0;
		(void)snprintf(file, sizeof file, "%s/%.180s", dir, e->d_name);
		for (size_t i = 0; i < rows; i++)
			named = named || strcmp(row[i].file, file) == 0;
		if (!named)
			(void)unlinkat(j->state_dirfd, file, 0);
	}
	if (d != NULL)
		(void)closedir(d);
	for (size_t i = 0; i < rows; i++)
		checkpoint_row_done(&row[i]);
}

static tp_status open_position(job *j, const run_row *row, tp_err *err)
{
	tp_err none = {0};
	tp_status st = load_checkpoint(j, &none);
	if (st != TP_OK && st != TP_NOTFOUND)
		return tp_fail(err, st, 0, "%s", none.text);
	bool loaded = st == TP_OK;
	if (!loaded) {
		st = load_initial(j, err);
		if (st != TP_OK)
			return st;
	}
	find_position(j, row, loaded);
	st = store_run_rewind(j->store, j->run, (int64_t)j->at,
	                      job_global_step(j, j->at) + (int64_t)j->state.step, err);
	if (st == TP_OK)
		remove_orphans(j);
	return st;
}

static tp_status open_parts(job *j, tp_err *err)
{
	run_row row;
	run_config c;
	json_error_t je;
	config_error bad[1];
	size_t bads = 0;
	tp_status st = store_run_get(j->store, j->run, &row, err);
	if (st != TP_OK)
		return st;
	json_t *json = json_loads(row.config, JSON_REJECT_DUPLICATES, &je);
	if (json == NULL)
		st = tp_fail(err, TP_CORRUPT, 0, "the stored configuration is no JSON: %s", je.text);
	if (st == TP_OK)
		st = run_config_parse(json, &c, bad, 1, &bads, err);
	json_decref(json);
	if (st == TP_OK)
		st = job_setup_create(j->store, j->state_dirfd, &c, &j->setup, bad, 1, &bads, err);
	if (st == TP_OK) {
		size_t threads = c.recipe.threads != 0 ? c.recipe.threads : j->daemon->threads;
		long cores = sysconf(_SC_NPROCESSORS_ONLN);
		if (threads == 0)
			threads = cores > 0 ? (size_t)cores : 1;
		st = pool_create(threads, &j->pool, err);
	}
	if (st == TP_OK)
		st = train_state_create(&j->setup.net, j->setup.has_disc ? &j->setup.disc : NULL,
		                        c.recipe.seed, &j->state, err);
	if (st == TP_OK)
		st = train_state_extend(&j->state, recipe_averages(&c.recipe),
		                        c.recipe.self.norm_strength > 0.0, err);
	if (st == TP_OK)
		st = open_position(j, &row, err);
	if (st == TP_OK)
		sweep_checkpoints(j->store, j->state_dirfd, j->run);
	j->spent = row.seconds;
	run_row_done(&row);
	return st;
}

static tp_status make_directories(const job *j, tp_err *err)
{
	char dir[RUN_FILE_MAX], path[CONFIG_PATH_MAX + RUN_FILE_MAX];
	run_checkpoint_dir(j->run, dir);
	(void)snprintf(path, sizeof path, "%s/%s", j->daemon->state_dir, dir);
	return file_mkdirs(path, err);
}

tp_status job_open(const job_deps *d, int64_t run, job **ret, tp_err *err)
{
	job *j = calloc(1, sizeof *j);
	if (j == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory for a run");
	j->store = d->store;
	j->state_dirfd = d->state_dirfd;
	j->daemon = d->daemon;
	j->progress = d->progress;
	j->profile = d->profile;
	j->notify = d->notify;
	j->notify_arg = d->notify_arg;
	j->stop = d->stop;
	j->run = run;
	j->metric_room = METRIC_ROOM;
	j->metric = calloc(j->metric_room, sizeof *j->metric);
	tp_status st = j->metric == NULL ? tp_fail(err, TP_NOMEM, 0, "out of memory for metrics")
	                                 : make_directories(j, err);
	if (st == TP_OK)
		st = open_parts(j, err);
	if (st != TP_OK) {
		job_close(j);
		return st;
	}
	j->since = j->flushed = j->saved = monotonic_seconds();
	*ret = j;
	return TP_OK;
}

void job_close(job *j)
{
	if (j == NULL)
		return;
	pool_free(j->pool);
	train_state_done(&j->state);
	job_setup_done(&j->setup);
	free(j->metric);
	free(j);
}

/* ---- running ---------------------------------------------------------------------------- */

static tp_status run_stage(job *j, tp_err *err)
{
	const stage *s = job_stage(j);
	char where[96];
	tp_err why = {0};
	tp_status st = s->phase == PHASE_SCORING          ? stage_score(j, &why)
	               : s->phase == PHASE_EVALUATION     ? stage_evaluate(j, &why)
	               : s->phase == PHASE_NORM_ALIGNMENT ? stage_align(j, &why)
	                                                  : stage_train(j, &why);
	if (st == TP_OK || st == TP_CANCELLED)
		return st;
	int n = snprintf(where, sizeof where, "%s", phase_name(s->phase));
	if (s->round != ROUND_SOURCE)
		n += snprintf(where + n, sizeof where - (size_t)n, ", round %d", s->round);
	if (recipe_stage_steps(&j->setup.config.recipe, s) > 0)
		(void)snprintf(where + n, sizeof where - (size_t)n, ", step %" PRIu64, j->state.step);
	return tp_fail(err, st, 0, "%s: %s", where, why.text);
}

tp_status job_run(job *j, tp_err *err)
{
	const job_setup *s = &j->setup;
	progress_begin(j->progress, j->run, s->cost, s->stage_count, recipe_rounds(&s->config.recipe));
	tp_status st = TP_OK;
	while (j->at < s->stage_count && st == TP_OK) {
		progress_stage(j->progress, j->at, j->state.step);
		st = job_check_space(j, err);
		if (st == TP_OK)
			st = run_stage(j, err);
		if (st != TP_OK || j->end[0] != 0)
			break;
		j->at++;
		j->state.stage = j->at;
		j->state.step = 0;
		st = job_save(j, j->at, 0, false, err);
	}
	progress_end(j->progress);
	profile_end(j->profile);
	return st;
}
