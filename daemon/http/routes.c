/* The table of all endpoints (contract.md section 4). Literal patterns come before those with
 * placeholders that would match too. */
#include "http/api.h"
#include "http/router.h"

#define JSON_BODY .body_max = ROUTE_JSON_MAX, .consumes = "application/json"
/* Actions need no body; clients that always send one may send {}. */
#define ACTION_BODY .body_max = 4096, .consumes = "application/json"
#define IMAGE_BODY .body_max = ROUTE_IMAGE_MAX, .consumes = "image/png,image/jpeg"
#define PAGE "limit:int cursor:str"
#define PAGE_OF(x) "{items:[" x "] next_cursor:str?}"

enum {
	WORKER = ROUTE_WORKER,
	HEAVY = ROUTE_WORKER | ROUTE_HEAVY,
	ACTION = ROUTE_WORKER | ROUTE_NO_BODY_NEEDED,
};

/* clang-format off */
static const route table[] = {
	{HTTP_GET, "/healthz", ROUTE_PUBLIC, .success = 200, .answer_schema = "{status:str}",
	 .summary = "The process answers; reads nothing", .handler = api_health},
	{HTTP_GET, "/readyz", ROUTE_PUBLIC | WORKER, .success = 200,
	 .answer_schema = "{ready:bool checks:{database:bool trainer:bool disk:bool}}",
	 .summary = "Whether database, trainer and disk are fit for work; 503 when not",
	 .handler = api_ready},
	{HTTP_GET, "/metrics", WORKER, .success = 200, .produces = "text/plain",
	 .summary = "Prometheus text format", .handler = api_prometheus},

	{HTTP_GET, "/api/v1/openapi.json", 0, .success = 200, .answer_schema = "any",
	 .summary = "This description", .handler = api_openapi},
	{HTTP_GET, "/api/v1/schema/run-config", 0, .success = 200, .answer_schema = "any",
	 .summary = "JSON Schema of a run configuration", .handler = api_run_schema},
	{HTTP_GET, "/api/v1/server", WORKER, .success = 200,
	 .answer_schema = "{version:str started:time uptime_seconds:num threads:int cores:int "
	                  "memory:{total_bytes:int? free_bytes:int? resident_bytes:int?} "
	                  "disk:{free_bytes:int? min_free_bytes:int} limits:any}",
	 .summary = "Version, limits, memory and disk", .handler = api_server},
	{HTTP_GET, "/api/v1/class-sets", WORKER, .success = 200,
	 .answer_schema = PAGE_OF("ClassSet"),
	 .summary = "Built-in class sets", .handler = api_class_sets},
	{HTTP_GET, "/api/v1/presets", WORKER, .success = 200,
	 .answer_schema = PAGE_OF("{name:str text:str config:any}"),
	 .summary = "Presets with their effective configurations", .handler = api_presets},
	{HTTP_GET, "/api/v1/events", WORKER, .success = 200, .query = "run:int after:str " PAGE,
	 .produces = "text/event-stream,application/json", .answer_schema = PAGE_OF("Event"),
	 .summary = "Server-sent events; Last-Event-ID or after= replays; as JSON a list",
	 .handler = api_events},

	{HTTP_GET, "/api/v1/datasets", WORKER, .success = 200, .query = PAGE,
	 .answer_schema = PAGE_OF("Dataset"), .summary = "Data sets", .handler = api_datasets_list},
	{HTTP_POST, "/api/v1/datasets", HEAVY, JSON_BODY, .success = 201,
	 .body_schema = "NewDataset",
	 .answer_schema = "Dataset",
	 .summary = "Register a data set: scans and probes all its files",
	 .handler = api_dataset_add},
	{HTTP_GET, "/api/v1/datasets/{id}", WORKER, .success = 200, .answer_schema = "Dataset",
	 .summary = "One data set", .handler = api_dataset_get},
	{HTTP_DELETE, "/api/v1/datasets/{id}", WORKER, .success = 204,
	 .summary = "Forget a data set that no run names; its files stay",
	 .handler = api_dataset_delete},
	{HTTP_GET, "/api/v1/datasets/{id}/images", WORKER, .success = 200, .query = PAGE,
	 .answer_schema = "{items:[DatasetImage] next_cursor:str? total:int}",
	 .summary = "Images of a data set in name order", .handler = api_dataset_images},
	{HTTP_GET, "/api/v1/datasets/{id}/images/{index}/thumb.png", WORKER, .success = 200,
	 .produces = "image/png", .summary = "Thumbnail, at most 320 pixels",
	 .handler = api_dataset_thumb},
	{HTTP_GET, "/api/v1/datasets/{id}/images/{index}/image.png", WORKER, .success = 200,
	 .produces = "image/png", .summary = "The picture", .handler = api_dataset_image},

	{HTTP_GET, "/api/v1/weights", WORKER, .success = 200, .query = PAGE,
	 .answer_schema = PAGE_OF("Weights"), .summary = "Imported weights",
	 .handler = api_weights_list},
	{HTTP_POST, "/api/v1/weights", HEAVY | ROUTE_UPLOAD, .body_max = ROUTE_WEIGHTS_MAX,
	 .consumes = "application/octet-stream,application/x-safetensors,"
	             "application/vnd.safetensors",
	 .success = 201,
	 .query = "name:str "
	          "arch:deeplabv2-vgg16|deeplabv2-resnet101|deeplabv2-resnet50|"
	          "deeplabv2-mobilenetv2 "
	          "output_stride:int aspp_dilations:str",
	 .answer_schema = "Weights", .summary = "Import a safetensors file",
	 .handler = api_weights_add},
	{HTTP_GET, "/api/v1/weights/{id}", WORKER, .success = 200, .answer_schema = "Weights",
	 .summary = "One weights file", .handler = api_weights_get},
	{HTTP_POST, "/api/v1/weights/{id}/infer", HEAVY, IMAGE_BODY, .success = 200,
	 .produces = "image/png,application/x-npy",
	 .summary = "Segment an image; needs a whole network", .handler = api_weights_infer},

	{HTTP_GET, "/api/v1/runs", WORKER, .success = 200,
	 .query = "state:queued|starting|running|pausing|paused|cancelling|completing|completed|"
	          "failed|cancelled|interrupted " PAGE,
	 .answer_schema = PAGE_OF("Run"), .summary = "Runs, newest first",
	 .handler = api_runs_list},
	{HTTP_POST, "/api/v1/runs", WORKER, JSON_BODY, .success = 201,
	 .body_schema = "any", .answer_schema = "Run",
	 .summary = "Start a run: it is queued and starts when the cores are free",
	 .handler = api_run_add},
	{HTTP_POST, "/api/v1/runs:estimate", HEAVY, JSON_BODY, .success = 200,
	 .body_schema = "any", .answer_schema = "{seconds:num phase_seconds:any}",
	 .summary = "Measure how long such a run would take on this machine, phase by phase",
	 .handler = api_run_estimate},
	{HTTP_POST, "/api/v1/runs:validate", WORKER, JSON_BODY, .success = 200,
	 .body_schema = "any",
	 .answer_schema = "Validation",
	 .summary = "Check a configuration and predict what it costs",
	 .handler = api_run_validate},
	{HTTP_GET, "/api/v1/runs/{id}", WORKER, .success = 200, .answer_schema = "Run",
	 .summary = "One run, with its state history", .handler = api_run_get},
	{HTTP_DELETE, "/api/v1/runs/{id}", WORKER, .success = 204,
	 .summary = "Delete a run in a final state, with its files", .handler = api_run_delete},
	{HTTP_POST, "/api/v1/runs/{id}/pause", ACTION, ACTION_BODY, .success = 202,
	 .answer_schema = "Run",
	 .summary = "Pause at the next step", .handler = api_run_pause},
	{HTTP_POST, "/api/v1/runs/{id}/resume", ACTION, ACTION_BODY, .success = 202,
	 .answer_schema = "Run",
	 .summary = "Back into the queue; a failed run goes on from its last checkpoint", .handler = api_run_resume},
	{HTTP_POST, "/api/v1/runs/{id}/cancel", ACTION, ACTION_BODY, .success = 202,
	 .answer_schema = "Run",
	 .summary = "Stop for good", .handler = api_run_cancel},
	{HTTP_GET, "/api/v1/runs/{id}/metrics", WORKER, .success = 200,
	 .query = "keys:str from_step:int max_points:int", .answer_schema = "{series:[Series]}",
	 .summary = "Training curves, thinned to max_points keeping extremes",
	 .handler = api_run_metrics},
	{HTTP_GET, "/api/v1/runs/{id}/iou", WORKER, .success = 200,
	 .produces = "application/json,text/csv",
	 .answer_schema = "{classes:[str] points:[IouPoint]}",
	 .summary = "IoU per class over the rounds",
	 .handler = api_run_iou},
	{HTTP_GET, "/api/v1/runs/{id}/confusion", WORKER, .success = 200, .query = "round:str",
	 .answer_schema = "{step:int round:int? phase:Phase miou:num? classes:[str] "
	                  "matrix:[[int]]}",
	 .summary = "Confusion matrix, rows = truth, of a round, 'source' or the newest",
	 .handler = api_run_confusion},
	{HTTP_GET, "/api/v1/runs/{id}/rounds", WORKER, .success = 200, .answer_schema = "[Round]",
	 .summary = "Rounds with thresholds, coverage and split, what their labels look like (audit; null "
	            "for rounds that an older program scored) and what to look at (alarms)", .handler = api_run_rounds},
	{HTTP_GET, "/api/v1/runs/{id}/rounds/{round}/features", HEAVY, .success = 200,
	 .query = "network:before|after", .answer_schema = "Features",
	 .summary = "Images of both domains in the plane (t-SNE), by what the network after the round's training "
	            "(or before it: the one that ranked them) sees in them: seconds to minutes the first time, "
	            "longer for large networks, kept afterwards; 409 while another is computed or the round trains",
	 .handler = api_run_features},
	{HTTP_GET, "/api/v1/runs/{id}/profile", WORKER, .success = 200, .query = "round:str",
	 .answer_schema = "Profile",
	 .summary = "Where the time of a training step goes, by layer: of the stage that trains or "
	            "trained last, or of a round, or 'source'",
	 .handler = api_run_profile},
	{HTTP_GET, "/api/v1/runs/{id}/images", WORKER, .success = 200,
	 .query = "round:int split:easy|hard sort:confidence|-confidence|name class:int " PAGE,
	 .answer_schema = "{items:[Image] next_cursor:str? total:int round:int?}",
	 .summary = "Target images of a round with confidence and verdict",
	 .handler = api_images_list},
	{HTTP_GET, "/api/v1/runs/{id}/images/{image}", WORKER, .success = 200,
	 .answer_schema = "{id:int name:str width:int height:int labelled:bool "
	                  "history:[ImageScore]}",
	 .summary = "One target image over the rounds", .handler = api_image_get},
	{HTTP_GET, "/api/v1/runs/{id}/images/{image}/thumb.png", WORKER, .success = 200,
	 .produces = "image/png", .summary = "Thumbnail, at most 320 pixels",
	 .handler = api_image_thumb},
	{HTTP_GET, "/api/v1/runs/{id}/rounds/{round}/images/{image}/probabilities.npy", HEAVY,
	 .success = 200,
	 .produces = "application/x-npy",
	 .summary = "float32 [K,H,W] that the labels were made from",
	 .handler = api_image_probabilities},
	{HTTP_GET, "/api/v1/runs/{id}/rounds/{round}/images/{image}/{layer:w}.png", WORKER,
	 .success = 200,
	 .produces = "image/png", .summary = "A layer; label layers are palette PNGs of train ids",
	 .handler = api_image_layer},
	{HTTP_GET, "/api/v1/runs/{id}/checkpoints", WORKER, .success = 200, .query = PAGE,
	 .answer_schema = PAGE_OF("Checkpoint"), .summary = "Checkpoints of a run",
	 .handler = api_checkpoints_list},

	{HTTP_GET, "/api/v1/experiments", WORKER, .success = 200, .query = PAGE,
	 .answer_schema = PAGE_OF("ExperimentItem"), .summary = "Experiments, newest first",
	 .handler = api_experiments_list},
	{HTTP_POST, "/api/v1/experiments", HEAVY, JSON_BODY, .success = 201,
	 .body_schema = "NewExperiment", .answer_schema = "Experiment",
	 .summary = "Start an experiment: a grid of variants and seeds, computed by runs that share "
	            "their source trainings",
	 .handler = api_experiment_add},
	{HTTP_GET, "/api/v1/experiments/{id}", WORKER, .success = 200,
	 .produces = "application/json,text/csv", .answer_schema = "Experiment",
	 .summary = "One experiment: its runs, and their statistics over the seeds",
	 .handler = api_experiment_get},
	{HTTP_DELETE, "/api/v1/experiments/{id}", WORKER, .success = 204, .query = "runs:true|false",
	 .summary = "Delete an experiment that has ended; with runs=true its runs and their files too",
	 .handler = api_experiment_delete},
	{HTTP_POST, "/api/v1/experiments/{id}/cancel", ACTION, ACTION_BODY, .success = 202,
	 .answer_schema = "Experiment",
	 .summary = "Start no more runs and cancel those that have not ended",
	 .handler = api_experiment_cancel},

	{HTTP_GET, "/api/v1/checkpoints/{id}", WORKER, .success = 200,
	 .answer_schema = "Checkpoint",
	 .summary = "One checkpoint", .handler = api_checkpoint_get},
	{HTTP_GET, "/api/v1/checkpoints/{id}/file", WORKER, .success = 200,
	 .produces = "application/octet-stream", .summary = "safetensors with public tensor names",
	 .handler = api_checkpoint_file},
	{HTTP_POST, "/api/v1/checkpoints/{id}/infer", HEAVY, IMAGE_BODY, .success = 200,
	 .produces = "image/png,application/x-npy", .summary = "Segment an image",
	 .handler = api_checkpoint_infer},
};
/* clang-format on */

_Static_assert(sizeof table / sizeof *table <= COUNTER_ROUTES, "a counter for each route");

const route *route_table(size_t *ret_count)
{
	*ret_count = sizeof table / sizeof *table;
	return table;
}
