/* refs: what people call a thing -> its id. Numbers are ids; anything else is a name, which must be
 * the only one of its kind; of runs there are also @last (the newest) and @running. */
#ifndef TPLDCTL_REFS_H
#define TPLDCTL_REFS_H

#include "ctl.h"

enum { REF_MAX = 24 };

typedef enum ref_kind { REF_RUN, REF_DATASET, REF_WEIGHTS, REF_EXPERIMENT } ref_kind;

/* CTL_NOT_FOUND, CTL_USAGE (several have the name) or the call's failure, reported. */
ctl_exit ref_resolve(ctl *c, ref_kind kind, const char *text, char ret_id[REF_MAX]);
/* For things that have no name: refuses what is no number. */
ctl_exit ref_number(const char *what, const char *text);

#endif
