/* round_state: what a training phase needs from the scoring before it, read back from the rows that
 * scoring stored, so that an uninterrupted and a resumed run take the same path. */
#ifndef TPLDD_ROUND_STATE_H
#define TPLDD_ROUND_STATE_H

#include <stdbool.h>

#include "store/store.h"

typedef struct round_state {
	int round;
	float *lambda;  /* [classes] */
	uint8_t mine[256]; /* rare classes (algorithms.md 1.6) */
	size_t mines;
	bool *easy;     /* [targets] */
} round_state;

tp_status round_state_load(store *s, int64_t run, int round, size_t classes, size_t targets,
                           round_state *ret, tp_err *err) TP_MUST_CHECK;
void round_state_done(round_state *r);
/* Which target images a round found easy: ret_easy[targets]. TP_NOTFOUND: it has not been scored. */
tp_status round_split_load(store *s, int64_t run, int64_t round, size_t targets, bool *ret_easy,
                           tp_err *err) TP_MUST_CHECK;

/* The two JSON columns of a round, malloc'ed; NULL when out of memory. */
char *round_thresholds_text(const float *lambda, size_t classes);
char *round_stats_text(const uint64_t *predicted, size_t classes, const uint8_t *mine, size_t mines);
/* The shares of predicted pixels that round_stats_text kept: share[classes]. TP_CORRUPT. */
tp_status round_shares(const round_row *row, size_t classes, double *share, tp_err *err) TP_MUST_CHECK;

#endif
