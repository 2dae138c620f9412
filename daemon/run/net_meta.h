/* net_meta: what a weights file's metadata says about the network it belongs to, so that a downloaded
 * or stored checkpoint can be used again without its run (contract.md section 5). */
#ifndef TPLDD_NET_META_H
#define TPLDD_NET_META_H

#include "ckpt/safetensors.h"
#include "data/image.h"
#include "net/deeplab.h"

enum { NET_META_PAIRS = 9 };

typedef struct net_meta {
	net_spec spec;
	input_norm norm;
	char text[NET_META_PAIRS][96];
	st_meta pair[NET_META_PAIRS];
} net_meta;

/* Fills text and pair from spec and norm. The struct must not be moved afterwards. */
void net_meta_fill(net_meta *m, const net_spec *spec, const input_norm *norm);
/* Reads what net_meta_fill wrote; TP_CORRUPT names the missing or impossible key. */
tp_status net_meta_read(const st_file *f, net_spec *ret_spec, input_norm *ret_norm,
                        tp_err *err) TP_MUST_CHECK;

#endif
