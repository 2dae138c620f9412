#include "store/run_files.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"

static const char *const layer_names[LAYER_COUNT] = {
	[LAYER_IMAGE] = "image",
	[LAYER_PREDICTION] = "prediction",
	[LAYER_PSEUDO_CONFIDENT] = "pseudo_confident",
	[LAYER_PSEUDO_VOTED] = "pseudo_voted",
	[LAYER_PSEUDO_FINAL] = "pseudo_final",
	[LAYER_ORIGIN] = "origin",
	[LAYER_CONFIDENCE] = "confidence",
};

const char *layer_name(layer l) { return layer_names[l]; }

bool layer_parse(const char *name, layer *ret)
{
	for (int i = 0; i < LAYER_COUNT; i++) {
		if (strcmp(name, layer_names[i]) == 0) {
			*ret = (layer)i;
			return true;
		}
	}
	return false;
}

void run_dir(int64_t run, char ret[RUN_FILE_MAX])
{
	(void)snprintf(ret, RUN_FILE_MAX, "runs/%" PRId64, run);
}

void run_checkpoint_dir(int64_t run, char ret[RUN_FILE_MAX])
{
	(void)snprintf(ret, RUN_FILE_MAX, "runs/%" PRId64 "/checkpoints", run);
}

void run_round_dir(int64_t run, int64_t round, char ret[RUN_FILE_MAX])
{
	(void)snprintf(ret, RUN_FILE_MAX, "runs/%" PRId64 "/rounds/%" PRId64, run, round);
}

static void round_file(int64_t run, int64_t round, int64_t index, const char *what,
                       char ret[RUN_FILE_MAX])
{
	(void)snprintf(ret, RUN_FILE_MAX, "runs/%" PRId64 "/rounds/%" PRId64 "/%" PRId64 ".%s", run,
	               round, index, what);
}

void run_layer_file(int64_t run, int64_t round, int64_t index, layer l, char ret[RUN_FILE_MAX])
{
	char what[64];
	(void)snprintf(what, sizeof what, "%s.png", layer_names[l]);
	round_file(run, round, index, what, ret);
}

void run_weight_file(int64_t run, int64_t round, int64_t index, char ret[RUN_FILE_MAX])
{
	round_file(run, round, index, "weight.png", ret);
}

void run_logits_file(int64_t run, int64_t round, int64_t index, char ret[RUN_FILE_MAX])
{
	round_file(run, round, index, "logits", ret);
}

void run_features_file(int64_t run, int64_t round, bool before, char ret[RUN_FILE_MAX])
{
	(void)snprintf(ret, RUN_FILE_MAX, "runs/%" PRId64 "/rounds/%" PRId64 "/features%s", run, round,
	               before ? "-before" : "");
}

void thumb_file(int64_t dataset, int64_t index, char ret[RUN_FILE_MAX])
{
	(void)snprintf(ret, RUN_FILE_MAX, "cache/thumbs/%" PRId64 "/%" PRId64 ".png", dataset, index);
}

uint64_t run_logits_stamp(int64_t run, int64_t round)
{
	const int64_t key[2] = {run, round};
	return checksum64(0x6c6f67697473u, key, sizeof key);
}
