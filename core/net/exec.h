/* exec: a graph bound to one image size: algorithms chosen per layer, one memory arena planned from
 * lifetimes. All memory is taken in exec_create; the calls after it never allocate.
 *
 * Training keeps every activation the backward pass reads (post-activation outputs only);
 * inference reuses memory as soon as a value is dead. Threads: one caller at a time. */
#ifndef TP_NET_EXEC_H
#define TP_NET_EXEC_H

#include <stdatomic.h>

#include "base/pool.h"
#include "net/graph.h"

typedef struct exec exec;

typedef struct exec_spec {
	const graph *graph; /* borrowed until exec_free */
	size_t in_h, in_w;
	bool train;          /* backward pass wanted */
	bool input_gradient; /* backward also computes d input */
	size_t between_floats; /* wanted by the caller between the passes, see exec_between */
	kernel_mode kernels;
	pool *pool;          /* borrowed */
	const atomic_int *stop; /* read between layers; non-zero ends a pass early; may be NULL */
} exec_spec;

typedef struct exec_size {
	size_t out_h, out_w, out_c;
	size_t bytes;        /* of everything exec_create will allocate */
	double forward_flop; /* 2 x multiply-adds of the direct convolutions */
} exec_size;

/* What exec_create would need, without allocating the arena. */
tp_status exec_measure(const exec_spec *spec, exec_size *ret, tp_err *err) TP_MUST_CHECK;
tp_status exec_create(const exec_spec *spec, exec **ret, tp_err *err) TP_MUST_CHECK;
void exec_free(exec *e); /* NULL is fine */
const exec_size *exec_sizes(const exec *e);

/* Folds batch norms and transforms weights (in training: lets each pass do that). Call after each
 * change of `values` (the graph's parameter block) and before the next forward pass. `values` is
 * borrowed until the next prepare and must not change between a forward pass and its backward. */
void exec_prepare(exec *e, const float *values);

/* The input buffer [in_h][in_w][c]; the caller fills it before exec_forward. */
float *exec_input(exec *e);
/* Returns the output [out_h][out_w][out_c], valid until the next forward pass.
 * TP_CANCELLED when *stop became non-zero. */
tp_status exec_forward(exec *e, const float **ret_output, tp_err *err) TP_MUST_CHECK;
/* between_floats floats of the arena, the caller's from exec_forward's return until exec_backward (or
 * the next exec_forward) begins: for the loss, whose maps are large and dead outside of it. */
float *exec_between(exec *e);
/* After exec_forward with train: adds d loss / d parameter to grads[trained_floats] (NULL:
 * parameter gradients not wanted, e.g. the frozen discriminator). doutput has the output's shape.
 * ret_dinput (NULL allowed) receives the input gradient, valid until the next pass. */
tp_status exec_backward(exec *e, const float *doutput, float *grads, const float **ret_dinput,
                        tp_err *err) TP_MUST_CHECK;

/* ---- for profiles ------------------------------------------------------------------------ */

/* Milliseconds per node of the last passes are not taken here (core reads no clock); a caller that
 * wants a profile passes a callback, called before and after each node on the thread of the pass.
 * NULL switches it off. */
typedef void exec_probe(void *arg, size_t node, bool backward, bool begin);
void exec_set_probe(exec *e, exec_probe *probe, void *arg);
/* Nodes are numbered 0..exec_nodes-1 in the order of the forward pass. */
size_t exec_nodes(const exec *e);
/* The next two write at most size bytes. "layer3.0.conv2", "maxpool" */
void exec_node_name(const exec *e, size_t node, char *buf, size_t size);
/* "winograd4"; "gemm/taps/gemm" when the forward pass, the data and the weight gradient differ;
 * "" for a pool. An exec without backward pass names the forward one only. */
void exec_node_algorithm(const exec *e, size_t node, char *buf, size_t size);
/* Floating point operations of one pass through a node as the direct convolution counts them (2 x
 * multiply-adds), whatever the algorithm saves. Backward: of the gradients that the newest
 * exec_backward was asked for. */
double exec_node_flop(const exec *e, size_t node, bool backward);

#endif
