/* looks: whose colours a source image takes (data.color_transfer). */
#ifndef TPLDD_LOOKS_H
#define TPLDD_LOOKS_H

#include "run/job.h"

/* Path of a target image, borrowed from the job, or NULL where the sample keeps its own colours. `counter` names
 * the sample among those drawn with one seed. */
const char *look_draw(const job *j, uint64_t seed, uint64_t counter);

#endif
