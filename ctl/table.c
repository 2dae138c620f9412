#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"

struct table {
	size_t columns, heads, cells, room;
	bool *right;
	size_t *width;
	char **cell; /* headings first, then row by row */
};

table *table_new(size_t columns)
{
	table *t = grow(NULL, sizeof *t);
	*t = (table){.columns = columns,
	             .right = grow(NULL, columns * sizeof *t->right),
	             .width = grow(NULL, columns * sizeof *t->width)};
	memset(t->right, 0, columns * sizeof *t->right);
	memset(t->width, 0, columns * sizeof *t->width);
	return t;
}

void table_free(table *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->cells; i++)
		free(t->cell[i]);
	free(t->cell);
	free(t->right);
	free(t->width);
	free(t);
}

/* Characters of UTF-8 text: all bytes but continuations. */
static size_t width_of(const char *text)
{
	size_t n = 0;
	for (; *text != 0; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

void table_cell(table *t, const char *text)
{
	if (t->cells == t->room) {
		t->room = 2 * t->room + 64;
		t->cell = grow(t->cell, t->room * sizeof *t->cell);
	}
	size_t column = t->cells % t->columns, width = width_of(text);
	if (width > t->width[column])
		t->width[column] = width;
	t->cell[t->cells++] = copy_text(text);
}

void table_head(table *t, const char *text, bool right)
{
	t->right[t->heads++] = right;
	table_cell(t, text);
}

static void pad(size_t n)
{
	while (n-- > 0)
		(void)fputc(' ', stdout);
}

static void print_cell(const table *t, size_t i)
{
	size_t column = i % t->columns, space = t->width[column] - width_of(t->cell[i]);
	bool last = column + 1 == t->columns;
	if (t->right[column])
		pad(space);
	for (const char *p = t->cell[i]; *p != 0; p++)
		(void)fputc((unsigned char)*p < ' ' || *p == 127 ? '?' : *p, stdout);
	if (!t->right[column] && !last)
		pad(space);
	(void)fputs(last ? "\n" : "  ", stdout);
}

void table_print(const table *t)
{
	for (size_t i = 0; i < t->cells; i++)
		print_cell(t, i);
}

void table_print_csv(const table *t)
{
	for (size_t i = 0; i < t->cells; i++) {
		const char *text = t->cell[i];
		bool quote = strpbrk(text, ",\"\r\n") != NULL;
		if (quote)
			(void)fputc('"', stdout);
		for (; *text != 0; text++) {
			if (*text == '"')
				(void)fputc('"', stdout);
			(void)fputc(*text, stdout);
		}
		if (quote)
			(void)fputc('"', stdout);
		(void)fputc((i + 1) % t->columns == 0 ? '\n' : ',', stdout);
	}
}
