/* round_alarms: what of a round's audit a person should look at. Self-training feeds on its own labels, and
 * a class that eats another or dies out leaves the loss looking well; these rules look at what the network
 * predicts instead. Few rules, each with one limit that its alarm names:
 *
 *   class_collapsed       the class has less than a fifth of its share of round 0, if that was at least
 *                         0.1 %: the labels no longer keep it alive
 *   class_drift           else, its share grew or fell by more than a factor 1.5 and one percentage point
 *                         against round 0: class-balanced thresholds label a fixed portion of every class,
 *                         so a class predicted too often also gets too many labels
 *   predictions_unstable  less than 80 % of the pixels keep the class of the round before
 *   labels_unstable       less than 90 % of the pixels that both rounds label keep their label; they are
 *                         the sure ones, so this is worse news than the rule above
 *   labels_wrong          less than 60 % of a class's labels are right, and they are at least 1 % of all
 *                         labels with a truth
 *
 * The last one needs a truth, the two before it an earlier round. */
#ifndef TPLDD_ROUND_ALARMS_H
#define TPLDD_ROUND_ALARMS_H

#include "data/classes.h"
#include "store/store.h"

/* Sets a->alarm and a->alarms from the rest of *a, classes first; malloc'ed, round_audit_row_done frees.
 * a->classes <= names->count. TP_NOMEM. */
tp_status round_alarms(round_audit_row *a, const class_set *names, tp_err *err) TP_MUST_CHECK;

#endif
