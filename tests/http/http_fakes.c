/* http_fakes: scheduler and inference without any training, for the tests of the HTTP layer. The
 * fake scheduler applies the real table of transitions; a submitted run named "live" runs at once
 * and shows progress that grows with time. Fake inference answers a few bytes; a body that begins
 * with "SLOW" takes half a second, one that begins with "BAD" is refused. Round 1 has features of four
 * images, round 0 no checkpoint. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "run/feature_map.h"
#include "run/infer.h"
#include "run/scheduler.h"
#include "run/transitions.h"

#include "http_fakes.h"

struct scheduler {
	store *store;
};

static double now_seconds(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

scheduler *fake_scheduler(store *s)
{
	scheduler *f = calloc(1, sizeof *f);
	if (f != NULL)
		f->store = s;
	return f;
}

tp_status scheduler_time(scheduler *s, const run_config *c, run_time *ret, config_error *errors,
                         size_t max, size_t *ret_errors, tp_err *err)
{
	(void)s;
	(void)c;
	(void)errors;
	(void)max;
	(void)err;
	*ret_errors = 0;
	*ret = (run_time){.seconds = 90, .phase = {[PHASE_SOURCE_TRAINING] = 60, [PHASE_SCORING] = 30}};
	return TP_OK;
}

tp_status scheduler_plan(scheduler *s, const run_config *c, run_plan *ret, config_error *errors,
                         size_t max, size_t *ret_errors, tp_err *err)
{
	dataset_row d;
	*ret_errors = 0;
	int64_t id[2];
	const char *const name[2] = {c->source, c->target};
	for (int i = 0; i < 2; i++) {
		tp_status st = store_dataset_find(s->store, name[i], &d, NULL);
		if (st == TP_NOTFOUND && *ret_errors < max) {
			config_error *e = &errors[(*ret_errors)++];
			(void)snprintf(e->pointer, sizeof e->pointer,
			               i == 0 ? "/source" : "/target");
			(void)snprintf(e->detail, sizeof e->detail, "there is no data set '%.100s'",
			               name[i]);
			continue;
		}
		if (st != TP_OK)
			return tp_fail(err, st, 0, "looking for a data set");
		id[i] = d.id;
		dataset_row_done(&d);
	}
	if (*ret_errors > 0)
		return tp_fail(err, TP_INVALID, 0, "%s: %s", errors[0].pointer, errors[0].detail);
	const recipe *r = &c->recipe;
	*ret = (run_plan){.source = id[0],
	                  .target = id[1],
	                  .memory_bytes = 1 << 20,
	                  .disk_bytes = 1 << 21,
	                  .steps_total = 42,
	                  .cost = {[PHASE_SOURCE_TRAINING] = (double)r->source_training.steps,
	                           [PHASE_ENTROPY_TRAINING] = (double)r->entropy.steps,
	                           [PHASE_PHASE1_TRAINING] = (double)(recipe_rounds(r) * r->self.steps_per_round)}};
	return TP_OK;
}

tp_status scheduler_submit_part(scheduler *s, const run_config *c, int64_t experiment, int64_t part,
                                int64_t *ret_id, config_error *errors, size_t max, size_t *ret_errors,
                                tp_err *err)
{
	run_plan p;
	tp_status st = scheduler_plan(s, c, &p, errors, max, ret_errors, err);
	if (st != TP_OK)
		return st;
	json_t *config = run_config_json(c);
	char *text = json_dumps(config, 0);
	run_row r = {.name = (char *)(uintptr_t)c->name,
	             .config = text,
	             .source = p.source,
	             .target = p.target,
	             .experiment = experiment,
	             .part = part,
	             .state = RUN_QUEUED,
	             .error = (char *)(uintptr_t) "",
	             .miou_source = -1,
	             .miou_current = -1,
	             .miou_best = -1,
	             .memory_bytes = (int64_t)p.memory_bytes,
	             .disk_bytes = (int64_t)p.disk_bytes};
	st = store_run_add(s->store, &r, ret_id, err);
	if (st == TP_OK && strcmp(c->name, "live") == 0)
		st = store_run_set_state(s->store, *ret_id, RUN_RUNNING, "test", NULL, err);
	free(text);
	json_decref(config);
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
	run_row r;
	tp_status st = store_run_get(s->store, run, &r, err);
	if (st != TP_OK)
		return st;
	int to = run_next_state(r.state, event[a]);
	if (to == NO_TRANSITION)
		st = tp_fail(err, TP_CONFLICT, 0, "the run is %s", run_state_name(r.state));
	else if (to != (int)r.state)
		st = store_run_set_state(s->store, run, (run_state)to, "asked for", NULL, err);
	run_row_done(&r);
	return st;
}

tp_status scheduler_delete(scheduler *s, int64_t run, tp_err *err)
{
	return store_run_delete(s->store, run, err);
}

tp_status scheduler_progress(scheduler *s, const run_row *row, run_progress *ret, tp_err *err)
{
	(void)s;
	(void)err;
	bool live = row->state == RUN_RUNNING;
	int64_t step = live ? (int64_t)(now_seconds() * 10.0) % 100 : 0;
	*ret = (run_progress){.live = live,
	                      .phase = "source_training",
	                      .round = -1,
	                      .rounds_total = 2,
	                      .step = step,
	                      .steps_total = 100,
	                      .progress = (double)step / 200.0,
	                      .eta_seconds = live ? 12.5 : -1.0,
	                      .loss = live ? 0.75 : NAN,
	                      .seconds_per_step = live ? 0.1 : -1.0,
	                      .heartbeat_age_seconds = live ? 0.05 : -1.0};
	return TP_OK;
}

tp_status scheduler_profile(scheduler *s, int64_t run, int64_t round, profile_row *ret, tp_err *err)
{
	tp_err none = {0};
	tp_status st = store_profile_get(s->store, run, round, ret, &none);
	if (st == TP_NOTFOUND && round < -1) {
		*ret = (profile_row){.run = run, .round = -1};
		return TP_OK;
	}
	return st == TP_OK ? st : tp_fail(err, st, 0, "%s", none.text);
}

bool scheduler_healthy(scheduler *s)
{
	return s != NULL;
}

static tp_status answer(const void *image, size_t size, infer_format format, void **ret,
                        size_t *ret_size, tp_err *err)
{
	if (size >= 4 && memcmp(image, "SLOW", 4) == 0)
		(void)usleep(500 * 1000);
	if (size >= 3 && memcmp(image, "BAD", 3) == 0)
		return tp_fail(err, TP_INVALID, 0, "the image is neither PNG nor JPEG");
	const char *text = format == INFER_NPY ? "\x93NUMPY" : "\x89PNG\r\n";
	*ret = strdup(text);
	*ret_size = strlen(text);
	return *ret != NULL ? TP_OK : tp_fail(err, TP_NOMEM, 0, "out of memory");
}

tp_status infer_checkpoint(store *s, int state_dirfd, int64_t checkpoint, const void *image,
                           size_t size, infer_format format, void **ret, size_t *ret_size,
                           tp_err *err)
{
	(void)state_dirfd;
	checkpoint_row c;
	tp_status st = store_checkpoint_get(s, checkpoint, &c, err);
	if (st != TP_OK)
		return st;
	checkpoint_row_done(&c);
	return answer(image, size, format, ret, ret_size, err);
}

tp_status infer_weights(store *s, int state_dirfd, int64_t weights, const void *image, size_t size,
                        infer_format format, void **ret, size_t *ret_size, tp_err *err)
{
	(void)state_dirfd;
	weights_row w;
	tp_status st = store_weights_get(s, weights, &w, err);
	if (st != TP_OK)
		return st;
	bool whole = w.whole;
	weights_row_done(&w);
	if (!whole)
		return tp_fail(err, TP_CONFLICT, 0, "these weights hold no classifier");
	return answer(image, size, format, ret, ret_size, err);
}

tp_status infer_round_npy(store *s, int state_dirfd, int64_t run, int64_t round, int64_t index,
                          void **ret, size_t *ret_size, tp_err *err)
{
	(void)s;
	(void)state_dirfd;
	(void)run;
	if (round > 1 || index > 100)
		return tp_fail(err, TP_NOTFOUND, 0, "no logits of that round");
	return answer("", 0, INFER_NPY, ret, ret_size, err);
}

tp_status feature_maps_get(feature_maps *m, const feature_map_key *of, char **ret, size_t *ret_size,
                           tp_err *err)
{
	const char *network = of->before ? "before" : "after";
	static const char rest[] =
		"\"perplexity\":2.0,\"kl\":0.25,\"source\":{\"shown\":2,\"of\":60},"
		"\"target\":{\"shown\":2,\"of\":60},\"points\":["
		"{\"domain\":\"source\",\"image\":0,\"name\":\"scene_000\",\"x\":-1.5,\"y\":0.25},"
		"{\"domain\":\"source\",\"image\":30,\"name\":\"scene_030\",\"x\":-1.25,\"y\":-0.5},"
		"{\"domain\":\"easy\",\"image\":0,\"name\":\"scene_000\",\"x\":1.0,\"y\":0.5},"
		"{\"domain\":\"hard\",\"image\":30,\"name\":\"scene_030\",\"x\":1.75,\"y\":-0.25}]}";
	(void)m;
	if (of->run != 1)
		return tp_fail(err, TP_NOTFOUND, 0, "there is no run %lld", (long long)of->run);
	if (of->round > 1)
		return tp_fail(err, TP_NOTFOUND, 0, "round %lld has not been scored", (long long)of->round);
	if (of->round == 0)
		return tp_fail(err, TP_CONFLICT, 0, "round 0 has no checkpoint yet");
	int n = asprintf(ret, "{\"round\":1,\"network\":\"%s\",%s", network, rest);
	*ret_size = n > 0 ? (size_t)n : 0;
	return n > 0 ? TP_OK : tp_fail(err, TP_NOMEM, 0, "out of memory");
}
