#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "catalog/datasets.h"
#include "ckpt/weights.h"
#include "config/problems.h"
#include "run/job.h"

static void images_done(job_images *im)
{
	rows_done(im->row, im->count, sizeof *im->row, (void (*)(void *))dataset_image_row_done);
	*im = (job_images){0};
}

/* Loads a data set by name. Problems go to *p; TP_OK also when there was one (im->dataset is 0). */
static tp_status load_images(store *st, const char *name, bool labelled_only, const char *pointer,
                             job_images *im, problems *p)
{
	dataset_row row;
	tp_err why = {0};
	tp_status rc = store_dataset_find(st, name, &row, &why);
	if (rc == TP_NOTFOUND) {
		problem(p, pointer, "no data set is called '%s'", name);
		return TP_OK;
	}
	if (rc != TP_OK)
		return tp_fail(p->err, rc, 0, "%s", why.text);
	rc = datasets_classes(&row, &im->classes, &im->map, p->err);
	if (rc == TP_OK)
		rc = store_dataset_images(st, row.id, &im->row, &im->count, p->err);
	int64_t id = row.id;
	dataset_row_done(&row);
	if (rc != TP_OK)
		return rc;
	if (labelled_only) {
		size_t kept = 0;
		for (size_t i = 0; i < im->count; i++) {
			if (im->row[i].label[0] != 0)
				im->row[kept++] = im->row[i];
			else
				dataset_image_row_done(&im->row[i]);
		}
		im->count = kept;
	}
	if (im->count == 0)
		problem(p, pointer, "data set '%s' has no %simages", name, labelled_only ? "labelled " : "");
	im->dataset = id;
	return TP_OK;
}

static void check_same_classes(const job_images *a, const job_images *b, const char *pointer,
                               problems *p)
{
	if (b->dataset == 0 || a->dataset == 0)
		return;
	if (a->classes.count != b->classes.count) {
		problem(p, pointer, "%zu classes, but the source has %zu", b->classes.count,
		        a->classes.count);
		return;
	}
	for (size_t i = 0; i < a->classes.count; i++) {
		if (strcmp(a->classes.item[i].name, b->classes.item[i].name) != 0) {
			problem(p, pointer, "class %zu is '%s', in the source it is '%s'", i,
			        b->classes.item[i].name, a->classes.item[i].name);
			return;
		}
	}
}

/* Whether the network fits the file: what is in it, its input scaling, its stride-2 padding. */
static tp_status check_init(int dirfd, job_setup *s, weights_info *info, problems *p)
{
	st_file f;
	graph g;
	tp_err why = {0};
	net_spec probe = s->spec;
	tp_status rc = st_open(dirfd, s->init_file, &f, p->err);
	if (rc != TP_OK)
		return rc;
	rc = net_build(&probe, &g, p->err);
	if (rc == TP_OK) {
		rc = weights_check(&f, &g, info, &why);
		if (rc != TP_OK)
			problem(p, "/model/init", "%s", why.text);
		graph_done(&g);
		if (rc == TP_OK) {
			memcpy(s->norm.mean, info->input_mean, sizeof s->norm.mean);
			memcpy(s->norm.std, info->input_std, sizeof s->norm.std);
			s->spec.same_pad = info->same_pad;
		}
		rc = TP_OK;
	}
	st_close(&f);
	return rc;
}

/* Finds the initial weights; their metadata decide input scaling and stride-2 padding. */
static tp_status resolve_weights(store *st, int dirfd, job_setup *s, problems *p)
{
	weights_row row;
	weights_info info;
	tp_err why = {0};
	tp_status rc = store_weights_find(st, s->config.init, &row, &why);
	if (rc == TP_NOTFOUND) {
		problem(p, "/model/init", "no weights are called '%s'", s->config.init);
		return TP_OK;
	}
	if (rc != TP_OK)
		return tp_fail(p->err, rc, 0, "%s", why.text);
	s->init = row.id;
	s->init_file = strdup(row.file);
	weights_row_done(&row);
	if (s->init_file == NULL)
		return tp_fail(p->err, TP_NOMEM, 0, "out of memory");
	return check_init(dirfd, s, &info, p);
}

/* A checkpoint of a run that goes on may be rewound and written again under another id. */
static tp_status check_run_ended(store *st, const checkpoint_row *c, problems *p)
{
	run_row run;
	tp_status rc = store_run_get(st, c->run, &run, p->err);
	if (rc != TP_OK)
		return rc;
	if (!run_state_final(run.state))
		problem(p, "/model/init", "checkpoint %lld belongs to run %lld, which is %s and not ended",
		        (long long)c->id, (long long)c->run, run_state_name(run.state));
	run_row_done(&run);
	return TP_OK;
}

/* A checkpoint describes its network; one that differs would be loaded in part only. */
static tp_status check_same_network(int dirfd, const job_setup *s, problems *p)
{
	st_file f;
	net_spec is;
	input_norm norm;
	tp_status rc = st_open(dirfd, s->init_file, &f, p->err);
	if (rc != TP_OK)
		return rc;
	const net_spec *want = &s->spec;
	rc = net_meta_read(&f, &is, &norm, p->err);
	st_close(&f);
	if (rc != TP_OK)
		return rc;
	if (is.arch != want->arch)
		problem(p, "/model/init", "%s is a network of %s, not %s", s->config.init,
		        net_arch_name(is.arch), net_arch_name(want->arch));
	else if (is.width_divisor != want->width_divisor)
		problem(p, "/model/init", "%s has a width divisor of %zu, not %zu", s->config.init,
		        is.width_divisor, want->width_divisor);
	else if (is.classes != want->classes)
		problem(p, "/model/init", "%s tells %zu classes apart, the source has %zu", s->config.init,
		        is.classes, want->classes);
	else if (is.aspp_branches != want->aspp_branches)
		problem(p, "/model/init", "%s has %zu branches in its head, not %zu", s->config.init,
		        is.aspp_branches, want->aspp_branches);
	return TP_OK;
}

/* "checkpoint:12": the whole network that another run left. */
static tp_status resolve_checkpoint(store *st, int dirfd, job_setup *s, problems *p)
{
	const char *number = s->config.init + strlen(RUN_INIT_CHECKPOINT);
	size_t digits = strspn(number, "0123456789");
	checkpoint_row row;
	weights_info info;
	tp_err why = {0};
	if (digits == 0 || digits > 18 || number[digits] != 0) {
		problem(p, "/model/init", "'%s' is not " RUN_INIT_CHECKPOINT "ID", s->config.init);
		return TP_OK;
	}
	tp_status rc = store_checkpoint_get(st, strtoll(number, NULL, 10), &row, &why);
	if (rc == TP_NOTFOUND) {
		problem(p, "/model/init", "there is no checkpoint %s", number);
		return TP_OK;
	}
	if (rc != TP_OK)
		return tp_fail(p->err, rc, 0, "%s", why.text);
	s->init_checkpoint = row.id;
	s->init_file = strdup(row.file);
	(void)snprintf(s->init_sha256, sizeof s->init_sha256, "%s", row.sha256);
	rc = s->init_file == NULL ? tp_fail(p->err, TP_NOMEM, 0, "out of memory")
	                          : check_run_ended(st, &row, p);
	checkpoint_row_done(&row);
	if (rc == TP_OK && p->count == 0)
		rc = check_same_network(dirfd, s, p);
	if (rc == TP_OK && p->count == 0)
		rc = check_init(dirfd, s, &info, p);
	if (rc == TP_OK && p->count == 0 && (!info.whole || info.missing > 0))
		problem(p, "/model/init", "%s is no whole network", s->config.init);
	return rc;
}

static tp_status resolve_init(store *st, int dirfd, job_setup *s, problems *p)
{
	bool checkpoint = strncmp(s->config.init, RUN_INIT_CHECKPOINT, strlen(RUN_INIT_CHECKPOINT)) == 0;
	return checkpoint ? resolve_checkpoint(st, dirfd, s, p) : resolve_weights(st, dirfd, s, p);
}

static double pixels_of(const job_images *im, double scale)
{
	if (im->count == 0)
		return 0;
	return (double)im->row[0].width * (double)im->row[0].height * scale * scale;
}

/* Cost of one unit of a stage in pixel-forwards; a backward pass counts as two forwards. */
static double unit_cost(const job_setup *s, phase p)
{
	const recipe *r = &s->config.recipe;
	double crop = (double)r->data.crop_h * (double)r->data.crop_w, sum = 0;
	switch (p) {
	case PHASE_SOURCE_TRAINING:
		return 3 * crop * (double)r->data.batch;
	case PHASE_PHASE1_TRAINING: /* a teacher that labels online looks at the target's half, or all */
		return crop * (double)r->data.batch *
		       (r->self.online_threshold == 0.0 ? 3.0 : r->self.balanced_batch ? 3.5 : 4.0);
	case PHASE_ENTROPY_TRAINING:
		return 3 * crop * (double)(r->data.batch + (r->entropy.kind == ENTROPY_ADVENT ? 2 : 1));
	case PHASE_PHASE2_TRAINING:
		return 3 * crop * (double)(r->data.batch + (r->self.adversarial ? 2 : 0));
	case PHASE_NORM_ALIGNMENT: /* each of so many layers is measured behind those before it */
		return crop * (double)r->self.norm_images * (double)s->net.nodes;
	case PHASE_SCORING: /* a unit is half an image: first its inference, then its labels */
		return 0.5 * pixels_of(&s->target, r->self.scoring_scale) * (r->self.flip_average ? 2.5 : 1.5);
	default:
		for (size_t i = 0; i < r->evaluation.scales; i++)
			sum += pixels_of(&s->eval, r->evaluation.scale[i]);
		return sum * (r->evaluation.flip ? 2 : 1);
	}
}

size_t stage_units(const recipe *r, const stage *s, size_t targets, size_t evals)
{
	return s->phase == PHASE_SCORING          ? 2 * targets
	       : s->phase == PHASE_EVALUATION     ? evals
	       : s->phase == PHASE_NORM_ALIGNMENT ? 1
	                                          : recipe_stage_steps(r, s);
}

static tp_status make_stages(job_setup *s, tp_err *err)
{
	const recipe *r = &s->config.recipe;
	bool evaluate = s->eval.count > 0;
	s->stage_count = recipe_stages(r, evaluate, NULL, 0);
	s->stages = calloc(s->stage_count + 1, sizeof *s->stages);
	s->cost = calloc(s->stage_count + 1, sizeof *s->cost);
	if (s->stages == NULL || s->cost == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory for %zu stages", s->stage_count);
	(void)recipe_stages(r, evaluate, s->stages, s->stage_count);
	for (size_t i = 0; i < s->stage_count; i++) {
		const stage *sg = &s->stages[i];
		size_t units = stage_units(r, sg, s->target.count, s->eval.count);
		s->cost[i] = (stage_cost){sg->phase, sg->round, units, unit_cost(s, sg->phase)};
	}
	return TP_OK;
}

tp_status job_setup_create(store *st, int state_dirfd, const run_config *c, job_setup *ret,
                           config_error *errors, size_t max, size_t *ret_errors, tp_err *err)
{
	job_setup s = {.config = *c, .norm = INPUT_NORM_IMAGENET};
	problems p = {.error = errors, .max = max, .err = err};
	const recipe *r = &c->recipe;
	bool adapts = recipe_rounds(r) > 0;
	tp_status rc = load_images(st, c->source, true, "/source", &s.source, &p);
	if (rc == TP_OK)
		rc = load_images(st, c->target, false, "/target", &s.target, &p);
	if (rc == TP_OK && c->eval[0] != 0)
		rc = load_images(st, c->eval, true, "/eval", &s.eval, &p);
	if (rc == TP_OK) {
		check_same_classes(&s.source, &s.target, "/target", &p);
		check_same_classes(&s.source, &s.eval, "/eval", &p);
		if (adapts && r->self.phase2_rounds > 0 && s.target.count == 1)
			problem(&p, "/target", "an easy/hard split needs at least 2 images");
	}
	if (rc == TP_OK && p.count == 0) {
		s.spec = net_spec_default(r->model.arch);
		s.spec.classes = s.source.classes.count;
		s.spec.output_stride = r->model.output_stride;
		s.spec.width_divisor = r->model.width_divisor;
		s.spec.aspp_branches = r->model.aspp_branches;
		memcpy(s.spec.aspp_dilations, r->model.aspp_dilations, sizeof s.spec.aspp_dilations);
		if (c->init[0] != 0)
			rc = resolve_init(st, state_dirfd, &s, &p);
	}
	if (rc == TP_OK && p.count == 0) {
		s.has_disc = recipe_adversarial(r);
		rc = net_build(&s.spec, &s.net, err);
		if (rc == TP_OK && s.has_disc)
			rc = discriminator_build(s.spec.classes, 1, &s.disc, err);
		if (rc == TP_OK)
			rc = make_stages(&s, err);
	}
	if (ret_errors != NULL)
		*ret_errors = p.count < max ? p.count : max;
	if (rc == TP_OK && p.count > 0)
		rc = TP_INVALID;
	if (rc != TP_OK) {
		job_setup_done(&s);
		return rc;
	}
	*ret = s;
	return TP_OK;
}

void job_setup_done(job_setup *s)
{
	images_done(&s->source);
	images_done(&s->target);
	images_done(&s->eval);
	free(s->init_file);
	graph_done(&s->net);
	graph_done(&s->disc);
	free(s->stages);
	free(s->cost);
	*s = (job_setup){0};
}
