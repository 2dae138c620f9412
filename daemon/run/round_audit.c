#include "run/round_audit.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/file.h"
#include "data/image.h"
#include "data/label.h"
#include "data/png.h"
#include "run/round_alarms.h"
#include "run/round_state.h"
#include "store/run_files.h"

tp_status round_audit_init(const job *j, int round, bool phase2, round_audit *ret, tp_err *err)
{
	*ret = (round_audit){.j = j, .round = round, .phase2 = phase2};
	return audit_init(j->setup.spec.classes, &ret->counts, err);
}

void round_audit_done(round_audit *a)
{
	audit_done(&a->counts);
}

/* ---- images ----------------------------------------------------------------------------- */

/* A label layer of the round before; malloc'ed, NULL when there is none. */
static uint8_t *earlier_layer(const round_audit *a, size_t i, layer what, size_t w, size_t h)
{
	char name[RUN_FILE_MAX];
	void *bytes;
	uint16_t *v = NULL;
	size_t size, got_w, got_h;
	if (a->round == 0)
		return NULL;
	run_layer_file(a->j->run, a->round - 1, (int64_t)i, what, name);
	if (file_read(a->j->state_dirfd, name, IMAGE_MAX_BYTES, &bytes, &size, NULL) != TP_OK)
		return NULL;
	tp_status st = png_decode_values(bytes, size, name, &v, &got_w, &got_h, NULL);
	free(bytes);
	if (st != TP_OK)
		return NULL;
	uint8_t *map = got_w == w && got_h == h ? malloc(w * h) : NULL;
	for (size_t p = 0; map != NULL && p < w * h; p++)
		map[p] = (uint8_t)v[p];
	free(v);
	return map;
}

/* Only where the run was told to evaluate; malloc'ed or NULL. */
static uint8_t *truth_of(const round_audit *a, size_t i, size_t w, size_t h)
{
	const job_images *im = &a->j->setup.target;
	uint8_t *truth = NULL;
	size_t got_w, got_h;
	if (a->j->setup.eval.count == 0 || im->row[i].label[0] == 0 ||
	    label_load(im->row[i].label, &im->map, w, h, &truth, &got_w, &got_h, NULL) != TP_OK)
		return NULL;
	return truth;
}

static void add_predictions(round_audit *a, size_t i, const scored_image *im, const logit_map *m)
{
	uint8_t *before = earlier_layer(a, i, LAYER_PREDICTION, im->w, im->h);
	audit_predictions(&a->counts, im->prediction, before, &im->score, im->w * im->h);
	audit_flip(&a->counts, m);
	free(before);
}

static void add_labels(round_audit *a, size_t i, const scored_image *im, const float *lambda)
{
	uint8_t *before = earlier_layer(a, i, LAYER_PSEUDO_FINAL, im->w, im->h);
	uint8_t *truth = truth_of(a, i, im->w, im->h);
	audit_labels(&a->counts, im->prediction, im->final, im->origin, before, truth,
	             im->w * im->h);
	if (truth != NULL)
		audit_ranking(&a->counts, im->prob, lambda, truth, im->w * im->h);
	free(before);
	free(truth);
}

void round_audit_image(round_audit *a, size_t i, const scored_image *im, const logit_map *m,
                       const float *lambda, bool easy)
{
	if (!easy)
		add_predictions(a, i, im, m);
	if (easy == a->phase2)
		add_labels(a, i, im, lambda);
}

/* ---- rows ------------------------------------------------------------------------------- */

static double share_of(uint64_t part, uint64_t whole)
{
	return whole > 0 ? (double)part / (double)whole : -1.0;
}

double round_audit_accuracy(const round_audit *a)
{
	audit_label all = {0};
	for (size_t k = 0; k < a->counts.classes; k++) {
		audit_label l = audit_label_sum(&a->counts.of[k]);
		all.truth += l.truth;
		all.right += l.right;
	}
	return share_of(all.right, all.truth);
}

static round_class_row class_row(const audit *c, size_t k, uint64_t all, const float *lambda)
{
	const audit_class *of = &c->of[k];
	round_class_row r = {.share = all > 0 ? (double)of->predicted / (double)all : 0.0,
	                     .share_previous = -1.0,
	                     .agreement = share_of(of->same, of->either),
	                     .predicted = (int64_t)of->base,
	                     .threshold_accuracy = audit_threshold_accuracy(c, lambda, (int)k)};
	r.entropy = of->predicted > 0 ? of->entropy / (double)of->predicted : 0.0;
	r.share_first = r.share;
	for (size_t o = 0; o < ROUND_ORIGINS; o++)
		r.label[o] = (round_label_row){(int64_t)of->label[o].pixels,
		                               (int64_t)of->label[o].truth,
		                               (int64_t)of->label[o].right};
	return r;
}

/* What round 0 and the round before predicted, as the rounds themselves have it: also for a run that was
 * begun before there were audits. */
static tp_status earlier_shares(const round_audit *a, round_audit_row *row, tp_err *err)
{
	round_row *rounds = NULL;
	size_t n = 0;
	double *share = calloc(row->classes, sizeof *share);
	if (share == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory for a round");
	tp_status st = store_round_list(a->j->store, a->j->run, &rounds, &n, err);
	for (size_t i = 0; i < n && st == TP_OK; i++) {
		if (rounds[i].round != 0 && rounds[i].round != a->round - 1)
			continue;
		st = round_shares(&rounds[i], row->classes, share, err);
		for (size_t k = 0; k < row->classes && st == TP_OK; k++) {
			if (rounds[i].round == 0)
				row->class[k].share_first = share[k];
			if (rounds[i].round == a->round - 1)
				row->class[k].share_previous = share[k];
		}
	}
	rows_done(rounds, n, sizeof *rounds, (void (*)(void *))round_row_done);
	free(share);
	return st;
}

tp_status round_audit_row_of(const round_audit *a, const float *lambda, round_audit_row *ret,
                             tp_err *err)
{
	const audit *c = &a->counts;
	round_audit_row row = {.round = a->round,
	                       .flip_agreement = share_of(c->flip.same, c->flip.both),
	                       .agreement = share_of(c->earlier.same, c->earlier.both),
	                       .label_agreement = share_of(c->labels.same, c->labels.both),
	                       .truth_pixels = (int64_t)c->truth,
	                       .threshold_accuracy =
	                           audit_threshold_accuracy(c, lambda, AUDIT_ALL),
	                       .classes = c->classes};
	uint64_t all = 0;
	row.class = calloc(c->classes, sizeof *row.class);
	if (row.class == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory for a round");
	for (size_t k = 0; k < c->classes; k++) {
		all += c->of[k].predicted;
		row.entropy += c->of[k].entropy;
	}
	row.entropy = all > 0 ? row.entropy / (double)all : 0.0;
	for (size_t k = 0; k < c->classes; k++)
		row.class[k] = class_row(c, k, all, lambda);
	tp_status st = a->round > 0 ? earlier_shares(a, &row, err) : TP_OK;
	if (st == TP_OK)
		st = round_alarms(&row, &a->j->setup.target.classes, err);
	if (st != TP_OK) {
		round_audit_row_done(&row);
		return st;
	}
	*ret = row;
	return TP_OK;
}

void round_audit_events(job *j, int round, const round_audit_row *row)
{
	for (size_t i = 0; i < row->alarms; i++) {
		const round_alarm_row *r = &row->alarm[i];
		json_t *class_id = r->class_id < 0 ? json_null() : json_integer((json_int_t)r->class_id);
		json_t *o = json_pack("{s:i, s:s, s:o, s:s, s:f, s:f}", "round", round, "kind", r->kind,
		                      "class", class_id, "text", r->text, "value", r->value, "limit",
		                      r->limit);
		char *text = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(8));
		if (text != NULL)
			job_event(j, "round.alarm", text);
		free(text);
		json_decref(o);
	}
}
