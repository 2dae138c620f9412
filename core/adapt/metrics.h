/* metrics: confusion matrix and IoU (algorithms.md 6.5). Rows = truth, columns = prediction. */
#ifndef TP_ADAPT_METRICS_H
#define TP_ADAPT_METRICS_H

#include <stddef.h>
#include <stdint.h>

/* matrix[classes*classes] += counts; pixels whose truth or prediction is >= classes (no label)
 * are skipped. classes <= 256. */
void confusion_add(uint64_t *matrix, size_t classes, const uint8_t *truth, const uint8_t *pred,
                   size_t pixels);
/* iou[k] = TP/(TP+FP+FN), -1 where the truth has no pixel of the class ("absent", null in the API):
 * neither CRST's 0 nor counted when only predicted; its pixels count as FN of others all the same.
 * Returns the mean over present classes, -1 when there is none. Any thread. */
double confusion_iou(const uint64_t *matrix, size_t classes, double *iou);

#endif
