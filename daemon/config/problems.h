/* problems: what is wrong with something that people configured, collected with JSON pointers. The same
 * mistake may be found several times, as once for each variant of an experiment, and is kept once. */
#ifndef TPLDD_CONFIG_PROBLEMS_H
#define TPLDD_CONFIG_PROBLEMS_H

#include "config/run_config.h"

typedef struct problems {
	config_error *error;
	size_t max, count; /* at most max are kept; count goes on beyond it */
	tp_err *err;       /* gets the first */
} problems;

void problem(problems *p, const char *pointer, const char *fmt, ...) TP_PRINTF(3, 4);

#endif
