#include "experiment/grid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ERRORS = 16, NO_GROUP = -1 };

/* A variant's run, as it would be by itself. */
typedef struct cell {
	run_config config; /* with the first seed */
	run_plan plan;
	int group;         /* of variants with the same source training; NO_GROUP: it has none */
	bool is_source;    /* computes nothing but that */
} cell;

typedef struct group {
	json_t *key;    /* all that decides the source model */
	size_t members;
	size_t leader;  /* the variant whose evaluation the source run takes */
	int64_t number; /* of the source runs, from 0; -1: not shared */
} group;

typedef struct work {
	scheduler *scheduler;
	store *store;
	const definition *definition;
	problems *problems;
	cell *cell;
	group group[EXPERIMENT_VARIANTS];
	size_t groups, shared;
	part_row *part;
	size_t parts;
} work;

static tp_status no_memory(const work *w)
{
	return tp_fail(w->problems->err, TP_NOMEM, 0, "out of memory for an experiment");
}

/* ---- the cells' own configurations ---- */

static void place_errors(work *w, size_t i, const config_error *error, size_t n)
{
	for (size_t k = 0; k < n; k++) {
		char pointer[sizeof error->pointer];
		definition_place(w->definition, i, error[k].pointer, pointer, sizeof pointer);
		problem(w->problems, pointer, "%s", error[k].detail);
	}
}

static tp_status check_cell(work *w, size_t i)
{
	const definition *d = w->definition;
	cell *c = &w->cell[i];
	config_error bad[ERRORS];
	size_t n = 0;
	tp_err err = {0};
	json_t *body = json_copy(d->variant[i].config);
	(void)json_object_set_new(body, "name", json_string("cell"));
	(void)json_object_set_new(body, "seed", json_integer(d->seeds > 0 ? d->seed[0] : 1));
	tp_status st = run_config_parse(body, &c->config, bad, ERRORS, &n, &err);
	json_decref(body);
	if (st == TP_OK)
		st = scheduler_plan(w->scheduler, &c->config, &c->plan, bad, ERRORS, &n, &err);
	if (st == TP_OK)
		return TP_OK;
	if (!run_config_refused(st))
		return tp_fail(w->problems->err, st, err.sys, "%s", err.text);
	place_errors(w, i, bad, n);
	if (n == 0) {
		char pointer[40];
		(void)snprintf(pointer, sizeof pointer, "/variants/%zu", i);
		problem(w->problems, pointer, "%s", err.text);
	}
	return TP_OK;
}

/* Names of a data set's classes. NULL: it could not be read. */
static json_t *class_names(store *st, int64_t dataset)
{
	dataset_row row;
	size_t i;
	json_t *c;
	if (store_dataset_get(st, dataset, &row, NULL) != TP_OK)
		return NULL;
	json_t *classes = json_loads(row.classes, 0, NULL), *names = json_array();
	dataset_row_done(&row);
	json_array_foreach(classes, i, c)
		(void)json_array_append(names, json_object_get(c, "name"));
	json_decref(classes);
	return names;
}

/* Results are compared class by class. */
static void check_same_classes(work *w)
{
	json_t *first = class_names(w->store, w->cell[0].plan.source);
	for (size_t i = 1; i < w->definition->variants; i++) {
		char pointer[100];
		json_t *names = class_names(w->store, w->cell[i].plan.source);
		definition_place(w->definition, i, "/source", pointer, sizeof pointer);
		if (!json_equal(names, first))
			problem(w->problems, pointer,
			        "has other classes than the source of variant 0: they cannot be compared");
		json_decref(names);
	}
	json_decref(first);
}

/* ---- who shares a source training ---- */

/* All that decides the source model but the seed. Data sets and weights by id: they have several
 * names. */
static json_t *source_key(const cell *c)
{
	static const char *const taken[] = {"model", "data", "source_training", "kernels"};
	json_t *all = run_config_json(&c->config);
	json_t *key = json_pack("{s:I, s:I, s:I}", "source", (json_int_t)c->plan.source, "init",
	                        (json_int_t)c->plan.init, "init_checkpoint",
	                        (json_int_t)c->plan.init_checkpoint);
	if (c->config.recipe.data.transfer_chance > 0.0) /* then the source model has seen the target */
		(void)json_object_set_new(key, "target", json_integer((json_int_t)c->plan.target));
	for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
		(void)json_object_set(key, taken[i], json_object_get(all, taken[i]));
	(void)json_object_del(json_object_get(key, "model"), "init");
	json_decref(all);
	return key;
}

static bool same_evaluation(const cell *a, const cell *b)
{
	json_t *x = run_config_json(&a->config), *y = run_config_json(&b->config);
	bool same = a->plan.eval == b->plan.eval &&
	            json_equal(json_object_get(x, "evaluation"), json_object_get(y, "evaluation"));
	json_decref(x);
	json_decref(y);
	return same;
}

/* Whether anything is computed after source training but evaluations. */
static bool adapts(const cell *c) { return recipe_stages(&c->config.recipe, false, NULL, 0) > 1; }

static void join_group(work *w, size_t i)
{
	cell *c = &w->cell[i];
	c->group = NO_GROUP;
	if (c->config.recipe.source_training.steps == 0)
		return;
	json_t *key = source_key(c);
	size_t g = 0;
	while (g < w->groups && !json_equal(w->group[g].key, key))
		g++;
	if (g == w->groups)
		w->group[w->groups++] = (group){.key = json_incref(key), .leader = i, .number = -1};
	json_decref(key);
	group *to = &w->group[g];
	/* A variant that does not adapt leads, so that its cells are the source runs themselves. */
	if (!adapts(c) && adapts(&w->cell[to->leader]))
		to->leader = i;
	to->members++;
	c->group = (int)g;
}

static void share(work *w)
{
	for (size_t i = 0; i < w->definition->variants; i++)
		join_group(w, i);
	for (size_t g = 0; g < w->groups; g++)
		if (w->group[g].members > 1)
			w->group[g].number = (int64_t)w->shared++;
	for (size_t i = 0; i < w->definition->variants; i++) {
		cell *c = &w->cell[i];
		if (c->group != NO_GROUP && w->group[c->group].number >= 0)
			c->is_source = !adapts(c) &&
			               same_evaluation(c, &w->cell[w->group[c->group].leader]);
	}
}

/* ---- parts ---- */

static void name_run(run_config *c, const definition *d, const char *variant, int64_t seed)
{
	(void)snprintf(c->name, sizeof c->name, "%s / %s / seed %lld", d->name, variant, (long long)seed);
}

/* The same source training and nothing after it. */
static run_config source_only(const run_config *of)
{
	run_config c = *of;
	const recipe *r = &of->recipe;
	int preset = recipe_preset_find("source-only");
	(void)snprintf(c.preset, sizeof c.preset, "%s", recipe_preset_name((size_t)preset));
	c.recipe = recipe_preset((size_t)preset);
	c.recipe.seed = r->seed;
	c.recipe.threads = r->threads;
	c.recipe.kernels = r->kernels;
	c.recipe.model = r->model;
	c.recipe.data = r->data;
	c.recipe.source_training = r->source_training;
	c.recipe.evaluation = r->evaluation;
	return c;
}

/* Of a source training, of what follows one, or of both. The few evaluations are left to what follows. */
static int64_t part_cost(const cell *c, int64_t variant, int64_t origin)
{
	double cost = 0;
	for (int p = 0; p < PHASE_COUNT; p++)
		if (p == PHASE_SOURCE_TRAINING ? origin < 0 : variant >= 0)
			cost += c->plan.cost[p];
	return (int64_t)cost;
}

static tp_status add_part(work *w, const cell *c, const run_config *config, int64_t variant,
                          int64_t origin)
{
	part_row *p = &w->part[w->parts];
	const recipe *r = &config->recipe;
	*p = (part_row){.index = (int64_t)w->parts,
	                .variant = variant,
	                .seed = (int64_t)r->seed,
	                .origin = origin,
	                .source = c->plan.source,
	                .target = c->plan.target,
	                .eval = c->plan.eval,
	                .init_checkpoint = origin < 0 ? c->plan.init_checkpoint : 0,
	                .cost = part_cost(c, variant, origin)};
	if (variant >= 0 && c->is_source) {
		p->config = strdup("");
	} else {
		json_t *json = run_config_json(config);
		p->config = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(17));
		json_decref(json);
	}
	if (p->config == NULL)
		return no_memory(w);
	w->parts++;
	return TP_OK;
}

static tp_status add_sources(work *w)
{
	const definition *d = w->definition;
	tp_status st = TP_OK;
	for (size_t g = 0; g < w->groups; g++) {
		const cell *leader = &w->cell[w->group[g].leader];
		char name[32] = "source";
		if (w->group[g].number < 0)
			continue;
		if (w->group[g].number > 0)
			(void)snprintf(name, sizeof name, "source %lld", (long long)w->group[g].number + 1);
		for (size_t k = 0; k < d->seeds && st == TP_OK; k++) {
			run_config c = source_only(&leader->config);
			c.recipe.seed = (uint64_t)d->seed[k];
			name_run(&c, d, name, d->seed[k]);
			st = add_part(w, leader, &c, -1, -1);
		}
	}
	return st;
}

static tp_status add_cells(work *w)
{
	const definition *d = w->definition;
	tp_status st = TP_OK;
	for (size_t i = 0; i < d->variants; i++) {
		const cell *is = &w->cell[i];
		int64_t number = is->group == NO_GROUP ? -1 : w->group[is->group].number;
		for (size_t k = 0; k < d->seeds && st == TP_OK; k++) {
			run_config c = is->config;
			c.recipe.seed = (uint64_t)d->seed[k];
			name_run(&c, d, d->variant[i].name, d->seed[k]);
			if (number >= 0) {
				c.recipe.source_training.steps = 0;
				c.init[0] = 0; /* filled in when the source run has left its model */
			}
			st = add_part(w, is, &c, (int64_t)i,
			              number < 0 ? -1 : number * (int64_t)d->seeds + (int64_t)k);
		}
	}
	return st;
}

static tp_status make(work *w)
{
	const definition *d = w->definition;
	tp_status st = TP_OK;
	for (size_t i = 0; i < d->variants && st == TP_OK; i++)
		st = check_cell(w, i);
	if (st == TP_OK && w->problems->count == 0)
		check_same_classes(w);
	if (st == TP_OK && w->problems->count > 0)
		st = TP_INVALID;
	if (st != TP_OK)
		return st;
	share(w);
	w->part = calloc((w->shared + d->variants) * d->seeds, sizeof *w->part);
	if (w->part == NULL)
		return no_memory(w);
	st = add_sources(w);
	return st == TP_OK ? add_cells(w) : st;
}

tp_status grid_make(scheduler *s, store *st, const definition *d, part_row **ret, size_t *ret_n,
                    problems *p)
{
	work w = {.scheduler = s, .store = st, .definition = d, .problems = p};
	w.cell = calloc(d->variants + 1, sizeof *w.cell);
	tp_status rc = w.cell == NULL ? no_memory(&w) : make(&w);
	for (size_t g = 0; g < w.groups; g++)
		json_decref(w.group[g].key);
	free(w.cell);
	if (rc != TP_OK) {
		rows_done(w.part, w.parts, sizeof *w.part, (void (*)(void *))part_row_done);
		return rc;
	}
	*ret = w.part;
	*ret_n = w.parts;
	return TP_OK;
}
