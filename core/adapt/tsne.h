/* tsne: points of many dimensions laid out in the plane so that neighbours stay neighbours: exact t-SNE
 * (van der Maaten and Hinton, JMLR 9, 2008).
 *   p_j|i = exp(-b_i |x_i - x_j|^2) / sum_k!=i,   b_i such that 2^H(p_.|i) is the perplexity
 *   p_ij  = (p_j|i + p_i|j) / 2n
 *   w_ij  = 1 / (1 + |y_i - y_j|^2),   q_ij = w_ij / Z,   Z = sum_k!=l w_kl
 *   cost  = sum p_ij ln(p_ij / q_ij),   d cost / d y_i = 4 sum_j (p_ij - q_ij) w_ij (y_i - y_j)
 * The cost is minimised by gradient descent with momentum and a gain per coordinate; in the first quarter
 * of the iterations p is exaggerated, so that clusters form before they are spread.
 *
 * Time and memory grow with n^2. Every row is summed in the order of its columns, so the same spec gives
 * the same bits for any number of threads. */
#ifndef TP_ADAPT_TSNE_H
#define TP_ADAPT_TSNE_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/pool.h"

enum { TSNE_MIN = 4, TSNE_MAX = 2048 };

typedef struct tsne_spec {
	const float *x;    /* [n][dims], finite */
	size_t n, dims;    /* TSNE_MIN..TSNE_MAX; at least 1 */
	double perplexity; /* of so many neighbours a point takes notice; above 1, below n - 1 */
	size_t iterations; /* at least 1 */
	uint64_t seed;     /* of where the points begin */
	pool *pool;
	const atomic_int *stop; /* read between iterations; may be NULL */
} tsne_spec;

/* y[n][2], centred. *ret_kl is the cost there. TP_INVALID names what is out of range, TP_NONFINITE: a
 * value of x, TP_CANCELLED when *stop was set. */
tp_status tsne_layout(const tsne_spec *spec, double *ret_y, double *ret_kl, tp_err *err) TP_MUST_CHECK;

/* ---- its parts, for tests --------------------------------------------------------------- */

/* p_.|i in place of the squared distances row[n] from point `self`; returns the perplexity that was
 * reached: it differs from the one asked for only where more points than that are equally near. */
double tsne_row(double *row, size_t n, size_t self, double perplexity);
/* p[n][n], symmetric, sum 1. */
tp_status tsne_affinities(const tsne_spec *spec, double *ret_p, tp_err *err) TP_MUST_CHECK;
/* ret_gradient[n][2] of the cost with p times `exaggeration`. */
void tsne_gradient(const double *p, const double *y, size_t n, double exaggeration, double *ret_gradient,
                   pool *pool);
double tsne_cost(const double *p, const double *y, size_t n);

#endif
