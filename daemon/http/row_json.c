#include "http/row_json.h"

#include <string.h>

#include "http/json_out.h"

json_t *coverage_json(double confident, double voted, double soft, double ignored)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "confident", json_number_or_null(confident),
	                 "voted", json_number_or_null(voted), "soft", json_number_or_null(soft),
	                 "ignored", json_number_or_null(ignored));
}

json_t *class_names_json(const char *classes)
{
	json_t *set = json_stored(classes), *names = json_array(), *c;
	size_t i;
	json_array_foreach(set, i, c)
		(void)json_array_append(names, json_object_get(c, "name"));
	json_decref(set);
	return names;
}

json_t *dataset_json(const dataset_row *d)
{
	return json_pack("{s:I, s:s, s:s, s:s, s:o, s:o, s:I, s:I, s:o, s:s, s:o, s:o}", "id",
	                 (json_int_t)d->id, "name", d->name, "layout", d->layout, "root", d->root,
	                 "split", json_text_or_null(d->split), "include",
	                 json_text_or_null(d->include), "images", (json_int_t)d->images, "labelled",
	                 (json_int_t)d->labelled, "classes", json_stored(d->classes), "class_set",
	                 d->class_set, "class_map", json_stored(d->class_map), "created",
	                 json_time(d->created_ms));
}

json_t *weights_json(const weights_row *w)
{
	json_t *j = json_pack("{s:I, s:s, s:s, s:s, s:I, s:I, s:b, s:o}", "id", (json_int_t)w->id,
	                      "name", w->name, "arch", w->arch, "sha256", w->sha256, "tensors",
	                      (json_int_t)w->tensors, "bytes", (json_int_t)w->bytes, "whole",
	                      (int)w->whole, "created", json_time(w->created_ms));
	/* output_stride, aspp_dilations, classes */
	json_t *spec = json_stored(w->spec);
	if (j != NULL && json_is_object(spec))
		(void)json_object_update_missing(j, spec);
	json_decref(spec);
	return j;
}

/* The source model's -1 is null outside. */
static json_t *round_number(int64_t round)
{
	return round < 0 ? json_null() : json_integer((json_int_t)round);
}

json_t *checkpoint_json(const checkpoint_row *c)
{
	return json_pack("{s:I, s:I, s:o, s:s, s:I, s:s, s:I, s:o}", "id", (json_int_t)c->id, "run",
	                 (json_int_t)c->run, "round", round_number(c->round), "phase", c->phase,
	                 "step", (json_int_t)c->step, "sha256", c->sha256, "bytes",
	                 (json_int_t)c->bytes, "created", json_time(c->created_ms));
}

json_t *round_json(const round_row *r, const round_audit_row *audit)
{
	json_t *j =
		json_pack("{s:I, s:s, s:o, s:o, s:o, s:I, s:I, s:o, s:o, s:o}", "round", (json_int_t)r->round,
	                  "phase", r->phase, "portion", json_number_or_null(r->portion),
	                  "thresholds", json_stored(r->thresholds), "coverage",
	                  coverage_json(r->confident, r->voted, r->soft, r->ignored), "easy",
	                  (json_int_t)r->easy, "hard", (json_int_t)r->hard, "class_stats",
	                  json_stored(r->class_stats), "audit", audit_json(audit), "alarms",
	                  alarms_json(audit));
	if (j != NULL && r->pseudo_accuracy >= 0.0)
		(void)json_object_set_new(j, "pseudo_accuracy",
		                          json_number_or_null(r->pseudo_accuracy));
	return j;
}

json_t *profile_json(const profile_row *p)
{
	bool measured = p->steps > 0;
	json_t *list = measured ? json_stored(p->layers) : json_array();
	json_t *outside = measured ? json_stored(p->outside) : json_array();
	return json_pack(
		"{s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "phase",
		measured ? json_string(p->phase) : json_null(), "round", round_number(p->round),
		"steps", (json_int_t)p->steps, "crop",
		measured ? json_pack("[I, I]", (json_int_t)p->crop_h, (json_int_t)p->crop_w)
			 : json_null(),
		"threads", measured ? json_integer((json_int_t)p->threads) : json_null(), "kernels",
		measured ? json_string(p->kernels) : json_null(), "sgemm_peak_gflops",
		p->sgemm_gflops > 0 ? json_number_or_null(p->sgemm_gflops) : json_null(),
		"seconds_per_step", measured ? json_number_or_null(p->seconds) : json_null(),
		"layers", list, "outside", outside);
}

json_t *image_json(const image_row *i, bool with_name)
{
	json_t *j = json_object();
	if (with_name) {
		(void)json_object_set_new(j, "id", json_integer((json_int_t)i->index));
		(void)json_object_set_new(j, "name", json_string(i->name != NULL ? i->name : ""));
	}
	(void)json_object_set_new(j, "round", json_integer((json_int_t)i->round));
	(void)json_object_set_new(j, "confidence", json_number_or_null(i->confidence));
	(void)json_object_set_new(j, "entropy", json_number_or_null(i->entropy));
	(void)json_object_set_new(j, "split", json_string(i->easy ? "easy" : "hard"));
	(void)json_object_set_new(j, "rank", json_integer((json_int_t)i->rank));
	(void)json_object_set_new(j, "coverage",
	                          coverage_json(i->confident, i->voted, i->soft, i->ignored));
	(void)json_object_set_new(j, "class_confidence", json_stored(i->class_confidence));
	return j;
}

json_t *event_json(const event_row *e)
{
	json_t *data = json_stored(e->data);
	if (!json_is_object(data)) {
		json_t *wrapped = json_pack("{s:o}", "data", data);
		data = wrapped;
	}
	json_t *frame = json_pack("{s:o, s:o}", "run",
	                          e->run > 0 ? json_integer((json_int_t)e->run) : json_null(),
	                          "time", json_time(e->time_ms));
	if (data != NULL && frame != NULL)
		(void)json_object_update_missing(data, frame);
	json_decref(frame);
	return data;
}
