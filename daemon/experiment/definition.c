#include "experiment/definition.h"

#include <stdio.h>
#include <string.h>

#include "config/text.h"
#include "train/recipe_fields.h"

static const json_int_t seed_max = (json_int_t)1 << 53;

/* ---- members of one object ---- */

static void find_unknown(json_t *object, const char *at, const char *const *known, problems *p)
{
	const char *key;
	json_t *v;
	json_object_foreach(object, key, v) {
		char token[100], pointer[200];
		size_t i = 0;
		while (known[i] != NULL && strcmp(known[i], key) != 0)
			i++;
		if (known[i] != NULL)
			continue;
		text_pointer_token(token, sizeof token, key);
		(void)snprintf(pointer, sizeof pointer, "%.90s/%s", at, token);
		problem(p, pointer, "unknown key");
	}
}

/* The string at at/key into to, of 1..size-1 bytes; false when it is absent or wrong. */
static bool read_string(const json_t *object, const char *at, const char *key, bool required, char *to,
                        size_t size, problems *p)
{
	char pointer[120];
	const json_t *v = json_object_get(object, key);
	(void)snprintf(pointer, sizeof pointer, "%s/%s", at, key);
	if (v == NULL) {
		if (required)
			problem(p, pointer, "is required");
		return false;
	}
	if (!json_is_string(v)) {
		problem(p, pointer, "must be a string, not %s", text_json_type(v));
		return false;
	}
	const char *text = json_string_value(v);
	size_t n = json_string_length(v);
	if (n == 0 || n >= size)
		problem(p, pointer, "has %zu bytes, not 1..%zu", n, size - 1);
	else if (!text_printable(text, n))
		problem(p, pointer, "holds control characters");
	else
		memcpy(to, text, n + 1);
	return n > 0 && n < size && text_printable(text, n);
}

/* "config" of the experiment or of a variant: {} when absent. What the experiment itself gives to each
 * run cannot be in there. New reference. */
static json_t *read_config(const json_t *object, const char *at, problems *p)
{
	static const struct {
		const char *key, *why;
	} given[] = {
		{"name", "runs are named by the experiment"},
		{"seed", "each seed of /seeds is taken in turn"},
		{"preset", "belongs beside a variant's name"},
	};
	char pointer[120];
	json_t *v = json_object_get(object, "config");
	(void)snprintf(pointer, sizeof pointer, "%s/config", at);
	if (v == NULL)
		return json_object();
	if (!json_is_object(v)) {
		problem(p, pointer, "must be an object, not %s", text_json_type(v));
		return json_object();
	}
	for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
		char inner[160];
		(void)snprintf(inner, sizeof inner, "%s/%s", pointer, given[i].key);
		if (json_object_get(v, given[i].key) != NULL)
			problem(p, inner, "%s", given[i].why);
	}
	return json_incref(v);
}

/* ---- the parts of a definition ---- */

static void read_seeds(definition *d, const json_t *body, problems *p)
{
	const json_t *list = json_object_get(body, "seeds");
	if (list == NULL) {
		problem(p, "/seeds", "is required");
		return;
	}
	if (!json_is_array(list)) {
		problem(p, "/seeds", "must be an array of whole numbers, not %s", text_json_type(list));
		return;
	}
	if (json_array_size(list) < 1 || json_array_size(list) > EXPERIMENT_SEEDS) {
		problem(p, "/seeds", "has %zu values, not 1..%d", json_array_size(list),
		        EXPERIMENT_SEEDS);
		return;
	}
	for (size_t i = 0; i < json_array_size(list); i++) {
		char at[40];
		const json_t *v = json_array_get(list, i);
		(void)snprintf(at, sizeof at, "/seeds/%zu", i);
		if (!json_is_integer(v)) {
			problem(p, at, "must be a whole number, not %s", text_json_type(v));
			continue;
		}
		int64_t seed = json_integer_value(v);
		if (seed < 0 || seed > seed_max)
			problem(p, at, "%lld is not in 0..%lld", (long long)seed, (long long)seed_max);
		for (size_t k = 0; k < d->seeds; k++)
			if (d->seed[k] == seed)
				problem(p, at, "%lld is there twice", (long long)seed);
		d->seed[d->seeds++] = seed;
	}
}

static void remove_at(json_t *o, const char *pointer)
{
	const char *last = strrchr(pointer, '/');
	while (pointer != last) {
		size_t n = strcspn(pointer + 1, "/");
		o = json_object_getn(o, pointer + 1, n);
		pointer += 1 + n;
	}
	(void)json_object_del(o, last + 1);
}

/* The common part without what a preset is there to leave out: nothing in it makes a source-only variant
 * adapt, nor does its voting make one of CBST vote. New reference. */
static json_t *common_for(const definition *d, const char *preset)
{
	json_t *common = json_deep_copy(d->common);
	int i = recipe_preset_find(preset);
	if (i < 0)
		return common;
	recipe is = recipe_preset((size_t)i), full = recipe_preset((size_t)recipe_preset_find("tpld"));
	const recipe_field *f;
	for (size_t k = 0; (f = recipe_field_at(k)) != NULL; k++)
		if (f->kind != FIELD_OBJECT && f->elements == 0 && recipe_field_get(f, &is, 0) == 0.0 &&
		    recipe_field_get(f, &full, 0) != 0.0)
			remove_at(common, f->pointer);
	if (recipe_stages(&is, false, NULL, 0) == 1) { /* off in tpld as well */
		remove_at(common, "/entropy_training");
		remove_at(common, "/self_training/norm_alignment");
	}
	return common;
}

static void read_variant(definition *d, const json_t *o, size_t i, problems *p)
{
	static const char *const known[] = {"name", "preset", "config", NULL};
	char at[40], pointer[60];
	variant *v = &d->variant[i];
	(void)snprintf(at, sizeof at, "/variants/%zu", i);
	(void)snprintf(v->preset, sizeof v->preset, "tpld");
	if (!json_is_object(o)) {
		problem(p, at, "must be an object, not %s", text_json_type(o));
		v->own = json_object();
	} else {
		find_unknown((json_t *)o, at, known, p);
		if (read_string(o, at, "name", true, v->name, sizeof v->name, p))
			for (size_t k = 0; k < i; k++)
				if (strcmp(d->variant[k].name, v->name) == 0) {
					(void)snprintf(pointer, sizeof pointer, "/variants/%zu/name", i);
					problem(p, pointer, "variant %zu is called so too", k);
				}
		(void)read_string(o, at, "preset", false, v->preset, sizeof v->preset, p);
		v->own = read_config(o, at, p);
	}
	json_t *common = common_for(d, v->preset);
	v->config = definition_merge(common, v->own);
	json_decref(common);
	(void)json_object_set_new(v->config, "preset", json_string(v->preset));
}

static void read_variants(definition *d, const json_t *body, problems *p)
{
	const json_t *list = json_object_get(body, "variants");
	if (list == NULL) {
		problem(p, "/variants", "is required");
		return;
	}
	if (!json_is_array(list)) {
		problem(p, "/variants", "must be an array of objects, not %s", text_json_type(list));
		return;
	}
	size_t n = json_array_size(list);
	if (n < 1 || n > EXPERIMENT_VARIANTS) {
		problem(p, "/variants", "has %zu values, not 1..%d", n, EXPERIMENT_VARIANTS);
		return;
	}
	if (n * d->seeds > EXPERIMENT_CELLS)
		problem(p, "/variants", "%zu variants with %zu seeds are more than %d runs", n, d->seeds,
		        EXPERIMENT_CELLS);
	for (size_t i = 0; i < n; i++) {
		d->variants = i + 1;
		read_variant(d, json_array_get(list, i), i, p);
	}
}

/* A variant's index by its name; `absent` when the key is not there or null where it may be. */
static int read_reference(const definition *d, const json_t *body, const char *key, bool nullable,
                          int absent, problems *p)
{
	char pointer[40];
	const json_t *v = json_object_get(body, key);
	(void)snprintf(pointer, sizeof pointer, "/%s", key);
	if (v == NULL || (nullable && json_is_null(v)))
		return absent;
	if (!json_is_string(v)) {
		problem(p, pointer, "must be a variant's name%s, not %s", nullable ? " or null" : "",
		        text_json_type(v));
		return absent;
	}
	for (size_t i = 0; i < d->variants; i++)
		if (strcmp(d->variant[i].name, json_string_value(v)) == 0)
			return (int)i;
	problem(p, pointer, "no variant is called '%.60s'", json_string_value(v));
	return absent;
}

tp_status definition_read(const json_t *body, definition *ret, problems *p)
{
	static const char *const known[] = {"name",     "seeds",    "config",
	                                    "variants", "baseline", "upper_bound", NULL};
	*ret = (definition){.upper_bound = -1};
	if (!json_is_object(body)) {
		problem(p, "", "an experiment's definition must be a JSON object");
		return TP_INVALID;
	}
	find_unknown((json_t *)body, "", known, p);
	(void)read_string(body, "", "name", true, ret->name, sizeof ret->name, p);
	ret->common = read_config(body, "", p);
	read_seeds(ret, body, p);
	read_variants(ret, body, p);
	ret->baseline = (size_t)read_reference(ret, body, "baseline", false, 0, p);
	ret->upper_bound = read_reference(ret, body, "upper_bound", true, -1, p);
	if (ret->upper_bound >= 0 && (size_t)ret->upper_bound == ret->baseline)
		problem(p, "/upper_bound", "is the baseline itself");
	return p->count > 0 ? TP_INVALID : TP_OK;
}

void definition_done(definition *d)
{
	for (size_t i = 0; i < d->variants; i++) {
		json_decref(d->variant[i].own);
		json_decref(d->variant[i].config);
	}
	json_decref(d->common);
	*d = (definition){0};
}

/* ---- merging, and the way back ---- */

json_t *definition_merge(const json_t *a, const json_t *b)
{
	const char *key;
	json_t *v;
	if (!json_is_object(a) || !json_is_object(b))
		return json_deep_copy(b);
	json_t *o = json_deep_copy(a);
	json_object_foreach((json_t *)b, key, v) {
		const json_t *under = json_object_get(a, key);
		(void)json_object_set_new(o, key,
		                          under != NULL ? definition_merge(under, v) :
		                                          json_deep_copy(v));
	}
	return o;
}

/* How many tokens of a pointer lead to something in o. */
static size_t depth_of(const json_t *o, const char *pointer)
{
	size_t depth = 0;
	while (*pointer == '/') {
		char key[100];
		size_t n = strcspn(pointer + 1, "/"), k = 0;
		for (size_t i = 0; i < n && k + 1 < sizeof key; i++) {
			char c = pointer[1 + i];
			if (c == '~' && i + 1 < n)
				c = pointer[1 + ++i] == '1' ? '/' : '~';
			key[k++] = c;
		}
		key[k] = 0;
		o = json_object_get(o, key);
		if (o == NULL)
			break;
		depth++;
		pointer += 1 + n;
	}
	return depth;
}

void definition_place(const definition *d, size_t i, const char *pointer, char *ret, size_t size)
{
	size_t own = depth_of(d->variant[i].own, pointer);
	if (strcmp(pointer, "/preset") == 0)
		(void)snprintf(ret, size, "/variants/%zu/preset", i);
	else if (own > 0 && own >= depth_of(d->common, pointer))
		(void)snprintf(ret, size, "/variants/%zu/config%s", i, pointer);
	else
		(void)snprintf(ret, size, "/config%s", pointer);
}
