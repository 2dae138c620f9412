#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/csv.h"

bool csv_open(request *r, csv *c)
{
	*c = (csv){0};
	c->f = open_memstream(&c->text, &c->size);
	if (c->f == NULL)
		respond_json(r, 200, NULL);
	return c->f != NULL;
}

static void begin_field(csv *c)
{
	if (c->begun)
		(void)fputc(',', c->f);
	c->begun = true;
}

void csv_text(csv *c, const char *s)
{
	begin_field(c);
	if (s == NULL)
		return;
	if (strpbrk(s, ",\"\r\n") == NULL) {
		(void)fputs(s, c->f);
		return;
	}
	(void)fputc('"', c->f);
	for (; *s != 0; s++) {
		if (*s == '"')
			(void)fputc('"', c->f);
		(void)fputc(*s, c->f);
	}
	(void)fputc('"', c->f);
}

void csv_share(csv *c, double v)
{
	begin_field(c);
	if (isfinite(v))
		(void)fprintf(c->f, "%.6f", v);
}

void csv_int(csv *c, bool has, int64_t v)
{
	begin_field(c);
	if (has)
		(void)fprintf(c->f, "%lld", (long long)v);
}

void csv_end_line(csv *c)
{
	(void)fputs("\r\n", c->f);
	c->begun = false;
}

void csv_respond(request *r, csv *c)
{
	bool bad = ferror(c->f) != 0;
	if (fclose(c->f) != 0 || bad) {
		free(c->text);
		respond_json(r, 200, NULL);
		return;
	}
	respond_bytes(r, "text/csv; charset=utf-8", c->text, c->size);
}
