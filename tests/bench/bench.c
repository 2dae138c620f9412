#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rng.h"

void bench_check(tp_status st, const tp_err *err)
{
	if (st == TP_OK)
		return;
	(void)fprintf(stderr, "bench: %s\n", err->text);
	exit(1);
}

static double seconds_of(clockid_t which)
{
	struct timespec t;
	(void)clock_gettime(which, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double bench_now(void) { return seconds_of(CLOCK_MONOTONIC); }
double bench_cpu(void) { return seconds_of(CLOCK_PROCESS_CPUTIME_ID); }

double bench_peak_mib(void)
{
	char line[256];
	double kib = 0;
	FILE *f = fopen("/proc/self/status", "r");
	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		(void)sscanf(line, "VmHWM: %lf", &kib);
	if (f != NULL)
		(void)fclose(f);
	return kib / 1024;
}

size_t bench_threads(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	return cpus < 1 ? 1 : (size_t)cpus;
}

float *bench_floats(size_t n)
{
	tp_err err = {0};
	float *p = NULL;
	bench_check(mem_floats(n, &p, &err), &err);
	return p;
}

pool *bench_pool(size_t threads)
{
	tp_err err = {0};
	pool *p = NULL;
	bench_check(pool_create(threads, &p, &err), &err);
	return p;
}

int bench_more(const bench_times *t, double seconds)
{
	return t->runs < BENCH_MOST_RUNS && (t->runs < BENCH_LEAST_RUNS || t->total < seconds);
}

void bench_add(bench_times *t, double seconds)
{
	t->at[t->runs++] = seconds;
	t->total += seconds;
}

static int by_time(const void *a, const void *b)
{
	double p = *(const double *)a, q = *(const double *)b;
	return p < q ? -1 : p > q;
}

double bench_median(bench_times *t)
{
	qsort(t->at, t->runs, sizeof *t->at, by_time);
	return t->at[t->runs / 2];
}

double bench_min(bench_times *t)
{
	(void)bench_median(t);
	return t->at[0];
}

logit_map bench_logits(size_t h, size_t w, size_t full_h, size_t full_w)
{
	enum { BLOBS = 8 }; /* centres of each class */
	float *z[2];
	double size = (double)(h > w ? h : w);
	for (int m = 0; m < 2; m++) {
		z[m] = bench_floats(BENCH_CLASSES * h * w);
		for (size_t k = 0; k < BENCH_CLASSES; k++) {
			double cx[BLOBS], cy[BLOBS];
			for (size_t b = 0; b < BLOBS; b++) {
				cx[b] = rng_uniform(1, RNG_TEST, 2 * (k * BLOBS + b)) * (double)w;
				cy[b] = rng_uniform(1, RNG_TEST, 2 * (k * BLOBS + b) + 1) * (double)h;
				cx[b] = m == 1 ? (double)(w - 1) - cx[b] : cx[b];
			}
			for (size_t i = 0; i < h * w; i++) {
				double best = 1e9;
				for (size_t b = 0; b < BLOBS; b++) {
					double dx = (double)(i % w) - cx[b], dy = (double)(i / w) - cy[b];
					best = fmin(best, dx * dx + dy * dy);
				}
				double noise = rng_uniform(2 + (uint64_t)m, RNG_TEST, k * h * w + i);
				z[m][k * h * w + i] = (float)(noise - 60 * sqrt(best) / size);
			}
		}
	}
	return (logit_map){.classes = BENCH_CLASSES, .h = h, .w = w, .full_h = full_h,
	                   .full_w = full_w, .plain = z[0], .mirrored = z[1]};
}
