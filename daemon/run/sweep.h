/* sweep: removes what a crash can leave behind: a checkpoint's file is durable before the row that
 * names it, and a deleted run's rows are gone before its files. Rows are the truth; a file without
 * one is nobody's. What could not be removed is tried again at the next start. */
#ifndef TPLDD_SWEEP_H
#define TPLDD_SWEEP_H

#include "store/store.h"

/* Resume checkpoints of a run, while nothing else writes there. */
void sweep_checkpoints(store *s, int state_dirfd, int64_t run);
/* Folders of runs that were deleted. Before the trainer starts. */
void sweep_runs(store *s, int state_dirfd);

#endif
