/* The server itself: health, description, limits, class sets, presets. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "config/run_config.h"
#include "data/classes.h"
#include "http/api.h"
#include "http/json_out.h"

enum { READY_CACHE_MS = 1000 };

void api_health(request *r)
{
	static const char text[] = "{\"status\":\"ok\"}";
	respond_static(r, "application/json", NULL, text, sizeof text - 1);
}

void api_openapi(request *r)
{
	respond_static(r, "application/json", NULL, r->server->openapi, r->server->openapi_size);
}

void api_run_schema(request *r)
{
	respond_static(r, "application/schema+json", NULL, r->server->run_schema,
	               r->server->run_schema_size);
}

/* Free bytes for us on the state directory's file system; -1 when it cannot be asked. */
static int64_t disk_free(int dirfd)
{
	struct statvfs v;
	return fstatvfs(dirfd, &v) == 0 ? (int64_t)v.f_bavail * (int64_t)v.f_frsize : -1;
}

static bool store_answers(http_server *s)
{
	uint64_t now = server_now_ms();
	if (now - atomic_load(&s->ready_checked_ms) >= READY_CACHE_MS) {
		atomic_store(&s->ready_store, store_ping(s->deps.store, NULL) == TP_OK);
		atomic_store(&s->ready_checked_ms, now);
	}
	return atomic_load(&s->ready_store) != 0;
}

void api_ready(request *r)
{
	http_server *s = r->server;
	int64_t disk = disk_free(s->deps.state_dirfd);
	bool database = store_answers(s), trainer = scheduler_healthy(s->deps.scheduler);
	bool space = disk >= 0 && (uint64_t)disk >= s->deps.config->min_free_bytes;
	bool ready = database && trainer && space;
	respond_json(r, ready ? 200 : 503,
	             json_pack("{s:b, s:{s:b, s:b, s:b}}", "ready", (int)ready, "checks",
	                       "database", (int)database, "trainer", (int)trainer, "disk",
	                       (int)space));
}

static int64_t resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	long long total = 0, resident = 0;
	if (f == NULL)
		return -1;
	int n = fscanf(f, "%lld %lld", &total, &resident);
	(void)fclose(f);
	return n == 2 ? resident * (int64_t)sysconf(_SC_PAGESIZE) : -1;
}

static json_t *bytes_or_null(int64_t v)
{
	return v < 0 ? json_null() : json_integer((json_int_t)v);
}

void api_server(request *r)
{
	const http_server *s = r->server;
	const daemon_config *c = s->deps.config;
	struct sysinfo si;
	bool known = sysinfo(&si) == 0;
	int64_t unit = known ? (int64_t)si.mem_unit : 0;
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	json_t *limits = json_pack(
		"{s:i, s:i, s:i, s:i, s:i, s:I}", "page", PAGE_MAX, "event_streams", EVENT_STREAMS,
		"connections", (int)c->max_connections, "json_bytes", ROUTE_JSON_MAX, "image_bytes",
		ROUTE_IMAGE_MAX, "weights_bytes", (json_int_t)ROUTE_WEIGHTS_MAX);
	respond_json(r, 200,
	             json_pack("{s:s, s:o, s:f, s:i, s:i, s:{s:o, s:o, s:o}, s:{s:o, s:I}, s:o}",
	                       "version", s->deps.version, "started", json_time(s->start_wall_ms),
	                       "uptime_seconds", (double)(server_now_ms() - s->start_ms) / 1000.0,
	                       "threads", (int)(c->threads != 0 ? c->threads : (size_t)cores),
	                       "cores", (int)cores, "memory", "total_bytes",
	                       bytes_or_null(known ? (int64_t)si.totalram * unit : -1),
	                       "free_bytes", bytes_or_null(known ? (int64_t)si.freeram * unit : -1),
	                       "resident_bytes", bytes_or_null(resident_bytes()), "disk",
	                       "free_bytes", bytes_or_null(disk_free(s->deps.state_dirfd)),
	                       "min_free_bytes", (json_int_t)c->min_free_bytes, "limits", limits));
}

void api_class_sets(request *r)
{
	json_t *items = json_array();
	class_set *set = malloc(sizeof *set);
	for (size_t i = 0; set != NULL && class_set_builtin_name(i) != NULL; i++) {
		if (class_set_builtin(class_set_builtin_name(i), set, NULL) != TP_OK)
			continue;
		json_t *classes = json_array();
		for (size_t k = 0; k < set->count; k++) {
			const class_info *c = &set->item[k];
			(void)json_array_append_new(
				classes,
				json_pack("{s:i, s:s, s:[i, i, i]}", "id", (int)k, "name", c->name,
			                  "color", c->color[0], c->color[1], c->color[2]));
		}
		(void)json_array_append_new(
			items, json_pack("{s:s, s:o}", "name", set->name, "classes", classes));
	}
	free(set);
	respond_json(r, 200, page_json(items, -1));
}

void api_presets(request *r)
{
	json_t *items = json_array();
	run_config *c = malloc(sizeof *c);
	for (size_t i = 0; c != NULL && recipe_preset_name(i) != NULL; i++) {
		memset(c, 0, sizeof *c);
		(void)snprintf(c->preset, sizeof c->preset, "%s", recipe_preset_name(i));
		c->recipe = recipe_preset(i);
		(void)json_array_append_new(
			items, json_pack("{s:s, s:s, s:o}", "name", recipe_preset_name(i), "text",
		                         recipe_preset_text(i), "config", run_config_json(c)));
	}
	free(c);
	respond_json(r, 200, page_json(items, -1));
}
