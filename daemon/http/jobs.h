/* jobs: handlers on libuv's workers. Heavy ones (inference, scanning a data set, checking gigabytes
 * of weights) wait in line so that at most JOBS_HEAVY of the workers compute and the rest keep the
 * API quick. Loop thread only. */
#ifndef TPLDD_HTTP_JOBS_H
#define TPLDD_HTTP_JOBS_H

#include <stdbool.h>
#include <stddef.h>

#include <uv.h>

#include "http/request.h"

enum { JOBS_HEAVY = 2, JOBS_HEAVY_WAITING = 16 };

typedef struct job job;
typedef struct jobs {
	job *first, *last; /* heavy ones waiting */
	size_t waiting, heavy, running;
} jobs;

/* Called on the loop when the handler has returned (or was never started because of jobs_drop). */
typedef void job_done(request *r);

/* Runs r->route->handler on a worker, holding a reference to r. False: too many heavy ones wait, or
 * out of memory; nothing was started. */
bool jobs_start(jobs *j, uv_loop_t *loop, request *r, job_done *done);
/* Forgets those that wait: their `done` is called at once, unanswered. */
void jobs_drop(jobs *j);

#endif
