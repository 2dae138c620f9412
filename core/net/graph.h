/* graph: a network as a static array of nodes in execution order, built once; forward walks up,
 * backward walks down. A node is one fused layer (convolution + frozen BN or bias + residual +
 * activation; ASPP head; max pool). Builders (resnet.c, vgg.c, mobilenet.c, discriminator.c) only
 * call graph_* functions and read like the paper's figure. Values are numbered; 0 is the input.
 * Nothing here depends on the image size; net/exec.h binds a graph to one. */
#ifndef TP_NET_GRAPH_H
#define TP_NET_GRAPH_H

#include "net/params.h"
#include "op/aspp.h"
#include "op/conv.h"
#include "op/maxpool.h"

typedef enum node_op { NODE_CONV, NODE_ASPP, NODE_MAXPOOL } node_op;

typedef struct node {
	node_op op;
	int input, residual /* -1: none */, output; /* value numbers */
	/* conv, maxpool */
	size_t kernel, stride, pad, dilation, groups;
	bool ceil_mode;     /* maxpool */
	bool same_pad;      /* conv, stride 2: TensorFlow's asymmetric padding */
	activation act;
	int weight, bias, bn[4]; /* parameter indices, -1: none; bn = weight, bias, mean, var */
	/* aspp */
	size_t branches, dilations[ASPP_MAX_BRANCHES];
	int branch_weight[ASPP_MAX_BRANCHES], branch_bias[ASPP_MAX_BRANCHES];
} node;

typedef struct graph {
	node *node; /* owned */
	size_t nodes;
	size_t *channels; /* of each value; owned */
	size_t values;
	param_table params;
	tp_err err; /* first failure while building; checked once by graph_finish */
} graph;

tp_status graph_init(size_t input_channels, graph *ret, tp_err *err) TP_MUST_CHECK;

typedef struct conv_attr {
	size_t out, kernel, stride, pad, dilation;
	bool depthwise, bias, same_pad;
	const char *bn;    /* public prefix of its batch norm, or NULL */
	activation act;
	int residual;      /* value added before the activation, or -1 */
	bool head;         /* head learning rate */
	float init_std;    /* 0: He, sqrt(2 / (kernel^2 fan_out)); fan_out is 1 when depthwise */
	float bn_init;     /* initial weight of the batch norm, which is never trained; 0: 1 */
} conv_attr;

/* Adds a layer, returns the number of its output value. After a failure they do nothing. */
int graph_conv(graph *g, int input, const char *name, const conv_attr *a);
int graph_maxpool(graph *g, int input, size_t kernel, size_t stride, size_t pad, bool ceil_mode);
int graph_aspp(graph *g, int input, const char *name, size_t out, size_t branches,
               const size_t *dilations);
/* Orders the parameter table (trained first), reports the first failure. */
tp_status graph_finish(graph *g, tp_err *err) TP_MUST_CHECK;
/* The first `nodes` nodes (1..g->nodes) as a network that puts out what the last of them does. Borrows
 * everything from g: not for graph_done. */
graph graph_prefix(const graph *g, size_t nodes);
void graph_done(graph *g);

#endif
