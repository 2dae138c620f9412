/* build: the builders behind net_build, one file per family. They add layers to an initialised
 * graph (input: value 0) and report failures through graph_finish only. */
#ifndef TP_NET_BUILD_H
#define TP_NET_BUILD_H

#include "net/deeplab.h"

/* Channels of a layer: c / divisor rounded down to a multiple of 4, at least 4. Divisor 1: c. */
size_t net_width(size_t c, size_t divisor);

/* Each returns the number of its output value, the logits. */
int resnet_build(graph *g, const net_spec *spec); /* algorithms.md 8.1 */
int vgg_build(graph *g, const net_spec *spec);    /* algorithms.md 8.4 (a) */
int mobilenet_build(graph *g, const net_spec *spec);

#endif
