#include "commands.h"
#include "refs.h"
#include "show.h"
#include "transfer.h"

static const column list_columns[] = {
	{"ID", "id", COLUMN_NUMBER},           {"NAME", "name", COLUMN_TEXT},
	{"ARCHITECTURE", "arch", COLUMN_TEXT}, {"TENSORS", "tensors", COLUMN_NUMBER},
	{"SIZE", "bytes", COLUMN_BYTES},       {"WHOLE", "whole", COLUMN_YES},
	{"CREATED", "created", COLUMN_TIME},
};

static const column detail_columns[] = {
	{"id", "id", COLUMN_NUMBER},
	{"name", "name", COLUMN_TEXT},
	{"architecture", "arch", COLUMN_TEXT},
	{"output stride", "output_stride", COLUMN_NUMBER},
	{"dilations", "aspp_dilations", COLUMN_LIST},
	{"tensors", "tensors", COLUMN_NUMBER},
	{"size", "bytes", COLUMN_BYTES},
	{"whole network", "whole", COLUMN_YES},
	{"sha256", "sha256", COLUMN_TEXT},
	{"created", "created", COLUMN_TIME},
};

ctl_exit weights_ls(ctl *c, const ctl_args *a)
{
	return show_list(c, a, "/api/v1/weights", list_columns, COUNT_OF(list_columns));
}

static ctl_exit weights_path(ctl *c, const char *text, const char *tail, buffer *ret)
{
	char id[REF_MAX];
	ctl_exit rc = ref_resolve(c, REF_WEIGHTS, text, id);
	if (rc == CTL_OK)
		buffer_printf(ret, "/api/v1/weights/%s%s", id, tail);
	return rc;
}

ctl_exit weights_show(ctl *c, const ctl_args *a)
{
	buffer path = {0};
	ctl_exit rc = weights_path(c, a->word[0], "", &path);
	if (rc == CTL_OK)
		rc = show_object(c, path.data, detail_columns, COUNT_OF(detail_columns));
	buffer_free(&path);
	return rc;
}

ctl_exit weights_add(ctl *c, const ctl_args *a)
{
	if (!args_has(a, "name") || !args_has(a, "arch"))
		return ctl_fail(CTL_USAGE, "--name and --arch are needed");
	client_call call = {
		.method = "POST", .content_type = "application/octet-stream", .what = "uploading"};
	ctl_exit rc = transfer_open(a->word[0], &call.upload, &call.upload_size);
	if (rc != CTL_OK)
		return rc;
	buffer path = {0};
	buffer_add_text(&path, "/api/v1/weights");
	buffer_add_query(&path, "name", args_value(a, "name"));
	buffer_add_query(&path, "arch", args_value(a, "arch"));
	buffer_add_query(&path, "output_stride", args_value(a, "output-stride"));
	buffer_add_query(&path, "aspp_dilations", args_value(a, "aspp-dilations"));
	call.path = path.data;
	client_answer answer;
	rc = client_call_reported(c->client, &call, &answer);
	if (rc == CTL_OK)
		rc = show_answer(c, &answer, detail_columns, COUNT_OF(detail_columns));
	client_answer_free(&answer);
	(void)fclose(call.upload);
	buffer_free(&path);
	return rc;
}

ctl_exit weights_infer(ctl *c, const ctl_args *a)
{
	buffer path = {0};
	ctl_exit rc = weights_path(c, a->word[0], "/infer", &path);
	if (rc == CTL_OK)
		rc = transfer_infer(c, a, path.data, a->word[1]);
	buffer_free(&path);
	return rc;
}
