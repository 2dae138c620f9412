#include "data/prefetch.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/thread.h"

enum { AHEAD = 2 };

/* The thread fills slot `produced % AHEAD` while fewer than AHEAD images wait; an error stops it and
 * is handed over after the images before it. All fields but `path` change under the lock. */
struct prefetch {
	const char *const *path;
	size_t count;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t moved;
	image slot[AHEAD];
	size_t produced, consumed;
	tp_status failed;
	tp_err err;
	bool quit;
};

static void *produce(void *arg)
{
	prefetch *p = arg;
	for (size_t i = 0; i < p->count; i++) {
		pthread_mutex_lock(&p->lock);
		while (p->produced - p->consumed == AHEAD && !p->quit)
			pthread_cond_wait(&p->moved, &p->lock);
		bool quit = p->quit;
		pthread_mutex_unlock(&p->lock);
		if (quit)
			return NULL;
		image img = {0};
		tp_err err = {0};
		tp_status st = p->path[i] == NULL ? TP_OK : image_load(p->path[i], &img, &err);
		pthread_mutex_lock(&p->lock);
		if (st == TP_OK) {
			p->slot[p->produced % AHEAD] = img;
			p->produced++;
		} else {
			p->failed = st;
			p->err = err;
		}
		pthread_cond_signal(&p->moved);
		pthread_mutex_unlock(&p->lock);
		if (st != TP_OK)
			return NULL;
	}
	return NULL;
}

tp_status prefetch_create(const char *const *path, size_t count, prefetch **ret, tp_err *err)
{
	prefetch *p = calloc(1, sizeof *p);
	if (p == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory for decoding ahead");
	p->path = path;
	p->count = count;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->moved, NULL);
	tp_status st = thread_start(produce, p, "the decoding thread", &p->thread, err);
	if (st != TP_OK) {
		pthread_mutex_destroy(&p->lock);
		pthread_cond_destroy(&p->moved);
		free(p);
		return st;
	}
	*ret = p;
	return TP_OK;
}

tp_status prefetch_next(prefetch *p, image *ret, tp_err *err)
{
	tp_status st = TP_OK;
	pthread_mutex_lock(&p->lock);
	while (p->produced == p->consumed && p->failed == TP_OK && p->consumed < p->count)
		pthread_cond_wait(&p->moved, &p->lock);
	if (p->produced > p->consumed) {
		*ret = p->slot[p->consumed % AHEAD];
		p->consumed++;
		pthread_cond_signal(&p->moved);
	} else if (p->failed != TP_OK) {
		st = tp_fail(err, p->failed, 0, "%s", p->err.text);
	} else {
		st = tp_fail(err, TP_INVALID, 0, "all %zu images were taken", p->count);
	}
	pthread_mutex_unlock(&p->lock);
	return st;
}

void prefetch_free(prefetch *p)
{
	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->quit = true;
	pthread_cond_signal(&p->moved);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	for (; p->consumed < p->produced; p->consumed++)
		image_done(&p->slot[p->consumed % AHEAD]);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->moved);
	free(p);
}
