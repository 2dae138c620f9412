#include "experiment/statistics.h"

#include <math.h>

summary statistics_summary(const double *v, size_t n)
{
	summary s = {.mean = NAN, .min = NAN, .max = NAN, .deviation = NAN};
	double sum = 0.0, squares = 0.0;
	for (size_t i = 0; i < n; i++) {
		if (isnan(v[i]))
			continue;
		sum += v[i];
		s.min = s.count == 0 || v[i] < s.min ? v[i] : s.min;
		s.max = s.count == 0 || v[i] > s.max ? v[i] : s.max;
		s.count++;
	}
	if (s.count == 0)
		return s;
	s.mean = sum / (double)s.count;
	for (size_t i = 0; i < n; i++)
		if (!isnan(v[i]))
			squares += (v[i] - s.mean) * (v[i] - s.mean);
	if (s.count > 1)
		s.deviation = sqrt(squares / (double)(s.count - 1));
	return s;
}

paired statistics_paired(const double *a, const double *b, size_t n)
{
	/* Welford's way, which needs no room for the differences. */
	paired r = {.mean = NAN, .deviation = NAN, .t = NAN, .p = NAN};
	double mean = 0.0, squares = 0.0, largest = 0.0;
	for (size_t i = 0; i < n; i++) {
		double d = a[i] - b[i];
		if (isnan(d))
			continue;
		double from = d - mean;
		mean += from / (double)++r.count;
		squares += from * (d - mean);
		largest = fmax(largest, fabs(d));
	}
	if (r.count == 0)
		return r;
	r.mean = mean;
	if (r.count < 2)
		return r;
	double freedom = (double)(r.count - 1);
	r.deviation = sqrt(squares / freedom);
	/* A spread that is only rounding would make any mean look certain. */
	if (r.deviation <= 1e-12 * largest)
		return r;
	r.t = mean / (r.deviation / sqrt((double)r.count));
	r.p = statistics_student(r.t, freedom);
	return r;
}

/* The continued fraction of I_x(a, b), by Lentz's method (Numerical Recipes 6.4); converges fast for
 * x < (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x)
{
	enum { TERMS = 500 };
	const double tiny = 1e-300, enough = 1e-15;
	double c = 1.0, d = 1.0 - (a + b) * x / (a + 1.0);
	d = 1.0 / (fabs(d) < tiny ? tiny : d);
	double h = d;
	for (int m = 1; m <= TERMS; m++) {
		double k = 2.0 * m;
		const double term[2] = {
			m * (b - m) * x / ((a + k - 1.0) * (a + k)),
			-(a + m) * (a + b + m) * x / ((a + k) * (a + k + 1.0)),
		};
		double factor = 1.0;
		for (int i = 0; i < 2; i++) {
			d = 1.0 + term[i] * d;
			c = 1.0 + term[i] / c;
			d = 1.0 / (fabs(d) < tiny ? tiny : d);
			c = fabs(c) < tiny ? tiny : c;
			factor = c * d;
			h *= factor;
		}
		if (fabs(factor - 1.0) < enough)
			break;
	}
	return h;
}

/* lgamma itself leaves the sign in a global variable. */
static double log_gamma(double x)
{
	int sign;
	return lgamma_r(x, &sign);
}

double statistics_beta(double a, double b, double x)
{
	if (x <= 0.0 || x >= 1.0)
		return x <= 0.0 ? 0.0 : 1.0;
	double front = exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * log(x) +
	                   b * log1p(-x));
	if (x < (a + 1.0) / (a + b + 2.0))
		return front * beta_fraction(a, b, x) / a;
	return 1.0 - front * beta_fraction(b, a, 1.0 - x) / b;
}

double statistics_student(double t, double freedom)
{
	return statistics_beta(0.5 * freedom, 0.5, freedom / (freedom + t * t));
}
