/* Sliding-window voting of one image with windows of several sizes, one JSON line each: the time must
 * not depend on the window, but for neighbours chosen by colour, where it may grow with its area (the image
 * is of one colour, so all of them are). Three iterations, as the preset has them. "of_smallest_window"
 * compares the least processor time.
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

enum { WINDOWS = 3 };

static const struct {
	const char *name;
	size_t window[WINDOWS];
	vote_pool pool;
	vote_kernel kernel;
	size_t color_distance;
} kinds[] = {
	{"sum", {3, 57, 201}, VOTE_SUM, VOTE_FLAT, 0},
	{"sum, triangle", {3, 57, 201}, VOTE_SUM, VOTE_TRIANGLE, 0},
	{"max", {3, 57, 201}, VOTE_MAX, VOTE_FLAT, 0},
	{"sum, colour", {3, 9, VOTE_COLOR_WINDOW_MAX}, VOTE_SUM, VOTE_FLAT, 10},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* Times of all windows, taken in turns so that all see the same machine. */
static void measure(size_t kind, const vote_image *im, const uint8_t *sparse, pool *workers,
                    bench_times times[WINDOWS], bench_times cpu[WINDOWS])
{
	tp_err err = {0};
	void *label, *scratch;
	size_t h = im->h, w = im->w, room = 0;
	bench_check(mem_bytes(h * w, &label, &err), &err);
	vote_spec spec = {.iterations = 3, .alpha = 0.7f, .pool = kinds[kind].pool, .reuse_voted = true,
	                  .kernel = kinds[kind].kernel, .color_distance = kinds[kind].color_distance};
	for (size_t i = 0; i < WINDOWS; i++) {
		spec.window = kinds[kind].window[i];
		size_t need = vote_scratch(&spec, K, h, w);
		room = need > room ? need : room;
	}
	bench_check(mem_bytes(room, &scratch, &err), &err);
	while (bench_more(&times[0], 5)) {
		for (size_t i = 0; i < WINDOWS; i++) {
			spec.window = kinds[kind].window[i];
			memcpy(label, sparse, h * w);
			double start = bench_now(), used = bench_cpu();
			vote_run(&spec, im, label, scratch, workers);
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
	uint8_t *rgb = calloc(h * w, 3);
	if (rgb == NULL)
		bench_check(tp_fail(&err, TP_NOMEM, 0, "out of memory"), &err);
	vote_image im = {.p = p, .lambda = lambda, .classes = K, .h = h, .w = w, .rgb = rgb};
	for (size_t n = 0; n < KINDS; n++) {
		bench_times times[WINDOWS] = {{.runs = 0}}, cpu[WINDOWS] = {{.runs = 0}};
		measure(n, &im, sparse, workers, times, cpu);
		for (size_t i = 0; i < WINDOWS; i++)
			(void)printf("{\"bench\":\"voting\",\"pool\":\"%s\",\"window\":%zu,\"height\":%zu,"
			             "\"width\":%zu,\"classes\":%d,\"iterations\":3,"
			             "\"labelled_share\":%.3f,\"threads\":%zu,\"seconds_median\":%.4f,"
			             "\"seconds_min\":%.4f,\"cpu_seconds_min\":%.4f,\"runs\":%zu,"
			             "\"of_smallest_window\":%.3f}\n",
			             kinds[n].name, kinds[n].window[i], h, w, K,
			             (double)labelled / (double)(h * w), threads,
			             bench_median(&times[i]), bench_min(&times[i]), bench_min(&cpu[i]),
			             times[i].runs, bench_min(&cpu[i]) / bench_min(&cpu[0]));
	}
	mem_free(p);
	mem_free(scratch);
	mem_free(sparse);
	free(rgb);
	mem_free((void *)m.plain);
	mem_free((void *)m.mirrored);
	pool_free(workers);
	return 0;
}
