/* loader and sampler: what each label source gives, resuming, errors at their step, stopping. */
#include "data_files.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "data/loader.h"
#include "data/logits.h"
#include "data/png.h"

enum { IMAGES = 6, W = 40, H = 30, CROP_H = 16, CROP_W = 24, PIXELS = CROP_H * CROP_W, K = 4 };

/* A folder of images with labels, and the plan over them. */
typedef struct world {
	char dir[256];
	char image[IMAGES][300], label[IMAGES][300], weight[IMAGES][300], logits[IMAGES][300];
	label_map map;
	augment_spec augment;
	float lambda[K];
	label_source source;
	bool weights;
	uint64_t bad_step; /* at which an absent image is asked for */
	atomic_uint plans;
	atomic_bool signals_blocked;
	useconds_t pause; /* in each plan */
} world;

static void put_png(const char *dir, const char *name, png_bytes b)
{
	put_file(dir, name, (blob){b.data, b.size});
}

static world *new_world(void)
{
	world *w = calloc(1, sizeof *w);
	assert_non_null(w);
	scratch_create(w->dir);
	int fd = open(w->dir, O_RDONLY | O_DIRECTORY);
	for (size_t n = 0; n < IMAGES; n++) {
		uint8_t rgb[W * H * 3], label[W * H];
		uint16_t weight[W * H];
		const uint8_t palette[256][3] = {{0}};
		float logits[K * 4 * 5];
		for (size_t i = 0; i < W * H * 3; i++)
			rgb[i] = (uint8_t)rng_u64(n, RNG_TEST, i);
		for (size_t i = 0; i < W * H; i++) {
			label[i] = i % 11 == 0 ? 255 : (uint8_t)(rng_u64(n, RNG_TEST, i) % K);
			weight[i] = (uint16_t)rng_u64(n + 100, RNG_TEST, i);
		}
		for (size_t i = 0; i < K * 4 * 5; i++)
			logits[i] = 2.0f * (float)rng_normal(n, RNG_TEST, i);
		char name[32];
		png_bytes b;
		(void)snprintf(name, sizeof name, "i%zu.png", n);
		(void)snprintf(w->image[n], sizeof w->image[n], "%s/%s", w->dir, name);
		assert_ok(png_encode_rgb(rgb, W, H, &b, err));
		put_png(w->dir, name, b);
		(void)snprintf(name, sizeof name, "l%zu.png", n);
		(void)snprintf(w->label[n], sizeof w->label[n], "%s/%s", w->dir, name);
		assert_ok(png_encode_palette(label, W, H, palette, &b, err));
		put_png(w->dir, name, b);
		(void)snprintf(name, sizeof name, "w%zu.png", n);
		(void)snprintf(w->weight[n], sizeof w->weight[n], "%s/%s", w->dir, name);
		assert_ok(png_encode_gray16(weight, W, H, &b, err));
		put_png(w->dir, name, b);
		(void)snprintf(name, sizeof name, "p%zu.bin", n);
		(void)snprintf(w->logits[n], sizeof w->logits[n], "%s/%s", w->dir, name);
		logit_map m = {
			.classes = K, .h = 4, .w = 5, .full_h = H, .full_w = W, .plain = logits};
		assert_ok(logits_write(fd, name, 77, &m, err));
	}
	(void)close(fd);
	label_map_ignore_all(&w->map);
	for (uint16_t v = 0; v < K; v++)
		w->map.train[v] = (uint16_t)(K - 1 - v);
	w->augment = (augment_spec){.crop_h = CROP_H,
	                            .crop_w = CROP_W,
	                            .scale_low = 0.5,
	                            .scale_high = 1.5,
	                            .mirror = true};
	for (size_t k = 0; k < K; k++)
		w->lambda[k] = 0.5f;
	w->source = LABELS_FILE;
	w->bad_step = UINT64_MAX;
	return w;
}

static void free_world(world *w)
{
	scratch_remove(w->dir);
	free(w);
}

static tp_status plan(void *arg, uint64_t step, size_t slot, sample_request *ret, tp_err *err)
{
	world *w = arg;
	uint32_t n = (uint32_t)((step * 2 + slot) % IMAGES);
	sigset_t set;
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	atomic_store(&w->signals_blocked, sigismember(&set, SIGTERM) == 1);
	atomic_fetch_add(&w->plans, 1);
	if (w->pause > 0)
		(void)usleep(w->pause);
	*ret = (sample_request){.image = step == w->bad_step && slot == 1 ? "/absent/x.png"
	                                                                  : w->image[n],
	                        .source = w->source,
	                        .label = w->label[n],
	                        .map = &w->map,
	                        .weight = w->weights ? w->weight[n] : NULL,
	                        .logits = w->logits[n],
	                        .logits_stamp = 77,
	                        .lambda = w->lambda,
	                        .lrent_alpha = 0.25f,
	                        .augment = &w->augment,
	                        .target = slot == 1,
	                        .index = n};
	return TP_OK;
}

static loader_spec spec_of(world *w, uint64_t first, uint64_t last, size_t ahead)
{
	return (loader_spec){.slots = 2,
	                     .classes = K,
	                     .soft = w->source == LABELS_SOFT,
	                     .weights = w->weights,
	                     .crop_h = CROP_H,
	                     .crop_w = CROP_W,
	                     .norm = INPUT_NORM_IMAGENET,
	                     .seed = 5,
	                     .first_step = first,
	                     .last_step = last,
	                     .ahead = ahead,
	                     .plan = plan,
	                     .plan_arg = w};
}

static loader *open_loader(world *w, uint64_t first, uint64_t last, size_t ahead)
{
	loader_spec s = spec_of(w, first, last, ahead);
	loader *l = NULL;
	assert_ok(loader_create(&s, &l, err));
	return l;
}

static uint64_t hash_step(const sample *s)
{
	uint64_t h = 0;
	for (size_t i = 0; i < 2; i++) {
		h = checksum64(h, s[i].input, PIXELS * 3 * sizeof(float));
		h = checksum64(h, s[i].label, PIXELS);
		if (s[i].weight != NULL)
			h = checksum64(h, s[i].weight, PIXELS * sizeof(float));
		if (s[i].soft != NULL)
			h = checksum64(h, s[i].soft, PIXELS * K * sizeof(float));
	}
	return h;
}

/* A loader that starts at step n gives what one that started at 0 gave, whatever runs ahead. */
static void resumed_samples_are_the_same(void **state)
{
	enum { STEPS = 20 };
	world *w = new_world();
	for (int source = LABELS_NONE; source <= LABELS_SOFT; source++) {
		w->source = (label_source)source;
		w->weights = source == LABELS_PSEUDO;
		uint64_t hash[STEPS];
		const sample *s;
		bool waited;
		loader *l = open_loader(w, 0, STEPS, 1);
		for (size_t i = 0; i < STEPS; i++) {
			assert_ok(loader_next(l, &s, &waited, err));
			hash[i] = hash_step(s);
			assert_int_equal(s[0].index, i * 2 % IMAGES);
			assert_true(!s[0].target && s[1].target);
			for (size_t k = 0; k < i; k++)
				assert_true(hash[k] != hash[i]);
		}
		assert_fails(loader_next(l, &s, &waited, err), TP_CONFLICT, "no step");
		loader_free(l);
		for (uint64_t first = 1; first < STEPS; first += 6) {
			l = open_loader(w, first, STEPS, 3);
			for (uint64_t i = first; i < STEPS; i++) {
				assert_ok(loader_next(l, &s, &waited, err));
				assert_true(hash_step(s) == hash[i]);
			}
			loader_free(l);
		}
	}
	assert_true(atomic_load(&w->signals_blocked));
	free_world(w);
}

/* One sample at scale 1, crop = image, no mirror: the maps as stored. */
static void sources_give_their_labels(void **state)
{
	world *w = new_world();
	w->augment =
		(augment_spec){.crop_h = CROP_H, .crop_w = CROP_W, .scale_low = 1, .scale_high = 1};
	const sample *s;
	bool waited;
	for (int source = LABELS_NONE; source <= LABELS_SOFT; source++) {
		w->source = (label_source)source;
		w->weights = source == LABELS_PSEUDO;
		loader *l = open_loader(w, 0, 1, 1);
		assert_ok(loader_next(l, &s, &waited, err));
		augment_draw d = augment_choose(&w->augment, 5, 0, 0, H, W, NULL);
		size_t counted = 0;
		for (size_t i = 0; i < PIXELS; i++) {
			size_t at = (d.top + i / CROP_W) * W + d.left + i % CROP_W;
			size_t stored = at % 11 == 0 ? 255 : rng_u64(0, RNG_TEST, at) % K;
			size_t label = s[0].label[i];
			if (source == LABELS_NONE)
				assert_int_equal(label, 255);
			if (source == LABELS_FILE)
				assert_int_equal(label, stored == 255 ? 255 : K - 1 - stored);
			if (source == LABELS_PSEUDO) {
				assert_int_equal(label, stored);
				assert_near(s[0].weight[i],
				            (uint16_t)rng_u64(100, RNG_TEST, at) / 65535.0, 1e-7);
			}
			if (source == LABELS_SOFT) {
				double sum = 0, best = 0;
				for (size_t k = 0; k < K; k++) {
					sum += s[0].soft[k * PIXELS + i];
					best = fmax(best, s[0].soft[k * PIXELS + i]);
				}
				if (label == 255) {
					assert_true(sum == 0);
				} else {
					assert_near(sum, 1, 1e-5);
					assert_true(s[0].soft[label * PIXELS + i] == best);
					counted++;
				}
			}
		}
		assert_int_equal(s[0].weight != NULL, source == LABELS_PSEUDO);
		assert_int_equal(s[0].soft != NULL, source == LABELS_SOFT);
		if (source == LABELS_SOFT)
			assert_true(counted > PIXELS / 4 && counted < PIXELS);
		loader_free(l);
	}
	free_world(w);
}

/* A target sample with source classes over it: outside of what is pasted it is what it was without; a
 * teacher is offered that part of the picture and no more. */
static void pasting_leaves_the_rest(void **state)
{
	(void)state;
	world *w = new_world();
	photometric_spec colours = {.jitter_chance = 1, .jitter_strength = 0.3, .blur_sigma_high = 1};
	size_t pasted = 0, taught = 0, padding = 0, other = 0;
	sampler_spec spec = {.classes = K, .norm = INPUT_NORM_IMAGENET, .seed = 5};
	sampler *s;
	sample room[2], plain, mixed;
	assert_ok(sampler_create(&spec, &s, err));
	for (size_t i = 0; i < 2; i++)
		room[i] = (sample){.input = floats(PIXELS * 3), .label = malloc(PIXELS), .weight = floats(PIXELS),
		                   .clean = floats(PIXELS * 3), .teach = malloc(PIXELS)};
	for (uint64_t step = 0; step < 12; step++) {
		sample_request from, to;
		assert_ok(plan(w, step, 0, &from, err));
		assert_ok(plan(w, step, 1, &to, err));
		to.source = LABELS_ONLINE;
		assert_ok(sampler_make(s, &to, step, 1, &room[0], &plain, err));
		to.paste = &from;
		assert_ok(sampler_make(s, &to, step, 1, &room[1], &mixed, err));
		assert_memory_equal(mixed.clean, plain.input, PIXELS * 3 * sizeof(float));
		for (size_t i = 0; i < PIXELS; i++) {
			bool over = mixed.label[i] != CLASS_IGNORE;
			pasted += over;
			taught += mixed.teach[i];
			padding += !plain.teach[i];
			assert_int_equal(plain.label[i], CLASS_IGNORE);
			assert_true(mixed.weight[i] == (over ? 1.0f : 0.0f));
			assert_int_equal(mixed.teach[i], plain.teach[i] && !over);
			assert_true(!over || plain.teach[i]); /* nothing lies over padding */
			if (!over)
				assert_memory_equal(mixed.input + 3 * i, plain.input + 3 * i, 12);
		}
		to.photometric = &colours;
		assert_ok(sampler_make(s, &to, step, 1, &room[1], &mixed, err));
		assert_memory_equal(mixed.clean, plain.input, PIXELS * 3 * sizeof(float));
		other += memcmp(mixed.input, plain.input, PIXELS * 3 * sizeof(float)) != 0;
	}
	assert_true(pasted > 0 && taught > 0 && padding > 0 && other == 12);
	for (size_t i = 0; i < 2; i++) {
		mem_free(room[i].input);
		mem_free(room[i].weight);
		mem_free(room[i].clean);
		free(room[i].label);
		free(room[i].teach);
	}
	sampler_free(s);
	free_world(w);
}

/* Does `how` change what `q` gives without it? */
static bool changes(sampler *s, sample_request q, const photometric_spec *how, sample room[2])
{
	sample plain, other;
	assert_ok(sampler_make(s, &q, 0, 0, &room[0], &plain, err));
	q.photometric = how;
	assert_ok(sampler_make(s, &q, 0, 0, &room[1], &other, err));
	return memcmp(plain.input, other.input, PIXELS * 3 * sizeof(float)) != 0;
}

/* Colours taken from the target are not jittered, but blurred. */
static void taken_colours_stay(void **state)
{
	(void)state;
	world *w = new_world();
	static const photometric_spec jitter = {.jitter_chance = 1, .jitter_strength = 0.3},
				      blur = {.blur_chance = 1, .blur_sigma_low = 1, .blur_sigma_high = 1};
	sampler_spec spec = {.classes = K, .norm = INPUT_NORM_IMAGENET, .seed = 5};
	sampler *s;
	sample_request q, other;
	sample room[2];
	assert_ok(sampler_create(&spec, &s, err));
	for (size_t i = 0; i < 2; i++)
		room[i] = (sample){.input = floats(PIXELS * 3), .label = malloc(PIXELS)};
	assert_ok(plan(w, 0, 0, &q, err));
	assert_ok(plan(w, 0, 1, &other, err));
	assert_true(changes(s, q, &jitter, room) && changes(s, q, &blur, room));
	q.look = other.image;
	assert_true(!changes(s, q, &jitter, room) && changes(s, q, &blur, room));
	for (size_t i = 0; i < 2; i++) {
		mem_free(room[i].input);
		free(room[i].label);
	}
	sampler_free(s);
	free_world(w);
}

/* The steps before the bad one arrive; then the error comes, and again when asked again. */
static void errors_come_at_their_step(void **state)
{
	world *w = new_world();
	const sample *s;
	bool waited;
	for (uint64_t bad = 0; bad < 6; bad++) {
		w->bad_step = bad;
		loader *l = open_loader(w, 0, 10, 3);
		for (uint64_t i = 0; i < bad; i++)
			assert_ok(loader_next(l, &s, &waited, err));
		for (int again = 0; again < 2; again++)
			assert_fails(loader_next(l, &s, &waited, err), TP_NOTFOUND,
			             "/absent/x.png");
		loader_free(l);
	}
	w->bad_step = UINT64_MAX;

	/* Each kind of broken file is named. */
	const uint8_t value[3] = {0, 1, K};
	put_file(w->dir, "l0.png", make_gray_label(W, H, value, 3));
	w->source = LABELS_PSEUDO;
	loader *l = open_loader(w, 0, 1, 1);
	assert_fails(loader_next(l, &s, &waited, err), TP_INVALID, "l0.png: value 4 at x 2, y 0");
	loader_free(l);
	put_file(w->dir, "l0.png", make_gray_label(W, H + 1, value, 2));
	l = open_loader(w, 0, 1, 1);
	assert_fails(loader_next(l, &s, &waited, err), TP_INVALID, "l0.png is 40x31, its image");
	loader_free(l);
	put_text(w->dir, "p0.bin", "nothing");
	w->source = LABELS_SOFT;
	l = open_loader(w, 0, 1, 1);
	assert_fails(loader_next(l, &s, &waited, err), TP_CORRUPT, "p0.bin");
	loader_free(l);
	put_text(w->dir, "i0.png", "no image");
	l = open_loader(w, 0, 1, 1);
	assert_fails(loader_next(l, &s, &waited, err), TP_INVALID, "i0.png is neither");
	loader_free(l);
	free_world(w);
}

/* Waits until `plans` samples were asked for, and a little longer for one too many. */
static void assert_plans(world *w, unsigned plans)
{
	for (int i = 0; i < 1000 && atomic_load(&w->plans) < plans; i++)
		(void)usleep(10000);
	(void)usleep(50000);
	assert_int_equal(atomic_load(&w->plans), plans);
}

static void waiting_is_reported(void **state)
{
	world *w = new_world();
	const sample *s;
	bool waited = false;
	w->pause = 20000;
	loader *l = open_loader(w, 0, 4, 3);
	assert_ok(loader_next(l, &s, &waited, err));
	assert_true(waited); /* 40 ms of pauses before the first step */
	assert_plans(w, 4 * 2);
	assert_ok(loader_next(l, &s, &waited, err));
	assert_false(waited);
	loader_free(l);
	free_world(w);
}

/* Never more than `ahead` steps beyond the one that the caller holds. */
static void runs_ahead_no_further_than_told(void **state)
{
	world *w = new_world();
	const sample *s;
	bool waited;
	loader *l = open_loader(w, 0, 100, 2);
	assert_plans(w, 3 * 2); /* the ring: one to hold, two ahead */
	assert_ok(loader_next(l, &s, &waited, err));
	uint64_t before = hash_step(s);
	assert_plans(w, 3 * 2);
	assert_true(hash_step(s) == before);
	assert_ok(loader_next(l, &s, &waited, err));
	assert_plans(w, 4 * 2);
	loader_free(l);
	free_world(w);
}

/* Freed at any moment: before the first step, while full, in the middle. */
static void stops_at_any_moment(void **state)
{
	world *w = new_world();
	for (useconds_t us = 0; us < 20000; us += 700) {
		loader *l = open_loader(w, 0, 1000, 2);
		const sample *s;
		bool waited;
		if (us % 1400 == 0)
			assert_ok(loader_next(l, &s, &waited, err));
		(void)usleep(us);
		loader_free(l);
	}
	loader_free(NULL);
	free_world(w);
}

static void bad_specs_are_refused(void **state)
{
	world *w = new_world();
	loader *l = NULL;
	loader_spec s = spec_of(w, 0, 10, 0);
	assert_fails(loader_create(&s, &l, err), TP_INVALID, "range");
	s = spec_of(w, 10, 0, 1);
	assert_fails(loader_create(&s, &l, err), TP_INVALID, "range");
	s = spec_of(w, 0, 10, 1);
	s.crop_h = s.crop_w = (size_t)1 << 40;
	assert_fails(loader_create(&s, &l, err), TP_INVALID, "too large");
	s = spec_of(w, 0, 10, 1);
	s.crop_h = s.crop_w = (size_t)1 << 25;
	assert_int_equal(loader_create(&s, &l, NULL), TP_NOMEM);
	assert_null(l);
	/* A request for what was not planned. */
	w->weights = true;
	s = spec_of(w, 0, 10, 1);
	s.weights = false;
	assert_ok(loader_create(&s, &l, err));
	const sample *got;
	bool waited;
	assert_fails(loader_next(l, &got, &waited, err), TP_INVALID, "no memory for weights");
	loader_free(l);
	free_world(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resumed_samples_are_the_same),
		cmocka_unit_test(sources_give_their_labels),
		cmocka_unit_test(pasting_leaves_the_rest),
		cmocka_unit_test(taken_colours_stay),
		cmocka_unit_test(errors_come_at_their_step),
		cmocka_unit_test(waiting_is_reported),
		cmocka_unit_test(runs_ahead_no_further_than_told),
		cmocka_unit_test(stops_at_any_moment),
		cmocka_unit_test(bad_specs_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
