#include "run/looks.h"

#include "base/rng.h"

const char *look_draw(const job *j, uint64_t seed, uint64_t counter)
{
	const job_images *t = &j->setup.target;
	if (rng_uniform(seed, RNG_LOOK, 2 * counter) >= j->setup.config.recipe.data.transfer_chance)
		return NULL;
	return t->row[rng_below(seed, RNG_LOOK, 2 * counter + 1, t->count)].image;
}
