/* recipe_fields: the one table of a recipe's hyper-parameters: JSON pointer, type, range, default
 * value with its origin, one line for people. Presets, checks, the JSON form and its schema all
 * read it. Values go in and out as double: counts stay below 2^53, so that is exact. */
#ifndef TP_TRAIN_RECIPE_FIELDS_H
#define TP_TRAIN_RECIPE_FIELDS_H

#include "train/recipe.h"

typedef enum field_kind {
	FIELD_SIZE, /* size_t or uint64_t; a whole number */
	FIELD_REAL, /* double */
	FIELD_FLOAT,
	FIELD_BOOL,
	FIELD_CHOICE, /* an enum; a name in JSON */
	FIELD_OBJECT, /* holds the fields whose pointers start with this one's */
	FIELD_OPTION, /* the same, or null: off, when its switch is 0 */
} field_kind;

typedef struct recipe_field {
	const char *pointer;
	field_kind kind;
	size_t offset;       /* in recipe */
	field_kind switch_kind; /* FIELD_OPTION: what lies at `offset` */
	size_t elements;     /* 0: one value; else an array of at most this many */
	size_t count_offset; /* array: where its length stands; 0: it is always full */
	double low, high;    /* both allowed */
	double step;         /* whole numbers low, low+step, ...; 0 means 1 */
	double value[4];     /* default: preset tpld; FIELD_OPTION: the switch when on */
	const char *(*choice)(size_t i); /* FIELD_CHOICE: names, NULL past the end */
	const char *text, *origin;
} recipe_field;

/* In the order they are written; an object comes before its fields. NULL past the end. */
const recipe_field *recipe_field_at(size_t i);
/* NULL when there is none. */
const recipe_field *recipe_field_find(const char *pointer);

/* Value of an element (0 for single values); OBJECT has none. */
double recipe_field_get(const recipe_field *f, const recipe *r, size_t element);
void recipe_field_set(const recipe_field *f, recipe *r, size_t element, double value);
/* Elements in use: 1 for single values. */
size_t recipe_field_count(const recipe_field *f, const recipe *r);

/* Is it in range, on the grid of `step`? Writes "0.5 is not in 1..2" if not. */
bool recipe_field_accepts(const recipe_field *f, double value, char *why, size_t size);

typedef struct recipe_problem {
	char pointer[64], text[160];
} recipe_problem;

/* Everything that is wrong: ranges, then what does not fit together. Writes at most `max`, returns
 * how many there are. */
size_t recipe_problems(const recipe *r, recipe_problem *ret, size_t max);

#endif
