#include "commands.h"

#include <string.h>

#define LIST_OPTIONS                                                                               \
	{"limit", 0, "N", "at most N of them (the server's page is 50, at most 500)"},             \
	{"cursor", 0, "CURSOR", "go on where a page ended"},                                       \
	{"all", 0, NULL, "all pages"}
#define OUTPUT_OPTION {"output-file", 'O', "FILE", "where it goes; - is standard output"}
#define WATCH_OPTIONS                                                                              \
	{"no-wait", 0, NULL, "end with exit code 4 when the run is paused"}

const ctl_option global_options[] = {
	{"server", 0, "URL", "the daemon; else TPLD_SERVER, else what the state directory says"},
	{"token-file", 0, "FILE", "file with the bearer token; else TPLD_TOKEN_FILE, DIR/token"},
	{"state-dir", 0, "DIR", "a daemon's state directory: DIR/endpoint and DIR/token are read"},
	{"output", 'o', "table|json|csv", "form of the output; json: the answer unchanged"},
	{"timeout", 0, "SECONDS", "give up after so long without a byte from the server (300)"},
	{"help", 'h', NULL, "what a command does and takes"},
	{"version", 'V', NULL, "the version"},
	{0},
};

static const ctl_command table[] = {
	{"status", NULL, "", "Server, active and waiting runs on one screen", server_status, {{0}}},
	{"health", NULL, "", "Whether the daemon lives and is ready (exit code 1: not ready)",
	 server_health, {{0}}},
	{"server", "info", "", "Version, memory, disk, limits", server_info, {{0}}},
	{"metrics", NULL, "", "Prometheus metrics", server_metrics, {{0}}},
	{"schema", NULL, "", "JSON Schema of a run's configuration", server_schema, {{0}}},
	{"openapi", NULL, "", "OpenAPI description of the HTTP interface", server_openapi, {{0}}},
	{"events", NULL, "", "What happened, oldest first", server_events,
	 {{"run", 0, "ID", "of this run only"},
	  {"after", 0, "EVENT", "only those after this event's id"},
	  {"follow", 'f', NULL, "keep printing new ones"},
	  LIST_OPTIONS}},
	{"preset", "ls", "", "Presets of run configurations", preset_ls, {{0}}},
	{"preset", "show", "NAME", "A preset's whole configuration, as JSON", preset_show, {{0}}},
	{"class-set", "ls", "", "Built-in class sets", class_set_ls, {{0}}},

	{"dataset", "ls", "", "Data sets", dataset_ls, {LIST_OPTIONS}},
	{"dataset", "show", "DATASET", "One data set and its classes", dataset_show, {{0}}},
	{"dataset", "add", "", "Register a data set that the daemon can read", dataset_add,
	 {{"name", 0, "NAME", "its name (required)"},
	  {"layout", 0, "cityscapes|gta5|synthia|camvid|folder", "how its folders look (required)"},
	  {"root", 0, "DIR", "its top folder on the daemon's machine (required)"},
	  {"split", 0, "NAME", "sub-folder: train, val, ..."},
	  {"include", 0, "GLOB", "only images whose file stem matches"},
	  {"class-set", 0, "SET", "a built-in set's name, or a JSON file {\"classes\": [...]}"},
	  {"class-map", 0, "FILE", "JSON file {\"label value\": train id}"}}},
	{"dataset", "images", "DATASET", "The images of a data set", dataset_images,
	 {LIST_OPTIONS}},
	{"dataset", "rm", "DATASET...", "Forget data sets; their files stay", dataset_rm, {{0}}},

	{"weights", "ls", "", "Weights files", weights_ls, {LIST_OPTIONS}},
	{"weights", "show", "WEIGHTS", "One weights file", weights_show, {{0}}},
	{"weights", "add", "FILE", "Upload a safetensors file", weights_add,
	 {{"name", 0, "NAME", "its name (required)"},
	  {"arch", 0, "ARCH", "deeplabv2-vgg16, -resnet101, -resnet50, -mobilenetv2 (required)"},
	  {"output-stride", 0, "N", "8 or 16 (8)"},
	  {"aspp-dilations", 0, "LIST", "dilations of the head's branches (6,12,18,24)"}}},
	{"weights", "infer", "WEIGHTS IMAGE",
	 "Segment a PNG or JPEG with a file that holds a whole network", weights_infer,
	 {OUTPUT_OPTION, {"npy", 0, NULL, "class probabilities as .npy instead of a palette PNG"}}},

	{"run", "create", "[CONFIG]", "Start a run from a JSON file (- is standard input)",
	 run_create,
	 {{"set", 0, "KEY=VALUE", "change a key: data.batch=1 or /data/batch=1; may repeat"},
	  {"seed", 0, "N", "the same as --set seed=N"},
	  {"watch", 0, NULL, "follow it as run watch does"},
	  WATCH_OPTIONS}},
	{"run", "validate", "[CONFIG]", "Check a configuration, say what it needs, start nothing",
	 run_validate,
	 {{"set", 0, "KEY=VALUE", "as for run create"},
	  {"seed", 0, "N", "as for run create"},
	  {"time", 0, NULL, "measure how long it would take on the server, phase by phase (some seconds)"}}},
	{"run", "ls", "", "Runs, newest first", run_ls,
	 {{"state", 0, "STATE", "only those in this state"}, LIST_OPTIONS}},
	{"run", "show", "RUN", "One run", run_show, {{0}}},
	{"run", "config", "RUN", "A run's whole configuration, as JSON", run_config_show, {{0}}},
	{"run", "watch", "RUN",
	 "Follow a run; ends with its result (0 completed, 1 failed or cancelled)", run_watch,
	 {WATCH_OPTIONS}},
	{"run", "pause", "RUN...", "Pause at the next step", run_pause, {{0}}},
	{"run", "resume", "RUN...", "Go on; a failed run tries again from its last checkpoint", run_resume, {{0}}},
	{"run", "cancel", "RUN...", "End for good, keeping what is there", run_cancel, {{0}}},
	{"run", "rm", "RUN...", "Delete ended runs with their files", run_rm, {{0}}},
	{"run", "metrics", "RUN", "Losses and other curves", run_metrics,
	 {{"keys", 0, "LIST", "loss,lr,... (all)"},
	  {"from-step", 0, "N", "from this step on"},
	  {"max-points", 0, "N", "thin each curve out to N points (1000)"}}},
	{"run", "iou", "RUN", "IoU of each class at each evaluation", run_iou, {{0}}},
	{"run", "confusion", "RUN", "Confusion matrix; rows are the truth", run_confusion,
	 {{"round", 0, "ROUND", "a number or source (the newest)"}}},
	{"run", "rounds", "RUN",
	 "Thresholds, coverage, easy and hard images of each round, how its labels look, alarms",
	 run_rounds, {{0}}},
	{"run", "audit", "RUN [ROUND]",
	 "Predictions of each class in a round (the newest), labels in % of them, and what is alarming",
	 run_audit, {{0}}},
	{"run", "features", "RUN ROUND",
	 "Images in the plane by what a round's network sees in them (minutes the first time)",
	 run_features, {{"before", 0, NULL, "the network before that round's training, which ranked them"}}},
	{"run", "profile", "RUN", "Where the time of a training step goes, the longest first", run_profile,
	 {{"round", 0, "ROUND", "a number or source (the training under way or the last)"}}},

	{"experiment", "run", "FILE", "Start an experiment from a JSON file (- is standard input)",
	 experiment_run,
	 {{"set", 0, "KEY=VALUE", "change a key: seeds=[1,2] or /config/threads=2; may repeat"},
	  {"watch", 0, NULL, "follow it as experiment watch does"}}},
	{"experiment", "list", "", "Experiments, newest first", experiment_list, {LIST_OPTIONS}},
	{"experiment", "show", "EXPERIMENT",
	 "Mean, deviation and difference of each variant over the seeds", experiment_show,
	 {{"classes", 0, NULL, "IoU of each class instead"},
	  {"cells", 0, NULL, "each run instead; as CSV with the IoU of each class"}}},
	{"experiment", "watch", "EXPERIMENT",
	 "Follow an experiment; ends with its result (0 completed, 1 failed or cancelled)",
	 experiment_watch, {{0}}},
	{"experiment", "cancel", "EXPERIMENT...", "Start no more runs, cancel those that have not ended",
	 experiment_cancel, {{0}}},
	{"experiment", "delete", "EXPERIMENT...", "Delete ended experiments; their runs stay",
	 experiment_delete, {{"runs", 0, NULL, "delete the runs with their files too"}}},

	{"image", "ls", "RUN", "Target images with confidence and split", image_ls,
	 {{"round", 0, "N", "in this round (the newest)"},
	  {"split", 0, "easy|hard", "only these"},
	  {"sort", 0, "confidence|-confidence|name", "order (confidence: the least sure first)"},
	  {"class", 0, "ID", "only images where this class was predicted"},
	  LIST_OPTIONS}},
	{"image", "show", "RUN IMAGE", "One image through all rounds", image_show, {{0}}},
	{"image", "get", "RUN ROUND IMAGE LAYER",
	 "A layer as PNG: image, prediction, pseudo_confident, pseudo_voted, pseudo_final, origin,"
	 " confidence",
	 image_get, {OUTPUT_OPTION}},
	{"image", "probabilities", "RUN ROUND IMAGE",
	 "Class probabilities as .npy, float32 [K,H,W]", image_probabilities, {OUTPUT_OPTION}},

	{"checkpoint", "ls", "RUN", "Checkpoints of a run", checkpoint_ls, {LIST_OPTIONS}},
	{"checkpoint", "show", "CHECKPOINT", "One checkpoint", checkpoint_show, {{0}}},
	{"checkpoint", "get", "CHECKPOINT", "Download as safetensors", checkpoint_get,
	 {OUTPUT_OPTION}},
	{"checkpoint", "infer", "CHECKPOINT IMAGE", "Segment a PNG or JPEG", checkpoint_infer,
	 {OUTPUT_OPTION, {"npy", 0, NULL, "class probabilities as .npy instead of a palette PNG"}}},

	{"completion", NULL, "SHELL", "Completion for a shell: source <(tpldctl completion bash)",
	 completion_print, {{0}}},
	{"help", NULL, "[COMMAND...]", "What there is, or what a command does and takes",
	 help_show, {{0}}},
};

const ctl_command *command_table(size_t *ret_count)
{
	*ret_count = sizeof table / sizeof *table;
	return table;
}

const ctl_command *command_find(const char *noun, const char *verb)
{
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (strcmp(table[i].noun, noun) == 0 &&
		    (verb == NULL ? table[i].verb == NULL
		                  : table[i].verb != NULL && strcmp(table[i].verb, verb) == 0))
			return &table[i];
	return NULL;
}

bool command_has_noun(const char *noun)
{
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (strcmp(table[i].noun, noun) == 0)
			return true;
	return false;
}
