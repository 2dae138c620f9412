#include "http/token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum { TOKEN_BYTES = 32, TOKEN_MIN = 32, TOKEN_MAX = 256, FAILURES_PER_SECOND = 10 };

static tp_status make(int dirfd, tp_err *err)
{
	unsigned char raw[TOKEN_BYTES];
	if (getrandom(raw, sizeof raw, 0) != (ssize_t)sizeof raw)
		return tp_fail(err, TP_IO, errno, "cannot get random bytes for the token");
	char text[2 * TOKEN_BYTES + 2];
	for (size_t i = 0; i < TOKEN_BYTES; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", raw[i]);
	text[2 * TOKEN_BYTES] = '\n';
	/* Made under another name, so that a crash never leaves half a token behind. */
	(void)unlinkat(dirfd, "token.new", 0);
	int fd = openat(dirfd, "token.new", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return tp_fail(err, TP_IO, errno, "cannot create token");
	int rc = 0;
	if (fchmod(fd, 0600) != 0 || write(fd, text, 2 * TOKEN_BYTES + 1) != 2 * TOKEN_BYTES + 1 ||
	    fsync(fd) != 0)
		rc = errno != 0 ? errno : EIO;
	if (close(fd) != 0 && rc == 0)
		rc = errno;
	if (rc == 0 && renameat(dirfd, "token.new", dirfd, "token") != 0)
		rc = errno;
	if (rc != 0) {
		(void)unlinkat(dirfd, "token.new", 0);
		return tp_fail(err, TP_IO, rc, "cannot write token");
	}
	return TP_OK;
}

tp_status token_load(int state_dirfd, token *ret, tp_err *err)
{
	struct stat s;
	if (fstatat(state_dirfd, "token", &s, AT_SYMLINK_NOFOLLOW) != 0) {
		tp_status st = errno == ENOENT ? make(state_dirfd, err)
		                               : tp_fail(err, TP_IO, errno, "cannot look at token");
		if (st != TP_OK)
			return st;
	} else if (!S_ISREG(s.st_mode) || (s.st_mode & 077) != 0) {
		return tp_fail(
			err, TP_INVALID, 0,
			"token must be a plain file that only its owner may read (mode 0600)");
	}
	void *data;
	size_t size;
	tp_status st = file_read(state_dirfd, "token", TOKEN_MAX, &data, &size, err);
	if (st != TP_OK)
		return st;
	char *text = data;
	while (size > 0 && strchr(" \t\r\n", text[size - 1]) != NULL)
		size--;
	if (size < TOKEN_MIN || strcspn(text, " \t\r\n") < size || strlen(text) < size) {
		st = tp_fail(err, TP_INVALID, 0, "token must be one word of at least %d characters",
		             TOKEN_MIN);
	} else {
		*ret = (token){0};
		sha256_hex(text, size, ret->digest);
	}
	explicit_bzero(data, size);
	free(data);
	return st;
}

bool token_matches(const token *t, const char *presented)
{
	char digest[65];
	sha256_hex(presented, strlen(presented), digest);
	volatile unsigned char d = 0;
	for (size_t i = 0; i < 64; i++)
		d = (unsigned char)(d | (digest[i] ^ t->digest[i]));
	return d == 0;
}

bool token_failed(token *t, uint64_t now_ms)
{
	if (now_ms - t->window_ms >= 1000) {
		t->window_ms = now_ms;
		t->failures = 0;
	}
	return ++t->failures > FAILURES_PER_SECOND;
}
