/* safetensors: strict reading and writing of the safetensors container.
 *
 * Layout: u64 little-endian header length, JSON header {name: {dtype, shape, data_offsets},
 * "__metadata__": {string: string}}, data. The reader accepts a header of at most 1 MiB, unique
 * names of printable UTF-8 (256 bytes at most), and data that tile the rest of the file exactly;
 * any deviation is TP_CORRUPT with the tensor's name. Values can be read from F32, F16 and BF16;
 * tensors of the format's other types (batch norm's I64 counters) are only listed. Nothing is
 * allocated from a size in the file before that size was checked against the file's length. No
 * pickle, ever. */
#ifndef TP_CKPT_SAFETENSORS_H
#define TP_CKPT_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { ST_MAX_DIMS = 8, ST_MAX_HEADER = 1 << 20 };

typedef enum st_dtype { ST_F32, ST_F16, ST_BF16, ST_OTHER } st_dtype;

typedef struct st_tensor {
	const char *name; /* owned by the file */
	st_dtype dtype;
	size_t ndim, shape[ST_MAX_DIMS], count;
	size_t offset; /* bytes from the start of the data part */
} st_tensor;

typedef struct st_meta {
	const char *key, *value;
} st_meta;

typedef struct st_file {
	st_tensor *tensor;
	size_t tensors;
	st_meta *meta;
	size_t metas;
	void *map; /* the file, mapped read-only */
	size_t map_size;
	const unsigned char *data;
	void *names; /* storage of the strings */
} st_file;

/* Opens and checks a whole file; st_close releases. */
tp_status st_open(int dirfd, const char *path, st_file *ret, tp_err *err) TP_MUST_CHECK;
/* The same from memory (borrowed until st_close). */
tp_status st_parse(const void *data, size_t size, st_file *ret, tp_err *err) TP_MUST_CHECK;
void st_close(st_file *f);
const st_tensor *st_find(const st_file *f, const char *name);
const char *st_meta_get(const st_file *f, const char *key); /* or NULL */
/* Converts tensor values to float32 in dst[count]. Not for ST_OTHER. */
void st_read(const st_file *f, const st_tensor *t, float *dst);

/* One tensor to be written, as F32. */
typedef struct st_out {
	const char *name;
	size_t ndim, shape[ST_MAX_DIMS];
	const float *data;
} st_out;

/* Durable write (file_replace): names, shapes, metadata pairs in the order given; the same input
 * gives the same bytes. TP_INVALID when the reader would refuse the result. */
tp_status st_write(int dirfd, const char *path, const st_out *out, size_t outs, const st_meta *meta,
                   size_t metas, tp_err *err) TP_MUST_CHECK;

#endif
