#include "data/classes.h"

#include <stdio.h>
#include <string.h>

typedef struct class_row {
	const char *name;
	uint8_t color[3];
} class_row;

/* algorithms.md 6.4; the order is the train id. */
static const class_row CITYSCAPES[] = {
	{"road", {128, 64, 128}},
	{"sidewalk", {244, 35, 232}},
	{"building", {70, 70, 70}},
	{"wall", {102, 102, 156}},
	{"fence", {190, 153, 153}},
	{"pole", {153, 153, 153}},
	{"traffic light", {250, 170, 30}},
	{"traffic sign", {220, 220, 0}},
	{"vegetation", {107, 142, 35}},
	{"terrain", {152, 251, 152}},
	{"sky", {70, 130, 180}},
	{"person", {220, 20, 60}},
	{"rider", {255, 0, 0}},
	{"car", {0, 0, 142}},
	{"truck", {0, 0, 70}},
	{"bus", {0, 60, 100}},
	{"train", {0, 80, 100}},
	{"motorcycle", {0, 0, 230}},
	{"bicycle", {119, 11, 32}},
};

static const class_row CAMVID[] = {
	{"Sky", {128, 128, 128}},        {"Building", {128, 0, 0}},    {"Pole", {192, 192, 128}},
	{"Road", {128, 64, 128}},        {"Pavement", {60, 40, 222}},  {"Tree", {128, 128, 0}},
	{"SignSymbol", {192, 128, 128}}, {"Fence", {64, 64, 128}},     {"Car", {64, 0, 128}},
	{"Pedestrian", {64, 64, 0}},     {"Bicyclist", {0, 128, 192}},
};

#define BIT(n) (1u << (n))
enum {
	ALL = BIT(19) - 1,
	SIXTEEN = ALL & ~(BIT(9) | BIT(14) | BIT(16)),    /* no terrain, truck, train */
	THIRTEEN = SIXTEEN & ~(BIT(3) | BIT(4) | BIT(5)), /* nor wall, fence, pole */
};

/* A built-in set: the rows whose bit is set, in order. */
static const struct builtin {
	const char *name;
	const class_row *row;
	size_t rows;
	uint32_t chosen;
} BUILTIN[] = {
	{"cityscapes-19", CITYSCAPES, 19, ALL},
	{"synthia-16", CITYSCAPES, 19, SIXTEEN},
	{"synthia-13", CITYSCAPES, 19, THIRTEEN},
	{"camvid-11", CAMVID, 11, BIT(11) - 1},
};
enum { BUILTINS = sizeof BUILTIN / sizeof *BUILTIN };

const char *class_set_builtin_name(size_t i) { return i < BUILTINS ? BUILTIN[i].name : NULL; }

tp_status class_set_builtin(const char *name, class_set *ret, tp_err *err)
{
	size_t b = 0;
	while (b < BUILTINS && strcmp(BUILTIN[b].name, name) != 0)
		b++;
	if (b == BUILTINS)
		return tp_fail(err, TP_NOTFOUND, 0,
		               "no class set \"%.60s\"; there are cityscapes-19, synthia-16, "
		               "synthia-13, camvid-11",
		               name);
	*ret = (class_set){0};
	(void)snprintf(ret->name, sizeof ret->name, "%s", name);
	for (size_t i = 0; i < BUILTIN[b].rows; i++) {
		if ((BUILTIN[b].chosen & BIT(i)) == 0)
			continue;
		const class_row *row = &BUILTIN[b].row[i];
		class_info *c = &ret->item[ret->count++];
		(void)snprintf(c->name, sizeof c->name, "%s", row->name);
		memcpy(c->color, row->color, 3);
	}
	return TP_OK;
}

void class_set_palette(const class_set *s, uint8_t palette[256][3])
{
	memset(palette, 0, 256 * 3);
	for (size_t i = 0; i < s->count; i++)
		memcpy(palette[i], s->item[i].color, 3);
}

static const char *const LAYOUT_NAME[LAYOUT_COUNT] = {
	[LAYOUT_CITYSCAPES] = "cityscapes", [LAYOUT_GTA5] = "gta5",
	[LAYOUT_SYNTHIA] = "synthia",       [LAYOUT_CAMVID] = "camvid",
	[LAYOUT_FOLDER] = "folder",
};

const char *data_layout_name(data_layout l)
{
	return (size_t)l < LAYOUT_COUNT ? LAYOUT_NAME[l] : "unknown";
}

bool data_layout_parse(const char *name, data_layout *ret)
{
	for (size_t l = 0; l < LAYOUT_COUNT; l++) {
		if (strcmp(LAYOUT_NAME[l], name) == 0) {
			*ret = (data_layout)l;
			return true;
		}
	}
	return false;
}

/* Stored id -> row of CITYSCAPES, or NO_ROW for ids that are known and ignored. */
enum { NO_ROW = 255, LABEL_IDS = 35, SYNTHIA_IDS = 23 };

static const uint8_t LABEL_ID_ROW[LABEL_IDS] = {
	[0] = NO_ROW,  [1] = NO_ROW, [2] = NO_ROW,  [3] = NO_ROW,  [4] = NO_ROW,  [5] = NO_ROW,
	[6] = NO_ROW,  [7] = 0,      [8] = 1,       [9] = NO_ROW,  [10] = NO_ROW, [11] = 2,
	[12] = 3,      [13] = 4,     [14] = NO_ROW, [15] = NO_ROW, [16] = NO_ROW, [17] = 5,
	[18] = NO_ROW, [19] = 6,     [20] = 7,      [21] = 8,      [22] = 9,      [23] = 10,
	[24] = 11,     [25] = 12,    [26] = 13,     [27] = 14,     [28] = 15,     [29] = NO_ROW,
	[30] = NO_ROW, [31] = 16,    [32] = 17,     [33] = 18,     [34] = NO_ROW,
};

/* 22 is lane marking: road, as in CRST's conversion. Ignored: 0 void, 13 parking, 14 road work. */
static const uint8_t SYNTHIA_ROW[SYNTHIA_IDS] = {
	[0] = NO_ROW, [1] = 10,      [2] = 2,       [3] = 0,  [4] = 1,   [5] = 4,
	[6] = 8,      [7] = 5,       [8] = 13,      [9] = 7,  [10] = 11, [11] = 18,
	[12] = 17,    [13] = NO_ROW, [14] = NO_ROW, [15] = 6, [16] = 9,  [17] = 12,
	[18] = 14,    [19] = 15,     [20] = 16,     [21] = 3, [22] = 0,
};

/* Train id of a name in the set, CLASS_IGNORE when it has none. */
static uint16_t class_by_name(const class_set *set, const char *name)
{
	for (size_t i = 0; i < set->count; i++)
		if (strcmp(set->item[i].name, name) == 0)
			return (uint16_t)i;
	return CLASS_IGNORE;
}

static bool is_cityscapes_name(const char *name)
{
	for (size_t i = 0; i < sizeof CITYSCAPES / sizeof *CITYSCAPES; i++)
		if (strcmp(CITYSCAPES[i].name, name) == 0)
			return true;
	return false;
}

static void map_rows(const uint8_t *row, size_t ids, const class_set *set, label_map *ret)
{
	for (size_t v = 0; v < ids; v++)
		ret->train[v] = row[v] == NO_ROW ? CLASS_IGNORE
		                                 : class_by_name(set, CITYSCAPES[row[v]].name);
}

tp_status label_map_builtin(data_layout layout, const class_set *set, label_map *ret, tp_err *err)
{
	bool own_ids = layout == LAYOUT_CAMVID || layout == LAYOUT_FOLDER;
	for (size_t i = 0; i < set->count && !own_ids; i++)
		if (!is_cityscapes_name(set->item[i].name))
			return tp_fail(
				err, TP_INVALID, 0,
				"layout %s has no class \"%s\" of class set %s; give a class_map",
				data_layout_name(layout), set->item[i].name, set->name);
	for (size_t v = 0; v < 65536; v++)
		ret->train[v] = LABEL_UNKNOWN;
	ret->train[255] = CLASS_IGNORE;
	if (layout == LAYOUT_SYNTHIA)
		map_rows(SYNTHIA_ROW, SYNTHIA_IDS, set, ret);
	else if (!own_ids)
		map_rows(LABEL_ID_ROW, LABEL_IDS, set, ret);
	for (size_t v = 0; v < set->count && own_ids; v++)
		ret->train[v] = (uint16_t)v;
	return TP_OK;
}

void label_map_ignore_all(label_map *ret)
{
	for (size_t v = 0; v < 65536; v++)
		ret->train[v] = CLASS_IGNORE;
}
