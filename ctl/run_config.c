#include "run_config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"

enum { LINE_MAX_SHOWN = 120 };

/* Cuts the next key off *path: up to '.' or, in a pointer, up to '/' with ~1 and ~0 decoded. */
static char *next_key(char **path, bool pointer)
{
	char *key = *path, *to = key, *p = key;
	for (; *p != 0 && *p != (pointer ? '/' : '.'); p++) {
		if (pointer && p[0] == '~' && (p[1] == '0' || p[1] == '1'))
			*to++ = *++p == '0' ? '~' : '/';
		else
			*to++ = *p;
	}
	*path = *p != 0 ? p + 1 : NULL;
	*to = 0;
	return key;
}

static bool parse_index(const char *key, size_t *ret)
{
	if (!args_is_number(key))
		return false;
	*ret = strtoul(key, NULL, 10);
	return true;
}

static json_t *child_of(json_t *parent, const char *key)
{
	size_t i;
	if (json_is_array(parent))
		return parse_index(key, &i) ? json_array_get(parent, i) : NULL;
	return json_object_get(parent, key);
}

/* Takes v over. */
static bool set_child(json_t *parent, const char *key, json_t *v)
{
	size_t i;
	if (!json_is_array(parent))
		return json_object_set_new(parent, key, v) == 0;
	if (parse_index(key, &i) && i == json_array_size(parent))
		return json_array_append_new(parent, v) == 0;
	if (parse_index(key, &i))
		return json_array_set_new(parent, i, v) == 0;
	json_decref(v);
	return false;
}

/* The object or array that holds the last key. NULL: a plain value is in the way. */
static json_t *walk(json_t *o, char **path, bool pointer, char **ret_key)
{
	for (;;) {
		*ret_key = next_key(path, pointer);
		if (!json_is_object(o) && !json_is_array(o))
			return NULL;
		if (*path == NULL)
			return o;
		json_t *inner = child_of(o, *ret_key);
		if (inner == NULL) {
			inner = json_object();
			if (!set_child(o, *ret_key, inner))
				return NULL;
		}
		o = inner;
	}
}

ctl_exit run_config_set(json_t *o, const char *assignment)
{
	const char *equal = strchr(assignment, '=');
	if (equal == NULL || equal == assignment)
		return ctl_fail(CTL_USAGE, "--set needs KEY=VALUE, not '%s'", assignment);
	bool pointer = assignment[0] == '/';
	char *copy = copy_text(assignment), *key, *path = copy + pointer;
	copy[equal - assignment] = 0;
	json_t *v = json_loads(equal + 1, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
	if (v == NULL)
		v = json_string(equal + 1);
	json_t *parent = v != NULL ? walk(o, &path, pointer, &key) : NULL;
	bool good = parent != NULL && set_child(parent, key, json_incref(v));
	json_decref(v);
	free(copy);
	return good ? CTL_OK : ctl_fail(CTL_USAGE, "--set %s: there is no such place", assignment);
}

static ctl_exit load_file(const char *file, json_t **ret)
{
	json_error_t e;
	if (file == NULL) {
		*ret = json_object();
		return CTL_OK;
	}
	bool in = strcmp(file, "-") == 0;
	FILE *f = in ? stdin : fopen(file, "re");
	if (f == NULL)
		return ctl_fail(CTL_FAILED, "cannot read %s: %s", file, strerror(errno));
	*ret = json_loadf(f, JSON_REJECT_DUPLICATES, &e);
	if (!in)
		(void)fclose(f);
	if (*ret == NULL)
		return ctl_fail(CTL_FAILED, "%s:%d:%d: %.*s", in ? "standard input" : file, e.line,
		                e.column, LINE_MAX_SHOWN, e.text);
	if (json_is_object(*ret))
		return CTL_OK;
	json_decref(*ret);
	return ctl_fail(CTL_FAILED, "%s: must hold a JSON object",
	                in ? "standard input" : file);
}

ctl_exit run_config_load(const ctl_args *a, const char *file, json_t **ret)
{
	ctl_exit rc = load_file(file, ret);
	if (rc != CTL_OK)
		return rc;
	for (size_t i = 0; i < a->givens && rc == CTL_OK; i++) {
		const ctl_given *g = &a->given[i];
		if (strcmp(g->option->name, "set") == 0)
			rc = run_config_set(*ret, g->value);
		else if (strcmp(g->option->name, "seed") == 0 && !args_is_number(g->value))
			rc = ctl_fail(CTL_USAGE, "--seed must be a number");
		else if (strcmp(g->option->name, "seed") == 0)
			(void)json_object_set_new(*ret, "seed", json_integer(atoll(g->value)));
	}
	if (rc != CTL_OK)
		json_decref(*ret);
	return rc;
}
