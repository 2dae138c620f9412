/* bind: a graph bound to an image size: the shape of every value, the algorithms of every node, and
 * the place of everything in memory. Pure planning, the memory itself belongs to exec.
 *
 * Time is cut into steps: node i of N runs forward in step i; step N is the caller's (exec_between);
 * backward a node takes two steps, the first for the mask of its activation and the second for
 * the rest, so that the gradient of its input may lie where its output was. A block of the arena
 * lives from its first writer's step to its last reader's. Besides planning for size this
 * decides two aliases: a sum written over a residual that dies there, and the gradient of a
 * residual that is the gradient of the sum itself.
 *
 * Prepared weights (four times the size of the weights where Winograd is used) are kept for
 * inference, which uses them often. In training they change with every step, so they are made
 * just before use, twice a pass, and live for one step. That takes no measurable time (they are
 * still in the cache when used) and saves a third of the memory of a small pass: ResNet-101 at
 * 321x321 peaks at 0.93 GiB instead of 1.31 GiB, weights, gradients and momentum included. */
#ifndef TP_NET_BIND_H
#define TP_NET_BIND_H

#include "net/exec.h"
#include "net/plan.h"

enum { BLOCK_NONE = -1 };

typedef struct bound_value {
	size_t h, w, c;
	int data, grad; /* block numbers; BLOCK_NONE: does not exist */
} bound_value;

/* What the backward pass does with d(sum) for the node's residual. */
typedef enum residual_grad {
	RESIDUAL_NONE,
	RESIDUAL_SHARES, /* the residual's gradient is the output's: same block, nothing to do */
	RESIDUAL_ADDS,
} residual_grad;

typedef struct bound_node {
	union {
		conv_plan conv;
		aspp_plan aspp;
		maxpool_shape pool;
	};
	size_t scale, bias; /* frozen batch norm: floats from the start of the kept block */
	size_t kept;        /* inference: the prepared weights, likewise */
	int prepared, prepared_back; /* training: blocks */
	int scratch, scratch_back, argmax;
	bool dx, dx_accumulate;
	residual_grad residual;
	double forward_flop; /* 2 x multiply-adds of the direct convolution; 0: a pool */
} bound_node;

typedef struct binding {
	bound_value *value; /* graph->values */
	bound_node *node;   /* graph->nodes */
	plan_block *block;
	size_t blocks;
	int between; /* block of exec_between */
	size_t arena_bytes, kept_floats; /* kept: outlives the passes */
	size_t table_bytes; /* of the three arrays */
	double forward_flop; /* of all nodes */
} binding;

/* TP_SHAPE when the image is too small (or too large for memory); the text names the layer. */
tp_status bind_make(const exec_spec *spec, binding *ret, tp_err *err) TP_MUST_CHECK;
void bind_done(binding *b);

/* "layer3.0.conv2" of a node: its first parameter's name without the last word; "maxpool". */
void bind_node_name(const graph *g, size_t node, char *buf, size_t size);

#endif
