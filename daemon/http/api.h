/* api: the handlers of the route table. Each one parses its request, makes one or two calls into
 * store, scheduler, catalog or infer, and shows the result; nothing is decided here. On a worker
 * unless the table says otherwise. */
#ifndef TPLDD_HTTP_API_H
#define TPLDD_HTTP_API_H

#include "http/request.h"
#include "http/router.h"
#include "http/server_private.h"
#include "run/infer.h"
#include "store/store.h"

/* api_system.c; the first three run on the loop */
route_handler api_health, api_openapi, api_run_schema;
route_handler api_ready, api_server, api_class_sets, api_presets;
/* prometheus.c */
route_handler api_prometheus;
/* api_datasets.c */
route_handler api_datasets_list, api_dataset_add, api_dataset_get, api_dataset_delete,
        api_dataset_images, api_dataset_thumb, api_dataset_image;
/* api_weights.c */
route_handler api_weights_list, api_weights_add, api_weights_get, api_weights_infer;
/* api_checkpoints.c */
route_handler api_checkpoints_list, api_checkpoint_get, api_checkpoint_file, api_checkpoint_infer;
/* api_runs.c */
route_handler api_runs_list, api_run_add, api_run_validate, api_run_estimate, api_run_get, api_run_delete,
        api_run_pause, api_run_resume, api_run_cancel, api_run_metrics;
/* api_rounds.c */
route_handler api_run_rounds, api_run_iou, api_run_confusion, api_run_profile, api_run_features;
/* api_images.c */
route_handler api_images_list, api_image_get, api_image_thumb, api_image_layer,
        api_image_probabilities;
/* api_experiments.c */
route_handler api_experiments_list, api_experiment_add, api_experiment_get, api_experiment_cancel,
        api_experiment_delete;
/* api_events.c */
route_handler api_events;

/* Shorthands for the handlers. */
static inline store *api_store(const request *r) { return r->server->deps.store; }
static inline scheduler *api_scheduler(const request *r) { return r->server->deps.scheduler; }
static inline experiments *api_experiments(const request *r) { return r->server->deps.experiments; }
static inline feature_maps *api_features(const request *r) { return r->server->deps.features; }
static inline int api_dirfd(const request *r) { return r->server->deps.state_dirfd; }

/* The run of the path, or an answer (404, ...). */
bool api_get_run(request *r, run_row *ret);

/* Inference by infer_checkpoint or infer_weights on the body, in the media type asked for. */
typedef tp_status infer_call(store *s, int state_dirfd, int64_t id, const void *image, size_t size,
                             infer_format format, void **ret, size_t *ret_size, tp_err *err);
void api_infer(request *r, infer_call *infer);

/* paging.c: `limit` (default 50, at most 500) and a cursor that is the last id seen. False: 400. */
enum { PAGE_DEFAULT = 50, PAGE_MAX = 500 };
size_t page_limit(const request *r);
bool page_after_id(request *r, int64_t *ret_after);
/* {items, next_cursor}; takes items over. last_id < 0: no next page. */
json_t *page_json(json_t *items, int64_t last_id);

#endif
