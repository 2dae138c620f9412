/* Whole training steps and inferences: one JSON line each (contract.md section 6). Every line comes
 * from a fresh process, so that its peak of memory is its own.
 *
 *   bench_net [--threads N] [--kernels exact|f2|f4] [--output-stride N] [--profile]
 *             [train_step|inference] [ARCH] [HxW]
 *
 * Without a size: 321x321. A training step is what the daemon does for one image: weights prepared,
 * forward, logits enlarged to the crop, cross-entropy, backward, SGD with momentum. An inference is
 * forward, enlarging and softmax. gflop: 2 x multiply-adds of the direct convolutions, times three
 * for a training step. cpu_seconds_min: processor time of all threads, of the least of the runs. --profile
 * lists milliseconds and GFLOP/s per layer on standard error, with the rate of matrix products for
 * comparison. */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#include "base/mem.h"
#include "base/rng.h"
#include "loss/pixel.h"
#include "net/deeplab.h"
#include "net/exec.h"
#include "op/gemm.h"
#include "op/resize.h"
#include "op/softmax.h"
#include "optim/sgd.h"

enum { CLASSES = BENCH_CLASSES, MOST_NODES = 256 };

typedef struct job {
	bool train, profile;
	net_arch arch;
	size_t h, w, threads, output_stride;
	kernel_mode kernels;
} job;

typedef struct bench {
	job job;
	graph g;
	pool *workers;
	exec *e;
	exec_size size;
	float *values, *grads, *momentum; /* grads, momentum: training only */
	float *small, *large; /* planar logits of the network; at the size of the image, in its arena */
	uint8_t *label;
	double since, spent[MOST_NODES][2], flop[MOST_NODES];
} bench;

static void time_node(void *arg, size_t node_index, bool backward, bool begin)
{
	bench *b = arg;
	double t = bench_now();
	if (!begin && node_index < MOST_NODES) {
		b->spent[node_index][backward] += t - b->since;
		b->flop[node_index] += exec_node_flop(b->e, node_index, backward);
	}
	b->since = t;
}

static void bench_open(bench *b, const job *j)
{
	tp_err err = {0};
	*b = (bench){.job = *j};
	net_spec net = net_spec_default(j->arch);
	net.output_stride = j->output_stride;
	bench_check(net_build(&net, &b->g, &err), &err);
	b->workers = bench_pool(j->threads);
	exec_spec spec = {.graph = &b->g,
	                  .in_h = j->h,
	                  .in_w = j->w,
	                  .train = j->train,
	                  .between_floats = j->h * j->w * CLASSES,
	                  .kernels = j->kernels,
	                  .pool = b->workers};
	bench_check(exec_create(&spec, &b->e, &err), &err);
	b->size = *exec_sizes(b->e);
	size_t pixels = j->h * j->w;
	b->values = bench_floats(b->g.params.floats);
	params_init(&b->g.params, 1, b->values);
	b->small = bench_floats(b->size.out_h * b->size.out_w * CLASSES);
	b->large = exec_between(b->e);
	if (j->train) {
		b->grads = bench_floats(b->g.params.trained_floats);
		b->momentum = bench_floats(b->g.params.trained_floats);
		b->label = malloc(pixels);
		if (b->label == NULL)
			exit(1);
		for (size_t i = 0; i < pixels; i++)
			b->label[i] = (uint8_t)rng_below(1, RNG_TEST, i, CLASSES);
	}
	float *x = exec_input(b->e);
	for (size_t i = 0; i < 3 * pixels; i++)
		x[i] = (float)(4 * rng_uniform(2, RNG_TEST, i) - 2);
	exec_prepare(b->e, b->values);
}

static void bench_close(bench *b)
{
	exec_free(b->e);
	pool_free(b->workers);
	mem_free(b->values);
	mem_free(b->grads);
	mem_free(b->momentum);
	mem_free(b->small);
	free(b->label);
	graph_done(&b->g);
}

static resize_shape enlarging(const bench *b)
{
	return (resize_shape){.c = CLASSES,
	                      .in_h = b->size.out_h,
	                      .in_w = b->size.out_w,
	                      .out_h = b->job.h,
	                      .out_w = b->job.w,
	                      .align_corners = true};
}

static void forward(bench *b)
{
	tp_err err = {0};
	const float *y;
	resize_shape r = enlarging(b);
	bench_check(exec_forward(b->e, &y, &err), &err);
	to_planar(y, r.in_h * r.in_w, CLASSES, b->small, b->workers);
	resize_forward(&r, b->small, b->large, b->workers);
}

static void infer(bench *b)
{
	forward(b);
	softmax_forward(b->large, CLASSES, b->job.h * b->job.w, b->large, b->workers);
}

static void train_step(bench *b)
{
	tp_err err = {0};
	size_t pixels = b->job.h * b->job.w;
	resize_shape r = enlarging(b);
	exec_prepare(b->e, b->values);
	memset(b->grads, 0, b->g.params.trained_floats * sizeof(float));
	forward(b);
	pixel_target target = {.label = b->label};
	pixel_loss_spec loss = {.scale = 1.0f / (float)pixels};
	(void)pixel_loss(b->large, CLASSES, pixels, &target, &loss, b->large, b->workers);
	resize_backward(&r, b->large, b->small, b->workers);
	/* The enlarged gradient is dead: its memory takes the pixel-major one. */
	to_pixels(b->small, r.in_h * r.in_w, CLASSES, b->large, b->workers);
	bench_check(exec_backward(b->e, b->large, b->grads, NULL, &err), &err);
	for (size_t i = 0; i < b->g.params.count && b->g.params.item[i].trained; i++) {
		const param *p = &b->g.params.item[i];
		sgd_step(b->values + p->offset, b->momentum + p->offset, b->grads + p->offset,
		         p->count, p->head ? 2.5e-3f : 2.5e-4f, 0.9f, 5e-4f, b->workers);
	}
}

/* Best of a few tries, in GFLOP/s. */
static double sgemm_gflops(const bench *b)
{
	double best = 0;
	float *work = bench_floats(gemm_load_floats(b->workers));
	for (int i = 0; i < 20; i++) {
		double start = bench_now(), flop = gemm_load(work, b->workers), took = bench_now() - start;
		best = took > 0 && flop / took > best ? flop / took : best;
	}
	mem_free(work);
	return best / 1e9;
}

static void print_profile(const bench *b, size_t runs)
{
	for (size_t i = 0; i < b->g.nodes && i < MOST_NODES; i++) {
		char name[96], algorithm[48];
		double spent = b->spent[i][0] + b->spent[i][1];
		exec_node_name(b->e, i, name, sizeof name);
		exec_node_algorithm(b->e, i, algorithm, sizeof algorithm);
		(void)fprintf(stderr, "%-30s %-15s %9.2f %9.2f ms %7.1f GFLOP/s\n", name, algorithm,
		              1e3 * b->spent[i][0] / (double)runs,
		              1e3 * b->spent[i][1] / (double)runs,
		              spent > 0 ? b->flop[i] / spent / 1e9 : 0);
	}
	(void)fprintf(stderr, "%-46s %30.1f GFLOP/s\n", "sgemm", sgemm_gflops(b));
}

static int run_job(const job *j)
{
	bench b;
	bench_times times = {.runs = 0}, cpu = {.runs = 0};
	tp_err err = {0};
	bench_check(gemm_init(&err), &err);
	bench_open(&b, j);
	void (*once)(bench * b) = j->train ? train_step : infer;
	once(&b); /* warms caches and BLAS */
	if (j->profile)
		exec_set_probe(b.e, time_node, &b);
	while (bench_more(&times, 10)) {
		double start = bench_now(), used = bench_cpu();
		once(&b);
		bench_add(&times, bench_now() - start);
		bench_add(&cpu, bench_cpu() - used);
	}
	if (j->profile)
		print_profile(&b, times.runs);
	(void)printf("{\"bench\":\"%s\",\"arch\":\"%s\",\"height\":%zu,\"width\":%zu,\"batch\":1,"
	             "\"output_stride\":%zu,\"threads\":%zu,\"seconds_median\":%.4f,"
	             "\"seconds_min\":%.4f,\"runs\":%zu,\"peak_rss_mib\":%.0f,\"gflop\":%.2f,\"cpu_seconds_min\":%.4f}\n",
	             j->train ? "train_step" : "inference", net_arch_name(j->arch), j->h, j->w,
	             j->output_stride, j->threads, bench_median(&times), bench_min(&times),
	             times.runs, bench_peak_mib(),
	             (j->train ? 3 : 1) * b.size.forward_flop / 1e9, bench_min(&cpu));
	bench_close(&b);
	return 0;
}

/* Runs this program again for one job. */
static int spawn_job(const job *j)
{
	static const char *const kernels[] = {"reference", "exact", "f2", "f4"};
	extern char **environ;
	char self[4096], threads[24], stride[24], size[48];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	if (n < 0)
		return 1;
	self[n] = 0;
	(void)snprintf(threads, sizeof threads, "%zu", j->threads);
	(void)snprintf(stride, sizeof stride, "%zu", j->output_stride);
	(void)snprintf(size, sizeof size, "%zux%zu", j->h, j->w);
	const char *argv[] = {self, "--one", "--threads", threads, "--kernels",
	                      kernels[j->kernels], "--output-stride", stride,
	                      j->train ? "train_step" : "inference",
	                      net_arch_name(j->arch), size, j->profile ? "--profile" : NULL, NULL};
	pid_t pid;
	int status = 1;
	if (posix_spawn(&pid, self, NULL, NULL, (char **)argv, environ) != 0 ||
	    waitpid(pid, &status, 0) != pid)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int usage(void)
{
	(void)fprintf(stderr, "usage: bench_net [--threads N] [--kernels exact|f2|f4] "
	                      "[--output-stride N] [--profile] [train_step|inference] [ARCH] "
	                      "[HxW]\n");
	return 2;
}

int main(int argc, char **argv)
{
	job j = {.h = 321, .w = 321, .threads = bench_threads(), .output_stride = 8,
	         .kernels = KERNELS_F4};
	bool one = false, all_archs = true, both = true;
	for (int i = 1; i < argc; i++) {
		const char *a = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
		char rest;
		if (strcmp(a, "--one") == 0) {
			one = true;
		} else if (strcmp(a, "--profile") == 0) {
			j.profile = true;
		} else if (strcmp(a, "--threads") == 0) {
			j.threads = (size_t)atoi(value);
			i++;
		} else if (strcmp(a, "--output-stride") == 0) {
			j.output_stride = (size_t)atoi(value);
			i++;
		} else if (strcmp(a, "--kernels") == 0) {
			j.kernels = strcmp(value, "exact") == 0 ? KERNELS_EXACT
			            : strcmp(value, "f2") == 0  ? KERNELS_F2
			                                        : KERNELS_F4;
			i++;
		} else if (strcmp(a, "train_step") == 0 || strcmp(a, "inference") == 0) {
			j.train = a[0] == 't';
			both = false;
		} else if (net_arch_parse(a, &j.arch)) {
			all_archs = false;
		} else if (sscanf(a, "%zux%zu%c", &j.h, &j.w, &rest) != 2) {
			return usage();
		}
	}
	if (one)
		return run_job(&j);
	int failed = 0;
	for (net_arch arch = 0; arch < ARCH_COUNT; arch++) {
		for (int train = 1; train >= 0; train--) {
			job k = j;
			k.arch = all_archs ? arch : j.arch;
			k.train = both ? train : j.train;
			bool wanted = (all_archs || arch == j.arch) && (both || k.train == train);
			if (wanted && spawn_job(&k) != 0)
				failed = 1;
		}
	}
	return failed;
}
