/* How long training waits for its samples: real steps through the loader, from PNG files of a folder
 * (images/, labels/ as tpld-scenes writes them), cut out, scaled and mirrored; one JSON line.
 * "wait_share" is the time spent waiting for the loader over the time of all steps but the first,
 * which nothing was decoded ahead for.
 *
 *   bench_loader DIR COUNT [--threads N] [ARCH] [HxW]      ARCH deeplabv2-mobilenetv2, crop 512x1024 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#include "op/gemm.h"
#include "train/step.h"

enum { AHEAD = 4, LEAST_STEPS = 12, MOST_STEPS = 400 };
static const double SECONDS = 15;

typedef struct plan_ctx {
	const char *dir;
	size_t count;
	char image[300], label[300];
	augment_spec augment;
	label_map map;
} plan_ctx;

static tp_status plan(void *arg, uint64_t step, size_t slot, sample_request *ret, tp_err *err)
{
	plan_ctx *c = arg;
	size_t i = (size_t)((step + slot) % c->count);
	(void)err;
	(void)snprintf(c->image, sizeof c->image, "%s/images/%04zu.png", c->dir, i);
	(void)snprintf(c->label, sizeof c->label, "%s/labels/%04zu.png", c->dir, i);
	*ret = (sample_request){.image = c->image, .label = c->label, .source = LABELS_FILE,
	                        .map = &c->map, .augment = &c->augment, .index = (uint32_t)i};
	return TP_OK;
}

typedef struct totals {
	double wait, all, first_wait;
	size_t steps, image_w, image_h;
} totals;

static void steps(loader *l, stepper *s, totals *t)
{
	tp_err err = {0};
	const sample *samples;
	bool waited;
	step_result result;
	for (size_t n = 0; n < MOST_STEPS && (n < LEAST_STEPS || t->all < SECONDS); n++) {
		double t0 = bench_now();
		bench_check(loader_next(l, &samples, &waited, &err), &err);
		double t1 = bench_now();
		bench_check(stepper_run(s, samples, &result, &err), &err);
		if (n == 0) {
			t->first_wait = t1 - t0;
			continue;
		}
		t->wait += waited ? t1 - t0 : 0;
		t->all += bench_now() - t0;
		t->steps++;
	}
}

/* The same steps on one sample, with nothing decoded beside them. */
static double step_alone(stepper *s, const loader_spec *like)
{
	tp_err err = {0};
	loader *l;
	const sample *samples;
	bool waited;
	step_result result;
	bench_times t = {.runs = 0};
	loader_spec ls = *like;
	ls.last_step = 1;
	bench_check(loader_create(&ls, &l, &err), &err);
	bench_check(loader_next(l, &samples, &waited, &err), &err);
	while (bench_more(&t, 5)) {
		double start = bench_now();
		bench_check(stepper_run(s, samples, &result, &err), &err);
		bench_add(&t, bench_now() - start);
	}
	loader_free(l);
	return bench_median(&t);
}

static void run(plan_ctx *c, recipe *r, size_t threads)
{
	tp_err err = {0};
	graph g;
	train_state state;
	loader *l;
	stepper *s;
	totals t = {0};
	net_spec spec = net_spec_default(r->model.arch);
	pool *workers = bench_pool(threads);
	bench_check(net_build(&spec, &g, &err), &err);
	bench_check(train_state_create(&g, NULL, 1, &state, &err), &err);
	stepper_spec ss = {.recipe = r, .phase = PHASE_SOURCE_TRAINING, .steps = 2 * MOST_STEPS,
	                   .state = &state, .pool = workers};
	loader_spec ls = {.slots = r->data.batch, .classes = BENCH_CLASSES, .crop_h = r->data.crop_h,
	                  .crop_w = r->data.crop_w, .norm = INPUT_NORM_IMAGENET, .seed = 1,
	                  .last_step = MOST_STEPS, .ahead = AHEAD, .plan = plan, .plan_arg = c};
	bench_check(image_probe_file(c->image, &t.image_w, &t.image_h, &err), &err);
	bench_check(stepper_create(&ss, &s, &err), &err);
	double alone = step_alone(s, &ls);
	bench_check(loader_create(&ls, &l, &err), &err);
	steps(l, s, &t);
	(void)printf("{\"bench\":\"loader\",\"arch\":\"%s\",\"height\":%zu,\"width\":%zu,\"batch\":%zu,"
	             "\"image_height\":%zu,\"image_width\":%zu,\"threads\":%zu,\"steps\":%zu,"
	             "\"seconds_step\":%.4f,\"seconds_step_alone\":%.4f,\"first_wait_seconds\":%.4f,"
	             "\"wait_share\":%.4f}\n",
	             net_arch_name(r->model.arch), r->data.crop_h, r->data.crop_w, r->data.batch,
	             t.image_h, t.image_w, threads, t.steps, t.all / (double)t.steps, alone,
	             t.first_wait, t.wait / t.all);
	loader_free(l);
	stepper_free(s);
	train_state_done(&state);
	graph_done(&g);
	pool_free(workers);
}

int main(int argc, char **argv)
{
	static plan_ctx c; /* the label map is large */
	class_set classes;
	tp_err err = {0};
	size_t threads = bench_threads();
	recipe r = recipe_preset((size_t)recipe_preset_find("source-only"));
	r.model.arch = ARCH_MOBILENETV2;
	r.data.batch = 1;
	r.data.crop_h = 512;
	r.data.crop_w = 1024;
	/* Nothing is to be learned, and a network without initial weights must not diverge. */
	r.source_training.sgd.lr = 1e-9;
	for (int i = 3; i < argc; i++) {
		if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc)
			threads = strtoul(argv[++i], NULL, 10);
		else if (!net_arch_parse(argv[i], &r.model.arch) &&
		         sscanf(argv[i], "%zux%zu", &r.data.crop_h, &r.data.crop_w) != 2)
			argc = 0;
	}
	if (argc < 3 || (c.count = strtoul(argv[2], NULL, 10)) == 0) {
		(void)fprintf(stderr, "usage: bench_loader DIR COUNT [--threads N] [ARCH] [HxW]\n");
		return 2;
	}
	c.dir = argv[1];
	(void)snprintf(c.image, sizeof c.image, "%s/images/0000.png", c.dir);
	c.augment = (augment_spec){.crop_h = r.data.crop_h, .crop_w = r.data.crop_w,
	                           .scale_low = r.data.scale_low, .scale_high = r.data.scale_high,
	                           .mirror = r.data.mirror};
	bench_check(class_set_builtin("cityscapes-19", &classes, &err), &err);
	bench_check(label_map_builtin(LAYOUT_FOLDER, &classes, &c.map, &err), &err);
	bench_check(gemm_init(&err), &err);
	run(&c, &r, threads);
	return 0;
}
