#include "train/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ckpt/safetensors.h"
#include "optim/running_mean.h"

typedef enum part_kind { PART_ALL, PART_TRAINED, PART_FIXED } part_kind;

/* The parts of the file: a block of floats laid out like a graph's parameters, or like the trained or the
 * other ones alone, under a prefix. */
typedef struct state_part {
	const char *prefix;
	const graph *graph;
	float *block;
	part_kind kind;
} state_part;

enum { STATE_PARTS = 7 };

static size_t state_parts(const train_state *s, state_part part[STATE_PARTS])
{
	size_t n = 0;
	part[n++] = (state_part){"", s->net, s->values, PART_ALL};
	part[n++] = (state_part){"momentum.", s->net, s->momentum, PART_TRAINED};
	if (s->disc != NULL) {
		part[n++] = (state_part){"discriminator.", s->disc, s->disc_values, PART_ALL};
		part[n++] = (state_part){"discriminator.m.", s->disc, s->disc_m, PART_TRAINED};
		part[n++] = (state_part){"discriminator.v.", s->disc, s->disc_v, PART_TRAINED};
	}
	if (s->teacher != NULL)
		part[n++] = (state_part){"teacher.", s->net, s->teacher, PART_ALL};
	if (s->source_norms != NULL)
		part[n++] = (state_part){"source.", s->net, s->source_norms, PART_FIXED};
	return n;
}

static size_t fixed_floats(const graph *g) { return g->params.floats - g->params.trained_floats; }

static size_t part_floats(const state_part *p)
{
	return p->kind == PART_ALL       ? p->graph->params.floats
	       : p->kind == PART_TRAINED ? p->graph->params.trained_floats
	                                 : fixed_floats(p->graph);
}

/* Does the part hold parameter i? *ret is the parameter with its offset in the part's block. */
static bool part_param(const state_part *p, size_t i, param *ret)
{
	*ret = p->graph->params.item[i];
	if (p->kind == PART_FIXED)
		ret->offset -= ret->trained ? 0 : p->graph->params.trained_floats;
	return p->kind == PART_ALL || ret->trained == (p->kind == PART_TRAINED);
}

tp_status train_state_create(const graph *net, const graph *disc, uint64_t seed, train_state *ret,
                             tp_err *err)
{
	train_state s = {.net = net, .disc = disc};
	tp_status st = mem_floats(net->params.floats, &s.values, err);
	if (st == TP_OK)
		st = mem_floats(net->params.trained_floats, &s.momentum, err);
	if (st == TP_OK && disc != NULL) {
		st = mem_floats(disc->params.floats, &s.disc_values, err);
		if (st == TP_OK)
			st = mem_floats(disc->params.floats, &s.disc_m, err);
		if (st == TP_OK)
			st = mem_floats(disc->params.floats, &s.disc_v, err);
	}
	if (st != TP_OK) {
		train_state_done(&s);
		return st;
	}
	params_init(&net->params, seed, s.values);
	if (disc != NULL) /* another seed: both number their parameters from 0 */
		params_init(&disc->params, seed ^ 0x64697363u, s.disc_values);
	*ret = s;
	return TP_OK;
}

tp_status train_state_extend(train_state *s, bool teacher, bool source_norms, tp_err *err)
{
	const param_table *t = &s->net->params;
	tp_status st = TP_OK;
	if (teacher)
		st = mem_floats(t->floats, &s->teacher, err);
	if (st == TP_OK && source_norms) {
		st = mem_floats(fixed_floats(s->net), &s->source_norms, err);
		if (st == TP_OK)
			memcpy(s->source_norms, s->values + t->trained_floats,
			       fixed_floats(s->net) * sizeof(float));
	}
	return st;
}

void train_state_done(train_state *s)
{
	mem_free(s->values);
	mem_free(s->momentum);
	mem_free(s->disc_values);
	mem_free(s->disc_m);
	mem_free(s->disc_v);
	mem_free(s->teacher);
	mem_free(s->source_norms);
	*s = (train_state){0};
}

const float *train_state_model(const train_state *s)
{
	return s->teacher != NULL && s->teacher_steps > 0 ? s->teacher : s->values;
}

void train_state_teach(train_state *s, double momentum, pool *pool)
{
	const param_table *t = &s->net->params;
	double ramp = 1.0 - 1.0 / (double)(s->teacher_steps + 1);
	running_mean(s->teacher, s->values, t->trained_floats, (float)(ramp < momentum ? ramp : momentum),
	             pool);
	memcpy(s->teacher + t->trained_floats, s->values + t->trained_floats,
	       fixed_floats(s->net) * sizeof(float));
	s->teacher_steps++;
}

void train_state_settle(train_state *s)
{
	if (train_state_model(s) != s->teacher)
		return;
	memcpy(s->values, s->teacher, s->net->params.floats * sizeof(float));
	s->teacher_steps = 0;
}

static size_t part_tensors(const state_part *p)
{
	size_t n = 0;
	param q;
	for (size_t i = 0; i < p->graph->params.count; i++)
		n += part_param(p, i, &q);
	return n;
}

tp_status train_state_save(const train_state *s, const char *stamp, int dirfd, const char *path,
                           tp_err *err)
{
	enum { NAME = 96 };
	state_part part[STATE_PARTS];
	size_t parts = state_parts(s, part), tensors = 0, floats = 0;
	for (size_t i = 0; i < parts; i++) {
		tensors += part_tensors(&part[i]);
		floats += part_floats(&part[i]);
	}
	st_out *out = calloc(tensors, sizeof *out);
	char(*name)[NAME] = calloc(tensors, sizeof *name);
	float *flat = NULL;
	tp_status st = out == NULL || name == NULL
	                   ? tp_fail(err, TP_NOMEM, 0, "out of memory for a checkpoint")
	                   : mem_floats(floats, &flat, err);
	if (st == TP_OK) {
		size_t n = 0;
		float *to = flat;
		for (size_t i = 0; i < parts; i++) {
			const param_table *t = &part[i].graph->params;
			for (size_t j = 0; j < t->count; j++) {
				param p;
				if (!part_param(&part[i], j, &p))
					continue;
				(void)snprintf(name[n], NAME, "%s%s", part[i].prefix, p.name);
				params_to_public(&p, part[i].block, to);
				out[n] = (st_out){.name = name[n], .ndim = p.ndim, .data = to};
				memcpy(out[n].shape, p.dims, p.ndim * sizeof p.dims[0]);
				to += p.count;
				n++;
			}
		}
		char stage[24], step[24], disc_steps[24], teacher_steps[24];
		(void)snprintf(stage, sizeof stage, "%" PRIu64, s->stage);
		(void)snprintf(step, sizeof step, "%" PRIu64, s->step);
		(void)snprintf(disc_steps, sizeof disc_steps, "%" PRIu64, s->disc_steps);
		(void)snprintf(teacher_steps, sizeof teacher_steps, "%" PRIu64, s->teacher_steps);
		const st_meta meta[] = {
			{"stage", stage},
			{"step", step},
			{"discriminator_steps", disc_steps},
			{"teacher_steps", teacher_steps},
			{"stamp", stamp},
		};
		st = st_write(dirfd, path, out, tensors, meta, sizeof meta / sizeof *meta, err);
	}
	mem_free(flat);
	free(name);
	free(out);
	return st;
}

static tp_status meta_number(const st_file *f, const char *path, const char *key, uint64_t *ret,
                             tp_err *err)
{
	const char *text = st_meta_get(f, key);
	char *end;
	if (text == NULL || *text < '0' || *text > '9')
		return tp_fail(err, TP_CORRUPT, 0, "%s: metadata '%s' is missing", path, key);
	*ret = strtoull(text, &end, 10);
	if (*end != 0)
		return tp_fail(err, TP_CORRUPT, 0, "%s: metadata '%s' is no number", path, key);
	return TP_OK;
}

static tp_status load_part(const st_file *f, const char *path, const state_part *part, float *flat,
                           tp_err *err)
{
	const param_table *t = &part->graph->params;
	for (size_t j = 0; j < t->count; j++) {
		param p;
		if (!part_param(part, j, &p))
			continue;
		char name[96];
		(void)snprintf(name, sizeof name, "%s%s", part->prefix, p.name);
		const st_tensor *tensor = st_find(f, name);
		if (tensor == NULL || tensor->count != p.count)
			return tp_fail(err, TP_CORRUPT, 0, "%s: tensor %s is missing or has another size",
			               path, name);
		st_read(f, tensor, flat);
		params_from_public(&p, flat, part->block);
	}
	return TP_OK;
}

tp_status train_state_load(train_state *s, int dirfd, const char *path, char **ret_stamp, tp_err *err)
{
	st_file f;
	tp_status st = st_open(dirfd, path, &f, err);
	if (st != TP_OK)
		return st;
	size_t largest = 0;
	state_part part[STATE_PARTS];
	size_t parts = state_parts(s, part);
	for (size_t i = 0; i < parts; i++)
		for (size_t j = 0; j < part[i].graph->params.count; j++)
			if (part[i].graph->params.item[j].count > largest)
				largest = part[i].graph->params.item[j].count;
	float *flat = NULL;
	uint64_t stage = 0, step = 0, disc_steps = 0, teacher_steps = 0;
	st = mem_floats(largest, &flat, err);
	if (st == TP_OK)
		st = meta_number(&f, path, "stage", &stage, err);
	if (st == TP_OK)
		st = meta_number(&f, path, "step", &step, err);
	if (st == TP_OK)
		st = meta_number(&f, path, "discriminator_steps", &disc_steps, err);
	if (st == TP_OK && s->teacher != NULL)
		st = meta_number(&f, path, "teacher_steps", &teacher_steps, err);
	for (size_t i = 0; i < parts && st == TP_OK; i++)
		st = load_part(&f, path, &part[i], flat, err);
	const char *stamp = st_meta_get(&f, "stamp");
	char *copy = NULL;
	if (st == TP_OK && (copy = strdup(stamp == NULL ? "" : stamp)) == NULL)
		st = tp_fail(err, TP_NOMEM, 0, "out of memory reading %s", path);
	if (st == TP_OK) {
		s->stage = stage;
		s->step = step;
		s->disc_steps = disc_steps;
		s->teacher_steps = teacher_steps;
		*ret_stamp = copy;
	}
	mem_free(flat);
	st_close(&f);
	return st;
}
