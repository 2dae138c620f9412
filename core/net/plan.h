/* plan: places blocks of memory with known lifetimes in one arena, so that blocks alive at the same
 * step never overlap. */
#ifndef TP_NET_PLAN_H
#define TP_NET_PLAN_H

#include <stddef.h>

#include "base/status.h"

typedef struct plan_block {
	size_t bytes;
	size_t first, last; /* steps of life, both inclusive */
	size_t offset;      /* result: bytes from the arena's start, a multiple of TP_ALIGN */
} plan_block;

/* Largest block first, each into the smallest gap that holds it (best fit): within a few per cent
 * of the peak of live bytes for our networks. The result depends on the arguments only. */
tp_status plan_place(plan_block *block, size_t count, size_t *ret_bytes, tp_err *err) TP_MUST_CHECK;

#endif
