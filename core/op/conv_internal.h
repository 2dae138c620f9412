/* conv_internal: what conv.c and conv_plan.c share and nobody else needs. */
#ifndef TP_OP_CONV_INTERNAL_H
#define TP_OP_CONV_INTERNAL_H

#include "base/mem.h"
#include "op/conv.h"

/* Partial sums of the bias gradient: fixed, so that the order of additions is. */
enum { CONV_BIAS_CHUNKS = 16 };

/* 2 or 4 for Winograd's algorithms, else 0. */
static inline size_t conv_winograd_tile(conv_algorithm a)
{
	return a == CONV_WINOGRAD4 ? 4 : a == CONV_WINOGRAD2 ? 2 : 0;
}

/* The dense weights with the scale folded in stand first in `prepared`, when any direct
 * algorithm reads them; Winograd's transformed weights follow at the next cache line. */
static inline size_t conv_dense_floats(const conv_plan *p)
{
	const conv_shape *s = &p->shape;
	bool wanted = p->forward <= CONV_TAPS || p->backward_data <= CONV_TAPS;
	size_t in = s->groups == 1 ? s->in_c : 1;
	return wanted ? round_up(s->kernel_h * s->kernel_w * in * s->out_c, 16) : 0;
}

#endif
