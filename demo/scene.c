#include "scene.h"

#include <math.h>

#include "base/rng.h"

enum {
	ROAD, SIDEWALK, BUILDING, WALL, FENCE, POLE, LIGHT, SIGN, VEGETATION, TERRAIN, SKY, PERSON, RIDER,
	CAR, TRUCK, BUS, TRAIN, MOTORCYCLE, BICYCLE, CLASSES
};

/* Base colours, 0..255. The camera sees a greyer world whose classes moved by different amounts. */
static const uint8_t base_color[2][CLASSES][3] = {
	[LOOK_RENDERER] = {
		{92, 92, 98}, {176, 152, 168}, {160, 112, 88}, {128, 132, 160}, {190, 150, 96},
		{128, 128, 132}, {236, 150, 30}, {226, 216, 40}, {52, 136, 48}, {138, 200, 92},
		{104, 168, 240}, {236, 132, 190}, {232, 36, 36}, {36, 56, 180}, {48, 40, 96},
		{32, 112, 128}, {72, 140, 160}, {96, 40, 200}, {128, 32, 52},
	},
	[LOOK_CAMERA] = {
		{100, 97, 92}, {162, 144, 148}, {152, 118, 98}, {132, 130, 144}, {168, 140, 102},
		{118, 114, 114}, {212, 142, 50}, {208, 198, 64}, {66, 120, 54}, {134, 174, 92},
		{150, 186, 226}, {208, 132, 172}, {208, 52, 48}, {50, 68, 158}, {58, 50, 90},
		{46, 106, 120}, {84, 134, 148}, {98, 54, 172}, {122, 46, 58},
	},
};;

/* Draws of one scene, numbered in the order of asking. */
typedef struct dice {
	uint64_t seed, at;
} dice;

static float roll(dice *d, float low, float high)
{
	return low + (high - low) * (float)rng_uniform(d->seed, RNG_SCENE, d->at++);
}

static int chance(dice *d, float p) { return roll(d, 0, 1) < p; }

typedef struct street {
	const scene_spec *spec;
	canvas *c;
	dice d;
	float horizon, vx;          /* y of the horizon, x of the vanishing point */
	float left, right;          /* road's edges at the bottom of the picture */
	float aspect;               /* height / width: a metre is as wide as high */
} street;

/* Colour of an instance: the class's, moved by up to `spread` in brightness and a little in hue. The
 * worse the camera's conditions, the further its colours are from the renderer's. */
static material surface(street *s, int label, float spread)
{
	const uint8_t *r = base_color[LOOK_RENDERER][label], *b = base_color[LOOK_CAMERA][label];
	int camera = s->spec->look == LOOK_CAMERA;
	float away = camera ? 0.1f + 0.4f * s->spec->severity : 0, c[3];
	float k = 1 + roll(&s->d, -spread, spread);
	for (int i = 0; i < 3; i++)
		c[i] = ((float)r[i] + away * (float)(b[i] - r[i])) / 255 * k * (1 + roll(&s->d, -0.06f, 0.06f));
	material m = {.label = (uint8_t)label,
	              .color = {c[0], c[1], c[2]},
	              .grain = 0.07f + 0.04f * away,
	              .grain_size = 5.0f};
	if (label == VEGETATION || label == TERRAIN) {
		m.grain += 0.22f;
		m.grain_size = 3.5f;
	}
	return m;
}

/* y of the ground at depth z: 0 at the picture's bottom edge, 1 at the horizon. */
static float ground(const street *s, float z)
{
	return s->horizon + (1 - s->horizon) * (1 - z) * (1 - z);
}

/* Height in the picture of a metre at ground y. */
static float metre(const street *s, float y) { return 0.24f * (y - s->horizon) / (1 - s->horizon); }

static float edge(const street *s, float bottom, float y)
{
	float t = (y - s->horizon) / (1 - s->horizon);
	return s->vx + (bottom - s->vx) * t;
}

static void strip(street *s, int label, float l, float r)
{
	material m = surface(s, label, 0.08f);
	const point p[4] = {{s->vx, s->horizon}, {s->vx, s->horizon}, {r, 1}, {l, 1}};
	canvas_polygon(s->c, &m, p, 4);
}

static void backdrop(street *s)
{
	material sky = surface(s, SKY, 0.06f);
	sky.grain_size = 40;
	canvas_box(s->c, &sky, 0, 0, 1, s->horizon + 0.02f);
	material far = surface(s, VEGETATION, 0.15f);
	canvas_box(s->c, &far, 0, s->horizon - roll(&s->d, 0.02f, 0.07f), 1, 1);
	strip(s, TERRAIN, -3, 4);
	strip(s, SIDEWALK, s->left - roll(&s->d, 0.16f, 0.28f), s->right + roll(&s->d, 0.16f, 0.28f));
	strip(s, ROAD, s->left, s->right);
}

/* A row of buildings, trees, walls and fences along one side, far to near. */
static void roadside(street *s, int right)
{
	float outer = right ? s->right + 0.5f : s->left - 0.5f;
	float z = 0.93f;
	while (z > 0.1f) {
		float z1 = z - roll(&s->d, 0.08f, 0.2f);
		float y0 = ground(s, z), y1 = ground(s, z1 < 0 ? 0 : z1);
		float x0 = edge(s, outer, y0), x1 = edge(s, outer, y1);
		float kind = roll(&s->d, 0, 1), tall;
		int label = kind < 0.5f ? BUILDING : kind < 0.72f ? VEGETATION : kind < 0.86f ? WALL : FENCE;
		tall = label == BUILDING     ? roll(&s->d, 3.4f, 6)
		       : label == VEGETATION ? roll(&s->d, 1.7f, 3.4f)
		                             : roll(&s->d, 0.9f, 1.6f);
		material m = surface(s, label, label == BUILDING ? 0.3f : 0.15f);
		if (label == BUILDING) {
			m.stripes_x = roll(&s->d, 18, 34);
			m.stripes_y = roll(&s->d, 10, 20);
		} else if (label == FENCE) {
			m.stripes_x = roll(&s->d, 50, 80);
			m.stripes_y = 0.9f;
		}
		const point p[4] = {{x0, y0 - tall * metre(s, y0)}, {x1, y1 - tall * metre(s, y1)},
		                    {x1, y1}, {x0, y0}};
		canvas_polygon(s->c, &m, p, 4);
		if (label == VEGETATION)
			canvas_ellipse(s->c, &m, (x0 + x1) / 2, y0 - tall * metre(s, y0),
			               fabsf(x1 - x0) * 0.7f, tall * metre(s, y0) * 0.5f);
		z = z1;
	}
}

static void pole(street *s, float z, int right)
{
	float y = ground(s, z), m = metre(s, y), x = edge(s, right ? s->right + 0.08f : s->left - 0.08f, y);
	float wide = 0.22f * m * s->aspect, top = y - roll(&s->d, 2.8f, 3.6f) * m;
	material post = surface(s, POLE, 0.1f);
	canvas_box(s->c, &post, x - wide, top, x + wide, y);
	if (chance(&s->d, 0.5f)) {
		material lamp = surface(s, LIGHT, 0.1f);
		canvas_box(s->c, &lamp, x - 2.4f * wide, top, x + 2.4f * wide, top + 1.4f * m);
	} else {
		material plate = surface(s, SIGN, 0.1f);
		canvas_ellipse(s->c, &plate, x, top + 0.6f * m, 0.75f * m * s->aspect, 0.75f * m);
	}
}

static void vehicle(street *s, float z, float lane, int label)
{
	static const float size[][2] = {[CAR] = {1.9f, 1.5f}, [TRUCK] = {2.5f, 3.2f}, [BUS] = {2.6f, 3.0f},
	                                [TRAIN] = {2.9f, 3.6f}};
	float y = ground(s, z), m = metre(s, y);
	float x = edge(s, s->left + (s->right - s->left) * lane, y);
	float w = size[label][0] * m * s->aspect / 2, h = size[label][1] * m;
	material body = surface(s, label, 0.25f), dark = body;
	dark.color = (rgb){body.color.r * 0.35f, body.color.g * 0.35f, body.color.b * 0.4f};
	if (label == CAR) {
		canvas_box(s->c, &body, x - w, y - h * 0.62f, x + w, y - 0.06f * h);
		canvas_box(s->c, &body, x - 0.7f * w, y - h, x + 0.7f * w, y - h * 0.55f);
		canvas_box(s->c, &dark, x - 0.6f * w, y - h * 0.93f, x + 0.6f * w, y - h * 0.65f);
	} else {
		if (label == TRAIN)
			body.stripes_y = 9, body.stripes_x = 0.9f;
		canvas_box(s->c, &body, x - w, y - h, x + w, y - 0.05f * h);
		canvas_box(s->c, &dark, x - 0.85f * w, y - 0.9f * h,
		           x + (label == TRUCK ? 0.1f : 0.85f) * w, y - 0.55f * h);
	}
	canvas_ellipse(s->c, &dark, x - 0.65f * w, y - 0.06f * h, 0.2f * w, 0.09f * h);
	canvas_ellipse(s->c, &dark, x + 0.65f * w, y - 0.06f * h, 0.2f * w, 0.09f * h);
}

static void human(street *s, float x, float y, float m, int label)
{
	material body = surface(s, label, 0.25f);
	canvas_box(s->c, &body, x - 0.42f * m * s->aspect, y - 1.45f * m, x + 0.42f * m * s->aspect, y);
	canvas_ellipse(s->c, &body, x, y - 1.62f * m, 0.26f * m * s->aspect, 0.26f * m);
}

static void walker(street *s, float z, int right)
{
	float y = ground(s, z), m = metre(s, y);
	float bottom = right ? s->right + roll(&s->d, 0.04f, 0.24f) : s->left - roll(&s->d, 0.04f, 0.24f);
	human(s, edge(s, bottom, y), y, m * roll(&s->d, 0.95f, 1.2f), PERSON);
}

static void two_wheeler(street *s, float z, float lane, int label)
{
	float y = ground(s, z), m = metre(s, y), x = edge(s, s->left + (s->right - s->left) * lane, y);
	material frame = surface(s, label, 0.2f);
	float r = 0.36f * m;
	if (chance(&s->d, 0.8f))
		human(s, x, y - 0.45f * m, 0.9f * m, RIDER);
	canvas_ellipse(s->c, &frame, x - 0.55f * m * s->aspect, y - r, r * s->aspect, r);
	canvas_ellipse(s->c, &frame, x + 0.55f * m * s->aspect, y - r, r * s->aspect, r);
	canvas_box(s->c, &frame, x - 0.5f * m * s->aspect, y - (label == MOTORCYCLE ? 1.0f : 0.7f) * m,
	           x + 0.5f * m * s->aspect, y - 0.4f * m);
}

/* What moves on the street, far to near so that near covers far. */
static void traffic(street *s)
{
	float busy = s->spec->look == LOOK_CAMERA ? 1.25f : 1.0f;
	for (float z = 0.72f; z > 0.04f; z -= roll(&s->d, 0.05f, 0.1f)) {
		float kind = roll(&s->d, 0, 1) * 1.55f / busy, lane = chance(&s->d, 0.5f)
		                                                        ? roll(&s->d, 0.12f, 0.32f)
		                                                        : roll(&s->d, 0.66f, 0.88f);
		int right = chance(&s->d, 0.5f);
		if (kind < 0.3f)
			vehicle(s, z, lane, CAR);
		else if (kind < 0.38f)
			vehicle(s, z, lane, TRUCK);
		else if (kind < 0.46f)
			vehicle(s, z, lane, BUS);
		else if (kind < 0.53f)
			vehicle(s, z, lane, TRAIN);
		else if (kind < 0.66f)
			two_wheeler(s, z, lane, MOTORCYCLE);
		else if (kind < 0.79f)
			two_wheeler(s, z, lane, BICYCLE);
		else if (kind < 1.1f)
			walker(s, z, right);
		else
			pole(s, z, right);
	}
}

void scene_paint(const scene_spec *spec, canvas *c)
{
	street s = {.spec = spec, .c = c, .aspect = (float)c->h / (float)c->w};
	s.d.seed = rng_u64(spec->seed, RNG_SCENE, ((uint64_t)spec->look << 32) + spec->index);
	int camera = spec->look == LOOK_CAMERA;
	s.horizon = camera ? roll(&s.d, 0.34f, 0.46f) : roll(&s.d, 0.38f, 0.5f);
	s.vx = roll(&s.d, 0.36f, 0.64f);
	s.left = s.vx - (camera ? roll(&s.d, 0.4f, 0.75f) : roll(&s.d, 0.5f, 0.85f));
	s.right = s.vx + (camera ? roll(&s.d, 0.4f, 0.75f) : roll(&s.d, 0.5f, 0.85f));
	backdrop(&s);
	roadside(&s, 0);
	roadside(&s, 1);
	traffic(&s);
}

static float clamp01(float v) { return v < 0 ? 0 : v > 1 ? 1 : v; }

static rgb mix(rgb a, rgb b, float t)
{
	return (rgb){a.r + (b.r - a.r) * t, a.g + (b.g - a.g) * t, a.b + (b.b - a.b) * t};
}

/* One pass of a three-tap blur in both directions. */
static void blur(rgb *p, size_t w, size_t h, float amount, rgb *scratch)
{
	for (int pass = 0; pass < 2; pass++) {
		size_t step = pass == 0 ? 1 : w;
		for (size_t i = 0; i < w * h; i++) {
			size_t along = pass == 0 ? i % w : i / w, last = (pass == 0 ? w : h) - 1;
			rgb a = p[along > 0 ? i - step : i], b = p[along < last ? i + step : i];
			scratch[i] = mix(p[i], mix(a, b, 0.5f), amount);
		}
		for (size_t i = 0; i < w * h; i++)
			p[i] = scratch[i];
	}
}

void scene_expose(const scene_spec *s, rgb *p, size_t w, size_t h, rgb *scratch)
{
	dice d = {.seed = rng_u64(s->seed ^ 0x65787073u, RNG_SCENE, s->index)};
	if (s->look == LOOK_RENDERER) { /* a sun that is not always as bright */
		float sun = roll(&d, 0.82f, 1.1f);
		for (size_t i = 0; i < w * h; i++)
			p[i] = (rgb){p[i].r * sun, p[i].g * sun, p[i].b * sun};
		return;
	}
	float k = s->severity;
	rgb tint = {1.06f, 0.98f, 0.86f}, haze_color = {0.62f, 0.6f, 0.56f};
	float haze = 0.2f + 0.15f * k * roll(&d, 0.3f, 1), dark = 0.88f - 0.15f * k * roll(&d, 0.2f, 1);
	float noise = 0.006f + 0.015f * k;
	for (size_t i = 0; i < w * h; i++) {
		float y = (float)(i / w) / (float)h, x = (float)(i % w) / (float)w - 0.5f;
		float far = clamp01(1.2f - 1.6f * y), vignette = 1 - (0.1f + 0.3f * k) * x * x;
		rgb c = {p[i].r * tint.r, p[i].g * tint.g, p[i].b * tint.b};
		c = mix(c, haze_color, haze * (0.6f + 0.4f * far));
		p[i] = (rgb){c.r * dark * vignette, c.g * dark * vignette, c.b * dark * vignette};
	}
	for (int n = 0; n < (int)(0.5f + 2.4f * k); n++)
		blur(p, w, h, 0.5f, scratch);
	for (size_t i = 0; i < w * h; i++) {
		float e = noise * (float)rng_normal(d.seed, RNG_SCENE, 1000 + i);
		p[i] = (rgb){p[i].r + e, p[i].g + e, p[i].b + e};
	}
}
