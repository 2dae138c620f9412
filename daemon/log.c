#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void log_line(log_level level, const char *fmt, ...)
{
	char text[1024], line[sizeof text + 16];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	for (char *c = text; *c != 0; c++)
		if ((unsigned char)*c < 32 || *c == 127)
			*c = '?';
	/* The prefix means something to journald only; on a terminal it would be noise. */
	int n = getenv("JOURNAL_STREAM") != NULL
	            ? snprintf(line, sizeof line, "<%d>%s\n", (int)level, text)
	            : snprintf(line, sizeof line, "tpldd: %s\n", text);
	if (n > 0)
		(void)!write(STDERR_FILENO, line, strlen(line));
}
