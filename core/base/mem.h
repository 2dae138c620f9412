/* mem: checked sizes and cache-line-aligned blocks. No thread owns anything here. */
#ifndef TP_BASE_MEM_H
#define TP_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum { TP_ALIGN = 64 }; /* bytes; one cache line, one AVX-512 register */

/* *ret = a*b (a+b); false on overflow, *ret then untouched. */
static inline bool mul_size(size_t a, size_t b, size_t *ret)
{
	size_t r;
	if (__builtin_mul_overflow(a, b, &r))
		return false;
	*ret = r;
	return true;
}
static inline bool add_size(size_t a, size_t b, size_t *ret)
{
	size_t r;
	if (__builtin_add_overflow(a, b, &r))
		return false;
	*ret = r;
	return true;
}
static inline size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

/* `count` floats, zeroed, TP_ALIGN-aligned; released by mem_free(). Large blocks ask the kernel
 * for huge pages. TP_NOMEM with the size in words when it does not fit. */
tp_status mem_floats(size_t count, float **ret, tp_err *err) TP_MUST_CHECK;
/* The same in bytes. */
tp_status mem_bytes(size_t count, void **ret, tp_err *err) TP_MUST_CHECK;
/* NULL is fine. */
void mem_free(void *p);

#endif
