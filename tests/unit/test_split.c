/* split: counts, ties, values that are not numbers, and the order against a plain count. */
#include "harness.h"

#include <stdbool.h>

#include "adapt/split.h"

enum { MAX = 300 };

static uint32_t order[MAX], rank[MAX];
static bool easy[MAX];

static void small(void **state)
{
	const double score[5] = {0.5, 0.9, 0.5, 1.7, 0.1};
	const int64_t id[5] = {40, 30, 20, 10, 50};
	assert_int_equal(split_by_confidence(score, id, 5, 0.6, order, rank, easy), 3);
	const uint32_t want_rank[5] = {3, 1, 2, 0, 4}, want_order[5] = {3, 1, 2, 0, 4};
	assert_memory_equal(rank, want_rank, sizeof want_rank);
	assert_memory_equal(order, want_order, sizeof want_order);
	const bool want_easy[5] = {false, true, true, true, false};
	assert_memory_equal(easy, want_easy, sizeof want_easy);
}

static void counts(void **state)
{
	double score[MAX];
	int64_t id[MAX];
	for (size_t i = 0; i < MAX; i++) {
		score[i] = rng_uniform(1, RNG_TEST, i);
		id[i] = (int64_t)i;
	}
#define COUNT(n, q) split_by_confidence(score, id, n, q, order, rank, easy)
	assert_int_equal(COUNT(10, 0.3), 3);
	assert_int_equal(COUNT(100, 0.29), 29); /* 0.29 * 100 < 29 in double */
	assert_int_equal(COUNT(11, 0.3), 3);
	assert_int_equal(COUNT(3, 0.3), 1);  /* at least one */
	assert_int_equal(COUNT(3, 0.0), 1);
	assert_int_equal(COUNT(3, 1.0), 2);  /* at least one hard */
	assert_int_equal(COUNT(2, 0.5), 1);
	assert_int_equal(COUNT(1, 0.3), 0);
	assert_int_equal(COUNT(1, 1.0), 1);
	assert_true(easy[0]);
	assert_int_equal(COUNT(0, 0.3), 0);
#undef COUNT
}

static void not_a_number_is_last(void **state)
{
	const double score[4] = {NAN, 0.2, NAN, 0.1};
	const int64_t id[4] = {2, 3, 1, 4};
	assert_int_equal(split_by_confidence(score, id, 4, 0.5, order, rank, easy), 2);
	const uint32_t want[4] = {1, 3, 2, 0};
	assert_memory_equal(order, want, sizeof want);
}

/* Rank = the number of images before it; many equal scores. */
static void against_counting(void **state)
{
	double score[MAX];
	int64_t id[MAX];
	for (size_t n = 2; n <= MAX; n += 37) {
		for (size_t i = 0; i < n; i++) {
			score[i] = (double)rng_below(n, RNG_TEST, i, 12);
			id[i] = (int64_t)((i * 7919) % 10007); /* distinct, shuffled */
		}
		size_t count = split_by_confidence(score, id, n, 0.3, order, rank, easy), found = 0;
		for (size_t i = 0; i < n; i++) {
			size_t ahead = 0;
			for (size_t j = 0; j < n; j++)
				ahead += score[j] > score[i] || (score[j] == score[i] && id[j] < id[i]);
			assert_int_equal(rank[i], ahead);
			assert_int_equal(order[ahead], i);
			assert_int_equal(easy[i], ahead < count);
			found += easy[i];
		}
		assert_int_equal(found, count);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small),
		cmocka_unit_test(counts),
		cmocka_unit_test(not_a_number_is_last),
		cmocka_unit_test(against_counting),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
