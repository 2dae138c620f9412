#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_all(int fd, const void *data, size_t size)
{
	const char *p = data;
	while (size > 0) {
		ssize_t n = write(fd, p, size > (1u << 30) ? 1u << 30 : size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

/* A rename is durable only when its directory is. */
static tp_status sync_directory_of(int dirfd, const char *name, tp_err *err)
{
	char dir[512];
	const char *slash = strrchr(name, '/');
	(void)snprintf(dir, sizeof dir, "%.*s", slash == NULL ? 1 : (int)(slash - name),
	               slash == NULL ? "." : name);
	int dfd = openat(dirfd, slash == name ? "/" : dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = dfd < 0 ? errno : fsync(dfd) == 0 ? 0 : errno;
	if (dfd >= 0)
		(void)close(dfd);
	if (rc != 0)
		return tp_fail(err, TP_IO, rc, "cannot fsync the directory of %s", name);
	return TP_OK;
}

static tp_status replace(int dirfd, const char *name, const file_part *part, size_t parts,
                         bool durable, tp_err *err)
{
	char tmp[512];
	if ((size_t)snprintf(tmp, sizeof tmp, "%s.tmp", name) >= sizeof tmp)
		return tp_fail(err, TP_INVALID, 0, "file name too long: %.100s...", name);
	(void)unlinkat(dirfd, tmp, 0); /* left by a crash */
	int fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return tp_fail(err, TP_IO, errno, "cannot create %s", tmp);
	const char *step = "write";
	size_t total = 0;
	for (size_t i = 0; i < parts; i++)
		total += part[i].size;
	int rc = 0;
	/* Reserve first, so that a full disk shows before the bytes are half there. */
	if (durable && total > 0)
		rc = posix_fallocate(fd, 0, (off_t)total);
	if (rc == EOPNOTSUPP || rc == EINVAL)
		rc = 0;
	for (size_t i = 0; i < parts && rc == 0; i++)
		rc = write_all(fd, part[i].data, part[i].size);
	if (rc == 0 && durable) {
		step = "fsync";
		rc = fsync(fd) == 0 ? 0 : errno;
	}
	if (close(fd) != 0 && rc == 0) {
		step = "close";
		rc = errno;
	}
	if (rc == 0) {
		step = "rename";
		rc = renameat(dirfd, tmp, dirfd, name) == 0 ? 0 : errno;
	}
	if (rc != 0) {
		(void)unlinkat(dirfd, tmp, 0);
		return tp_fail(err, TP_IO, rc, "cannot %s %s", step, name);
	}
	if (!durable)
		return TP_OK;
	return sync_directory_of(dirfd, name, err);
}

tp_status file_replace(int dirfd, const char *name, const file_part *part, size_t parts,
                       tp_err *err)
{
	return replace(dirfd, name, part, parts, true, err);
}

tp_status file_replace_cache(int dirfd, const char *name, const file_part *part, size_t parts,
                             tp_err *err)
{
	return replace(dirfd, name, part, parts, false, err);
}

tp_status file_move(int dirfd, const char *from, const char *to, tp_err *err)
{
	int fd = openat(dirfd, from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int rc = fd < 0 || fsync(fd) != 0 ? errno : 0;
	if (fd >= 0)
		(void)close(fd);
	if (rc == 0 && renameat(dirfd, from, dirfd, to) != 0)
		rc = errno;
	if (rc != 0)
		return tp_fail(err, TP_IO, rc, "cannot move %s to %s", from, to);
	tp_status st = sync_directory_of(dirfd, to, err);
	return st == TP_OK ? sync_directory_of(dirfd, from, err) : st;
}

static tp_status open_regular(int dirfd, const char *name, int *ret_fd, struct stat *ret_stat,
                              tp_err *err)
{
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return tp_fail(err, errno == ENOENT ? TP_NOTFOUND : TP_IO, errno, "cannot open %s",
		               name);
	if (fstat(fd, ret_stat) != 0 || !S_ISREG(ret_stat->st_mode)) {
		(void)close(fd);
		return tp_fail(err, TP_INVALID, 0, "%s is not a regular file", name);
	}
	*ret_fd = fd;
	return TP_OK;
}

tp_status file_read(int dirfd, const char *name, size_t limit, void **ret_data, size_t *ret_size,
                    tp_err *err)
{
	int fd;
	struct stat s;
	tp_status st = open_regular(dirfd, name, &fd, &s, err);
	if (st != TP_OK)
		return st;
	size_t size = (size_t)s.st_size, got = 0;
	char *data = NULL;
	if (size > limit) {
		st = tp_fail(err, TP_INVALID, 0, "%s has %zu bytes, the limit is %zu", name, size,
		             limit);
	} else if ((data = malloc(size + 1)) == NULL) {
		st = tp_fail(err, TP_NOMEM, 0, "out of memory reading %s", name);
	} else {
		while (got < size) {
			ssize_t n = read(fd, data + got, size - got);
			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0) {
				st = tp_fail(err, TP_IO, n < 0 ? errno : 0, "cannot read %s", name);
				break;
			}
			got += (size_t)n;
		}
	}
	(void)close(fd);
	if (st != TP_OK) {
		free(data);
		return st;
	}
	data[size] = 0;
	*ret_data = data;
	*ret_size = size;
	return TP_OK;
}

tp_status file_mkdirs(const char *path, tp_err *err)
{
	char buf[4096];
	size_t n = strlen(path);
	if (n == 0 || n >= sizeof buf)
		return tp_fail(err, TP_INVALID, 0, "bad directory path");
	memcpy(buf, path, n + 1);
	for (size_t i = 1; i <= n; i++) {
		if (buf[i] != '/' && buf[i] != 0)
			continue;
		char keep = buf[i];
		buf[i] = 0;
		struct stat there;
		int rc = mkdir(buf, 0750) == 0 ? 0 : errno;
		if (rc == EEXIST && stat(buf, &there) == 0 && !S_ISDIR(there.st_mode))
			rc = ENOTDIR;
		if (rc != 0 && rc != EEXIST)
			return tp_fail(err, TP_IO, rc, "cannot create directory %s", buf);
		buf[i] = keep;
	}
	return TP_OK;
}

tp_status file_remove_tree(int dirfd, const char *name, tp_err *err)
{
	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return TP_OK;
	const int why = errno;
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) /* not a directory: what counts is why it could not be unlinked */
		return tp_fail(err, TP_IO, errno == ENOTDIR || errno == ELOOP ? why : errno,
		               "cannot remove %s", name);
	DIR *d = fdopendir(fd);
	if (d == NULL) {
		(void)close(fd);
		return tp_fail(err, TP_NOMEM, errno, "cannot list %s", name);
	}
	tp_status st = TP_OK;
	for (struct dirent *e; st == TP_OK && (e = readdir(d)) != NULL;)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			st = file_remove_tree(fd, e->d_name, err);
	(void)closedir(d);
	if (st == TP_OK && unlinkat(dirfd, name, AT_REMOVEDIR) != 0)
		st = tp_fail(err, TP_IO, errno, "cannot remove directory %s", name);
	return st;
}

static void to_hex(const unsigned char *md, char ret_hex[65])
{
	for (size_t i = 0; i < 32; i++) {
		ret_hex[2 * i] = "0123456789abcdef"[md[i] >> 4];
		ret_hex[2 * i + 1] = "0123456789abcdef"[md[i] & 15];
	}
	ret_hex[64] = 0;
}

void sha256_hex(const void *data, size_t size, char ret_hex[65])
{
	unsigned char md[32];
	(void)EVP_Digest(data, size, md, NULL, EVP_sha256(), NULL);
	to_hex(md, ret_hex);
}

tp_status sha256_file(int dirfd, const char *name, char ret_hex[65], tp_err *err)
{
	int fd;
	struct stat s;
	tp_status st = open_regular(dirfd, name, &fd, &s, err);
	if (st != TP_OK)
		return st;
	enum { BLOCK = 1 << 18 };
	unsigned char *buf = malloc(BLOCK), md[32];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	if (buf == NULL || ctx == NULL || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
		st = tp_fail(err, TP_NOMEM, 0, "out of memory hashing %s", name);
	while (st == TP_OK) {
		ssize_t n = read(fd, buf, BLOCK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			st = tp_fail(err, TP_IO, errno, "cannot read %s", name);
		if (n <= 0)
			break;
		(void)EVP_DigestUpdate(ctx, buf, (size_t)n);
	}
	if (st == TP_OK) {
		(void)EVP_DigestFinal_ex(ctx, md, NULL);
		to_hex(md, ret_hex);
	}
	EVP_MD_CTX_free(ctx);
	free(buf);
	(void)close(fd);
	return st;
}

uint64_t checksum64(uint64_t seed, const void *data, size_t size)
{
	const unsigned char *p = data;
	uint64_t h = 0xcbf29ce484222325u ^ seed;
	for (; size >= 8; size -= 8, p += 8) {
		uint64_t w;
		memcpy(&w, p, 8);
		h = (h ^ w) * 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
	}
	for (; size > 0; size--, p++)
		h = (h ^ *p) * 0x100000001b3u;
	return h ^ (h >> 32);
}
