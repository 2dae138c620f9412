/* running_max: maxima over sliding windows, for voting with pool = max. */
#ifndef TP_ADAPT_RUNNING_MAX_H
#define TP_ADAPT_RUNNING_MAX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/simd.h"

enum { RUNNING_MAX_LANES = 32 };

/* Running maxima over a window of 2*reach+1 elements at three comparisons each (van Herk, Gil and
 * Werman): maxima from the start of each block of window length, and from its end; a window is
 * the end of one block and the start of the next. Elements of x are `stride` apart, `lanes` lines
 * lie side by side, at most RUNNING_MAX_LANES; prefix and suffix [n][lanes] are dense,
 * since a stride of a power of two would put them in few sets of the cache. The result replaces `x`.
 * Blocks are counted along: a division per element would cost more than the comparisons. */
static TP_INLINE void running_max(uint32_t *x, uint32_t *prefix, uint32_t *suffix, size_t n,
                                  size_t stride, size_t lanes, size_t reach)
{
	size_t window = 2 * reach + 1, in_block = 0;
	/* So far, in registers: through memory it would wait for itself. */
	uint32_t most[RUNNING_MAX_LANES] = {0};
	for (size_t i = 0; i < n; i++) {
		uint32_t keep = in_block == 0 ? 0 : UINT32_MAX;
		for (size_t l = 0; l < lanes; l++) {
			uint32_t a = x[i * stride + l], b = most[l] & keep;
			most[l] = a > b ? a : b;
			prefix[i * lanes + l] = most[l];
		}
		in_block = in_block + 1 == window ? 0 : in_block + 1;
	}
	size_t to_end = n % window == 0 ? window : n % window; /* elements up to i in i's block */
	for (size_t i = n; i-- > 0;) {
		uint32_t keep = i + 1 == n || to_end == window ? 0 : UINT32_MAX;
		for (size_t l = 0; l < lanes; l++) {
			uint32_t a = x[i * stride + l], b = most[l] & keep;
			most[l] = a > b ? a : b;
			suffix[i * lanes + l] = most[l];
		}
		to_end = to_end == 1 ? window : to_end - 1;
	}
	size_t block_end = window; /* of the block that holds `low` */
	for (size_t i = 0; i < n; i++) {
		size_t low = i < reach ? 0 : i - reach, high = i + reach < n ? i + reach : n - 1;
		block_end += low == block_end ? window : 0;
		/* Inside one block the window touches the block's start or its (clipped) end. */
		bool from_start = low == 0, same = high < block_end;
		for (size_t l = 0; l < lanes; l++) {
			uint32_t a = from_start ? 0 : suffix[low * lanes + l];
			uint32_t b = same && !from_start ? 0 : prefix[high * lanes + l];
			x[i * stride + l] = a > b ? a : b;
		}
	}
}

#endif
