/* weights: importing safetensors files into the state directory. (catalog/weights.h is the daemon's
 * registry; core's ckpt/weights.h reads the files.) Any thread. */
#ifndef TPLDD_CATALOG_WEIGHTS_H
#define TPLDD_CATALOG_WEIGHTS_H

#include "base/status.h"
#include "net/deeplab.h"
#include "store/store.h"

typedef struct weights_request {
	const char *name; /* 1..127 printable characters */
	net_arch arch;
	size_t output_stride;
	size_t aspp_dilations[ASPP_MAX_BRANCHES], aspp_branches;
} weights_request;

enum { CATALOG_WEIGHTS_MAX_BYTES = 1 << 30 };

/* `tmp_name` is a complete uploaded file below the state directory; it is checked against the
 * architecture (backbone tensors present, shapes, finite values), hashed and moved to weights/SHA.
 * On failure it is removed. TP_EXISTS: the name is taken. A file with a whole network infers. */
tp_status catalog_weights_add(store *s, int state_dirfd, const weights_request *r,
                              const char *tmp_name, int64_t *ret_id, tp_err *err) TP_MUST_CHECK;

#endif
