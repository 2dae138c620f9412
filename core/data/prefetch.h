/* prefetch: a thread that decodes the next image of a list while the current one is computed on. */
#ifndef TP_DATA_PREFETCH_H
#define TP_DATA_PREFETCH_H

#include "data/image.h"

typedef struct prefetch prefetch;

/* Decodes path[0..count-1] in order, at most two ahead. `path` is borrowed until prefetch_free. A NULL
 * entry is skipped: prefetch_next returns an empty image (rgb NULL) for it. */
tp_status prefetch_create(const char *const *path, size_t count, prefetch **ret,
                          tp_err *err) TP_MUST_CHECK;
/* The next image, in order; the caller owns it (image_done). */
tp_status prefetch_next(prefetch *p, image *ret, tp_err *err) TP_MUST_CHECK;
void prefetch_free(prefetch *p); /* NULL is fine */

#endif
