#include "net/plan.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"

static int by_size(const void *a, const void *b)
{
	const plan_block *p = *(const plan_block *const *)a, *q = *(const plan_block *const *)b;
	if (p->bytes != q->bytes)
		return p->bytes < q->bytes ? 1 : -1;
	return p < q ? -1 : p > q; /* both lie in one array: its order breaks ties */
}

static bool meet(const plan_block *p, const plan_block *q)
{
	return p->first <= q->last && q->first <= p->last;
}

/* Offset for *b among `placed` blocks sorted by offset. */
static size_t best_gap(plan_block *const *placed, size_t count, const plan_block *b)
{
	size_t end = 0, best = 0, best_room = SIZE_MAX;
	for (size_t i = 0; i < count; i++) {
		const plan_block *p = placed[i];
		if (!meet(p, b))
			continue;
		if (p->offset >= end + b->bytes && p->offset - end < best_room) {
			best = end;
			best_room = p->offset - end;
		}
		size_t p_end = round_up(p->offset + p->bytes, TP_ALIGN);
		end = p_end > end ? p_end : end;
	}
	return best_room == SIZE_MAX ? end : best;
}

tp_status plan_place(plan_block *block, size_t count, size_t *ret_bytes, tp_err *err)
{
	plan_block **order = calloc(2 * count + 1, sizeof *order);
	if (order == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory while planning memory");
	plan_block **placed = order + count;
	size_t total = 0;
	for (size_t i = 0; i < count; i++) {
		order[i] = &block[i];
		if (block[i].bytes > SIZE_MAX / 4 || !add_size(total, block[i].bytes, &total) ||
		    total > SIZE_MAX / 4) {
			free(order);
			return tp_fail(err, TP_NOMEM, 0, "a network of this size fits no memory");
		}
	}
	qsort(order, count, sizeof *order, by_size);
	size_t bytes = 0;
	for (size_t i = 0; i < count; i++) {
		plan_block *b = order[i];
		b->offset = best_gap(placed, i, b);
		size_t at = i;
		for (; at > 0 && placed[at - 1]->offset > b->offset; at--)
			placed[at] = placed[at - 1];
		placed[at] = b;
		size_t end = round_up(b->offset + b->bytes, TP_ALIGN);
		bytes = end > bytes ? end : bytes;
	}
	free(order);
	*ret_bytes = bytes;
	return TP_OK;
}
