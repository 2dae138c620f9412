/* records: JSON objects as rows of a table. A list of columns says which member goes where and in
 * which unit people read it; CSV gets the plain value under the member's name. */
#ifndef TPLDCTL_RECORDS_H
#define TPLDCTL_RECORDS_H

#include <jansson.h>
#include <stddef.h>

#include "ctl.h"

typedef enum column_kind {
	COLUMN_TEXT,
	COLUMN_NUMBER,  /* as it is */
	COLUMN_FIXED,   /* 12.34: two digits behind the point */
	COLUMN_BYTES,   /* 170.3 MiB */
	COLUMN_SECONDS, /* 12m 03s */
	COLUMN_PERCENT, /* a share of 1: 41.2 % */
	COLUMN_TIME,    /* 2026-08-05 10:11:12Z */
	COLUMN_YES,     /* yes or no */
	COLUMN_COUNT,   /* how many elements a list has */
	COLUMN_LIST,    /* its elements */
} column_kind;

typedef struct column {
	const char *head;
	const char *key; /* "miou.best" goes into inner objects */
	column_kind kind;
} column;

/* A value as people read it; "-" for null and absent. At most size bytes. */
void value_text(const json_t *v, column_kind kind, char *to, size_t size);
/* As programs read it; "" for null and absent. */
void value_plain(const json_t *v, column_kind kind, char *to, size_t size);
/* The member "a.b" of o, or NULL. Borrowed. */
json_t *value_at(const json_t *o, const char *key);
const char *text_at(const json_t *o, const char *key, const char *otherwise);

/* One row per object of the array. For FORMAT_TABLE and FORMAT_CSV. */
void records_print(ctl_format format, const json_t *array, const column *columns, size_t count);
/* One object: a line per column; a CSV of two lines. */
void record_print(ctl_format format, const json_t *object, const column *columns, size_t count);

#define COUNT_OF(a) (sizeof(a) / sizeof *(a))

#endif
