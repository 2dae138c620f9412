/* statistics: against exact formulas and published values. */
#include "harness.h"

#include "experiment/statistics.h"

static void the_beta_function_has_its_known_values(void **state)
{
	(void)state;
	assert_near(statistics_beta(1, 1, 0.25), 0.25, 1e-15);
	assert_near(statistics_beta(2, 3, 0.3), 0.3483, 1e-14); /* a binomial sum */
	assert_near(statistics_beta(7, 7, 0.5), 0.5, 1e-14);
	for (double x = 0.01; x < 1; x += 0.07) {
		assert_near(statistics_beta(3.5, 1, x), pow(x, 3.5), 1e-13);
		assert_near(statistics_beta(1, 2.5, x), 1 - pow(1 - x, 2.5), 1e-13);
		assert_near(statistics_beta(0.5, 0.5, x), 2 / M_PI * asin(sqrt(x)), 1e-13);
		assert_near(statistics_beta(30, 4.5, x) + statistics_beta(4.5, 30, 1 - x), 1, 1e-13);
	}
	assert_true(statistics_beta(2, 3, 0) == 0 && statistics_beta(2, 3, 1) == 1);
}

static void students_distribution_fits_its_tables(void **state)
{
	(void)state;
	for (double t = 0; t < 20; t += 0.37) {
		assert_near(statistics_student(t, 1), 1 - 2 / M_PI * atan(t), 1e-13);
		assert_near(statistics_student(t, 2), 1 - t / sqrt(2 + t * t), 1e-13);
		assert_near(statistics_student(-t, 2), statistics_student(t, 2), 0);
	}
	/* Two-sided critical values of 5 % and 1 %. */
	assert_near(statistics_student(12.7062047364, 1), 0.05, 1e-10);
	assert_near(statistics_student(4.3026527297, 2), 0.05, 1e-10);
	assert_near(statistics_student(2.7764451052, 4), 0.05, 1e-10);
	assert_near(statistics_student(2.2281388520, 10), 0.05, 1e-10);
	assert_near(statistics_student(2.0422724563, 30), 0.05, 1e-10);
	assert_near(statistics_student(3.1692726726, 10), 0.01, 1e-10);
	assert_true(statistics_student(0, 5) == 1.0 && statistics_student(1e9, 5) < 1e-30);
}

/* Student's own example: hours of sleep gained with two drugs, ten patients. */
static void the_sleep_of_ten_patients(void **state)
{
	(void)state;
	const double a[] = {0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0};
	const double b[] = {1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4};
	paired r = statistics_paired(a, b, 10);
	assert_int_equal(r.count, 10);
	assert_near(r.mean, -1.58, 1e-12);
	assert_near(r.deviation, 1.2299954833, 1e-9);
	assert_near(r.t, -4.0621276834, 1e-8);
	assert_near(r.p, 0.0028328900, 1e-8);
	summary s = statistics_summary(b, 10);
	assert_near(s.mean, 2.33, 1e-12);
	assert_near(s.deviation, 2.0022487, 1e-7);
	assert_true(s.min == -0.1 && s.max == 5.5 && s.count == 10);
}

static void what_is_missing_stays_out(void **state)
{
	(void)state;
	const double n = (double)NAN;
	const double a[] = {0.5, n, 0.7, 0.9}, b[] = {0.4, 0.2, n, 0.5};
	summary s = statistics_summary(a, 4);
	assert_int_equal(s.count, 3);
	assert_near(s.mean, 0.7, 1e-15);
	assert_near(s.deviation, 0.2, 1e-15);
	paired r = statistics_paired(a, b, 4);
	assert_int_equal(r.count, 2);
	assert_near(r.mean, 0.25, 1e-15);
	s = statistics_summary(&n, 1);
	assert_true(s.count == 0 && isnan(s.mean) && isnan(s.min) && isnan(s.deviation));
	s = statistics_summary(a, 1);
	assert_true(s.count == 1 && s.mean == 0.5 && isnan(s.deviation));
	r = statistics_paired(a, b, 1);
	assert_true(r.count == 1 && isnan(r.deviation) && isnan(r.t) && isnan(r.p));
	r = statistics_paired(&n, b, 1);
	assert_true(r.count == 0 && isnan(r.mean));
}

/* Differences that are all the same would give an infinite t and a p of 0, of which nothing is true. */
static void no_spread_is_no_certainty(void **state)
{
	(void)state;
	const double a[] = {0.3, 0.4, 0.6}, b[] = {0.2, 0.3, 0.5};
	paired r = statistics_paired(a, b, 3);
	assert_near(r.mean, 0.1, 1e-15);
	assert_true(isnan(r.t) && isnan(r.p));
	r = statistics_paired(a, a, 3);
	assert_true(r.mean == 0 && r.deviation == 0 && isnan(r.p));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_beta_function_has_its_known_values),
		cmocka_unit_test(students_distribution_fits_its_tables),
		cmocka_unit_test(the_sleep_of_ten_patients),
		cmocka_unit_test(what_is_missing_stays_out),
		cmocka_unit_test(no_spread_is_no_certainty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
