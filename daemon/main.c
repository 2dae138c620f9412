/* tpldd: wires store, scheduler and HTTP server to one libuv loop, and takes them down in order.
 * Exit codes: 0 stopped on request, 1 could not start, 64 usage or configuration. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include <uv.h>

#include "base/file.h"
#include "config/daemon_config.h"
#include "experiment/experiments.h"
#include "http/server.h"
#include "log.h"
#include "notify.h"
#include "op/gemm.h"
#include "run/feature_map.h"
#include "run/scheduler.h"

enum { EXIT_START = 1, EXIT_CONFIG = 64 };

typedef struct tpldd {
	daemon_config config;
	uv_loop_t loop;
	uv_signal_t signal[2];
	uv_timer_t watchdog;
	int state_dirfd, lock_fd;
	store *store;
	scheduler *scheduler;
	experiments *experiments;
	feature_maps *features;
	http_server *http;
} tpldd;

static void on_signal(uv_signal_t *h, int number)
{
	tpldd *d = h->data;
	log_line(LOG_LINE_INFO, "signal %d: stopping", number);
	uv_stop(&d->loop);
}

/* While the run saves, the loop does not turn: a second signal arrives here. */
static void leave_now(int number)
{
	static const char text[] = "tpldd: second signal: leaving without saving; the last checkpoint "
	                           "stays\n";
	(void)number;
	(void)!write(STDERR_FILENO, text, sizeof text - 1);
	_exit(EXIT_SUCCESS);
}

/* Fed only while the loop turns; a stalled trainer shows in /readyz, not here: restarting the daemon
 * would not make a slow step faster. */
static void on_watchdog(uv_timer_t *h)
{
	(void)h;
	notify_send("WATCHDOG=1");
}

static void on_experiment_change(void *arg)
{
	tpldd *d = arg;
	if (d->http != NULL)
		http_server_wake(d->http);
}

/* A run's news may be an experiment's cue; an experiment's own news are not, or it would never rest. */
static void on_change(void *arg)
{
	tpldd *d = arg;
	if (d->experiments != NULL)
		experiments_wake(d->experiments);
	on_experiment_change(d);
}

static void on_http_line(void *arg, const char *line)
{
	(void)arg;
	log_line(LOG_LINE_WARNING, "%s", line);
}

/* One daemon per state directory. The lock goes with the process, however it ends. */
static tp_status take_state_dir(tpldd *d, tp_err *err)
{
	tp_status st = file_mkdirs(d->config.state_dir, err);
	if (st != TP_OK)
		return st;
	d->state_dirfd = open(d->config.state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->state_dirfd < 0)
		return tp_fail(err, TP_IO, errno, "cannot open %s", d->config.state_dir);
	d->lock_fd = openat(d->state_dirfd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (d->lock_fd < 0)
		return tp_fail(err, TP_IO, errno, "cannot open %s/lock", d->config.state_dir);
	if (flock(d->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return tp_fail(err, TP_CONFLICT, 0, "another tpldd uses the state directory %s",
		               d->config.state_dir);
	(void)unlinkat(d->state_dirfd, "endpoint", 0); /* of a daemon that was killed */
	return TP_OK;
}

static tp_status start(tpldd *d, tp_err *err)
{
	tp_status st = gemm_init(err);
	if (st == TP_OK)
		st = take_state_dir(d, err);
	if (st == TP_OK)
		st = store_open(d->config.state_dir, d->config.migrations_dir, &d->store, err);
	if (st == TP_OK)
		st = scheduler_create(d->store, &d->config, on_change, d, &d->scheduler, err);
	const experiments_deps parts = {.store = d->store,
	                                .scheduler = d->scheduler,
	                                .state_dirfd = d->state_dirfd,
	                                .notify = on_experiment_change,
	                                .notify_arg = d};
	if (st == TP_OK)
		st = experiments_create(&parts, &d->experiments, err);
	if (st == TP_OK)
		st = feature_maps_create(d->store, d->state_dirfd, &d->features, err);
	const http_deps deps = {.store = d->store,
	                        .scheduler = d->scheduler,
	                        .experiments = d->experiments,
	                        .features = d->features,
	                        .config = &d->config,
	                        .state_dirfd = d->state_dirfd,
	                        .version = TPLDD_VERSION,
	                        .log = on_http_line};
	if (st == TP_OK)
		st = http_server_create(&d->loop, &deps, &d->http, err);
	if (st == TP_OK)
		st = experiments_start(d->experiments, err);
	if (st == TP_OK)
		st = scheduler_start(d->scheduler, err);
	if (st != TP_OK)
		return st;
	char line[300];
	int n = snprintf(line, sizeof line, "%s\n", http_server_url(d->http));
	file_part part = {line, (size_t)n};
	return file_replace(d->state_dirfd, "endpoint", &part, 1, err);
}

static void watch_signals(tpldd *d)
{
	static const int number[2] = {SIGTERM, SIGINT};
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	for (int i = 0; i < 2; i++) {
		(void)uv_signal_init(&d->loop, &d->signal[i]);
		d->signal[i].data = d;
		(void)uv_signal_start(&d->signal[i], on_signal, number[i]);
	}
	(void)uv_timer_init(&d->loop, &d->watchdog);
	uint64_t ms = notify_watchdog_ms();
	if (ms > 0)
		(void)uv_timer_start(&d->watchdog, on_watchdog, ms, ms);
}

/* In order: no new requests, the run saves, the database closes. */
static void stop(tpldd *d)
{
	notify_send("STOPPING=1");
	(void)signal(SIGTERM, leave_now);
	(void)signal(SIGINT, leave_now);
	if (d->state_dirfd >= 0 && d->lock_fd >= 0 && d->http != NULL)
		(void)unlinkat(d->state_dirfd, "endpoint", 0);
	if (d->features != NULL)
		feature_maps_stop(d->features);
	if (d->http != NULL)
		http_server_stop(d->http);
	if (d->experiments != NULL)
		experiments_stop(d->experiments);
	if (d->scheduler != NULL)
		scheduler_stop(d->scheduler);
	http_server_free(d->http);
	d->http = NULL;
	scheduler_free(d->scheduler);
	experiments_free(d->experiments);
	feature_maps_free(d->features);
	store_close(d->store);
	sigset_t all; /* everything is saved: from here on nothing may cut the exit status off */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, NULL);
	for (int i = 0; i < 2; i++)
		uv_close((uv_handle_t *)&d->signal[i], NULL);
	uv_close((uv_handle_t *)&d->watchdog, NULL);
	(void)uv_run(&d->loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&d->loop);
	if (d->lock_fd >= 0)
		(void)close(d->lock_fd);
	if (d->state_dirfd >= 0)
		(void)close(d->state_dirfd);
}

/* glibc raises its limit for blocks of their own pages with the first large one that is freed, up to
 * 32 MiB, and each thread then keeps up to twice that. Fixed, an image's memory goes back when it
 * is done: what a run takes stays what was predicted, and a paused one takes nothing. */
static void give_blocks_back(void)
{
	enum { OWN_PAGES_FROM = 1 << 20 };
	(void)mallopt(M_MMAP_THRESHOLD, OWN_PAGES_FROM);
}

int main(int argc, char **argv)
{
	static tpldd d = {.state_dirfd = -1, .lock_fd = -1};
	tp_err err = {0};
	give_blocks_back();
	switch (daemon_config_load(argc, argv, &d.config)) {
	case CONFIG_EXIT_OK:
		return EXIT_SUCCESS;
	case CONFIG_EXIT_USAGE:
		return EXIT_CONFIG;
	case CONFIG_RUN:
		break;
	}
	if (uv_loop_init(&d.loop) != 0) {
		log_line(LOG_LINE_ERROR, "cannot start the event loop");
		return EXIT_START;
	}
	watch_signals(&d);
	tp_status st = start(&d, &err);
	if (st != TP_OK) {
		log_line(LOG_LINE_ERROR, "%s", err.text);
	} else {
		log_line(LOG_LINE_INFO, "serving %s, state in %s", http_server_url(d.http),
		         d.config.state_dir);
		notify_send("READY=1");
		(void)uv_run(&d.loop, UV_RUN_DEFAULT);
	}
	stop(&d);
	if (st == TP_OK)
		log_line(LOG_LINE_INFO, "stopped");
	return st == TP_OK ? EXIT_SUCCESS : EXIT_START;
}
