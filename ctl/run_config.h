/* run_config: the JSON body of a new run or experiment, from a file and --set. */
#ifndef TPLDCTL_RUN_CONFIG_H
#define TPLDCTL_RUN_CONFIG_H

#include <jansson.h>

#include "args.h"

/* The file (NULL: {}; "-": standard input) with all --set and --seed applied in order. A new
 * reference on CTL_OK; mistakes are reported with file and line. */
ctl_exit run_config_load(const ctl_args *a, const char *file, json_t **ret);
/* "data.crop=[256,512]" or "/data/crop=[256,512]" into o, making the objects on the way. The value
 * is JSON, or else a string as it stands. */
ctl_exit run_config_set(json_t *o, const char *assignment);

#endif
