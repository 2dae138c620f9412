#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "refs.h"
#include "show.h"

static const column list_columns[] = {
	{"ID", "id", COLUMN_NUMBER},
	{"NAME", "name", COLUMN_TEXT},
	{"LAYOUT", "layout", COLUMN_TEXT},
	{"IMAGES", "images", COLUMN_NUMBER},
	{"LABELLED", "labelled", COLUMN_NUMBER},
	{"CLASSES", "classes", COLUMN_COUNT},
	{"CLASS SET", "class_set", COLUMN_TEXT},
	{"ROOT", "root", COLUMN_TEXT},
};

static const column detail_columns[] = {
	{"id", "id", COLUMN_NUMBER},
	{"name", "name", COLUMN_TEXT},
	{"layout", "layout", COLUMN_TEXT},
	{"root", "root", COLUMN_TEXT},
	{"split", "split", COLUMN_TEXT},
	{"include", "include", COLUMN_TEXT},
	{"images", "images", COLUMN_NUMBER},
	{"labelled", "labelled", COLUMN_NUMBER},
	{"class set", "class_set", COLUMN_TEXT},
	{"classes", "classes", COLUMN_COUNT},
	{"created", "created", COLUMN_TIME},
};

static const column class_columns[] = {
	{"CLASS", "id", COLUMN_NUMBER},
	{"NAME", "name", COLUMN_TEXT},
	{"COLOUR", "color", COLUMN_LIST},
};

static const column image_columns[] = {
	{"ID", "id", COLUMN_NUMBER},          {"NAME", "name", COLUMN_TEXT},
	{"WIDTH", "width", COLUMN_NUMBER},    {"HEIGHT", "height", COLUMN_NUMBER},
	{"LABELLED", "labelled", COLUMN_YES},
};

ctl_exit dataset_ls(ctl *c, const ctl_args *a)
{
	return show_list(c, a, "/api/v1/datasets", list_columns, COUNT_OF(list_columns));
}

/* "/api/v1/datasets/ID" + tail. */
static ctl_exit dataset_path(ctl *c, const char *text, const char *tail, buffer *ret)
{
	char id[REF_MAX];
	ctl_exit rc = ref_resolve(c, REF_DATASET, text, id);
	if (rc == CTL_OK)
		buffer_printf(ret, "/api/v1/datasets/%s%s", id, tail);
	return rc;
}

ctl_exit dataset_show(ctl *c, const ctl_args *a)
{
	buffer path = {0};
	client_answer answer = {0};
	ctl_exit rc = dataset_path(c, a->word[0], "", &path);
	if (rc == CTL_OK) {
		const client_call call = {.method = "GET", .path = path.data};
		rc = client_call_reported(c->client, &call, &answer);
	}
	if (rc == CTL_OK)
		rc = show_answer(c, &answer, detail_columns, COUNT_OF(detail_columns));
	if (rc == CTL_OK && c->format == FORMAT_TABLE) {
		json_t *o = client_answer_json(&answer);
		(void)fputc('\n', stdout);
		records_print(c->format, json_object_get(o, "classes"), class_columns,
		              COUNT_OF(class_columns));
		json_decref(o);
	}
	client_answer_free(&answer);
	buffer_free(&path);
	return rc;
}

ctl_exit dataset_images(ctl *c, const ctl_args *a)
{
	buffer path = {0};
	ctl_exit rc = dataset_path(c, a->word[0], "/images", &path);
	if (rc == CTL_OK)
		rc = show_list(c, a, path.data, image_columns, COUNT_OF(image_columns));
	buffer_free(&path);
	return rc;
}

static ctl_exit set_json_file(json_t *body, const char *key, const char *file)
{
	json_error_t e;
	json_t *v = json_load_file(file, JSON_REJECT_DUPLICATES, &e);
	if (v == NULL)
		return ctl_fail(CTL_FAILED, "%s:%d: %s", file, e.line, e.text);
	(void)json_object_set_new(body, key, v);
	return CTL_OK;
}

/* The daemon has another working directory: it gets absolute paths only. */
static ctl_exit set_root(json_t *body, const char *root)
{
	char *full = root[0] == '/' ? copy_text(root) : realpath(root, NULL);
	if (full == NULL)
		return ctl_fail(CTL_FAILED, "--root %s: %s", root, strerror(errno));
	(void)json_object_set_new(body, "root", json_string(full));
	free(full);
	return CTL_OK;
}

static ctl_exit new_dataset(const ctl_args *a, json_t *body)
{
	static const char *const plain[] = {"name", "layout", "split", "include"};
	for (size_t i = 0; i < COUNT_OF(plain); i++)
		if (args_has(a, plain[i]))
			(void)json_object_set_new(body, plain[i],
			                          json_string(args_value(a, plain[i])));
	if (!args_has(a, "name") || !args_has(a, "layout") || !args_has(a, "root"))
		return ctl_fail(CTL_USAGE, "--name, --layout and --root are needed");
	ctl_exit rc = set_root(body, args_value(a, "root"));
	const char *set = args_value(a, "class-set"), *map = args_value(a, "class-map");
	if (rc == CTL_OK && set != NULL && (strchr(set, '/') != NULL || access(set, R_OK) == 0))
		rc = set_json_file(body, "class_set", set);
	else if (rc == CTL_OK && set != NULL)
		(void)json_object_set_new(body, "class_set", json_string(set));
	if (rc == CTL_OK && map != NULL)
		rc = set_json_file(body, "class_map", map);
	return rc;
}

ctl_exit dataset_add(ctl *c, const ctl_args *a)
{
	json_t *body = json_object();
	ctl_exit rc = new_dataset(a, body);
	char *text = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	if (rc == CTL_OK && text == NULL)
		rc = ctl_fail(CTL_USAGE, "names must be UTF-8");
	if (rc == CTL_OK) {
		const client_call call = {.method = "POST",
		                          .path = "/api/v1/datasets",
		                          .body = text,
		                          .body_size = strlen(text)};
		client_answer answer;
		rc = client_call_reported(c->client, &call, &answer);
		if (rc == CTL_OK)
			rc = show_answer(c, &answer, detail_columns, COUNT_OF(detail_columns));
		client_answer_free(&answer);
	}
	free(text);
	return rc;
}

ctl_exit dataset_rm(ctl *c, const ctl_args *a)
{
	ctl_exit first = CTL_OK;
	for (size_t i = 0; i < a->words && !ctl_interrupted; i++) {
		buffer path = {0};
		ctl_exit rc = dataset_path(c, a->word[i], "", &path);
		if (rc == CTL_OK) {
			const client_call call = {.method = "DELETE", .path = path.data};
			client_answer answer;
			rc = client_call_reported(c->client, &call, &answer);
			client_answer_free(&answer);
		}
		if (rc == CTL_OK)
			ctl_note("data set %s is forgotten", a->word[i]);
		first = first == CTL_OK ? rc : first;
		buffer_free(&path);
	}
	return first;
}
