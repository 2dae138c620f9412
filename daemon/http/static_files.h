/* static_files: the dashboard. All files of a folder are read at the start and looked up by name; a
 * URL never becomes a path. */
#ifndef TPLDD_HTTP_STATIC_FILES_H
#define TPLDD_HTTP_STATIC_FILES_H

#include <stddef.h>

#include "base/status.h"

enum { STATIC_MAX_FILES = 512, STATIC_MAX_BYTES = 32 << 20 };

typedef struct static_file {
	char *path; /* "/app.js"; index.html is also "/" */
	const char *type;
	void *data;
	size_t size;
	char etag[65];
} static_file;
typedef struct static_files static_files;

/* dir "" gives an empty list. Takes *.html .js .css .svg .png .txt .json; hidden files and links
 * are left out. TP_NOTFOUND: no such folder; TP_INVALID: more than a dashboard can be. */
tp_status static_files_load(const char *dir, static_files **ret, tp_err *err) TP_MUST_CHECK;
void static_files_free(static_files *f);
/* NULL: no such file. */
const static_file *static_files_find(const static_files *f, const char *path);

#endif
