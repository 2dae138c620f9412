/* run_config: a run's configuration as JSON (contract.md section 3) <-> recipe.
 * One table of fields drives reading (strict: unknown keys, wrong types and out-of-range values are
 * refused by JSON pointer), writing of the effective configuration, and the JSON Schema. */
#ifndef TPLDD_RUN_CONFIG_H
#define TPLDD_RUN_CONFIG_H

#include <jansson.h>

#include "base/status.h"
#include "train/recipe.h"

enum { RUN_NAME_MAX = 128 };

typedef struct run_config {
	char name[RUN_NAME_MAX];
	char preset[32];
	char source[256], target[256], eval[256]; /* data set names or ids; eval "" = none */
	char init[256];                           /* weights name or id, checkpoint:ID; "" = random */
	recipe recipe;
} run_config;

typedef struct config_error {
	char pointer[200]; /* "/self_training/voting/window" */
	char detail[480];
} config_error;

/* How init names another run's checkpoint: "checkpoint:12". Weights may not be called so. */
#define RUN_INIT_CHECKPOINT "checkpoint:"

/* Collects up to max errors (all that can be found, not only the first); TP_INVALID when there is any,
 * with the first as err's text. */
tp_status run_config_parse(const json_t *body, run_config *ret, config_error *errors, size_t max,
                           size_t *ret_errors, tp_err *err) TP_MUST_CHECK;
/* Whether a status says that a configuration is wrong, or what it names; not that checking it failed. */
bool run_config_refused(tp_status st);
/* The effective configuration, every key present. New reference. */
json_t *run_config_json(const run_config *c);
/* JSON Schema 2020-12 of the body, with defaults of preset tpld. New reference. */
json_t *run_config_schema(void);

#endif
