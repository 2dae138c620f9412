#include "config/run_config_fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/problems.h"
#include "config/text.h"

/* Whole numbers up to here are exact as double. */
static const json_int_t exact_max = (json_int_t)1 << 53;

typedef struct reader {
	const json_t *body;
	run_config config;
	problems problems;
} reader;

/* The value at a pointer of the table (no escapes in it), NULL when absent. */
static json_t *find(const json_t *root, const char *pointer)
{
	const json_t *at = root;
	while (at != NULL && *pointer == '/') {
		char key[64];
		size_t len = strcspn(pointer + 1, "/");
		(void)snprintf(key, sizeof key, "%.*s", (int)len, pointer + 1);
		at = json_object_get(at, key);
		pointer += len + 1;
	}
	return (json_t *)at;
}

/* ---- reading ---- */

static void read_string(reader *r, const string_field *f)
{
	const json_t *v = find(r->body, f->pointer);
	char *to = (char *)&r->config + f->offset;
	if (v == NULL && f->required)
		problem(&r->problems, f->pointer, "is required");
	if (v == NULL || (f->nullable && json_is_null(v)))
		return;
	if (f->id && json_is_integer(v) && json_integer_value(v) > 0) {
		(void)snprintf(to, f->size, "%lld", (long long)json_integer_value(v));
		return;
	}
	if (!json_is_string(v)) {
		problem(&r->problems, f->pointer, "must be a string%s%s, not %s", f->id ? " or an id" : "",
		         f->nullable ? " or null" : "", text_json_type(v));
		return;
	}
	const char *text = json_string_value(v);
	size_t len = json_string_length(v);
	if (len == 0 || len >= f->size)
		problem(&r->problems, f->pointer, "has %zu bytes, not 1..%zu", len, f->size - 1);
	else if (!text_printable(text, len))
		problem(&r->problems, f->pointer, "holds control characters");
	else
		memcpy(to, text, len + 1);
}

static void complain_choice(reader *r, const char *pointer, const char *(*choice)(size_t))
{
	char names[400] = "";
	for (size_t i = 0; choice(i) != NULL; i++) {
		size_t at = strlen(names);
		(void)snprintf(names + at, sizeof names - at, "%s%s", i > 0 ? ", " : "", choice(i));
	}
	problem(&r->problems, pointer, "is not one of %s", names);
}

static void read_preset(reader *r)
{
	const json_t *v = json_object_get(r->body, "preset");
	const char *name = v == NULL ? run_config_default_preset : json_string_value(v);
	int i = name == NULL ? -1 : recipe_preset_find(name);
	if (name == NULL)
		problem(&r->problems, "/preset", "must be a string, not %s", text_json_type(v));
	else if (i < 0)
		complain_choice(r, "/preset", recipe_preset_name);
	if (i < 0) /* go on, to find the other mistakes */
		i = recipe_preset_find(run_config_default_preset);
	(void)snprintf(r->config.preset, sizeof r->config.preset, "%s",
	               recipe_preset_name((size_t)i));
	r->config.recipe = recipe_preset((size_t)i);
}

static void read_choice(reader *r, const recipe_field *f, const json_t *v)
{
	if (!json_is_string(v)) {
		problem(&r->problems, f->pointer, "must be a string, not %s", text_json_type(v));
		return;
	}
	for (size_t i = 0; f->choice(i) != NULL; i++)
		if (strcmp(f->choice(i), json_string_value(v)) == 0) {
			recipe_field_set(f, &r->config.recipe, 0, (double)i);
			return;
		}
	complain_choice(r, f->pointer, f->choice);
}

/* A number of the right type and in range; else complains. */
static bool read_number(reader *r, const recipe_field *f, const json_t *v, double *ret)
{
	char why[120];
	if (f->kind == FIELD_SIZE && !json_is_integer(v)) {
		problem(&r->problems, f->pointer, "must be a whole number, not %s", text_json_type(v));
		return false;
	}
	if (!json_is_number(v)) {
		problem(&r->problems, f->pointer, "must be a number, not %s", text_json_type(v));
		return false;
	}
	if (json_is_integer(v) &&
	    (json_integer_value(v) > exact_max || json_integer_value(v) < -exact_max)) {
		problem(&r->problems, f->pointer, "%lld is not in %.16g..%.16g",
		         (long long)json_integer_value(v), f->low, f->high);
		return false;
	}
	if (!recipe_field_accepts(f, json_number_value(v), why, sizeof why)) {
		problem(&r->problems, f->pointer, "%s", why);
		return false;
	}
	*ret = json_number_value(v);
	return true;
}

/* The field that holds an array's length, NULL when no key does. */
static const recipe_field *count_field(const recipe_field *array)
{
	const recipe_field *f;
	for (size_t i = 0; (f = recipe_field_at(i)) != NULL; i++)
		if (f->kind == FIELD_SIZE && f->elements == 0 && f->offset == array->count_offset)
			return f;
	return NULL;
}

/* An array's length sets its count, unless the count has a key of its own and that was given: then
 * the values beyond it are not used, as in checkpoints with more branches than they compute. */
static bool read_count(reader *r, const recipe_field *f, size_t n)
{
	if (f->count_offset == 0) {
		if (n != f->elements)
			problem(&r->problems, f->pointer, "has %zu values, not %zu", n, f->elements);
		return n == f->elements;
	}
	if (n < 1 || n > f->elements) {
		problem(&r->problems, f->pointer, "has %zu values, not 1..%zu", n, f->elements);
		return false;
	}
	size_t *count = (size_t *)(void *)((char *)&r->config.recipe + f->count_offset);
	const recipe_field *key = count_field(f);
	char why[120];
	if (key != NULL && !recipe_field_accepts(key, (double)n, why, sizeof why)) {
		problem(&r->problems, f->pointer, "number of values: %s", why);
		return false;
	}
	if (key != NULL && find(r->body, key->pointer) != NULL) {
		if (n < *count)
			problem(&r->problems, f->pointer, "has %zu values, fewer than %s", n, key->pointer);
		return n >= *count;
	}
	*count = n;
	return true;
}

static void read_array(reader *r, const recipe_field *f, const json_t *v)
{
	if (!json_is_array(v)) {
		problem(&r->problems, f->pointer, "must be an array of numbers, not %s", text_json_type(v));
		return;
	}
	if (!read_count(r, f, json_array_size(v)))
		return;
	for (size_t i = 0; i < json_array_size(v); i++) {
		double number;
		if (!read_number(r, f, json_array_get(v, i), &number))
			return;
		recipe_field_set(f, &r->config.recipe, i, number);
	}
}

static void read_option(reader *r, const recipe_field *f, const json_t *v)
{
	recipe *to = &r->config.recipe;
	if (json_is_null(v))
		recipe_field_set(f, to, 0, 0.0);
	else if (!json_is_object(v))
		problem(&r->problems, f->pointer, "must be an object or null, not %s", text_json_type(v));
	else if (recipe_field_get(f, to, 0) == 0.0)
		recipe_field_set(f, to, 0, f->value[0]);
}

static void read_field(reader *r, const recipe_field *f)
{
	const json_t *v = find(r->body, f->pointer);
	double number;
	if (v == NULL)
		return;
	if (f->elements > 0) {
		read_array(r, f, v);
		return;
	}
	switch (f->kind) {
	case FIELD_SIZE:
	case FIELD_REAL:
	case FIELD_FLOAT:
		if (read_number(r, f, v, &number))
			recipe_field_set(f, &r->config.recipe, 0, number);
		break;
	case FIELD_BOOL:
		if (json_is_boolean(v))
			recipe_field_set(f, &r->config.recipe, 0, json_is_true(v));
		else
			problem(&r->problems, f->pointer, "must be true or false, not %s", text_json_type(v));
		break;
	case FIELD_CHOICE:
		read_choice(r, f, v);
		break;
	case FIELD_OBJECT:
		if (!json_is_object(v))
			problem(&r->problems, f->pointer, "must be an object, not %s", text_json_type(v));
		break;
	case FIELD_OPTION:
		read_option(r, f, v);
		break;
	}
}

/* ---- unknown keys ---- */

static const char *known_pointer(size_t i)
{
	if (i < RUN_CONFIG_STRINGS)
		return run_config_strings[i].pointer;
	const recipe_field *f = recipe_field_at(i - RUN_CONFIG_STRINGS);
	return f == NULL ? NULL : f->pointer;
}

static bool known(const char *pointer)
{
	const char *p;
	for (size_t i = 0; (p = known_pointer(i)) != NULL; i++)
		if (strcmp(p, pointer) == 0)
			return true;
	return false;
}

/* The known key that was most likely meant: the same key elsewhere, or one of the same object that
 * is at most two typing mistakes away. */
static const char *meant(const char *parent, const char *key)
{
	const char *best = NULL, *p;
	size_t best_distance = 3, parent_len = strlen(parent);
	for (size_t i = 0; (p = known_pointer(i)) != NULL; i++) {
		const char *last = strrchr(p, '/');
		size_t distance = text_distance(last + 1, key);
		bool sibling =
			(size_t)(last - p) == parent_len && strncmp(p, parent, parent_len) == 0;
		if (!sibling)
			distance = distance == 0 ? 2 : best_distance;
		if (distance < best_distance && distance * 2 <= strlen(key) + 1) {
			best_distance = distance;
			best = p;
		}
	}
	return best;
}

static void find_unknown(reader *r, json_t *object, const char *parent)
{
	const char *key;
	json_t *v;
	json_object_foreach(object, key, v) {
		char escaped[100], pointer[200];
		text_pointer_token(escaped, sizeof escaped, key);
		(void)snprintf(pointer, sizeof pointer, "%.90s/%s", parent, escaped);
		if (known(pointer)) {
			if (json_is_object(v))
				find_unknown(r, v, pointer);
			continue;
		}
		const char *instead = meant(parent, key);
		problem(&r->problems, pointer, "unknown key%s%s%s", instead != NULL ? "; did you mean " : "",
		         instead != NULL ? instead : "", instead != NULL ? "?" : "");
	}
}

/* ---- what depends on several keys ---- */

/* A regulariser's weight means something else for each kind. */
static void default_weight(reader *r)
{
	recipe preset = recipe_preset((size_t)recipe_preset_find(r->config.preset));
	recipe *to = &r->config.recipe;
	if (to->self.reg != preset.self.reg &&
	    find(r->body, "/self_training/regularizer/weight") == NULL)
		to->self.reg_weight = recipe_regularizer_weight(to->self.reg);
}

static void check_together(reader *r)
{
	recipe_problem found[16];
	size_t n = recipe_problems(&r->config.recipe, found, 16);
	for (size_t i = 0; i < n && i < 16; i++)
		problem(&r->problems, found[i].pointer, "%s", found[i].text);
	if (r->config.recipe.source_training.steps == 0 && r->config.init[0] == 0)
		problem(&r->problems, "/model/init", "is needed when /source_training/steps is 0");
}

tp_status run_config_parse(const json_t *body, run_config *ret, config_error *errors, size_t max,
                           size_t *ret_errors, tp_err *err)
{
	reader r = {.body = body, .problems = {.error = errors, .max = max, .err = err}};
	if (!json_is_object(body)) {
		problem(&r.problems, "", "the run configuration must be a JSON object");
	} else {
		const recipe_field *f;
		read_preset(&r);
		for (size_t i = 0; i < RUN_CONFIG_STRINGS; i++)
			if (i != RUN_CONFIG_PRESET)
				read_string(&r, &run_config_strings[i]);
		for (size_t i = 0; (f = recipe_field_at(i)) != NULL; i++)
			read_field(&r, f);
		default_weight(&r);
		check_together(&r);
		find_unknown(&r, (json_t *)body, "");
	}
	*ret_errors = r.problems.count < max ? r.problems.count : max;
	if (r.problems.count > 0)
		return TP_INVALID; /* the first is in *err */
	*ret = r.config;
	return TP_OK;
}

/* ---- writing ---- */

static json_t *string_value(const string_field *f, const run_config *c)
{
	const char *text = (const char *)c + f->offset;
	return f->nullable && text[0] == 0 ? json_null() : json_string(text);
}

json_t *run_config_json(const run_config *c)
{
	json_t *root = json_object();
	const recipe_field *f;
	for (size_t i = 0; i < RUN_CONFIG_STRINGS; i++)
		if (!string_field_nested(&run_config_strings[i]))
			json_place(root, run_config_strings[i].pointer, NULL, string_value(&run_config_strings[i], c));
	for (size_t i = 0; (f = recipe_field_at(i)) != NULL; i++)
		json_place(root, f->pointer, NULL, recipe_field_json(f, &c->recipe));
	for (size_t i = 0; i < RUN_CONFIG_STRINGS; i++)
		if (string_field_nested(&run_config_strings[i]))
			json_place(root, run_config_strings[i].pointer, NULL, string_value(&run_config_strings[i], c));
	return root;
}

bool run_config_refused(tp_status st)
{
	return st == TP_INVALID || st == TP_NOTFOUND || st == TP_SHAPE || st == TP_EXISTS;
}
