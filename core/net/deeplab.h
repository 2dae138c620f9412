/* deeplab: the networks of contract.md section 3 by name (algorithms.md 8.1, 8.3, 8.4), and
 * ADVENT's discriminator (5.5). */
#ifndef TP_NET_DEEPLAB_H
#define TP_NET_DEEPLAB_H

#include "net/graph.h"

typedef enum net_arch {
	ARCH_VGG16,       /* deeplabv2-vgg16, section 8.4 (a) */
	ARCH_RESNET101,   /* deeplabv2-resnet101 */
	ARCH_RESNET50,    /* deeplabv2-resnet50: the same with 3-4-6-3 blocks */
	ARCH_MOBILENETV2, /* deeplabv2-mobilenetv2: torchvision features.0-17, 320 channels */
	ARCH_COUNT,
} net_arch;

typedef struct net_spec {
	net_arch arch;
	size_t classes;          /* 2..255 */
	size_t output_stride;    /* 8; mobilenetv2 also 16 */
	size_t aspp_branches;    /* 4, or 2 for checkpoints of the repositories of section 8.3 */
	size_t aspp_dilations[ASPP_MAX_BRANCHES]; /* 1..64, default 6 12 18 24 */
	size_t width_divisor;    /* 1; tests use 8 or so to keep golden files small */
	bool same_pad;           /* stride-2 convolutions padded as TensorFlow pads */
} net_spec;

const char *net_arch_name(net_arch a);
/* False when the name is unknown. */
bool net_arch_parse(const char *name, net_arch *ret);
/* arch with defaults: 19 classes, stride 8, 4 branches 6 12 18 24, divisor 1. */
net_spec net_spec_default(net_arch arch);

/* Builds into *ret (graph_done frees). TP_INVALID names the field that is out of range. */
tp_status net_build(const net_spec *spec, graph *ret, tp_err *err) TP_MUST_CHECK;
/* 4x4 stride 2 pad 1: K->64->128->256->512->1, LeakyReLU 0.2, biases; input pixel-major [H][W][K].
 * Initial weights as PyTorch's Conv2d default in spirit: normal of the same variance. */
tp_status discriminator_build(size_t classes, size_t width_divisor, graph *ret,
                              tp_err *err) TP_MUST_CHECK;

#endif
