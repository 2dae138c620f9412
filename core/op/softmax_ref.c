#include "op/softmax.h"

#include <math.h>

void softmax_forward_reference(const float *z, size_t classes, size_t pixels, float *p)
{
	for (size_t i = 0; i < pixels; i++) {
		double max = z[i], sum = 0;
		for (size_t k = 1; k < classes; k++)
			max = z[k * pixels + i] > max ? z[k * pixels + i] : max;
		for (size_t k = 0; k < classes; k++)
			sum += exp(z[k * pixels + i] - max);
		for (size_t k = 0; k < classes; k++)
			p[k * pixels + i] = (float)(exp(z[k * pixels + i] - max) / sum);
	}
}
