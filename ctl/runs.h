/* runs: what showing and watching a run have in common. */
#ifndef TPLDCTL_RUNS_H
#define TPLDCTL_RUNS_H

#include "client.h"
#include "refs.h"

/* One run in full, in the format asked for. */
ctl_exit run_print(ctl *c, const client_answer *run);
/* Active runs as a table; for status. */
void run_print_list(ctl_format format, const json_t *runs);
/* "/api/v1/runs/ID" + tail for what people call a run. */
ctl_exit run_path(ctl *c, const char *text, const char *tail, buffer *ret);

#endif
