/* sample: one training sample from files: decoded, labelled, augmented.
 *
 * A sample is a pure function of its request, the seed, the step and the slot. */
#ifndef TP_DATA_SAMPLE_H
#define TP_DATA_SAMPLE_H

#include "base/status.h"
#include "data/augment.h"
#include "data/classes.h"
#include "data/photometric.h"

typedef enum label_source {
	LABELS_NONE,   /* hard images: no label */
	LABELS_FILE,   /* label file through label_map (source images) */
	LABELS_PSEUDO, /* our own palette PNG of train ids, optionally with a weight PNG */
	LABELS_SOFT,   /* LRENT: soft labels from stored logits */
	LABELS_ONLINE, /* a teacher will label it when it is used (train/step.h) */
} label_source;

typedef struct sample_request {
	const char *image; /* path; borrowed, as all pointers here */
	label_source source;
	const char *label;    /* path, for FILE and PSEUDO */
	const label_map *map; /* for FILE */
	const char *weight;   /* path of the 16-bit weight PNG, or NULL */
	const char *logits;   /* path for SOFT */
	uint64_t logits_stamp;
	const float *lambda; /* [classes], for SOFT */
	float lrent_alpha;   /* for SOFT */
	const augment_spec *augment;
	const char *look;    /* path of the image whose colours this one takes, or NULL */
	const photometric_spec *photometric; /* NULL: none; acts on the finished crop, pasted parts too; with `look`
	                                        its colours are not jittered */
	const struct sample_request *paste;  /* a source image whose classes are pasted over (ClassMix), or NULL;
	                                        its own photometric and paste are not looked at */
	bool target;    /* which domain; copied to the sample */
	uint32_t index; /* of the image in its data set; copied to the sample */
} sample_request;

typedef struct sample {
	float *input;   /* [crop_h][crop_w][3] */
	uint8_t *label; /* [crop_h*crop_w]; all LABEL_NONE without labels */
	float *weight;  /* [crop pixels], or NULL when the request had none */
	float *soft;    /* [K][crop pixels], or NULL; label is then its argmax */
	/* LABELS_ONLINE, else NULL. The labels and weights of teach pixels are for the step to fill in. */
	float *clean;   /* [crop_h][crop_w][3]: the input before pasting and colours */
	uint8_t *teach; /* [crop pixels]: 1 where the picture itself shows: no padding, nothing pasted */
	bool target;
	uint32_t index;
} sample;

/* What a sampler needs besides the request. One thread at a time. */
typedef struct sampler sampler;

typedef struct sampler_spec {
	size_t classes; /* 1..255 */
	input_norm norm;
	uint64_t seed;
} sampler_spec;

/* Bytes that sampler_make takes at its peak for an image of this size, beside `room`: decoding it, and
 * with `soft` the maps of soft labels (two when the logits hold a mirrored map), which are kept. */
size_t sampler_bytes(size_t classes, size_t image_w, size_t image_h, bool soft, bool flip_average);
/* What `look` takes beside that, with an image of this size. */
size_t sampler_look_bytes(size_t image_w, size_t image_h);
/* What it keeps for requests with `paste` or `photometric`, on top. */
size_t sampler_second_bytes(size_t crop_pixels);

tp_status sampler_create(const sampler_spec *spec, sampler **ret, tp_err *err) TP_MUST_CHECK;
void sampler_free(sampler *s); /* NULL is fine */

/* Fills the memory that `room` points to (crop-sized; weight, soft, clean and teach may be NULL when no
 * request wants them) and *ret, whose pointers are those of `room` or NULL.
 * Errors name the file: unreadable, damaged, another size than the image, a value outside the map.
 */
tp_status sampler_make(sampler *s, const sample_request *req, uint64_t step, size_t slot,
                       const sample *room, sample *ret, tp_err *err) TP_MUST_CHECK;

#endif
