/* statistics: a few numbers over seeds. Missing values are NaN and left out; so are the answers that
 * too few values, or values without any spread, do not allow. */
#ifndef TPLDD_EXPERIMENT_STATISTICS_H
#define TPLDD_EXPERIMENT_STATISTICS_H

#include <stddef.h>

typedef struct summary {
	size_t count;
	double mean, min, max; /* NaN when count is 0 */
	double deviation;      /* of the sample, over n - 1; NaN below 2 */
} summary;

/* The differences of pairs, and Student's test of whether their mean is 0, two-sided. */
typedef struct paired {
	size_t count; /* pairs with both values */
	double mean, deviation;
	double t, p;  /* NaN below 2 pairs, and when all differences are the same */
} paired;

summary statistics_summary(const double *v, size_t n);
/* a - b */
paired statistics_paired(const double *a, const double *b, size_t n);

/* The regularised incomplete beta function I_x(a, b), 0 <= x <= 1, a and b above 0. */
double statistics_beta(double a, double b, double x);
/* Probability that |T| of Student's distribution is at least |t|. */
double statistics_student(double t, double freedom);

#endif
