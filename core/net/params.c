#include "net/params.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

ptrdiff_t params_find(const param_table *t, const char *name)
{
	for (size_t i = 0; i < t->count; i++)
		if (strcmp(t->item[i].name, name) == 0)
			return (ptrdiff_t)i;
	return -1;
}

void params_init(const param_table *t, uint64_t seed, float *values)
{
	for (size_t i = 0; i < t->count; i++) {
		const param *p = &t->item[i];
		float *v = values + p->offset;
		/* 2^40 counters for each parameter: see RNG_INIT. */
		uint64_t first = (uint64_t)i << 40;
		for (size_t j = 0; j < p->count; j++)
			v[j] = p->init_std == 0 ? p->init
			                        : p->init_std *
			                              (float)rng_normal(seed, RNG_INIT, first + j);
	}
}

/* Both layouts of a convolution weight are 3-D: memory [taps][in][out], file [out][in][taps]
 * (depthwise: one input, so [taps][c] and [c][taps]). The walk takes 16 outputs at a time: a
 * cache line of one side, 16 ascending streams of the other. */
static void transpose(const param *p, float *mem, float *flat, bool to_flat)
{
	enum { LINE = 16 };
	size_t out = p->dims[0], in = p->dims[1], taps = p->dims[2] * p->dims[3];
	for (size_t o0 = 0; o0 < out; o0 += LINE) {
		size_t o1 = o0 + LINE < out ? o0 + LINE : out;
		for (size_t i = 0; i < in; i++) {
			for (size_t t = 0; t < taps; t++) {
				float *m = mem + (t * in + i) * out;
				float *f = flat + i * taps + t;
				for (size_t o = o0; o < o1; o++) {
					if (to_flat)
						f[o * in * taps] = m[o];
					else
						m[o] = f[o * in * taps];
				}
			}
		}
	}
}

static bool is_weight(const param *p)
{
	return p->kind == PARAM_WEIGHT || p->kind == PARAM_DEPTHWISE;
}

void params_to_public(const param *p, const float *block, float *flat)
{
	if (is_weight(p))
		transpose(p, (float *)block + p->offset, flat, true);
	else
		memcpy(flat, block + p->offset, p->count * sizeof *flat);
}

void params_from_public(const param *p, const float *flat, float *block)
{
	if (is_weight(p))
		transpose(p, block + p->offset, (float *)flat, false);
	else
		memcpy(block + p->offset, flat, p->count * sizeof *flat);
}

size_t params_public_count(const param_table *t)
{
	size_t n = 0;
	for (size_t i = 0; i < t->count; i++)
		if (t->item[i].kind != PARAM_BN_MEAN && t->item[i].kind != PARAM_BN_VAR)
			n += t->item[i].count;
	return n;
}

void params_done(param_table *t)
{
	free(t->item);
	*t = (param_table){0};
}
