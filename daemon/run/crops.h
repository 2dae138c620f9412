/* crops: network inputs of a few images of a data set, for measuring batch norms. Trainer thread. */
#ifndef TPLDD_CROPS_H
#define TPLDD_CROPS_H

#include "run/job.h"

typedef struct crops {
	const float **image; /* [count], each [crop_h][crop_w][3], in `block` */
	float *block;
	size_t count;
} crops;

/* One crop of each of `count` images spread evenly over the set (again from the start when it has fewer),
 * cut at scale 1 somewhere; labels are not read. looks: they take colours of the target as often as source images do
 * in training. TP_CANCELLED when the job is to stop. crops_done also after a failure. */
tp_status crops_take(const job *j, const job_images *from, bool looks, size_t count, crops *ret,
                     tp_err *err) TP_MUST_CHECK;
void crops_done(crops *c);
/* Bytes of `count` of them. */
size_t crops_bytes(const recipe *r, size_t count);

#endif
