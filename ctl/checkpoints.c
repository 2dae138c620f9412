#include "commands.h"
#include "refs.h"
#include "show.h"
#include "transfer.h"

static const column columns[] = {
	{"ID", "id", COLUMN_NUMBER},         {"RUN", "run", COLUMN_NUMBER},
	{"ROUND", "round", COLUMN_NUMBER},   {"PHASE", "phase", COLUMN_TEXT},
	{"STEP", "step", COLUMN_NUMBER},     {"SIZE", "bytes", COLUMN_BYTES},
	{"CREATED", "created", COLUMN_TIME}, {"SHA256", "sha256", COLUMN_TEXT},
};

ctl_exit checkpoint_ls(ctl *c, const ctl_args *a)
{
	char id[REF_MAX];
	ctl_exit rc = ref_resolve(c, REF_RUN, a->word[0], id);
	if (rc != CTL_OK)
		return rc;
	buffer path = {0};
	buffer_printf(&path, "/api/v1/runs/%s/checkpoints", id);
	rc = show_list(c, a, path.data, columns, COUNT_OF(columns));
	buffer_free(&path);
	return rc;
}

/* Checkpoints have no names. */
static ctl_exit checkpoint_path(const char *text, const char *tail, buffer *ret)
{
	ctl_exit rc = ref_number("a checkpoint", text);
	if (rc == CTL_OK)
		buffer_printf(ret, "/api/v1/checkpoints/%s%s", text, tail);
	return rc;
}

ctl_exit checkpoint_show(ctl *c, const ctl_args *a)
{
	buffer path = {0};
	ctl_exit rc = checkpoint_path(a->word[0], "", &path);
	if (rc == CTL_OK)
		rc = show_object(c, path.data, columns, COUNT_OF(columns));
	buffer_free(&path);
	return rc;
}

ctl_exit checkpoint_get(ctl *c, const ctl_args *a)
{
	buffer path = {0};
	ctl_exit rc = checkpoint_path(a->word[0], "/file", &path);
	if (rc == CTL_OK) {
		client_call call = {.method = "GET",
		                    .path = path.data,
		                    .what = "downloading",
		                    .accept = "application/octet-stream"};
		rc = transfer_download(c, a, &call);
	}
	buffer_free(&path);
	return rc;
}

ctl_exit checkpoint_infer(ctl *c, const ctl_args *a)
{
	buffer path = {0};
	ctl_exit rc = checkpoint_path(a->word[0], "/infer", &path);
	if (rc == CTL_OK)
		rc = transfer_infer(c, a, path.data, a->word[1]);
	buffer_free(&path);
	return rc;
}
