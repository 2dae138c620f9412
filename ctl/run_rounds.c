/* The rounds of a run, and what is to be said of their labels. */
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "runs.h"
#include "show.h"

static const column round_columns[] = {
	{"ROUND", "round", COLUMN_NUMBER},
	{"PHASE", "phase", COLUMN_TEXT},
	{"PORTION", "portion", COLUMN_PERCENT},
	{"CONFIDENT", "coverage.confident", COLUMN_PERCENT},
	{"VOTED", "coverage.voted", COLUMN_PERCENT},
	{"SOFT", "coverage.soft", COLUMN_PERCENT},
	{"IGNORED", "coverage.ignored", COLUMN_PERCENT},
	{"EASY", "easy", COLUMN_NUMBER},
	{"HARD", "hard", COLUMN_NUMBER},
	{"PSEUDO ACCURACY", "pseudo_accuracy", COLUMN_PERCENT},
	{"BY THRESHOLD", "audit.accuracy.threshold", COLUMN_PERCENT},
	{"ENTROPY", "audit.entropy", COLUMN_FIXED},
	{"SAME CLASS", "audit.agreement", COLUMN_PERCENT},
	{"SAME LABEL", "audit.label_agreement", COLUMN_PERCENT},
	{"FLIP", "audit.flip_agreement", COLUMN_PERCENT},
	{"ALARMS", "alarms", COLUMN_COUNT},
	{"THRESHOLDS", "thresholds", COLUMN_LIST},
};

static const column class_columns[] = {
	{"CLASS", "class", COLUMN_TEXT},
	{"SHARE", "share", COLUMN_PERCENT},
	{"ROUND 0", "share_first", COLUMN_PERCENT},
	{"BEFORE", "share_previous", COLUMN_PERCENT},
	{"ENTROPY", "entropy", COLUMN_FIXED},
	{"SAME", "agreement", COLUMN_PERCENT},
	{"CONFIDENT", "confident.coverage", COLUMN_PERCENT},
	{"RIGHT", "confident.accuracy", COLUMN_PERCENT},
	{"VOTED", "voted.coverage", COLUMN_PERCENT},
	{"RIGHT", "voted.accuracy", COLUMN_PERCENT},
	{"SOFT", "soft.coverage", COLUMN_PERCENT},
	{"RIGHT", "soft.accuracy", COLUMN_PERCENT},
	{"BY THRESHOLD", "threshold_accuracy", COLUMN_PERCENT},
};

static const column alarm_columns[] = {
	{"ROUND", "round", COLUMN_NUMBER},
	{"KIND", "kind", COLUMN_TEXT},
	{"ALARM", "text", COLUMN_TEXT},
};

static void add_alarms(json_t *list, const json_t *round)
{
	size_t i;
	json_t *a;
	json_array_foreach(json_object_get(round, "alarms"), i, a) {
		json_t *row = json_copy(a);
		(void)json_object_set(row, "round", json_object_get(round, "round"));
		(void)json_array_append_new(list, row);
	}
}

/* A second table, for people only: a CSV is one table. Takes `list` over. */
static void print_alarms(ctl_format format, json_t *list)
{
	if (format == FORMAT_TABLE && json_array_size(list) > 0) {
		(void)fputc('\n', stdout);
		records_print(format, list, alarm_columns, COUNT_OF(alarm_columns));
	}
	json_decref(list);
}

ctl_exit run_rounds(ctl *c, const ctl_args *a)
{
	buffer path = {0};
	json_t *o = NULL;
	ctl_exit rc = run_path(c, a->word[0], "/rounds", &path);
	if (rc == CTL_OK)
		rc = c->format == FORMAT_JSON ? show_raw(c, path.data, NULL)
		                              : client_get(c->client, path.data, &o);
	if (o != NULL) {
		json_t *alarms = json_array();
		size_t i;
		const json_t *round;
		json_array_foreach(o, i, round)
			add_alarms(alarms, round);
		records_print(c->format, o, round_columns, COUNT_OF(round_columns));
		print_alarms(c->format, alarms);
	}
	json_decref(o);
	buffer_free(&path);
	return rc;
}

/* The round that is asked for, or the newest; borrowed. NULL: there is none. */
static json_t *choose_round(json_t *rounds, const char *wanted)
{
	size_t i;
	json_t *r;
	if (wanted == NULL)
		return json_array_get(rounds, json_array_size(rounds) - 1);
	json_array_foreach(rounds, i, r)
		if (json_integer_value(json_object_get(r, "round")) == strtoll(wanted, NULL, 10))
			return r;
	return NULL;
}

/* "all classes": the round's own figures under the classes' names. */
static json_t *whole_row(const json_t *round)
{
	static const char *const origin[] = {"confident", "voted", "soft"};
	const json_t *audit = json_object_get(round, "audit");
	const json_t *accuracy = json_object_get(audit, "accuracy");
	json_t *row = json_pack("{s:s, s:O?, s:O?, s:O?}", "class", "all classes", "entropy",
	                        json_object_get(audit, "entropy"), "agreement",
	                        json_object_get(audit, "agreement"), "threshold_accuracy",
	                        json_object_get(accuracy, "threshold"));
	for (size_t i = 0; i < COUNT_OF(origin); i++)
		(void)json_object_set_new(
			row, origin[i],
			json_pack("{s:O?, s:O?}", "coverage",
		                  json_object_get(json_object_get(round, "coverage"), origin[i]),
		                  "accuracy", json_object_get(accuracy, origin[i])));
	return row;
}

static void print_audit(ctl_format format, json_t *round, const json_t *names)
{
	json_t *rows = json_array(), *c;
	size_t k;
	json_array_foreach(value_at(round, "audit.classes"), k, c) {
		json_t *name = json_array_get(names, k);
		(void)json_object_set(c, "class", name);
		(void)json_array_append(rows, c);
	}
	(void)json_array_append_new(rows, whole_row(round));
	records_print(format, rows, class_columns, COUNT_OF(class_columns));
	json_decref(rows);
	json_t *alarms = json_array();
	add_alarms(alarms, round);
	print_alarms(format, alarms);
}

/* The names of the run's classes stand in its IoU table, even an empty one. */
static ctl_exit print_named(ctl *c, const char *run, json_t *round)
{
	buffer path = {0};
	json_t *iou = NULL;
	ctl_exit rc = run_path(c, run, "/iou", &path);
	if (rc == CTL_OK)
		rc = client_get(c->client, path.data, &iou);
	if (rc == CTL_OK)
		print_audit(c->format, round, json_object_get(iou, "classes"));
	json_decref(iou);
	buffer_free(&path);
	return rc;
}

ctl_exit run_audit(ctl *c, const ctl_args *a)
{
	buffer path = {0};
	json_t *o = NULL;
	const char *wanted = a->words > 1 ? a->word[1] : NULL;
	if (wanted != NULL && !args_is_number(wanted))
		return ctl_fail(CTL_USAGE, "ROUND must be a number, not '%s'", wanted);
	ctl_exit rc = run_path(c, a->word[0], "/rounds", &path);
	if (rc == CTL_OK)
		rc = client_get(c->client, path.data, &o);
	json_t *round = rc == CTL_OK ? choose_round(o, wanted) : NULL;
	if (rc == CTL_OK && round == NULL && wanted != NULL)
		rc = ctl_fail(CTL_NOT_FOUND, "round %s was not scored", wanted);
	else if (rc == CTL_OK && round == NULL)
		rc = ctl_fail(CTL_NOT_FOUND, "no round was scored yet");
	else if (rc == CTL_OK && c->format == FORMAT_JSON)
		show_json(round);
	else if (rc == CTL_OK && !json_is_object(json_object_get(round, "audit")))
		rc = ctl_fail(CTL_NOT_FOUND, "an older program scored this round: it has no audit");
	else if (rc == CTL_OK)
		rc = print_named(c, a->word[0], round);
	json_decref(o);
	buffer_free(&path);
	return rc;
}
