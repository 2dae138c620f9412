#include <string.h>

#include "adapt/pseudo.h"
#include "adapt/vote_rule.h"

/* The two best classes of a pixel by value[k][at], ties to the lower one. */
static void top_two(const float *p, const float *lambda, vote_rank rank, size_t classes,
                    size_t pixels, size_t at, size_t top[2])
{
	float best[2] = {-1.0f, -1.0f};
	top[0] = top[1] = 0;
	for (size_t k = 0; k < classes; k++) {
		float value = p[k * pixels + at];
		if (rank == VOTE_TOP2_BY_R)
			value /= lambda[k];
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

static vote_candidate candidate_of(const vote_spec *spec, const uint8_t *label, const uint32_t *v,
                                   size_t h, size_t w, size_t y, size_t x, size_t class, float r)
{
	vote_candidate c = {.own = (uint32_t)vote_quantise(r)};
	size_t reach = (spec->window - 1) / 2;
	for (size_t ny = y < reach ? 0 : y - reach; ny < h && ny <= y + reach; ny++)
		for (size_t nx = x < reach ? 0 : x - reach; nx < w && nx <= x + reach; nx++) {
			size_t at = ny * w + nx;
			if (label[at] != class)
				continue;
			c.voters++;
			if (spec->pool != VOTE_MAX)
				c.pooled += v[at];
			else if (v[at] > c.pooled)
				c.pooled = v[at];
		}
	return c;
}

void vote_run_reference(const vote_spec *spec, const float *p, const float *lambda, size_t classes,
                        size_t h, size_t w, uint8_t *label, void *scratch)
{
	size_t pixels = h * w, reach = (spec->window - 1) / 2;
	vote_rule rule = vote_rule_of(spec);
	uint32_t *v = scratch, *next_v = v + pixels;
	uint8_t *next = (uint8_t *)(next_v + pixels), *voter = next + pixels;
	memcpy(voter, label, pixels);
	for (size_t i = 0; i < pixels; i++)
		if (label[i] != LABEL_NONE)
			v[i] = (uint32_t)vote_quantise(p[label[i] * pixels + i] / lambda[label[i]]);
	for (size_t t = 0; t < spec->iterations; t++) {
		for (size_t i = 0; i < pixels; i++) {
			next[i] = label[i];
			next_v[i] = v[i];
			if (label[i] != LABEL_NONE)
				continue;
			size_t top[2], y = i / w, x = i % w;
			top_two(p, lambda, spec->rank, classes, pixels, i, top);
			vote_candidate c[2];
			for (int n = 0; n < 2; n++)
				c[n] = candidate_of(spec, voter, v, h, w, y, x, top[n],
				                    p[top[n] * pixels + i] / lambda[top[n]]);
			uint64_t area = vote_area(spec->border, y, x, h, w, reach);
			int winner = vote_decide(&rule, c, area, &next_v[i]);
			if (winner >= 0)
				next[i] = (uint8_t)top[winner];
		}
		memcpy(label, next, pixels);
		memcpy(v, next_v, pixels * sizeof *v);
		if (spec->reuse_voted)
			memcpy(voter, label, pixels);
	}
}
