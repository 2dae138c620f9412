/* The schema half of run_config.h. */
#include "config/run_config_fields.h"

static json_t *object_schema(bool nullable, const char *text)
{
	json_t *s = json_object();
	(void)json_object_set_new(s, "type",
	                          nullable ? json_pack("[ss]", "object", "null") :
	                                     json_string("object"));
	if (text != NULL)
		(void)json_object_set_new(s, "description", json_string(text));
	(void)json_object_set_new(s, "properties", json_object());
	(void)json_object_set_new(s, "additionalProperties", json_false());
	return s;
}

static json_t *number_schema(const recipe_field *f)
{
	json_t *s = json_object();
	(void)json_object_set_new(s, "type",
	                          json_string(f->kind == FIELD_SIZE ? "integer" : "number"));
	if (f->step > 1.0 && f->low + f->step == f->high) {
		(void)json_object_set_new(s, "enum",
		                          json_pack("[oo]", recipe_number_json(f, f->low),
		                                    recipe_number_json(f, f->high)));
		return s;
	}
	(void)json_object_set_new(s, "minimum", recipe_number_json(f, f->low));
	(void)json_object_set_new(s, "maximum", recipe_number_json(f, f->high));
	if (f->step == 2.0) /* odd */
		(void)json_object_set_new(s, "not", json_pack("{si}", "multipleOf", 2));
	return s;
}

static json_t *choice_schema(const recipe_field *f)
{
	json_t *names = json_array();
	for (size_t i = 0; f->choice(i) != NULL; i++)
		(void)json_array_append_new(names, json_string(f->choice(i)));
	return json_pack("{ssso}", "type", "string", "enum", names);
}

static json_t *array_schema(const recipe_field *f)
{
	return json_pack("{sssosIsI}", "type", "array", "items", number_schema(f), "minItems",
	                 (json_int_t)(f->count_offset == 0 ? f->elements : 1), "maxItems",
	                 (json_int_t)f->elements);
}

static json_t *field_schema(const recipe_field *f, const recipe *defaults)
{
	if (f->kind == FIELD_OBJECT || f->kind == FIELD_OPTION)
		return object_schema(f->kind == FIELD_OPTION, f->text);
	json_t *s;
	if (f->elements > 0)
		s = array_schema(f);
	else if (f->kind == FIELD_BOOL)
		s = json_pack("{ss}", "type", "boolean");
	else
		s = f->kind == FIELD_CHOICE ? choice_schema(f) : number_schema(f);
	(void)json_object_set_new(s, "default", recipe_field_json(f, defaults));
	(void)json_object_set_new(s, "description", json_string(f->text));
	(void)json_object_set_new(s, "x-origin", json_string(f->origin));
	return s;
}

static json_t *string_schema(const string_field *f)
{
	json_t *types = json_pack("[s]", "string"), *s = json_object();
	if (f->id)
		(void)json_array_append_new(types, json_string("integer"));
	if (f->nullable)
		(void)json_array_append_new(types, json_string("null"));
	(void)json_object_set_new(s, "type", types);
	(void)json_object_set_new(s, "minLength", json_integer(1));
	(void)json_object_set_new(s, "maxLength", json_integer((json_int_t)f->size - 1));
	if (f->id)
		(void)json_object_set_new(s, "minimum", json_integer(1));
	if (f->nullable)
		(void)json_object_set_new(s, "default", json_null());
	(void)json_object_set_new(s, "description", json_string(f->text));
	return s;
}

static json_t *preset_schema(void)
{
	json_t *list = json_array();
	for (size_t i = 0; recipe_preset_name(i) != NULL; i++)
		(void)json_array_append_new(list,
		                            json_pack("{ssss}", "const", recipe_preset_name(i),
		                                      "description", recipe_preset_text(i)));
	return json_pack("{ssssssso}", "type", "string", "default", run_config_default_preset, "description",
	                 run_config_strings[RUN_CONFIG_PRESET].text, "oneOf", list);
}

json_t *run_config_schema(void)
{
	json_t *root = object_schema(false, NULL), *required = json_array();
	recipe defaults = recipe_preset((size_t)recipe_preset_find(run_config_default_preset));
	(void)json_object_set_new(root, "$schema",
	                          json_string("https://json-schema.org/draft/2020-12/schema"));
	(void)json_object_set_new(root, "title", json_string("Run configuration of tpldd"));
	const recipe_field *f;
	for (size_t i = 0; i < RUN_CONFIG_STRINGS; i++) {
		if (!string_field_nested(&run_config_strings[i]))
			json_place(root, run_config_strings[i].pointer, "properties", string_schema(&run_config_strings[i]));
		if (run_config_strings[i].required)
			(void)json_array_append_new(required, json_string(run_config_strings[i].pointer + 1));
	}
	for (size_t i = 0; (f = recipe_field_at(i)) != NULL; i++)
		json_place(root, f->pointer, "properties", field_schema(f, &defaults));
	for (size_t i = 0; i < RUN_CONFIG_STRINGS; i++)
		if (string_field_nested(&run_config_strings[i]))
			json_place(root, run_config_strings[i].pointer, "properties", string_schema(&run_config_strings[i]));
	json_place(root, "/preset", "properties", preset_schema());
	(void)json_object_set_new(root, "required", required);
	return root;
}
