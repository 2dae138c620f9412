/* scene: a street as a renderer or a camera sees it: what stands where, and its colours. All of a scene
 * is a function of (seed, index, look). Train ids of cityscapes-19. */
#ifndef DEMO_SCENE_H
#define DEMO_SCENE_H

#include "canvas.h"

typedef enum look { LOOK_RENDERER, LOOK_CAMERA } look;

typedef struct scene_spec {
	uint64_t seed;
	uint32_t index;
	look look;
	float severity; /* camera: 0 clear day .. 1 dusk, fog and a bad lens */
} scene_spec;

/* Paints everything, back to front. */
void scene_paint(const scene_spec *s, canvas *c);
/* What light and lens do, in place. Renderer: brightness only. Camera: tint, haze, dusk, vignette, blur,
 * noise, by severity. scratch: w*h. */
void scene_expose(const scene_spec *s, rgb *picture, size_t w, size_t h, rgb *scratch);

#endif
