/* infer: one image through a stored network, outside any run (contract.md section 5, "Inference
 * answers at the image's own size"). Runs on the calling thread with its own pool; loads the weights
 * anew each time: meant for trying out, not for serving. */
#ifndef TPLDD_INFER_H
#define TPLDD_INFER_H

#include "base/status.h"
#include "store/store.h"

typedef enum infer_format { INFER_PALETTE_PNG, INFER_NPY } infer_format;

/* image: PNG or JPEG bytes. *ret is malloc'ed. The network comes from a public checkpoint of a run or
 * from imported whole weights. */
tp_status infer_checkpoint(store *s, int state_dirfd, int64_t checkpoint, const void *image,
                           size_t size, infer_format format, void **ret, size_t *ret_size,
                           tp_err *err) TP_MUST_CHECK;
tp_status infer_weights(store *s, int state_dirfd, int64_t weights, const void *image, size_t size,
                        infer_format format, void **ret, size_t *ret_size, tp_err *err) TP_MUST_CHECK;
/* The .npy of a scored image: probabilities [K,H,W] from the stored logits of that round. */
tp_status infer_round_npy(store *s, int state_dirfd, int64_t run, int64_t round, int64_t index,
                          void **ret, size_t *ret_size, tp_err *err) TP_MUST_CHECK;

#endif
