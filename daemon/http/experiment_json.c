#include "http/experiment_json.h"

#include <math.h>

#include "http/json_out.h"

static void set(json_t *o, const char *key, json_t *value)
{
	(void)json_object_set_new(o, key, value);
}

/* Ids: 0 is none. */
static json_t *id_or_null(int64_t id)
{
	return id > 0 ? json_integer((json_int_t)id) : json_null();
}

static json_t *numbers(const double *v, size_t n)
{
	json_t *a = json_array();
	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(a, json_number_or_null(v[i]));
	return a;
}

static json_t *source_json(const report_run *s)
{
	return json_pack("{s:o, s:I, s:s, s:o}", "run", id_or_null(s->run), "seed",
	                 (json_int_t)s->seed, "state", s->state, "miou", json_number_or_null(s->miou));
}

static json_t *cell_json(const report_run *c, size_t classes)
{
	return json_pack("{s:I, s:o, s:s, s:o, s:o, s:o, s:o, s:o}", "seed", (json_int_t)c->seed, "run",
	                 id_or_null(c->run), "state", c->state, "source_run",
	                 id_or_null(c->source_run), "miou_source",
	                 json_number_or_null(c->miou_source), "miou", json_number_or_null(c->miou),
	                 "miou_best", json_number_or_null(c->miou_best), "iou",
	                 numbers(c->iou, classes));
}

static json_t *miou_json(const summary *s)
{
	if (s->count == 0)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o}", "mean", json_number_or_null(s->mean), "deviation",
	                 json_number_or_null(s->deviation), "min", json_number_or_null(s->min), "max",
	                 json_number_or_null(s->max));
}

static json_t *class_json(const summary *s)
{
	if (s->count == 0)
		return json_null();
	return json_pack("{s:o, s:o}", "mean", json_number_or_null(s->mean), "deviation",
	                 json_number_or_null(s->deviation));
}

static json_t *difference_json(const report_variant *v, size_t classes)
{
	const paired *d = &v->difference;
	if (!v->compared || d->count == 0)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o, s:I, s:o}", "mean", json_number_or_null(d->mean),
	                 "deviation", json_number_or_null(d->deviation), "t",
	                 json_number_or_null(d->t), "p", json_number_or_null(d->p), "count",
	                 (json_int_t)d->count, "iou", numbers(v->iou_difference, classes));
}

static json_t *variant_json(const report *r, size_t i)
{
	const variant *v = &r->definition.variant[i];
	const report_variant *is = &r->variant[i];
	json_t *cells = json_array(), *iou = json_array();
	for (size_t k = 0; k < r->definition.seeds; k++)
		(void)json_array_append_new(cells, cell_json(&is->cell[k], r->class_count));
	for (size_t k = 0; k < r->class_count; k++)
		(void)json_array_append_new(iou, class_json(&is->iou[k]));
	return json_pack("{s:s, s:s, s:o, s:I, s:o, s:o, s:o, s:o}", "name", v->name, "preset", v->preset,
	                 "cells", cells, "count", (json_int_t)is->completed, "miou",
	                 miou_json(&is->miou), "iou", iou, "difference",
	                 difference_json(is, r->class_count), "gap_closed",
	                 json_number_or_null(is->gap_closed));
}

static json_t *head_json(const report *r)
{
	return json_pack("{s:I, s:s, s:s, s:o, s:I, s:I, s:o}", "id", (json_int_t)r->row.id, "name",
	                 r->row.name, "state", experiment_state_name(r->row.state), "created",
	                 json_time(r->row.created_ms), "runs_total", (json_int_t)r->runs_total,
	                 "runs_done", (json_int_t)r->runs_done, "progress",
	                 json_number_or_null(r->progress));
}

json_t *experiment_json(const report *r)
{
	const definition *d = &r->definition;
	json_t *o = head_json(r), *seeds = json_array(), *sources = json_array(), *variants = json_array();
	for (size_t i = 0; i < d->seeds; i++)
		(void)json_array_append_new(seeds, json_integer((json_int_t)d->seed[i]));
	for (size_t i = 0; i < r->sources; i++)
		(void)json_array_append_new(sources, source_json(&r->source[i]));
	for (size_t i = 0; i < d->variants; i++)
		(void)json_array_append_new(variants, variant_json(r, i));
	set(o, "error", json_text_or_null(r->row.error));
	set(o, "baseline", json_string(d->variant[d->baseline].name));
	set(o, "upper_bound",
	    d->upper_bound < 0 ? json_null() : json_string(d->variant[d->upper_bound].name));
	set(o, "seeds", seeds);
	set(o, "eta_seconds", json_number_or_null(r->eta_seconds));
	set(o, "classes", r->classes != NULL ? json_incref(r->classes) : json_array());
	set(o, "source_runs", sources);
	set(o, "variants", variants);
	set(o, "config", json_incref(r->body));
	return o;
}

json_t *experiment_item_json(const report *r)
{
	json_t *o = head_json(r);
	set(o, "variants", json_integer((json_int_t)r->definition.variants));
	set(o, "seeds", json_integer((json_int_t)r->definition.seeds));
	return o;
}
