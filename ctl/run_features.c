/* How the images of both domains lie to each other in the eyes of a round's network. */
#include <stdio.h>

#include "commands.h"
#include "runs.h"
#include "show.h"

static const column map_columns[] = {
	{"round", "round", COLUMN_NUMBER},
	{"network", "network", COLUMN_TEXT},
	{"perplexity", "perplexity", COLUMN_NUMBER},
	{"KL divergence", "kl", COLUMN_NUMBER},
	{"source images", "source.shown", COLUMN_NUMBER},
	{"of", "source.of", COLUMN_NUMBER},
	{"target images", "target.shown", COLUMN_NUMBER},
	{"of", "target.of", COLUMN_NUMBER},
};

static const column point_columns[] = {
	{"DOMAIN", "domain", COLUMN_TEXT}, {"IMAGE", "image", COLUMN_NUMBER}, {"NAME", "name", COLUMN_TEXT},
	{"X", "x", COLUMN_FIXED},          {"Y", "y", COLUMN_FIXED},
};

static void print_features(ctl_format format, const json_t *o)
{
	if (format == FORMAT_TABLE) {
		record_print(format, o, map_columns, COUNT_OF(map_columns));
		(void)fputc('\n', stdout);
	}
	records_print(format, json_object_get(o, "points"), point_columns, COUNT_OF(point_columns));
}

/* The daemon sends nothing before it has finished: an hour's patience, unless another is asked for. */
ctl_exit run_features(ctl *c, const ctl_args *a)
{
	enum { PATIENCE_S = 3600 };
	buffer path = {0};
	ctl_exit rc = ref_number("a round", a->word[1]);
	if (rc == CTL_OK)
		rc = run_path(c, a->word[0], "/rounds/", &path);
	if (rc != CTL_OK)
		return rc;
	buffer_printf(&path, "%s/features%s", a->word[1], args_has(a, "before") ? "?network=before" : "");
	const client_call call = {
		.method = "GET", .path = path.data, .idle_s = args_has(a, "timeout") ? 0 : PATIENCE_S};
	client_answer answer;
	rc = client_call_reported(c->client, &call, &answer);
	if (rc == CTL_OK && c->format == FORMAT_JSON) {
		show_body(&answer);
	} else if (rc == CTL_OK) {
		json_t *o = client_answer_json(&answer);
		if (o == NULL)
			rc = ctl_fail(CTL_FAILED, "%s: the answer is no JSON", path.data);
		else
			print_features(c->format, o);
		json_decref(o);
	}
	client_answer_free(&answer);
	buffer_free(&path);
	return rc;
}
