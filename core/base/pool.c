#include "base/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"

/* Hand-over: the caller publishes a job under the mutex, raises `epoch`, wakes the workers and works
 * itself. A worker that comes while the job is open joins it (`active`), takes chunks by fetch-add and
 * leaves. When no chunk is left the caller closes the job and waits for those inside only: a worker
 * that the kernel has not scheduled yet is not waited for, it finds the job closed. That matters on a
 * busy machine, where a wake-up can take longer than a layer. A short spin on `epoch` before sleeping
 * keeps back-to-back layers apart by microseconds. */
struct pool {
	size_t threads;
	pthread_t *thread;
	size_t started;
	pthread_mutex_t lock; /* guards the fields down to `active` */
	pthread_cond_t work, idle;
	pool_fn *fn;
	void *arg;
	size_t chunks;
	bool open;
	bool quit;
	atomic_size_t active; /* workers inside the open job; changed under the lock, spun on without */
	atomic_size_t next;  /* chunk to be taken */
	atomic_size_t epoch; /* counts jobs */
	atomic_size_t ids;
};

enum { SPINS = 2000 };

static void take_chunks(pool *p, size_t worker)
{
	for (;;) {
		size_t k = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed);
		if (k >= p->chunks)
			return;
		p->fn(p->arg, k, worker);
	}
}

static void *worker_main(void *arg)
{
	pool *p = arg;
	size_t id = 1 + atomic_fetch_add(&p->ids, 1);
	size_t seen = 0;
	for (;;) {
		for (int i = 0; i < SPINS && atomic_load(&p->epoch) == seen; i++)
			__builtin_ia32_pause();
		pthread_mutex_lock(&p->lock);
		while (atomic_load(&p->epoch) == seen && !p->quit)
			pthread_cond_wait(&p->work, &p->lock);
		seen = atomic_load(&p->epoch);
		if (p->quit) {
			pthread_mutex_unlock(&p->lock);
			return NULL;
		}
		bool join = p->open;
		if (join)
			atomic_fetch_add(&p->active, 1);
		pthread_mutex_unlock(&p->lock);
		if (!join)
			continue;
		take_chunks(p, id);
		pthread_mutex_lock(&p->lock);
		if (atomic_fetch_sub(&p->active, 1) == 1)
			pthread_cond_signal(&p->idle);
		pthread_mutex_unlock(&p->lock);
	}
}

tp_status pool_create(size_t threads, pool **ret, tp_err *err)
{
	if (threads < 1 || threads > 256)
		return tp_fail(err, TP_INVALID, 0, "threads: %zu is not in 1..256", threads);
	pool *p = calloc(1, sizeof *p);
	pthread_t *t = calloc(threads, sizeof *t);
	if (p == NULL || t == NULL) {
		free(p);
		free(t);
		return tp_fail(err, TP_NOMEM, 0, "out of memory for a thread pool");
	}
	p->threads = threads;
	p->thread = t;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	pthread_cond_init(&p->idle, NULL);
	tp_status st = TP_OK;
	for (; p->started + 1 < threads && st == TP_OK; p->started += st == TP_OK)
		st = thread_start(worker_main, p, "a compute thread", &t[p->started], err);
	if (st != TP_OK) {
		pool_free(p);
		return st;
	}
	*ret = p;
	return TP_OK;
}

void pool_free(pool *p)
{
	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->quit = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	for (size_t i = 0; i < p->started; i++)
		pthread_join(p->thread[i], NULL);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->work);
	pthread_cond_destroy(&p->idle);
	free(p->thread);
	free(p);
}

size_t pool_threads(const pool *p) { return p->threads; }

void pool_run(pool *p, size_t chunks, pool_fn *fn, void *arg)
{
	if (p->started == 0 || chunks <= 1) {
		for (size_t k = 0; k < chunks; k++)
			fn(arg, k, 0);
		return;
	}
	pthread_mutex_lock(&p->lock);
	p->fn = fn;
	p->arg = arg;
	p->chunks = chunks;
	p->open = true;
	atomic_store(&p->next, 0);
	atomic_fetch_add(&p->epoch, 1);
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	take_chunks(p, 0);
	pthread_mutex_lock(&p->lock);
	p->open = false;
	pthread_mutex_unlock(&p->lock);
	for (int i = 0; i < SPINS && atomic_load(&p->active) != 0; i++)
		__builtin_ia32_pause();
	pthread_mutex_lock(&p->lock); /* also when nobody is inside: the last one may hold it still */
	while (atomic_load(&p->active) != 0)
		pthread_cond_wait(&p->idle, &p->lock);
	pthread_mutex_unlock(&p->lock);
}
