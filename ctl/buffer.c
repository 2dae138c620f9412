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
	char *text = NULL;
	va_list ap;
	va_start(ap, fmt);
	int n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0) {
		ctl_error("out of memory");
		exit(CTL_FAILED);
	}
	buffer_add(b, text, (size_t)n);
	free(text);
}

void buffer_add_escaped(buffer *b, const char *text)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
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
