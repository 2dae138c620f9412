#include "run/crops.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/loader.h"
#include "run/looks.h"

/* Beyond the samples of any step, so that the looks of these images are drawn for themselves. */
#define FIRST_LOOK (UINT64_C(1) << 50)

typedef struct crops_plan {
	const job *job;
	const job_images *from;
	bool looks;
	size_t count;
	augment_spec augment;
} crops_plan;

static tp_status plan(void *arg, uint64_t step, size_t slot, sample_request *ret, tp_err *err)
{
	const crops_plan *p = arg;
	(void)slot;
	(void)err;
	size_t at = p->count <= p->from->count ? (size_t)step * p->from->count / p->count
	                                       : (size_t)step % p->from->count;
	*ret = (sample_request){.image = p->from->row[at].image,
	                        .source = LABELS_NONE,
	                        .augment = &p->augment,
	                        .look = p->looks ? look_draw(p->job, p->job->setup.config.recipe.seed,
	                                                     FIRST_LOOK + step)
	                                         : NULL,
	                        .index = (uint32_t)at};
	return TP_OK;
}

size_t crops_bytes(const recipe *r, size_t count)
{
	return count * r->data.crop_h * r->data.crop_w * 3 * sizeof(float);
}

tp_status crops_take(const job *j, const job_images *from, bool looks, size_t count, crops *ret, tp_err *err)
{
	const recipe *r = &j->setup.config.recipe;
	crops_plan p = {.job = j,
	                .from = from,
	                .looks = looks,
	                .count = count,
	                .augment = {.crop_h = r->data.crop_h,
	                            .crop_w = r->data.crop_w,
	                            .scale_low = 1.0,
	                            .scale_high = 1.0,
	                            .mirror = r->data.mirror}};
	loader_spec spec = {.slots = 1,
	                    .classes = j->setup.spec.classes,
	                    .crop_h = r->data.crop_h,
	                    .crop_w = r->data.crop_w,
	                    .norm = j->setup.norm,
	                    .seed = r->seed,
	                    .last_step = count,
	                    .ahead = JOB_STEPS_AHEAD,
	                    .plan = plan,
	                    .plan_arg = &p};
	loader *l = NULL;
	size_t floats = crops_bytes(r, 1) / sizeof(float);
	*ret = (crops){.image = calloc(count, sizeof *ret->image), .count = count};
	tp_status st = ret->image == NULL ? tp_fail(err, TP_NOMEM, 0, "out of memory for crops")
	                                  : mem_floats(count * floats, &ret->block, err);
	if (st == TP_OK)
		st = loader_create(&spec, &l, err);
	for (size_t i = 0; i < count && st == TP_OK; i++) {
		const sample *s;
		bool waited;
		if (job_stopped(j)) {
			st = TP_CANCELLED;
			break;
		}
		st = loader_next(l, &s, &waited, err);
		if (st != TP_OK)
			break;
		ret->image[i] = ret->block + i * floats;
		memcpy(ret->block + i * floats, s->input, floats * sizeof(float));
	}
	loader_free(l);
	return st;
}

void crops_done(crops *c)
{
	mem_free(c->block);
	free(c->image);
	*c = (crops){0};
}
