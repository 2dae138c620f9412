/* experiment_json: an experiment's report as the API shows it. New references, or NULL when out of
 * memory. Any thread. */
#ifndef TPLDD_HTTP_EXPERIMENT_JSON_H
#define TPLDD_HTTP_EXPERIMENT_JSON_H

#include <jansson.h>

#include "experiment/report.h"

json_t *experiment_json(const report *r);
/* As an item of a list. */
json_t *experiment_item_json(const report *r);

#endif
