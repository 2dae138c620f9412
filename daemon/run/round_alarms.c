#include "run/round_alarms.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double COLLAPSED_TO = 0.2;        /* of the share in round 0 */
static const double COLLAPSED_LEAST = 0.001;   /* share in round 0 that can collapse */
static const double DRIFT_FACTOR = 1.5;
static const double DRIFT_POINTS = 0.01;       /* a rare class may double without harm */
static const double PREDICTIONS_AGREE = 0.8;
static const double LABELS_AGREE = 0.9;
static const double LABELS_RIGHT = 0.6;
static const double LABELS_WRONG_LEAST = 0.01; /* of all labels with a truth */

enum { ALARM_TEXT_MAX = 256 };

typedef struct alarms {
	round_audit_row *audit;
	const class_set *names;
	bool failed;
} alarms;

static void __attribute__((format(printf, 6, 7))) raise_alarm(alarms *a, const char *kind, int64_t id,
                                                              double value, double limit,
                                                              const char *format, ...)
{
	char text[ALARM_TEXT_MAX];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	round_audit_row *r = a->audit;
	round_alarm_row *more = realloc(r->alarm, (r->alarms + 1) * sizeof *more);
	a->failed = a->failed || more == NULL;
	if (more == NULL)
		return;
	r->alarm = more;
	round_alarm_row *row = &r->alarm[r->alarms++];
	*row = (round_alarm_row){.kind = strdup(kind), .text = strdup(text), .class_id = id,
	                         .value = value, .limit = limit};
	a->failed = a->failed || row->kind == NULL || row->text == NULL;
}

static void look_at_share(alarms *a, size_t k)
{
	const round_class_row *c = &a->audit->class[k];
	const char *name = a->names->item[k].name;
	double now = c->share, first = c->share_first;
	double most = fmax(first * DRIFT_FACTOR, first + DRIFT_POINTS);
	double least = fmin(first / DRIFT_FACTOR, first - DRIFT_POINTS);
	if (first >= COLLAPSED_LEAST && now < COLLAPSED_TO * first)
		raise_alarm(a, "class_collapsed", (int64_t)k, now, COLLAPSED_TO * first,
		            "%s is predicted for %.2f %% of the pixels, in round 0 it was %.2f %%: the"
		            " class is being forgotten", name, 100 * now, 100 * first);
	else if (now > most)
		raise_alarm(a, "class_drift", (int64_t)k, now, most,
		            "%s is predicted for %.1f %% of the pixels, in round 0 it was %.1f %%: it"
		            " may be growing on labels of its own making", name, 100 * now, 100 * first);
	else if (now < least)
		raise_alarm(a, "class_drift", (int64_t)k, now, least,
		            "%s is predicted for %.1f %% of the pixels, in round 0 it was %.1f %%: other"
		            " classes are taking its place", name, 100 * now, 100 * first);
}

static round_label_row sum_of(const round_class_row *c)
{
	round_label_row sum = {0};
	for (size_t o = 0; o < ROUND_ORIGINS; o++) {
		sum.truth += c->label[o].truth;
		sum.right += c->label[o].right;
	}
	return sum;
}

static void look_at_truth(alarms *a, size_t k, int64_t all)
{
	round_label_row l = sum_of(&a->audit->class[k]);
	double accuracy = l.truth > 0 ? (double)l.right / (double)l.truth : 1.0;
	double share = all > 0 ? (double)l.truth / (double)all : 0.0;
	if (accuracy < LABELS_RIGHT && share >= LABELS_WRONG_LEAST)
		raise_alarm(a, "labels_wrong", (int64_t)k, accuracy, LABELS_RIGHT,
		            "%.0f %% of the labels of %s are right, and they are %.1f %% of all labels",
		            100 * accuracy, a->names->item[k].name, 100 * share);
}

static void look_at_round(alarms *a)
{
	double same = a->audit->agreement, labels = a->audit->label_agreement;
	if (same >= 0 && same < PREDICTIONS_AGREE)
		raise_alarm(a, "predictions_unstable", -1, same, PREDICTIONS_AGREE,
		            "%.0f %% of the pixels keep the class they had in the round before",
		            100 * same);
	if (labels >= 0 && labels < LABELS_AGREE)
		raise_alarm(a, "labels_unstable", -1, labels, LABELS_AGREE,
		            "%.0f %% of the pixels that both rounds label keep their label: training"
		            " is told one thing, then another", 100 * labels);
}

tp_status round_alarms(round_audit_row *audit, const class_set *names, tp_err *err)
{
	alarms a = {.audit = audit, .names = names};
	int64_t all = 0;
	for (size_t k = 0; k < audit->classes; k++)
		all += sum_of(&audit->class[k]).truth;
	for (size_t k = 0; k < audit->classes; k++) {
		look_at_share(&a, k);
		look_at_truth(&a, k, all);
	}
	look_at_round(&a);
	return a.failed ? tp_fail(err, TP_NOMEM, 0, "out of memory for alarms") : TP_OK;
}
