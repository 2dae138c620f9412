#include "data/color_transfer.h"

#include <math.h>

typedef struct channel {
	double mean, deviation;
} channel;

/* From a histogram: exact in integers, whatever the order of the pixels. */
static channel channel_of(const image *img, size_t k)
{
	uint64_t count[256] = {0}, sum = 0;
	size_t pixels = img->w * img->h;
	double square = 0.0;
	for (size_t i = 0; i < pixels; i++)
		count[img->rgb[3 * i + k]]++;
	for (uint64_t v = 0; v < 256; v++)
		sum += v * count[v];
	double mean = (double)sum / (double)pixels;
	for (size_t v = 0; v < 256; v++)
		square += (double)count[v] * ((double)v - mean) * ((double)v - mean);
	return (channel){mean, sqrt(square / (double)pixels)};
}

static uint8_t byte_of(double v) { return v <= 0.0 ? 0 : v >= 255.0 ? 255 : (uint8_t)(v + 0.5); }

void color_transfer(image *img, const image *look)
{
	uint8_t to[3][256];
	for (size_t k = 0; k < 3; k++) {
		channel own = channel_of(img, k), other = channel_of(look, k);
		/* A channel without variation has no contrast to scale. */
		double scale = own.deviation > 0.0 ? other.deviation / own.deviation : 1.0;
		for (size_t v = 0; v < 256; v++)
			to[k][v] = byte_of(((double)v - own.mean) * scale + other.mean);
	}
	for (size_t i = 0; i < img->w * img->h; i++)
		for (size_t k = 0; k < 3; k++)
			img->rgb[3 * i + k] = to[k][img->rgb[3 * i + k]];
}
