/* tpld-scenes: makes the demo's two domains as data sets of layout `folder`, with train ids of
 * cityscapes-19 as palette PNGs:
 *   tpld-scenes --out DIR --look renderer|camera --count N [--seed N] [--size WxH] [--first N]
 * The same arguments give the same bytes. */
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/rng.h"
#include "data/classes.h"
#include "data/png.h"
#include "scene.h"

typedef struct options {
	const char *out;
	look look;
	unsigned long count, first;
	uint64_t seed;
	size_t w, h;
} options;

static int usage(FILE *to, int code)
{
	(void)fputs("usage: tpld-scenes --out DIR --look renderer|camera --count N [--seed N]\n"
	            "                   [--size WIDTHxHEIGHT] [--first N]\n"
	            "Writes DIR/images/NNNN.png and DIR/labels/NNNN.png, train ids of cityscapes-19.\n",
	            to);
	return code;
}

static int parse(int argc, char **argv, options *o)
{
	static const struct option long_options[] = {
		{"out", required_argument, NULL, 'o'},   {"look", required_argument, NULL, 'l'},
		{"count", required_argument, NULL, 'n'}, {"seed", required_argument, NULL, 's'},
		{"size", required_argument, NULL, 'z'},  {"first", required_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},        {0},
	};
	bool look_given = false;
	*o = (options){.seed = 1, .w = 256, .h = 128};
	for (int c; (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
		switch (c) {
		case 'o':
			o->out = optarg;
			break;
		case 'l':
			look_given = strcmp(optarg, "renderer") == 0 || strcmp(optarg, "camera") == 0;
			o->look = optarg[0] == 'c' ? LOOK_CAMERA : LOOK_RENDERER;
			break;
		case 'n':
			o->count = strtoul(optarg, NULL, 10);
			break;
		case 's':
			o->seed = strtoull(optarg, NULL, 10);
			break;
		case 'f':
			o->first = strtoul(optarg, NULL, 10);
			break;
		case 'z':
			if (sscanf(optarg, "%zux%zu", &o->w, &o->h) != 2)
				return usage(stderr, 64);
			break;
		case 'h':
			exit(usage(stdout, 0));
		default:
			return usage(stderr, 64);
		}
	}
	if (o->out == NULL || !look_given || o->count == 0 || o->count > 100000 || o->w < 16 ||
	    o->h < 16 || o->w > 4096 || o->h > 4096)
		return usage(stderr, 64);
	return 0;
}

static tp_status write_png(const options *o, const char *folder, uint32_t index, png_bytes *png,
                           tp_err *err)
{
	char path[1200];
	(void)snprintf(path, sizeof path, "%s/%s/%04" PRIu32 ".png", o->out, folder, index);
	file_part part = {png->data, png->size};
	tp_status st = file_replace_cache(AT_FDCWD, path, &part, 1, err);
	free(png->data);
	return st;
}

/* Two images of five are hard: dusk, haze, blur. */
static float severity(const options *o, uint32_t index)
{
	float u = (float)rng_uniform(o->seed, RNG_SCENE, 0x736576u + index);
	return u < 0.6f ? u * 0.6f : 0.6f + (u - 0.6f);
}

static tp_status make(const options *o, uint32_t index, const uint8_t palette[256][3], tp_err *err)
{
	size_t n = o->w * o->h;
	canvas c = {0};
	rgb *picture = calloc(2 * n, sizeof *picture);
	uint8_t *label = calloc(n, 1), *bytes = calloc(n, 3);
	scene_spec s = {o->seed, index, o->look, severity(o, index)};
	png_bytes png;
	tp_status st = TP_NOMEM;
	if (picture != NULL && label != NULL && bytes != NULL &&
	    canvas_init(&c, o->w, o->h, rng_u64(o->seed, RNG_SCENE, index)) == 0) {
		scene_paint(&s, &c);
		canvas_picture(&c, picture, label);
		scene_expose(&s, picture, o->w, o->h, picture + n);
		for (size_t i = 0; i < n; i++) {
			const float v[3] = {picture[i].r, picture[i].g, picture[i].b};
			for (size_t k = 0; k < 3; k++)
				bytes[3 * i + k] = (uint8_t)(v[k] <= 0   ? 0
				                             : v[k] >= 1 ? 255
				                                         : v[k] * 255 + 0.5f);
		}
		st = png_encode_rgb(bytes, o->w, o->h, &png, err);
		if (st == TP_OK)
			st = write_png(o, "images", index, &png, err);
		if (st == TP_OK)
			st = png_encode_palette(label, o->w, o->h, palette, &png, err);
		if (st == TP_OK)
			st = write_png(o, "labels", index, &png, err);
	}
	canvas_done(&c);
	free(picture);
	free(label);
	free(bytes);
	return st;
}

int main(int argc, char **argv)
{
	options o;
	class_set set;
	uint8_t palette[256][3];
	char path[1100];
	tp_err err = {0};
	int rc = parse(argc, argv, &o);
	if (rc != 0)
		return rc;
	tp_status st = class_set_builtin("cityscapes-19", &set, &err);
	if (st == TP_OK) {
		class_set_palette(&set, palette);
		(void)snprintf(path, sizeof path, "%s/images", o.out);
		st = file_mkdirs(path, &err);
	}
	if (st == TP_OK) {
		(void)snprintf(path, sizeof path, "%s/labels", o.out);
		st = file_mkdirs(path, &err);
	}
	for (unsigned long i = 0; i < o.count && st == TP_OK; i++)
		st = make(&o, (uint32_t)(o.first + i), (const uint8_t(*)[3])palette, &err);
	if (st == TP_OK)
		return 0;
	(void)fprintf(stderr, "tpld-scenes: %s\n", err.text[0] != 0 ? err.text : tp_status_text(st));
	return 1;
}
