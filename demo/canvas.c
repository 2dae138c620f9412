#include "canvas.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"

int canvas_init(canvas *c, size_t w, size_t h, uint64_t seed)
{
	c->w = 2 * w;
	c->h = 2 * h;
	c->seed = seed;
	c->color = calloc(c->w * c->h, sizeof *c->color);
	c->label = calloc(c->w * c->h, sizeof *c->label);
	if (c->color != NULL && c->label != NULL)
		return 0;
	canvas_done(c);
	return -1;
}

void canvas_done(canvas *c)
{
	free(c->color);
	free(c->label);
	c->color = NULL;
	c->label = NULL;
}

static float lattice(uint64_t seed, int x, int y)
{
	uint64_t at = ((uint64_t)(uint32_t)x << 32) | (uint32_t)y;
	return (float)(2.0 * rng_uniform(seed, RNG_SCENE, at) - 1.0);
}

float canvas_noise(uint64_t seed, float x, float y)
{
	int ix = (int)floorf(x), iy = (int)floorf(y);
	float fx = x - (float)ix, fy = y - (float)iy;
	fx = fx * fx * (3 - 2 * fx);
	fy = fy * fy * (3 - 2 * fy);
	float a = lattice(seed, ix, iy), b = lattice(seed, ix + 1, iy);
	float d = lattice(seed, ix, iy + 1), e = lattice(seed, ix + 1, iy + 1);
	return (a + (b - a) * fx) * (1 - fy) + (d + (e - d) * fx) * fy;
}

static void paint(canvas *c, const material *m, size_t x, size_t y)
{
	float fx = (float)x, fy = (float)y, shade = 1;
	if (m->grain > 0)
		shade += m->grain * canvas_noise(c->seed + m->label, fx / m->grain_size,
		                                 fy / m->grain_size);
	if (m->stripes_x > 0 && fmodf(fx / (float)c->w * m->stripes_x, 1.0f) < 0.45f &&
	    fmodf(fy / (float)c->h * m->stripes_y, 1.0f) < 0.5f)
		shade *= 0.6f;
	rgb *p = &c->color[y * c->w + x];
	*p = (rgb){m->color.r * shade, m->color.g * shade, m->color.b * shade};
	c->label[y * c->w + x] = m->label;
}

static size_t clamp_index(float v, size_t n)
{
	return v <= 0 ? 0 : v >= (float)n ? n : (size_t)v;
}

void canvas_polygon(canvas *c, const material *m, const point *p, size_t n)
{
	for (size_t y = 0; y < c->h; y++) {
		/* Even-odd rule along the row's centre line; at most a few crossings. */
		float at = ((float)y + 0.5f) / (float)c->h, cross[16];
		size_t k = 0;
		for (size_t i = 0, j = n - 1; i < n; j = i++)
			if ((p[i].y > at) != (p[j].y > at) && k < 16)
				cross[k++] = p[i].x + (at - p[i].y) / (p[j].y - p[i].y) * (p[j].x - p[i].x);
		for (size_t a = 1; a < k; a++)
			for (size_t b = a; b > 0 && cross[b - 1] > cross[b]; b--) {
				float t = cross[b];
				cross[b] = cross[b - 1];
				cross[b - 1] = t;
			}
		for (size_t a = 0; a + 1 < k; a += 2) {
			size_t x1 = clamp_index(cross[a + 1] * (float)c->w + 0.5f, c->w);
			for (size_t x = clamp_index(cross[a] * (float)c->w + 0.5f, c->w); x < x1; x++)
				paint(c, m, x, y);
		}
	}
}

void canvas_box(canvas *c, const material *m, float x0, float y0, float x1, float y1)
{
	const point p[4] = {{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}};
	canvas_polygon(c, m, p, 4);
}

void canvas_ellipse(canvas *c, const material *m, float cx, float cy, float rx, float ry)
{
	enum { CORNERS = 16 };
	point p[CORNERS];
	for (size_t i = 0; i < CORNERS; i++) {
		float a = (float)i * 6.2831853f / CORNERS;
		p[i] = (point){cx + rx * cosf(a), cy + ry * sinf(a)};
	}
	canvas_polygon(c, m, p, CORNERS);
}

void canvas_picture(const canvas *c, rgb *picture, uint8_t *label)
{
	size_t w = c->w / 2, h = c->h / 2;
	for (size_t y = 0; y < h; y++) {
		for (size_t x = 0; x < w; x++) {
			const rgb *a = &c->color[2 * y * c->w + 2 * x], *b = a + c->w;
			picture[y * w + x] = (rgb){(a[0].r + a[1].r + b[0].r + b[1].r) / 4,
			                           (a[0].g + a[1].g + b[0].g + b[1].g) / 4,
			                           (a[0].b + a[1].b + b[0].b + b[1].b) / 4};
			label[y * w + x] = c->label[2 * y * c->w + 2 * x];
		}
	}
}
