/* http_fixture: the daemon's HTTP server over a real store in a given folder, with fakes instead of
 * training (http_fakes.c), for tests of the HTTP layer and of its clients.
 *
 * usage: http_fixture STATE_DIR WEB_DIR MIGRATIONS_DIR [PORT]
 * Prints the URL and serves until SIGTERM. A fresh STATE_DIR is filled with two data sets of 60
 * tiny pictures below STATE_DIR/data, one completed run (id 1) with two rounds, curves,
 * evaluations, layers of image 0..9 and a checkpoint, and one completed experiment (id 1) whose only
 * cell is that run. Experiments advance as in the daemon. WEB_DIR "": no static files. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "catalog/datasets.h"
#include "data/png.h"
#include "experiment/experiments.h"
#include "http/server.h"
#include "store/run_files.h"

#include "http_fakes.h"

enum { IMAGES = 60, W = 32, H = 16, CLASSES = 19 };

typedef struct fixture {
	uv_loop_t loop;
	uv_signal_t term;
	uv_timer_t pulse;
	http_server *http;
	experiments *experiments;
	store *store;
	daemon_config config;
	int dirfd;
} fixture;

static void check(tp_status st, const tp_err *err, const char *what)
{
	if (st == TP_OK)
		return;
	(void)fprintf(stderr, "http_fixture: %s: %s\n", what, err->text);
	exit(EXIT_FAILURE);
}

static void write_file(fixture *f, const char *name, const void *data, size_t size)
{
	tp_err err = {0};
	file_part part = {data, size};
	check(file_replace_cache(f->dirfd, name, &part, 1, &err), &err, name);
}

static void make_dir(fixture *f, const char *name)
{
	char path[2 * CONFIG_PATH_MAX];
	tp_err err = {0};
	(void)snprintf(path, sizeof path, "%s/%s", f->config.state_dir, name);
	check(file_mkdirs(path, &err), &err, path);
}

/* Registers data/NAME: pictures and, when labelled, train ids. */
static int64_t add_dataset(fixture *f, const char *name, bool labelled)
{
	char dir[300], path[400];
	tp_err err = {0};
	(void)snprintf(dir, sizeof dir, "data/%s/images", name);
	make_dir(f, dir);
	(void)snprintf(dir, sizeof dir, "data/%s/labels", name);
	make_dir(f, dir);
	uint8_t rgb[3 * W * H], index[W * H], palette[256][3];
	for (int i = 0; i < IMAGES; i++) {
		png_bytes png;
		for (int k = 0; k < W * H; k++) {
			rgb[3 * k] = (uint8_t)(k + i);
			rgb[3 * k + 1] = (uint8_t)(4 * i);
			rgb[3 * k + 2] = (uint8_t)(k / W * 8);
			index[k] = (uint8_t)((k / 64 + i) % CLASSES);
		}
		for (int k = 0; k < 256; k++)
			palette[k][0] = palette[k][1] = palette[k][2] = (uint8_t)k;
		check(png_encode_rgb(rgb, W, H, &png, &err), &err, "picture");
		(void)snprintf(path, sizeof path, "data/%s/images/scene_%03d.png", name, i);
		write_file(f, path, png.data, png.size);
		free(png.data);
		if (!labelled)
			continue;
		check(png_encode_palette(index, W, H, (const uint8_t(*)[3])palette, &png, &err),
		      &err, "label");
		(void)snprintf(path, sizeof path, "data/%s/labels/scene_%03d.png", name, i);
		write_file(f, path, png.data, png.size);
		free(png.data);
	}
	char root[2 * CONFIG_PATH_MAX];
	(void)snprintf(root, sizeof root, "%s/data/%s", f->config.state_dir, name);
	json_t *body = json_pack("{s:s, s:s, s:s}", "name", name, "layout", "folder", "root", root);
	int64_t id;
	check(datasets_register(f->store, &f->config, body, &id, &err), &err, name);
	json_decref(body);
	return id;
}

/* What the audit says: class k has (k + 1) hundredths; round 1 has alarms, and round 0 no earlier one. */
static void make_audit(round_class_row class[CLASSES], round_alarm_row alarm[2], int64_t round,
                       round_audit_row *ret)
{
	static char drift[] = "class_drift", grows[] = "sidewalk grows", unstable[] = "labels_unstable",
		    change[] = "labels change";
	for (int k = 0; k < CLASSES; k++)
		class[k] = (round_class_row){.share = 0.01 * (k + 1),
		                             .share_first = 0.01 * (k + 1),
		                             .share_previous = round > 0 ? 0.02 : -1,
		                             .entropy = 0.125,
		                             .agreement = round > 0 ? 0.75 : -1,
		                             .predicted = 1000,
		                             .label = {{200, 100, 90}, {100, 50, 40}, {0, 0, 0}},
		                             .threshold_accuracy = k == 3 ? -1 : 0.875};
	alarm[0] = (round_alarm_row){drift, grows, 1, 0.185, 0.177};
	alarm[1] = (round_alarm_row){unstable, change, -1, 0.8, 0.9};
	*ret = (round_audit_row){.round = round,
	                         .entropy = 0.25,
	                         .flip_agreement = 0.9375,
	                         .agreement = round > 0 ? 0.9 : -1,
	                         .label_agreement = round > 0 ? 0.8 : -1,
	                         .threshold_accuracy = 0.875,
	                         .truth_pixels = 4000,
	                         .class = class,
	                         .classes = CLASSES,
	                         .alarm = alarm,
	                         .alarms = round > 0 ? 2 : 0};
}

static void add_round(fixture *f, int64_t run, int64_t round)
{
	tp_err err = {0};
	char thresholds[] =
		"[0.9,0.8,null,0.7,0.6,0.9,0.8,0.7,0.6,0.9,0.8,0.7,0.6,0.9,0.8,0.7,0.6,0.9,0.8]",
	     stats[] = "[]", phase1[] = "phase1_training", phase2[] = "phase2_training",
	     confidence[] = "[0.5,null]", empty[] = "";
	round_row r = {.run = run,
	               .stage = 2 + 3 * round,
	               .round = round,
	               .phase = round == 0 ? phase1 : phase2,
	               .portion = 0.2 + 0.05 * (double)round,
	               .thresholds = thresholds,
	               .confident = 0.3,
	               .voted = 0.2,
	               .soft = 0.1,
	               .ignored = 0.4,
	               .easy = 18,
	               .hard = IMAGES - 18,
	               .pseudo_accuracy = 0.81,
	               .class_stats = stats};
	image_row score[IMAGES];
	for (int i = 0; i < IMAGES; i++) {
		int rank = (i * 7 + (int)round) % IMAGES;
		score[i] = (image_row){.round = round,
		                       .index = i,
		                       .name = empty,
		                       .confidence = 0.9 - 0.01 * (rank / 2), /* ties in pairs */
		                       .entropy = 0.1,
		                       .easy = rank < 18,
		                       .rank = rank,
		                       .confident = 0.3,
		                       .voted = 0.2,
		                       .soft = 0.1,
		                       .ignored = 0.4,
		                       .class_confidence = confidence};
	}
	round_class_row class[CLASSES];
	round_alarm_row alarm[2];
	round_audit_row audit;
	make_audit(class, alarm, round, &audit);
	check(store_round_add(f->store, &r, score, IMAGES, &audit, &err), &err, "round");
	char dir[RUN_FILE_MAX], name[RUN_FILE_MAX];
	run_round_dir(run, round, dir);
	make_dir(f, dir);
	uint8_t index[W * H] = {0}, palette[256][3] = {{128, 64, 128}};
	for (int i = 0; i < 10; i++)
		for (int l = LAYER_PREDICTION; l < LAYER_COUNT; l++) {
			png_bytes png;
			index[0] = (uint8_t)i;
			check(png_encode_palette(index, W, H, (const uint8_t(*)[3])palette, &png,
			                         &err),
			      &err, "layer");
			run_layer_file(run, round, i, (layer)l, name);
			write_file(f, name, png.data, png.size);
			free(png.data);
		}
}

static void add_evaluation(fixture *f, int64_t run, int64_t round, double miou)
{
	char iou[600] = "[", confusion[] = "[[5,1],[2,7]]", source[] = "source_training",
	     adapted[] = "phase1_training";
	for (int k = 0; k < CLASSES; k++)
		(void)snprintf(iou + strlen(iou), 32, "%s%s", k > 0 ? "," : "",
		               k == 3 ? "null" : "0.5");
	(void)strcat(iou, "]");
	tp_err err = {0};
	evaluation_row e = {.run = run,
	                    .stage = 1 + 3 * (round + 1),
	                    .round = round,
	                    .step = 100 * (round + 2),
	                    .phase = round < 0 ? source : adapted,
	                    .miou = miou,
	                    .iou = iou,
	                    .confusion = confusion};
	check(store_evaluation_add(f->store, &e, &err), &err, "evaluation");
}

static void add_checkpoint(fixture *f, int64_t run)
{
	char file[100], sha[65], source[] = "source_training", data[1000];
	tp_err err = {0};
	(void)snprintf(file, sizeof file, "runs/%lld/checkpoints", (long long)run);
	make_dir(f, file);
	(void)strcat(file, "/source.safetensors");
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (char)i;
	write_file(f, file, data, sizeof data);
	sha256_hex(data, sizeof data, sha);
	checkpoint_row c = {.run = run,
	                    .round = -1,
	                    .stage = 0,
	                    .step = 100,
	                    .phase = source,
	                    .file = file,
	                    .sha256 = sha,
	                    .bytes = sizeof data};
	int64_t id;
	check(store_checkpoint_add(f->store, &c, &id, &err), &err, "checkpoint");
}

/* Source training of two layers, 10 and 20 ms, and 5 ms around them; 8 ms less in round 0. */
static void add_profiles(fixture *f, int64_t run)
{
	static const char layers[] =
		"[{\"layer\":\"conv1\",\"algorithm\":\"gemm\",\"forward_ms\":4.0,"
		"\"backward_ms\":6.0,\"gflop_per_step\":1.5,\"gflops\":150.0,\"peak_share\":0.75},"
		"{\"layer\":\"maxpool\",\"algorithm\":\"\",\"forward_ms\":0.5,\"backward_ms\":0.5,"
		"\"gflop_per_step\":0.0,\"gflops\":null,\"peak_share\":null},"
		"{\"layer\":\"layer1.0.conv1\",\"algorithm\":\"winograd4\",\"forward_ms\":7.0,"
		"\"backward_ms\":12.0,\"gflop_per_step\":4.75,\"gflops\":250.0,"
		"\"peak_share\":1.25}]";
	static const char outside[] =
		"[{\"part\":\"waiting\",\"ms\":1.0},{\"part\":\"preparing\",\"ms\":0.5},"
		"{\"part\":\"loss\",\"ms\":2.0},{\"part\":\"optimiser\",\"ms\":1.0},"
		"{\"part\":\"saving\",\"ms\":0.5}]";
	char source[] = "source_training", adapted[] = "phase1_training", kernels[] = "f4";
	tp_err err = {0};
	for (int64_t round = -1; round < 1; round++) {
		profile_row p = {.run = run,
		                 .stage = 3 * (round + 1),
		                 .round = round,
		                 .phase = round < 0 ? source : adapted,
		                 .steps = 100 + round,
		                 .crop_h = 64,
		                 .crop_w = 128,
		                 .threads = 2,
		                 .kernels = kernels,
		                 .sgemm_gflops = 200.0,
		                 .seconds = 0.035 - 0.008 * (double)(round + 1),
		                 .layers = (char *)(uintptr_t)layers,
		                 .outside = (char *)(uintptr_t)outside};
		check(store_profile_put(f->store, &p, &err), &err, "profile");
	}
}

/* Of one cell, for the run that is added next. */
static int64_t add_experiment(fixture *f, int64_t source, int64_t target)
{
	char name[] = "small", config[] = "{}",
	     definition[] = "{\"name\":\"small\",\"seeds\":[1],\"config\":{\"source\":\"synth\","
			    "\"target\":\"real\",\"eval\":\"real\"},\"variants\":[{\"name\":\"tpld\"}]}";
	tp_err err = {0};
	int64_t id;
	experiment_row e = {.name = name, .definition = definition};
	part_row p = {.seed = 1,
	              .origin = -1,
	              .config = config,
	              .source = source,
	              .target = target,
	              .eval = target,
	              .cost = 100};
	check(store_experiment_add(f->store, &e, &p, 1, &id, &err), &err, "experiment");
	return id;
}

static void seed(fixture *f)
{
	tp_err err = {0};
	int64_t source = add_dataset(f, "synth", true), target = add_dataset(f, "real", true), run;
	char name[] = "finished",
	     config[] = "{\"name\":\"finished\",\"preset\":\"tpld\",\"seed\":1,"
			"\"source\":\"synth\",\"target\":\"real\",\"eval\":null}",
	     empty[] = "";
	run_row r = {.name = name,
	             .config = config,
	             .source = source,
	             .target = target,
	             .eval = target,
	             .experiment = add_experiment(f, source, target),
	             .state = RUN_QUEUED,
	             .error = empty,
	             .miou_source = -1,
	             .miou_current = -1,
	             .miou_best = -1};
	check(store_run_add(f->store, &r, &run, &err), &err, "run");
	metric_row metric[200];
	for (int i = 0; i < 200; i++)
		metric[i] = (metric_row){.key = i % 2 ? "loss" : "lr",
		                         .step = i / 2,
		                         .value = i % 2 ? 2.0 / (1 + i) : 0.001};
	store_progress p = {.run = run,
	                    .stage = 1,
	                    .step = 100,
	                    .seconds = 12.5,
	                    .metric = metric,
	                    .metrics = 200};
	char **stale = NULL;
	size_t n = 0;
	check(store_run_progress(f->store, &p, &stale, &n, &err), &err, "metrics");
	free(stale);
	add_checkpoint(f, run);
	add_profiles(f, run);
	add_evaluation(f, run, -1, 0.4);
	for (int64_t k = 0; k < 2; k++) {
		add_round(f, run, k);
		add_evaluation(f, run, k, 0.45 + 0.05 * (double)k);
	}
	static const run_state path[] = {RUN_STARTING, RUN_RUNNING, RUN_COMPLETING, RUN_COMPLETED};
	for (size_t i = 0; i < sizeof path / sizeof *path; i++)
		check(store_run_set_state(f->store, run, path[i], "seed", NULL, &err), &err,
		      "state");
	check(store_experiment_settle(f->store, r.experiment, 0, PART_COMPLETED, "", &err), &err,
	      "cell");
	check(store_experiment_end(f->store, r.experiment, EXPERIMENT_COMPLETED, "", &err), &err,
	      "experiment");
}

static void on_term(uv_signal_t *h, int number)
{
	(void)number;
	uv_stop(h->loop);
}

static void on_experiment(void *arg)
{
	fixture *f = arg;
	if (f->http != NULL)
		http_server_wake(f->http);
}

/* What the trainer's thread does in the daemon: says that something moved. */
static void on_pulse(uv_timer_t *t)
{
	fixture *f = t->data;
	http_server_wake(f->http);
	experiments_wake(f->experiments);
}

static void on_line(void *arg, const char *line)
{
	(void)arg;
	(void)fprintf(stderr, "%s\n", line);
}

int main(int argc, char **argv)
{
	static fixture f;
	tp_err err = {0};
	if (argc < 4) {
		(void)fprintf(stderr,
		              "usage: http_fixture STATE_DIR WEB_DIR MIGRATIONS_DIR [PORT]\n");
		return EXIT_FAILURE;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	(void)snprintf(f.config.host, sizeof f.config.host, "127.0.0.1");
	f.config.port = (uint16_t)(argc > 4 ? atoi(argv[4]) : 0);
	(void)snprintf(f.config.allowed_host[0], sizeof f.config.allowed_host[0],
	               "tpld.example.org");
	f.config.allowed_hosts = 1;
	f.config.max_connections = 64;
	(void)snprintf(f.config.state_dir, sizeof f.config.state_dir, "%s", argv[1]);
	(void)snprintf(f.config.web_dir, sizeof f.config.web_dir, "%s", argv[2]);
	check(file_mkdirs(argv[1], &err), &err, argv[1]);
	f.dirfd = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool fresh = faccessat(f.dirfd, "tpldd.db", F_OK, 0) != 0;
	check(store_open(argv[1], argv[3], &f.store, &err), &err, "store");
	if (fresh)
		seed(&f);
	scheduler *fake = fake_scheduler(f.store);
	(void)uv_loop_init(&f.loop);
	const experiments_deps parts = {.store = f.store,
	                                .scheduler = fake,
	                                .state_dirfd = f.dirfd,
	                                .notify = on_experiment,
	                                .notify_arg = &f};
	check(experiments_create(&parts, &f.experiments, &err), &err, "experiments");
	const http_deps deps = {.store = f.store,
	                        .scheduler = fake,
	                        .experiments = f.experiments,
	                        .config = &f.config,
	                        .state_dirfd = f.dirfd,
	                        .version = "0.0-fixture",
	                        .log = on_line};
	check(http_server_create(&f.loop, &deps, &f.http, &err), &err, "server");
	check(experiments_start(f.experiments, &err), &err, "experiments");
	(void)uv_signal_init(&f.loop, &f.term);
	(void)uv_signal_start(&f.term, on_term, SIGTERM);
	(void)uv_timer_init(&f.loop, &f.pulse);
	f.pulse.data = &f;
	(void)uv_timer_start(&f.pulse, on_pulse, 200, 200);
	(void)printf("%s\n", http_server_url(f.http));
	(void)fflush(stdout);
	(void)uv_run(&f.loop, UV_RUN_DEFAULT);
	uv_close((uv_handle_t *)&f.term, NULL);
	uv_close((uv_handle_t *)&f.pulse, NULL);
	http_server_stop(f.http);
	experiments_free(f.experiments);
	http_server_free(f.http);
	(void)uv_run(&f.loop, UV_RUN_DEFAULT);
	int left = uv_loop_close(&f.loop);
	free(fake);
	store_close(f.store);
	(void)close(f.dirfd);
	(void)printf("stopped%s\n", left == 0 ? "" : ", but handles are left");
	return left == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
