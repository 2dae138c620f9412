/* loader: one thread that decodes and augments ahead, so that computing never waits for it.
 *
 * What a step needs is asked from the plan callback, a pure function of (step, slot); a resumed run
 * therefore gets the very same samples. The plan runs on the loader's thread and must only read data
 * that does not change while the loader lives. */
#ifndef TP_DATA_LOADER_H
#define TP_DATA_LOADER_H

#include "base/status.h"
#include "data/augment.h"
#include "data/classes.h"

typedef enum label_source {
	LABELS_NONE,   /* hard images: no label */
	LABELS_FILE,   /* label file through label_map (source images) */
	LABELS_PSEUDO, /* our own palette PNG of train ids, optionally with a weight PNG */
	LABELS_SOFT,   /* LRENT: soft labels from stored logits */
} label_source;

typedef struct sample_request {
	const char *image;              /* path; borrowed while the loader lives */
	label_source source;
	const char *label;              /* path, for FILE and PSEUDO */
	const label_map *map;           /* for FILE */
	const char *weight;             /* path of the 16-bit weight PNG, or NULL */
	const char *logits;             /* path for SOFT */
	uint64_t logits_stamp;
	const float *lambda;            /* [classes], for SOFT */
	float lrent_alpha;              /* for SOFT */
	const augment_spec *augment;
	bool target;                    /* which domain; copied to the sample */
	uint32_t index;                 /* of the image in its data set; copied to the sample */
} sample_request;

typedef struct sample {
	float *input;     /* [crop_h][crop_w][3] */
	uint8_t *label;   /* [crop_h*crop_w]; all LABEL_NONE without labels */
	float *weight;    /* or NULL when the request had none */
	float *soft;      /* [K][crop pixels] or NULL */
	bool target;
	uint32_t index;
} sample;

typedef tp_status loader_plan(void *arg, uint64_t step, size_t slot, sample_request *ret,
                              tp_err *err);

typedef struct loader_spec {
	size_t slots;       /* samples per step */
	size_t classes;     /* for soft labels */
	bool soft, weights; /* whether any request may want them (memory is taken at creation) */
	size_t crop_h, crop_w;
	input_norm norm;
	uint64_t seed, first_step, last_step; /* steps first_step .. last_step-1 */
	size_t ahead;       /* steps decoded ahead, >= 1 */
	loader_plan *plan;
	void *plan_arg;
} loader_spec;

typedef struct loader loader;

tp_status loader_create(const loader_spec *spec, loader **ret, tp_err *err) TP_MUST_CHECK;
/* The samples of the next step, slots entries, valid until the next call. The caller's thread
 * allocates nothing. *ret_waited is true when the caller had to wait for decoding. An error of the
 * loader's thread (unreadable image, wrong label) arrives here, naming the file. */
tp_status loader_next(loader *l, const sample **ret, bool *ret_waited, tp_err *err) TP_MUST_CHECK;
void loader_free(loader *l); /* stops and joins; NULL is fine */

#endif
