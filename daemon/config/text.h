/* text: small string helpers of the configuration readers. */
#ifndef TPLDD_CONFIG_TEXT_H
#define TPLDD_CONFIG_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Copies, cutting before the character that does not fit (UTF-8 stays whole). */
void text_copy(char *to, size_t size, const char *from);
/* A key as a JSON pointer token (~ and / escaped), at most 40 of its bytes. size >= 88. */
void text_pointer_token(char *to, size_t size, const char *key);
/* What a value is, for people: "an object", "a whole number". */
const char *text_json_type(const json_t *v);
/* No control characters. */
bool text_printable(const char *text, size_t len);
/* Insertions, deletions and replacements that turn a into b; 99 when either has over 63 bytes. */
size_t text_distance(const char *a, const char *b);

#endif
