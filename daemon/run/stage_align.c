/* The alignment of batch norms to the target, between source training and round 0. */
#include <string.h>

#include "run/crops.h"
#include "run/job.h"
#include "run/publish.h"
#include "train/norms.h"

static tp_status align(job *j, tp_err *err)
{
	const recipe *r = &j->setup.config.recipe;
	const param_table *t = &j->setup.net.params;
	crops source = {0}, target = {0};
	tp_status st = crops_take(j, &j->setup.source, r->self.norm_images, &source, err);
	if (st == TP_OK)
		st = crops_take(j, &j->setup.target, r->self.norm_images, &target, err);
	norm_spec spec = {.net = &j->setup.net,
	                  .h = r->data.crop_h,
	                  .w = r->data.crop_w,
	                  .pool = j->pool,
	                  .stop = j->stop};
	norm_inputs s = {source.image, source.count};
	norm_inputs g = {target.image, target.count};
	if (st == TP_OK) {
		memcpy(j->state.source_norms, j->state.values + t->trained_floats,
		       (t->floats - t->trained_floats) * sizeof(float));
		st = norms_align(&spec, &s, &g, r->self.norm_strength, j->state.values, err);
	}
	crops_done(&source);
	crops_done(&target);
	return st;
}

tp_status stage_align(job *j, tp_err *err)
{
	/* When it is stopped half-way nothing is saved: it begins again from the source model's checkpoint. */
	tp_status st = align(j, err);
	if (st == TP_OK)
		st = publish(j, err);
	if (st == TP_OK)
		st = job_save(j, j->at, 0, true, err);
	if (st == TP_OK)
		job_event(j, "norms.aligned", "{}");
	return st;
}
