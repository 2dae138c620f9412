/* weights: a network's values from and to safetensors with public names (contract.md section 5),
 * and names of other code bases translated (algorithms.md 8.2, 8.4): "module.", "backbone.",
 * "Scale.", torchvision classifiers dropped, VGG indices 24->23, 26->25, 28->27, ADVENT's layer6 as
 * head. */
#ifndef TP_CKPT_WEIGHTS_H
#define TP_CKPT_WEIGHTS_H

#include "ckpt/safetensors.h"
#include "net/deeplab.h"

typedef struct weights_info {
	size_t loaded, missing; /* tensors of the table found / not found in the file */
	size_t unused;          /* tensors of the file nothing wants (fc, num_batches_tracked) */
	bool whole;             /* head included: the file is a complete network */
	float input_mean[3], input_std[3]; /* from the metadata, else ImageNet's */
	bool same_pad;                     /* metadata stride2_padding = same */
} weights_info;

/* Class count and number of ASPP branches of the head in a file (whatever its dilations); both 0
 * when it has none. For building the graph that fits the file. */
void weights_head(const st_file *f, size_t *ret_classes, size_t *ret_branches);
/* Looks at a file without loading it: metadata, what of g it holds, and all the checks of
 * weights_load with allow_partial. A mismatch names the tensor. */
tp_status weights_check(const st_file *f, const graph *g, weights_info *ret,
                        tp_err *err) TP_MUST_CHECK;
/* Copies what the file has into values; the rest keeps its initial values. Backbone tensors must be
 * complete (or `allow_partial`), head tensors may be absent; a head of another class count is
 * skipped. Shape mismatches elsewhere, holes in the head, negative variances and non-finite values
 * are errors that name the tensor. */
tp_status weights_load(const st_file *f, const graph *g, bool allow_partial, float *values,
                       weights_info *ret, tp_err *err) TP_MUST_CHECK;
/* Writes all values under public names, durably. meta as in st_write. TP_NONFINITE names the
 * parameter. */
tp_status weights_save(int dirfd, const char *path, const graph *g, const float *values,
                       const st_meta *meta, size_t metas, tp_err *err) TP_MUST_CHECK;

#endif
