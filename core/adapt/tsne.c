#include "adapt/tsne.h"

#include <math.h>
#include <string.h>

#include "base/grid.h"
#include "base/mem.h"
#include "base/rng.h"

enum { GRAIN = 8 }; /* rows of a chunk */

/* The step size and the exaggeration belong together: Belkina et al., Nature Communications 10, 2019. */
static const double EXAGGERATION = 12.0, BEGIN = 1e-4, MOMENTUM_EARLY = 0.5, MOMENTUM = 0.8;
static const double GAIN_MORE = 0.2, GAIN_LESS = 0.8, GAIN_LEAST = 0.01;

/* ---- affinities ------------------------------------------------------------------------- */

/* p_.|i at precision b into `to`; its entropy in nats. Distances count from the nearest, or all would
 * underflow. */
static double conditional(const double *d, size_t n, size_t self, double nearest, double b, double *to)
{
	double sum = 0.0, energy = 0.0;
	for (size_t j = 0; j < n; j++) {
		to[j] = j == self ? 0.0 : exp(-b * (d[j] - nearest));
		sum += to[j];
		energy += to[j] * (d[j] - nearest);
	}
	for (size_t j = 0; j < n; j++)
		to[j] /= sum;
	return log(sum) + b * energy / sum;
}

double tsne_row(double *row, size_t n, size_t self, double perplexity)
{
	enum { STEPS = 100 };
	double d[TSNE_MAX], want = log(perplexity), entropy = 0.0, low = 0.0, high = INFINITY;
	double nearest = INFINITY, mean = 0.0;
	memcpy(d, row, n * sizeof *d);
	d[self] = 0.0;
	for (size_t j = 0; j < n; j++) {
		mean += d[j] / (double)(n - 1);
		nearest = j != self && d[j] < nearest ? d[j] : nearest;
	}
	double b = mean > nearest ? 1.0 / (mean - nearest) : 1.0;
	for (size_t i = 0; i < STEPS; i++) {
		entropy = conditional(d, n, self, nearest, b, row);
		if (fabs(entropy - want) < 1e-9)
			break;
		if (entropy > want)
			low = b;
		else
			high = b;
		if (high == INFINITY && b > 1e200)
			break; /* all that are left lie equally near */
		b = high == INFINITY ? 2.0 * b : 0.5 * (low + high);
	}
	return exp(entropy);
}

typedef struct affinities {
	const tsne_spec *spec;
	size_t chunks;
	double *p;
} affinities;

static void fill_rows(void *arg, size_t chunk, size_t worker)
{
	const affinities *a = arg;
	const tsne_spec *s = a->spec;
	size_t begin, end;
	(void)worker;
	pool_part(s->n, a->chunks, chunk, &begin, &end);
	for (size_t i = begin; i < end; i++) {
		double *row = a->p + i * s->n;
		for (size_t j = 0; j < s->n; j++) {
			const float *u = s->x + i * s->dims, *v = s->x + j * s->dims;
			double sum = 0.0;
			for (size_t k = 0; k < s->dims; k++) {
				double e = (double)u[k] - (double)v[k];
				sum += e * e;
			}
			row[j] = sum;
		}
		(void)tsne_row(row, s->n, i, s->perplexity);
	}
}

/* Pairs (i, j > i) are written by the chunk of i alone, both ways. */
static void symmetric_rows(void *arg, size_t chunk, size_t worker)
{
	const affinities *a = arg;
	size_t n = a->spec->n, begin, end;
	(void)worker;
	pool_part(n, a->chunks, chunk, &begin, &end);
	for (size_t i = begin; i < end; i++) {
		for (size_t j = i + 1; j < n; j++) {
			double both = (a->p[i * n + j] + a->p[j * n + i]) / (2.0 * (double)n);
			a->p[i * n + j] = a->p[j * n + i] = both;
		}
	}
}

static tp_status check(const tsne_spec *s, tp_err *err)
{
	if (s->n < TSNE_MIN || s->n > TSNE_MAX)
		return tp_fail(err, TP_INVALID, 0, "%zu points: not in %d..%d", s->n, TSNE_MIN, TSNE_MAX);
	if (s->dims < 1)
		return tp_fail(err, TP_INVALID, 0, "points without coordinates");
	if (!(s->perplexity > 1.0 && s->perplexity < (double)(s->n - 1)))
		return tp_fail(err, TP_INVALID, 0, "perplexity %g: not between 1 and %zu", s->perplexity,
		               s->n - 1);
	if (s->iterations < 1)
		return tp_fail(err, TP_INVALID, 0, "no iterations");
	for (size_t i = 0; i < s->n * s->dims; i++)
		if (!isfinite(s->x[i]))
			return tp_fail(err, TP_NONFINITE, 0, "a coordinate of point %zu is not finite",
			               i / s->dims);
	return TP_OK;
}

tp_status tsne_affinities(const tsne_spec *spec, double *ret_p, tp_err *err)
{
	affinities a = {spec, grid_chunks(spec->n, GRAIN), ret_p};
	tp_status st = check(spec, err);
	if (st != TP_OK)
		return st;
	pool_run(spec->pool, a.chunks, fill_rows, &a);
	pool_run(spec->pool, a.chunks, symmetric_rows, &a);
	return TP_OK;
}

/* ---- gradient and cost ------------------------------------------------------------------ */

typedef struct forces {
	const double *p, *y;
	size_t n, chunks;
	double exaggeration;
	double *gradient;
	double push[TSNE_MAX][2], weight[TSNE_MAX]; /* sums over j of w^2 (y_i - y_j), of w */
} forces;

/* One pass: Z is not known before all rows are, so what it divides is kept apart. */
static void force_rows(void *arg, size_t chunk, size_t worker)
{
	forces *f = arg;
	size_t begin, end;
	(void)worker;
	pool_part(f->n, f->chunks, chunk, &begin, &end);
	for (size_t i = begin; i < end; i++) {
		const double *p = f->p + i * f->n, *y = f->y;
		double pull[2] = {0, 0}, push[2] = {0, 0}, weight = 0.0;
		for (size_t j = 0; j < f->n; j++) {
			double dx = y[2 * i] - y[2 * j], dy = y[2 * i + 1] - y[2 * j + 1];
			double w = 1.0 / (1.0 + dx * dx + dy * dy), pw = p[j] * w, ww = w * w;
			pull[0] += pw * dx;
			pull[1] += pw * dy;
			push[0] += ww * dx;
			push[1] += ww * dy;
			weight += w;
		}
		f->gradient[2 * i] = f->exaggeration * pull[0];
		f->gradient[2 * i + 1] = f->exaggeration * pull[1];
		f->push[i][0] = push[0];
		f->push[i][1] = push[1];
		f->weight[i] = weight - 1.0; /* without j = i */
	}
}

void tsne_gradient(const double *p, const double *y, size_t n, double exaggeration, double *ret_gradient,
                   pool *pool)
{
	forces f = {.p = p,
	            .y = y,
	            .n = n,
	            .chunks = grid_chunks(n, GRAIN),
	            .exaggeration = exaggeration,
	            .gradient = ret_gradient};
	double z = 0.0;
	pool_run(pool, f.chunks, force_rows, &f);
	for (size_t i = 0; i < n; i++)
		z += f.weight[i];
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < 2; k++)
			ret_gradient[2 * i + k] = 4.0 * (ret_gradient[2 * i + k] - f.push[i][k] / z);
}

static double weight_of(const double *y, size_t i, size_t j)
{
	double dx = y[2 * i] - y[2 * j], dy = y[2 * i + 1] - y[2 * j + 1];
	return 1.0 / (1.0 + dx * dx + dy * dy);
}

double tsne_cost(const double *p, const double *y, size_t n)
{
	double z = 0.0, cost = 0.0;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			z += i == j ? 0.0 : weight_of(y, i, j);
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			if (p[i * n + j] > 0.0 && i != j)
				cost += p[i * n + j] * log(p[i * n + j] * z / weight_of(y, i, j));
	return cost;
}

/* ---- descent ---------------------------------------------------------------------------- */

typedef struct descent {
	double *p, *y, *velocity, *gain, *gradient; /* [n][n], then [n][2] each */
} descent;

static tp_status make_room(size_t n, descent *d, tp_err *err)
{
	void *block;
	tp_status st = mem_bytes((n * n + 8 * n) * sizeof(double), &block, err);
	if (st != TP_OK)
		return st;
	d->p = block;
	d->y = d->p + n * n;
	d->velocity = d->y + 2 * n;
	d->gain = d->velocity + 2 * n;
	d->gradient = d->gain + 2 * n;
	return TP_OK;
}

static void begin(descent *d, const tsne_spec *s)
{
	for (size_t i = 0; i < 2 * s->n; i++) {
		d->y[i] = BEGIN * rng_normal(s->seed, RNG_TSNE, i);
		d->gain[i] = 1.0;
	}
}

/* A coordinate that keeps its direction goes faster, one that swings slower. */
static void move(descent *d, size_t n, double rate, double momentum)
{
	for (size_t i = 0; i < 2 * n; i++) {
		bool swings = d->gradient[i] * d->velocity[i] > 0.0;
		double gain = swings ? d->gain[i] * GAIN_LESS : d->gain[i] + GAIN_MORE;
		d->gain[i] = gain < GAIN_LEAST ? GAIN_LEAST : gain;
		d->velocity[i] = momentum * d->velocity[i] - rate * d->gain[i] * d->gradient[i];
		d->y[i] += d->velocity[i];
	}
}

static void centre(double *y, size_t n)
{
	for (size_t k = 0; k < 2; k++) {
		double mean = 0.0;
		for (size_t i = 0; i < n; i++)
			mean += y[2 * i + k] / (double)n;
		for (size_t i = 0; i < n; i++)
			y[2 * i + k] -= mean;
	}
}

static tp_status descend(descent *d, const tsne_spec *s, tp_err *err)
{
	size_t early = s->iterations / 4;
	double rate = (double)s->n / EXAGGERATION / 4.0;
	for (size_t i = 0; i < s->iterations; i++) {
		if (s->stop != NULL && atomic_load(s->stop) != 0)
			return tp_fail(err, TP_CANCELLED, 0, "stopped on request");
		bool first = i < early;
		tsne_gradient(d->p, d->y, s->n, first ? EXAGGERATION : 1.0, d->gradient, s->pool);
		move(d, s->n, rate, first ? MOMENTUM_EARLY : MOMENTUM);
		centre(d->y, s->n);
	}
	return TP_OK;
}

tp_status tsne_layout(const tsne_spec *spec, double *ret_y, double *ret_kl, tp_err *err)
{
	descent d = {0};
	tp_status st = check(spec, err);
	if (st == TP_OK)
		st = make_room(spec->n, &d, err);
	if (st == TP_OK)
		st = tsne_affinities(spec, d.p, err);
	if (st == TP_OK) {
		begin(&d, spec);
		st = descend(&d, spec, err);
	}
	if (st == TP_OK) {
		*ret_kl = tsne_cost(d.p, d.y, spec->n);
		memcpy(ret_y, d.y, 2 * spec->n * sizeof *ret_y);
	}
	mem_free(d.p);
	return st;
}
