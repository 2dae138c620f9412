/* Evaluation on the labelled images of the evaluation data set: confusion matrix and IoU. */
#include <math.h>
#include <stdlib.h>

#include "adapt/metrics.h"
#include "data/label.h"
#include "data/prefetch.h"
#include "run/job.h"
#include "train/score.h"

static tp_status add_image(scorer *sc, const job_images *im, size_t i, const image *img,
                           uint64_t *matrix, tp_err *err)
{
	const uint8_t *pred;
	uint8_t *truth;
	size_t w, h;
	tp_status st = label_load(im->row[i].label, &im->map, img->w, img->h, &truth, &w, &h, err);
	if (st != TP_OK)
		return st;
	st = scorer_predict(sc, img, &pred, err);
	if (st == TP_OK)
		confusion_add(matrix, im->classes.count, truth, pred, w * h);
	free(truth);
	return st;
}

static tp_status all_images(job *j, scorer *sc, uint64_t *matrix, tp_err *err)
{
	const job_images *im = &j->setup.eval;
	const char **path = calloc(im->count, sizeof *path);
	prefetch *ahead = NULL;
	if (path == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory for paths");
	for (size_t i = 0; i < im->count; i++)
		path[i] = im->row[i].image;
	tp_status st = prefetch_create(path, im->count, &ahead, err);
	for (size_t i = 0; i < im->count && st == TP_OK; i++) {
		image img = {0};
		if (job_stopped(j)) {
			st = TP_CANCELLED;
			break;
		}
		st = prefetch_next(ahead, &img, err);
		if (st == TP_OK)
			st = add_image(sc, im, i, &img, matrix, err);
		image_done(&img);
		if (st == TP_OK)
			progress_unit(j->progress, i + 1, NAN, 0);
	}
	prefetch_free(ahead);
	free(path);
	return st;
}

static char *iou_text(const double *iou, size_t classes)
{
	json_t *a = json_array();
	for (size_t k = 0; k < classes; k++)
		(void)json_array_append_new(a, iou[k] < 0 ? json_null() : json_real(iou[k]));
	char *text = json_dumps(a, JSON_COMPACT | JSON_REAL_PRECISION(8));
	json_decref(a);
	return text;
}

static char *matrix_text(const uint64_t *m, size_t classes)
{
	json_t *rows = json_array();
	for (size_t i = 0; i < classes; i++) {
		json_t *row = json_array();
		for (size_t k = 0; k < classes; k++)
			(void)json_array_append_new(row, json_integer((json_int_t)m[i * classes + k]));
		(void)json_array_append_new(rows, row);
	}
	char *text = json_dumps(rows, JSON_COMPACT);
	json_decref(rows);
	return text;
}

static tp_status keep(job *j, const uint64_t *matrix, tp_err *err)
{
	size_t classes = j->setup.eval.classes.count;
	const stage *s = job_stage(j);
	double iou[256];
	evaluation_row row = {.run = j->run,
	                      .stage = (int64_t)j->at,
	                      .round = s->round,
	                      .step = job_global_step(j, j->at),
	                      .phase = (char *)phase_name(j->setup.stages[j->at == 0 ? 0 : j->at - 1].phase),
	                      .miou = confusion_iou(matrix, classes, iou)};
	row.iou = iou_text(iou, classes);
	row.confusion = matrix_text(matrix, classes);
	tp_status st = row.iou == NULL || row.confusion == NULL
	                   ? tp_fail(err, TP_NOMEM, 0, "out of memory for an evaluation")
	                   : store_evaluation_add(j->store, &row, err);
	free(row.iou);
	free(row.confusion);
	return st;
}

tp_status stage_evaluate(job *j, tp_err *err)
{
	size_t classes = j->setup.eval.classes.count;
	uint64_t *matrix = calloc(classes * classes, sizeof *matrix);
	scorer *sc = NULL;
	scorer_spec spec = {.recipe = &j->setup.config.recipe,
	                    .net = &j->setup.net,
	                    .values = train_state_model(&j->state),
	                    .classes = classes,
	                    .norm = j->setup.norm,
	                    .pool = j->pool,
	                    .stop = j->stop};
	tp_status st = matrix == NULL ? tp_fail(err, TP_NOMEM, 0, "out of memory for a confusion matrix")
	                              : scorer_create(&spec, &sc, err);
	if (st == TP_OK)
		st = all_images(j, sc, matrix, err);
	if (st == TP_OK)
		st = keep(j, matrix, err);
	scorer_free(sc);
	free(matrix);
	if (st == TP_OK)
		job_event(j, "evaluation.done", "{}");
	return st;
}
