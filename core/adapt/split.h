/* split: easy or hard by share (algorithms.md 5.2): the floor(q*N) images of highest confidence
 * (at least one, and at least one hard, when N >= 2) are easy. Ties: the smaller id is easier. */
#ifndef TP_ADAPT_SPLIT_H
#define TP_ADAPT_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* rank[i] = 0 for the most confident image; easy[i] set accordingly. `id` breaks ties.
 * `order` is scratch of n entries. Returns the number of easy images. */
size_t split_by_confidence(const double *score, const int64_t *id, size_t n, double easy_portion,
                           uint32_t *order, uint32_t *rank, bool *easy);

#endif
