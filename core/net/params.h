/* params: the one table of a network's parameters and buffers. Initialiser, optimiser, checkpoint,
 * import and views all read this table; there is no second list.
 *
 * All values live in one float block of `floats` values; trained ones come first, so gradients and
 * momentum are blocks of `trained_floats` values addressed by the same offsets.
 * In memory convolution weights are [kh][kw][in][out] (dense) or [kh][kw][c] (depthwise); files
 * hold PyTorch's [out][in][kh][kw]: params_to_public/params_from_public convert, nothing else
 * does. */
#ifndef TP_NET_PARAMS_H
#define TP_NET_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef enum param_kind {
	PARAM_WEIGHT,    /* dense convolution, dims = {out, in, kh, kw} */
	PARAM_DEPTHWISE, /* dims = {c, 1, kh, kw} */
	PARAM_BIAS,      /* dims = {out} */
	PARAM_BN_WEIGHT, /* the four below: dims = {c}; frozen, never trained */
	PARAM_BN_BIAS,
	PARAM_BN_MEAN,
	PARAM_BN_VAR,
} param_kind;

typedef struct param {
	char name[64]; /* public tensor name, e.g. layer3.0.conv1.weight (contract.md section 5) */
	param_kind kind;
	size_t dims[4], ndim; /* public order */
	size_t offset, count; /* floats, into the value block */
	bool trained;
	bool head;            /* learning rate times head_lr_multiplier */
	float init_std;       /* standard deviation of the initial values; 0: constant `init` */
	float init;           /* constant: 0 for biases, 1 for BN weight and variance */
} param;

typedef struct param_table {
	param *item; /* owned; trained ones first */
	size_t count;
	size_t floats, trained_floats;
} param_table;

/* Index of a name, or -1. */
ptrdiff_t params_find(const param_table *t, const char *name);
/* Fills values[floats] from the table's init columns and (seed, parameter index). */
void params_init(const param_table *t, uint64_t seed, float *values);
/* One parameter between the in-memory layout at values + p->offset (or at the same offset of a
 * gradient block) and PyTorch's order; `flat` has p->count values. */
void params_to_public(const param *p, const float *block, float *flat);
void params_from_public(const param *p, const float *flat, float *block);
/* Number of values users call parameters: all but BN running statistics. */
size_t params_public_count(const param_table *t);
void params_done(param_table *t);

#endif
