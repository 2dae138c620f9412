#include "ckpt/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "ckpt/st_json.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensors are copied as they lie");

enum { LENGTH_BYTES = 8 };

static const struct {
	char name[8];
	st_dtype dtype;
	size_t bytes;
} dtype_table[] = {
	{"F32", ST_F32, 4},   {"F16", ST_F16, 2},   {"BF16", ST_BF16, 2}, {"F64", ST_OTHER, 8},
	{"I64", ST_OTHER, 8}, {"U64", ST_OTHER, 8}, {"I32", ST_OTHER, 4}, {"U32", ST_OTHER, 4},
	{"I16", ST_OTHER, 2}, {"U16", ST_OTHER, 2}, {"I8", ST_OTHER, 1},  {"U8", ST_OTHER, 1},
	{"BOOL", ST_OTHER, 1},
};

/* ---- the header ---- */

typedef struct reader {
	st_json json;
	st_file file;
	size_t data_size;
	size_t *end; /* where each tensor's data end, parallel to file.tensor */
	tp_err *err;
} reader;

/* TP_CORRUPT with the tensor's name (or the header, when it has none) and the first complaint. */
static tp_status corrupt(reader *r, const char *name, const char *why)
{
	if (r->json.why != NULL)
		why = r->json.why;
	return name == NULL ? tp_fail(r->err, TP_CORRUPT, 0, "safetensors header: %s", why)
	                    : tp_fail(r->err, TP_CORRUPT, 0, "tensor %s: %s", name, why);
}

static tp_status no_memory(tp_err *err)
{
	return tp_fail(err, TP_NOMEM, 0, "out of memory for a safetensors header");
}

/* Makes room for element `count` of a growing array. */
static bool grow(void **array, size_t count, size_t size)
{
	if ((count & (count - 1)) != 0)
		return true;
	void *p = realloc(*array, (count == 0 ? 1 : 2 * count) * size);
	if (p == NULL)
		return false;
	*array = p;
	return true;
}

/* A key and its colon; NULL at fault. */
static const char *read_key(st_json *j)
{
	const char *key = st_json_string(j);
	return key != NULL && st_json_take(j, ':') ? key : NULL;
}

/* After an element: true when another follows. Consumes the comma or the closing sign. */
static bool another(st_json *j, char close)
{
	if (st_json_peek(j) == ',')
		return st_json_take(j, ',');
	(void)st_json_take(j, close);
	return false;
}

static tp_status read_metadata(reader *r)
{
	st_json *j = &r->json;
	st_file *f = &r->file;
	if (!st_json_take(j, '{'))
		return corrupt(r, "__metadata__", "");
	bool more = st_json_peek(j) != '}' || !st_json_take(j, '}');
	while (more) {
		const char *key = read_key(j), *value = key == NULL ? NULL : st_json_string(j);
		if (value == NULL)
			break;
		if (st_meta_get(f, key) != NULL)
			return corrupt(r, "__metadata__", "a key occurs twice");
		if (!grow((void **)&f->meta, f->metas, sizeof *f->meta))
			return no_memory(r->err);
		f->meta[f->metas++] = (st_meta){.key = key, .value = value};
		more = another(j, '}');
	}
	return j->why == NULL ? TP_OK : corrupt(r, "__metadata__", "");
}

static bool read_dtype(st_json *j, size_t *ret)
{
	const char *name = st_json_string(j);
	for (size_t i = 0; name != NULL && i < sizeof dtype_table / sizeof dtype_table[0]; i++) {
		if (strcmp(dtype_table[i].name, name) == 0) {
			*ret = i;
			return true;
		}
	}
	if (j->why == NULL)
		j->why = "unknown dtype";
	return false;
}

/* [n, n, ...] of at most `most` numbers. */
static bool read_numbers(st_json *j, uint64_t *to, size_t most, size_t *ret_count)
{
	size_t n = 0;
	if (!st_json_take(j, '['))
		return false;
	bool more = st_json_peek(j) != ']' || !st_json_take(j, ']');
	while (more && n < most && st_json_number(j, &to[n])) {
		n++;
		more = another(j, ']');
	}
	if (more && j->why == NULL)
		j->why = "too many numbers";
	*ret_count = n;
	return j->why == NULL;
}

/* {"dtype": ..., "shape": [...], "data_offsets": [begin, end]} in any order, each once. */
static tp_status read_tensor(reader *r, const char *name)
{
	st_json *j = &r->json;
	enum { DTYPE = 1, SHAPE = 2, OFFSETS = 4, ALL = 7 };
	unsigned seen = 0;
	size_t type = 0, ndim = 0, two = 0;
	uint64_t shape[ST_MAX_DIMS] = {0}, offset[2] = {0};
	if (!st_name_valid(name))
		return corrupt(r, NULL, "a tensor name is empty, too long or not printable");
	if (!st_json_take(j, '{'))
		return corrupt(r, name, "");
	for (bool more = true; more;) {
		const char *key = read_key(j);
		if (key == NULL)
			return corrupt(r, name, "");
		unsigned field = strcmp(key, "dtype") == 0          ? DTYPE
		                 : strcmp(key, "shape") == 0        ? SHAPE
		                 : strcmp(key, "data_offsets") == 0 ? OFFSETS
		                                                    : 0;
		if (field == 0 || (seen & field) != 0)
			return corrupt(r, name, "unknown or repeated key");
		seen |= field;
		bool ok = field == DTYPE   ? read_dtype(j, &type)
		          : field == SHAPE ? read_numbers(j, shape, ST_MAX_DIMS, &ndim)
		                           : read_numbers(j, offset, 2, &two);
		if (!ok)
			return corrupt(r, name, "");
		more = another(j, '}');
	}
	if (j->why != NULL || seen != ALL || two != 2)
		return corrupt(r, name, "dtype, shape and two data_offsets are needed");
	st_tensor t = {.name = name, .dtype = dtype_table[type].dtype, .ndim = ndim, .count = 1};
	for (size_t i = 0; i < ndim; i++) {
		t.shape[i] = shape[i];
		if (!mul_size(t.count, t.shape[i], &t.count))
			return corrupt(r, name, "its shape is too large");
	}
	size_t bytes;
	if (!mul_size(t.count, dtype_table[type].bytes, &bytes))
		return corrupt(r, name, "its shape is too large");
	if (offset[0] > offset[1] || offset[1] > r->data_size || offset[1] - offset[0] != bytes)
		return corrupt(r, name, "its data_offsets do not fit its shape or the file");
	t.offset = offset[0];
	st_file *f = &r->file;
	if (!grow((void **)&f->tensor, f->tensors, sizeof *f->tensor) ||
	    !grow((void **)&r->end, f->tensors, sizeof *r->end))
		return no_memory(r->err);
	r->end[f->tensors] = offset[1];
	f->tensor[f->tensors++] = t;
	return TP_OK;
}

/* The whole header is one flat walk, so that depth of nesting is no resource. */
static tp_status read_header(reader *r)
{
	st_json *j = &r->json;
	bool metadata = false;
	if (j->p == j->end || *j->p != '{')
		return corrupt(r, NULL, "it does not start with {");
	(void)st_json_take(j, '{');
	bool more = st_json_peek(j) != '}' || !st_json_take(j, '}');
	while (more) {
		const char *key = read_key(j);
		if (key == NULL)
			break;
		bool is_meta = strcmp(key, "__metadata__") == 0;
		if (is_meta && metadata)
			return corrupt(r, key, "occurs twice");
		metadata = metadata || is_meta;
		tp_status st = is_meta ? read_metadata(r) : read_tensor(r, key);
		if (st != TP_OK)
			return st;
		more = another(j, '}');
	}
	if (j->why != NULL || !st_json_end(j))
		return corrupt(r, NULL, "");
	return TP_OK;
}

/* ---- the whole ---- */

static int by_name(const void *a, const void *b)
{
	const st_tensor *p = *(const st_tensor *const *)a, *q = *(const st_tensor *const *)b;
	return strcmp(p->name, q->name);
}

/* Empty tensors share their neighbour's offset and come before it. */
static int by_offset(const void *a, const void *b)
{
	const st_tensor *p = *(const st_tensor *const *)a, *q = *(const st_tensor *const *)b;
	if (p->offset != q->offset)
		return p->offset < q->offset ? -1 : 1;
	if ((p->count == 0) != (q->count == 0))
		return p->count == 0 ? -1 : 1;
	return p < q ? -1 : p > q;
}

/* Names are unique; data tile the file without gap, overlap or remainder. */
static tp_status check_tensors(reader *r)
{
	st_file *f = &r->file;
	size_t at = 0;
	const st_tensor **order = malloc((f->tensors + 1) * sizeof *order);
	if (order == NULL)
		return no_memory(r->err);
	for (size_t i = 0; i < f->tensors; i++)
		order[i] = &f->tensor[i];
	tp_status st = TP_OK;
	qsort(order, f->tensors, sizeof *order, by_name);
	for (size_t i = 1; i < f->tensors && st == TP_OK; i++)
		if (strcmp(order[i - 1]->name, order[i]->name) == 0)
			st = corrupt(r, order[i]->name, "occurs twice");
	qsort(order, f->tensors, sizeof *order, by_offset);
	for (size_t i = 0; i < f->tensors && st == TP_OK; i++) {
		if (order[i]->offset != at)
			st = corrupt(r, order[i]->name,
			             "its data do not adjoin the tensor before it");
		at = r->end[order[i] - f->tensor];
	}
	if (st == TP_OK && at != r->data_size)
		st = corrupt(r, NULL, "the file is longer than its tensors");
	free(order);
	return st;
}

tp_status st_parse(const void *data, size_t size, st_file *ret, tp_err *err)
{
	const unsigned char *bytes = data;
	uint64_t header = 0;
	reader r = {.err = err};
	if (size < LENGTH_BYTES)
		return corrupt(&r, NULL, "the file is shorter than 8 bytes");
	for (int i = LENGTH_BYTES; i-- > 0;)
		header = header << 8 | bytes[i];
	if (header > ST_MAX_HEADER || header > size - LENGTH_BYTES)
		return corrupt(&r, NULL, "its length is beyond the file or 1 MiB");
	r.file.names = malloc(header + 1);
	if (r.file.names == NULL)
		return no_memory(err);
	r.file.data = bytes + LENGTH_BYTES + header;
	r.data_size = size - LENGTH_BYTES - header;
	const char *text = (const char *)bytes + LENGTH_BYTES;
	r.json = (st_json){.p = text, .end = text + header, .text = r.file.names};
	tp_status st = read_header(&r);
	if (st == TP_OK)
		st = check_tensors(&r);
	free(r.end);
	if (st == TP_OK)
		*ret = r.file;
	else
		st_close(&r.file);
	return st;
}

/* The map outlives the descriptor. Nobody shortens our files in place (file_replace renames over
 * them), so a page of it cannot vanish. */
tp_status st_open(int dirfd, const char *path, st_file *ret, tp_err *err)
{
	int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return tp_fail(err, errno == ENOENT ? TP_NOTFOUND : TP_IO, errno, "cannot open %s",
		               path);
	struct stat s;
	void *map = MAP_FAILED;
	tp_status st = TP_OK;
	if (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode))
		st = tp_fail(err, TP_INVALID, 0, "%s is not a regular file", path);
	else if (s.st_size < LENGTH_BYTES)
		st = tp_fail(err, TP_CORRUPT, 0, "%s is shorter than 8 bytes", path);
	if (st == TP_OK) {
		map = mmap(NULL, (size_t)s.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (map == MAP_FAILED)
			st = tp_fail(err, TP_IO, errno, "cannot map %s", path);
	}
	(void)close(fd);
	if (st == TP_OK) {
		st = st_parse(map, (size_t)s.st_size, ret, err);
		if (st == TP_OK) {
			ret->map = map;
			ret->map_size = (size_t)s.st_size;
		} else {
			(void)munmap(map, (size_t)s.st_size);
		}
	}
	return st;
}

void st_close(st_file *f)
{
	if (f->map != NULL)
		(void)munmap(f->map, f->map_size);
	free(f->tensor);
	free(f->meta);
	free(f->names);
	*f = (st_file){0};
}

const st_tensor *st_find(const st_file *f, const char *name)
{
	for (size_t i = 0; i < f->tensors; i++)
		if (strcmp(f->tensor[i].name, name) == 0)
			return &f->tensor[i];
	return NULL;
}

const char *st_meta_get(const st_file *f, const char *key)
{
	for (size_t i = 0; i < f->metas; i++)
		if (strcmp(f->meta[i].key, key) == 0)
			return f->meta[i].value;
	return NULL;
}

/* ---- values ---- */

static float from_bits(uint32_t bits)
{
	float f;
	memcpy(&f, &bits, sizeof f);
	return f;
}

/* IEEE binary16: 5 exponent bits with bias 15, 10 fraction bits. */
static float from_f16(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 1023;
	if (exponent == 31)
		return from_bits(sign | 0x7f800000 | fraction << 13);
	if (exponent != 0)
		return from_bits(sign | (exponent + 112) << 23 | fraction << 13);
	float tiny = (float)fraction * 0x1p-24f; /* subnormals, and zero with its sign */
	return sign != 0 ? -tiny : tiny;
}

void st_read(const st_file *f, const st_tensor *t, float *dst)
{
	const unsigned char *p = f->data + t->offset;
	if (t->dtype == ST_F32) {
		if (t->count > 0)
			memcpy(dst, p, t->count * sizeof *dst);
		return;
	}
	for (size_t i = 0; i < t->count; i++) {
		uint16_t h;
		memcpy(&h, p + 2 * i, sizeof h);
		dst[i] = t->dtype == ST_F16 ? from_f16(h) : from_bits((uint32_t)h << 16);
	}
}
