#include "loss/bce.h"

#include <math.h>

double bce_logits(const float *z, size_t count, float label, float scale, float *dz)
{
	double sum = 0.0;
	for (size_t i = 0; i < count; i++) {
		double x = z[i], e = exp(-fabs(x));
		double sigmoid = x < 0.0 ? e / (1.0 + e) : 1.0 / (1.0 + e);
		sum += (x < 0.0 ? 0.0 : x) - x * label + log1p(e);
		if (dz != NULL)
			dz[i] = (float)(scale * (sigmoid - label) / (double)count);
	}
	return count > 0 ? scale * sum / (double)count : 0.0;
}
