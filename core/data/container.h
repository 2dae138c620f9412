/* container: what a PNG or JPEG file says about itself before it is decoded: kind, size, and
 * whether all of it is there. stb_image checks neither PNG checksums nor the end of a JPEG, and
 * would hand out half an image in silence. Pure functions over bytes; any thread. */
#ifndef TP_DATA_CONTAINER_H
#define TP_DATA_CONTAINER_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef enum container_kind { CONTAINER_PNG, CONTAINER_JPEG } container_kind;

typedef struct container {
	container_kind kind;
	size_t w, h;
} container;

/* Reads the size from the header, within the limits of data/image.h. `what` names the file.
 * TP_INVALID: empty, another format, over a limit. TP_CORRUPT: the bytes end before the size. */
tp_status container_header(const void *bytes, size_t size, const char *what, container *ret,
                           tp_err *err) TP_MUST_CHECK;
/* Walks the whole file: every PNG chunk with its CRC up to IEND, every JPEG marker up to EOI.
 * TP_CORRUPT when something is missing or damaged. */
tp_status container_check(const void *bytes, size_t size, const char *what, container_kind kind,
                          tp_err *err) TP_MUST_CHECK;

#endif
