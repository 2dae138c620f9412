/* The writing half of safetensors.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "ckpt/safetensors.h"
#include "ckpt/st_json.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensors are copied as they lie");

enum { LENGTH_BYTES = 8 };

/* Refuses what the reader would; *ret_room is enough for the header: an escaped byte takes six,
 * a number twenty. */
static tp_status check_out(const st_out *out, size_t outs, const st_meta *meta, size_t metas,
                           size_t *ret_room, tp_err *err)
{
	size_t room = 64;
	for (size_t i = 0; i < metas; i++) {
		size_t key = strlen(meta[i].key), value = strlen(meta[i].value);
		if (!st_utf8_valid(meta[i].key, key) || !st_utf8_valid(meta[i].value, value))
			return tp_fail(err, TP_INVALID, 0, "metadata %zu is not UTF-8", i);
		for (size_t k = 0; k < i; k++)
			if (strcmp(meta[k].key, meta[i].key) == 0)
				return tp_fail(err, TP_INVALID, 0, "metadata %s occurs twice",
				               meta[i].key);
		room += 6 * (key + value) + 8;
	}
	for (size_t i = 0; i < outs; i++) {
		const char *name = out[i].name;
		if (!st_name_valid(name) || strcmp(name, "__metadata__") == 0 ||
		    out[i].ndim > ST_MAX_DIMS)
			return tp_fail(err, TP_INVALID, 0,
			               "tensor %zu has no proper name or shape", i);
		for (size_t k = 0; k < i; k++)
			if (strcmp(out[k].name, name) == 0)
				return tp_fail(err, TP_INVALID, 0, "tensor %s occurs twice", name);
		room += 6 * strlen(name) + 128 + 22 * ST_MAX_DIMS;
	}
	*ret_room = room;
	return TP_OK;
}

/* Writes the header at `to`; fills the sizes of part[0..outs-1]. Returns its end, NULL when the
 * tensors are too large. */
static char *write_header(char *to, const st_out *out, size_t outs, const st_meta *meta,
                          size_t metas, file_part *part)
{
	const char *comma = "";
	size_t at = 0;
	*to++ = '{';
	if (metas > 0) {
		to += sprintf(to, "\"__metadata__\":{");
		for (size_t i = 0; i < metas; i++, comma = ",") {
			to += sprintf(to, "%s", comma);
			to = st_json_quote(to, meta[i].key);
			*to++ = ':';
			to = st_json_quote(to, meta[i].value);
		}
		*to++ = '}';
	}
	for (size_t i = 0; i < outs; i++, comma = ",") {
		size_t bytes = sizeof(float), end;
		to += sprintf(to, "%s", comma);
		to = st_json_quote(to, out[i].name);
		to += sprintf(to, ":{\"dtype\":\"F32\",\"shape\":[");
		for (size_t d = 0; d < out[i].ndim; d++) {
			to += sprintf(to, "%s%zu", d == 0 ? "" : ",", out[i].shape[d]);
			if (!mul_size(bytes, out[i].shape[d], &bytes))
				return NULL;
		}
		if (!add_size(at, bytes, &end) || end > INT64_MAX)
			return NULL;
		to += sprintf(to, "],\"data_offsets\":[%zu,%zu]}", at, end);
		part[i] = (file_part){.data = out[i].data, .size = bytes};
		at = end;
	}
	*to++ = '}';
	return to;
}

tp_status st_write(int dirfd, const char *path, const st_out *out, size_t outs, const st_meta *meta,
                   size_t metas, tp_err *err)
{
	size_t room = 0;
	tp_status st = check_out(out, outs, meta, metas, &room, err);
	if (st != TP_OK)
		return st;
	char *text = malloc(LENGTH_BYTES + room + 8);
	file_part *part = calloc(outs + 1, sizeof *part);
	if (text == NULL || part == NULL)
		st = tp_fail(err, TP_NOMEM, 0, "out of memory writing %s", path);
	char *end = NULL;
	if (st == TP_OK) {
		end = write_header(text + LENGTH_BYTES, out, outs, meta, metas, part + 1);
		if (end == NULL)
			st = tp_fail(err, TP_INVALID, 0, "tensors are too large for a file");
	}
	if (st == TP_OK) {
		while ((end - text) % 8 != 0) /* tensors start aligned */
			*end++ = ' ';
		size_t header = (size_t)(end - text) - LENGTH_BYTES;
		for (int i = 0; i < LENGTH_BYTES; i++)
			text[i] = (char)(header >> (8 * i) & 255);
		part[0] = (file_part){.data = text, .size = LENGTH_BYTES + header};
		if (header > ST_MAX_HEADER)
			st = tp_fail(err, TP_INVALID, 0, "safetensors header larger than 1 MiB");
	}
	if (st == TP_OK)
		st = file_replace(dirfd, path, part, outs + 1, err);
	free(text);
	free(part);
	return st;
}
