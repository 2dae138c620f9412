/* definition: an experiment as people write it: a grid of variants and seeds.
 *   {"name": "a", "seeds": [1, 2, 3], "config": {what all runs have in common},
 *    "variants": [{"name": "plain", "preset": "source-only"},
 *                 {"name": "tpld", "preset": "tpld", "config": {what differs}}],
 *    "baseline": "plain", "upper_bound": null}
 * Reading is strict: unknown keys and wrong types are refused by JSON pointer. */
#ifndef TPLDD_EXPERIMENT_DEFINITION_H
#define TPLDD_EXPERIMENT_DEFINITION_H

#include <jansson.h>

#include "config/problems.h"

enum {
	EXPERIMENT_NAME_MAX = 60, /* bytes: a run is called NAME / VARIANT / seed N */
	VARIANT_NAME_MAX = 40,
	EXPERIMENT_SEEDS = 32,
	EXPERIMENT_VARIANTS = 32,
	EXPERIMENT_CELLS = 256,
};

typedef struct variant {
	char name[VARIANT_NAME_MAX + 1];
	char preset[32];
	json_t *own;    /* its "config", {} when absent */
	json_t *config; /* common and own together, with preset; without name and seed. What tpld has
	                   and the preset leaves out, only its own part can bring back */
} variant;

typedef struct definition {
	char name[EXPERIMENT_NAME_MAX + 1];
	int64_t seed[EXPERIMENT_SEEDS];
	size_t seeds;
	variant variant[EXPERIMENT_VARIANTS];
	size_t variants;
	size_t baseline;
	int upper_bound; /* -1: none */
	json_t *common;  /* "config", {} when absent */
} definition;

/* Everything that is wrong with it goes to *p; then TP_INVALID. What the runs' configurations say is
 * looked at by grid_make. Free in any case. */
tp_status definition_read(const json_t *body, definition *ret, problems *p) TP_MUST_CHECK;
void definition_done(definition *d);

/* b over a: objects are merged member by member, everything else replaces, null too: it is a value that
 * switches an option off (unlike RFC 7396, where it would bring the default back). New reference. */
json_t *definition_merge(const json_t *a, const json_t *b);

/* Where a mistake at `pointer` of variant i's run configuration was written: in its own part, or in the
 * common one. */
void definition_place(const definition *d, size_t i, const char *pointer, char *ret, size_t size);

#endif
