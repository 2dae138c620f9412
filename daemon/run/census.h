/* census: how many pixels of each class the labels of a data set show, counted once and kept. Trainer
 * thread. */
#ifndef TPLDD_CENSUS_H
#define TPLDD_CENSUS_H

#include "run/job.h"

/* *ret_pixels [im->count][classes], malloc'ed. The first time all label files of the data set are read;
 * TP_CANCELLED when the job is to stop. */
tp_status census_of(const job *j, const job_images *im, uint64_t **ret_pixels, tp_err *err) TP_MUST_CHECK;

#endif
