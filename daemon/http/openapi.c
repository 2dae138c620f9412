#include "http/openapi.h"

#include <stdio.h>
#include <string.h>

#include "config/run_config.h"
#include "http/router.h"
#include "http/schemas.h"

static const char *const methods[HTTP_METHODS] = {"get", "post", "delete"};

/* "/x/{layer:w}.png" -> "/x/{layer}.png", adding a parameter for each placeholder. */
static void path_of(const route *t, char *ret, size_t room, json_t *parameters)
{
	size_t n = 0;
	for (const char *p = t->pattern; *p != 0 && n + 1 < room;) {
		if (*p == '{') {
			size_t name = strcspn(p + 1, ":}");
			bool word = p[1 + name] == ':';
			json_t *schema =
				word ? json_pack("{s:s}", "type", "string")
				     : json_pack("{s:s, s:i}", "type", "integer", "minimum", 0);
			(void)json_array_append_new(parameters,
			                            json_pack("{s:s%, s:s, s:b, s:o}", "name",
			                                      p + 1, name, "in", "path", "required",
			                                      1, "schema", schema));
			n += (size_t)snprintf(ret + n, room - n, "{%.*s}", (int)name, p + 1);
			p = strchr(p, '}') + 1;
		} else {
			ret[n++] = *p++;
		}
	}
	ret[n] = 0;
}

static void query_of(const route *t, json_t *parameters)
{
	for (const char *q = t->query != NULL ? t->query : ""; *q != 0;) {
		size_t n = strcspn(q, " "), name = strcspn(q, ":");
		char type[256];
		(void)snprintf(type, sizeof type, "%.*s", (int)(n - name - 1), q + name + 1);
		/* "-confidence" begins with a dash, which the notation takes for part of a word. */
		json_t *schema = schema_json(type);
		if (strcmp(type, "int") == 0)
			(void)json_object_set_new(schema, "minimum", json_integer(0));
		(void)json_array_append_new(parameters,
		                            json_pack("{s:s%, s:s, s:o}", "name", q, name, "in",
		                                      "query", "schema", schema));
		q += n + (q[n] == ' ');
	}
}

/* {type: {schema}} for each of a comma-separated list; binary types have no schema of ours. */
static json_t *content_of(const char *types, const char *schema)
{
	json_t *content = json_object();
	for (const char *p = types; *p != 0;) {
		char type[80];
		size_t n = strcspn(p, ",");
		(void)snprintf(type, sizeof type, "%.*s", (int)n, p);
		json_t *s = strcmp(type, "application/json") == 0 && schema != NULL
		                    ? schema_json(schema)
		                    : json_object();
		(void)json_object_set_new(content, type, json_pack("{s:o}", "schema", s));
		p += n + (p[n] == ',');
	}
	return content;
}

static json_t *responses_of(const route *t)
{
	char code[8];
	(void)snprintf(code, sizeof code, "%d", t->success);
	json_t *ok = json_pack("{s:s}", "description", t->summary);
	if (t->success != 204)
		(void)json_object_set_new(
			ok, "content",
			content_of(t->produces != NULL ? t->produces : "application/json",
		                   t->answer_schema));
	json_t *problem = json_pack("{s:s, s:{s:{s:{s:s}}}}", "description", "RFC 9457 problem",
	                            "content", "application/problem+json", "schema", "$ref",
	                            "#/components/schemas/Problem");
	json_t *all = json_object();
	(void)json_object_set_new(all, code, ok);
	(void)json_object_set_new(all, "default", problem);
	return all;
}

static json_t *operation_of(const route *t, json_t *parameters)
{
	query_of(t, parameters);
	json_t *o = json_pack("{s:s, s:o, s:o}", "summary", t->summary, "parameters", parameters,
	                      "responses", responses_of(t));
	if (t->flags & ROUTE_PUBLIC)
		(void)json_object_set_new(o, "security", json_array());
	if (t->body_max > 0) {
		json_t *content = content_of(t->consumes, t->body_schema);
		/* The run's body is described by the very table that reads it. */
		if (t->body_schema != NULL && strncmp(t->pattern, "/api/v1/runs", 12) == 0)
			(void)json_object_set_new(content, "application/json",
			                          json_pack("{s:{s:s}}", "schema", "$ref",
			                                    "#/components/schemas/RunConfig"));
		(void)json_object_set_new(o, "requestBody",
		                          json_pack("{s:o, s:b}", "content", content, "required",
		                                    (int)!(t->flags & ROUTE_NO_BODY_NEEDED)));
	}
	return o;
}

json_t *openapi_json(const char *version)
{
	size_t count;
	const route *table = route_table(&count);
	json_t *paths = json_object();
	for (size_t i = 0; i < count; i++) {
		char path[256];
		json_t *parameters = json_array();
		path_of(&table[i], path, sizeof path, parameters);
		json_t *item = json_object_get(paths, path);
		if (item == NULL) {
			item = json_object();
			(void)json_object_set_new(paths, path, item);
		}
		(void)json_object_set_new(item, methods[table[i].method],
		                          operation_of(&table[i], parameters));
	}
	json_t *schemas = schema_components();
	(void)json_object_set_new(schemas, "RunConfig", run_config_schema());
	return json_pack(
		"{s:s, s:{s:s, s:s, s:s}, s:[{s:s}], s:[{s:[]}], s:o, s:{s:o, s:{s:{s:s, s:s}}}}",
		"openapi", "3.1.0", "info", "title", "tpldd", "version", version, "description",
		"Training and adapting segmentation networks: data sets, runs, rounds, images.",
		"servers", "url", "/", "security", "bearer", "paths", paths, "components",
		"schemas", schemas, "securitySchemes", "bearer", "type", "http", "scheme",
		"bearer");
}
