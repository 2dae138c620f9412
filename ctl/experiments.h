/* experiments: what showing and watching an experiment have in common. */
#ifndef TPLDCTL_EXPERIMENTS_H
#define TPLDCTL_EXPERIMENTS_H

#include "client.h"

/* One experiment with its variants, in the format asked for. */
ctl_exit experiment_print(ctl *c, const client_answer *experiment);

/* experiment_watch.c: until it has ended: CTL_OK completed, CTL_FAILED failed or cancelled. Lives through
 * a restart of the daemon of up to 60 s, then CTL_UNREACHABLE. Ctrl-C ends only the watching. */
ctl_exit watch_experiment(ctl *c, const char *id);

#endif
