#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

tp_status mem_bytes(size_t count, void **ret, tp_err *err)
{
	enum { HUGE_FROM = 4 << 20, HUGE = 2 << 20 };
	size_t align = count >= HUGE_FROM ? HUGE : TP_ALIGN;
	void *p = NULL;
	if (count > (size_t)1 << 46 ||
	    posix_memalign(&p, align, round_up(count + 1, TP_ALIGN)) != 0)
		return tp_fail(err, TP_NOMEM, 0, "out of memory: %.1f MiB wanted",
		               (double)count / 1048576.0);
	if (align == HUGE)
		(void)madvise(p, count, MADV_HUGEPAGE); /* a hint: fewer page faults at start */
	memset(p, 0, count);
	*ret = p;
	return TP_OK;
}

tp_status mem_floats(size_t count, float **ret, tp_err *err)
{
	size_t bytes;
	void *p = NULL;
	if (!mul_size(count, sizeof(float), &bytes))
		return tp_fail(err, TP_NOMEM, 0, "out of memory: %zu floats wanted", count);
	tp_status st = mem_bytes(bytes, &p, err);
	if (st == TP_OK)
		*ret = p;
	return st;
}

void mem_free(void *p) { free(p); }
