#include "data/logits.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/image.h"

static const char MAGIC[8] = "TPLOGIT";

/* In the machine's byte order: a cache never leaves the machine. Its size keeps the floats behind
 * it aligned. */
typedef struct logits_header {
	char magic[8];
	uint64_t stamp;
	uint32_t classes, h, w, full_h, full_w;
	uint32_t maps;     /* 1: plain, 2: plain and mirrored */
	uint64_t checksum; /* of this header with checksum 0, then of the floats */
	uint64_t zero[2];
} logits_header;
_Static_assert(sizeof(logits_header) == 64, "without gaps");

static uint64_t sum_of(const logits_header *h, const void *plain, const void *mirrored,
                       size_t bytes)
{
	logits_header zero = *h;
	zero.checksum = 0;
	uint64_t sum = checksum64(checksum64(0, &zero, sizeof zero), plain, bytes);
	return mirrored == NULL ? sum : checksum64(sum, mirrored, bytes);
}

/* Bytes of one map of floats. */
static bool map_bytes(size_t classes, size_t h, size_t w, size_t *ret)
{
	return mul_size(classes, h, ret) && mul_size(*ret, w, ret) &&
	       mul_size(*ret, sizeof(float), ret);
}

tp_status logits_write(int dirfd, const char *name, uint64_t stamp, const logit_map *map,
                       tp_err *err)
{
	size_t bytes;
	if (map->classes == 0 || map->classes > 255 || map->h == 0 || map->h > IMAGE_MAX_SIDE ||
	    map->w == 0 || map->w > IMAGE_MAX_SIDE || map->full_h > IMAGE_MAX_SIDE ||
	    map->full_w > IMAGE_MAX_SIDE || !map_bytes(map->classes, map->h, map->w, &bytes))
		return tp_fail(err, TP_SHAPE, 0, "%s: %zux%zux%zu logits", name, map->classes,
		               map->h, map->w);
	logits_header h = {.stamp = stamp,
	                   .classes = (uint32_t)map->classes,
	                   .h = (uint32_t)map->h,
	                   .w = (uint32_t)map->w,
	                   .full_h = (uint32_t)map->full_h,
	                   .full_w = (uint32_t)map->full_w,
	                   .maps = map->mirrored == NULL ? 1 : 2};
	memcpy(h.magic, MAGIC, sizeof h.magic);
	h.checksum = sum_of(&h, map->plain, map->mirrored, bytes);
	const file_part part[3] = {{&h, sizeof h}, {map->plain, bytes}, {map->mirrored, bytes}};
	return file_replace_cache(dirfd, name, part, 1 + h.maps, err);
}

static tp_status damaged(const char *name, tp_err *err)
{
	return tp_fail(err, TP_CORRUPT, 0, "%s is damaged", name);
}

/* Fills *ret from the file image, which must be exactly what logits_write made. */
static tp_status parse(void *block, size_t size, const char *name, uint64_t stamp, logits_file *ret,
                       tp_err *err)
{
	logits_header h;
	if (size < sizeof h)
		return damaged(name, err);
	memcpy(&h, block, sizeof h);
	if (memcmp(h.magic, MAGIC, sizeof h.magic) != 0)
		return damaged(name, err);
	size_t bytes, total;
	if (h.classes == 0 || h.h == 0 || h.w == 0 || h.maps < 1 || h.maps > 2 ||
	    !map_bytes(h.classes, h.h, h.w, &bytes) || !mul_size(bytes, h.maps, &total) ||
	    total != size - sizeof h)
		return damaged(name, err);
	char *plain = (char *)block + sizeof h, *mirrored = h.maps == 2 ? plain + bytes : NULL;
	if (sum_of(&h, plain, mirrored, bytes) != h.checksum)
		return damaged(name, err);
	if (h.stamp != stamp)
		return tp_fail(err, TP_NOTFOUND, 0, "%s belongs to another round", name);
	*ret = (logits_file){
		.map = {.classes = h.classes,
	                .h = h.h,
	                .w = h.w,
	                .full_h = h.full_h,
	                .full_w = h.full_w,
	                .plain = (const float *)(void *)plain,
	                .mirrored = (const float *)(void *)mirrored},
		.block = block,
	};
	return TP_OK;
}

tp_status logits_read(int dirfd, const char *name, uint64_t stamp, logits_file *ret, tp_err *err)
{
	const size_t limit = (size_t)2 << 30;
	void *block;
	size_t size;
	tp_status st = file_read(dirfd, name, limit, &block, &size, err);
	if (st != TP_OK)
		return st;
	st = parse(block, size, name, stamp, ret, err);
	if (st != TP_OK)
		free(block);
	return st;
}

void logits_done(logits_file *f)
{
	free(f->block);
	*f = (logits_file){0};
}
