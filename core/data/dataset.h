/* dataset: finds the images and labels of a directory tree in one of the five layouts of
 * contract.md section 3. Sorted by name (bytes), so that sample indices mean the same everywhere.
 *   cityscapes  leftImg8bit/SPLIT/CITY/x_leftImg8bit.png, gtFine/SPLIT/CITY/x_gtFine_labelIds.png
 *   gta5        images/x.png, labels/x.png
 *   synthia     RGB/x.png, GT/LABELS/x.png
 *   camvid, folder   images/[SPLIT/]x.{png,jpg,jpeg}, labels/[SPLIT/]x.png
 * A target without labels simply lacks the label folder. `split` is a plain folder name: "train" by
 * default for cityscapes, none by default for camvid and folder, refused for gta5 and synthia. */
#ifndef TP_DATA_DATASET_H
#define TP_DATA_DATASET_H

#include "base/status.h"
#include "data/classes.h"

enum { DATASET_MAX_IMAGES = 1000000 };

typedef struct dataset_item {
	char *name;  /* stem, with its sub-folder where the layout has one ("aachen/aachen_000000")
	              */
	char *image; /* absolute path; owned */
	char *label; /* or NULL; owned */
} dataset_item;

typedef struct dataset_list {
	dataset_item *item;
	size_t count, labelled;
} dataset_list;

/* `split` and `include` (a glob on the file stem) may be NULL or "". Names that are not plain
 * (hidden, with .. or control bytes, not UTF-8) are skipped; links out of the root are not
 * followed. TP_NOTFOUND when the root or the layout's image folder is absent; TP_INVALID when no
 * image remains (folder and pattern named), a folder is a link out of the root, or x.png lies
 * beside x.jpg. Any thread. */
tp_status dataset_scan(data_layout layout, const char *root, const char *split, const char *include,
                       dataset_list *ret, tp_err *err) TP_MUST_CHECK;
void dataset_list_done(dataset_list *l);

#endif
