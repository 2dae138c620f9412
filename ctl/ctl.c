#include "ctl.h"

#include <stdarg.h>
#include <stdio.h>

volatile sig_atomic_t ctl_interrupted;

static void say(const char *prefix, const char *fmt, va_list ap)
{
	(void)fflush(stdout); /* keeps the order when both go to one terminal */
	(void)fputs(prefix, stderr);
	(void)vfprintf(stderr, fmt, ap);
	(void)fputc('\n', stderr);
}

void ctl_error(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say("tpldctl: ", fmt, ap);
	va_end(ap);
}

ctl_exit ctl_fail(ctl_exit code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say("tpldctl: ", fmt, ap);
	va_end(ap);
	return code;
}

void ctl_note(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say("", fmt, ap);
	va_end(ap);
}
