#include "http/json_out.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

json_t *json_number_or_null(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

json_t *json_share_or_null(double v)
{
	return isfinite(v) && v >= 0.0 ? json_real(v) : json_null();
}

json_t *json_stored(const char *text)
{
	json_t *j = text != NULL && text[0] != 0 ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
	return j != NULL ? j : json_null();
}

json_t *json_time(int64_t unix_ms)
{
	time_t seconds = (time_t)(unix_ms / 1000);
	struct tm tm;
	char text[40];
	if (unix_ms < 0 || gmtime_r(&seconds, &tm) == NULL)
		return json_null();
	size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(text + n, sizeof text - n, ".%03dZ", (int)(unix_ms % 1000));
	return json_string(text);
}

json_t *json_text_or_null(const char *text)
{
	return text != NULL && text[0] != 0 ? json_string(text) : json_null();
}

char *json_text(const json_t *j, size_t *ret_size)
{
	char *text = json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(12));
	if (text != NULL)
		*ret_size = strlen(text);
	return text;
}

json_t *json_field_error(const char *pointer, const char *detail)
{
	return json_pack("{s:s, s:s}", "pointer", pointer, "detail", detail);
}

json_t *json_field_errors(const config_error *error, size_t n)
{
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(list, json_field_error(error[i].pointer, error[i].detail));
	return list;
}
