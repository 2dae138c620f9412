#include "run/sweep.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "store/run_files.h"

/* Calls `each` for every name in a directory; an absent one has none. */
static void each_name(int dirfd, const char *dir, void (*each)(void *, const char *), void *arg)
{
	int fd = openat(dirfd, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (d == NULL) {
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		each(arg, e->d_name);
	(void)closedir(d);
}

typedef struct swept {
	store *store;
	int dirfd;
	char dir[RUN_FILE_MAX];
	char **keep; /* files that rows name */
	size_t keeps, room;
} swept;

static bool keep_file(swept *s, const char *file)
{
	if (s->keeps == s->room) {
		size_t room = s->room == 0 ? 4 : 2 * s->room;
		char **more = realloc(s->keep, room * sizeof *more);
		if (more == NULL)
			return false;
		s->keep = more;
		s->room = room;
	}
	char *copy = strdup(file);
	if (copy != NULL)
		s->keep[s->keeps++] = copy;
	return copy != NULL;
}

static void remove_unnamed(void *arg, const char *name)
{
	swept *s = arg;
	char file[RUN_FILE_MAX + 256];
	if (strncmp(name, "resume-", 7) != 0)
		return;
	(void)snprintf(file, sizeof file, "%s/%s", s->dir, name);
	for (size_t i = 0; i < s->keeps; i++)
		if (strcmp(s->keep[i], file) == 0)
			return;
	(void)unlinkat(s->dirfd, file, 0);
}

void sweep_checkpoints(store *st, int state_dirfd, int64_t run)
{
	swept s = {.store = st, .dirfd = state_dirfd};
	tp_status rc = TP_OK;
	run_checkpoint_dir(run, s.dir);
	while (rc == TP_OK) {
		checkpoint_row row;
		rc = store_checkpoint_resume(st, run, s.keeps, &row, NULL);
		if (rc == TP_OK) {
			rc = keep_file(&s, row.file) ? TP_OK : TP_NOMEM;
			checkpoint_row_done(&row);
		}
	}
	if (rc == TP_NOTFOUND) /* all of them were read */
		each_name(state_dirfd, s.dir, remove_unnamed, &s);
	for (size_t i = 0; i < s.keeps; i++)
		free(s.keep[i]);
	free(s.keep);
}

static void remove_deleted(void *arg, const char *name)
{
	swept *s = arg;
	char *end, file[RUN_FILE_MAX];
	run_row row;
	long long id = strtoll(name, &end, 10);
	if (id <= 0 || *end != 0)
		return;
	tp_status rc = store_run_get(s->store, id, &row, NULL);
	if (rc == TP_OK)
		run_row_done(&row);
	if (rc != TP_NOTFOUND)
		return;
	run_dir(id, file);
	(void)!file_remove_tree(s->dirfd, file, NULL);
}

void sweep_runs(store *st, int state_dirfd)
{
	swept s = {.store = st, .dirfd = state_dirfd};
	each_name(state_dirfd, "runs", remove_deleted, &s);
}
