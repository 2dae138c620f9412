/* datasets: registering a data set: check the request, scan the tree, probe every image, store rows.
 * And reading a registered one back in the forms training and HTTP need. Any thread. */
#ifndef TPLDD_CATALOG_DATASETS_H
#define TPLDD_CATALOG_DATASETS_H

#include <jansson.h>

#include "base/status.h"
#include "config/daemon_config.h"
#include "data/classes.h"
#include "data/image.h"
#include "store/store.h"

/* body: contract.md section 4's POST /datasets. Unknown keys, wrong types, a root outside data_roots, a
 * class_map to a train id that does not exist are TP_INVALID, beginning with the JSON pointer.
 * TP_NOTFOUND: root or layout folder absent, or no image. TP_EXISTS: the name is taken.
 * Without class_set: camvid -> camvid-11, others -> cityscapes-19 (synthia -> synthia-16). */
tp_status datasets_register(store *s, const daemon_config *config, const json_t *body,
                            int64_t *ret_id, tp_err *err) TP_MUST_CHECK;
/* The class set and label map of a row. */
tp_status datasets_classes(const dataset_row *row, class_set *ret_set, label_map *ret_map,
                           tp_err *err) TP_MUST_CHECK;
/* A picture of the data set as PNG bytes (malloc'ed): the whole image, or a thumbnail of at most
 * 320 pixels kept under cache/thumbs. state_dirfd: the open state directory. */
tp_status datasets_image_png(store *s, int64_t dataset, int64_t index, void **ret, size_t *ret_size,
                             tp_err *err) TP_MUST_CHECK;
tp_status datasets_thumb_png(store *s, int state_dirfd, int64_t dataset, int64_t index, void **ret,
                             size_t *ret_size, tp_err *err) TP_MUST_CHECK;

#endif
