/* What a round of the tpld preset does with one target image after its forward passes, from the stored
 * logits to the written label files, against those passes (image and mirrored image) themselves:
 * one JSON line a network. "ratio" is scoring over the two passes. Voting's window is the largest the
 * paper's figure suggests, 57, with three iterations. The audit is that of a round with an earlier one and
 * with a truth (whose label file is not read here).
 *
 *   bench_score [--threads N] [ARCH] [HxW] */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#include "adapt/audit.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "data/image.h"
#include "data/logits.h"
#include "data/png.h"
#include "data/png_files.h"
#include "op/gemm.h"
#include "train/score.h"

enum { K = BENCH_CLASSES, LAYERS = 6, STAMP = 7 };

typedef struct rig {
	recipe recipe;
	graph net;
	float *values;
	pool *workers;
	scorer *scorer;
	image img;
	int dirfd;
	char dir[64];
	uint8_t palette[256][3];
	float lambda[K];
	conf_hist hist;
	audit audit;
	uint8_t *truth;
} rig;

/* Seconds of the parts of scoring. */
typedef struct parts {
	double count, label, files, audit;
} parts;

static void rig_open(rig *r, net_arch arch, size_t h, size_t w, size_t threads)
{
	tp_err err = {0};
	*r = (rig){.recipe = recipe_preset((size_t)recipe_preset_find("tpld")),
	           .workers = bench_pool(threads), .dir = "/tmp/tpldd-bench-XXXXXX"};
	r->recipe.self.vote.window = 57;
	r->recipe.self.vote.iterations = 3;
	net_spec spec = net_spec_default(arch);
	bench_check(net_build(&spec, &r->net, &err), &err);
	r->values = bench_floats(r->net.params.floats);
	params_init(&r->net.params, 1, r->values);
	scorer_spec ss = {.recipe = &r->recipe, .net = &r->net, .values = r->values, .classes = K,
	                  .norm = INPUT_NORM_IMAGENET, .pool = r->workers};
	bench_check(scorer_create(&ss, &r->scorer, &err), &err);
	bench_check(conf_hist_init(K, &r->hist, &err), &err);
	bench_check(audit_init(K, &r->audit, &err), &err);
	r->img = (image){.w = w, .h = h, .rgb = malloc(3 * w * h)};
	r->truth = malloc(w * h);
	if (r->img.rgb == NULL || r->truth == NULL || mkdtemp(r->dir) == NULL ||
	    (r->dirfd = open(r->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
		perror("bench_score");
		exit(1);
	}
	for (size_t i = 0; i < 3 * w * h; i++)
		r->img.rgb[i] = (uint8_t)rng_below(1, RNG_TEST, i, 256);
	for (size_t i = 0; i < w * h; i++)
		r->truth[i] = (uint8_t)(i / 4096 % K);
	for (size_t i = 0; i < 256; i++)
		r->palette[i][0] = r->palette[i][1] = r->palette[i][2] = (uint8_t)(i < K ? 9 * i : 0);
}

static void rig_close(rig *r)
{
	tp_err err = {0};
	scorer_free(r->scorer);
	conf_hist_done(&r->hist);
	audit_done(&r->audit);
	free(r->truth);
	mem_free(r->values);
	graph_done(&r->net);
	pool_free(r->workers);
	image_done(&r->img);
	(void)close(r->dirfd);
	bench_check(file_remove_tree(AT_FDCWD, r->dir, &err), &err);
}

/* The files of a hard image, as the daemon names them by content. */
static void write_files(rig *r, const scored_image *im)
{
	tp_err err = {0};
	const uint8_t(*color)[3] = (const uint8_t(*)[3])r->palette;
	const png_file file[LAYERS] = {{"prediction.png", im->prediction, color, NULL},
	                               {"confidence.png", im->confidence, NULL, NULL},
	                               {"confident.png", im->confident, color, NULL},
	                               {"voted.png", im->voted, color, NULL},
	                               {"final.png", im->final, color, NULL},
	                               {"origin.png", im->origin, color, NULL}};
	bench_check(png_files_write(r->dirfd, file, LAYERS, im->w, im->h, r->workers, &err), &err);
}

/* A label layer as the round before left it. */
static uint8_t *earlier(rig *r, const char *name, size_t pixels)
{
	tp_err err = {0};
	void *bytes;
	uint16_t *v;
	size_t size, w, h;
	uint8_t *map = malloc(pixels);
	bench_check(file_read(r->dirfd, name, IMAGE_MAX_BYTES, &bytes, &size, &err), &err);
	bench_check(png_decode_values(bytes, size, name, &v, &w, &h, &err), &err);
	for (size_t i = 0; map != NULL && i < pixels; i++)
		map[i] = (uint8_t)v[i];
	free(bytes);
	free(v);
	return map;
}

static void audit_image(rig *r, const scored_image *im, const logit_map *m)
{
	size_t pixels = im->w * im->h;
	uint8_t *prediction = earlier(r, "prediction.png", pixels);
	audit_predictions(&r->audit, im->prediction, prediction, &im->score, pixels);
	audit_flip(&r->audit, m);
	free(prediction);
	uint8_t *final = earlier(r, "final.png", pixels);
	audit_labels(&r->audit, im->prediction, im->final, im->origin, final, r->truth, pixels);
	audit_ranking(&r->audit, im->prob, r->lambda, r->truth, pixels);
	free(final);
}

/* Both passes of a round over one image. */
static void score(rig *r, parts *t)
{
	tp_err err = {0};
	logits_file f;
	scored_image im;
	double t0 = bench_now();
	bench_check(logits_read(r->dirfd, "logits", STAMP, &f, &err), &err);
	memset(r->hist.bin, 0, K * (CONF_BINS + 1) * sizeof *r->hist.bin);
	bench_check(scorer_count(r->scorer, &f.map, &r->hist, &err), &err);
	conf_hist_thresholds(&r->hist, 0.2, r->lambda);
	logits_done(&f);
	double t1 = bench_now();
	bench_check(logits_read(r->dirfd, "logits", STAMP, &f, &err), &err);
	bench_check(scorer_label(r->scorer, &f.map, r->lambda, NULL, &im, &err), &err);
	double t2 = bench_now();
	write_files(r, &im);
	double t3 = bench_now();
	audit_image(r, &im, &f.map);
	logits_done(&f);
	*t = (parts){t1 - t0, t2 - t1, t3 - t2, bench_now() - t3};
}

static void run(net_arch arch, size_t h, size_t w, size_t threads)
{
	rig r;
	tp_err err = {0};
	logit_map out;
	bench_times passes = {.runs = 0}, whole = {.runs = 0};
	parts sum = {0}, one;
	rig_open(&r, arch, h, w, threads);
	bench_check(scorer_logits(r.scorer, &r.img, &out, &err), &err); /* binds and warms */
	logit_map m = bench_logits(out.h, out.w, h, w);
	bench_check(logits_write(r.dirfd, "logits", STAMP, &m, &err), &err);
	score(&r, &one);
	while (bench_more(&whole, 4)) {
		if (passes.total < 10) {
			double start = bench_now();
			bench_check(scorer_logits(r.scorer, &r.img, &out, &err), &err);
			bench_add(&passes, bench_now() - start);
		}
		score(&r, &one);
		bench_add(&whole, one.count + one.label + one.files + one.audit);
		sum = (parts){sum.count + one.count, sum.label + one.label, sum.files + one.files,
		              sum.audit + one.audit};
	}
	double n = (double)whole.runs;
	(void)printf("{\"bench\":\"scoring\",\"arch\":\"%s\",\"height\":%zu,\"width\":%zu,"
	             "\"classes\":%d,\"window\":57,\"iterations\":3,\"threads\":%zu,"
	             "\"seconds_median\":%.4f,\"seconds_min\":%.4f,\"runs\":%zu,"
	             "\"count_seconds\":%.4f,\"label_seconds\":%.4f,\"files_seconds\":%.4f,\"audit_seconds\":%.4f,"
	             "\"two_passes_seconds\":%.4f,\"two_passes_runs\":%zu,\"ratio\":%.3f}\n",
	             net_arch_name(arch), h, w, K, threads, bench_median(&whole), bench_min(&whole),
	             whole.runs, sum.count / n, sum.label / n, sum.files / n, sum.audit / n,
	             bench_median(&passes),
	             passes.runs, bench_median(&whole) / bench_median(&passes));
	mem_free((void *)m.plain);
	mem_free((void *)m.mirrored);
	rig_close(&r);
}

int main(int argc, char **argv)
{
	static const net_arch usual[] = {ARCH_RESNET101, ARCH_MOBILENETV2};
	size_t h = 1024, w = 2048, threads = bench_threads();
	net_arch arch = ARCH_COUNT;
	tp_err err = {0};
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc) {
			threads = strtoul(argv[++i], NULL, 10);
		} else if (!net_arch_parse(argv[i], &arch) && sscanf(argv[i], "%zux%zu", &h, &w) != 2) {
			(void)fprintf(stderr, "usage: bench_score [--threads N] [ARCH] [HxW]\n");
			return 2;
		}
	}
	bench_check(gemm_init(&err), &err);
	for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
		if (arch == ARCH_COUNT)
			run(usual[i], h, w, threads);
	if (arch != ARCH_COUNT)
		run(arch, h, w, threads);
	return 0;
}
