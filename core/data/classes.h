/* classes: a class set (names, colours) and how stored label values map to train ids
 * (algorithms.md 6.4; contract.md section 3). */
#ifndef TP_DATA_CLASSES_H
#define TP_DATA_CLASSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { CLASS_NAME_MAX = 48, CLASS_IGNORE = 255 };

typedef struct class_info {
	char name[CLASS_NAME_MAX];
	uint8_t color[3];
} class_info;

typedef struct class_set {
	char name[CLASS_NAME_MAX]; /* "cityscapes-19"; "custom" for a file's */
	size_t count;              /* 2..255; train ids 0..count-1 */
	class_info item[255];
} class_set;

/* cityscapes-19, synthia-16, synthia-13, camvid-11. TP_NOTFOUND lists the known names. */
tp_status class_set_builtin(const char *name, class_set *ret, tp_err *err) TP_MUST_CHECK;
/* i-th built-in name, NULL past the end. */
const char *class_set_builtin_name(size_t i);
/* Palette for png_encode_palette: class colours, black for everything else. */
void class_set_palette(const class_set *s, uint8_t palette[256][3]);

enum { LABEL_UNKNOWN = 0xffff };

/* train[v]: 0..254 a class, CLASS_IGNORE a value to ignore, LABEL_UNKNOWN a value that must not
 * occur (reported with file and value). */
typedef struct label_map {
	uint16_t train[65536];
} label_map;

typedef enum data_layout {
	LAYOUT_CITYSCAPES,
	LAYOUT_GTA5,
	LAYOUT_SYNTHIA,
	LAYOUT_CAMVID,
	LAYOUT_FOLDER,
	LAYOUT_COUNT,
} data_layout;

const char *data_layout_name(data_layout l);
bool data_layout_parse(const char *name, data_layout *ret);

/* The built-in map from a layout's stored values to a class set (algorithms.md 6.4):
 *   cityscapes, gta5   label ids 0..34, through the class names
 *   synthia            SYNTHIA's raw ids 0..22, through the class names; lane marking is road
 *   camvid, folder     train ids 0..K-1
 * 255 is ignored in all of them, an id of a class outside the set is ignored, a value outside the
 * id range is LABEL_UNKNOWN. TP_INVALID when the set has a class that the layout does not name. */
tp_status label_map_builtin(data_layout layout, const class_set *set, label_map *ret,
                            tp_err *err) TP_MUST_CHECK;
/* Starts an explicit map (contract: `class_map`): everything ignored. */
void label_map_ignore_all(label_map *ret);

#endif
