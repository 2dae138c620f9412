/* split: easy or hard by share (algorithms.md 5.2): the floor(q*N) images of highest confidence
 * (at least one, and at least one hard, when N >= 2) are easy. Ties: the smaller id is easier. */
#ifndef TP_ADAPT_SPLIT_H
#define TP_ADAPT_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* score, id, order, rank, easy: [n]. `order` receives the images from most to least confident
 * (NaN last), rank[i] the place of image i in it (0 = most confident), easy[i] whether the place is
 * among the easy ones. 0 <= easy_portion <= 1; a lone image is easy only when it is 1. Returns the
 * number of easy images. Any thread; cannot fail. */
size_t split_by_confidence(const double *score, const int64_t *id, size_t n, double easy_portion,
                           uint32_t *order, uint32_t *rank, bool *easy);

#endif
