/* logits: the per-image cache of scoring (adapt/probs.h): a small file with the network's logits at
 * output resolution, a stamp that says which run, round and weights made it, and a checksum. It can
 * be made again while its round lasts, so it is written without fsync; a damaged, truncated or foreign file
 * is TP_CORRUPT or TP_NOTFOUND and simply recomputed. */
#ifndef TP_DATA_LOGITS_H
#define TP_DATA_LOGITS_H

#include "adapt/probs.h"
#include "base/status.h"

typedef struct logits_file {
	logit_map map; /* plain/mirrored point into `block` */
	void *block;   /* owned; logits_done frees */
} logits_file;

tp_status logits_write(int dirfd, const char *name, uint64_t stamp, const logit_map *map,
                       tp_err *err) TP_MUST_CHECK;
tp_status logits_read(int dirfd, const char *name, uint64_t stamp, logits_file *ret,
                      tp_err *err) TP_MUST_CHECK;
void logits_done(logits_file *f);

#endif
