/* store: everything the daemon keeps in SQLite, one C file per table. Rows go in and out as plain
 * structs; no SQL outside daemon/store, no HTTP or training knowledge inside.
 *
 * Connections: one writer (serialised by a mutex; it alone commits and checkpoints the WAL) and one
 * reader (mutex too). All functions may be called from any thread. `json` columns hold texts the
 * callers made; they are stored and returned as they are.
 * Durability: WAL, synchronous=FULL. A function that writes several rows does so in one transaction.
 * Lists of something unknown are empty; single rows and writes give TP_NOTFOUND. created_ms 0 means
 * now. NULL texts are stored as "".
 * Errors: TP_NOTFOUND (no such row), TP_EXISTS (unique name taken), TP_CONFLICT (row in use / wrong
 * state), TP_NOSPACE (disk full: nothing was written), TP_NONFINITE (a number is NaN: nothing was
 * written), TP_CORRUPT, TP_IO.
 * Strings in returned structs are malloc'ed; the matching _done frees. Lists too. */
#ifndef TPLDD_STORE_H
#define TPLDD_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct store store;

/* Opens DIR/tpldd.db, applying migrations/NNNN_name.sql of `migrations_dir` that are newer than
 * user_version, one transaction each. Refuses a database newer than the program and a migration whose
 * stored digest differs, saying which. */
tp_status store_open(const char *state_dir, const char *migrations_dir, store **ret,
                     tp_err *err) TP_MUST_CHECK;
/* Checkpoints the WAL and closes. NULL is fine. */
void store_close(store *s);
/* For /readyz: one trivial write transaction. */
tp_status store_ping(store *s, tp_err *err) TP_MUST_CHECK;

/* ---- data sets -------------------------------------------------------------------------- */
typedef struct dataset_row {
	int64_t id;
	char *name, *layout, *root, *split, *include; /* split, include: "" when absent */
	char *classes;  /* JSON [{"id","name","color":[r,g,b]}] */
	char *class_set; /* built-in name or "custom" */
	char *class_map; /* JSON object value -> train id, or "" */
	int64_t images, labelled;
	int64_t created_ms; /* wall clock, a label only */
} dataset_row;
typedef struct dataset_image_row {
	int64_t index; /* 0-based position in name order: the image's id everywhere in the API */
	char *name, *image, *label; /* label "" when absent */
	int64_t width, height;
} dataset_image_row;

/* Images must come in the byte order of their names, index 0, 1, ...: else TP_INVALID. */
tp_status store_dataset_add(store *s, const dataset_row *d, const dataset_image_row *image,
                            size_t images, int64_t *ret_id, tp_err *err) TP_MUST_CHECK;
tp_status store_dataset_get(store *s, int64_t id, dataset_row *ret, tp_err *err) TP_MUST_CHECK;
/* By name, or by the decimal id. */
tp_status store_dataset_find(store *s, const char *name, dataset_row *ret, tp_err *err) TP_MUST_CHECK;
/* Rows with id > after, ascending, at most limit. */
tp_status store_dataset_list(store *s, int64_t after, size_t limit, dataset_row **ret, size_t *ret_n,
                             tp_err *err) TP_MUST_CHECK;
/* TP_CONFLICT while a run or an experiment names it. */
tp_status store_dataset_delete(store *s, int64_t id, tp_err *err) TP_MUST_CHECK;
tp_status store_dataset_images(store *s, int64_t id, dataset_image_row **ret, size_t *ret_n,
                               tp_err *err) TP_MUST_CHECK;
tp_status store_dataset_image(store *s, int64_t id, int64_t index, dataset_image_row *ret,
                              tp_err *err) TP_MUST_CHECK;
void dataset_row_done(dataset_row *r);
void dataset_image_row_done(dataset_image_row *r);

/* How many pixels of each class the labels show: pixels[images][classes], images numbered as the caller
 * numbers the labelled ones. TP_NOTFOUND: never counted. The same numbers may be put again. */
tp_status store_census_get(store *s, int64_t dataset, size_t images, size_t classes,
                           uint64_t *ret_pixels, tp_err *err) TP_MUST_CHECK;
tp_status store_census_put(store *s, int64_t dataset, size_t images, size_t classes,
                           const uint64_t *pixels, tp_err *err) TP_MUST_CHECK;

/* ---- weights ---------------------------------------------------------------------------- */
typedef struct weights_row {
	int64_t id;
	char *name, *arch, *sha256, *file; /* file: relative to the state directory */
	char *spec; /* JSON {"output_stride","aspp_dilations","classes" or null} */
	bool whole; /* head included: can infer */
	int64_t tensors, bytes, created_ms;
} weights_row;
tp_status store_weights_add(store *s, const weights_row *w, int64_t *ret_id, tp_err *err) TP_MUST_CHECK;
tp_status store_weights_get(store *s, int64_t id, weights_row *ret, tp_err *err) TP_MUST_CHECK;
tp_status store_weights_find(store *s, const char *name, weights_row *ret, tp_err *err) TP_MUST_CHECK;
tp_status store_weights_list(store *s, int64_t after, size_t limit, weights_row **ret, size_t *ret_n,
                             tp_err *err) TP_MUST_CHECK;
void weights_row_done(weights_row *r);

/* ---- runs ------------------------------------------------------------------------------- */
#define RUN_STATE_MAP(X)                                                                           \
	X(QUEUED, "queued")                                                                        \
	X(STARTING, "starting")                                                                    \
	X(RUNNING, "running")                                                                      \
	X(PAUSING, "pausing")                                                                      \
	X(PAUSED, "paused")                                                                        \
	X(CANCELLING, "cancelling")                                                                \
	X(COMPLETING, "completing")                                                                \
	X(COMPLETED, "completed")                                                                  \
	X(FAILED, "failed")                                                                        \
	X(CANCELLED, "cancelled")                                                                  \
	X(INTERRUPTED, "interrupted")
typedef enum run_state {
#define X(id, text) RUN_##id,
	RUN_STATE_MAP(X)
#undef X
	RUN_STATES,
} run_state;
const char *run_state_name(run_state s);
bool run_state_parse(const char *name, run_state *ret);
bool run_state_final(run_state s); /* completed, failed, cancelled; of these only a failed run may be queued again */

typedef struct run_row {
	int64_t id;
	char *name, *config; /* config: effective run configuration, JSON */
	int64_t source, target, eval; /* data set ids; eval 0: none */
	int64_t init;                 /* weights id, 0: none */
	int64_t init_checkpoint;      /* public checkpoint of another run, 0: none */
	int64_t experiment, part;     /* the part of an experiment that it computes; 0: none */
	run_state state;
	char *error;                  /* "" unless failed, or why it paused by itself */
	/* Where the durable state stands: last published position. */
	int64_t stage, step;          /* stage index, step inside it */
	int64_t created_ms, updated_ms;
	double seconds;               /* training time spent so far, monotonic */
	double miou_source, miou_current, miou_best; /* -1: not evaluated yet */
	int64_t memory_bytes, disk_bytes; /* predicted when it was added; 0: not known */
} run_row;
typedef struct run_history_row {
	int64_t time_ms;
	run_state from, to; /* from == to for the creation */
	char *reason;
} run_history_row;

/* TP_CONFLICT: the checkpoint it starts from has gone, or its experiment has ended meanwhile. TP_EXISTS:
 * the part of the experiment has a run already. */
tp_status store_run_add(store *s, const run_row *r, int64_t *ret_id, tp_err *err) TP_MUST_CHECK;
tp_status store_run_get(store *s, int64_t id, run_row *ret, tp_err *err) TP_MUST_CHECK;
/* Newest first: id < before (0: no bound); state_filter -1: all. */
tp_status store_run_list(store *s, int64_t before, int state_filter, size_t limit, run_row **ret,
                         size_t *ret_n, tp_err *err) TP_MUST_CHECK;
/* Ids in a state, oldest first. */
tp_status store_run_ids(store *s, run_state state, int64_t **ret, size_t *ret_n, tp_err *err) TP_MUST_CHECK;
/* State, reason, history row and a run.state event in one transaction. `error` NULL keeps it.
 * TP_CONFLICT when the run is in a final state: it never leaves one. */
tp_status store_run_set_state(store *s, int64_t id, run_state to, const char *reason,
                              const char *error, tp_err *err) TP_MUST_CHECK;
tp_status store_run_history(store *s, int64_t id, run_history_row **ret, size_t *ret_n,
                            tp_err *err) TP_MUST_CHECK;
/* Removes the run and all its rows. TP_CONFLICT unless it is in a final state, and while an unfinished
 * run or experiment needs it, which is named. Files are the caller's. */
tp_status store_run_delete(store *s, int64_t id, tp_err *err) TP_MUST_CHECK;
void run_row_done(run_row *r);
void run_history_row_done(run_history_row *r);

/* ---- what a run produces ---------------------------------------------------------------- */
typedef struct metric_row {
	const char *key;
	int64_t step; /* global step of the run */
	double value; /* finite */
} metric_row;

typedef struct checkpoint_row {
	int64_t id, run, round, stage, step; /* round -1: source model; step: global */
	char *phase, *file, *sha256; /* file relative to the state directory */
	int64_t bytes, created_ms;
	bool resume; /* training state to continue from; else public weights of a finished phase */
} checkpoint_row;

/* What a training phase makes durable at once: the resume checkpoint's row (its file is already
 * durable), the metrics since the last one, the position and time spent. Deletes rows of older resume
 * checkpoints but the newest two; *ret_stale lists their files for the caller to unlink (and to free,
 * each and the list). A row for a file that had one already replaces it. */
typedef struct store_progress {
	int64_t run, stage, step; /* step inside the stage */
	double seconds;
	const checkpoint_row *checkpoint; /* NULL: only the position (a stage without training) */
	const metric_row *metric;
	size_t metrics;
} store_progress;
tp_status store_run_progress(store *s, const store_progress *p, char ***ret_stale, size_t *ret_n,
                             tp_err *err) TP_MUST_CHECK;
/* Newest resume checkpoint, or TP_NOTFOUND. `skip` newest ones are passed over (damaged files). */
tp_status store_checkpoint_resume(store *s, int64_t run, size_t skip, checkpoint_row *ret,
                                  tp_err *err) TP_MUST_CHECK;
/* Before continuing from (stage, global step): deletes metrics with step > global_step, and rounds,
 * their image scores and audits, evaluations, public checkpoints of stages >= stage, and resume checkpoints and
 * profiles beyond; sets the position there and miou_* from what remains. What the run writes then makes its rows equal
 * to those of a run that was never interrupted. */
tp_status store_run_rewind(store *s, int64_t run, int64_t stage, int64_t global_step,
                           tp_err *err) TP_MUST_CHECK;
/* Public checkpoint of a finished phase. */
tp_status store_checkpoint_add(store *s, const checkpoint_row *c, int64_t *ret_id, tp_err *err) TP_MUST_CHECK;
/* Public ones only. */
tp_status store_checkpoint_get(store *s, int64_t id, checkpoint_row *ret, tp_err *err) TP_MUST_CHECK;
/* Public ones of a run (resume ones are internal), ascending, id > after. */
tp_status store_checkpoint_list(store *s, int64_t run, int64_t after, size_t limit,
                                checkpoint_row **ret, size_t *ret_n, tp_err *err) TP_MUST_CHECK;
void checkpoint_row_done(checkpoint_row *r);

typedef struct round_row {
	int64_t run, stage, round;
	char *phase;      /* the training phase that follows: phase1_training or phase2_training */
	double portion;
	char *thresholds; /* JSON [lambda] */
	double confident, voted, soft, ignored; /* shares of target pixels, sum 1 */
	int64_t easy, hard;
	double pseudo_accuracy; /* -1: no target labels to judge with */
	char *class_stats; /* JSON: per class share predicted etc. */
} round_row;
typedef struct image_row {
	int64_t round, index; /* image id = index in the target data set */
	char *name;           /* filled by the queries, ignored when adding */
	double confidence, entropy;
	bool easy;
	int64_t rank;
	double confident, voted, soft, ignored; /* shares of the image's pixels */
	char *class_confidence; /* JSON [number or null] */
} image_row;

/* What can be said of a round's predictions and labels (adapt/audit.h); -1 where nothing can be. */
enum { ROUND_ORIGINS = 3 }; /* confident, voted, soft */
typedef struct round_label_row {
	int64_t pixels, truth, right; /* labelled; of those, with a truth; of those, equal to it */
} round_label_row;
typedef struct round_class_row {
	double share, share_first, share_previous; /* of the predicted pixels: now, in round 0, before */
	double entropy, agreement;                 /* entropy 0 when the class is not predicted */
	int64_t predicted;                         /* pixels, in the images whose labels are counted */
	round_label_row label[ROUND_ORIGINS];
	double threshold_accuracy;
} round_class_row;
typedef struct round_alarm_row {
	char *kind, *text; /* text: for people */
	int64_t class_id;  /* -1: the round as a whole */
	double value, limit;
} round_alarm_row;
typedef struct round_audit_row {
	int64_t round;
	double entropy, flip_agreement, agreement, label_agreement, threshold_accuracy;
	int64_t truth_pixels;
	round_class_row *class; /* [classes], by train id */
	size_t classes;
	round_alarm_row *alarm;
	size_t alarms;
} round_audit_row;

/* A finished scoring: the round, all its images and its audit (NULL: none) in one transaction. */
tp_status store_round_add(store *s, const round_row *r, const image_row *image, size_t images,
                          const round_audit_row *audit, tp_err *err) TP_MUST_CHECK;
/* Audits of a run by round; rounds that an older program scored have none. */
tp_status store_round_audits(store *s, int64_t run, round_audit_row **ret, size_t *ret_n,
                             tp_err *err) TP_MUST_CHECK;
void round_audit_row_done(round_audit_row *r);
tp_status store_round_list(store *s, int64_t run, round_row **ret, size_t *ret_n, tp_err *err) TP_MUST_CHECK;
void round_row_done(round_row *r);

typedef enum image_sort { IMAGE_SORT_CONFIDENCE, IMAGE_SORT_CONFIDENCE_DESC, IMAGE_SORT_NAME } image_sort;
typedef struct image_query {
	int64_t run, round;  /* round -1: the newest scored one */
	int split;           /* -1 all, 0 hard, 1 easy */
	image_sort sort;
	int class_id;        /* -1, or only images in which the class was predicted */
	size_t limit;
	bool has_after;      /* keyset cursor: after this (sort key, index) */
	double after_confidence;
	char after_name[512]; /* informative: the index is the position in name order */
	int64_t after_index;
} image_query;
/* *ret_total counts all matches, *ret_round is the round that was meant: -1, with nothing found,
 * when none has been scored yet. Equal confidences come by index in both directions. TP_NOTFOUND: no
 * such run, or the round that is named has not been scored. */
tp_status store_image_query(store *s, const image_query *q, image_row **ret, size_t *ret_n,
                            int64_t *ret_total, int64_t *ret_round, tp_err *err) TP_MUST_CHECK;
/* One image over the rounds, ascending; TP_NOTFOUND when the target has no such image. */
tp_status store_image_history(store *s, int64_t run, int64_t index, image_row **ret, size_t *ret_n,
                              tp_err *err) TP_MUST_CHECK;
void image_row_done(image_row *r);

typedef struct evaluation_row {
	int64_t run, stage, round, step; /* round -1: source model; step: global */
	char *phase;  /* the training phase it judges: source_training, phase1_training, ... */
	double miou;  /* -1: no labelled class */
	char *iou, *confusion; /* JSON [number or null], [[count]] */
} evaluation_row;
/* Also updates the run's miou_source, miou_current, miou_best. */
tp_status store_evaluation_add(store *s, const evaluation_row *e, tp_err *err) TP_MUST_CHECK;
tp_status store_evaluation_list(store *s, int64_t run, evaluation_row **ret, size_t *ret_n,
                                tp_err *err) TP_MUST_CHECK;
/* round < -1: the newest. */
tp_status store_evaluation_get(store *s, int64_t run, int64_t round, evaluation_row *ret,
                               tp_err *err) TP_MUST_CHECK;
void evaluation_row_done(evaluation_row *r);

/* Where the time of a training stage's steps went: wall-clock, the mean of the measured steps. */
typedef struct profile_row {
	int64_t run, stage, round; /* round -1: the source model */
	char *phase;
	int64_t steps;          /* measured, all in one go */
	int64_t crop_h, crop_w, threads;
	char *kernels;
	double sgemm_gflops;    /* rate of matrix products on all threads; 0: not known */
	double seconds;         /* of a step */
	char *layers, *outside; /* JSON as the API gives it */
} profile_row;
/* Keeps a measurement unless the stage has one of more steps: a stage that is paused near its end does
 * not lose what was known before. */
tp_status store_profile_put(store *s, const profile_row *r, tp_err *err) TP_MUST_CHECK;
/* round < -1: of the newest stage. */
tp_status store_profile_get(store *s, int64_t run, int64_t round, profile_row *ret,
                            tp_err *err) TP_MUST_CHECK;
void profile_row_done(profile_row *r);

typedef struct metric_point {
	int64_t step;
	double value;
} metric_point;
typedef struct metric_series {
	char *key;
	metric_point *point;
	size_t points;
} metric_series;
/* keys: comma-separated or NULL for all (64 at most). At most max_points (2 or more) per key, thinned
 * so that each bucket keeps its smallest and largest value. A key without rows: an empty series. */
tp_status store_metrics(store *s, int64_t run, const char *keys, int64_t from_step,
                        size_t max_points, metric_series **ret, size_t *ret_n, tp_err *err) TP_MUST_CHECK;
void metric_series_done(metric_series *r);

/* ---- experiments ------------------------------------------------------------------------ */
#define EXPERIMENT_STATE_MAP(X)                                                                    \
	X(RUNNING, "running")                                                                      \
	X(COMPLETED, "completed")                                                                  \
	X(FAILED, "failed")                                                                        \
	X(CANCELLED, "cancelled")
typedef enum experiment_state {
#define X(id, text) EXPERIMENT_##id,
	EXPERIMENT_STATE_MAP(X)
#undef X
	EXPERIMENT_STATES,
} experiment_state;
const char *experiment_state_name(experiment_state s);

#define PART_STATE_MAP(X)                                                                          \
	X(WAITING, "waiting") /* for its origin, or for its run to end */                          \
	X(COMPLETED, "completed")                                                                  \
	X(FAILED, "failed")                                                                        \
	X(CANCELLED, "cancelled")
typedef enum part_state {
#define X(id, text) PART_##id,
	PART_STATE_MAP(X)
#undef X
	PART_STATES,
} part_state;
const char *part_state_name(part_state s);

typedef struct experiment_row {
	int64_t id;
	char *name, *definition; /* definition: JSON as it was given */
	experiment_state state;
	char *error; /* "" unless failed */
	int64_t created_ms, updated_ms;
} experiment_row;

/* A source training that cells share, or a cell of the grid. */
typedef struct part_row {
	int64_t index;
	int64_t variant; /* -1: a source training */
	int64_t seed;
	int64_t origin;  /* index of the part whose source model it starts from; -1: none */
	char *config;    /* of its run, JSON; "": it is its origin's run */
	int64_t source, target, eval; /* data set ids; eval 0: none */
	int64_t init_checkpoint;      /* that its configuration names, 0: none */
	int64_t cost;                 /* of all its run computes, in pixels through one forward pass */
	part_state state;
	char *error;
	/* Of its run, ignored when adding; run 0: there is none. */
	int64_t run;
	run_state run_state;
	char *run_error;
	double seconds, miou_source, miou_current, miou_best; /* these and iou also of a run that was deleted */
	char *iou;          /* of the last evaluation, JSON; "": none */
	int64_t checkpoint; /* of the source model, 0: none */
} part_row;

/* The experiment in state running with all its parts in state waiting; parts have indices 0, 1, ... */
tp_status store_experiment_add(store *s, const experiment_row *e, const part_row *part, size_t parts,
                               int64_t *ret_id, tp_err *err) TP_MUST_CHECK;
tp_status store_experiment_get(store *s, int64_t id, experiment_row *ret, tp_err *err) TP_MUST_CHECK;
/* Newest first: id < before (0: no bound). */
tp_status store_experiment_list(store *s, int64_t before, size_t limit, experiment_row **ret,
                                size_t *ret_n, tp_err *err) TP_MUST_CHECK;
/* Those that are running or have parts that wait, oldest first. */
tp_status store_experiment_open_ids(store *s, int64_t **ret, size_t *ret_n, tp_err *err) TP_MUST_CHECK;
/* All parts in the order of their indices. */
tp_status store_experiment_parts(store *s, int64_t id, part_row **ret, size_t *ret_n,
                                 tp_err *err) TP_MUST_CHECK;
/* A waiting part gets its final state; one that has it keeps it. With an experiment.state event. */
tp_status store_experiment_settle(store *s, int64_t id, int64_t part, part_state to,
                                  const char *error, tp_err *err) TP_MUST_CHECK;
/* From running to a final state, with an experiment.state event. TP_CONFLICT when it is in another
 * final state already; the same is accepted without effect. Cancelling settles the parts that have no
 * run; those that have one wait until it has ended. */
tp_status store_experiment_end(store *s, int64_t id, experiment_state to, const char *error,
                               tp_err *err) TP_MUST_CHECK;
/* TP_CONFLICT while it is running or a run of it has not ended. with_runs: their rows go too, unless a
 * run outside needs one; *ret_runs are their ids (to free), for the caller to remove the files. */
tp_status store_experiment_delete(store *s, int64_t id, bool with_runs, int64_t **ret_runs,
                                  size_t *ret_n, tp_err *err) TP_MUST_CHECK;
void experiment_row_done(experiment_row *r);
void part_row_done(part_row *r);

/* ---- events (server-sent, replayable) ---------------------------------------------------- */
typedef struct event_row {
	int64_t id, run; /* run 0: the server */
	int64_t time_ms;
	char *type, *data; /* "run.state", JSON */
} event_row;
tp_status store_event_add(store *s, int64_t run, const char *type, const char *data, int64_t *ret_id,
                          tp_err *err) TP_MUST_CHECK;
/* id > after, ascending; run 0: all runs. */
tp_status store_event_list(store *s, int64_t after, int64_t run, size_t limit, event_row **ret,
                           size_t *ret_n, tp_err *err) TP_MUST_CHECK;
tp_status store_event_last(store *s, int64_t *ret_id, tp_err *err) TP_MUST_CHECK;
void event_row_done(event_row *r);

/* Frees a list: rows_done(rows, n, sizeof *rows, (void (*)(void *))x_row_done). */
void rows_done(void *rows, size_t n, size_t size, void (*done)(void *));

#endif
