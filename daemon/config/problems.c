#include "config/problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config/text.h"

void problem(problems *p, const char *pointer, const char *fmt, ...)
{
	config_error e;
	char detail[1024];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(detail, sizeof detail, fmt, ap);
	va_end(ap);
	text_copy(e.pointer, sizeof e.pointer, pointer);
	text_copy(e.detail, sizeof e.detail, detail);
	for (size_t i = 0; i < p->count && i < p->max; i++)
		if (strcmp(p->error[i].pointer, e.pointer) == 0 &&
		    strcmp(p->error[i].detail, e.detail) == 0)
			return;
	if (p->count < p->max)
		p->error[p->count] = e;
	p->count++;
	(void)tp_fail(p->err, TP_INVALID, 0, "%s%s%s", e.pointer, e.pointer[0] != 0 ? ": " : "",
	              e.detail);
}
