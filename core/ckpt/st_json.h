/* st_json: a strict cursor over the JSON of a safetensors header, which consists of objects,
 * strings and non-negative integers only. Strings are decoded into one block; nothing recurses.
 *
 * The first complaint stays in `why`; after it every call returns failure. */
#ifndef TP_CKPT_ST_JSON_H
#define TP_CKPT_ST_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct st_json {
	const char *p, *end; /* what is left; not zero-terminated */
	char *text;          /* decoded strings go here; as much room as the input has bytes */
	const char *why;     /* NULL while all is well; static storage */
} st_json;

/* The next sign, not counting white space; 0 at the end. */
char st_json_peek(st_json *j);
/* Takes that sign; anything else is a failure. */
bool st_json_take(st_json *j, char sign);
/* A string: valid UTF-8 without U+0000. NULL on failure. */
const char *st_json_string(st_json *j);
/* Decimal digits without leading zero, at most 2^63 - 1. */
bool st_json_number(st_json *j, uint64_t *ret);
/* White space to the end. */
bool st_json_end(st_json *j);

/* Valid UTF-8 (shortest forms, no surrogates) without U+0000. */
bool st_utf8_valid(const char *s, size_t size);
/* A tensor's name: 1..256 bytes of printable UTF-8. */
bool st_name_valid(const char *name);
/* Appends a quoted, escaped string at `to` and returns its end; room: 6 bytes per byte, plus 2. */
char *st_json_quote(char *to, const char *s);

#endif
