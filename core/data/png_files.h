/* png_files: several maps of one image as PNG files, encoded and written side by side by the pool;
 * an image's label layers take as long as its slowest one. */
#ifndef TP_DATA_PNG_FILES_H
#define TP_DATA_PNG_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"
#include "base/status.h"

enum { PNG_FILES_MAX = 8 };

/* One file; everything is borrowed until png_files_write returns. */
typedef struct png_file {
	const char *name;    /* relative to dirfd */
	const uint8_t *map;  /* [h][w] */
	const uint8_t (*palette)[3]; /* [256] of the map; NULL: grey */
	const uint16_t *wide; /* [h][w] written as 16-bit grey instead of map; or NULL */
} png_file;

/* Replaces each file as file_replace_cache does (base/file.h); count <= PNG_FILES_MAX. On failure the
 * error of the first that failed; the others are written or untouched. Any thread that owns the
 * pool. */
tp_status png_files_write(int dirfd, const png_file *file, size_t count, size_t w, size_t h,
                          pool *pool, tp_err *err) TP_MUST_CHECK;

#endif
