/* watch: follows a run on one line of a terminal, or line by line in a file. */
#ifndef TPLDCTL_WATCH_H
#define TPLDCTL_WATCH_H

#include "client.h"

/* Until the run is over: CTL_OK completed, CTL_FAILED failed or cancelled. Lives through a restart
 * of the daemon of up to 60 s, then CTL_UNREACHABLE. no_wait: a pause ends it with CTL_CONFLICT.
 * Ctrl-C ends only the watching. */
ctl_exit watch_run(ctl *c, const char *id, bool no_wait);

/* The line, without its end: "run 3 night  running  round 2 of 9  phase1_training  step 12/1000
 * ...". */
void watch_line(const json_t *run, char *to, size_t size);

#endif
