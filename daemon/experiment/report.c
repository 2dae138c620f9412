#include "experiment/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- progress ---- */

/* 0..1 of a part's own run. */
static double part_done_share(store *st, scheduler *s, const part_row *p)
{
	run_row row;
	run_progress at;
	if (p->run == 0)
		return p->state == PART_COMPLETED || p->state == PART_FAILED ? 1.0 : 0.0;
	if (run_state_final(p->run_state))
		return 1.0;
	if (p->run_state == RUN_QUEUED && p->seconds <= 0.0)
		return 0.0; /* not begun: nothing to look up */
	if (store_run_get(st, p->run, &row, NULL) != TP_OK)
		return 0.0;
	double share = scheduler_progress(s, &row, &at, NULL) == TP_OK ? at.progress : 0.0;
	run_row_done(&row);
	return share;
}

/* Parts weigh what they are planned to compute; what that takes is known from those computed. */
static void measure_progress(store *st, scheduler *s, report *r)
{
	double all = 0, finished = 0, spent = 0, paid = 0;
	for (size_t i = 0; i < r->parts; i++) {
		const part_row *p = &r->part[i];
		if (p->config[0] == 0)
			continue; /* another part's run */
		double weight = (double)p->cost + 1, share = part_done_share(st, s, p);
		r->runs_total++;
		r->runs_done += share >= 1.0;
		all += weight;
		finished += weight * share;
		if (p->seconds > 0) {
			spent += p->seconds;
			paid += weight * share;
		}
	}
	r->progress = all > 0 ? finished / all : 1.0;
	r->eta_seconds = r->row.state == EXPERIMENT_RUNNING && paid > 0 ? (all - finished) * spent / paid
	                                                                : NAN;
}

/* ---- results ---- */

static double known(double v) { return v >= 0.0 ? v : (double)NAN; }

static void fill_run(const report *r, const part_row *p, report_run *to, double *iou)
{
	const part_row *origin = p->origin >= 0 ? &r->part[p->origin] : NULL;
	const part_row *of = p->config[0] == 0 ? origin : p;
	*to = (report_run){.seed = p->seed,
	                   .run = of->run,
	                   .source_run = origin != NULL ? origin->run : 0,
	                   .state = of->run != 0 ? run_state_name(of->run_state)
	                                         : part_state_name(of->state),
	                   .completed = of->run != 0 ? of->run_state == RUN_COMPLETED
	                                             : of->state == PART_COMPLETED,
	                   .miou_source = known(of->miou_source),
	                   .miou = known(of->miou_current),
	                   .miou_best = known(of->miou_best),
	                   .iou = iou};
	json_t *list = json_loads(of->iou, 0, NULL);
	for (size_t k = 0; k < r->class_count; k++) {
		const json_t *v = json_array_get(list, k);
		iou[k] = json_is_number(v) ? json_number_value(v) : (double)NAN;
	}
	json_decref(list);
}

/* What a variant's cells have of one number, by seed; NaN where there is no result yet. class -1: mIoU. */
static void take(const report *r, size_t variant, ptrdiff_t class, double to[EXPERIMENT_SEEDS])
{
	const report_run *cell = r->variant[variant].cell;
	for (size_t k = 0; k < r->definition.seeds; k++)
		to[k] = !cell[k].completed ? (double)NAN
		        : class < 0        ? cell[k].miou
		                           : cell[k].iou[class];
}

/* Over the seeds that all three have, or a part would be measured with one seed and the whole with
 * another. */
static double gap_closed(const report *r, size_t variant)
{
	const definition *d = &r->definition;
	double of[EXPERIMENT_SEEDS], low[EXPERIMENT_SEEDS], high[EXPERIMENT_SEEDS], part = 0, whole = 0;
	if (d->upper_bound < 0)
		return NAN;
	take(r, variant, -1, of);
	take(r, d->baseline, -1, low);
	take(r, (size_t)d->upper_bound, -1, high);
	for (size_t k = 0; k < d->seeds; k++) {
		if (isnan(of[k]) || isnan(low[k]) || isnan(high[k]))
			continue;
		part += of[k] - low[k];
		whole += high[k] - low[k];
	}
	/* Where the bound gains nothing, a share of it means nothing. */
	return whole > 1e-9 ? part / whole : (double)NAN;
}

static void judge(report *r, size_t i, summary *class_summary, double *class_difference)
{
	const definition *d = &r->definition;
	report_variant *v = &r->variant[i];
	double own[EXPERIMENT_SEEDS], base[EXPERIMENT_SEEDS];
	for (size_t k = 0; k < d->seeds; k++)
		v->completed += v->cell[k].completed;
	take(r, i, -1, own);
	take(r, d->baseline, -1, base);
	v->miou = statistics_summary(own, d->seeds);
	v->compared = i != d->baseline;
	v->difference = statistics_paired(own, base, d->seeds);
	v->gap_closed = gap_closed(r, i);
	v->iou = class_summary;
	v->iou_difference = class_difference;
	for (size_t k = 0; k < r->class_count; k++) {
		take(r, i, (ptrdiff_t)k, own);
		take(r, d->baseline, (ptrdiff_t)k, base);
		class_summary[k] = statistics_summary(own, d->seeds);
		class_difference[k] = statistics_paired(own, base, d->seeds).mean;
	}
}

static tp_status read_classes(store *st, report *r, tp_err *err)
{
	dataset_row row;
	tp_status rc = store_dataset_get(st, r->part[0].source, &row, err);
	if (rc != TP_OK)
		return rc;
	r->classes = json_loads(row.classes, 0, NULL);
	r->class_count = json_array_size(r->classes);
	dataset_row_done(&row);
	return TP_OK;
}

static tp_status fill(report *r, tp_err *err)
{
	const definition *d = &r->definition;
	size_t n = r->parts, k = r->class_count, at = 0;
	r->source = calloc(n + 1, sizeof *r->source);
	r->cell = calloc(n + 1, sizeof *r->cell);
	r->number = calloc((n + d->variants) * k + 1, sizeof *r->number);
	r->class_summary = calloc(d->variants * k + 1, sizeof *r->class_summary);
	if (r->source == NULL || r->cell == NULL || r->number == NULL || r->class_summary == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory for an experiment's results");
	for (size_t i = 0; i < n; i++) {
		const part_row *p = &r->part[i];
		fill_run(r, p, p->variant < 0 ? &r->source[r->sources++] : &r->cell[at++], r->number + i * k);
	}
	if (at != d->variants * d->seeds)
		return tp_fail(err, TP_CORRUPT, 0, "experiment %lld has %zu cells, not %zu",
		               (long long)r->row.id, at, d->variants * d->seeds);
	for (size_t i = 0; i < d->variants; i++)
		r->variant[i].cell = r->cell + i * d->seeds;
	for (size_t i = 0; i < d->variants; i++)
		judge(r, i, r->class_summary + i * k, r->number + (n + i) * k);
	return TP_OK;
}

/* ---- the whole ---- */

tp_status report_brief(store *st, scheduler *s, experiment_row *row, report *ret, tp_err *err)
{
	*ret = (report){.row = *row};
	*row = (experiment_row){0};
	problems p = {.err = err};
	ret->body = json_loads(ret->row.definition, 0, NULL);
	if (definition_read(ret->body, &ret->definition, &p) != TP_OK)
		return TP_CORRUPT;
	tp_status rc = store_experiment_parts(st, ret->row.id, &ret->part, &ret->parts, err);
	if (rc == TP_OK && ret->parts == 0)
		rc = tp_fail(err, TP_NOTFOUND, 0, "no such experiment"); /* deleted meanwhile */
	if (rc == TP_OK)
		measure_progress(st, s, ret);
	return rc;
}

tp_status report_make(store *st, scheduler *s, int64_t id, report *ret, tp_err *err)
{
	experiment_row row;
	*ret = (report){0};
	tp_status rc = store_experiment_get(st, id, &row, err);
	if (rc == TP_OK)
		rc = report_brief(st, s, &row, ret, err);
	if (rc == TP_OK)
		rc = read_classes(st, ret, err);
	return rc == TP_OK ? fill(ret, err) : rc;
}

void report_done(report *r)
{
	experiment_row_done(&r->row);
	json_decref(r->body);
	definition_done(&r->definition);
	json_decref(r->classes);
	rows_done(r->part, r->parts, sizeof *r->part, (void (*)(void *))part_row_done);
	free(r->source);
	free(r->cell);
	free(r->number);
	free(r->class_summary);
	*r = (report){0};
}
