/* row_json: stored rows as the API shows them (contract.md section 4). Each returns a new
 * reference, or NULL when out of memory, which respond_json turns into a 503. Any thread. */
#ifndef TPLDD_HTTP_ROW_JSON_H
#define TPLDD_HTTP_ROW_JSON_H

#include <jansson.h>

#include "run/scheduler.h"
#include "store/store.h"

json_t *dataset_json(const dataset_row *d);
json_t *weights_json(const weights_row *w);
json_t *checkpoint_json(const checkpoint_row *c);
/* audit NULL: of a round that has none. */
json_t *round_json(const round_row *r, const round_audit_row *audit);
/* NULL gives null, and no alarms. */
json_t *audit_json(const round_audit_row *a);
json_t *alarms_json(const round_audit_row *a);
/* Without steps: nulls and empty lists. */
json_t *profile_json(const profile_row *p);
/* with_name: as an item of the image list; else as an entry of one image's history. */
json_t *image_json(const image_row *i, bool with_name);
/* The stored data with "run" and "time" added. */
json_t *event_json(const event_row *e);
/* {"confident", "voted", "soft", "ignored"} */
json_t *coverage_json(double confident, double voted, double soft, double ignored);
/* [{id, name, color}] -> [name]. */
json_t *class_names_json(const char *classes);

/* A run: row, live position, data set names. Errors of its parts show as null. */
json_t *run_json(store *s, scheduler *sch, const run_row *r);
/* With state_history and the predicted memory and disk. */
json_t *run_detail_json(store *s, scheduler *sch, const run_row *r);
/* What a run.progress event carries, for every run that computes now: [{"run", ...}]. */
json_t *run_json_live(store *s, scheduler *sch);
/* ["pause", "cancel"]: the actions that change something in a state. */
json_t *run_actions_json(run_state state);

#endif
