/* stored_net: a whole network read back from a public checkpoint or an imported weights file, outside
 * any run (contract.md section 5). */
#ifndef TPLDD_STORED_NET_H
#define TPLDD_STORED_NET_H

#include "data/image.h"
#include "net/graph.h"
#include "store/store.h"

typedef struct stored_net {
	graph net;
	float *values;
	input_norm norm;
} stored_net;

/* file: relative to the state directory. weights NULL: a checkpoint, which describes itself. TP_INVALID
 * when the file has no head, TP_CORRUPT when it or its description is damaged. Any thread. */
tp_status stored_net_load(int state_dirfd, const char *file, const weights_row *weights, stored_net *ret,
                          tp_err *err) TP_MUST_CHECK;
void stored_net_done(stored_net *n);

#endif
