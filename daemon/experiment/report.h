/* report: where an experiment stands and what it has shown so far, as numbers. Missing ones are NaN. */
#ifndef TPLDD_EXPERIMENT_REPORT_H
#define TPLDD_EXPERIMENT_REPORT_H

#include "experiment/definition.h"
#include "experiment/statistics.h"
#include "run/scheduler.h"

/* A run of the experiment: a source training or a cell. */
typedef struct report_run {
	int64_t seed, run;      /* run 0: there is none (yet) */
	int64_t source_run;     /* whose source model it starts from, 0: none */
	const char *state;      /* of the run, or of the part that has none */
	bool completed;
	double miou_source, miou, miou_best;
	const double *iou;      /* of each class */
} report_run;

typedef struct report_variant {
	const report_run *cell; /* one for each seed, in the definition's order */
	size_t completed;
	summary miou;           /* of the completed cells */
	const summary *iou;     /* of each class */
	bool compared;          /* false: it is the baseline */
	paired difference;      /* against it, over the seeds that both have */
	const double *iou_difference; /* of each class, the mean */
	double gap_closed;      /* share of what the upper bound gains over the baseline, over the seeds that
	                           all three have */
} report_variant;

typedef struct report {
	experiment_row row;
	json_t *body;           /* the definition as it was given */
	definition definition;
	size_t runs_total, runs_done;
	double progress, eta_seconds;
	/* Of report_make only. */
	json_t *classes;        /* [{id, name, color}] */
	size_t class_count;
	report_run *source;
	size_t sources;
	report_variant variant[EXPERIMENT_VARIANTS];
	/* What the pointers above point into. */
	part_row *part;
	size_t parts;
	report_run *cell;
	double *number;
	summary *class_summary;
} report;

/* Everything. Free in any case. */
tp_status report_make(store *st, scheduler *s, int64_t id, report *ret, tp_err *err) TP_MUST_CHECK;
/* What a list shows; takes *row over. Free in any case. */
tp_status report_brief(store *st, scheduler *s, experiment_row *row, report *ret,
                       tp_err *err) TP_MUST_CHECK;
void report_done(report *r);

#endif
