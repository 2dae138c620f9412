/* schemas: the shapes of bodies in a short notation, turned into JSON Schema for OpenAPI.
 *
 *   int num str bool any time       time: a string in RFC 3339
 *   easy|hard                       one of these strings
 *   Run                             a shape of the table below
 *   [T]  {name:T other?:T}          array, object; `?` after a name: may be absent
 *   {name:T ...}                    further keys may appear
 *   T?                              may be null */
#ifndef TPLDD_HTTP_SCHEMAS_H
#define TPLDD_HTTP_SCHEMAS_H

#include <jansson.h>

/* New reference; NULL: out of memory. A mistake in the notation, which is ours, gives an empty
 * schema, which the tests look for. */
json_t *schema_json(const char *notation);
/* All named shapes, for #/components/schemas. */
json_t *schema_components(void);

#endif
