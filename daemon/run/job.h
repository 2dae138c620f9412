/* job: one run on its way through its stages, as the trainer thread holds it: what was configured,
 * where its data lie, the network, the training state, the position. Created when a run starts or
 * resumes, freed (with all its memory) when it pauses or ends. Trainer thread only, but for planning. */
#ifndef TPLDD_JOB_H
#define TPLDD_JOB_H

#include <stdatomic.h>

#include "data/classes.h"
#include "run/net_meta.h"
#include "run/profile.h"
#include "run/progress.h"
#include "train/state.h"

/* The images of one data set that a run uses. */
typedef struct job_images {
	int64_t dataset;
	size_t count;
	dataset_image_row *row; /* owned; row[i].label "" when absent */
	class_set classes;
	label_map map;
} job_images;

/* What a configuration comes to, before anything is computed: shared by planning and running. */
typedef struct job_setup {
	run_config config;
	job_images source, target, eval; /* source and eval: labelled images only; eval.count may be 0 */
	int64_t init;                    /* weights id, 0: none */
	int64_t init_checkpoint;         /* another run's, 0: none */
	char *init_file;                 /* relative to the state directory, or NULL */
	char init_sha256[65];            /* of that file, when it is a checkpoint; else "" */
	net_spec spec;
	input_norm norm;
	graph net, disc;
	bool has_disc;
	stage *stages;
	stage_cost *cost;
	size_t stage_count;
} job_setup;

enum { JOB_STEPS_AHEAD = 4 }; /* of samples, decoded while a step is computed */

/* Units of a stage as progress counts them: steps; images; two per scored image (logits, labels). */
size_t stage_units(const recipe *r, const stage *s, size_t targets, size_t evals);

/* Resolves names, checks that all fits together; errors carry JSON pointers. */
tp_status job_setup_create(store *st, int state_dirfd, const run_config *c, job_setup *ret,
                           config_error *errors, size_t max, size_t *ret_errors,
                           tp_err *err) TP_MUST_CHECK;
void job_setup_done(job_setup *s);
/* Predicted peak of memory, and of disk for all rounds and checkpoints. */
tp_status job_setup_needs(const job_setup *s, size_t threads, uint64_t *ret_memory,
                          uint64_t *ret_disk, tp_err *err) TP_MUST_CHECK;

/* Predicted time. Measures the network on this machine's cores for some tenths of a second to some seconds,
 * so it says too much while something else computes. TP_NOMEM, also when it would take more than half of the
 * memory that is available: what trains meanwhile must not be killed for it. Any thread. */
tp_status job_setup_time(const job_setup *s, size_t threads, run_time *ret, tp_err *err) TP_MUST_CHECK;

typedef struct job {
	job_setup setup;
	store *store;
	int state_dirfd;
	const daemon_config *daemon;
	progress *progress;
	profile *profile;
	scheduler_notify *notify;
	void *notify_arg;
	const atomic_int *stop;
	int64_t run;
	pool *pool;
	train_state state;
	size_t at;          /* stage */
	char end[160];      /* why the run ends with stage `at`, though others follow; "": it does not */
	double sgemm_gflops; /* profile_sgemm_gflops, 0 before it was measured */
	double spent, since; /* training seconds: before this start; monotonic time it began */
	/* Metrics not yet in the database. */
	metric_row *metric;
	size_t metrics, metric_room;
	double flushed, saved; /* monotonic times of the last flush and the last checkpoint */
} job;

typedef struct job_deps {
	store *store;
	int state_dirfd;
	const daemon_config *daemon;
	progress *progress;
	profile *profile;
	scheduler_notify *notify;
	void *notify_arg;
	const atomic_int *stop;
} job_deps;

/* Loads a run: fresh, or from its newest intact checkpoint, rewinding the rows behind it. */
tp_status job_open(const job_deps *deps, int64_t run, job **ret, tp_err *err) TP_MUST_CHECK;
void job_close(job *j); /* NULL is fine */
/* Runs stages until the last is done or one has set `end` (TP_OK; the position stays at that one), *stop is
 * set (TP_CANCELLED, everything saved), or something fails (the text starts with phase, round and step). */
tp_status job_run(job *j, tp_err *err) TP_MUST_CHECK;

/* ---- for the stages --------------------------------------------------------------------- */
/* Training steps of all stages before `at`. */
int64_t job_global_step(const job *j, size_t at);
const stage *job_stage(const job *j);
bool job_stopped(const job *j);
/* Keeps a metric for the next flush; non-finite values are dropped. */
void job_metric(job *j, const char *key, int64_t step, double value);
/* Writes metrics and position; with `checkpoint` also the training state, durably first. */
tp_status job_save(job *j, size_t at, size_t step, bool checkpoint, tp_err *err) TP_MUST_CHECK;
/* Size of a file of the state directory, 0 when it cannot be told. */
int64_t job_file_bytes(const job *j, const char *file);
/* TP_NOSPACE when less than the configured minimum is free. */
tp_status job_check_space(const job *j, tp_err *err) TP_MUST_CHECK;
/* Adds an event and wakes the listeners; a failure to do so is not the run's. */
void job_event(job *j, const char *type, const char *data);

/* Each runs stage j->at to its end. */
tp_status stage_train(job *j, tp_err *err) TP_MUST_CHECK;
tp_status stage_align(job *j, tp_err *err) TP_MUST_CHECK;
tp_status stage_score(job *j, tp_err *err) TP_MUST_CHECK;
tp_status stage_evaluate(job *j, tp_err *err) TP_MUST_CHECK;

#endif
