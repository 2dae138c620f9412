#include <stdlib.h>

#include "commands.h"
#include "refs.h"
#include "show.h"
#include "transfer.h"

static const column list_columns[] = {
	{"ID", "id", COLUMN_NUMBER},
	{"NAME", "name", COLUMN_TEXT},
	{"RANK", "rank", COLUMN_NUMBER},
	{"CONFIDENCE", "confidence", COLUMN_NUMBER},
	{"SPLIT", "split", COLUMN_TEXT},
	{"CONFIDENT", "coverage.confident", COLUMN_PERCENT},
	{"VOTED", "coverage.voted", COLUMN_PERCENT},
	{"SOFT", "coverage.soft", COLUMN_PERCENT},
	{"IGNORED", "coverage.ignored", COLUMN_PERCENT},
};

static const column history_columns[] = {
	{"ROUND", "round", COLUMN_NUMBER},
	{"RANK", "rank", COLUMN_NUMBER},
	{"CONFIDENCE", "confidence", COLUMN_NUMBER},
	{"SPLIT", "split", COLUMN_TEXT},
	{"CONFIDENT", "coverage.confident", COLUMN_PERCENT},
	{"VOTED", "coverage.voted", COLUMN_PERCENT},
	{"SOFT", "coverage.soft", COLUMN_PERCENT},
	{"IGNORED", "coverage.ignored", COLUMN_PERCENT},
};

static const column detail_columns[] = {
	{"id", "id", COLUMN_NUMBER},          {"name", "name", COLUMN_TEXT},
	{"width", "width", COLUMN_NUMBER},    {"height", "height", COLUMN_NUMBER},
	{"labelled", "labelled", COLUMN_YES},
};

ctl_exit image_ls(ctl *c, const ctl_args *a)
{
	static const char *const filter[] = {"round", "split", "sort", "class"};
	char run[REF_MAX];
	ctl_exit rc = ref_resolve(c, REF_RUN, a->word[0], run);
	if (rc != CTL_OK)
		return rc;
	buffer path = {0};
	buffer_printf(&path, "/api/v1/runs/%s/images", run);
	for (size_t i = 0; i < COUNT_OF(filter); i++)
		buffer_add_query(&path, filter[i], args_value(a, filter[i]));
	rc = show_list(c, a, path.data, list_columns, COUNT_OF(list_columns));
	buffer_free(&path);
	return rc;
}

static void print_history(ctl_format format, const client_answer *answer)
{
	json_t *o = client_answer_json(answer);
	if (format == FORMAT_TABLE) {
		record_print(format, o, detail_columns, COUNT_OF(detail_columns));
		(void)fputc('\n', stdout);
	}
	records_print(format, json_object_get(o, "history"), history_columns,
	              COUNT_OF(history_columns));
	json_decref(o);
}

ctl_exit image_show(ctl *c, const ctl_args *a)
{
	char run[REF_MAX];
	ctl_exit rc = ref_number("an image", a->word[1]);
	if (rc == CTL_OK)
		rc = ref_resolve(c, REF_RUN, a->word[0], run);
	if (rc != CTL_OK)
		return rc;
	buffer path = {0};
	buffer_printf(&path, "/api/v1/runs/%s/images/%s", run, a->word[1]);
	const client_call call = {.method = "GET", .path = path.data};
	client_answer answer;
	rc = client_call_reported(c->client, &call, &answer);
	if (rc == CTL_OK && c->format == FORMAT_JSON)
		show_body(&answer);
	else if (rc == CTL_OK && answer.body.size > 0)
		print_history(c->format, &answer);
	client_answer_free(&answer);
	buffer_free(&path);
	return rc;
}

/* RUN ROUND IMAGE and the file's name. */
static ctl_exit get_file(ctl *c, const ctl_args *a, const char *name, const char *suffix,
                         const char *accept)
{
	char run[REF_MAX];
	ctl_exit rc = ref_number("a round", a->word[1]);
	if (rc == CTL_OK)
		rc = ref_number("an image", a->word[2]);
	if (rc == CTL_OK)
		rc = ref_resolve(c, REF_RUN, a->word[0], run);
	if (rc != CTL_OK)
		return rc;
	buffer path = {0};
	buffer_printf(&path, "/api/v1/runs/%s/rounds/%s/images/%s/", run, a->word[1], a->word[2]);
	buffer_add_escaped(&path, name);
	buffer_add_text(&path, suffix);
	client_call call = {
		.method = "GET", .path = path.data, .accept = accept, .what = "downloading"};
	rc = transfer_download(c, a, &call);
	buffer_free(&path);
	return rc;
}

ctl_exit image_get(ctl *c, const ctl_args *a)
{
	return get_file(c, a, a->word[3], ".png", "image/png");
}

ctl_exit image_probabilities(ctl *c, const ctl_args *a)
{
	return get_file(c, a, "probabilities", ".npy", "application/x-npy");
}
