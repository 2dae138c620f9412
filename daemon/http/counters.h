/* counters: requests by route and status, for /metrics. Counted on the loop, read on a worker. */
#ifndef TPLDD_HTTP_COUNTERS_H
#define TPLDD_HTTP_COUNTERS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { COUNTER_ROUTES = 64, COUNTER_CODES = 512 };

typedef struct counters {
	/* Row route index + 1; row 0: no route. Column status - 100. */
	atomic_uint_least32_t request[COUNTER_ROUTES + 1][COUNTER_CODES];
	atomic_uint_least64_t seconds_us[COUNTER_ROUTES + 1];
	atomic_uint_least32_t streams;
} counters;

#endif
