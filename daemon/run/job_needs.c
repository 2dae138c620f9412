/* What a run will need, before anything is computed: the peak of memory over its stages, and disk.
 * Every noun says what it takes (..._measure, ..._bytes), so the numbers follow the code. */
#include "adapt/audit.h"
#include "adapt/threshold.h"
#include "data/loader.h"
#include "run/crops.h"
#include "run/job.h"
#include "train/norms.h"
#include "train/score.h"
#include "train/step.h"

/* What the numbers of the nouns leave out: the program with its libraries, the database's and the
 * event loop's memory, stacks, OpenBLAS's buffers (measured: bench/memory.py). */
static const uint64_t PROGRAM_BYTES = (uint64_t)24 << 20;

/* The largest of the distinct sizes of a list of images, as many as a scorer binds networks to; the
 * first is the largest. More would be no news, and each costs planning a network. */
typedef struct size_list {
	image_size size[SCORER_EXECS];
	size_t count;
} size_list;

static size_t pixels_of(image_size z) { return z.w * z.h; }

static size_list largest_sizes(const job_images *im)
{
	size_list l = {.count = 0};
	for (size_t i = 0; i < im->count; i++) {
		image_size z = {(size_t)im->row[i].width, (size_t)im->row[i].height};
		size_t at = 0;
		while (at < l.count && pixels_of(l.size[at]) >= pixels_of(z) &&
		       (l.size[at].w != z.w || l.size[at].h != z.h))
			at++;
		if (at == SCORER_EXECS || (at < l.count && l.size[at].w == z.w && l.size[at].h == z.h))
			continue;
		l.count += l.count < SCORER_EXECS;
		for (size_t k = l.count - 1; k > at; k--)
			l.size[k] = l.size[k - 1];
		l.size[at] = z;
	}
	return l;
}

/* The three parts of a run that data sets decide. */
typedef struct need {
	const job_setup *setup;
	pool *pool;
	size_list source, target, eval;
} need;

/* Weights, momentum, discriminator: what a checkpoint holds, in memory all the time. */
static uint64_t state_bytes(const job_setup *s)
{
	const recipe *r = &s->config.recipe;
	uint64_t all = s->net.params.floats, trained = s->net.params.trained_floats;
	uint64_t net = all + trained + (recipe_averages(r) ? all : 0) +
	               (r->self.norm_strength > 0.0 ? all - trained : 0);
	return sizeof(float) * (net + (s->has_disc ? 3 * (uint64_t)s->disc.params.floats : 0));
}

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

/* A training stage: step, samples ahead, decoding, and the copy that a checkpoint is written from. */
static tp_status training_need(const need *n, phase p, uint64_t *ret, tp_err *err)
{
	const job_setup *s = n->setup;
	const recipe *r = &s->config.recipe;
	train_state state = {.net = &s->net, .disc = s->has_disc ? &s->disc : NULL};
	bool unlabelled = p == PHASE_ENTROPY_TRAINING || recipe_phase_adversarial(r, p);
	bool soft = p == PHASE_PHASE1_TRAINING && r->self.reg == REG_LRENT;
	stepper_spec step = {.recipe = r,
	                     .phase = p,
	                     .unlabelled = unlabelled,
	                     .state = &state,
	                     .pool = n->pool};
	loader_spec samples = {.slots = r->data.batch + (unlabelled ? 1 : 0),
	                       .classes = s->spec.classes,
	                       .soft = soft,
	                       .weights = p == PHASE_PHASE2_TRAINING,
	                       .online = p == PHASE_PHASE1_TRAINING && r->self.online_threshold > 0.0,
	                       .crop_h = r->data.crop_h,
	                       .crop_w = r->data.crop_w,
	                       .ahead = JOB_STEPS_AHEAD};
	size_t bytes = 0, decode = 0;
	tp_status st = stepper_measure(&step, &bytes, err);
	if (st != TP_OK)
		return st;
	const image_size *a = &n->source.size[0], *b = &n->target.size[0];
	decode = sampler_bytes(s->spec.classes, a->w, a->h, false, false);
	if (r->data.transfer_chance > 0.0)
		decode += sampler_look_bytes(b->w, b->h);
	if (p != PHASE_SOURCE_TRAINING)
		decode = larger(decode, sampler_bytes(s->spec.classes, b->w, b->h, soft,
		                                      r->self.flip_average));
	if (r->data.photometric.jitter_chance > 0.0 || r->data.photometric.blur_chance > 0.0 ||
	    (r->self.class_mix > 0.0 && p != PHASE_SOURCE_TRAINING))
		decode += sampler_second_bytes(r->data.crop_h * r->data.crop_w);
	*ret = bytes + loader_bytes(&samples) + decode + state_bytes(s);
	return TP_OK;
}

/* Scoring or evaluation: the scorer, the image in work, one waiting and one being decoded. */
static tp_status images_need(const need *n, phase p, uint64_t *ret, tp_err *err)
{
	const job_setup *s = n->setup;
	const size_list *l = p == PHASE_SCORING ? &n->target : &n->eval;
	scorer_spec spec = {.recipe = &s->config.recipe,
	                    .net = &s->net,
	                    .classes = s->spec.classes,
	                    .pool = n->pool};
	size_t bytes = 0, pixels = pixels_of(l->size[0]);
	tp_status st = scorer_measure(&spec, l->size, l->count, p == PHASE_EVALUATION, &bytes, err);
	uint64_t counts = 0;
	if (p == PHASE_SCORING) /* histogram, audit; earlier labels, the truth and what it is read from */
		counts = s->spec.classes * (CONF_BINS + 1) * sizeof(uint64_t) +
		         audit_bytes(s->spec.classes) + 4 * (uint64_t)pixels;
	*ret = bytes + counts + 2 * 3 * (uint64_t)pixels +
	       image_load_bytes(l->size[0].w, l->size[0].h);
	return st;
}

/* Measuring batch norms: the crops of both domains, and a network up to its last layer. */
static tp_status norms_need(const need *n, uint64_t *ret, tp_err *err)
{
	const job_setup *s = n->setup;
	const recipe *r = &s->config.recipe;
	exec_size size;
	exec_spec es = {.graph = &s->net,
	                .in_h = r->data.crop_h,
	                .in_w = r->data.crop_w,
	                .kernels = KERNELS_EXACT,
	                .pool = n->pool};
	tp_status st = exec_measure(&es, &size, err);
	*ret = size.bytes + crops_bytes(r, 2 * r->self.norm_images) + norms_align_bytes(&s->net) + state_bytes(s);
	return st;
}

static tp_status peak_of_stages(const need *n, uint64_t *ret, tp_err *err)
{
	bool seen[PHASE_COUNT] = {false};
	uint64_t peak = 0;
	for (size_t i = 0; i < n->setup->stage_count; i++) {
		phase p = n->setup->stages[i].phase;
		uint64_t bytes = 0;
		if (seen[p])
			continue;
		seen[p] = true;
		tp_status st = p == PHASE_SCORING || p == PHASE_EVALUATION
		                   ? images_need(n, p, &bytes, err)
		               : p == PHASE_NORM_ALIGNMENT ? norms_need(n, &bytes, err)
		                                           : training_need(n, p, &bytes, err);
		if (st != TP_OK)
			return st;
		peak = bytes > peak ? bytes : peak;
	}
	*ret = peak;
	return TP_OK;
}

/* Bytes of the logits and label layers that a round keeps for one image; layers compress to about a
 * byte a pixel. */
static tp_status round_image_bytes(const need *n, uint64_t *ret, tp_err *err)
{
	const job_setup *s = n->setup;
	const recipe *r = &s->config.recipe;
	const image_size *z = &n->target.size[0];
	exec_size infer;
	exec_spec es = {.graph = &s->net,
	                .in_h = (size_t)((double)z->h * r->self.scoring_scale + 0.5),
	                .in_w = (size_t)((double)z->w * r->self.scoring_scale + 0.5),
	                .kernels = r->kernels,
	                .pool = n->pool};
	tp_status st = exec_measure(&es, &infer, err);
	if (st == TP_OK)
		*ret = (uint64_t)infer.out_h * infer.out_w * s->spec.classes * sizeof(float) *
		               (r->self.flip_average ? 2 : 1) +
		       (uint64_t)z->w * z->h;
	return st;
}

tp_status job_setup_needs(const job_setup *s, size_t threads, uint64_t *ret_memory,
                          uint64_t *ret_disk, tp_err *err)
{
	need n = {.setup = s,
	          .source = largest_sizes(&s->source),
	          .target = largest_sizes(&s->target),
	          .eval = largest_sizes(&s->eval)};
	uint64_t peak = 0, image = 0, rounds = recipe_rounds(&s->config.recipe);
	tp_status st = pool_create(threads, &n.pool, err); /* its thread count sizes scratch memory */
	if (st == TP_OK)
		st = peak_of_stages(&n, &peak, err);
	if (st == TP_OK && rounds > 0)
		st = round_image_bytes(&n, &image, err);
	pool_free(n.pool);
	if (st != TP_OK)
		return st;
	*ret_memory = PROGRAM_BYTES + state_bytes(s) + peak;
	*ret_disk = 3 * state_bytes(s) + (rounds + 1) * sizeof(float) * (uint64_t)s->net.params.floats +
	            rounds * s->target.count * image;
	return TP_OK;
}
