/* run_files: where a run's files lie below the state directory, in one place for the writer (the
 * trainer) and the reader (HTTP).
 *   runs/ID/checkpoints/NAME.safetensors
 *   runs/ID/rounds/R/INDEX.LAYER.png, INDEX.weight.png, INDEX.logits, features,
 *     features-before
 *   weights/SHA256.safetensors         cache/thumbs/DATASET/INDEX.png */
#ifndef TPLDD_STORE_RUN_FILES_H
#define TPLDD_STORE_RUN_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RUN_FILE_MAX = 192 };

/* Layers of contract.md that are stored as files; `image` is the data set's own picture. */
typedef enum layer {
	LAYER_IMAGE,
	LAYER_PREDICTION,
	LAYER_PSEUDO_CONFIDENT,
	LAYER_PSEUDO_VOTED,
	LAYER_PSEUDO_FINAL,
	LAYER_ORIGIN,     /* palette PNG, index = label_origin */
	LAYER_CONFIDENCE, /* 8-bit grey, round(255 max_k p) */
	LAYER_COUNT,
} layer;
const char *layer_name(layer l); /* "pseudo_confident" */
bool layer_parse(const char *name, layer *ret);

void run_dir(int64_t run, char ret[RUN_FILE_MAX]);
void run_checkpoint_dir(int64_t run, char ret[RUN_FILE_MAX]);
void run_round_dir(int64_t run, int64_t round, char ret[RUN_FILE_MAX]);
void run_layer_file(int64_t run, int64_t round, int64_t index, layer l, char ret[RUN_FILE_MAX]);
void run_weight_file(int64_t run, int64_t round, int64_t index, char ret[RUN_FILE_MAX]);
void run_logits_file(int64_t run, int64_t round, int64_t index, char ret[RUN_FILE_MAX]);
/* run/feature_map.h; a cache. */
void run_features_file(int64_t run, int64_t round, bool before, char ret[RUN_FILE_MAX]);
void thumb_file(int64_t dataset, int64_t index, char ret[RUN_FILE_MAX]);
/* The stamp of a round's logits files (data/logits.h). */
uint64_t run_logits_stamp(int64_t run, int64_t round);

#endif
