#include "http/static_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

struct static_files {
	static_file file[STATIC_MAX_FILES];
	size_t count, bytes;
};

static const char *type_of(const char *name)
{
	static const char *const types[][2] = {
		{".html", "text/html; charset=utf-8"},
		{".js", "text/javascript; charset=utf-8"},
		{".css", "text/css; charset=utf-8"},
		{".svg", "image/svg+xml"},
		{".png", "image/png"},
		{".txt", "text/plain; charset=utf-8"},
		{".json", "application/json"},
	};
	const char *dot = strrchr(name, '.');
	for (size_t i = 0; dot != NULL && i < sizeof types / sizeof *types; i++)
		if (strcmp(dot, types[i][0]) == 0)
			return types[i][1];
	return NULL;
}

static tp_status load_file(static_files *f, int dirfd, const char *name, const char *prefix,
                           const char *type, tp_err *err)
{
	if (f->count == STATIC_MAX_FILES)
		return tp_fail(err, TP_INVALID, 0, "the web folder holds more than %d files",
		               STATIC_MAX_FILES);
	static_file *s = &f->file[f->count];
	tp_status st = file_read(dirfd, name, STATIC_MAX_BYTES - f->bytes, &s->data, &s->size, err);
	if (st != TP_OK)
		return st;
	f->count++;
	f->bytes += s->size;
	s->type = type;
	sha256_hex(s->data, s->size, s->etag);
	if (asprintf(&s->path, "%s/%s", prefix, name) < 0) {
		s->path = NULL;
		return tp_fail(err, TP_NOMEM, 0, "out of memory loading the web folder");
	}
	return TP_OK;
}

/* Takes over dirfd. */
static tp_status load_dir(static_files *f, int dirfd, const char *prefix, tp_err *err)
{
	DIR *d = fdopendir(dirfd);
	if (d == NULL) {
		(void)close(dirfd);
		return tp_fail(err, TP_IO, errno, "cannot list the web folder");
	}
	tp_status st = TP_OK;
	for (struct dirent *e; st == TP_OK && (e = readdir(d)) != NULL;) {
		struct stat s;
		if (e->d_name[0] == '.' || fstatat(dirfd, e->d_name, &s, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		const char *type = type_of(e->d_name);
		if (S_ISREG(s.st_mode) && type != NULL) {
			st = load_file(f, dirfd, e->d_name, prefix, type, err);
		} else if (S_ISDIR(s.st_mode)) {
			char deeper[512];
			int n = snprintf(deeper, sizeof deeper, "%s/%s", prefix, e->d_name);
			int fd = openat(dirfd, e->d_name,
			                O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (fd < 0 || n >= (int)sizeof deeper) {
				st = tp_fail(err, TP_IO, fd < 0 ? errno : ENAMETOOLONG,
				             "cannot open %s in the web folder", e->d_name);
				if (fd >= 0)
					(void)close(fd);
			} else {
				st = load_dir(f, fd, deeper, err);
			}
		}
	}
	(void)closedir(d);
	return st;
}

tp_status static_files_load(const char *dir, static_files **ret, tp_err *err)
{
	static_files *f = calloc(1, sizeof *f);
	if (f == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory loading the web folder");
	tp_status st = TP_OK;
	if (dir[0] != 0) {
		int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		st = fd < 0 ? tp_fail(err, errno == ENOENT ? TP_NOTFOUND : TP_IO, errno,
		                      "web folder %s", dir)
		            : load_dir(f, fd, "", err);
	}
	if (st != TP_OK) {
		static_files_free(f);
		return st;
	}
	*ret = f;
	return TP_OK;
}

void static_files_free(static_files *f)
{
	for (size_t i = 0; f != NULL && i < f->count; i++) {
		free(f->file[i].path);
		free(f->file[i].data);
	}
	free(f);
}

const static_file *static_files_find(const static_files *f, const char *path)
{
	if (strcmp(path, "/") == 0)
		path = "/index.html";
	for (size_t i = 0; i < f->count; i++)
		if (strcmp(f->file[i].path, path) == 0)
			return &f->file[i];
	return NULL;
}
