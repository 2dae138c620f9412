/* rng: a counter-based generator. A value is a pure function of (seed, stream, counter), so
 * there is no generator state to save: a resumed run asks for the same triples and gets the
 * same values, whatever thread asks. Mixing is two rounds of the splitmix64 finaliser over the
 * triple, which passes for our use (sampling, crops, initial weights); it is no cipher. */
#ifndef TP_BASE_RNG_H
#define TP_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

/* Names a purpose; two purposes never share values. Add at the end only: the numbers are part
 * of what a seed means. */
typedef enum rng_stream {
	RNG_INIT = 1,    /* initial weights: counter = parameter index << 40 | element */
	RNG_ORDER = 2,   /* order of samples in an epoch */
	RNG_AUGMENT = 3, /* scale, crop, mirror of a sample */
	RNG_SUBSET = 4,  /* the source subset of a round */
	RNG_SCENE = 5,   /* demo pictures */
	RNG_TEST = 6,
	RNG_PHOTOMETRIC = 7, /* colour jitter and blur of a sample */
	RNG_MIX = 8,         /* which classes ClassMix pastes */
	RNG_RARE = 9,        /* rare-class sampling of source images */
	RNG_TSNE = 10,       /* where points begin: counter = 2 * point + coordinate */
	RNG_LOOK = 11,       /* whose colours a source image takes */
} rng_stream;

uint64_t rng_u64(uint64_t seed, rng_stream stream, uint64_t counter);
/* Uniform in [0, 1), 53 bits. */
double rng_uniform(uint64_t seed, rng_stream stream, uint64_t counter);
/* Uniform in 0..n-1 (n >= 1); the bias of the multiply-shift is below 2^-32 for n < 2^32. */
uint64_t rng_below(uint64_t seed, rng_stream stream, uint64_t counter, uint64_t n);
/* Standard normal (Box-Muller); uses counters 2*counter and 2*counter+1 of a shadow stream. */
double rng_normal(uint64_t seed, rng_stream stream, uint64_t counter);
/* Fills order[0..n-1] with a permutation of 0..n-1 (Fisher-Yates); `epoch` selects which. */
void rng_permutation(uint64_t seed, rng_stream stream, uint64_t epoch, uint32_t n,
                     uint32_t *order);

#endif
