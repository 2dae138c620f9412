/* advance: what an experiment does next. Decided from its rows alone, each step in one transaction, so
 * that it goes on after any crash: a part that waits and may start gets its run, a run that has ended
 * settles its part, and when all parts are settled the experiment ends. Doing it again does nothing. */
#ifndef TPLDD_EXPERIMENT_ADVANCE_H
#define TPLDD_EXPERIMENT_ADVANCE_H

#include "run/scheduler.h"

/* All experiments that are not over. False: something could not be done now (disk full, out of memory)
 * and should be tried again. */
bool advance_all(store *st, scheduler *s);

#endif
