#include "golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void take(FILE *file, void *to, size_t bytes, const char *path)
{
	if (bytes > 0 && fread(to, 1, bytes, file) != bytes)
		fail_msg("%s: ends early", path);
}

static size_t take_number(FILE *file, size_t bytes, const char *path)
{
	unsigned char b[4] = {0};
	take(file, b, bytes, path);
	return (size_t)b[0] | (size_t)b[1] << 8 | (size_t)b[2] << 16 | (size_t)b[3] << 24;
}

static void *room(size_t bytes)
{
	void *p = aligned_alloc(64, (bytes + 64) / 64 * 64);
	assert_non_null(p);
	return p;
}

static void take_tensor(FILE *file, golden_tensor *t, const char *path)
{
	static const size_t width[] = {4, 1, 4};
	size_t length = take_number(file, 2, path);
	assert_true(length < sizeof t->name);
	take(file, t->name, length, path);
	size_t type = take_number(file, 1, path);
	assert_true(type < 3);
	t->type = (golden_type)type;
	t->rank = take_number(file, 1, path);
	assert_true(t->rank <= 6);
	t->count = 1;
	for (size_t i = 0; i < t->rank; i++) {
		t->dim[i] = take_number(file, 4, path);
		t->count *= t->dim[i];
	}
	assert_true(t->count < 1 << 24);
	t->u8 = room(t->count * width[type]);
	take(file, t->u8, t->count * width[type], path);
}

void golden_open(const char *path, golden_file *ret)
{
	FILE *file = fopen(path, "rb");
	if (file == NULL)
		fail_msg("%s: cannot be opened", path);
	char magic[8];
	take(file, magic, sizeof magic, path);
	assert_memory_equal(magic, "TPGOLD1\n", sizeof magic);
	size_t length = take_number(file, 4, path);
	assert_true(length < 1 << 16);
	ret->note = room(length + 1);
	take(file, ret->note, length, path);
	ret->note[length] = '\0';
	ret->count = take_number(file, 4, path);
	assert_true(ret->count < 1 << 16);
	ret->tensor = calloc(ret->count + 1, sizeof *ret->tensor);
	assert_non_null(ret->tensor);
	for (size_t i = 0; i < ret->count; i++)
		take_tensor(file, &ret->tensor[i], path);
	fclose(file);
}

void golden_close(golden_file *f)
{
	for (size_t i = 0; i < f->count; i++)
		free(f->tensor[i].u8);
	free(f->tensor);
	free(f->note);
}

const golden_tensor *golden_find(const golden_file *f, const char *name)
{
	for (size_t i = 0; i < f->count; i++)
		if (strcmp(f->tensor[i].name, name) == 0)
			return &f->tensor[i];
	return NULL;
}

static const golden_tensor *need(const golden_file *f, golden_type type, size_t count,
                                 const char *format, va_list ap)
{
	char name[64];
	(void)vsnprintf(name, sizeof name, format, ap);
	const golden_tensor *t = golden_find(f, name);
	if (t == NULL || t->type != type || t->count != count)
		fail_msg("golden tensor %s: %s", name,
		         t == NULL ? "missing" : "other type or size");
	return t;
}

#define GOLDEN_GET(function, c_type, member, type)                                                 \
	const c_type *function(const golden_file *f, size_t count, const char *name, ...)          \
	{                                                                                          \
		va_list ap;                                                                        \
		va_start(ap, name);                                                                \
		const golden_tensor *t = need(f, type, count, name, ap);                           \
		va_end(ap);                                                                        \
		return t->member;                                                                  \
	}
GOLDEN_GET(golden_f32, float, f32, GOLDEN_F32)
GOLDEN_GET(golden_u8, uint8_t, u8, GOLDEN_U8)
GOLDEN_GET(golden_i32, int32_t, i32, GOLDEN_I32)
