/* label: label files -> train ids, exact (palette and 16-bit PNGs keep their values). */
#ifndef TP_DATA_LABEL_H
#define TP_DATA_LABEL_H

#include "base/status.h"
#include "data/classes.h"

/* Loads a label PNG and maps it. *ret [h][w] is malloc'ed. TP_INVALID names the file and the first
 * value outside the map; with want_w/want_h non-zero also a size that differs from the image's. */
tp_status label_load(const char *path, const label_map *map, size_t want_w, size_t want_h,
                     uint8_t **ret, size_t *ret_w, size_t *ret_h, tp_err *err) TP_MUST_CHECK;

/* The stored values without a map (also of our 16-bit weight maps); size check and ownership as
 * above. */
tp_status label_load_values(const char *path, size_t want_w, size_t want_h, uint16_t **ret,
                            size_t *ret_w, size_t *ret_h, tp_err *err) TP_MUST_CHECK;

#endif
