/* store_fixture: an open store in a fresh folder, with a data set pair and runs on demand.
 * MIGRATIONS_DIR is given by the build. */
#ifndef TP_TESTS_STORE_FIXTURE_H
#define TP_TESTS_STORE_FIXTURE_H

#include "harness.h"

#include "store/store_private.h"

typedef struct fixture {
	char dir[256];
	store *s;
} fixture;

MAYBE_UNUSED static int fixture_open(void **state)
{
	fixture *f = calloc(1, sizeof *f);
	assert_non_null(f);
	scratch_create(f->dir);
	assert_ok(store_open(f->dir, MIGRATIONS_DIR, &f->s, err));
	*state = f;
	return 0;
}

MAYBE_UNUSED static int fixture_close(void **state)
{
	fixture *f = *state;
	store_close(f->s);
	scratch_remove(f->dir);
	free(f);
	return 0;
}

#define assert_code(call, want)                                                                    \
	do {                                                                                       \
		tp_err code_err = {0};                                                             \
		tp_err *err = &code_err;                                                           \
		tp_status code_got = (call);                                                       \
		if (code_got != (want) || code_err.code != (want))                                 \
			fail_msg("%s: status %d \"%s\", not %d", #call, (int)code_got,             \
			         code_err.text, (int)(want));                                      \
	} while (0)

#define FREE_ROWS(rows, n, kind) rows_done(rows, n, sizeof *(rows), kind##_done_any)
#define DONE_ANY(kind)                                                                             \
	MAYBE_UNUSED static void kind##_done_any(void *row)                                        \
	{                                                                                          \
		kind##_done(row);                                                                  \
	}
DONE_ANY(dataset_row)
DONE_ANY(dataset_image_row)
DONE_ANY(weights_row)
DONE_ANY(run_row)
DONE_ANY(run_history_row)
DONE_ANY(checkpoint_row)
DONE_ANY(round_row)
DONE_ANY(round_audit_row)
DONE_ANY(image_row)
DONE_ANY(evaluation_row)
DONE_ANY(profile_row)
DONE_ANY(metric_series)
DONE_ANY(event_row)

/* A data set of n images named i000000, i000001, ... */
MAYBE_UNUSED static int64_t add_dataset(store *s, const char *name, size_t n)
{
	dataset_image_row *image = calloc(n + 1, sizeof *image);
	char(*text)[24] = calloc(n + 1, sizeof *text);
	assert_true(image != NULL && text != NULL);
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(text[i], sizeof text[i], "i%06zu", i);
		image[i] = (dataset_image_row){.index = (int64_t)i,
		                               .name = text[i],
		                               .image = (char *)"/data/x.png",
		                               .width = 64,
		                               .height = 32};
	}
	dataset_row d = {.name = (char *)name,
	                 .layout = (char *)"folder",
	                 .root = (char *)"/data",
	                 .classes = (char *)"[]",
	                 .class_set = (char *)"camvid-11",
	                 .images = (int64_t)n,
	                 .created_ms = 5};
	int64_t id = 0;
	assert_ok(store_dataset_add(s, &d, image, n, &id, err));
	free(image);
	free(text);
	return id;
}

MAYBE_UNUSED static int64_t add_run(store *s, const char *name, int64_t source, int64_t target)
{
	run_row r = {.name = (char *)name,
	             .config = (char *)"{}",
	             .source = source,
	             .target = target,
	             .state = RUN_QUEUED};
	int64_t id = 0;
	assert_ok(store_run_add(s, &r, &id, err));
	return id;
}

/* A run with its own data sets; the target has `images` images. */
MAYBE_UNUSED static int64_t add_any_run(store *s, size_t images)
{
	static int serial;
	char source[32], target[32];
	(void)snprintf(source, sizeof source, "source%d", ++serial);
	(void)snprintf(target, sizeof target, "target%d", serial);
	return add_run(s, "run", add_dataset(s, source, 2), add_dataset(s, target, images));
}

/* One number from the database. */
MAYBE_UNUSED static int64_t number(store *s, const char *sql)
{
	int64_t v = -99;
	db *d = reader_enter(s);
	tp_err e = {0};
	stmt q = stmt_open(d, sql, &e);
	if (stmt_int(&q, -99, &v) != TP_OK)
		fail_msg("%s: %s", sql, e.text);
	db_leave(d);
	return v;
}

#endif
