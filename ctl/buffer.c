#include "buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

void *grow(void *data, size_t size)
{
	void *p = realloc(data, size);
	if (p == NULL) {
		ctl_error("out of memory");
		exit(CTL_FAILED);
	}
	return p;
}

char *copy_text(const char *text)
{
	size_t n = strlen(text) + 1;
	return memcpy(grow(NULL, n), text, n);
}

static void reserve(buffer *b, size_t more)
{
	if (b->room - b->size > more && b->data != NULL)
		return;
	b->room = 2 * (b->size + more) + 64;
	b->data = grow(b->data, b->room);
	b->data[b->size] = 0;
}

void buffer_add(buffer *b, const void *data, size_t size)
{
	reserve(b, size);
	if (size > 0)
		memcpy(b->data + b->size, data, size);
	b->size += size;
	b->data[b->size] = 0;
}

void buffer_add_text(buffer *b, const char *text)
{
	buffer_add(b, text, strlen(text));
}

void buffer_printf(buffer *b, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n > 0) {
		reserve(b, (size_t)n);
		(void)vsnprintf(b->data + b->size, (size_t)n + 1, fmt, again);
		b->size += (size_t)n;
	}
	va_end(again);
}

void buffer_add_escaped(buffer *b, const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
	for (const char *p = text; *p != 0; p++) {
		if (strchr(plain, *p) != NULL)
			buffer_add(b, p, 1);
		else
			buffer_printf(b, "%%%02X", (unsigned char)*p);
	}
}

void buffer_add_query(buffer *b, const char *name, const char *value)
{
	if (value == NULL)
		return;
	buffer_printf(b, "%c%s=", strchr(b->data, '?') != NULL ? '&' : '?', name);
	buffer_add_escaped(b, value);
}

void buffer_clear(buffer *b)
{
	b->size = 0;
	buffer_add(b, "", 0);
}

void buffer_free(buffer *b)
{
	free(b->data);
	*b = (buffer){0};
}
