#include "config/run_config_fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STRING(member) offsetof(run_config, member), sizeof((run_config *)0)->member
const string_field run_config_strings[RUN_CONFIG_STRINGS] = {
	{"/name", STRING(name), .required = true, .text = "What people call the run"},
	[RUN_CONFIG_PRESET] =
	{"/preset", STRING(preset), .text = "Where the defaults of all other keys come from"},
	{"/source", STRING(source), .required = true, .id = true,
	 .text = "Labelled data set, by name or id"},
	{"/target", STRING(target), .required = true, .id = true,
	 .text = "Data set to adapt to, by name or id; its labels are never used for training"},
	{"/eval", STRING(eval), .nullable = true, .id = true,
	 .text = "Labelled data set to judge by, or null"},
	{"/model/init", STRING(init), .nullable = true, .id = true,
	 .text = "Weights to start from, by name or id, or checkpoint:ID, the whole network that another"
		 " run left; null starts from random numbers"},
};
const char run_config_default_preset[] = "tpld";

bool string_field_nested(const string_field *f)
{
	return strchr(f->pointer + 1, '/') != NULL;
}

/* The decimal number of fewest digits that reads back as the same float: 0.7, not 0.69999999. */
static double shortest(float v)
{
	char text[32];
	for (int digits = 6; digits < 9; digits++) {
		(void)snprintf(text, sizeof text, "%.*g", digits, (double)v);
		if (strtof(text, NULL) == v)
			return strtod(text, NULL);
	}
	return (double)v;
}

json_t *recipe_number_json(const recipe_field *f, double v)
{
	if (f->kind == FIELD_SIZE)
		return json_integer((json_int_t)v);
	return json_real(f->kind == FIELD_FLOAT ? shortest((float)v) : v);
}

json_t *recipe_field_json(const recipe_field *f, const recipe *r)
{
	if (f->kind == FIELD_OBJECT)
		return json_object();
	double v = recipe_field_get(f, r, 0);
	if (f->kind == FIELD_OPTION)
		return v == 0.0 ? json_null() : json_object();
	if (f->kind == FIELD_BOOL)
		return json_boolean(v != 0.0);
	if (f->kind == FIELD_CHOICE)
		return json_string(f->choice((size_t)v));
	if (f->elements == 0)
		return recipe_number_json(f, v);
	json_t *list = json_array();
	for (size_t i = 0; i < recipe_field_count(f, r); i++)
		(void)json_array_append_new(list, recipe_number_json(f, recipe_field_get(f, r, i)));
	return list;
}

void json_place(json_t *root, const char *pointer, const char *inner, json_t *v)
{
	const char *last = strrchr(pointer, '/');
	char parent[100];
	(void)snprintf(parent, sizeof parent, "%.*s", (int)(last - pointer), pointer);
	json_t *at = root;
	for (char *save, *key = strtok_r(parent, "/", &save); key != NULL && at != NULL;
	     key = strtok_r(NULL, "/", &save)) {
		if (inner != NULL)
			at = json_object_get(at, inner);
		at = json_object_get(at, key);
	}
	if (inner != NULL)
		at = json_object_get(at, inner);
	if (json_is_object(at))
		(void)json_object_set_new(at, last + 1, v);
	else
		json_decref(v);
}
