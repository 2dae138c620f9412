/* json_out: values into JSON the way the API promises them: no NaN, absent is null, times are RFC
 * 3339. Objects take the new values over; a failed allocation leaves the key out of `o` and is
 * noticed when the text is made. */
#ifndef TPLDD_HTTP_JSON_OUT_H
#define TPLDD_HTTP_JSON_OUT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "config/run_config.h"

/* A finite number, or null. */
json_t *json_number_or_null(double v);
/* null when v is below 0: the rows' sign for "not known". */
json_t *json_share_or_null(double v);
/* A stored JSON text; null when it is empty or damaged. */
json_t *json_stored(const char *text);
/* "2026-08-05T10:11:12.345Z". */
json_t *json_time(int64_t unix_ms);
/* null for "". */
json_t *json_text_or_null(const char *text);
/* Compact text with 12 digits; *ret_size without the final zero. NULL: out of memory. */
char *json_text(const json_t *j, size_t *ret_size);
/* {"pointer","detail"} */
json_t *json_field_error(const char *pointer, const char *detail);
/* The first n as a list. */
json_t *json_field_errors(const config_error *error, size_t n);

#endif
