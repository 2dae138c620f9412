#include "adapt/metrics.h"

void confusion_add(uint64_t *matrix, size_t classes, const uint8_t *truth, const uint8_t *pred,
                   size_t pixels)
{
	for (size_t i = 0; i < pixels; i++)
		if (truth[i] < classes && pred[i] < classes)
			matrix[truth[i] * classes + pred[i]]++;
}

double confusion_iou(const uint64_t *matrix, size_t classes, double *iou)
{
	double sum = 0.0;
	size_t present = 0;
	for (size_t k = 0; k < classes; k++) {
		uint64_t truth = 0, predicted = 0, hit = matrix[k * classes + k];
		for (size_t i = 0; i < classes; i++) {
			truth += matrix[k * classes + i];
			predicted += matrix[i * classes + k];
		}
		iou[k] = truth > 0 ? (double)hit / (double)(truth + predicted - hit) : -1.0;
		sum += truth > 0 ? iou[k] : 0.0;
		present += truth > 0;
	}
	return present > 0 ? sum / (double)present : -1.0;
}
