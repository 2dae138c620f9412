/* Properties of whole passes: the same bits for any number of threads, no allocation inside a
 * pass, and exactly the memory that exec_measure announced. */
#include <errno.h>

#include "net_test.h"

/* Counting allocator: the passes run on several threads, so the counter is atomic; the size book is
 * only kept while one thread allocates. Counted are calls from this program's own text: OpenBLAS's
 * kernels for tiny matrices allocate whenever they run. */
static atomic_int counting;
static atomic_size_t calls;

#ifndef __SANITIZE_ADDRESS__
enum { BOOK = 64 };
static struct {
	void *p;
	size_t size;
} book[BOOK];
static atomic_int booking;
static size_t live;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t align, size_t size);
void __libc_free(void *p);

extern const char __executable_start, etext;

static void *note(void *p, size_t size, const void *caller)
{
	bool ours = (const char *)caller >= &__executable_start && (const char *)caller < &etext;
	if (ours && atomic_load(&counting))
		atomic_fetch_add(&calls, 1);
	if (ours && atomic_load(&booking) && p != NULL) {
		size_t i = 0;
		while (i < BOOK && book[i].p != NULL)
			i++;
		if (i == BOOK)
			abort();
		book[i].p = p;
		book[i].size = size;
		live += size;
	}
	return p;
}

#define CALLER __builtin_return_address(0)
void *malloc(size_t size) { return note(__libc_malloc(size), size, CALLER); }
void *calloc(size_t n, size_t size) { return note(__libc_calloc(n, size), n * size, CALLER); }
void *realloc(void *p, size_t size) { return note(__libc_realloc(p, size), size, CALLER); }
int posix_memalign(void **ret, size_t align, size_t size)
{
	*ret = note(__libc_memalign(align, size), size, CALLER);
	return *ret == NULL ? ENOMEM : 0;
}
void free(void *p)
{
	for (size_t i = 0; atomic_load(&booking) && i < BOOK; i++) {
		if (p != NULL && book[i].p == p) {
			book[i].p = NULL;
			live -= book[i].size;
		}
	}
	__libc_free(p);
}
#endif

static graph reduced(net_arch arch)
{
	graph g;
	net_spec spec = net_spec_default(arch);
	spec.width_divisor = 4; /* wide enough for Winograd */
	spec.classes = 11;
	assert_int_equal(net_build(&spec, &g, NULL), TP_OK);
	return g;
}

static void same_bits_for_any_threads(void **state)
{
	for (net_arch a = 0; a < ARCH_COUNT; a++) {
		graph g = reduced(a);
		float *values = net_values(&g, 1);
		net_pass one = net_run(&g, values, 1, 121, 109, KERNELS_F4, 1);
		for (size_t threads = 2; threads <= 4; threads++) {
			net_pass r = net_run(&g, values, 1, 121, 109, KERNELS_F4, threads);
			assert_memory_equal(r.output, one.output, one.outputs * sizeof(float));
			assert_memory_equal(r.grads, one.grads,
			                    g.params.trained_floats * sizeof(float));
			assert_memory_equal(r.dinput, one.dinput, one.inputs * sizeof(float));
			net_pass_done(&r);
		}
		net_pass_done(&one);
		mem_free(values);
		graph_done(&g);
	}
}

typedef struct setup {
	graph g;
	pool *workers;
	exec_spec spec;
	float *values, *grads, *dy;
} setup;

static void setup_open(setup *s, net_arch arch)
{
	s->g = reduced(arch);
	assert_int_equal(pool_create(3, &s->workers, NULL), TP_OK);
	s->spec = (exec_spec){.graph = &s->g,
	                      .in_h = 67,
	                      .in_w = 81,
	                      .train = true,
	                      .kernels = KERNELS_F4,
	                      .pool = s->workers};
	exec_size size;
	assert_int_equal(exec_measure(&s->spec, &size, NULL), TP_OK);
	s->values = net_values(&s->g, 2);
	s->grads = new_floats(s->g.params.trained_floats);
	s->dy = new_floats(size.out_h * size.out_w * size.out_c);
}

static void setup_close(setup *s)
{
	mem_free(s->values);
	mem_free(s->grads);
	mem_free(s->dy);
	pool_free(s->workers);
	graph_done(&s->g);
}

static void train_pass(exec *e, setup *s)
{
	const float *y;
	exec_prepare(e, s->values);
	tp_status forward = exec_forward(e, &y, NULL);
	tp_status backward = exec_backward(e, s->dy, s->grads, NULL, NULL);
	bool counted = atomic_exchange(&counting, 0); /* cmocka allocates */
	assert_int_equal(forward, TP_OK);
	assert_int_equal(backward, TP_OK);
	atomic_store(&counting, counted);
}

static void passes_do_not_allocate(void **state)
{
#ifdef __SANITIZE_ADDRESS__
	skip();
#endif
	for (net_arch a = 0; a < ARCH_COUNT; a++) {
		setup s;
		exec *e;
		setup_open(&s, a);
		assert_int_equal(exec_create(&s.spec, &e, NULL), TP_OK);
		train_pass(e, &s); /* lets BLAS take its buffers */
		atomic_store(&calls, 0);
		atomic_store(&counting, 1);
		train_pass(e, &s);
		train_pass(e, &s);
		atomic_store(&counting, 0);
		assert_int_equal(atomic_load(&calls), 0);
		exec_free(e);
		setup_close(&s);
	}
}

/* mem_bytes asks for a multiple of 64 bytes, at least one more than wanted. */
static void memory_is_what_was_measured(void **state)
{
#ifdef __SANITIZE_ADDRESS__
	skip();
#else
	for (net_arch a = 0; a < ARCH_COUNT; a++) {
		for (int train = 0; train < 2; train++) {
			setup s;
			exec *e;
			setup_open(&s, a);
			s.spec.train = train;
			live = 0;
			atomic_store(&booking, 1);
			tp_status st = exec_create(&s.spec, &e, NULL);
			size_t taken = live;
			atomic_store(&booking, 0);
			memset(book, 0, sizeof book);
			assert_int_equal(st, TP_OK);
			assert_in_range(taken, exec_sizes(e)->bytes,
			                exec_sizes(e)->bytes + 2 * TP_ALIGN);
			exec_free(e);
			setup_close(&s);
		}
	}
#endif
}

/* Untrained networks with frozen batch norm: neither exploding nor vanishing. */
static void fresh_networks_start_tame(void **state)
{
	for (net_arch a = 0; a < ARCH_COUNT; a++) {
		graph g = reduced(a);
		float *values = new_floats(g.params.floats);
		params_init(&g.params, 5, values);
		net_pass r = net_run(&g, values, 1, 65, 65, KERNELS_EXACT, 1);
		double square = 0;
		for (size_t i = 0; i < r.outputs; i++)
			square += (double)r.output[i] * r.output[i] / (double)r.outputs;
		assert_true(sqrt(square) > 0.01);
		assert_true(sqrt(square) < 3);
		net_pass_done(&r);
		mem_free(values);
		graph_done(&g);
	}
}

/* The counter itself works. */
static void counter_counts(void **state)
{
#ifdef __SANITIZE_ADDRESS__
	skip();
#else
	float *p = NULL;
	atomic_store(&calls, 0);
	atomic_store(&counting, 1);
	tp_status st = mem_floats(10, &p, NULL);
	atomic_store(&counting, 0);
	assert_int_equal(st, TP_OK);
	mem_free(p);
	assert_int_equal(atomic_load(&calls), 1);
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_bits_for_any_threads),
		cmocka_unit_test(fresh_networks_start_tame),
		cmocka_unit_test(counter_counts),
		cmocka_unit_test(passes_do_not_allocate),
		cmocka_unit_test(memory_is_what_was_measured),
	};
	return cmocka_run_group_tests(tests, start_blas, NULL);
}
