/* net_test: networks of known values for the tests of core/net (the same values as
 * golden/make_nets.py makes), and a whole training pass in one call. */
#ifndef TP_TESTS_NET_TEST_H
#define TP_TESTS_NET_TEST_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "net/deeplab.h"
#include "net/exec.h"
#include "op/gemm.h"

/* Group setup: BLAS on the caller's thread only, as in the daemon. */
static inline int start_blas(void **state)
{
	assert_int_equal(gemm_init(NULL), TP_OK);
	return 0;
}

static inline uint64_t value_counter(const char *name)
{
	uint32_t h = 0x811c9dc5u; /* 32-bit FNV-1a */
	for (const char *c = name; *c != 0; c++)
		h = (h ^ (unsigned char)*c) * 0x01000193u;
	return (uint64_t)h << 24;
}

/* values() of make_nets.py. */
static inline void uniform_values(uint64_t seed, const char *name, size_t n, double low,
                                  double high, float *ret)
{
	uint64_t first = value_counter(name);
	for (size_t j = 0; j < n; j++)
		ret[j] = (float)(low + (high - low) * rng_uniform(seed, RNG_TEST, first + j));
}

static inline float *new_floats(size_t n)
{
	float *p;
	assert_int_equal(mem_floats(n, &p, NULL), TP_OK);
	return p;
}

/* fill() of make_nets.py. */
static inline float *net_values(const graph *g, uint64_t seed)
{
	float *values = new_floats(g->params.floats), *flat = new_floats(g->params.floats);
	for (size_t i = 0; i < g->params.count; i++) {
		const param *p = &g->params.item[i];
		double low = -0.3, high = 0.3;
		if (p->ndim == 4) {
			high = sqrt(6.0 / (double)(p->dims[1] * p->dims[2] * p->dims[3]));
			low = -high;
		} else if (p->kind == PARAM_BN_VAR) {
			low = 0.5, high = 1.5;
		} else if (p->kind == PARAM_BN_WEIGHT) {
			low = 0.4, high = 1.0;
		}
		uniform_values(seed, p->name, p->count, low, high, flat);
		params_from_public(p, flat, values);
	}
	mem_free(flat);
	return values;
}

/* [c][h][w] to [h][w][c]. */
static inline void planes_to_pixels(const float *planes, size_t pixels, size_t c, float *ret)
{
	for (size_t p = 0; p < pixels; p++)
		for (size_t k = 0; k < c; k++)
			ret[p * c + k] = planes[k * pixels + p];
}

static inline void named_image(uint64_t seed, const char *name, size_t pixels, size_t c,
                               double limit, float *ret)
{
	float *planes = new_floats(pixels * c);
	uniform_values(seed, name, pixels * c, -limit, limit, planes);
	planes_to_pixels(planes, pixels, c, ret);
	mem_free(planes);
}

typedef struct net_pass {
	exec_size size;
	float *output, *grads, *dinput; /* owned */
	size_t outputs, inputs;
} net_pass;

/* One forward and backward pass over image `seed`, loss sum(output * R), R fixed. */
static inline net_pass net_run(const graph *g, const float *values, uint64_t seed, size_t h,
                               size_t w, kernel_mode kernels, size_t threads)
{
	pool *workers;
	exec *e;
	tp_err err = {0};
	assert_int_equal(pool_create(threads, &workers, &err), TP_OK);
	exec_spec spec = {.graph = g,
	                  .in_h = h,
	                  .in_w = w,
	                  .train = true,
	                  .input_gradient = true,
	                  .kernels = kernels,
	                  .pool = workers};
	if (exec_create(&spec, &e, &err) != TP_OK)
		fail_msg("%s", err.text);
	exec_prepare(e, values);
	named_image(seed, "image", h * w, g->channels[0], 2.0, exec_input(e));
	net_pass r = {.size = *exec_sizes(e), .inputs = h * w * g->channels[0]};
	r.outputs = r.size.out_h * r.size.out_w * r.size.out_c;
	const float *y, *dx;
	assert_int_equal(exec_forward(e, &y, &err), TP_OK);
	r.output = new_floats(r.outputs);
	memcpy(r.output, y, r.outputs * sizeof *y);
	float *dy = new_floats(r.outputs);
	named_image(seed, "loss", r.size.out_h * r.size.out_w, r.size.out_c, 1.0, dy);
	r.grads = new_floats(g->params.trained_floats);
	assert_int_equal(exec_backward(e, dy, r.grads, &dx, &err), TP_OK);
	r.dinput = new_floats(r.inputs);
	memcpy(r.dinput, dx, r.inputs * sizeof *dx);
	mem_free(dy);
	exec_free(e);
	pool_free(workers);
	return r;
}

static inline void net_pass_done(net_pass *r)
{
	mem_free(r->output);
	mem_free(r->grads);
	mem_free(r->dinput);
}

#endif
