/* loader: one thread that decodes and augments ahead, so that computing never waits for it.
 *
 * What a step needs is asked from the plan callback, a pure function of (step, slot); a resumed run
 * therefore gets the very same samples. The plan runs on the loader's thread and must only read
 * data that does not change while the loader lives. */
#ifndef TP_DATA_LOADER_H
#define TP_DATA_LOADER_H

#include "base/status.h"
#include "data/sample.h"

/* Fills *ret for one sample. What it borrows stays valid until the next call for the same slot. */
typedef tp_status loader_plan(void *arg, uint64_t step, size_t slot, sample_request *ret,
                              tp_err *err);

typedef struct loader_spec {
	size_t slots;       /* samples per step */
	size_t classes;     /* 1..255; pseudo labels beyond it are refused */
	bool soft, weights, online; /* whether any request may want them (memory is taken at creation) */
	size_t crop_h, crop_w;
	input_norm norm;
	uint64_t seed, first_step, last_step; /* steps first_step .. last_step-1 */
	size_t ahead;                         /* steps decoded ahead, >= 1 */
	loader_plan *plan;
	void *plan_arg;
} loader_spec;

typedef struct loader loader;

/* Bytes of the samples that loader_create takes; decoding comes on top (data/sample.h). */
size_t loader_bytes(const loader_spec *spec);
tp_status loader_create(const loader_spec *spec, loader **ret, tp_err *err) TP_MUST_CHECK;
/* The samples of the next step, slots entries, valid until the next call. The caller's thread
 * allocates nothing. *ret_waited is true when the caller had to wait for decoding. An error of the
 * loader's thread (unreadable image, wrong label) arrives here, naming the file, at the step it
 * belongs to: the steps before it come first. TP_CONFLICT behind the last step. */
tp_status loader_next(loader *l, const sample **ret, bool *ret_waited, tp_err *err) TP_MUST_CHECK;
void loader_free(loader *l); /* stops and joins; NULL is fine */

#endif
