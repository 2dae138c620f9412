#include "train/rare.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"

static const double LEAST_SHARE = 0.001; /* of an image */

typedef struct class_images {
	double until;    /* P of this class and those before it */
	uint32_t *image; /* owned */
	size_t images;
} class_images;

struct rare_sampler {
	size_t classes;
	class_images item[256];
};

static uint64_t sum_of(const uint64_t *n, size_t count, size_t stride)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < count; i++)
		sum += n[i * stride];
	return sum;
}

/* The images where class k fills at least `share`. */
static size_t images_of(const uint64_t *pixels, size_t images, size_t classes, size_t k, double share,
                        uint32_t *ret)
{
	size_t n = 0;
	for (size_t i = 0; i < images; i++) {
		uint64_t here = pixels[i * classes + k], all = sum_of(pixels + i * classes, classes, 1);
		if (here > 0 && (double)here >= share * (double)all)
			ret[n++] = (uint32_t)i;
	}
	return n;
}

tp_status rare_create(const uint64_t *pixels, size_t images, size_t classes, double temperature,
                      rare_sampler **ret, tp_err *err)
{
	double total = (double)sum_of(pixels, images * classes, 1), sum = 0.0;
	if (total == 0.0 || classes > 256)
		return tp_fail(err, TP_INVALID, 0, "rare-class sampling: no label shows a class");
	rare_sampler *s = calloc(1, sizeof *s);
	if (s == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory for rare-class sampling");
	s->classes = classes;
	for (size_t k = 0; k < classes; k++) {
		class_images *c = &s->item[k];
		double share = (double)sum_of(pixels + k, images, classes) / total;
		c->image = calloc(images, sizeof *c->image);
		if (c->image == NULL) {
			rare_free(s);
			return tp_fail(err, TP_NOMEM, 0, "out of memory for rare-class sampling");
		}
		c->images = images_of(pixels, images, classes, k, LEAST_SHARE, c->image);
		if (c->images == 0)
			c->images = images_of(pixels, images, classes, k, 0.0, c->image);
		sum += c->images == 0 ? 0.0 : exp((1.0 - share) / temperature);
		c->until = sum;
	}
	for (size_t k = 0; k < classes; k++)
		s->item[k].until /= sum;
	*ret = s;
	return TP_OK;
}

void rare_free(rare_sampler *s)
{
	if (s == NULL)
		return;
	for (size_t k = 0; k < s->classes; k++)
		free(s->item[k].image);
	free(s);
}

void rare_at(const rare_sampler *s, uint64_t seed, uint64_t counter, uint8_t *ret_class,
             uint32_t *ret_image)
{
	double u = rng_uniform(seed, RNG_RARE, 2 * counter);
	size_t k = 0, last = 0;
	for (size_t i = 0; i < s->classes; i++)
		last = s->item[i].images > 0 ? i : last;
	while (k < last && (s->item[k].images == 0 || u >= s->item[k].until))
		k++;
	const class_images *c = &s->item[k];
	*ret_class = (uint8_t)k;
	*ret_image = c->image[rng_below(seed, RNG_RARE, 2 * counter + 1, c->images)];
}
