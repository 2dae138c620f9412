#include "data/png_files.h"

#include <stdlib.h>

#include "base/file.h"
#include "data/png.h"

typedef struct job {
	const png_file *file;
	size_t w, h;
	int dirfd;
	tp_status st[PNG_FILES_MAX];
	tp_err err[PNG_FILES_MAX];
} job;

static void write_one(void *arg, size_t k, size_t worker)
{
	job *j = arg;
	const png_file *f = &j->file[k];
	png_bytes png = {0};
	(void)worker;
	tp_status st = f->wide != NULL ? png_encode_gray16(f->wide, j->w, j->h, &png, &j->err[k])
	               : f->palette != NULL
	                   ? png_encode_palette(f->map, j->w, j->h, f->palette, &png, &j->err[k])
	                   : png_encode_gray8(f->map, j->w, j->h, &png, &j->err[k]);
	if (st == TP_OK) {
		file_part part = {png.data, png.size};
		st = file_replace_cache(j->dirfd, f->name, &part, 1, &j->err[k]);
	}
	free(png.data);
	j->st[k] = st;
}

tp_status png_files_write(int dirfd, const png_file *file, size_t count, size_t w, size_t h,
                          pool *workers, tp_err *err)
{
	job j = {.file = file, .w = w, .h = h, .dirfd = dirfd};
	if (count > PNG_FILES_MAX)
		return tp_fail(err, TP_INVALID, 0, "%zu files at once", count);
	pool_run(workers, count, write_one, &j);
	for (size_t i = 0; i < count; i++)
		if (j.st[i] != TP_OK)
			return tp_fail(err, j.st[i], 0, "%s", j.err[i].text);
	return TP_OK;
}
