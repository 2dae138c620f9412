/* openapi: the description of the API, made from the route table, so that it cannot say anything
 * else. */
#ifndef TPLDD_HTTP_OPENAPI_H
#define TPLDD_HTTP_OPENAPI_H

#include <jansson.h>

/* OpenAPI 3.1. New reference; NULL: out of memory. */
json_t *openapi_json(const char *version);

#endif
