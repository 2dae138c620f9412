/* The HTTP layer's parts that need no socket: JSON values, the shape notation, the token, static
 * files. */
#include "harness.h"

#include <sys/stat.h>

#include "http/json_out.h"
#include "http/schemas.h"
#include "http/static_files.h"
#include "http/token.h"

static void assert_text(json_t *j, const char *want)
{
	size_t size = 0;
	char *text = json_text(j, &size);
	assert_non_null(text);
	assert_string_equal(text, want);
	assert_int_equal(size, strlen(want));
	free(text);
	json_decref(j);
}

static void json_values(void **state)
{
	(void)state;
	assert_text(json_number_or_null(0.25), "0.25");
	assert_text(json_number_or_null(-3.0), "-3.0");
	assert_text(json_number_or_null(NAN), "null");
	assert_text(json_number_or_null(INFINITY), "null");
	assert_text(json_number_or_null(-INFINITY), "null");
	assert_text(json_share_or_null(0.0), "0.0");
	assert_text(json_share_or_null(-1.0), "null");
	assert_text(json_share_or_null(NAN), "null");
	assert_text(json_stored(""), "null");
	assert_text(json_stored("[1,null]"), "[1,null]");
	assert_text(json_stored("[1,"), "null");
	assert_text(json_text_or_null(""), "null");
	assert_text(json_text_or_null("x"), "\"x\"");
	assert_text(json_time(0), "\"1970-01-01T00:00:00.000Z\"");
	assert_text(json_time(1785924672345), "\"2026-08-05T10:11:12.345Z\"");
}

static void shape_notation(void **state)
{
	(void)state;
	assert_text(schema_json("int"), "{\"type\":\"integer\"}");
	assert_text(schema_json("[num?]"), "{\"type\":\"array\",\"items\":{\"anyOf\":[{\"type\":"
	                                   "\"number\"},{\"type\":\"null\"}]}}");
	assert_text(schema_json("a|-b"), "{\"type\":\"string\",\"enum\":[\"a\",\"-b\"]}");
	assert_text(schema_json("Run"), "{\"$ref\":\"#/components/schemas/Run\"}");
	assert_text(
		schema_json("{a:int b?:str}"),
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":"
		"\"string\"}},\"required\":[\"a\"]}");
	/* Mistakes. */
	static const char *const bad[] = {"",       "{a}",    "{a:}", "[int",  "int]",
	                                  "{a:int", "integr", "a||b", "{:int}"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_text(schema_json(bad[i]), "{}");
}

typedef struct place {
	char path[256];
	int dirfd;
} place;

static int enter(void **state)
{
	place *p = calloc(1, sizeof *p);
	scratch_create(p->path);
	p->dirfd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = p;
	return p->dirfd < 0;
}

static int leave(void **state)
{
	place *p = *state;
	(void)close(p->dirfd);
	scratch_remove(p->path);
	free(p);
	return 0;
}

static void put(place *p, const char *name, const char *text)
{
	file_part part = {text, strlen(text)};
	assert_ok(file_replace_cache(p->dirfd, name, &part, 1, err));
}

static void token_is_made_once(void **state)
{
	place *p = *state;
	token t, again;
	void *text;
	size_t size;
	struct stat s;
	assert_ok(token_load(p->dirfd, &t, err));
	assert_int_equal(fstatat(p->dirfd, "token", &s, 0), 0);
	assert_int_equal(s.st_mode & 0777, 0600);
	assert_ok(file_read(p->dirfd, "token", 1000, &text, &size, err));
	assert_int_equal(size, 65);
	((char *)text)[64] = 0;
	assert_ok(token_load(p->dirfd, &again, err));
	assert_string_equal(t.digest, again.digest);
	assert_true(token_matches(&t, text));
	((char *)text)[63] ^= 1;
	assert_false(token_matches(&t, text));
	((char *)text)[63] = 0;
	assert_false(token_matches(&t, text));
	assert_false(token_matches(&t, ""));
	free(text);
}

static void unsafe_tokens_are_refused(void **state)
{
	place *p = *state;
	token t;
	tp_err why = {0};
	put(p, "token", "0123456789abcdef0123456789abcdef\n");
	assert_int_equal(token_load(p->dirfd, &t, &why), TP_INVALID); /* mode 0640 */
	assert_non_null(strstr(why.text, "0600"));
	assert_int_equal(fchmodat(p->dirfd, "token", 0600, 0), 0);
	assert_ok(token_load(p->dirfd, &t, err));
	assert_true(token_matches(&t, "0123456789abcdef0123456789abcdef"));
	static const char *const bad[] = {"", "\n", "short", "0123456789abcdef 0123456789abcdef0"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		put(p, "token", bad[i]);
		assert_int_equal(fchmodat(p->dirfd, "token", 0600, 0), 0);
		assert_int_equal(token_load(p->dirfd, &t, NULL), TP_INVALID);
	}
	assert_int_equal(unlinkat(p->dirfd, "token", 0), 0);
	assert_int_equal(symlinkat("elsewhere", p->dirfd, "token"), 0);
	assert_int_equal(token_load(p->dirfd, &t, NULL), TP_INVALID);
}

static void failures_are_counted_by_second(void **state)
{
	(void)state;
	token t = {0};
	for (int i = 0; i < 10; i++)
		assert_false(token_failed(&t, 5000 + (uint64_t)i));
	assert_true(token_failed(&t, 5500));
	assert_false(token_failed(&t, 6001));
}

static void web_folder(void **state)
{
	place *p = *state;
	static_files *f;
	const static_file *file;
	assert_int_equal(mkdirat(p->dirfd, "js", 0700), 0);
	put(p, "index.html", "<p>");
	put(p, "js/app.js", "1;");
	put(p, "notes.md", "no type of ours");
	put(p, ".hidden.js", "2;");
	assert_int_equal(symlinkat("/etc/passwd", p->dirfd, "link.txt"), 0);
	assert_ok(static_files_load(p->path, &f, err));
	assert_non_null(file = static_files_find(f, "/"));
	assert_ptr_equal(file, static_files_find(f, "/index.html"));
	assert_memory_equal(file->data, "<p>", 3);
	assert_int_equal(strlen(file->etag), 64);
	assert_non_null(file = static_files_find(f, "/js/app.js"));
	assert_string_equal(file->type, "text/javascript; charset=utf-8");
	static const char *const absent[] = {"/notes.md", "/.hidden.js", "/link.txt",         "/js",
	                                     "/js/",      "js/app.js",   "/js/../index.html", ""};
	for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
		assert_null(static_files_find(f, absent[i]));
	static_files_free(f);
	assert_int_equal(static_files_load("/no/such/folder", &f, NULL), TP_NOTFOUND);
	assert_ok(static_files_load("", &f, err));
	assert_null(static_files_find(f, "/"));
	static_files_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_values),
		cmocka_unit_test(shape_notation),
		cmocka_unit_test_setup_teardown(token_is_made_once, enter, leave),
		cmocka_unit_test_setup_teardown(unsafe_tokens_are_refused, enter, leave),
		cmocka_unit_test(failures_are_counted_by_second),
		cmocka_unit_test_setup_teardown(web_folder, enter, leave),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
