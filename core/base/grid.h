/* grid: how many chunks a loop over n equal elements is cut into. The number depends on n only, so
 * that partial sums kept per chunk, in an array of GRID_MAX on the stack, have the same bits for
 * any number of threads. Chunk k is pool_part(n, chunks, k). */
#ifndef TP_BASE_GRID_H
#define TP_BASE_GRID_H

#include <stddef.h>

enum { GRID_MAX = 64 };

/* Chunks of at least `grain` elements (but one chunk at least), GRID_MAX at most. */
static inline size_t grid_chunks(size_t n, size_t grain)
{
	size_t chunks = n / grain;
	return chunks < 1 ? 1 : chunks > GRID_MAX ? GRID_MAX : chunks;
}

#endif
