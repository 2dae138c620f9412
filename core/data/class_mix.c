#include "data/class_mix.h"

#include <string.h>

#include "base/rng.h"
#include "data/classes.h"

void class_mix_choose(const uint8_t *label, size_t pixels, uint64_t seed, uint64_t step, size_t slot,
                      bool chosen[256])
{
	bool present[256] = {false};
	uint8_t list[256];
	uint32_t n = 0, order[256];
	for (size_t i = 0; i < pixels; i++)
		present[label[i]] = true;
	for (size_t c = 0; c < CLASS_IGNORE; c++)
		if (present[c])
			list[n++] = (uint8_t)c;
	memset(chosen, 0, 256 * sizeof *chosen);
	rng_permutation(seed, RNG_MIX, step * 4096 + slot, n, order);
	for (uint32_t i = 0; i < (n + 1) / 2; i++)
		chosen[list[order[i]]] = true;
}

size_t class_mix_paste(const float *source_input, const uint8_t *source_label,
                       const bool chosen[256], const uint8_t *inside, size_t classes, size_t pixels,
                       const mix_crop *target)
{
	size_t pasted = 0;
	for (size_t i = 0; i < pixels; i++) {
		uint8_t c = source_label[i];
		if (!chosen[c] || !inside[i])
			continue;
		memcpy(target->input + 3 * i, source_input + 3 * i, 3 * sizeof(float));
		target->label[i] = c;
		if (target->weight != NULL)
			target->weight[i] = 1.0f;
		for (size_t k = 0; target->soft != NULL && k < classes; k++)
			target->soft[k * pixels + i] = k == c ? 1.0f : 0.0f;
		pasted++;
	}
	return pasted;
}
