/* publish: the public weights of a finished phase, as a file and its row. Trainer thread. */
#ifndef TPLDD_PUBLISH_H
#define TPLDD_PUBLISH_H

#include "run/job.h"

/* Those of the network that labels and is judged (train_state_model), before the state that says that the
 * phase is finished. */
tp_status publish(job *j, tp_err *err) TP_MUST_CHECK;

#endif
