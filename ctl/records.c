#include "records.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "table.h"

enum { CELL_MAX = 2048, PLAIN_DIGITS = 9, TEXT_DIGITS = 5, LIST_DIGITS = 3 };

json_t *value_at(const json_t *o, const char *key)
{
	for (;;) {
		size_t n = strcspn(key, ".");
		json_t *v = json_object_getn(o, key, n);
		if (key[n] == 0 || v == NULL)
			return v;
		o = v;
		key += n + 1;
	}
}

const char *text_at(const json_t *o, const char *key, const char *otherwise)
{
	const char *s = json_string_value(value_at(o, key));
	return s != NULL ? s : otherwise;
}

static void bytes_text(double v, char *to, size_t size)
{
	static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	size_t i = 0;
	for (; fabs(v) >= 1024.0 && i + 1 < COUNT_OF(unit); i++)
		v /= 1024.0;
	(void)snprintf(to, size, i == 0 ? "%.0f %s" : "%.1f %s", v, unit[i]);
}

static void seconds_text(double v, char *to, size_t size)
{
	long long s = (long long)(v + 0.5);
	if (v < 10.0)
		(void)snprintf(to, size, "%.1fs", v);
	else if (s < 60)
		(void)snprintf(to, size, "%llds", s);
	else if (s < 3600)
		(void)snprintf(to, size, "%lldm %02llds", s / 60, s % 60);
	else if (s < 86400)
		(void)snprintf(to, size, "%lldh %02lldm", s / 3600, s % 3600 / 60);
	else
		(void)snprintf(to, size, "%lldd %02lldh", s / 86400, s % 86400 / 3600);
}

/* "2026-08-05T10:11:12.345Z" without its fraction. */
static void time_text(const char *s, char *to, size_t size)
{
	if (strlen(s) < 20 || s[10] != 'T')
		(void)snprintf(to, size, "%s", s);
	else
		(void)snprintf(to, size, "%.10s %.8sZ", s, s + 11);
}

/* Elements with blanks between them; `digits` of each number that has a fraction. */
static void list_text(const json_t *list, int digits, char *to, size_t size)
{
	size_t used = 0, i;
	const json_t *e;
	to[0] = 0;
	json_array_foreach((json_t *)list, i, e) {
		char one[256];
		if (json_is_real(e))
			(void)snprintf(one, sizeof one, "%.*g", digits, json_real_value(e));
		else
			value_plain(e, COLUMN_TEXT, one, sizeof one);
		int n = snprintf(to + used, size - used, "%s%s", i > 0 ? " " : "",
		                 one[0] != 0 ? one : "-");
		if (n < 0 || (size_t)n >= size - used)
			return;
		used += (size_t)n;
	}
}

void value_plain(const json_t *v, column_kind kind, char *to, size_t size)
{
	to[0] = 0;
	if (kind == COLUMN_COUNT)
		(void)snprintf(to, size, "%zu", json_array_size(v));
	else if (json_is_string(v))
		(void)snprintf(to, size, "%s", json_string_value(v));
	else if (json_is_integer(v))
		(void)snprintf(to, size, "%lld", (long long)json_integer_value(v));
	else if (json_is_real(v))
		(void)snprintf(to, size, "%.*g", PLAIN_DIGITS, json_real_value(v));
	else if (json_is_boolean(v))
		(void)snprintf(to, size, "%s", json_is_true(v) ? "true" : "false");
	else if (json_is_array(v))
		list_text(v, PLAIN_DIGITS, to, size);
}

void value_text(const json_t *v, column_kind kind, char *to, size_t size)
{
	double x = json_number_value(v);
	if (kind == COLUMN_YES && v != NULL)
		(void)snprintf(to, size, "%s", json_is_true(v) ? "yes" : "no");
	else if (kind == COLUMN_TIME && json_is_string(v))
		time_text(json_string_value(v), to, size);
	else if (kind == COLUMN_BYTES && json_is_number(v))
		bytes_text(x, to, size);
	else if (kind == COLUMN_SECONDS && json_is_number(v))
		seconds_text(x, to, size);
	else if (kind == COLUMN_PERCENT && json_is_number(v))
		(void)snprintf(to, size, "%.1f %%", 100.0 * x);
	else if (kind == COLUMN_NUMBER && json_is_real(v))
		(void)snprintf(to, size, "%.*g", TEXT_DIGITS, x);
	else if (kind == COLUMN_FIXED && json_is_number(v))
		(void)snprintf(to, size, "%.2f", x);
	else if (kind == COLUMN_LIST)
		list_text(v, LIST_DIGITS, to, size);
	else
		value_plain(v, kind, to, size);
	if (to[0] == 0)
		(void)snprintf(to, size, "-");
}

static bool is_right(column_kind k)
{
	return k == COLUMN_NUMBER || k == COLUMN_FIXED || k == COLUMN_BYTES || k == COLUMN_SECONDS ||
	       k == COLUMN_PERCENT || k == COLUMN_COUNT;
}

/* CSV names its columns by member: stable, and without a unit that the plain values do not have. */
static const char *heading(ctl_format format, const column *c)
{
	return format == FORMAT_CSV ? c->key : c->head;
}

static void add_value(table *t, ctl_format format, const json_t *o, const column *c)
{
	char text[CELL_MAX];
	const json_t *v = value_at(o, c->key);
	if (format == FORMAT_CSV)
		value_plain(v, c->kind, text, sizeof text);
	else
		value_text(v, c->kind, text, sizeof text);
	table_cell(t, text);
}

static void print(ctl_format format, table *t)
{
	if (format == FORMAT_CSV)
		table_print_csv(t);
	else
		table_print(t);
	table_free(t);
}

void records_print(ctl_format format, const json_t *array, const column *columns, size_t count)
{
	table *t = table_new(count);
	for (size_t k = 0; k < count; k++)
		table_head(t, heading(format, &columns[k]), is_right(columns[k].kind));
	size_t i;
	const json_t *o;
	json_array_foreach((json_t *)array, i, o)
		for (size_t k = 0; k < count; k++)
			add_value(t, format, o, &columns[k]);
	print(format, t);
}

void record_print(ctl_format format, const json_t *object, const column *columns, size_t count)
{
	if (format == FORMAT_CSV) {
		json_t *one = json_pack("[O]", object);
		records_print(format, one, columns, count);
		json_decref(one);
		return;
	}
	table *t = table_new(2);
	for (size_t k = 0; k < count; k++) {
		table_cell(t, columns[k].head);
		add_value(t, format, object, &columns[k]);
	}
	print(format, t);
}
