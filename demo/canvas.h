/* canvas: a picture with a label map, painted front over back. Coordinates are fractions of the width
 * (x) and of the height (y). Drawn at twice the size and averaged down, so that edges are smooth. */
#ifndef DEMO_CANVAS_H
#define DEMO_CANVAS_H

#include <stddef.h>
#include <stdint.h>

typedef struct rgb {
	float r, g, b; /* 0..1 */
} rgb;

/* What a surface looks like. `stripes`: bright-dark repeats per unit length (windows, bars), 0: none. */
typedef struct material {
	uint8_t label;
	rgb color;
	float grain, grain_size; /* relative amplitude of the surface noise, its size in pixels */
	float stripes_x, stripes_y;
} material;

typedef struct point {
	float x, y;
} point;

typedef struct canvas {
	size_t w, h;     /* of the drawing surface: twice the picture's */
	rgb *color;
	uint8_t *label;
	uint64_t seed;   /* of the surface noise */
} canvas;

/* 0 or -1 when out of memory. The picture is w x h. */
int canvas_init(canvas *c, size_t w, size_t h, uint64_t seed);
void canvas_done(canvas *c);

void canvas_polygon(canvas *c, const material *m, const point *p, size_t n);
void canvas_box(canvas *c, const material *m, float x0, float y0, float x1, float y1);
void canvas_ellipse(canvas *c, const material *m, float cx, float cy, float rx, float ry);

/* The picture at its own size: rgb [h][w], label [h][w] (of the top left drawn pixel of each four). */
void canvas_picture(const canvas *c, rgb *picture, uint8_t *label);

/* Smooth noise in -1..1 at (x, y), one value per cell of size 1, interpolated. */
float canvas_noise(uint64_t seed, float x, float y);

#endif
