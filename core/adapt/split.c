#include "adapt/split.h"

#include <math.h>

/* Whether image a is more confident than b: a total order, thanks to the id. */
static bool before(const double *score, const int64_t *id, uint32_t a, uint32_t b)
{
	double sa = isnan(score[a]) ? -INFINITY : score[a];
	double sb = isnan(score[b]) ? -INFINITY : score[b];
	return sa != sb ? sa > sb : id[a] < id[b];
}

/* Heap sort, because qsort may allocate. The heap's root is the least confident image. */
static void sift_down(const double *score, const int64_t *id, uint32_t *order, size_t root,
                      size_t n)
{
	uint32_t moved = order[root];
	for (size_t child; (child = 2 * root + 1) < n; root = child) {
		if (child + 1 < n && before(score, id, order[child], order[child + 1]))
			child++;
		if (!before(score, id, moved, order[child]))
			break;
		order[root] = order[child];
	}
	order[root] = moved;
}

static size_t easy_count(size_t n, double portion)
{
	/* The slack makes 0.29 of 100 images 29, whose product is 28.999999999999996. */
	size_t count = (size_t)floor(portion * (double)n + 1e-9);
	if (n < 2)
		return count;
	return count < 1 ? 1 : count > n - 1 ? n - 1 : count;
}

size_t split_by_confidence(const double *score, const int64_t *id, size_t n, double easy_portion,
                           uint32_t *order, uint32_t *rank, bool *easy)
{
	for (size_t i = 0; i < n; i++)
		order[i] = (uint32_t)i;
	for (size_t i = n / 2; i-- > 0;)
		sift_down(score, id, order, i, n);
	for (size_t end = n; end > 1; end--) {
		uint32_t last = order[0];
		order[0] = order[end - 1];
		order[end - 1] = last;
		sift_down(score, id, order, 0, end - 1);
	}
	size_t count = easy_count(n, easy_portion);
	for (size_t i = 0; i < n; i++) {
		rank[order[i]] = (uint32_t)i;
		easy[order[i]] = i < count;
	}
	return count;
}
