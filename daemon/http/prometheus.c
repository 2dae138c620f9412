/* GET /metrics: Prometheus text. Run series exist only while a run computes, so that finished runs
 * do not pile up in the scraper. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "http/api.h"
#include "http/json_out.h"
#include "http/row_json.h"

static void family(FILE *f, const char *name, const char *type, const char *help)
{
	(void)fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_server(FILE *f, const http_server *s)
{
	family(f, "tpld_build_info", "gauge", "Version of the daemon.");
	(void)fprintf(f, "tpld_build_info{version=\"%s\"} 1\n", s->deps.version);
	family(f, "tpld_uptime_seconds", "gauge", "Time since the daemon started.");
	(void)fprintf(f, "tpld_uptime_seconds %.3f\n",
	              (double)(server_now_ms() - s->start_ms) / 1000.0);
	struct statvfs v;
	if (fstatvfs(s->deps.state_dirfd, &v) == 0) {
		family(f, "tpld_disk_free_bytes", "gauge", "Free space for the state directory.");
		(void)fprintf(f, "tpld_disk_free_bytes %llu\n",
		              (unsigned long long)v.f_bavail * v.f_frsize);
	}
	family(f, "tpld_healthy", "gauge", "0 when a live run has not moved for far too long.");
	(void)fprintf(f, "tpld_healthy %d\n", scheduler_healthy(s->deps.scheduler) ? 1 : 0);
	family(f, "tpld_sse_clients", "gauge", "Open event streams.");
	(void)fprintf(f, "tpld_sse_clients %u\n", (unsigned)atomic_load(&s->counters.streams));
}

static void write_states(FILE *f, store *s)
{
	family(f, "tpld_runs", "gauge", "Runs by state.");
	for (size_t k = 0; k < RUN_STATES; k++) {
		int64_t *id = NULL;
		size_t n = 0;
		if (store_run_ids(s, (run_state)k, &id, &n, NULL) != TP_OK)
			continue;
		(void)fprintf(f, "tpld_runs{state=\"%s\"} %zu\n", run_state_name((run_state)k), n);
		free(id);
	}
}

/* One gauge over all live runs, for those where the value is known. */
static void write_run_gauge(FILE *f, const json_t *live, const char *key, const char *name,
                            const char *help)
{
	size_t i;
	json_t *p;
	family(f, name, "gauge", help);
	json_array_foreach((json_t *)live, i, p) {
		const json_t *v = json_object_get(p, key);
		if (json_is_number(v))
			(void)fprintf(f, "%s{run=\"%lld\"} %.10g\n", name,
			              (long long)json_integer_value(json_object_get(p, "run")),
			              json_number_value(v));
	}
}

static void write_runs(FILE *f, const json_t *live)
{
	static const char *const gauges[][3] = {
		{"progress", "tpld_run_progress_ratio", "Share of the whole run that is done."},
		{"step", "tpld_run_step", "Step or image of the current phase."},
		{"steps_total", "tpld_run_steps", "Steps or images of the current phase."},
		{"loss", "tpld_run_loss", "Newest training loss."},
		{"seconds_per_step", "tpld_run_step_seconds", "Time of a step or an image."},
		{"eta_seconds", "tpld_run_eta_seconds", "Predicted time to the end of the run."},
		{"heartbeat_age_seconds", "tpld_run_heartbeat_age_seconds",
	         "Time since the last step."},
	};
	for (size_t i = 0; i < sizeof gauges / sizeof *gauges; i++)
		write_run_gauge(f, live, gauges[i][0], gauges[i][1], gauges[i][2]);
}

static void write_requests(FILE *f, const http_server *s)
{
	static const char *const methods[HTTP_METHODS] = {"GET", "POST", "DELETE"};
	size_t count;
	const route *table = route_table(&count);
	family(f, "tpld_http_requests_total", "counter", "Answered requests.");
	for (size_t i = 0; i <= count; i++)
		for (size_t code = 0; code < COUNTER_CODES; code++) {
			unsigned n = (unsigned)atomic_load(&s->counters.request[i][code]);
			if (n > 0)
				(void)fprintf(f,
				              "tpld_http_requests_total{method=\"%s\",route=\"%s\","
				              "code=\"%zu\"} %u\n",
				              i > 0 ? methods[table[i - 1].method] : "",
				              i > 0 ? table[i - 1].pattern : "", code + 100, n);
		}
	family(f, "tpld_http_request_seconds_total", "counter",
	       "Time from request line to last byte.");
	for (size_t i = 1; i <= count; i++) {
		double us = (double)atomic_load(&s->counters.seconds_us[i]);
		if (us > 0.0)
			(void)fprintf(f,
			              "tpld_http_request_seconds_total{method=\"%s\",route=\"%s\"} "
			              "%.3f\n",
			              methods[table[i - 1].method], table[i - 1].pattern, us / 1e6);
	}
}

void api_prometheus(request *r)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	if (f == NULL) {
		respond_json(r, 200, NULL);
		return;
	}
	json_t *live = run_json_live(api_store(r), api_scheduler(r));
	write_server(f, r->server);
	write_states(f, api_store(r));
	write_runs(f, live);
	write_requests(f, r->server);
	json_decref(live);
	bool bad = ferror(f) != 0;
	if (fclose(f) != 0 || bad) {
		free(text);
		respond_json(r, 200, NULL);
		return;
	}
	respond_bytes(r, "text/plain; version=0.0.4; charset=utf-8", text, size);
}
