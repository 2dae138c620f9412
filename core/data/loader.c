#include "data/loader.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/thread.h"

/* A ring of ahead + 1 steps: one is with the caller, the others wait or are being made. Step n
 * lives in place n % places. `made` and `released` count steps and change under the lock; the
 * thread fills a place only while made - released < places, the caller reads one only while it is
 * made and not released, so the contents need no lock. */
struct loader {
	loader_spec spec;
	sampler *sampler;
	size_t places;
	sample *room;         /* [places][slots]: owns the memory */
	sample *made_samples; /* [places][slots]: what loader_next hands out */
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t step_made, place_free;
	uint64_t total, made, taken, released;
	tp_status failed; /* at step `made`; the thread has ended */
	tp_err err;
	atomic_bool stop;
};

static tp_status make_step(loader *l, uint64_t step, tp_err *err)
{
	const loader_spec *spec = &l->spec;
	size_t base = (size_t)((step - spec->first_step) % l->places) * spec->slots;
	for (size_t slot = 0; slot < spec->slots; slot++) {
		if (atomic_load(&l->stop))
			return TP_CANCELLED;
		sample_request req = {0};
		tp_status st = spec->plan(spec->plan_arg, step, slot, &req, err);
		if (st == TP_OK && req.augment != NULL &&
		    (req.augment->crop_h != spec->crop_h || req.augment->crop_w != spec->crop_w))
			st = tp_fail(err, TP_SHAPE, 0, "samples of two sizes");
		if (st == TP_OK)
			st = sampler_make(l->sampler, &req, step, slot, &l->room[base + slot],
			                  &l->made_samples[base + slot], err);
		if (st != TP_OK)
			return st;
	}
	return TP_OK;
}

static void *loader_main(void *arg)
{
	loader *l = arg;
	for (uint64_t n = 0; n < l->total; n++) {
		pthread_mutex_lock(&l->lock);
		while (l->made - l->released == l->places && !atomic_load(&l->stop))
			pthread_cond_wait(&l->place_free, &l->lock);
		pthread_mutex_unlock(&l->lock);
		if (atomic_load(&l->stop))
			return NULL;
		tp_err err = {0};
		tp_status st = make_step(l, l->spec.first_step + n, &err);
		pthread_mutex_lock(&l->lock);
		if (st == TP_OK) {
			l->made++;
		} else {
			l->failed = st;
			l->err = err;
		}
		pthread_cond_signal(&l->step_made);
		pthread_mutex_unlock(&l->lock);
		if (st != TP_OK)
			return NULL;
	}
	return NULL;
}

static tp_status check_spec(const loader_spec *s, size_t *ret_crop, tp_err *err)
{
	size_t floats;
	if (s->slots < 1 || s->slots > 4096 || s->ahead < 1 || s->ahead > 64 || s->crop_h < 1 ||
	    s->crop_w < 1 || s->classes < 1 || s->classes > 255 || s->first_step > s->last_step)
		return tp_fail(err, TP_INVALID, 0, "loader: a size is out of range");
	if (!mul_size(s->crop_h, s->crop_w, ret_crop) || !mul_size(*ret_crop, 255, &floats))
		return tp_fail(err, TP_INVALID, 0, "loader: a crop of %zux%zu is too large",
		               s->crop_w, s->crop_h);
	return TP_OK;
}

size_t loader_bytes(const loader_spec *spec)
{
	size_t pixel = 3 * sizeof(float) + 1 + (spec->weights || spec->online ? sizeof(float) : 0) +
	               (spec->online ? 3 * sizeof(float) + 1 : 0) +
	               (spec->soft ? spec->classes * sizeof(float) : 0);
	return (spec->ahead + 1) * spec->slots * spec->crop_h * spec->crop_w * pixel;
}

static tp_status take_room(loader *l, size_t crop, tp_err *err)
{
	size_t count = l->places * l->spec.slots;
	l->room = calloc(count, sizeof *l->room);
	l->made_samples = calloc(count, sizeof *l->made_samples);
	if (l->room == NULL || l->made_samples == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory for samples");
	tp_status st = TP_OK;
	for (size_t i = 0; i < count && st == TP_OK; i++) {
		sample *r = &l->room[i];
		void *label = NULL;
		st = mem_floats(crop * 3, &r->input, err);
		if (st == TP_OK)
			st = mem_bytes(crop, &label, err);
		r->label = label;
		if (st == TP_OK && (l->spec.weights || l->spec.online))
			st = mem_floats(crop, &r->weight, err);
		if (st == TP_OK && l->spec.online) {
			void *teach = NULL;
			st = mem_floats(crop * 3, &r->clean, err);
			if (st == TP_OK)
				st = mem_bytes(crop, &teach, err);
			r->teach = teach;
		}
		if (st == TP_OK && l->spec.soft)
			st = mem_floats(crop * l->spec.classes, &r->soft, err);
	}
	return st;
}

static tp_status start_thread(loader *l, tp_err *err)
{
	tp_status st = thread_start(loader_main, l, "the loader's thread", &l->thread, err);
	l->started = st == TP_OK;
	return st;
}

tp_status loader_create(const loader_spec *spec, loader **ret, tp_err *err)
{
	size_t crop = 0;
	tp_status st = check_spec(spec, &crop, err);
	if (st != TP_OK)
		return st;
	loader *l = calloc(1, sizeof *l);
	if (l == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory for a loader");
	l->spec = *spec;
	l->places = spec->ahead + 1;
	l->total = spec->last_step - spec->first_step;
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->step_made, NULL);
	pthread_cond_init(&l->place_free, NULL);
	const sampler_spec ss = {.classes = spec->classes, .norm = spec->norm, .seed = spec->seed};
	st = sampler_create(&ss, &l->sampler, err);
	if (st == TP_OK)
		st = take_room(l, crop, err);
	if (st == TP_OK)
		st = start_thread(l, err);
	if (st != TP_OK) {
		loader_free(l);
		return st;
	}
	*ret = l;
	return TP_OK;
}

tp_status loader_next(loader *l, const sample **ret, bool *ret_waited, tp_err *err)
{
	if (l->taken == l->total)
		return tp_fail(err, TP_CONFLICT, 0, "loader: no step is left");
	pthread_mutex_lock(&l->lock);
	if (l->released < l->taken) {
		l->released = l->taken;
		pthread_cond_signal(&l->place_free);
	}
	bool waited = l->made == l->taken && l->failed == TP_OK;
	while (l->made == l->taken && l->failed == TP_OK)
		pthread_cond_wait(&l->step_made, &l->lock);
	bool there = l->made > l->taken;
	pthread_mutex_unlock(&l->lock);
	if (!there) {
		if (err != NULL && err->code == TP_OK)
			*err = l->err;
		return l->failed;
	}
	*ret = l->made_samples + (size_t)(l->taken % l->places) * l->spec.slots;
	*ret_waited = waited;
	l->taken++;
	return TP_OK;
}

void loader_free(loader *l)
{
	if (l == NULL)
		return;
	if (l->started) {
		pthread_mutex_lock(&l->lock);
		atomic_store(&l->stop, true);
		pthread_cond_signal(&l->place_free);
		pthread_mutex_unlock(&l->lock);
		pthread_join(l->thread, NULL);
	}
	for (size_t i = 0; l->room != NULL && i < l->places * l->spec.slots; i++) {
		mem_free(l->room[i].input);
		mem_free(l->room[i].label);
		mem_free(l->room[i].weight);
		mem_free(l->room[i].soft);
		mem_free(l->room[i].clean);
		mem_free(l->room[i].teach);
	}
	free(l->room);
	free(l->made_samples);
	sampler_free(l->sampler);
	pthread_mutex_destroy(&l->lock);
	pthread_cond_destroy(&l->step_made);
	pthread_cond_destroy(&l->place_free);
	free(l);
}
