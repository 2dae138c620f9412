/* How right are voted labels? Readings of the voting step on the logits that a run's scoring kept, against
 * the truth and against lowering the threshold to the same coverage: one JSON line a reading. The very
 * functions of a run compute it.
 *
 *   bench_readings STATE_DIR RUN ROUND DATA [--layout NAME] [--split NAME] [--include GLOB]
 *                  [--map ID,ID,...] [--portion P] [--threads N]
 *
 * DATA and its options are those of the run's target data set. --map gives the class of each stored label
 * value, 255 where it does not count; without it values are classes. "coverage" and "accuracy" are of
 * all labels, in percent; "voted_accuracy" of those that votes added; "threshold_accuracy" is that of
 * the pixels of largest r, as many as the reading labels. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#include "adapt/pseudo.h"
#include "adapt/threshold.h"
#include "adapt/vote.h"
#include "base/mem.h"
#include "data/dataset.h"
#include "data/image.h"
#include "data/label.h"
#include "data/logits.h"
#include "store/run_files.h"

enum { R_BINS = 1 << 20 };

static const struct {
	const char *name;
	vote_spec spec;
} readings[] = {
#define READING(text, side, ...)                                                                   \
	{text, {.window = side, .iterations = 3, .alpha = 0.7f, .reuse_voted = true, __VA_ARGS__}}
	{"no voting", {.window = 1, .reuse_voted = true}},
	READING("original, mean, 9", 9, .pool = VOTE_MEAN),
	READING("original, mean, 57", 57, .pool = VOTE_MEAN),
	READING("pooled, mean, 57", 57, .pool = VOTE_MEAN, .alpha_on = VOTE_ALPHA_POOLED),
	READING("pooled, box, 25", 25, .pool = VOTE_BOX, .alpha_on = VOTE_ALPHA_POOLED),
	READING("pooled, max, 25", 25, .pool = VOTE_MAX, .alpha_on = VOTE_ALPHA_POOLED),
	READING("original, sum, 5", 5),
	READING("original, sum, 25", 25),
	READING("p, pooled, mean, 57", 57, .pool = VOTE_MEAN, .alpha_on = VOTE_ALPHA_POOLED,
	        .value = VOTE_OF_P),
	READING("p, pooled, max, 25", 25, .pool = VOTE_MAX, .alpha_on = VOTE_ALPHA_POOLED,
	        .value = VOTE_OF_P),
	READING("p, original, sum, 5", 5, .value = VOTE_OF_P),
	READING("p, original, sum, 25", 25, .value = VOTE_OF_P),
	READING("triangle, pooled, mean, 57", 57, .pool = VOTE_MEAN, .alpha_on = VOTE_ALPHA_POOLED,
	        .kernel = VOTE_TRIANGLE),
	READING("triangle, original, sum, 5", 5, .kernel = VOTE_TRIANGLE),
	READING("triangle, original, sum, 25", 25, .kernel = VOTE_TRIANGLE),
	READING("colour 10, pooled, mean, 25", 25, .pool = VOTE_MEAN, .alpha_on = VOTE_ALPHA_POOLED,
	        .color_distance = 10),
	READING("colour 10, pooled, max, 25", 25, .pool = VOTE_MAX, .alpha_on = VOTE_ALPHA_POOLED,
	        .color_distance = 10),
	READING("colour 10, original, sum, 5", 5, .color_distance = 10),
	READING("colour 10, original, sum, 25", 25, .color_distance = 10),
	READING("colour 30, original, sum, 25", 25, .color_distance = 30),
	READING("rare 3, original, sum, 25", 25, .rare_share = 0.05, .window_rare = 3),
	READING("agree, pooled, mean, 57", 57, .pool = VOTE_MEAN, .alpha_on = VOTE_ALPHA_POOLED,
	        .flips_agree = true),
	READING("agree, original, sum, 5", 5, .flips_agree = true),
	READING("agree, original, sum, 25", 25, .flips_agree = true),
	READING("agree, triangle, colour 10, original, sum, 25", 25, .kernel = VOTE_TRIANGLE,
	        .color_distance = 10, .flips_agree = true),
#undef READING
};
enum { READINGS = sizeof readings / sizeof *readings };

/* Pixels, those of them with a truth, and those that are right. */
typedef struct tally {
	uint64_t count, judged, right;
} tally;

typedef struct work {
	int dirfd;
	int64_t run, round;
	dataset_list list;
	label_map map;
	pool *pool;
	conf_hist hist;
	float lambda[256];
	bool rare[256];
	uint64_t pixels;         /* of all images */
	tally all[READINGS], voted[READINGS], *by_r; /* by_r: [R_BINS + 1], by the largest r */
	/* of the image in work */
	logits_file logits;
	size_t n, most;          /* its pixels, and room for */
	float *p, *scratch, *r;
	uint8_t *byte;           /* four maps */
	void *votes;
	size_t votes_room;
} work;

static void open_image(work *s, size_t i)
{
	char file[RUN_FILE_MAX];
	tp_err err = {0};
	run_logits_file(s->run, s->round, (int64_t)i, file);
	bench_check(logits_read(s->dirfd, file, run_logits_stamp(s->run, s->round), &s->logits, &err),
	            &err);
	const logit_map *m = &s->logits.map;
	s->n = m->full_h * m->full_w;
	if (s->n > s->most) {
		void *bytes = NULL;
		mem_free(s->p);
		mem_free(s->scratch);
		mem_free(s->r);
		mem_free(s->byte);
		s->p = bench_floats(m->classes * s->n);
		s->scratch = bench_floats(m->classes * s->n);
		s->r = bench_floats(s->n);
		bench_check(mem_bytes(4 * s->n, &bytes, &err), &err);
		s->byte = bytes;
		s->most = s->n;
	}
	probs_from_logits(m, s->p, s->scratch, s->pool);
}

static void thresholds(work *s, double portion, double rare_share)
{
	tp_err err = {0};
	uint8_t id[256];
	for (size_t i = 0; i < s->list.count; i++) {
		open_image(s, i);
		size_t classes = s->logits.map.classes;
		if (i == 0)
			bench_check(conf_hist_init(classes, &s->hist, &err), &err);
		else if (classes != s->hist.classes)
			bench_check(tp_fail(&err, TP_SHAPE, 0, "images of %zu and %zu classes",
			                    s->hist.classes, classes), &err);
		probs_argmax(s->p, classes, s->n, s->byte, s->r, s->pool);
		conf_hist_add(&s->hist, s->byte, s->r, s->n, 4);
		s->pixels += s->n;
		logits_done(&s->logits);
	}
	conf_hist_thresholds(&s->hist, portion, s->lambda);
	for (size_t n = rare_classes(&s->hist, rare_share, id); n-- > 0;)
		s->rare[id[n]] = true;
}

static void count(tally *t, uint8_t label, uint8_t truth)
{
	t->count++;
	t->judged += truth != LABEL_NONE;
	t->right += truth == label;
}

static void read_image(work *s, size_t which, const vote_image *im, const uint8_t *sparse,
                       const uint8_t *truth)
{
	const vote_spec *spec = &readings[which].spec;
	tp_err err = {0};
	uint8_t *label = s->byte + 2 * s->n;
	size_t room = vote_scratch(spec, im->classes, im->h, im->w);
	if (room > s->votes_room) {
		mem_free(s->votes);
		bench_check(mem_bytes(room, &s->votes, &err), &err);
		s->votes_room = room;
	}
	memcpy(label, sparse, s->n);
	vote_run(spec, im, label, s->votes, s->pool);
	for (size_t i = 0; i < s->n; i++) {
		if (label[i] == LABEL_NONE)
			continue;
		count(&s->all[which], label[i], truth[i]);
		if (sparse[i] == LABEL_NONE)
			count(&s->voted[which], label[i], truth[i]);
	}
}

static void judge_image(work *s, size_t i)
{
	tp_err err = {0};
	image img;
	uint8_t *truth;
	size_t w, h;
	open_image(s, i);
	const logit_map *m = &s->logits.map;
	if (s->list.item[i].label == NULL)
		bench_check(tp_fail(&err, TP_NOTFOUND, 0, "%s has no label", s->list.item[i].name), &err);
	bench_check(label_load(s->list.item[i].label, &s->map, m->full_w, m->full_h, &truth, &w, &h, &err),
	            &err);
	bench_check(image_load(s->list.item[i].image, &img, &err), &err);
	if (img.w != m->full_w || img.h != m->full_h)
		bench_check(tp_fail(&err, TP_SHAPE, 0, "%s is %zux%zu, its logits are of %zux%zu",
		                    s->list.item[i].image, img.w, img.h, m->full_w, m->full_h), &err);
	uint8_t *sparse = s->byte, *agree = s->byte + s->n, *best = s->byte + 2 * s->n;
	float *weight = s->scratch;
	pseudo_confident(s->p, s->lambda, m->classes, s->n, sparse, s->r, s->pool);
	pseudo_easy(s->p, s->lambda, 1, m->classes, s->n, best, weight, s->pool);
	for (size_t x = 0; x < s->n; x++) {
		size_t bin = s->r[x] > 1.0f ? R_BINS : (size_t)(s->r[x] * (float)(R_BINS - 1));
		count(&s->by_r[bin], best[x], truth[x]);
	}
	vote_image im = {.p = s->p, .lambda = s->lambda, .classes = m->classes, .h = h, .w = w,
	                 .rgb = img.rgb, .rare = s->rare};
	if (m->mirrored != NULL) {
		probs_flips_agree(m, agree, s->scratch, s->byte + 3 * s->n, s->pool);
		im.agree = agree;
	}
	for (size_t which = 0; which < READINGS; which++)
		read_image(s, which, &im, sparse, truth);
	image_done(&img);
	free(truth);
	logits_done(&s->logits);
}

/* Accuracy of the `wanted` pixels of largest r; of the last bin a part, taken as even. */
static double by_threshold(const work *s, uint64_t wanted)
{
	double judged = 0, right = 0;
	uint64_t left = wanted;
	for (size_t bin = R_BINS + 1; bin-- > 0 && left > 0;) {
		const tally *t = &s->by_r[bin];
		double part = t->count > left ? (double)left / (double)t->count : 1.0;
		judged += part * (double)t->judged;
		right += part * (double)t->right;
		left -= t->count > left ? left : t->count;
	}
	return judged > 0 ? 100 * right / judged : 0;
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole > 0 ? 100 * (double)part / (double)whole : 0;
}

static void report(const work *s, double portion)
{
	for (size_t n = 0; n < READINGS; n++) {
		const tally *a = &s->all[n], *v = &s->voted[n];
		(void)printf("{\"bench\":\"readings\",\"reading\":\"%s\",\"images\":%zu,\"portion\":%g,"
		             "\"coverage\":%.1f,\"accuracy\":%.1f,\"voted_accuracy\":%.1f,"
		             "\"threshold_accuracy\":%.1f}\n",
		             readings[n].name, s->list.count, portion, percent(a->count, s->pixels),
		             percent(a->right, a->judged), percent(v->right, v->judged),
		             by_threshold(s, a->count));
	}
}

/* "0,0,1,255": the class of each stored value. */
static bool read_map(const char *text, label_map *map)
{
	for (size_t v = 0; v < 65536; v++)
		map->train[v] = text == NULL && v < 255 ? (uint16_t)v : LABEL_UNKNOWN;
	map->train[255] = CLASS_IGNORE;
	for (size_t v = 0; text != NULL && v < 65536; v++) {
		char *end;
		unsigned long id = strtoul(text, &end, 10);
		if (end == text || id > 255 || (*end != ',' && *end != '\0'))
			return false;
		map->train[v] = (uint16_t)id;
		text = *end == ',' ? end + 1 : NULL;
	}
	return true;
}

static int usage(void)
{
	(void)fprintf(stderr, "usage: bench_readings STATE_DIR RUN ROUND DATA [--layout NAME] [--split NAME]\n"
	                      "       [--include GLOB] [--map ID,ID,...] [--portion P] [--threads N]\n");
	return 2;
}

int main(int argc, char **argv)
{
	const char *layout = "folder", *split = NULL, *include = NULL, *map = NULL;
	double portion = 0.2;
	size_t threads = bench_threads();
	tp_err err = {0};
	static work s;
	if (argc < 5 || argc % 2 == 0)
		return usage();
	for (int i = 5; i < argc; i += 2) {
		const char *key = argv[i], *value = argv[i + 1];
		if (strcmp(key, "--layout") == 0)
			layout = value;
		else if (strcmp(key, "--split") == 0)
			split = value;
		else if (strcmp(key, "--include") == 0)
			include = value;
		else if (strcmp(key, "--map") == 0)
			map = value;
		else if (strcmp(key, "--portion") == 0)
			portion = strtod(value, NULL);
		else if (strcmp(key, "--threads") == 0)
			threads = strtoul(value, NULL, 10);
		else
			return usage();
	}
	data_layout how;
	if (!read_map(map, &s.map) || !(portion > 0 && portion <= 1) || threads == 0)
		return usage();
	if (!data_layout_parse(layout, &how))
		return usage();
	bench_check(dataset_scan(how, argv[4], split, include, &s.list, &err), &err);
	s.dirfd = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s.dirfd < 0)
		bench_check(tp_fail(&err, TP_NOTFOUND, 0, "%s: no such folder", argv[1]), &err);
	s.run = strtol(argv[2], NULL, 10);
	s.round = strtol(argv[3], NULL, 10);
	s.pool = bench_pool(threads);
	s.by_r = calloc(R_BINS + 1, sizeof *s.by_r);
	if (s.by_r == NULL)
		bench_check(tp_fail(&err, TP_NOMEM, 0, "out of memory"), &err);
	thresholds(&s, portion, 0.05);
	for (size_t i = 0; i < s.list.count; i++)
		judge_image(&s, i);
	report(&s, portion);
	pool_free(s.pool);
	conf_hist_done(&s.hist);
	dataset_list_done(&s.list);
	mem_free(s.p);
	mem_free(s.scratch);
	mem_free(s.r);
	mem_free(s.byte);
	mem_free(s.votes);
	free(s.by_r);
	return 0;
}
