/* Sliding-window voting of one image with windows of several sizes, one JSON line each: the time must
 * not depend on the window. Three iterations, as the preset has them. "of_smallest_window" compares
 * the least processor time.
 *
 *   bench_vote [--threads N] [HxW] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#include "adapt/pseudo.h"
#include "adapt/threshold.h"
#include "adapt/vote.h"
#include "base/mem.h"

enum { K = BENCH_CLASSES };

static const size_t windows[] = {3, 57, 201};
static const vote_pool pools[] = {VOTE_SUM, VOTE_MAX};
static const char *const pool_name[] = {[VOTE_SUM] = "sum", [VOTE_MAX] = "max"};
enum { WINDOWS = sizeof windows / sizeof *windows, POOLS = sizeof pools / sizeof *pools };

/* Times of all windows, taken in turns so that all see the same machine. */
static void measure(vote_pool how, const float *p, const float *lambda, const uint8_t *sparse,
                    size_t h, size_t w, pool *workers, bench_times times[WINDOWS],
                    bench_times cpu[WINDOWS])
{
	tp_err err = {0};
	void *label, *scratch;
	size_t room = 0;
	bench_check(mem_bytes(h * w, &label, &err), &err);
	vote_image im = {.p = p, .lambda = lambda, .classes = K, .h = h, .w = w};
	vote_spec spec = {.iterations = 3, .alpha = 0.7f, .pool = how, .reuse_voted = true};
	for (size_t i = 0; i < WINDOWS; i++) {
		spec.window = windows[i];
		size_t need = vote_scratch(&spec, K, h, w);
		room = need > room ? need : room;
	}
	bench_check(mem_bytes(room, &scratch, &err), &err);
	while (bench_more(&times[0], 5)) {
		for (size_t i = 0; i < WINDOWS; i++) {
			spec.window = windows[i];
			memcpy(label, sparse, h * w);
			double start = bench_now(), used = bench_cpu();
			vote_run(&spec, &im, label, scratch, workers);
			bench_add(&times[i], bench_now() - start);
			bench_add(&cpu[i], bench_cpu() - used);
		}
	}
	mem_free(label);
	mem_free(scratch);
}

/* lambda as a late round has them: the surer half of each class is labelled. */
static void thresholds(const float *p, size_t pixels, float lambda[K], pool *workers)
{
	tp_err err = {0};
	conf_hist hist;
	void *pred;
	float *conf = bench_floats(pixels);
	bench_check(mem_bytes(pixels, &pred, &err), &err);
	bench_check(conf_hist_init(K, &hist, &err), &err);
	probs_argmax(p, K, pixels, pred, conf, workers);
	conf_hist_add(&hist, pred, conf, pixels, 1);
	conf_hist_thresholds(&hist, 0.5, lambda);
	conf_hist_done(&hist);
	mem_free(pred);
	mem_free(conf);
}

int main(int argc, char **argv)
{
	size_t h = 1024, w = 2048, threads = bench_threads();
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc) {
			threads = strtoul(argv[++i], NULL, 10);
		} else if (sscanf(argv[i], "%zux%zu", &h, &w) != 2) {
			(void)fprintf(stderr, "usage: bench_vote [--threads N] [HxW]\n");
			return 2;
		}
	}
	tp_err err = {0};
	float *p = bench_floats(K * h * w), *scratch = bench_floats(K * h * w), lambda[K];
	void *sparse;
	pool *workers = bench_pool(threads);
	logit_map m = bench_logits(h / 8 + 1, w / 8 + 1, h, w);
	probs_from_logits(&m, p, scratch, workers);
	bench_check(mem_bytes(h * w, &sparse, &err), &err);
	thresholds(p, h * w, lambda, workers);
	pseudo_confident(p, lambda, K, h * w, sparse, NULL, workers);
	size_t labelled = 0;
	for (size_t i = 0; i < h * w; i++)
		labelled += ((uint8_t *)sparse)[i] != LABEL_NONE;
	for (size_t n = 0; n < POOLS; n++) {
		bench_times times[WINDOWS] = {{.runs = 0}}, cpu[WINDOWS] = {{.runs = 0}};
		measure(pools[n], p, lambda, sparse, h, w, workers, times, cpu);
		for (size_t i = 0; i < WINDOWS; i++)
			(void)printf("{\"bench\":\"voting\",\"pool\":\"%s\",\"window\":%zu,\"height\":%zu,"
			             "\"width\":%zu,\"classes\":%d,\"iterations\":3,"
			             "\"labelled_share\":%.3f,\"threads\":%zu,\"seconds_median\":%.4f,"
			             "\"seconds_min\":%.4f,\"cpu_seconds_min\":%.4f,\"runs\":%zu,"
			             "\"of_smallest_window\":%.3f}\n",
			             pool_name[pools[n]], windows[i], h, w, K,
			             (double)labelled / (double)(h * w), threads,
			             bench_median(&times[i]), bench_min(&times[i]), bench_min(&cpu[i]),
			             times[i].runs, bench_min(&cpu[i]) / bench_min(&cpu[0]));
	}
	mem_free(p);
	mem_free(scratch);
	mem_free(sparse);
	mem_free((void *)m.plain);
	mem_free((void *)m.mirrored);
	pool_free(workers);
	return 0;
}
