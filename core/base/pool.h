/* pool: persistent worker threads and a parallel for over a fixed chunk grid.
 *
 * Determinism: a job is cut into chunks whose number depends on the problem only, never on the
 * number of threads; any thread may take any chunk; chunks write disjoint outputs, or partial
 * sums that the caller adds in chunk order afterwards. The result then has the same bits for
 * 1, 2, 3... threads.
 *
 * One caller at a time: the pool belongs to whoever created it. The caller works too, so a pool
 * of n threads starts n-1 workers. pool_run never allocates and never fails. Signals are blocked
 * in the workers. */
#ifndef TP_BASE_POOL_H
#define TP_BASE_POOL_H

#include <stddef.h>

#include "base/status.h"

typedef struct pool pool;

/* Runs chunk `chunk` of a job; `worker` is 0..threads-1 and selects per-thread scratch memory,
 * never values. */
typedef void pool_fn(void *arg, size_t chunk, size_t worker);

/* threads >= 1 (1..256). The pool owns its threads until pool_free. */
tp_status pool_create(size_t threads, pool **ret, tp_err *err) TP_MUST_CHECK;
void pool_free(pool *p); /* NULL is fine */
size_t pool_threads(const pool *p);

/* Calls fn(arg, k, worker) once for each k in 0..chunks-1, returns when all are done. */
void pool_run(pool *p, size_t chunks, pool_fn *fn, void *arg);

/* Cuts 0..n-1 into `chunks` parts of nearly equal length: part k is [*begin, *end). */
static inline void pool_part(size_t n, size_t chunks, size_t k, size_t *begin, size_t *end)
{
	*begin = n / chunks * k + (k < n % chunks ? k : n % chunks);
	*end = *begin + n / chunks + (k < n % chunks ? 1 : 0);
}

#endif
