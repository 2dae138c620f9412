/* The alignment of batch norms to the target, between source training and round 0. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "run/crops.h"
#include "run/job.h"
#include "run/publish.h"
#include "train/norms.h"

/* What came of it, for people. */
typedef struct outcome {
	double shift; /* of the predicted classes' shares, half the sum of changes */
	bool kept;
} outcome;

/* Aligns the state's batch norms, and takes that back where it moved what is predicted too far. */
static tp_status align_to(job *j, const norm_inputs *source, const norm_inputs *target, outcome *ret,
                          tp_err *err)
{
	const recipe *r = &j->setup.config.recipe;
	const param_table *t = &j->setup.net.params;
	float *norms = j->state.values + t->trained_floats;
	size_t bytes = (t->floats - t->trained_floats) * sizeof(float);
	double before[256], after[256];
	norm_spec spec = {.net = &j->setup.net,
	                  .h = r->data.crop_h,
	                  .w = r->data.crop_w,
	                  .pool = j->pool,
	                  .stop = j->stop};
	memcpy(j->state.source_norms, norms, bytes);
	tp_status st = norms_predicted_shares(&spec, target, j->state.values, before, err);
	if (st == TP_OK)
		st = norms_align(&spec, source, target, r->self.norm_strength, j->state.values, err);
	if (st == TP_OK)
		st = norms_predicted_shares(&spec, target, j->state.values, after, err);
	if (st != TP_OK)
		return st;
	ret->shift = 0.0;
	for (size_t k = 0; k < j->setup.spec.classes; k++)
		ret->shift += 0.5 * fabs(after[k] - before[k]);
	ret->kept = !r->self.norm_check || ret->shift <= NORMS_SHIFT_LIMIT;
	if (!ret->kept)
		memcpy(norms, j->state.source_norms, bytes);
	return TP_OK;
}

static tp_status align(job *j, outcome *ret, tp_err *err)
{
	size_t count = j->setup.config.recipe.self.norm_images;
	crops source = {0}, target = {0};
	tp_status st = crops_take(j, &j->setup.source, count, &source, err);
	if (st == TP_OK)
		st = crops_take(j, &j->setup.target, count, &target, err);
	if (st == TP_OK) {
		norm_inputs s = {source.image, source.count}, t = {target.image, target.count};
		st = align_to(j, &s, &t, ret, err);
	}
	crops_done(&source);
	crops_done(&target);
	return st;
}

tp_status stage_align(job *j, tp_err *err)
{
	/* When it is stopped half-way nothing is saved: it begins again from the source model's checkpoint. */
	outcome o;
	char text[80];
	tp_status st = align(j, &o, err);
	if (st == TP_OK)
		st = publish(j, err);
	if (st == TP_OK)
		st = job_save(j, j->at, 0, true, err);
	if (st != TP_OK)
		return st;
	(void)snprintf(text, sizeof text, "{\"kept\":%s,\"shift\":%.6f}", o.kept ? "true" : "false",
	               o.shift);
	job_event(j, "norms.aligned", text);
	return TP_OK;
}
