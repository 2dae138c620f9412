#include "ckpt/st_json.h"

#include <stdio.h>
#include <string.h>

static bool fail(st_json *j, const char *why)
{
	if (j->why == NULL)
		j->why = why;
	return false;
}

char st_json_peek(st_json *j)
{
	while (j->p < j->end && (*j->p == ' ' || *j->p == '\n' || *j->p == '\r' || *j->p == '\t'))
		j->p++;
	return j->p < j->end && j->why == NULL ? *j->p : 0;
}

bool st_json_take(st_json *j, char sign)
{
	if (st_json_peek(j) != sign)
		return fail(j, "not the JSON of a safetensors header");
	j->p++;
	return true;
}

bool st_json_end(st_json *j)
{
	return (st_json_peek(j) == 0 && j->p == j->end) || fail(j, "text after the header");
}

bool st_json_number(st_json *j, uint64_t *ret)
{
	char c = st_json_peek(j);
	if (c < '0' || c > '9')
		return fail(j, "a non-negative integer was expected");
	if (c == '0' && j->p + 1 < j->end && j->p[1] >= '0' && j->p[1] <= '9')
		return fail(j, "a number with a leading zero");
	uint64_t n = 0;
	for (; j->p < j->end && *j->p >= '0' && *j->p <= '9'; j->p++) {
		uint64_t digit = (uint64_t)(*j->p - '0');
		if (n > (INT64_MAX - digit) / 10)
			return fail(j, "a number is too large");
		n = n * 10 + digit;
	}
	*ret = n;
	return true;
}

/* Four hex digits of a \u escape. */
static bool hex4(st_json *j, uint32_t *ret)
{
	uint32_t n = 0;
	for (int i = 0; i < 4; i++, j->p++) {
		static const char digits[] = "0123456789abcdef0123456789ABCDEF";
		const char *d = j->p < j->end && *j->p != 0 ? strchr(digits, *j->p) : NULL;
		if (d == NULL)
			return fail(j, "a bad \\u escape");
		n = n << 4 | (uint32_t)((d - digits) & 15);
	}
	*ret = n;
	return true;
}

static char *put_utf8(char *to, uint32_t c)
{
	if (c < 0x80) {
		*to++ = (char)c;
		return to;
	}
	int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
	*to++ = (char)((0xff00 >> (more + 1) & 0xff) | c >> (6 * more));
	while (more-- > 0)
		*to++ = (char)(0x80 | (c >> (6 * more) & 0x3f));
	return to;
}

/* After the backslash. */
static bool escape(st_json *j, char **to)
{
	static const char plain[] = "\"\\/bfnrt", value[] = "\"\\/\b\f\n\r\t";
	char c = j->p < j->end ? *j->p++ : 0;
	const char *at = c == 0 ? NULL : strchr(plain, c);
	if (at != NULL) {
		*(*to)++ = value[at - plain];
		return true;
	}
	uint32_t code, low;
	if (c != 'u')
		return fail(j, "a bad escape");
	if (!hex4(j, &code))
		return false;
	if (code >= 0xd800 && code < 0xdc00) {
		if (j->end - j->p < 2 || j->p[0] != '\\' || j->p[1] != 'u')
			return fail(j, "half a surrogate pair");
		j->p += 2;
		if (!hex4(j, &low))
			return false;
		if (low < 0xdc00 || low > 0xdfff)
			return fail(j, "half a surrogate pair");
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	} else if (code >= 0xdc00 && code < 0xe000) {
		return fail(j, "half a surrogate pair");
	}
	if (code == 0)
		return fail(j, "U+0000 in a string");
	*to = put_utf8(*to, code);
	return true;
}

const char *st_json_string(st_json *j)
{
	if (!st_json_take(j, '"'))
		return NULL;
	/* Two quotes in, one zero out, and no escape is shorter than its UTF-8: there is room. */
	char *start = j->text, *to = start;
	for (;;) {
		if (j->p == j->end) {
			(void)fail(j, "a string without end");
			return NULL;
		}
		char c = *j->p++;
		if (c == '"')
			break;
		if ((unsigned char)c < 0x20) {
			(void)fail(j, "a control character in a string");
			return NULL;
		}
		if (c != '\\')
			*to++ = c;
		else if (!escape(j, &to))
			return NULL;
	}
	if (!st_utf8_valid(start, (size_t)(to - start))) {
		(void)fail(j, "a string is not UTF-8");
		return NULL;
	}
	*to++ = 0;
	j->text = to;
	return start;
}

bool st_utf8_valid(const char *text, size_t size)
{
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
	const unsigned char *s = (const unsigned char *)text, *end = s + size;
	while (s < end) {
		unsigned char c = *s++;
		if (c == 0)
			return false;
		if (c < 0x80)
			continue;
		int more = c >= 0xf8 ? 0 : c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
		if (more == 0 || end - s < more)
			return false;
		uint32_t code = c & (0x3fu >> more);
		for (int i = 0; i < more; i++, s++) {
			if ((*s & 0xc0) != 0x80)
				return false;
			code = code << 6 | (*s & 0x3fu);
		}
		if (code < least[more] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
			return false;
	}
	return true;
}

bool st_name_valid(const char *name)
{
	enum { MAX_NAME = 256 };
	size_t n = strlen(name);
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
			return false;
	return n > 0 && n <= MAX_NAME && st_utf8_valid(name, n);
}

char *st_json_quote(char *to, const char *s)
{
	*to++ = '"';
	for (; *s != 0; s++) {
		if ((unsigned char)*s < 0x20)
			to += sprintf(to, "\\u%04x", (unsigned)*s);
		else if (*s == '"' || *s == '\\')
			*to++ = '\\', *to++ = *s;
		else
			*to++ = *s;
	}
	*to++ = '"';
	return to;
}
