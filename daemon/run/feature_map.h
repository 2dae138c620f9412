/* feature_map: how the images of a round lie to each other in the eyes of the network that the round has
 * trained, or of the one before it, which ranked them (of round 0: the source model): features
 * (train/image_features.h) of source, easy and hard target images, laid out in the plane (adapt/tsne.h). Computed
 * when somebody asks, on the calling thread with a pool of one, as inference is; one map at a time. A finished one
 * is kept in a file of the round with the checkpoint's SHA-256: another checkpoint, after a rewind, or a damaged
 * file make it anew. The same checkpoint gives the same map. */
#ifndef TPLDD_FEATURE_MAP_H
#define TPLDD_FEATURE_MAP_H

#include "base/status.h"
#include "store/store.h"

/* At most so many images, evenly spread over the data set in the order of names; of the source, those with
 * labels, as in training. Larger pictures are scaled down to FEATURE_MAP_PIXELS. */
enum { FEATURE_MAP_SOURCE = 150, FEATURE_MAP_TARGET = 350, FEATURE_MAP_PIXELS = 512 * 256 };

typedef struct feature_maps feature_maps;

/* Borrows the store. */
tp_status feature_maps_create(store *s, int state_dirfd, feature_maps **ret, tp_err *err) TP_MUST_CHECK;
/* What is being computed ends soon, and all later computing at once, with TP_CANCELLED. Any thread. */
void feature_maps_stop(feature_maps *m);
void feature_maps_free(feature_maps *m); /* NULL is fine; no call may be under way */

typedef struct feature_map_key {
	int64_t run, round;
	bool before; /* the round's training; else after it */
} feature_map_key;

/* JSON as the API gives it, malloc'ed. TP_NOTFOUND: no such run, or the round has not been scored;
 * TP_CONFLICT: the network is not there (the round has not been trained to its end), too few images, or another
 * map is being computed. Any thread. */
tp_status feature_maps_get(feature_maps *m, const feature_map_key *of, char **ret, size_t *ret_size,
                           tp_err *err) TP_MUST_CHECK;

#endif
