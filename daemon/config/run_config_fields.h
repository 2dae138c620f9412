/* run_config_fields: what reading, writing and the schema of a run's configuration share: the keys beside
 * the recipe's (recipe_fields.h), and the JSON form of a field's value. Inside daemon/config only. */
#ifndef TPLDD_RUN_CONFIG_FIELDS_H
#define TPLDD_RUN_CONFIG_FIELDS_H

#include "config/run_config.h"
#include "train/recipe_fields.h"

/* A key that is no part of a recipe. */
typedef struct string_field {
	const char *pointer;
	size_t offset, size;         /* in run_config */
	bool required, nullable, id; /* id: a whole number will do as well */
	const char *text;
} string_field;

enum { RUN_CONFIG_PRESET = 1, RUN_CONFIG_STRINGS = 6 }; /* row of /preset; rows */
extern const string_field run_config_strings[RUN_CONFIG_STRINGS];
extern const char run_config_default_preset[];

/* Lies below an object of the recipe, which must be written first. */
bool string_field_nested(const string_field *f);

/* New references. A number of the field's kind; its whole value in a recipe: object, null or boolean,
 * text of a choice, number, or array. */
json_t *recipe_number_json(const recipe_field *f, double v);
json_t *recipe_field_json(const recipe_field *f, const recipe *r);

/* Sets the value at a pointer whose parent exists; a null parent (an option that is off) takes
 * none. `inner` lies between the levels: "properties" in a schema. Takes over v. */
void json_place(json_t *root, const char *pointer, const char *inner, json_t *v);

#endif
