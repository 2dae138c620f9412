/* The scoring of one round: logits of every target image (kept, so that a restart does not compute them
 * again), class thresholds, labels, voting, confidence, the easy/hard split, and the files people
 * browse. Rows appear in one transaction at the end, after the files are on the disk. */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adapt/split.h"
#include "base/file.h"
#include "data/logits.h"
#include "data/png_files.h"
#include "data/prefetch.h"
#include "run/job.h"
#include "run/round_audit.h"
#include "run/round_state.h"
#include "store/run_files.h"
#include "train/score.h"

enum { ORIGIN_COLORS = 4 };
/* none, confident, voted, soft: black, blue, orange, violet; apart for most colour-blind eyes. */
static const uint8_t origin_color[ORIGIN_COLORS][3] = {
	{0, 0, 0}, {0, 114, 178}, {230, 159, 0}, {170, 90, 200}};

typedef struct scoring {
	job *j;
	scorer *scorer;
	const job_images *images;
	size_t count, classes;
	int round;
	bool phase2;         /* easy images get full pseudo labels */
	conf_hist hist;
	float lambda[256];
	uint8_t class_palette[256][3], origin_palette[256][3];
	image_row *row;      /* [count]; class_confidence owned */
	double *score;
	bool *easy;
	round_audit audit;
	size_t done;         /* progress units */
} scoring;

static void advance(scoring *s)
{
	s->done++;
	progress_unit(s->j->progress, s->done, NAN, 0);
}

/* ---- first pass: logits and counts ------------------------------------------------------ */

/* The logits of an image, with the previous round's in them when the recipe wants it: that round's file
 * cannot be made again, so without it there is no going on. */
static tp_status logits_of(scoring *s, size_t i, const image *img, logit_map *map, tp_err *err)
{
	char file[RUN_FILE_MAX];
	logits_file before;
	tp_status st = scorer_logits(s->scorer, img, map, err);
	if (st != TP_OK || s->round == 0 || s->j->setup.config.recipe.self.label_momentum <= 0.0)
		return st;
	run_logits_file(s->j->run, s->round - 1, (int64_t)i, file);
	st = logits_read(s->j->state_dirfd, file, run_logits_stamp(s->j->run, s->round - 1), &before, err);
	if (st != TP_OK)
		return st;
	st = scorer_steady(s->scorer, map, &before.map, err);
	logits_done(&before);
	return st;
}

static tp_status logits_pass(scoring *s, tp_err *err)
{
	uint64_t stamp = run_logits_stamp(s->j->run, s->round);
	const char **path = calloc(s->count, sizeof *path);
	prefetch *ahead = NULL;
	char file[RUN_FILE_MAX];
	tp_status st = path == NULL ? tp_fail(err, TP_NOMEM, 0, "out of memory for paths") : TP_OK;
	for (size_t i = 0; i < s->count && st == TP_OK; i++) {
		run_logits_file(s->j->run, s->round, (int64_t)i, file);
		if (faccessat(s->j->state_dirfd, file, R_OK, 0) != 0)
			path[i] = s->images->row[i].image;
	}
	if (st == TP_OK)
		st = prefetch_create(path, s->count, &ahead, err);
	for (size_t i = 0; i < s->count && st == TP_OK; i++) {
		image img = {0};
		logits_file kept = {0};
		logit_map map;
		if (job_stopped(s->j)) {
			st = TP_CANCELLED;
			break;
		}
		run_logits_file(s->j->run, s->round, (int64_t)i, file);
		st = prefetch_next(ahead, &img, err);
		bool cached = st == TP_OK && img.rgb == NULL &&
		              logits_read(s->j->state_dirfd, file, stamp, &kept, NULL) == TP_OK;
		if (cached) {
			map = kept.map;
		} else if (st == TP_OK) {
			if (img.rgb == NULL) /* the kept file is damaged */
				st = image_load(s->images->row[i].image, &img, err);
			if (st == TP_OK)
				st = logits_of(s, i, &img, &map, err);
			if (st == TP_OK)
				st = logits_write(s->j->state_dirfd, file, stamp, &map, err);
		}
		if (st == TP_OK)
			st = scorer_count(s->scorer, &map, &s->hist, err);
		image_done(&img);
		logits_done(&kept);
		if (st == TP_OK)
			advance(s);
	}
	prefetch_free(ahead);
	free(path);
	return st;
}

/* ---- second pass: labels ---------------------------------------------------------------- */

/* The files of one image, and room for their names. */
typedef struct layers {
	png_file file[PNG_FILES_MAX];
	char name[PNG_FILES_MAX][RUN_FILE_MAX];
	size_t count;
} layers;

static void add_layer(layers *l, const scoring *s, size_t index, layer what, const uint8_t *map,
                      const uint8_t (*palette)[3])
{
	char *name = l->name[l->count];
	run_layer_file(s->j->run, s->round, (int64_t)index, what, name);
	l->file[l->count++] = (png_file){.name = name, .map = map, .palette = palette};
}

static tp_status write_layers(scoring *s, size_t index, const scored_image *im, tp_err *err)
{
	layers l = {.count = 0};
	if (im->weight == NULL) { /* the easy pass only replaces what differs */
		add_layer(&l, s, index, LAYER_PREDICTION, im->prediction, s->class_palette);
		add_layer(&l, s, index, LAYER_CONFIDENCE, im->confidence, NULL);
		add_layer(&l, s, index, LAYER_PSEUDO_CONFIDENT, im->confident, s->class_palette);
		add_layer(&l, s, index, LAYER_PSEUDO_VOTED, im->voted, s->class_palette);
	} else {
		char *name = l.name[l.count];
		run_weight_file(s->j->run, s->round, (int64_t)index, name);
		l.file[l.count++] = (png_file){.name = name, .wide = im->weight};
	}
	add_layer(&l, s, index, LAYER_PSEUDO_FINAL, im->final, s->class_palette);
	add_layer(&l, s, index, LAYER_ORIGIN, im->origin, s->origin_palette);
	return png_files_write(s->j->state_dirfd, l.file, l.count, im->w, im->h, s->j->pool, err);
}

static char *class_confidence_text(const image_confidence *c, size_t classes)
{
	json_t *a = json_array();
	for (size_t k = 0; k < classes; k++)
		(void)json_array_append_new(a, c->per_class[k] < 0 ? json_null()
		                                                   : json_real(c->per_class[k]));
	char *text = json_dumps(a, JSON_COMPACT | JSON_REAL_PRECISION(8));
	json_decref(a);
	return text;
}

static tp_status keep_row(scoring *s, size_t i, const scored_image *im, tp_err *err)
{
	image_row *r = &s->row[i];
	free(r->class_confidence);
	r->round = s->round;
	r->index = (int64_t)i;
	r->confidence = im->score.score;
	r->entropy = im->score.mean_entropy;
	r->ignored = im->share[ORIGIN_NONE];
	r->confident = im->share[ORIGIN_CONFIDENT];
	r->voted = im->share[ORIGIN_VOTED];
	r->soft = im->share[ORIGIN_SOFT];
	r->class_confidence = class_confidence_text(&im->score, s->classes);
	s->score[i] = im->score.score;
	return r->class_confidence == NULL ? tp_fail(err, TP_NOMEM, 0, "out of memory") : TP_OK;
}

static tp_status label_image(scoring *s, size_t i, bool easy, tp_err *err)
{
	char file[RUN_FILE_MAX];
	logits_file f = {0};
	image img = {0};
	vote_aid aid = {.hist = &s->hist};
	scored_image im;
	run_logits_file(s->j->run, s->round, (int64_t)i, file);
	tp_status st = logits_read(s->j->state_dirfd, file, run_logits_stamp(s->j->run, s->round), &f, err);
	if (st == TP_OK && scorer_needs_image(&s->j->setup.config.recipe)) {
		st = image_load(s->images->row[i].image, &img, err);
		aid.image = &img;
	}
	if (st == TP_OK)
		st = easy ? scorer_label_easy(s->scorer, &f.map, s->lambda, &aid, &im, err)
		          : scorer_label(s->scorer, &f.map, s->lambda, &aid, &im, err);
	if (st == TP_OK)
		st = write_layers(s, i, &im, err);
	if (st == TP_OK)
		st = keep_row(s, i, &im, err);
	if (st == TP_OK)
		round_audit_image(&s->audit, i, &im, &f.map, s->lambda, easy);
	image_done(&img);
	logits_done(&f);
	return st;
}

static tp_status labels_pass(scoring *s, tp_err *err)
{
	tp_status st = TP_OK;
	for (size_t i = 0; i < s->count && st == TP_OK; i++) {
		if (job_stopped(s->j))
			return TP_CANCELLED;
		st = label_image(s, i, false, err);
		if (st == TP_OK)
			advance(s);
	}
	return st;
}

/* ---- split and rows --------------------------------------------------------------------- */

static tp_status split(scoring *s, size_t *ret_easy, tp_err *err)
{
	size_t n = s->count;
	int64_t *id = calloc(n, sizeof *id);
	uint32_t *order = calloc(n, sizeof *order), *rank = calloc(n, sizeof *rank);
	tp_status st = TP_OK;
	if (id == NULL || order == NULL || rank == NULL) {
		st = tp_fail(err, TP_NOMEM, 0, "out of memory for the split");
	} else {
		for (size_t i = 0; i < n; i++)
			id[i] = (int64_t)i;
		*ret_easy = split_by_confidence(s->score, id, n,
		                                s->j->setup.config.recipe.self.easy_portion, order, rank,
		                                s->easy);
		for (size_t i = 0; i < n; i++) {
			s->row[i].easy = s->easy[i];
			s->row[i].rank = rank[i];
		}
	}
	free(id);
	free(order);
	free(rank);
	for (size_t i = 0; i < n && st == TP_OK && s->phase2; i++) {
		if (job_stopped(s->j))
			return TP_CANCELLED;
		if (s->easy[i])
			st = label_image(s, i, true, err);
	}
	return st;
}

/* The label files must outlive a power cut before rows name them: one flush for all of them. */
static tp_status flush_files(scoring *s, tp_err *err)
{
	char dir[RUN_FILE_MAX];
	run_round_dir(s->j->run, s->round, dir);
	int fd = openat(s->j->state_dirfd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 ? -1 : syncfs(fd);
	if (fd >= 0)
		(void)close(fd);
	return rc == 0 ? TP_OK : tp_fail(err, TP_IO, 0, "cannot flush %s to disk", dir);
}

static tp_status store_rows(scoring *s, size_t easies, double portion, tp_err *err)
{
	const recipe *r = &s->j->setup.config.recipe;
	uint8_t mine[256];
	size_t mines = rare_classes(&s->hist, r->self.mine_portion, mine);
	round_row row = {.run = s->j->run,
	                 .stage = (int64_t)s->j->at,
	                 .round = s->round,
	                 .phase = (char *)phase_name(s->phase2 ? PHASE_PHASE2_TRAINING
	                                                       : PHASE_PHASE1_TRAINING),
	                 .portion = portion,
	                 .easy = (int64_t)easies,
	                 .hard = (int64_t)(s->count - easies),
	                 .pseudo_accuracy = round_audit_accuracy(&s->audit)};
	round_audit_row audit = {0};
	for (size_t i = 0; i < s->count; i++) {
		row.confident += s->row[i].confident / (double)s->count;
		row.voted += s->row[i].voted / (double)s->count;
		row.soft += s->row[i].soft / (double)s->count;
		row.ignored += s->row[i].ignored / (double)s->count;
	}
	row.thresholds = round_thresholds_text(s->lambda, s->classes);
	row.class_stats = round_stats_text(s->hist.predicted, s->classes, mine, mines);
	tp_status st = row.thresholds == NULL || row.class_stats == NULL
	                   ? tp_fail(err, TP_NOMEM, 0, "out of memory for a round")
	                   : round_audit_row_of(&s->audit, s->lambda, &audit, err);
	if (st == TP_OK)
		st = store_round_add(s->j->store, &row, s->row, s->count, &audit, err);
	if (st == TP_OK)
		round_audit_events(s->j, s->round, &audit);
	round_audit_row_done(&audit);
	free(row.thresholds);
	free(row.class_stats);
	return st;
}

static tp_status prepare(scoring *s, tp_err *err)
{
	job *j = s->j;
	char dir[RUN_FILE_MAX], path[CONFIG_PATH_MAX + RUN_FILE_MAX];
	run_round_dir(j->run, s->round, dir);
	(void)snprintf(path, sizeof path, "%s/%s", j->daemon->state_dir, dir);
	tp_status st = file_mkdirs(path, err);
	class_set_palette(&j->setup.target.classes, s->class_palette);
	memcpy(s->origin_palette, origin_color, sizeof origin_color);
	s->row = calloc(s->count, sizeof *s->row);
	s->score = calloc(s->count, sizeof *s->score);
	s->easy = calloc(s->count, sizeof *s->easy);
	if (st == TP_OK && (s->row == NULL || s->score == NULL || s->easy == NULL))
		st = tp_fail(err, TP_NOMEM, 0, "out of memory for %zu images", s->count);
	scorer_spec spec = {.recipe = &j->setup.config.recipe,
	                    .net = &j->setup.net,
	                    .values = train_state_model(&j->state),
	                    .classes = s->classes,
	                    .norm = j->setup.norm,
	                    .pool = j->pool,
	                    .stop = j->stop};
	if (st == TP_OK)
		st = conf_hist_init(s->classes, &s->hist, err);
	if (st == TP_OK)
		st = round_audit_init(j, s->round, s->phase2, &s->audit, err);
	if (st == TP_OK)
		st = scorer_create(&spec, &s->scorer, err);
	return st;
}

static void finish(scoring *s)
{
	scorer_free(s->scorer);
	conf_hist_done(&s->hist);
	round_audit_done(&s->audit);
	for (size_t i = 0; s->row != NULL && i < s->count; i++)
		free(s->row[i].class_confidence);
	free(s->row);
	free(s->score);
	free(s->easy);
}

tp_status stage_score(job *j, tp_err *err)
{
	const recipe *r = &j->setup.config.recipe;
	int round = job_stage(j)->round;
	scoring s = {.j = j,
	             .images = &j->setup.target,
	             .count = j->setup.target.count,
	             .classes = j->setup.spec.classes,
	             .round = round,
	             .phase2 = (size_t)round >= r->self.phase1_rounds};
	double portion = portion_of_round(r->self.portion_initial, r->self.portion_step,
	                                  r->self.portion_max, (size_t)round);
	size_t easies = 0;
	tp_status st = prepare(&s, err);
	if (st == TP_OK)
		st = logits_pass(&s, err);
	if (st == TP_OK) {
		if (r->self.thresholds == THRESHOLD_GLOBAL)
			conf_hist_global_threshold(&s.hist, portion, s.lambda);
		else
			conf_hist_thresholds(&s.hist, portion, s.lambda);
		st = labels_pass(&s, err);
	}
	if (st == TP_OK)
		st = split(&s, &easies, err);
	if (st == TP_OK)
		st = flush_files(&s, err);
	if (st == TP_OK)
		st = store_rows(&s, easies, portion, err);
	finish(&s);
	if (st == TP_OK)
		job_event(j, "round.scored", "{}");
	return st;
}
