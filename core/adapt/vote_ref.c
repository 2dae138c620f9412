#include <stdlib.h>
#include <string.h>

#include "adapt/pseudo.h"
#include "adapt/vote_rule.h"

/* A pixel's value for a class: r, or p where that votes. */
static float value_of(const vote_spec *spec, const vote_image *im, size_t class, size_t at)
{
	float p = im->p[class * im->h * im->w + at];
	return spec->value == VOTE_OF_R ? p / im->lambda[class] : p;
}

/* The two best classes of a pixel by the rank's value, ties to the lower one. */
static void top_two(const vote_spec *spec, const vote_image *im, size_t at, size_t top[2])
{
	float best[2] = {-1.0f, -1.0f};
	top[0] = top[1] = 0;
	for (size_t k = 0; k < im->classes; k++) {
		float value = im->p[k * im->h * im->w + at];
		if (spec->rank == VOTE_TOP2_BY_R)
			value /= im->lambda[k];
		if (value > best[0]) {
			best[1] = best[0];
			top[1] = top[0];
			best[0] = value;
			top[0] = k;
		} else if (value > best[1]) {
			best[1] = value;
			top[1] = k;
		}
	}
}

/* Weight of pixel (ny, nx) for pixel (y, x): 0 beyond the window or another colour. */
static uint32_t weight_of(const vote_spec *spec, const vote_image *im, bool triangle, size_t reach,
                          size_t y, size_t x, size_t ny, size_t nx)
{
	size_t dy = y < ny ? ny - y : y - ny, dx = x < nx ? nx - x : x - nx;
	if (dy > reach || dx > reach)
		return 0;
	if (spec->color_distance > 0 && im->rgb != NULL)
		for (size_t c = 0; c < 3; c++)
			if (abs(im->rgb[(y * im->w + x) * 3 + c] - im->rgb[(ny * im->w + nx) * 3 + c]) >
			    (int)spec->color_distance)
				return 0;
	return triangle ? (uint32_t)((reach + 1 - dy) * (reach + 1 - dx)) : 1;
}

static vote_candidate candidate_of(const vote_spec *spec, const vote_rule *rule,
                                   const vote_image *im, const uint8_t *label, const uint32_t *v,
                                   size_t y, size_t x, size_t class)
{
	size_t reach = vote_reach(spec, im, class), h = im->h, w = im->w;
	vote_candidate c = {.own = (uint32_t)vote_quantise(value_of(spec, im, class, y * w + x)),
	                    .limit = vote_limit(spec, im->lambda[class])};
	for (size_t ny = y < reach ? 0 : y - reach; ny < h && ny <= y + reach; ny++)
		for (size_t nx = x < reach ? 0 : x - reach; nx < w && nx <= x + reach; nx++) {
			size_t at = ny * w + nx;
			if (label[at] != class)
				continue;
			uint32_t weight = weight_of(spec, im, rule->triangle, reach, y, x, ny, nx);
			c.voters += weight;
			if (spec->pool != VOTE_MAX)
				c.pooled += (uint64_t)weight * v[at];
			else if (weight > 0 && v[at] > c.pooled)
				c.pooled = v[at];
		}
	c.divisor = vote_divisor(rule, c.voters, y, x, h, w, reach);
	return c;
}

void vote_run_reference(const vote_spec *spec, const vote_image *im, uint8_t *label, void *scratch)
{
	size_t pixels = im->h * im->w;
	vote_rule rule = vote_rule_of(spec);
	uint32_t *v = scratch, *next_v = v + pixels;
	uint8_t *next = (uint8_t *)(next_v + pixels), *voter = next + pixels;
	memcpy(voter, label, pixels);
	for (size_t i = 0; i < pixels; i++)
		if (label[i] != LABEL_NONE)
			v[i] = (uint32_t)vote_quantise(value_of(spec, im, label[i], i));
	for (size_t t = 0; t < spec->iterations; t++) {
		for (size_t i = 0; i < pixels; i++) {
			next[i] = label[i];
			next_v[i] = v[i];
			if (label[i] != LABEL_NONE ||
			    (spec->flips_agree && im->agree != NULL && im->agree[i] == 0))
				continue;
			size_t top[2];
			top_two(spec, im, i, top);
			vote_candidate c[2];
			for (int n = 0; n < 2; n++)
				c[n] = candidate_of(spec, &rule, im, voter, v, i / im->w, i % im->w, top[n]);
			int winner = vote_decide(&rule, c, &next_v[i]);
			if (winner >= 0)
				next[i] = (uint8_t)top[winner];
		}
		memcpy(label, next, pixels);
		memcpy(v, next_v, pixels * sizeof *v);
		if (spec->reuse_voted)
			memcpy(voter, label, pixels);
	}
}
