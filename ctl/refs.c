#include "refs.h"

#include <stdio.h>
#include <string.h>

#include "args.h"
#include "client.h"
#include "records.h"

static const struct {
	const char *path, *what;
} kinds[] = {
	[REF_RUN] = {"/api/v1/runs", "run"},
	[REF_DATASET] = {"/api/v1/datasets", "data set"},
	[REF_WEIGHTS] = {"/api/v1/weights", "weights file"},
	[REF_EXPERIMENT] = {"/api/v1/experiments", "experiment"},
};

/* The id of the first item of a list, or "" when it is empty. */
static ctl_exit first_of(ctl *c, const char *path, char ret_id[REF_MAX])
{
	json_t *page;
	ctl_exit rc = client_get(c->client, path, &page);
	if (rc != CTL_OK)
		return rc;
	value_plain(value_at(json_array_get(json_object_get(page, "items"), 0), "id"),
	            COLUMN_NUMBER, ret_id, REF_MAX);
	json_decref(page);
	return CTL_OK;
}

/* One run has the cores at a time; it may be on its way in or out. */
static ctl_exit running_run(ctl *c, char ret_id[REF_MAX])
{
	static const char *const state[] = {"running", "starting", "pausing", "completing",
	                                    "cancelling"};
	for (size_t i = 0; i < COUNT_OF(state); i++) {
		char path[64];
		(void)snprintf(path, sizeof path, "/api/v1/runs?limit=1&state=%s", state[i]);
		ctl_exit rc = first_of(c, path, ret_id);
		if (rc != CTL_OK || ret_id[0] != 0)
			return rc;
	}
	return ctl_fail(CTL_NOT_FOUND, "no run is running");
}

/* All pages, to know that the name is the only one. */
static ctl_exit by_name(ctl *c, ref_kind kind, const char *name, char ret_id[REF_MAX])
{
	buffer path = {0};
	char cursor[256] = "", id[REF_MAX];
	size_t found = 0;
	ctl_exit rc;
	do {
		buffer_clear(&path);
		buffer_printf(&path, "%s?limit=500", kinds[kind].path);
		buffer_add_query(&path, "cursor", cursor[0] != 0 ? cursor : NULL);
		json_t *page, *o;
		rc = client_get(c->client, path.data, &page);
		if (rc != CTL_OK)
			break;
		size_t i;
		json_array_foreach(json_object_get(page, "items"), i, o) {
			if (strcmp(text_at(o, "name", ""), name) != 0)
				continue;
			value_plain(value_at(o, "id"), COLUMN_NUMBER, id, sizeof id);
			if (found++ == 0)
				memcpy(ret_id, id, sizeof id);
			else
				rc = ctl_fail(CTL_USAGE,
				              "several are named '%s' (%s and %s): use the id",
				              name, id, ret_id);
			if (rc != CTL_OK)
				break;
		}
		(void)snprintf(cursor, sizeof cursor, "%s", text_at(page, "next_cursor", ""));
		json_decref(page);
	} while (rc == CTL_OK && cursor[0] != 0);
	buffer_free(&path);
	if (rc == CTL_OK && found == 0)
		return ctl_fail(CTL_NOT_FOUND, "there is no %s '%s'", kinds[kind].what, name);
	return rc;
}

ctl_exit ref_resolve(ctl *c, ref_kind kind, const char *text, char ret_id[REF_MAX])
{
	ret_id[0] = 0;
	if (args_is_number(text)) {
		(void)snprintf(ret_id, REF_MAX, "%s", text);
		return CTL_OK;
	}
	if (kind == REF_RUN && strcmp(text, "@running") == 0)
		return running_run(c, ret_id);
	if (kind == REF_RUN && strcmp(text, "@last") == 0) {
		ctl_exit rc = first_of(c, "/api/v1/runs?limit=1", ret_id);
		if (rc == CTL_OK && ret_id[0] == 0)
			rc = ctl_fail(CTL_NOT_FOUND, "there are no runs yet");
		return rc;
	}
	return by_name(c, kind, text, ret_id);
}

ctl_exit ref_number(const char *what, const char *text)
{
	if (args_is_number(text))
		return CTL_OK;
	return ctl_fail(CTL_USAGE, "%s must be a number, not '%s'", what, text);
}
