#include "data/sample.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "adapt/pseudo.h"
#include "base/mem.h"
#include "data/class_mix.h"
#include "data/color_transfer.h"
#include "data/label.h"
#include "data/logits.h"

struct sampler {
	sampler_spec spec;
	label_map own_ids; /* of our pseudo labels: train ids and LABEL_NONE */
	pool *alone;       /* a pool without workers: scoring code wants one */
	float *soft;       /* [K][image pixels] and the scratch of probs; grows, is kept */
	size_t soft_floats;
	/* A second crop: what is pasted, and then the blur's scratch; taken when first wanted. */
	float *second_input;
	uint8_t *second_label, *inside;
	size_t second_pixels;
};

/* Slots of the pasted images' random numbers lie behind those of the samples themselves. */
enum { PASTE_SLOTS = 2048 };

tp_status sampler_create(const sampler_spec *spec, sampler **ret, tp_err *err)
{
	if (spec->classes < 1 || spec->classes > 255)
		return tp_fail(err, TP_INVALID, 0, "samples: %zu classes", spec->classes);
	sampler *s = calloc(1, sizeof *s);
	if (s == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory for samples");
	s->spec = *spec;
	for (size_t v = 0; v < 65536; v++)
		s->own_ids.train[v] = (uint16_t)(v < spec->classes ? v : LABEL_UNKNOWN);
	s->own_ids.train[CLASS_IGNORE] = CLASS_IGNORE;
	tp_status st = pool_create(1, &s->alone, err);
	if (st != TP_OK) {
		free(s);
		return st;
	}
	*ret = s;
	return TP_OK;
}

static void free_second(sampler *s)
{
	mem_free(s->second_input);
	mem_free(s->second_label);
	mem_free(s->inside);
	s->second_input = NULL;
	s->second_label = s->inside = NULL;
	s->second_pixels = 0;
}

void sampler_free(sampler *s)
{
	if (s == NULL)
		return;
	pool_free(s->alone);
	mem_free(s->soft);
	free_second(s);
	free(s);
}

size_t sampler_bytes(size_t classes, size_t image_w, size_t image_h, bool soft, bool flip_average)
{
	size_t maps = !soft ? 0 : flip_average ? 2 : 1;
	return image_load_bytes(image_w, image_h) +
	       maps * classes * image_w * image_h * sizeof(float);
}

size_t sampler_look_bytes(size_t image_w, size_t image_h)
{
	return image_load_bytes(image_w, image_h);
}

size_t sampler_second_bytes(size_t crop_pixels) { return crop_pixels * (3 * sizeof(float) + 2); }

static tp_status reserve_second(sampler *s, size_t pixels, tp_err *err)
{
	if (pixels <= s->second_pixels)
		return TP_OK;
	free_second(s);
	void *label = NULL, *inside = NULL;
	tp_status st = mem_floats(pixels * 3, &s->second_input, err);
	if (st == TP_OK)
		st = mem_bytes(pixels, &label, err);
	s->second_label = label;
	if (st == TP_OK)
		st = mem_bytes(pixels, &inside, err);
	s->inside = inside;
	if (st == TP_OK)
		s->second_pixels = pixels;
	else
		free_second(s);
	return st;
}

static tp_status reserve_soft(sampler *s, size_t floats, tp_err *err)
{
	if (floats <= s->soft_floats)
		return TP_OK;
	mem_free(s->soft);
	s->soft = NULL;
	s->soft_floats = 0;
	tp_status st = mem_floats(floats, &s->soft, err);
	if (st == TP_OK)
		s->soft_floats = floats;
	return st;
}

/* Stored logits -> s->soft, at the image's size (algorithms.md 2.2). */
static tp_status load_soft(sampler *s, const sample_request *req, const image *img, tp_err *err)
{
	logits_file f;
	tp_status st = logits_read(AT_FDCWD, req->logits, req->logits_stamp, &f, err);
	if (st != TP_OK)
		return st;
	size_t pixels = img->w * img->h, classes = s->spec.classes;
	if (f.map.classes != classes || f.map.full_w != img->w || f.map.full_h != img->h)
		st = tp_fail(err, TP_SHAPE, 0, "%s: %zu classes, %zux%zu pixels; %s has %zux%zu",
		             req->logits, f.map.classes, f.map.full_w, f.map.full_h, req->image,
		             img->w, img->h);
	else
		st = reserve_soft(s, classes * pixels + probs_scratch(&f.map), err);
	if (st == TP_OK) {
		probs_from_logits(&f.map, s->soft, s->soft + classes * pixels, s->alone);
		pseudo_lrent(s->soft, req->lambda, req->lrent_alpha, classes, pixels, s->soft,
		             s->alone);
	}
	logits_done(&f);
	return st;
}

/* The hard form of soft labels: argmax (ties: lowest k), CLASS_IGNORE for the zero vector. In
 * blocks, because the planes of a class are far apart. */
static void harden(const float *soft, size_t classes, size_t pixels, uint8_t *label)
{
	enum { BLOCK = 256 };
	memset(label, CLASS_IGNORE, pixels);
	for (size_t at = 0; at < pixels; at += BLOCK) {
		size_t n = pixels - at < BLOCK ? pixels - at : BLOCK;
		float best[BLOCK] = {0};
		for (size_t k = 0; k < classes; k++) {
			const float *p = soft + k * pixels + at;
			for (size_t i = 0; i < n; i++) {
				label[at + i] = p[i] > best[i] ? (uint8_t)k : label[at + i];
				best[i] = p[i] > best[i] ? p[i] : best[i];
			}
		}
	}
}

/* The decoded files of one request, at the image's size. */
typedef struct source_files {
	image img;
	uint8_t *label;   /* or NULL */
	uint16_t *weight; /* or NULL */
} source_files;

static void source_files_done(source_files *f)
{
	image_done(&f->img);
	free(f->label);
	free(f->weight);
}

static tp_status load_label(sampler *s, const sample_request *req, source_files *f, tp_err *err)
{
	size_t w, h, pixels = f->img.w * f->img.h;
	tp_status st;
	switch (req->source) {
	case LABELS_NONE:
	case LABELS_ONLINE:
		return TP_OK;
	case LABELS_FILE:
	case LABELS_PSEUDO:
		return label_load(req->label, req->source == LABELS_FILE ? req->map : &s->own_ids,
		                  f->img.w, f->img.h, &f->label, &w, &h, err);
	case LABELS_SOFT:
		st = load_soft(s, req, &f->img, err);
		if (st != TP_OK)
			return st;
		f->label = malloc(pixels);
		if (f->label == NULL)
			return tp_fail(err, TP_NOMEM, 0, "out of memory for soft labels");
		harden(s->soft, s->spec.classes, pixels, f->label);
		return TP_OK;
	}
	return tp_fail(err, TP_INVALID, 0, "samples: unknown label source %d", (int)req->source);
}

static tp_status take_look(const char *path, image *img, tp_err *err)
{
	image look;
	tp_status st = image_load(path, &look, err);
	if (st != TP_OK)
		return st;
	color_transfer(img, &look);
	image_done(&look);
	return TP_OK;
}

static tp_status load_files(sampler *s, const sample_request *req, source_files *f, tp_err *err)
{
	tp_status st = image_load(req->image, &f->img, err);
	if (st == TP_OK)
		st = load_label(s, req, f, err);
	if (st == TP_OK && req->look != NULL)
		st = take_look(req->look, &f->img, err);
	size_t w, h;
	if (st == TP_OK && req->weight != NULL)
		st = label_load_values(req->weight, f->img.w, f->img.h, &f->weight, &w, &h, err);
	return st;
}

static tp_status check_request(const sample_request *req, const sample *room, tp_err *err)
{
	bool labelled = req->source == LABELS_FILE || req->source == LABELS_PSEUDO;
	const char *missing = NULL;
	if (req->image == NULL)
		missing = "image";
	else if (req->augment == NULL)
		missing = "augmentation";
	else if (labelled && req->label == NULL)
		missing = "label";
	else if (req->source == LABELS_FILE && req->map == NULL)
		missing = "label map";
	else if (req->source == LABELS_SOFT && (req->logits == NULL || req->lambda == NULL))
		missing = "logits";
	else if (req->source == LABELS_SOFT && room->soft == NULL)
		missing = "memory for soft labels";
	else if (req->weight != NULL && room->weight == NULL)
		missing = "memory for weights";
	else if (req->source == LABELS_ONLINE &&
	         (room->weight == NULL || room->clean == NULL || room->teach == NULL))
		missing = "memory for a teacher's labels";
	if (missing != NULL)
		return tp_fail(err, TP_INVALID, 0, "sample %u of %s has no %s", req->index,
		               req->target ? "the target" : "the source", missing);
	return TP_OK;
}

/* Cuts the crop of a request, without pasting and colours. */
static tp_status make_plain(sampler *s, const sample_request *req, uint64_t step, size_t slot,
                            const sample *room, sample *ret, augment_draw *ret_draw, tp_err *err)
{
	tp_status st = check_request(req, room, err);
	if (st != TP_OK)
		return st;
	source_files f = {0};
	st = load_files(s, req, &f, err);
	if (st != TP_OK) {
		source_files_done(&f);
		return st;
	}
	const augment_spec *a = req->augment;
	size_t h = f.img.h, w = f.img.w, crop = a->crop_h * a->crop_w;
	augment_draw d = augment_choose(a, s->spec.seed, step, slot, h, w, f.label);
	sample r = {.input = room->input,
	            .label = room->label,
	            .target = req->target,
	            .index = req->index};
	augment_image(a, &d, &f.img, &s->spec.norm, r.input);
	if (req->source == LABELS_SOFT) {
		r.soft = room->soft;
		augment_soft(a, &d, s->soft, s->spec.classes, h, w, r.soft);
		harden(r.soft, s->spec.classes, crop, r.label);
	} else if (f.label != NULL) {
		augment_label(a, &d, f.label, h, w, r.label);
	} else {
		memset(r.label, CLASS_IGNORE, crop);
	}
	if (f.weight != NULL) {
		r.weight = room->weight;
		augment_weight(a, &d, f.weight, h, w, r.weight);
	}
	source_files_done(&f);
	*ret = r;
	*ret_draw = d;
	return TP_OK;
}

/* inside[i] = 1 where the crop shows its picture. */
static void mark_picture(const augment_spec *a, const augment_draw *d, uint8_t *inside)
{
	size_t left, h, w;
	augment_picture(a, d, &left, &h, &w);
	for (size_t y = 0; y < a->crop_h; y++)
		for (size_t x = 0; x < a->crop_w; x++)
			inside[y * a->crop_w + x] = y < h && x >= left && x < left + w;
}

/* What a teacher will want: the crop as it is now, and which pixels are its own. */
static void keep_clean(const sample_request *req, const augment_draw *d, const sample *room, sample *r)
{
	size_t crop = req->augment->crop_h * req->augment->crop_w;
	r->clean = room->clean;
	r->teach = room->teach;
	r->weight = room->weight;
	memcpy(r->clean, r->input, crop * 3 * sizeof(float));
	mark_picture(req->augment, d, r->teach);
	memset(r->weight, 0, crop * sizeof(float));
}

static tp_status paste(sampler *s, const sample_request *req, uint64_t step, size_t slot,
                       const augment_draw *d, sample *over, tp_err *err)
{
	const augment_spec *a = req->augment;
	size_t crop = a->crop_h * a->crop_w;
	sample room = {.input = s->second_input, .label = s->second_label}, from;
	augment_draw drawn;
	bool chosen[256];
	if (req->paste->augment->crop_h != a->crop_h || req->paste->augment->crop_w != a->crop_w)
		return tp_fail(err, TP_SHAPE, 0, "samples of two sizes");
	tp_status st = make_plain(s, req->paste, step, slot + PASTE_SLOTS, &room, &from, &drawn, err);
	if (st != TP_OK)
		return st;
	mark_picture(a, d, s->inside);
	class_mix_choose(from.label, crop, s->spec.seed, step, slot, chosen);
	mix_crop to = {over->input, over->label, over->weight, over->soft};
	(void)class_mix_paste(from.input, from.label, chosen, s->inside, s->spec.classes, crop, &to);
	for (size_t i = 0; over->teach != NULL && i < crop; i++)
		over->teach[i] = over->teach[i] && !chosen[from.label[i]];
	return TP_OK;
}

tp_status sampler_make(sampler *s, const sample_request *req, uint64_t step, size_t slot,
                       const sample *room, sample *ret, tp_err *err)
{
	sample r;
	augment_draw d;
	tp_status st = make_plain(s, req, step, slot, room, &r, &d, err);
	if (st == TP_OK && req->source == LABELS_ONLINE)
		keep_clean(req, &d, room, &r);
	if (st == TP_OK && (req->paste != NULL || req->photometric != NULL))
		st = reserve_second(s, req->augment->crop_h * req->augment->crop_w, err);
	if (st == TP_OK && req->paste != NULL)
		st = paste(s, req, step, slot, &d, &r, err);
	if (st != TP_OK)
		return st;
	if (req->photometric != NULL) {
		size_t left, h, w;
		photometric_draw p = photometric_choose(req->photometric, s->spec.seed, step, slot);
		/* Jitter would take the colours away again. */
		p.jitter = p.jitter && req->look == NULL;
		augment_picture(req->augment, &d, &left, &h, &w);
		photometric_apply(&p, &s->spec.norm, req->augment->crop_w, left, h, w, r.input,
		                  s->second_input);
	}
	*ret = r;
	return TP_OK;
}
