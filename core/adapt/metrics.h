/* metrics: confusion matrix and IoU (algorithms.md 6.5). Rows = truth, columns = prediction. */
#ifndef TP_ADAPT_METRICS_H
#define TP_ADAPT_METRICS_H

#include <stddef.h>
#include <stdint.h>

/* matrix[classes*classes] += counts; pixels whose truth is >= classes are skipped. */
void confusion_add(uint64_t *matrix, size_t classes, const uint8_t *truth, const uint8_t *pred,
                   size_t pixels);
/* iou[k] = TP/(TP+FP+FN), -1 where the class occurs neither in truth nor in prediction's favour,
 * i.e. truth has no pixel of it ("absent", null in the API). Returns the mean over present classes,
 * -1 when there is none. */
double confusion_iou(const uint64_t *matrix, size_t classes, double *iou);

#endif
