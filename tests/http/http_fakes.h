/* http_fakes: see http_fakes.c. */
#ifndef TPLDD_TESTS_HTTP_FAKES_H
#define TPLDD_TESTS_HTTP_FAKES_H

#include "run/scheduler.h"

/* free() it. NULL: out of memory. */
scheduler *fake_scheduler(store *s);

#endif
