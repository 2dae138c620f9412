#include "http/jobs.h"

#include <stdlib.h>

#include "http/router.h"

struct job {
	uv_work_t work;
	jobs *owner;
	uv_loop_t *loop;
	request *r;
	job_done *done;
	bool heavy;
	job *next;
};

static void run(uv_work_t *work)
{
	job *j = work->data;
	j->r->route->handler(j->r);
}

static void finish(job *j)
{
	j->done(j->r);
	request_unref(j->r);
	free(j);
}

static void after(uv_work_t *work, int status);

static bool submit(job *j)
{
	j->work.data = j;
	if (uv_queue_work(j->loop, &j->work, run, after) != 0)
		return false;
	j->owner->running++;
	if (j->heavy)
		j->owner->heavy++;
	return true;
}

static void after(uv_work_t *work, int status)
{
	job *j = work->data;
	jobs *all = j->owner;
	(void)status; /* work is never cancelled */
	all->running--;
	if (j->heavy)
		all->heavy--;
	finish(j);
	while (all->first != NULL && all->heavy < JOBS_HEAVY) {
		job *next = all->first;
		all->first = next->next;
		if (all->first == NULL)
			all->last = NULL;
		all->waiting--;
		if (!submit(next))
			finish(next);
	}
}

bool jobs_start(jobs *all, uv_loop_t *loop, request *r, job_done *done)
{
	bool heavy = (r->route->flags & ROUTE_HEAVY) != 0;
	bool wait = heavy && all->heavy >= JOBS_HEAVY;
	job *j = wait && all->waiting >= JOBS_HEAVY_WAITING ? NULL : calloc(1, sizeof *j);
	if (j == NULL)
		return false;
	*j = (job){.owner = all, .loop = loop, .r = r, .done = done, .heavy = heavy};
	if (!wait) {
		if (!submit(j)) {
			free(j);
			return false;
		}
	} else {
		if (all->last != NULL)
			all->last->next = j;
		else
			all->first = j;
		all->last = j;
		all->waiting++;
	}
	r->users++;
	return true;
}

void jobs_drop(jobs *all)
{
	while (all->first != NULL) {
		job *j = all->first;
		all->first = j->next;
		all->waiting--;
		finish(j);
	}
	all->last = NULL;
}
