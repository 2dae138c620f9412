#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

tp_status tp_fail(tp_err *err, tp_status code, int sys, const char *fmt, ...)
{
	if (code == TP_IO && (sys == ENOSPC || sys == EDQUOT))
		code = TP_NOSPACE;
	if (err == NULL || err->code != TP_OK)
		return code;
	err->code = code;
	err->sys = sys;
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(err->text, sizeof err->text, fmt, ap);
	va_end(ap);
	if (sys != 0 && n >= 0 && (size_t)n < sizeof err->text - 3) {
		char text[128];
		const char *why = strerror_r(sys, text, sizeof text);
		(void)snprintf(err->text + n, sizeof err->text - (size_t)n, ": %s", why);
	}
	return code;
}

const char *tp_status_text(tp_status code)
{
	switch (code) {
#define X(name, num, text)                                                                         \
	case TP_##name:                                                                            \
		return text;
		TP_STATUS_MAP(X)
#undef X
	}
	return "unknown status";
}
