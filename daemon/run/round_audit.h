/* round_audit: the audit of the round being scored (adapt/audit.h): reads what the round before left on
 * the disk and, where the run evaluates at all, the truth, counts, and makes the rows. Trainer thread.
 *
 * Predictions are counted in all images. Labels are counted in the images that training takes them from:
 * all of them in phase 1, the easy ones in phase 2. A map that is gone, damaged or of another size is as
 * if it had never been: the audit is for people, and no run fails because of it. */
#ifndef TPLDD_ROUND_AUDIT_H
#define TPLDD_ROUND_AUDIT_H

#include "adapt/audit.h"
#include "run/job.h"
#include "train/score.h"

typedef struct round_audit {
	const job *j;
	int round;
	bool phase2;
	audit counts;
} round_audit;

tp_status round_audit_init(const job *j, int round, bool phase2, round_audit *ret,
                           tp_err *err) TP_MUST_CHECK;
void round_audit_done(round_audit *a); /* a zeroed struct is fine */

/* Image i as it was just labelled; `easy`: for the second time, as an easy image of phase 2. */
void round_audit_image(round_audit *a, size_t i, const scored_image *im, const logit_map *m,
                       const float *lambda, bool easy);
/* Share of the labels with a truth that are right, -1 without any. */
double round_audit_accuracy(const round_audit *a);
/* The rows, alarms included; the shares of earlier rounds come from the store. */
tp_status round_audit_row_of(const round_audit *a, const float *lambda, round_audit_row *ret,
                             tp_err *err) TP_MUST_CHECK;
/* One round.alarm event for each alarm. */
void round_audit_events(job *j, int round, const round_audit_row *row);

#endif
