#include "base/rng.h"

#include <math.h>

static uint64_t mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9u;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

uint64_t rng_u64(uint64_t seed, rng_stream stream, uint64_t counter)
{
	uint64_t key = mix(seed + 0x9e3779b97f4a7c15u * (1 + (uint64_t)stream));
	return mix(mix(key + 0x9e3779b97f4a7c15u * (counter + 1)) ^ key);
}

double rng_uniform(uint64_t seed, rng_stream stream, uint64_t counter)
{
	return (double)(rng_u64(seed, stream, counter) >> 11) * 0x1p-53;
}

uint64_t rng_below(uint64_t seed, rng_stream stream, uint64_t counter, uint64_t n)
{
	return (uint64_t)(((unsigned __int128)rng_u64(seed, stream, counter) * n) >> 64);
}

double rng_normal(uint64_t seed, rng_stream stream, uint64_t counter)
{
	const uint64_t shadow = 0x6e6f726d616c0000u; /* keeps the pairs apart from uniform draws */
	double u = 1.0 - rng_uniform(seed ^ shadow, stream, 2 * counter);
	double v = rng_uniform(seed ^ shadow, stream, 2 * counter + 1);
	return sqrt(-2.0 * log(u)) * cos(2.0 * M_PI * v);
}

void rng_permutation(uint64_t seed, rng_stream stream, uint64_t epoch, uint32_t n, uint32_t *order)
{
	for (uint32_t i = 0; i < n; i++)
		order[i] = i;
	for (uint32_t i = n; i > 1; i--) {
		uint32_t j = (uint32_t)rng_below(seed, stream, (epoch << 32) + i, i);
		uint32_t t = order[i - 1];
		order[i - 1] = order[j];
		order[j] = t;
	}
}
