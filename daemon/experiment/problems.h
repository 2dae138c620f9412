/* problems: what is wrong with an experiment's definition, collected with JSON pointers. The same
 * mistake is found once for each variant that inherits it, and kept once. */
#ifndef TPLDD_EXPERIMENT_PROBLEMS_H
#define TPLDD_EXPERIMENT_PROBLEMS_H

#include "config/run_config.h"

typedef struct problems {
	config_error *error;
	size_t max, count; /* at most max are kept; count goes on beyond it */
	tp_err *err;       /* gets the first */
} problems;

void problem(problems *p, const char *pointer, const char *fmt, ...) TP_PRINTF(3, 4);

#endif
