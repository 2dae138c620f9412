#include <stdlib.h>

#include "store/store_private.h"

#define AUDIT_COLUMNS                                                                              \
	"round, entropy, flip_agreement, agreement, label_agreement, truth_pixels,"                \
	" threshold_accuracy"
#define CLASS_COLUMNS                                                                              \
	"round, class, share, share_first, share_previous, entropy, agreement, predicted,"         \
	" confident, confident_truth, confident_right, voted, voted_truth, voted_right,"           \
	" soft, soft_truth, soft_right, threshold_accuracy"
#define ALARM_COLUMNS "round, kind, class, text, value, bound"

static void alarm_done(void *row)
{
	round_alarm_row *r = row;
	free(r->kind);
	free(r->text);
}

void round_audit_row_done(round_audit_row *r)
{
	free(r->class);
	rows_done(r->alarm, r->alarms, sizeof *r->alarm, alarm_done);
	*r = (round_audit_row){0};
}

static void done(void *row)
{
	round_audit_row_done(row);
}

/* ---- writing ---------------------------------------------------------------------------- */

static tp_status insert_class(db *d, int64_t run, int64_t round, int64_t id,
                              const round_class_row *c, tp_err *err)
{
	stmt q = stmt_open(d,
	                   "INSERT INTO round_class (run, " CLASS_COLUMNS
	                   ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	                   err);
	put_int(&q, run);
	put_int(&q, round);
	put_int(&q, id);
	put_real(&q, c->share);
	put_real(&q, c->share_first);
	put_real(&q, c->share_previous);
	put_real(&q, c->entropy);
	put_real(&q, c->agreement);
	put_int(&q, c->predicted);
	for (size_t o = 0; o < ROUND_ORIGINS; o++) {
		put_int(&q, c->label[o].pixels);
		put_int(&q, c->label[o].truth);
		put_int(&q, c->label[o].right);
	}
	put_real(&q, c->threshold_accuracy);
	return stmt_run(&q, "add a round's class");
}

static tp_status insert_alarm(db *d, int64_t run, int64_t round, int64_t position,
                              const round_alarm_row *a, tp_err *err)
{
	stmt q = stmt_open(d,
	                   "INSERT INTO round_alarm (run, position, " ALARM_COLUMNS
	                   ") VALUES (?,?,?,?,?,?,?,?)",
	                   err);
	put_int(&q, run);
	put_int(&q, position);
	put_int(&q, round);
	put_text(&q, a->kind);
	put_int(&q, a->class_id);
	put_text(&q, a->text);
	put_real(&q, a->value);
	put_real(&q, a->limit);
	return stmt_run(&q, "add a round's alarm");
}

tp_status audit_insert(db *d, int64_t run, int64_t round, const round_audit_row *a, tp_err *err)
{
	stmt q = stmt_open(d,
	                   "INSERT INTO round_audit (run, " AUDIT_COLUMNS
	                   ") VALUES (?,?,?,?,?,?,?,?)",
	                   err);
	put_int(&q, run);
	put_int(&q, round);
	put_real(&q, a->entropy);
	put_real(&q, a->flip_agreement);
	put_real(&q, a->agreement);
	put_real(&q, a->label_agreement);
	put_int(&q, a->truth_pixels);
	put_real(&q, a->threshold_accuracy);
	tp_status st = stmt_run(&q, "add the round's audit");
	for (size_t k = 0; k < a->classes && st == TP_OK; k++)
		st = insert_class(d, run, round, (int64_t)k, &a->class[k], err);
	for (size_t i = 0; i < a->alarms && st == TP_OK; i++)
		st = insert_alarm(d, run, round, (int64_t)i, &a->alarm[i], err);
	return st;
}

/* ---- reading ---------------------------------------------------------------------------- */

/* A class or an alarm as it is read: with the round it belongs to. */
typedef struct class_of_round {
	int64_t round;
	round_class_row row;
} class_of_round;
typedef struct alarm_of_round {
	int64_t round;
	round_alarm_row row;
} alarm_of_round;

static void read_audit(stmt *q, void *row)
{
	round_audit_row *r = row;
	*r = (round_audit_row){.round = get_int(q)};
	r->entropy = get_real(q);
	r->flip_agreement = get_real(q);
	r->agreement = get_real(q);
	r->label_agreement = get_real(q);
	r->truth_pixels = get_int(q);
	r->threshold_accuracy = get_real(q);
}

static void read_class(stmt *q, void *row)
{
	class_of_round *c = row;
	c->round = get_int(q);
	(void)get_int(q); /* the classes come in order, none is left out */
	c->row.share = get_real(q);
	c->row.share_first = get_real(q);
	c->row.share_previous = get_real(q);
	c->row.entropy = get_real(q);
	c->row.agreement = get_real(q);
	c->row.predicted = get_int(q);
	for (size_t o = 0; o < ROUND_ORIGINS; o++) {
		c->row.label[o].pixels = get_int(q);
		c->row.label[o].truth = get_int(q);
		c->row.label[o].right = get_int(q);
	}
	c->row.threshold_accuracy = get_real(q);
}

static void class_done(void *row)
{
	(void)row;
}

static void read_alarm(stmt *q, void *row)
{
	alarm_of_round *a = row;
	a->round = get_int(q);
	a->row.kind = get_text(q);
	a->row.class_id = get_int(q);
	a->row.text = get_text(q);
	a->row.value = get_real(q);
	a->row.limit = get_real(q);
}

static void alarm_of_round_done(void *row)
{
	alarm_done(&((alarm_of_round *)row)->row);
}

/* Moves the rows of one round from *at on into a->class. */
static tp_status give_classes(round_audit_row *a, const class_of_round *c, size_t n, size_t *at,
                              tp_err *err)
{
	size_t count = 0;
	while (*at + count < n && c[*at + count].round == a->round)
		count++;
	if (count > 0 && (a->class = calloc(count, sizeof *a->class)) == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory for a round's classes");
	for (size_t k = 0; k < count; k++)
		a->class[k] = c[(*at)++].row;
	a->classes = count;
	return TP_OK;
}

/* The same for alarms; their texts move, too. */
static tp_status give_alarms(round_audit_row *a, alarm_of_round *c, size_t n, size_t *at,
                             tp_err *err)
{
	size_t count = 0;
	while (*at + count < n && c[*at + count].round == a->round)
		count++;
	if (count > 0 && (a->alarm = calloc(count, sizeof *a->alarm)) == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory for a round's alarms");
	for (size_t i = 0; i < count; i++, (*at)++) {
		a->alarm[i] = c[*at].row;
		c[*at].row = (round_alarm_row){0};
	}
	a->alarms = count;
	return TP_OK;
}

static tp_status collect(db *d, const char *sql, int64_t run, row_read *read, row_done *row_done,
                         size_t size, void *ret, size_t *ret_n, tp_err *err)
{
	stmt q = stmt_open(d, sql, err);
	put_int(&q, run);
	return stmt_collect(&q, read, row_done, size, ret, ret_n);
}

tp_status store_round_audits(store *s, int64_t run, round_audit_row **ret, size_t *ret_n,
                             tp_err *err)
{
	round_audit_row *audit = NULL;
	class_of_round *class = NULL;
	alarm_of_round *alarm = NULL;
	size_t n = 0, classes = 0, alarms = 0, class_at = 0, alarm_at = 0;
	db *d;
	tp_status st = snapshot_enter(s, &d, err);
	if (st != TP_OK)
		return st;
	st = collect(d, "SELECT " AUDIT_COLUMNS " FROM round_audit WHERE run = ? ORDER BY round", run,
	             read_audit, done, sizeof *audit, &audit, &n, err);
	if (st == TP_OK)
		st = collect(d,
		             "SELECT " CLASS_COLUMNS
		             " FROM round_class WHERE run = ? ORDER BY round, class",
		             run, read_class, class_done, sizeof *class, &class, &classes, err);
	if (st == TP_OK)
		st = collect(d,
		             "SELECT " ALARM_COLUMNS
		             " FROM round_alarm WHERE run = ? ORDER BY round, position",
		             run, read_alarm, alarm_of_round_done, sizeof *alarm, &alarm, &alarms,
		             err);
	snapshot_leave(d);
	for (size_t i = 0; i < n && st == TP_OK; i++) {
		st = give_classes(&audit[i], class, classes, &class_at, err);
		if (st == TP_OK)
			st = give_alarms(&audit[i], alarm, alarms, &alarm_at, err);
	}
	free(class);
	rows_done(alarm, alarms, sizeof *alarm, alarm_of_round_done);
	if (st != TP_OK) {
		rows_done(audit, n, sizeof *audit, done);
		return st;
	}
	*ret = audit;
	*ret_n = n;
	return TP_OK;
}
