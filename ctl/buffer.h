/* buffer: bytes that grow, always with a zero behind them. Out of memory ends the program: a
 * command line tool has nothing better to do. */
#ifndef TPLDCTL_BUFFER_H
#define TPLDCTL_BUFFER_H

#include <stddef.h>

typedef struct buffer {
	char *data; /* never NULL after the first call below */
	size_t size, room;
} buffer;

void buffer_add(buffer *b, const void *data, size_t size);
void buffer_add_text(buffer *b, const char *text);
void buffer_printf(buffer *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Percent-encodes all but RFC 3986's unreserved characters. */
void buffer_add_escaped(buffer *b, const char *text);
/* "?name=value", or "&name=value" when there is a query already; nothing when value is NULL. */
void buffer_add_query(buffer *b, const char *name, const char *value);
/* Back to "", keeping the memory. */
void buffer_clear(buffer *b);
void buffer_free(buffer *b);

/* Copies that never fail. */
char *copy_text(const char *text);
void *grow(void *data, size_t size);

#endif
