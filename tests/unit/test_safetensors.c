/* safetensors: what the strict reader refuses, conversions, and the writer. */
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "ckpt/safetensors.h"
#include "ckpt/st_json.h"

enum { ROOM = 4096 };

/* Length, header and `data` bytes counting up; returns the size. Exactly that much is allocated, so
 * that a sanitizer sees reads beyond the end. */
static unsigned char *make_file(const char *header, size_t header_size, size_t data, size_t *ret)
{
	*ret = 8 + header_size + data;
	unsigned char *p = malloc(*ret);
	assert_non_null(p);
	for (size_t i = 0; i < 8; i++)
		p[i] = (unsigned char)(header_size >> (8 * i));
	memcpy(p + 8, header, header_size);
	for (size_t i = 0; i < data; i++)
		p[8 + header_size + i] = (unsigned char)i;
	return p;
}

static void expect(const char *header, size_t header_size, size_t data, tp_status want,
                   const char *word)
{
	size_t size;
	unsigned char *p = make_file(header, header_size, data, &size);
	st_file f = {0};
	tp_err err = {0};
	tp_status st = st_parse(p, size, &f, &err);
	if (st != want || (want != TP_OK && strstr(err.text, word) == NULL))
		fail_msg("%.*s: status %d, '%s' (wanted %d, '%s')", (int)header_size, header, st,
		         err.text, want, word == NULL ? "" : word);
	if (st == TP_OK)
		st_close(&f);
	free(p);
}

#define T8(name) "\"" name "\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"
#define NAMED(name) "{\"" name "\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}"
#define BODY(body) "{\"a\":{" body "}}"

static void malformed_headers(void **state)
{
	static const struct {
		const char *header;
		size_t data;
		const char *word;
	} cases[] = {
		/* the frame */
		{"", 0, "start with {"},
		{" {}", 0, "start with {"},
		{"[]", 0, "start with {"},
		{"{", 0, "header"},
		{"{}x", 0, "after the header"},
		{"{} {}", 0, "after the header"},
		{"{}", 1, "longer than its tensors"},
		{"{" T8("a") ",}", 8, "header"},
		{"{" T8("a") " " T8("b") "}", 8, "header"},
		{"{" T8("a"), 8, "header"},
		{"{a:1}", 0, "header"},
		{"{\"a\" {}}", 0, "header"},
		{"{\"a\":[]}", 0, "tensor a"},
		{"{\"a\":null}", 0, "tensor a"},
		{"\xef\xbb\xbf{}", 0, "start with {"},
		/* names */
		{"{" T8("a") "," T8("a") "}", 8, "tensor a: occurs twice"},
		{NAMED(""), 8, "name"},
		{NAMED("a\\n"), 8, "name"},
		{NAMED("a\\u0000"), 8, "U+0000"},
		{NAMED("a\nb"), 8, "control"},
		{NAMED("a\\x"), 8, "escape"},
		{NAMED("a\\u12g4"), 8, "escape"},
		{NAMED("a\\ud800"), 8, "surrogate"},
		{NAMED("a\\ud800\\u0041"), 8, "surrogate"},
		{NAMED("a\\udc00"), 8, "surrogate"},
		{NAMED("\x80"), 8, "UTF-8"},
		{NAMED("\xc0\xaf"), 8, "UTF-8"},
		{NAMED("\xe0\x80\xaf"), 8, "UTF-8"},
		{NAMED("\xed\xa0\x80"), 8, "UTF-8"},
		{NAMED("\xf4\x90\x80\x80"), 8, "UTF-8"},
		{NAMED("\xf0\x90\x80"), 8, "UTF-8"},
		{NAMED("\xff"), 8, "UTF-8"},
		{"{\"a", 0, "without end"},
		{"{\"a\\", 0, "escape"},
		/* fields */
		{BODY(""), 0, "tensor a"},
		{BODY("\"dtype\":\"F32\",\"shape\":[2]"), 8, "are needed"},
		{BODY("\"dtype\":\"F32\",\"data_offsets\":[0,8]"), 8, "are needed"},
		{BODY("\"shape\":[2],\"data_offsets\":[0,8]"), 8, "are needed"},
		{BODY("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]"), 8, "are needed"},
		{BODY("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,8]"), 8, "too many"},
		{BODY("\"dtype\":\"F32\",\"shape\":[2],\"shape\":[2],\"data_offsets\":[0,8]"), 8,
		 "repeated"},
		{BODY("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":[]"), 8, "unknown"},
		{BODY("\"dtype\":\"Q4\",\"shape\":[2],\"data_offsets\":[0,8]"), 8, "unknown dtype"},
		{BODY("\"dtype\":\"f32\",\"shape\":[2],\"data_offsets\":[0,8]"), 8, "unknown dtype"},
		{BODY("\"dtype\":32,\"shape\":[2],\"data_offsets\":[0,8]"), 8, "tensor a"},
		/* numbers */
		{BODY("\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]"), 8, "non-negative"},
		{BODY("\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]"), 8, "tensor a"},
		{BODY("\"dtype\":\"F32\",\"shape\":[2e0],\"data_offsets\":[0,8]"), 8, "tensor a"},
		{BODY("\"dtype\":\"F32\",\"shape\":[02],\"data_offsets\":[0,8]"), 8, "leading zero"},
		{BODY("\"dtype\":\"F32\",\"shape\":[\"2\"],\"data_offsets\":[0,8]"), 8, "non-negative"},
		{BODY("\"dtype\":\"F32\",\"shape\":[2,],\"data_offsets\":[0,8]"), 8, "non-negative"},
		{BODY("\"dtype\":\"F32\",\"shape\":[9223372036854775808],\"data_offsets\":[0,8]"), 8,
		 "too large"},
		{BODY("\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,8]"), 8,
		 "too large"},
		{BODY("\"dtype\":\"F32\",\"shape\":[4611686018427387904],\"data_offsets\":[0,8]"), 8,
		 "too large"},
		{BODY("\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,2],\"data_offsets\":[0,8]"), 8,
		 "too many"},
		/* offsets */
		{BODY("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,9]"), 9, "data_offsets"},
		{BODY("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]"), 7, "data_offsets"},
		{BODY("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]"), 8, "data_offsets"},
		{BODY("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]"), 12, "adjoin"},
		{BODY("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]"), 9, "longer"},
		{"{" T8("a") "," T8("b") "}", 8, "adjoin"},
		{"{" T8("a") ",\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", 12,
		 "tensor b: its data do not adjoin"},
		{"{" T8("a") ",\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[9,13]}}", 13,
		 "tensor b: its data do not adjoin"},
		/* metadata */
		{"{\"__metadata__\":[]}", 0, "__metadata__"},
		{"{\"__metadata__\":{\"a\":1}}", 0, "__metadata__"},
		{"{\"__metadata__\":{\"a\":\"1\",}}", 0, "__metadata__"},
		{"{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", 0, "twice"},
		{"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "twice"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		expect(cases[i].header, strlen(cases[i].header), cases[i].data, TP_CORRUPT,
		       cases[i].word);
	expect("{}\0", 3, 0, TP_CORRUPT, "after the header");
	char name[400];
	(void)snprintf(name, sizeof name, "{\"%0257d\":{}}", 0);
	expect(name, strlen(name), 0, TP_CORRUPT, "name");
}

static void well_formed_headers(void **state)
{
	static const struct {
		const char *header;
		size_t data;
	} cases[] = {
		{"{}", 0},
		{"{}   \n\t ", 0},
		{"{\"__metadata__\":{}}", 0},
		{"{ \"a\" : { \"data_offsets\" : [ 0 , 8 ] , \"shape\":[2],\"dtype\":\"F32\"}}", 8},
		/* order in the header is free */
		{"{\"b\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[8,16]}," T8("a") "}", 16},
		/* empty tensors anywhere */
		{"{" T8("a") ",\"z\":{\"dtype\":\"F32\",\"shape\":[0,5],\"data_offsets\":[8,8]},"
		 "\"y\":{\"dtype\":\"F16\",\"shape\":[0],\"data_offsets\":[0,0]}}", 8},
		{NAMED("\xc3\xa4 \\ud83d\\ude00 \\u00e4 \\/ \\\" \\\\"), 8},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		expect(cases[i].header, strlen(cases[i].header), cases[i].data, TP_OK, NULL);
}

static void decodes_strings(void **state)
{
	const char *header = "{\"__metadata__\":{\"k\":\"\\b\\f\\n\\r\\t \\u00e4\\ud83d\\ude00\\u20AC\"}}";
	size_t size;
	unsigned char *p = make_file(header, strlen(header), 0, &size);
	st_file f;
	assert_int_equal(st_parse(p, size, &f, NULL), TP_OK);
	assert_string_equal(st_meta_get(&f, "k"),
	                    "\b\f\n\r\t \xc3\xa4\xf0\x9f\x98\x80\xe2\x82\xac");
	assert_null(st_meta_get(&f, "K"));
	st_close(&f);
	free(p);
}

static const char small[] = "{\"__metadata__\":{\"key\":\"\\u00e4\"}," T8("a")
	",\"b\":{\"dtype\":\"BF16\",\"shape\":[1,2],\"data_offsets\":[8,12]}}";

static void every_truncation_is_refused(void **state)
{
	size_t size;
	unsigned char *p = make_file(small, sizeof small - 1, 12, &size);
	st_file f;
	assert_int_equal(st_parse(p, size, &f, NULL), TP_OK);
	assert_int_equal(f.tensors, 2);
	st_close(&f);
	for (size_t n = 0; n < size; n++) {
		unsigned char *part = malloc(n + 1);
		memcpy(part, p, n);
		assert_int_equal(st_parse(part, n, &f, NULL), TP_CORRUPT);
		free(part);
		/* the header itself cut, its length telling so */
		if (n < sizeof small - 1)
			expect(small, n, 12, TP_CORRUPT, "");
	}
	free(p);
}

/* Any one byte changed: refused or read, never a crash (run under a sanitizer in CI). */
static void changed_bytes_do_no_harm(void **state)
{
	size_t size;
	unsigned char *p = make_file(small, sizeof small - 1, 12, &size);
	for (size_t i = 0; i < size; i++) {
		for (unsigned v = 0; v < 256; v += 5) {
			unsigned char keep = p[i];
			p[i] = (unsigned char)v;
			st_file f;
			if (st_parse(p, size, &f, NULL) == TP_OK) {
				float x[2];
				for (size_t t = 0; t < f.tensors; t++)
					if (f.tensor[t].dtype != ST_OTHER)
						st_read(&f, &f.tensor[t], x);
				st_close(&f);
			}
			p[i] = keep;
		}
	}
	free(p);
}

static void header_length_is_limited(void **state)
{
	st_file f;
	tp_err err = {0};
	unsigned char huge[10] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, '{', '}'};
	assert_int_equal(st_parse(huge, sizeof huge, &f, &err), TP_CORRUPT);
	assert_non_null(strstr(err.text, "1 MiB"));
	size_t size = ST_MAX_HEADER + 1;
	char *header = malloc(size);
	memset(header, ' ', size);
	memcpy(header, "{}", 2);
	expect(header, size, 0, TP_CORRUPT, "1 MiB");
	expect(header, size - 1, 0, TP_OK, NULL);
	free(header);
}

static double half_value(unsigned h)
{
	int e = h >> 10 & 31;
	double m = h & 1023, v = e == 0 ? ldexp(m, -24) : ldexp(m + 1024, e - 25);
	if (e == 31)
		v = m == 0 ? INFINITY : NAN;
	return (h & 0x8000) != 0 ? -v : v;
}

static void converts_every_half(void **state)
{
	static uint16_t halves[65536];
	static float got[65536];
	for (unsigned i = 0; i < 65536; i++)
		halves[i] = (uint16_t)i;
	st_file f = {.data = (const unsigned char *)halves};
	st_tensor t = {.dtype = ST_F16, .count = 65536};
	st_read(&f, &t, got);
	for (unsigned i = 0; i < 65536; i++) {
		double want = half_value(i);
		assert_true(isnan(want) ? isnan(got[i]) : got[i] == want);
		assert_true(isnan(want) || !signbit(got[i]) == !signbit(want));
	}
}

static void converts_bfloat(void **state)
{
	const uint16_t in[] = {0x3f80, 0xc049, 0x0001, 0x8000, 0x7f80, 0x7f7f, 0x7fc0};
	float got[7];
	st_file f = {.data = (const unsigned char *)in};
	st_tensor t = {.dtype = ST_BF16, .count = 7};
	st_read(&f, &t, got);
	assert_true(got[0] == 1.0f && got[1] == -3.140625f && got[2] == 0x1p-133f);
	assert_true(got[3] == 0 && signbit(got[3]));
	assert_true(isinf(got[4]) && got[5] == 0x1.fep127f && isnan(got[6]));
}

/* ---- writing ---- */

static int folder; /* descriptor of a temporary directory */
static char folder_name[64];

static int make_folder(void **state)
{
	(void)snprintf(folder_name, sizeof folder_name, "/tmp/tp-safetensors-XXXXXX");
	assert_non_null(mkdtemp(folder_name));
	folder = open(folder_name, O_RDONLY | O_DIRECTORY);
	return folder < 0;
}

static int remove_folder(void **state)
{
	(void)close(folder);
	return file_remove_tree(AT_FDCWD, folder_name, NULL) != TP_OK;
}

static void writes_what_it_reads(void **state)
{
	const float a[6] = {1, -2, 3.5f, 0x1p-149f, 5, 6}, b[1] = {7};
	const st_out out[] = {{"z.weight", 2, {2, 3}, a},
	                      {"a \"quoted\\\" \xc3\xa4", 0, {0}, b},
	                      {"empty", 1, {0}, NULL}};
	const st_meta meta[] = {{"note", "two\nlines \"x\" \\ \x01"}, {"b", ""}};
	tp_err err = {0};
	if (st_write(folder, "one", out, 3, meta, 2, &err) != TP_OK)
		fail_msg("%s", err.text);
	assert_int_equal(st_write(folder, "two", out, 3, meta, 2, NULL), TP_OK);
	void *one, *two;
	size_t n, m;
	assert_int_equal(file_read(folder, "one", ROOM, &one, &n, NULL), TP_OK);
	assert_int_equal(file_read(folder, "two", ROOM, &two, &m, NULL), TP_OK);
	assert_int_equal(n, m);
	assert_memory_equal(one, two, n);
	free(one);
	free(two);

	st_file f;
	if (st_open(folder, "one", &f, &err) != TP_OK)
		fail_msg("%s", err.text);
	assert_int_equal((size_t)(f.data - (unsigned char *)f.map) % 8, 0);
	assert_int_equal(f.tensors, 3);
	for (int i = 0; i < 3; i++)
		assert_string_equal(f.tensor[i].name, out[i].name);
	for (int i = 0; i < 2; i++)
		assert_string_equal(st_meta_get(&f, meta[i].key), meta[i].value);
	float got[6];
	const st_tensor *t = st_find(&f, "z.weight");
	assert_int_equal(t->ndim, 2);
	assert_int_equal(t->shape[0], 2);
	assert_int_equal(t->shape[1], 3);
	st_read(&f, t, got);
	assert_memory_equal(got, a, sizeof a);
	st_read(&f, &f.tensor[1], got);
	assert_true(got[0] == 7);
	assert_null(st_find(&f, "nothing"));
	st_close(&f);
}

static void known_bytes(void **state)
{
	static const char want[] =
		"\x38\0\0\0\0\0\0\0"
		"{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}  \0\0\x80\x3f";
	const float one = 1;
	const st_out out = {"x", 1, {1}, &one};
	assert_int_equal(st_write(folder, "known", &out, 1, NULL, 0, NULL), TP_OK);
	void *p;
	size_t n;
	assert_int_equal(file_read(folder, "known", ROOM, &p, &n, NULL), TP_OK);
	assert_int_equal(n, sizeof want - 1);
	assert_memory_equal(p, want, n);
	free(p);
}

static void refuses_to_write(void **state)
{
	const float x = 0;
	const st_out twice[] = {{"x", 0, {0}, &x}, {"x", 0, {0}, &x}};
	const st_out bad[] = {{"", 0, {0}, &x},
	                      {"__metadata__", 0, {0}, &x},
	                      {"\xff", 0, {0}, &x},
	                      {"x", ST_MAX_DIMS + 1, {0}, &x},
	                      {"x", 2, {SIZE_MAX, SIZE_MAX}, &x}};
	const st_meta meta_twice[] = {{"k", "1"}, {"k", "2"}}, meta_bad[] = {{"k", "\xff"}};
	assert_int_equal(st_write(folder, "bad", twice, 2, NULL, 0, NULL), TP_INVALID);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(st_write(folder, "bad", &bad[i], 1, NULL, 0, NULL), TP_INVALID);
	assert_int_equal(st_write(folder, "bad", NULL, 0, meta_twice, 2, NULL), TP_INVALID);
	assert_int_equal(st_write(folder, "bad", NULL, 0, meta_bad, 1, NULL), TP_INVALID);
	assert_int_equal(faccessat(folder, "bad", F_OK, 0), -1);
	assert_int_equal(st_write(folder, "no/such/dir", twice, 1, NULL, 0, NULL), TP_IO);
}

static void opens_only_files(void **state)
{
	st_file f;
	assert_int_equal(st_open(folder, "absent", &f, NULL), TP_NOTFOUND);
	assert_int_equal(st_open(folder, ".", &f, NULL), TP_INVALID);
	const file_part few = {"abc", 3}, junk = {"0123456789", 10};
	assert_int_equal(file_replace(folder, "few", &few, 1, NULL), TP_OK);
	assert_int_equal(st_open(folder, "few", &f, NULL), TP_CORRUPT);
	assert_int_equal(file_replace(folder, "junk", &junk, 1, NULL), TP_OK);
	assert_int_equal(st_open(folder, "junk", &f, NULL), TP_CORRUPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(malformed_headers),
		cmocka_unit_test(well_formed_headers),
		cmocka_unit_test(decodes_strings),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(changed_bytes_do_no_harm),
		cmocka_unit_test(header_length_is_limited),
		cmocka_unit_test(converts_every_half),
		cmocka_unit_test(converts_bfloat),
		cmocka_unit_test(writes_what_it_reads),
		cmocka_unit_test(known_bytes),
		cmocka_unit_test(refuses_to_write),
		cmocka_unit_test(opens_only_files),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
