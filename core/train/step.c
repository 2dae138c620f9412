#include "train/step.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "adapt/online.h"
#include "base/mem.h"
#include "loss/bce.h"
#include "loss/selfinfo.h"
#include "op/resize.h"
#include "op/softmax.h"
#include "optim/adam.h"
#include "optim/clip.h"
#include "optim/sgd.h"

/* ADVENT's constants for the discriminator (algorithms.md 5.5). Easy is the source in entropy training. */
static const float EASY = 1.0f, HARD = 0.0f;
static const float DISC_BETA1 = 0.9f, DISC_BETA2 = 0.99f, DISC_EPS = 1e-8f;

/* A stretch of the trained parameters that shares one learning rate. */
typedef struct rate_span {
	size_t offset, count;
	bool head;
} rate_span;

struct stepper {
	stepper_spec spec;
	exec *net, *disc;
	size_t classes, pixels;           /* of the crop */
	size_t out_h, out_w, out_pixels;  /* of the network's output */
	resize_shape up;                  /* output resolution -> crop */
	float *low;   /* [K][out pixels], planar logits or their gradient */
	float *low_pixels; /* [out pixels][K], the gradient as the network wants it */
	float *full;  /* [K][pixels]: logits, then their gradient; lies in the network's arena */
	float *grads; /* trained parameters; the one place where a step's gradients are summed */
	/* with an unlabelled sample only */
	float *prob; /* [K][pixels] of it */
	float *info; /* [pixels][K]: self-information of the step's first easy sample, or minent's gradient */
	/* adversarial only */
	float *disc_grads, *disc_dout;
	float *target_norms;  /* the state's batch norms for target samples, when it has two sets */
	bool norms_of_target; /* which set the state's values hold; the target's between steps */
	rate_span *span;
	size_t spans;
};

/* Before the rounds: no pseudo labels. */
static bool on_source(const stepper_spec *spec)
{
	return spec->phase == PHASE_SOURCE_TRAINING || spec->phase == PHASE_ENTROPY_TRAINING;
}

static bool has_discriminator(const stepper_spec *spec)
{
	return spec->unlabelled && recipe_phase_adversarial(spec->recipe, spec->phase);
}

static const recipe_sgd *sgd_of(const stepper_spec *spec)
{
	return on_source(spec) ? &spec->recipe->source_training.sgd : &spec->recipe->self.sgd;
}

/* Of one map of K classes at the crop's size. */
static size_t full_floats(const stepper_spec *spec)
{
	const graph *g = spec->state->net;
	return spec->recipe->data.crop_h * spec->recipe->data.crop_w *
	       g->channels[g->node[g->nodes - 1].output];
}

static exec_spec net_exec_spec(const stepper_spec *spec)
{
	return (exec_spec){.graph = spec->state->net,
	                   .in_h = spec->recipe->data.crop_h,
	                   .in_w = spec->recipe->data.crop_w,
	                   .train = true,
	                   .between_floats = full_floats(spec),
	                   .kernels = spec->recipe->kernels,
	                   .pool = spec->pool,
	                   .stop = spec->stop};
}

static exec_spec disc_exec_spec(const stepper_spec *spec)
{
	exec_spec e = net_exec_spec(spec);
	e.graph = spec->state->disc;
	e.input_gradient = true;
	e.between_floats = 0;
	return e;
}

static bool two_norms(const stepper_spec *spec)
{
	return spec->recipe->self.norm_strength > 0.0 && !on_source(spec);
}

/* The stepper's own blocks as (pointer, floats) pairs, so that measuring and allocating agree. */
typedef struct block {
	float **to;
	size_t floats;
} block;

enum { BLOCKS = 8 };

static size_t blocks_of(stepper *s, const exec_size *net, const exec_size *disc, block b[BLOCKS])
{
	size_t low = net->out_h * net->out_w * net->out_c, full = full_floats(&s->spec), n = 0;
	const param_table *params = &s->spec.state->net->params;
	b[n++] = (block){&s->low, low};
	b[n++] = (block){&s->low_pixels, low};
	b[n++] = (block){&s->grads, params->trained_floats};
	if (two_norms(&s->spec))
		b[n++] = (block){&s->target_norms, params->floats - params->trained_floats};
	if (s->spec.unlabelled) {
		b[n++] = (block){&s->prob, full};
		b[n++] = (block){&s->info, full};
	}
	if (has_discriminator(&s->spec)) {
		b[n++] = (block){&s->disc_grads, s->spec.state->disc->params.trained_floats};
		b[n++] = (block){&s->disc_dout, disc->out_h * disc->out_w};
	}
	return n;
}

tp_status stepper_measure(const stepper_spec *spec, size_t *ret_bytes, tp_err *err)
{
	stepper s = {.spec = *spec};
	exec_spec ns = net_exec_spec(spec), ds = disc_exec_spec(spec);
	exec_size net, disc = {0};
	tp_status st = exec_measure(&ns, &net, err);
	if (st == TP_OK && has_discriminator(spec))
		st = exec_measure(&ds, &disc, err);
	if (st != TP_OK)
		return st;
	block b[BLOCKS];
	size_t n = blocks_of(&s, &net, &disc, b), bytes = net.bytes + disc.bytes;
	for (size_t i = 0; i < n; i++)
		bytes += b[i].floats * sizeof(float);
	*ret_bytes = bytes;
	return TP_OK;
}

/* Groups neighbouring trained parameters of equal learning rate. */
static tp_status make_spans(stepper *s, tp_err *err)
{
	const param_table *t = &s->spec.state->net->params;
	s->span = calloc(t->count + 1, sizeof *s->span);
	if (s->span == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory for the optimiser's table");
	for (size_t i = 0; i < t->count; i++) {
		const param *p = &t->item[i];
		rate_span *last = s->spans == 0 ? NULL : &s->span[s->spans - 1];
		if (!p->trained)
			continue;
		if (last != NULL && last->head == p->head && last->offset + last->count == p->offset)
			last->count += p->count;
		else
			s->span[s->spans++] = (rate_span){p->offset, p->count, p->head};
	}
	return TP_OK;
}

tp_status stepper_create(const stepper_spec *spec, stepper **ret, tp_err *err)
{
	stepper *s = calloc(1, sizeof *s);
	if (s == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory for a training step");
	s->spec = *spec;
	exec_spec ns = net_exec_spec(spec), ds = disc_exec_spec(spec);
	exec_size net = {0}, disc = {0};
	tp_status st = exec_create(&ns, &s->net, err);
	if (st == TP_OK)
		net = *exec_sizes(s->net);
	if (st == TP_OK && has_discriminator(spec)) {
		st = exec_create(&ds, &s->disc, err);
		if (st == TP_OK)
			disc = *exec_sizes(s->disc);
	}
	block b[BLOCKS];
	size_t n = st == TP_OK ? blocks_of(s, &net, &disc, b) : 0;
	for (size_t i = 0; i < n && st == TP_OK; i++)
		st = mem_floats(b[i].floats, b[i].to, err);
	if (st == TP_OK)
		st = make_spans(s, err);
	if (st != TP_OK) {
		stepper_free(s);
		return st;
	}
	s->norms_of_target = true;
	if (s->target_norms != NULL) {
		const param_table *t = &spec->state->net->params;
		memcpy(s->target_norms, spec->state->values + t->trained_floats,
		       (t->floats - t->trained_floats) * sizeof(float));
	}
	s->full = exec_between(s->net);
	s->classes = net.out_c;
	s->out_h = net.out_h;
	s->out_w = net.out_w;
	s->out_pixels = net.out_h * net.out_w;
	s->pixels = spec->recipe->data.crop_h * spec->recipe->data.crop_w;
	s->up = (resize_shape){.c = net.out_c,
	                       .in_h = net.out_h,
	                       .in_w = net.out_w,
	                       .out_h = spec->recipe->data.crop_h,
	                       .out_w = spec->recipe->data.crop_w,
	                       .align_corners = true};
	*ret = s;
	return TP_OK;
}

void stepper_free(stepper *s)
{
	if (s == NULL)
		return;
	exec_free(s->net);
	exec_free(s->disc);
	mem_free(s->low);
	mem_free(s->low_pixels);
	mem_free(s->grads);
	mem_free(s->prob);
	mem_free(s->info);
	mem_free(s->disc_grads);
	mem_free(s->disc_dout);
	mem_free(s->target_norms);
	free(s->span);
	free(s);
}

exec *stepper_exec(stepper *s) { return s->net; }

exec *stepper_discriminator(stepper *s) { return s->disc; }

/* The batch norms a sample wants: each domain its own, where the state has two. */
static void use_norms(stepper *s, bool target)
{
	train_state *t = s->spec.state;
	const param_table *p = &t->net->params;
	const float *from = target ? s->target_norms : t->source_norms;
	if (s->target_norms == NULL || t->source_norms == NULL || s->norms_of_target == target)
		return;
	memcpy(t->values + p->trained_floats, from, (p->floats - p->trained_floats) * sizeof(float));
	exec_prepare(s->net, t->values);
	s->norms_of_target = target;
}

/* The network as it is prepared, on one input: s->full = logits at the crop's size. */
static tp_status forward_input(stepper *s, const float *input, tp_err *err)
{
	const float *out;
	memcpy(exec_input(s->net), input, s->pixels * 3 * sizeof(float));
	tp_status st = exec_forward(s->net, &out, err);
	if (st != TP_OK)
		return st;
	to_planar(out, s->out_pixels, s->classes, s->low, s->spec.pool);
	resize_forward(&s->up, s->low, s->full, s->spec.pool);
	return TP_OK;
}

static tp_status forward(stepper *s, const sample *x, tp_err *err)
{
	use_norms(s, x->target);
	return forward_input(s, x->input, err);
}

/* Fills in the labels and weights of the samples that want a teacher's. */
static tp_status teach(stepper *s, const sample *samples, tp_err *err)
{
	const recipe *r = s->spec.recipe;
	const float *teacher = train_state_model(s->spec.state);
	bool prepared = false;
	for (size_t i = 0; i < r->data.batch; i++) {
		const sample *x = &samples[i];
		if (x->teach == NULL)
			continue;
		if (!prepared)
			exec_prepare(s->net, teacher);
		prepared = true;
		tp_status st = forward_input(s, x->clean, err);
		if (st != TP_OK)
			return st;
		(void)online_labels(s->full, s->classes, s->pixels, (float)r->self.online_threshold,
		                    x->teach, x->label, x->weight, s->spec.pool);
	}
	if (prepared)
		exec_prepare(s->net, s->spec.state->values);
	return TP_OK;
}

/* Adds the parameter gradients of s->full = d loss / d logits. */
static tp_status backward(stepper *s, tp_err *err)
{
	resize_backward(&s->up, s->full, s->low, s->spec.pool);
	to_pixels(s->low, s->out_pixels, s->classes, s->low_pixels, s->spec.pool);
	return exec_backward(s->net, s->low_pixels, s->grads, NULL, err);
}

static pixel_target target_of(const sample *x)
{
	return (pixel_target){.label = x->label, .weight = x->weight, .soft = x->soft};
}

/* Losses of the batch's labelled samples; both normalisers span the batch (algorithms.md 2.1). */
static tp_status supervised(stepper *s, const sample *samples, step_result *res, tp_err *err)
{
	const recipe *r = s->spec.recipe;
	size_t labelled = 0, labelled_target = 0;
	for (size_t i = 0; i < r->data.batch; i++) {
		pixel_target t = target_of(&samples[i]);
		size_t n = pixel_target_count(&t, s->classes, s->pixels);
		labelled += n;
		labelled_target += samples[i].target ? n : 0;
	}
	res->labelled_share = (double)labelled / ((double)r->data.batch * (double)s->pixels);
	bool need_easy = has_discriminator(&s->spec);
	bool easy_is_target = !on_source(&s->spec);
	for (size_t i = 0; i < r->data.batch; i++) {
		pixel_target t = target_of(&samples[i]);
		bool target = samples[i].target;
		pixel_loss_spec spec = {
			.scale = labelled == 0 ? 0.0f : (float)(1.0 / (double)labelled),
			.reg = target && s->spec.phase == PHASE_PHASE1_TRAINING ? r->self.reg : REG_NONE,
			.reg_scale = labelled_target == 0
		                         ? 0.0f
		                         : (float)(r->self.reg_weight / (double)labelled_target),
			.bootstrap = target && r->self.bootstrap,
			.beta = (float)r->self.bootstrap_beta,
			.lambda = s->spec.lambda,
		};
		tp_status st = forward(s, &samples[i], err);
		if (st != TP_OK)
			return st;
		if (need_easy && target == easy_is_target) {
			softmax_forward(s->full, s->classes, s->pixels, s->prob, s->spec.pool);
			selfinfo_forward(s->prob, s->classes, s->pixels, s->info, s->spec.pool);
			need_easy = false;
		}
		pixel_loss_result l =
			pixel_loss(s->full, s->classes, s->pixels, &t, &spec, s->full, s->spec.pool);
		res->loss += l.loss;
		res->label_term += l.label_term;
		res->reg_term += l.reg_term;
		if (!isfinite(l.loss))
			return tp_fail(err, TP_NONFINITE, 0, "the loss is %s",
			               isnan(l.loss) ? "NaN" : "infinite");
		st = backward(s, err);
		if (st != TP_OK)
			return st;
	}
	return TP_OK;
}


/* Adds the discriminator's gradients for the map in its input; each domain counts half (ADVENT). */
static tp_status learn_domain(stepper *s, float label, double *ret_loss, tp_err *err)
{
	const float *verdict;
	size_t n = exec_sizes(s->disc)->out_h * exec_sizes(s->disc)->out_w;
	tp_status st = exec_forward(s->disc, &verdict, err);
	if (st != TP_OK)
		return st;
	*ret_loss = bce_logits(verdict, n, label, 0.5f, s->disc_dout);
	return exec_backward(s->disc, s->disc_dout, s->disc_grads, NULL, err);
}

/* The hard sample: its self-information should look easy to the discriminator; then the
 * discriminator's own gradients for hard = 0 and easy = 1. */
static tp_status adversarial(stepper *s, const sample *hard, step_result *res, tp_err *err)
{
	pool *pool = s->spec.pool;
	size_t k = s->classes, n = exec_sizes(s->disc)->out_h * exec_sizes(s->disc)->out_w;
	const float *verdict, *dinfo;
	tp_status st = forward(s, hard, err);
	if (st != TP_OK)
		return st;
	softmax_forward(s->full, k, s->pixels, s->prob, pool);
	selfinfo_forward(s->prob, k, s->pixels, exec_input(s->disc), pool);
	st = exec_forward(s->disc, &verdict, err);
	if (st != TP_OK)
		return st;
	const recipe *r = s->spec.recipe;
	double weight = on_source(&s->spec) ? r->entropy.weight : r->self.adversarial_weight;
	double fooled = bce_logits(verdict, n, EASY, (float)weight, s->disc_dout);
	st = exec_backward(s->disc, s->disc_dout, NULL, &dinfo, err);
	if (st != TP_OK)
		return st;
	selfinfo_backward(s->prob, dinfo, k, s->pixels, s->full, pool);
	softmax_backward(s->prob, s->full, k, s->pixels, s->full, pool);
	st = backward(s, err);
	if (st != TP_OK)
		return st;

	double on_hard = 0, on_easy = 0;
	selfinfo_forward(s->prob, k, s->pixels, exec_input(s->disc), pool);
	st = learn_domain(s, HARD, &on_hard, err);
	if (st == TP_OK) {
		memcpy(exec_input(s->disc), s->info, s->pixels * k * sizeof(float));
		st = learn_domain(s, EASY, &on_easy, err);
	}
	res->adversarial = fooled;
	res->discriminator = on_hard + on_easy; /* each is halved already */
	return st;
}

/* MinEnt: the mean over pixels of the entropy, as a share of its largest value ln K, of the target sample. */
static tp_status minimise_entropy(stepper *s, const sample *x, step_result *res, tp_err *err)
{
	pool *pool = s->spec.pool;
	size_t values = s->classes * s->pixels;
	tp_status st = forward(s, x, err);
	if (st != TP_OK)
		return st;
	softmax_forward(s->full, s->classes, s->pixels, s->prob, pool);
	selfinfo_forward(s->prob, s->classes, s->pixels, s->info, pool);
	double sum = 0.0;
	for (size_t i = 0; i < values; i++)
		sum += (double)s->info[i];
	res->entropy = sum / (double)s->pixels;
	float scale = (float)(s->spec.recipe->entropy.weight / (double)s->pixels);
	for (size_t i = 0; i < values; i++)
		s->info[i] = scale;
	selfinfo_backward(s->prob, s->info, s->classes, s->pixels, s->full, pool);
	softmax_backward(s->prob, s->full, s->classes, s->pixels, s->full, pool);
	return backward(s, err);
}

/* A teacher follows from round 0 on; the mean of source training counts all of its weights alike. */
static void average(stepper *s)
{
	const recipe *r = s->spec.recipe;
	train_state *state = s->spec.state;
	double first = (1.0 - r->source_training.average) * (double)s->spec.steps;
	if (!on_source(&s->spec) && r->self.teacher_momentum > 0.0)
		train_state_teach(state, r->self.teacher_momentum, s->spec.pool);
	else if (s->spec.phase == PHASE_SOURCE_TRAINING && r->source_training.average > 0.0 &&
	         (double)state->step >= first)
		train_state_teach(state, 1.0, s->spec.pool);
}

static void update(stepper *s, step_result *res)
{
	const recipe_sgd *sgd = sgd_of(&s->spec);
	train_state *state = s->spec.state;
	const recipe *r = s->spec.recipe;
	bool self = !on_source(&s->spec);
	size_t warmup = self                                      ? r->self.warmup_steps
	                : s->spec.phase == PHASE_SOURCE_TRAINING ? r->source_training.warmup_steps
	                                                          : 0;
	double longest = self ? r->self.gradient_clip : r->source_training.gradient_clip;
	res->lr = schedule_poly(sgd->lr, sgd->power, state->step, s->spec.steps);
	if (state->step < warmup)
		res->lr *= (double)(state->step + 1) / (double)warmup;
	if (longest > 0.0)
		(void)clip_length(s->grads, state->net->params.trained_floats, longest, s->spec.pool);
	for (size_t i = 0; i < s->spans; i++) {
		const rate_span *p = &s->span[i];
		double lr = res->lr * (p->head ? sgd->head_lr_multiplier : 1.0);
		sgd_step(state->values + p->offset, state->momentum + p->offset, s->grads + p->offset,
		         p->count, (float)lr, (float)sgd->momentum, (float)sgd->weight_decay,
		         s->spec.pool);
	}
	average(s);
	if (!has_discriminator(&s->spec))
		return;
	double lr = schedule_poly(s->spec.recipe->self.discriminator_lr, sgd->power, state->step,
	                          s->spec.steps);
	adam_spec adam = {(float)lr, DISC_BETA1, DISC_BETA2, DISC_EPS};
	state->disc_steps++;
	adam_step(&adam, state->disc_steps, state->disc_values, state->disc_m, state->disc_v,
	          s->disc_grads, state->disc->params.trained_floats, s->spec.pool);
}

tp_status stepper_run(stepper *s, const sample *samples, step_result *ret, tp_err *err)
{
	step_result res = {0};
	train_state *state = s->spec.state;
	size_t trained = state->net->params.trained_floats;
	exec_prepare(s->net, state->values);
	memset(s->grads, 0, trained * sizeof(float));
	tp_status st = teach(s, samples, err);
	if (st == TP_OK)
		st = supervised(s, samples, &res, err);
	const sample *unlabelled = &samples[s->spec.recipe->data.batch];
	if (st == TP_OK && s->spec.unlabelled && !has_discriminator(&s->spec))
		st = minimise_entropy(s, unlabelled, &res, err);
	if (st == TP_OK && has_discriminator(&s->spec)) {
		size_t disc_trained = state->disc->params.trained_floats;
		exec_prepare(s->disc, state->disc_values);
		memset(s->disc_grads, 0, disc_trained * sizeof(float));
		st = adversarial(s, unlabelled, &res, err);
		if (st == TP_OK && (!isfinite(res.adversarial) || !isfinite(res.discriminator) ||
		                    !all_finite(s->disc_grads, disc_trained, s->spec.pool)))
			st = tp_fail(err, TP_NONFINITE, 0, "the discriminator's loss or gradient is not finite");
	}
	use_norms(s, true); /* whatever happened: the state is the target's network between steps */
	if (st == TP_OK && !all_finite(s->grads, trained, s->spec.pool))
		st = tp_fail(err, TP_NONFINITE, 0, "a gradient is not finite");
	if (st != TP_OK)
		return st;
	update(s, &res);
	state->step++;
	*ret = res;
	return TP_OK;
}
