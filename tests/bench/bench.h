/* bench: what the benchmark programs share: a clock, blocks of memory, medians, the peak of memory,
 * and maps that look like a network's output. Failures end the program. */
#ifndef TP_TESTS_BENCH_H
#define TP_TESTS_BENCH_H

#include <stddef.h>
#include <stdint.h>

#include "adapt/probs.h"
#include "base/pool.h"
#include "base/status.h"

enum { BENCH_CLASSES = 19, BENCH_MOST_RUNS = 15, BENCH_LEAST_RUNS = 3 };

/* Ends the program with the error's text unless st is TP_OK. */
void bench_check(tp_status st, const tp_err *err);
double bench_now(void);       /* monotonic seconds */
double bench_cpu(void);       /* seconds of processor time that all threads took: steadier than
                               * bench_now on a machine that is shared */
double bench_peak_mib(void);  /* peak of resident memory of this process */
size_t bench_threads(void);   /* of the machine */
float *bench_floats(size_t n); /* zeroed, cache-line aligned; mem_free */
pool *bench_pool(size_t threads);

/* Times of one thing, seconds. */
typedef struct bench_times {
	double at[BENCH_MOST_RUNS], total;
	size_t runs;
} bench_times;

/* More runs wanted: at least BENCH_LEAST_RUNS, then until `seconds` are spent or the room is. */
int bench_more(const bench_times *t, double seconds);
void bench_add(bench_times *t, double seconds);
double bench_median(bench_times *t); /* sorts */
double bench_min(bench_times *t);

/* Logits [BENCH_CLASSES][h][w] of an image of full_h x full_w: blobs of classes with unsure borders.
 * plain and mirrored are the caller's (mem_free). */
logit_map bench_logits(size_t h, size_t w, size_t full_h, size_t full_w);

#endif
