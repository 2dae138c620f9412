#include "run/profile.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "op/gemm.h"

enum { DIGITS = 6 };
static const double PEAK_SECONDS = 0.04;

void profile_init(profile *p, profile_clock *clock)
{
	memset(p, 0, sizeof *p);
	(void)pthread_mutex_init(&p->lock, NULL);
	p->clock = clock;
}

/* Lock held, or nobody else there. */
static void forget(profile *p)
{
	free(p->layer);
	free(p->sum.layer);
	free(p->now.layer);
	p->layer = NULL;
	p->sum = p->now = (profile_sum){0};
	p->layers = p->steps = 0;
	p->stage = (profile_stage){0};
}

void profile_done(profile *p)
{
	forget(p);
	(void)pthread_mutex_destroy(&p->lock);
}

/* ---- measuring ---------------------------------------------------------------------------- */

/* Seconds since the last border, which is now. */
static double lap(profile *p)
{
	double now = p->clock(), took = now - p->last;
	p->last = now;
	return took;
}

/* Before the first node of a step lies its preparation; between later ones the losses. */
static void probe(void *arg, size_t node, bool backward, bool begin)
{
	const profile_net *n = arg;
	profile *p = n->profile;
	double took = lap(p);
	if (begin) {
		p->now.part[p->passed ? PROFILE_LOSS : PROFILE_PREPARING] += took;
		p->passed = true;
		return;
	}
	profile_time *t = &p->now.layer[n->first + node];
	t->seconds[backward] += took;
	t->flop += exec_node_flop(n->net, node, backward);
}

static void watch(profile *p, size_t which, exec *net, size_t first, const char *prefix)
{
	p->net[which] = (profile_net){.profile = p, .net = net, .first = first};
	for (size_t i = 0; i < exec_nodes(net); i++) {
		profile_layer *l = &p->layer[first + i];
		size_t n = (size_t)snprintf(l->name, sizeof l->name, "%s", prefix);
		exec_node_name(net, i, l->name + n, sizeof l->name - n);
		exec_node_algorithm(net, i, l->algorithm, sizeof l->algorithm);
	}
	exec_set_probe(net, probe, &p->net[which]);
}

tp_status profile_begin(profile *p, const profile_stage *s, exec *net, exec *discriminator,
                        tp_err *err)
{
	size_t own = exec_nodes(net);
	size_t n = own + (discriminator != NULL ? exec_nodes(discriminator) : 0);
	tp_status st = TP_OK;
	pthread_mutex_lock(&p->lock);
	forget(p);
	p->layer = calloc(n, sizeof *p->layer);
	p->sum.layer = calloc(n, sizeof *p->sum.layer);
	p->now.layer = calloc(n, sizeof *p->now.layer);
	if (p->layer == NULL || p->sum.layer == NULL || p->now.layer == NULL) {
		forget(p);
		st = tp_fail(err, TP_NOMEM, 0, "out of memory for the profile of the layers");
	} else {
		p->stage = *s;
		p->layers = n;
		watch(p, 0, net, 0, "");
		if (discriminator != NULL)
			watch(p, 1, discriminator, own, "discriminator.");
	}
	pthread_mutex_unlock(&p->lock);
	return st;
}

void profile_step_begin(profile *p)
{
	memset(p->now.part, 0, sizeof p->now.part);
	memset(p->now.layer, 0, p->layers * sizeof *p->now.layer);
	p->passed = false;
	p->last = p->clock();
}

void profile_mark(profile *p, profile_part part)
{
	p->now.part[part] += lap(p);
}

void profile_step_end(profile *p)
{
	profile_mark(p, PROFILE_SAVING);
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < PROFILE_PARTS; i++)
		p->sum.part[i] += p->now.part[i];
	for (size_t i = 0; i < p->layers; i++) {
		const profile_time *from = &p->now.layer[i];
		profile_time *to = &p->sum.layer[i];
		to->seconds[0] += from->seconds[0];
		to->seconds[1] += from->seconds[1];
		to->flop += from->flop;
	}
	p->steps++;
	pthread_mutex_unlock(&p->lock);
}

void profile_end(profile *p)
{
	pthread_mutex_lock(&p->lock);
	forget(p);
	pthread_mutex_unlock(&p->lock);
}

double profile_sgemm_gflops(pool *pool, profile_clock *clock)
{
	float *work = NULL;
	double best = 0;
	if (mem_floats(gemm_load_floats(pool), &work, NULL) != TP_OK)
		return 0;
	double start = clock(), now = start;
	while (now - start < PEAK_SECONDS) {
		double flop = gemm_load(work, pool), then = now;
		now = clock();
		if (now > then && flop / (now - then) > best)
			best = flop / (now - then);
	}
	mem_free(work);
	return best / 1e9;
}

/* ---- reading ------------------------------------------------------------------------------ */

static double mean_ms(const profile *p, double seconds)
{
	return 1e3 * seconds / (double)p->steps;
}

/* GFLOP/s, and its share of the products' rate: above 1 where Winograd saves multiplications. Null for
 * layers without products and what cannot be told. */
static json_t *layer_json(const profile *p, size_t i)
{
	const profile_time *t = &p->sum.layer[i];
	double seconds = t->seconds[0] + t->seconds[1], peak = p->stage.sgemm_gflops;
	double rate = seconds > 0 ? t->flop / seconds / 1e9 : 0;
	return json_pack("{s:s, s:s, s:f, s:f, s:f, s:o, s:o}", "layer", p->layer[i].name, "algorithm",
	                 p->layer[i].algorithm, "forward_ms", mean_ms(p, t->seconds[0]),
	                 "backward_ms", mean_ms(p, t->seconds[1]), "gflop_per_step",
	                 t->flop / 1e9 / (double)p->steps, "gflops",
	                 rate > 0 ? json_real(rate) : json_null(), "peak_share",
	                 rate > 0 && peak > 0 ? json_real(rate / peak) : json_null());
}

static char *layers_text(const profile *p)
{
	json_t *a = json_array();
	for (size_t i = 0; i < p->layers; i++)
		(void)json_array_append_new(a, layer_json(p, i));
	char *text = json_array_size(a) == p->layers
	                     ? json_dumps(a, JSON_COMPACT | JSON_REAL_PRECISION(DIGITS))
	                     : NULL;
	json_decref(a);
	return text;
}

static char *outside_text(const profile *p)
{
	static const char *const name[] = {[PROFILE_WAITING] = "waiting",
	                                   [PROFILE_PREPARING] = "preparing",
	                                   [PROFILE_LOSS] = "loss",
	                                   [PROFILE_OPTIMISER] = "optimiser",
	                                   [PROFILE_SAVING] = "saving"};
	json_t *a = json_array();
	for (size_t i = 0; i < PROFILE_PARTS; i++)
		(void)json_array_append_new(a, json_pack("{s:s, s:f}", "part", name[i], "ms",
		                                         mean_ms(p, p->sum.part[i])));
	char *text = json_array_size(a) == PROFILE_PARTS
	                     ? json_dumps(a, JSON_COMPACT | JSON_REAL_PRECISION(DIGITS))
	                     : NULL;
	json_decref(a);
	return text;
}

static double step_seconds(const profile *p)
{
	double seconds = 0;
	for (size_t i = 0; i < PROFILE_PARTS; i++)
		seconds += p->sum.part[i];
	for (size_t i = 0; i < p->layers; i++)
		seconds += p->sum.layer[i].seconds[0] + p->sum.layer[i].seconds[1];
	return seconds / (double)p->steps;
}

static tp_status read_row(const profile *p, profile_row *ret, tp_err *err)
{
	const profile_stage *s = &p->stage;
	profile_row r = {.run = s->run,
	                 .stage = s->stage,
	                 .round = s->round,
	                 .phase = strdup(s->phase),
	                 .steps = (int64_t)p->steps,
	                 .crop_h = (int64_t)s->crop_h,
	                 .crop_w = (int64_t)s->crop_w,
	                 .threads = (int64_t)s->threads,
	                 .kernels = strdup(s->kernels),
	                 .sgemm_gflops = s->sgemm_gflops,
	                 .seconds = step_seconds(p),
	                 .layers = layers_text(p),
	                 .outside = outside_text(p)};
	if (r.phase == NULL || r.kernels == NULL || r.layers == NULL || r.outside == NULL) {
		profile_row_done(&r);
		return tp_fail(err, TP_NOMEM, 0, "out of memory for a profile");
	}
	*ret = r;
	return TP_OK;
}

tp_status profile_read(profile *p, int64_t run, int64_t round, profile_row *ret, tp_err *err)
{
	pthread_mutex_lock(&p->lock);
	bool there = p->stage.run == run && p->steps > 0 && (round < -1 || p->stage.round == round);
	tp_status st = there ? read_row(p, ret, err)
	                     : tp_fail(err, TP_NOTFOUND, 0, "this is not being measured");
	pthread_mutex_unlock(&p->lock);
	return st;
}
