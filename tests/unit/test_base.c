/* base: status, memory, random numbers, thread pool, files. */
#include "harness.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* ---- status ---- */

static void first_cause_wins(void **state)
{
	tp_err e = {0};
	assert_int_equal(tp_fail(&e, TP_SHAPE, 0, "rows: %d", 3), TP_SHAPE);
	assert_int_equal(tp_fail(&e, TP_IO, EIO, "later"), TP_IO);
	assert_int_equal(e.code, TP_SHAPE);
	assert_string_equal(e.text, "rows: 3");
	assert_int_equal(tp_fail(NULL, TP_IO, ENOSPC, "nobody listens"), TP_NOSPACE);
	tp_err full = {0};
	assert_int_equal(tp_fail(&full, TP_IO, EDQUOT, "write"), TP_NOSPACE);
	assert_int_equal(full.code, TP_NOSPACE);
	assert_int_equal(full.sys, EDQUOT);
	tp_err io = {0};
	(void)tp_fail(&io, TP_IO, ENOENT, "cannot open %s", "x");
	assert_string_equal(io.text, "cannot open x: No such file or directory");
}

static void long_causes_are_cut(void **state)
{
	char text[1000];
	memset(text, 'a', sizeof text);
	text[sizeof text - 1] = 0;
	for (size_t drop = 500; drop < 700; drop++) {
		tp_err e = {0};
		(void)tp_fail(&e, TP_IO, EIO, "%s", text + drop);
		assert_true(strlen(e.text) < sizeof e.text);
	}
	assert_string_equal(tp_status_text(TP_CORRUPT), "file is damaged");
	assert_string_equal(tp_status_text((tp_status)99), "unknown status");
}

/* ---- mem ---- */

static void sizes_are_checked(void **state)
{
	size_t r = 7;
	assert_false(mul_size(SIZE_MAX / 2 + 1, 2, &r));
	assert_false(add_size(SIZE_MAX, 1, &r));
	assert_int_equal(r, 7);
	assert_true(mul_size(6, 7, &r) && r == 42);
	assert_true(add_size(6, 7, &r) && r == 13);
	assert_int_equal(round_up(65, 64), 128);
	assert_int_equal(round_up(64, 64), 64);
}

static void blocks_are_aligned_and_zero(void **state)
{
	static const size_t counts[] = {0, 1, 15, 17, 1000, 3 << 20};
	for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
		float *p = NULL;
		assert_ok(mem_floats(counts[k], &p, err));
		assert_non_null(p);
		assert_int_equal((uintptr_t)p % TP_ALIGN, 0);
		for (size_t i = 0; i < counts[k]; i++)
			assert_true(p[i] == 0.0f);
		mem_free(p);
	}
	mem_free(NULL);
}

static void too_much_memory_is_refused(void **state)
{
	float mark, *p = &mark;
	tp_err e = {0};
	assert_int_equal(mem_floats(SIZE_MAX / 2, &p, &e), TP_NOMEM);
	assert_ptr_equal(p, &mark);
	assert_non_null(strstr(e.text, "out of memory"));
	tp_err e2 = {0};
	assert_int_equal(mem_floats((size_t)1 << 60, &p, &e2), TP_NOMEM);
	assert_ptr_equal(p, &mark);
}

/* ---- rng ---- */

/* A seed's meaning is part of the product: these values may never change. */
static void seeds_keep_their_meaning(void **state)
{
	assert_true(rng_u64(1, RNG_INIT, 0) == UINT64_C(0xf04f04be4e8ebdea));
	assert_true(rng_u64(1, RNG_ORDER, 0) == UINT64_C(0x12d5772f78d6571a));
	assert_true(rng_u64(2, RNG_INIT, 12345) == UINT64_C(0x4b766cad00dbb684));
	static const uint32_t want[8] = {0, 3, 7, 4, 1, 6, 2, 5};
	uint32_t order[8];
	rng_permutation(7, RNG_ORDER, 1, 8, order);
	assert_memory_equal(order, want, sizeof want);
}

static void uniform_is_uniform(void **state)
{
	enum { N = 100000, BINS = 64 };
	for (uint64_t seed = 0; seed < 4; seed++) {
		size_t bin[BINS] = {0};
		double sum = 0.0, lag = 0.0;
		for (uint64_t i = 0; i < N; i++) {
			double u = rng_uniform(seed, RNG_TEST, i);
			assert_true(u >= 0.0 && u < 1.0);
			sum += u;
			lag += (u - 0.5) * (rng_uniform(seed, RNG_TEST, i + 1) - 0.5);
			bin[(size_t)(u * BINS)]++;
		}
		assert_near(sum / N, 0.5, 5 * sqrt(1.0 / 12 / N));
		assert_near(lag / N, 0.0, 5.0 / 12 / sqrt(N));
		double chi = 0.0;
		for (size_t b = 0; b < BINS; b++)
			chi += pow((double)bin[b] - (double)N / BINS, 2) * BINS / N;
		assert_near(chi, BINS - 1, 5 * sqrt(2.0 * BINS));
	}
}

/* Streams, seeds and counters next to each other share no linear trace and no equal values. */
static void streams_are_independent(void **state)
{
	enum { N = 50000 };
	for (int pair = 0; pair < 3; pair++) {
		double product = 0.0;
		for (uint64_t i = 0; i < N; i++) {
			uint64_t a = rng_u64(5, RNG_INIT, i);
			uint64_t b = pair == 0   ? rng_u64(5, RNG_ORDER, i)
			             : pair == 1 ? rng_u64(6, RNG_INIT, i)
			                         : rng_u64(5, RNG_INIT, i + ((uint64_t)1 << 40));
			assert_true(a != b);
			product += ((double)a * 0x1p-64 - 0.5) * ((double)b * 0x1p-64 - 0.5);
		}
		assert_near(product / N, 0.0, 5.0 / 12 / sqrt(N));
	}
}

static void below_and_normal_have_their_moments(void **state)
{
	enum { N = 60000, SIDES = 6 };
	size_t count[SIDES] = {0};
	double sum = 0.0, squares = 0.0, fourth = 0.0;
	for (uint64_t i = 0; i < N; i++) {
		uint64_t k = rng_below(9, RNG_TEST, i, SIDES);
		assert_true(k < SIDES);
		count[k]++;
		double z = rng_normal(9, RNG_TEST, i);
		assert_true(isfinite(z));
		sum += z;
		squares += z * z;
		fourth += z * z * z * z;
	}
	for (size_t k = 0; k < SIDES; k++)
		assert_near((double)count[k], N / SIDES, 5 * sqrt(N / SIDES));
	assert_near(sum / N, 0.0, 5 / sqrt(N));
	assert_near(squares / N, 1.0, 5 * sqrt(2.0 / N));
	assert_near(fourth / N, 3.0, 5 * sqrt(96.0 / N));
	assert_int_equal(rng_below(9, RNG_TEST, 0, 1), 0);
}

static void permutation_is_one(void **state)
{
	static const uint32_t sizes[] = {0, 1, 2, 17, 5000};
	for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
		uint32_t n = sizes[k];
		uint32_t *a = test_malloc((n + 1) * sizeof *a);
		uint32_t *b = test_malloc((n + 1) * sizeof *b);
		uint8_t *seen = test_calloc(n + 1, 1);
		rng_permutation(3, RNG_ORDER, 0, n, a);
		rng_permutation(3, RNG_ORDER, 1, n, b);
		for (uint32_t i = 0; i < n; i++) {
			assert_true(a[i] < n && seen[a[i]] == 0);
			seen[a[i]] = 1;
		}
		size_t same = 0;
		for (uint32_t i = 0; i < n; i++)
			same += a[i] == b[i];
		if (n > 10)
			assert_true(same < 10);
		test_free(a);
		test_free(b);
		test_free(seen);
	}
	/* All six orders of three come about equally often. */
	size_t hits[27] = {0};
	for (uint64_t e = 0; e < 6000; e++) {
		uint32_t o[3];
		rng_permutation(4, RNG_ORDER, e, 3, o);
		hits[o[0] * 9 + o[1] * 3 + o[2]]++;
	}
	for (size_t i = 0; i < 27; i++)
		if (hits[i] > 0)
			assert_near((double)hits[i], 1000, 160);
}

/* ---- pool ---- */

typedef struct tally {
	atomic_int *calls;
	atomic_int inside[256];
	size_t threads;
	double *result;
	atomic_int faults, unblocked;
	pthread_t caller;
} tally;

static void count_chunk(void *arg, size_t chunk, size_t worker)
{
	tally *t = arg;
	if (worker >= t->threads || atomic_fetch_add(&t->inside[worker], 1) != 0)
		atomic_fetch_add(&t->faults, 1); /* two chunks on one worker's scratch memory */
	atomic_fetch_add(&t->calls[chunk], 1);
	if (!pthread_equal(pthread_self(), t->caller)) {
		sigset_t set;
		pthread_sigmask(SIG_BLOCK, NULL, &set);
		if (!sigismember(&set, SIGTERM) || !sigismember(&set, SIGINT))
			atomic_fetch_add(&t->unblocked, 1);
	}
	double sum = 0.0;
	for (size_t i = 0; i < 50 * (chunk % 7); i++)
		sum += rng_uniform(chunk, RNG_TEST, i);
	t->result[chunk] = sum;
	atomic_fetch_sub(&t->inside[worker], 1);
}

static void every_chunk_runs_once(void **state)
{
	enum { CHUNKS = 300 };
	double first[CHUNKS], result[CHUNKS];
	for (size_t threads = 1; threads <= 8; threads++) {
		pool *p = new_pool(threads);
		assert_int_equal(pool_threads(p), threads);
		atomic_int calls[CHUNKS] = {0};
		tally t = {.calls = calls, .threads = threads, .result = result,
		           .caller = pthread_self()};
		for (int round = 1; round <= 20; round++) {
			memset(result, 0, sizeof result);
			pool_run(p, CHUNKS, count_chunk, &t);
			for (size_t k = 0; k < CHUNKS; k++)
				assert_int_equal(atomic_load(&calls[k]), round);
			if (threads == 1)
				memcpy(first, result, sizeof first);
			assert_memory_equal(result, first, sizeof first);
		}
		assert_int_equal(atomic_load(&t.faults), 0);
		assert_int_equal(atomic_load(&t.unblocked), 0);
		pool_free(p);
	}
}

static void add_one(void *arg, size_t chunk, size_t worker)
{
	atomic_fetch_add_explicit((atomic_size_t *)arg, chunk + 1, memory_order_relaxed);
}

/* Hand-over races show as a hang (the runner's time limit) or a lost chunk. */
static void thousands_of_tiny_jobs(void **state)
{
	for (size_t threads = 2; threads <= 8; threads += 3) {
		pool *p = new_pool(threads);
		for (size_t job = 0; job < 5000; job++) {
			atomic_size_t sum = 0;
			size_t chunks = job % 6;
			pool_run(p, chunks, add_one, &sum);
			assert_int_equal(atomic_load(&sum), chunks * (chunks + 1) / 2);
		}
		pool_free(p);
	}
	for (size_t i = 0; i < 200; i++) /* start and stop without a job */
		pool_free(new_pool(1 + i % 4));
	pool_free(NULL);
}

static void thread_counts_are_checked(void **state)
{
	pool *p = (pool *)&p;
	static const size_t bad[] = {0, 257, SIZE_MAX};
	for (size_t i = 0; i < 3; i++) {
		tp_err e = {0};
		assert_int_equal(pool_create(bad[i], &p, &e), TP_INVALID);
		assert_non_null(strstr(e.text, "1..256"));
		assert_ptr_equal(p, &p);
	}
}

static void parts_cover_everything_once(void **state)
{
	for (size_t n = 0; n < 40; n++)
		for (size_t chunks = 1; chunks < 12; chunks++) {
			size_t next = 0, begin, end;
			for (size_t k = 0; k < chunks; k++) {
				pool_part(n, chunks, k, &begin, &end);
				assert_int_equal(begin, next);
				assert_in_range(end - begin, n / chunks, n / chunks + 1);
				next = end;
			}
			assert_int_equal(next, n);
		}
}

/* ---- file ---- */

typedef struct folder {
	char path[256];
	int fd;
} folder;

static int folder_setup(void **state)
{
	folder *f = test_malloc(sizeof *f);
	scratch_create(f->path);
	f->fd = open(f->path, O_RDONLY | O_DIRECTORY);
	*state = f;
	return f->fd < 0;
}

static int folder_teardown(void **state)
{
	folder *f = *state;
	(void)close(f->fd);
	scratch_remove(f->path);
	test_free(f);
	return 0;
}

static void put(int fd, const char *name, const char *text)
{
	file_part part = {text, strlen(text)};
	assert_ok(file_replace(fd, name, &part, 1, err));
}

static void assert_holds(int fd, const char *name, const char *text)
{
	void *data;
	size_t size;
	assert_ok(file_read(fd, name, 1 << 20, &data, &size, err));
	assert_int_equal(size, strlen(text));
	assert_string_equal(data, text);
	free(data);
}

static bool exists(int fd, const char *name)
{
	struct stat s;
	return fstatat(fd, name, &s, AT_SYMLINK_NOFOLLOW) == 0;
}

static void replace_is_all_or_nothing(void **state)
{
	folder *f = *state;
	put(f->fd, "a", "first");
	const file_part parts[] = {{"sec", 3}, {"", 0}, {NULL, 0}, {"ond", 3}};
	assert_ok(file_replace(f->fd, "a", parts, 4, err));
	assert_holds(f->fd, "a", "second");
	assert_ok(file_replace_cache(f->fd, "a", parts, 1, err));
	assert_holds(f->fd, "a", "sec");
	assert_ok(file_replace(f->fd, "a", NULL, 0, err));
	assert_holds(f->fd, "a", "");
	assert_false(exists(f->fd, "a.tmp"));
	/* A leftover of a crash, even a link to something precious, is in nobody's way. */
	put(f->fd, "precious", "keep");
	assert_int_equal(symlinkat("precious", f->fd, "b.tmp"), 0);
	put(f->fd, "b", "new");
	assert_holds(f->fd, "b", "new");
	assert_holds(f->fd, "precious", "keep");
	assert_int_equal(mkdirat(f->fd, "sub", 0750), 0);
	put(f->fd, "sub/c", "deep");
	assert_holds(f->fd, "sub/c", "deep");
}

static void failed_replace_leaves_no_trace(void **state)
{
	folder *f = *state;
	put(f->fd, "a", "old");
	const file_part big = {calloc(1, 1 << 20), 1 << 20};
	tp_err e[5] = {0};
	assert_int_equal(file_replace(f->fd, "absent/a", &big, 1, &e[0]), TP_IO);
	assert_int_equal(e[0].sys, ENOENT);
	/* The rename fails: a directory has that name. */
	assert_int_equal(mkdirat(f->fd, "dir", 0750), 0);
	assert_int_equal(file_replace(f->fd, "dir", &big, 1, &e[1]), TP_IO);
	assert_non_null(strstr(e[1].text, "rename"));
	assert_false(exists(f->fd, "dir.tmp"));
	/* The write fails: the file would become too large. */
	struct rlimit old, low;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	low = old;
	low.rlim_cur = 4096;
	void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
	tp_status durable = file_replace(f->fd, "a", &big, 1, &e[2]);
	tp_status cache = file_replace_cache(f->fd, "a", &big, 1, &e[3]);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	(void)signal(SIGXFSZ, handler);
	assert_int_equal(durable, TP_IO);
	assert_int_equal(cache, TP_IO);
	assert_non_null(strstr(e[2].text, "write"));
	assert_holds(f->fd, "a", "old");
	assert_false(exists(f->fd, "a.tmp"));
	char name[600];
	memset(name, 'n', sizeof name);
	name[sizeof name - 1] = 0;
	assert_int_equal(file_replace(f->fd, name, &big, 1, &e[4]), TP_INVALID);
	free((void *)big.data);
}

static void replace_in_a_read_only_folder_fails(void **state)
{
	folder *f = *state;
	const uid_t nobody = 65534;
	put(f->fd, "a", "old");
	const bool root = geteuid() == 0; /* permissions do not bind root */
	if (root && (fchown(f->fd, nobody, (gid_t)-1) != 0 || seteuid(nobody) != 0))
		skip();
	assert_int_equal(fchmod(f->fd, 0500), 0);
	file_part part = {"new", 3};
	tp_err e = {0};
	tp_status st = file_replace(f->fd, "a", &part, 1, &e);
	assert_int_equal(fchmod(f->fd, 0700), 0);
	if (root)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(st, TP_IO);
	assert_int_equal(e.sys, EACCES);
	assert_holds(f->fd, "a", "old");
}

static void reading_is_limited_and_typed(void **state)
{
	folder *f = *state;
	void *data = f;
	size_t size = 77;
	put(f->fd, "a", "12345");
	tp_err e[4] = {0};
	assert_int_equal(file_read(f->fd, "a", 4, &data, &size, &e[0]), TP_INVALID);
	assert_string_equal(e[0].text, "a has 5 bytes, the limit is 4");
	assert_int_equal(file_read(f->fd, "none", 4, &data, &size, &e[1]), TP_NOTFOUND);
	assert_int_equal(file_read(f->fd, ".", 4, &data, &size, &e[2]), TP_INVALID);
	/* A pipe without a writer must not hang the reader. */
	assert_int_equal(mkfifoat(f->fd, "pipe", 0600), 0);
	assert_int_equal(file_read(f->fd, "pipe", 4, &data, &size, &e[3]), TP_INVALID);
	assert_ptr_equal(data, f);
	assert_int_equal(size, 77);
	assert_ok(file_read(f->fd, "a", 5, &data, &size, err));
	assert_int_equal(size, 5);
	free(data);
}

static void folders_come_and_go(void **state)
{
	folder *f = *state;
	char path[400];
	(void)snprintf(path, sizeof path, "%s/x/y//z", f->path);
	assert_ok(file_mkdirs(path, err));
	assert_ok(file_mkdirs(path, err));
	put(f->fd, "x/y/file", "1");
	put(f->fd, "outside", "keep");
	assert_int_equal(symlinkat("..", f->fd, "x/y/up"), 0);
	assert_int_equal(symlinkat("../../outside", f->fd, "x/y/z/out"), 0);
	assert_ok(file_remove_tree(f->fd, "x", err));
	assert_false(exists(f->fd, "x"));
	assert_holds(f->fd, "outside", "keep");
	assert_ok(file_remove_tree(f->fd, "x", err));
	(void)snprintf(path, sizeof path, "%s/outside", f->path);
	tp_err e[3] = {0};
	assert_int_equal(file_mkdirs(path, &e[0]), TP_IO);
	assert_int_equal(e[0].sys, ENOTDIR);
	(void)snprintf(path, sizeof path, "%s/outside/below", f->path);
	assert_int_equal(file_mkdirs(path, &e[1]), TP_IO);
	assert_int_equal(file_mkdirs("", &e[2]), TP_INVALID);
}

static void digests_are_right(void **state)
{
	folder *f = *state;
	char hex[65], again[65];
	sha256_hex("abc", 3, hex);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223"
	                         "b00361a396177a9cb410ff61f20015ad");
	put(f->fd, "a", "abc");
	assert_ok(sha256_file(f->fd, "a", again, err));
	assert_string_equal(again, hex);
	assert_int_equal(sha256_file(f->fd, "none", again, NULL), TP_NOTFOUND);
	/* The checksum sees each byte, the order and the seed. */
	unsigned char data[37];
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (unsigned char)(i * 11);
	const uint64_t sum = checksum64(1, data, sizeof data);
	assert_true(sum != checksum64(2, data, sizeof data));
	assert_true(sum != checksum64(1, data, sizeof data - 1));
	for (size_t i = 0; i < sizeof data; i++)
		for (int bit = 0; bit < 8; bit++) {
			data[i] ^= (unsigned char)(1 << bit);
			assert_true(sum != checksum64(1, data, sizeof data));
			data[i] ^= (unsigned char)(1 << bit);
		}
	assert_true(sum == checksum64(1, data, sizeof data));
}

#define FOLDER_TEST(f) cmocka_unit_test_setup_teardown(f, folder_setup, folder_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_cause_wins),
		cmocka_unit_test(long_causes_are_cut),
		cmocka_unit_test(sizes_are_checked),
		cmocka_unit_test(blocks_are_aligned_and_zero),
		cmocka_unit_test(too_much_memory_is_refused),
		cmocka_unit_test(seeds_keep_their_meaning),
		cmocka_unit_test(uniform_is_uniform),
		cmocka_unit_test(streams_are_independent),
		cmocka_unit_test(below_and_normal_have_their_moments),
		cmocka_unit_test(permutation_is_one),
		cmocka_unit_test(every_chunk_runs_once),
		cmocka_unit_test(thousands_of_tiny_jobs),
		cmocka_unit_test(thread_counts_are_checked),
		cmocka_unit_test(parts_cover_everything_once),
		FOLDER_TEST(replace_is_all_or_nothing),
		FOLDER_TEST(failed_replace_leaves_no_trace),
		FOLDER_TEST(replace_in_a_read_only_folder_fails),
		FOLDER_TEST(reading_is_limited_and_typed),
		FOLDER_TEST(folders_come_and_go),
		FOLDER_TEST(digests_are_right),
	};
	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
