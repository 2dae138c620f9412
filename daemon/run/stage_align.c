/* The alignment of batch norms to the target, between source training and round 0. */
#include <stdio.h>
#include <string.h>

#include "run/crops.h"
#include "run/job.h"
#include "run/publish.h"
#include "train/norms.h"

static tp_status align(job *j, norm_outcome *ret, tp_err *err)
{
	const recipe *r = &j->setup.config.recipe;
	const param_table *p = &j->setup.net.params;
	size_t count = r->self.norm_images;
	crops source = {0}, target = {0};
	memcpy(j->state.source_norms, j->state.values + p->trained_floats,
	       (p->floats - p->trained_floats) * sizeof(float));
	/* The source's norms are measured on what they were trained on. */
	tp_status st = crops_take(j, &j->setup.source, true, count, &source, err);
	if (st == TP_OK)
		st = crops_take(j, &j->setup.target, false, count, &target, err);
	if (st == TP_OK) {
		norm_inputs s = {source.image, source.count}, t = {target.image, target.count};
		norm_spec spec = {.net = &j->setup.net,
		                  .h = r->data.crop_h,
		                  .w = r->data.crop_w,
		                  .pool = j->pool,
		                  .stop = j->stop};
		st = norms_align(&spec, &s, &t, r->self.norm_strength, r->self.norm_check, j->state.values, ret,
		                 err);
	}
	crops_done(&source);
	crops_done(&target);
	return st;
}

tp_status stage_align(job *j, tp_err *err)
{
	/* When it is stopped half-way nothing is saved: it begins again from the source model's checkpoint. So it
	 * does when the run ends here and is interrupted before that is stored; it then ends here again. */
	norm_outcome o;
	char text[100];
	tp_status st = align(j, &o, err);
	bool ends = st == TP_OK && !o.kept && j->setup.config.recipe.self.norm_required;
	if (st == TP_OK && !ends)
		st = publish(j, err);
	if (st == TP_OK)
		st = job_save(j, j->at, 0, !ends, err);
	if (st != TP_OK)
		return st;
	(void)snprintf(text, sizeof text, "{\"kept\":%s,\"shift\":%.6f,\"mirror\":%.6f}",
	               o.kept ? "true" : "false", o.shift, o.mirror);
	job_event(j, "norms.aligned", text);
	if (ends)
		(void)snprintf(j->end, sizeof j->end,
		               "ends with the source model: aligning its norms moves %.1f %% of the predictions, and mirror "
		               "images differ %.2f times as much",
		               100.0 * o.shift, o.mirror);
	return TP_OK;
}
