/* grid: from a definition to the parts of an experiment, each with the configuration of its run.
 *
 * Cells of one seed whose source training is the same in every value share it: one run of preset
 * source-only trains the source model, and the cells start from its checkpoint with 0 steps of their
 * own. A cell that would compute nothing else is that very run. A source training that only one cell
 * wants stays in the cell's run. */
#ifndef TPLDD_EXPERIMENT_GRID_H
#define TPLDD_EXPERIMENT_GRID_H

#include "experiment/definition.h"
#include "run/scheduler.h"

/* Checks every cell's configuration as a submitted run's (with one seed: the others differ in nothing
 * that is checked), problems by pointers into the definition: then TP_INVALID. *ret is a list for
 * rows_done with part_row_done. */
tp_status grid_make(scheduler *s, store *st, const definition *d, part_row **ret, size_t *ret_n,
                    problems *p) TP_MUST_CHECK;

#endif
