#include "data/dataset.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the five layouts differ in. */
static const struct layout {
	const char *images, *labels;             /* folders below the root */
	const char *image_suffix, *label_suffix; /* between stem and extension */
	const char *split;                       /* default; NULL: splits are not known here */
	bool cities;                             /* one more level of folders */
	bool jpeg;
} LAYOUT[LAYOUT_COUNT] = {
	[LAYOUT_CITYSCAPES] = {"leftImg8bit", "gtFine", "_leftImg8bit", "_gtFine_labelIds", "train",
                               .cities = true},
	[LAYOUT_GTA5] = {"images", "labels", "", "", NULL, .jpeg = false},
	[LAYOUT_SYNTHIA] = {"RGB", "GT/LABELS", "", "", NULL, .jpeg = false},
	[LAYOUT_CAMVID] = {"images", "labels", "", "", "", .jpeg = true},
	[LAYOUT_FOLDER] = {"images", "labels", "", "", "", .jpeg = true},
};

typedef struct scan {
	const struct layout *layout;
	const char *include; /* glob on the stem, or NULL */
	char root[PATH_MAX]; /* real paths */
	char images[PATH_MAX];
	char labels[PATH_MAX]; /* "" when there are none */
	dataset_item *item;
	size_t count, capacity;
	bool folders; /* saw a folder where images were looked for */
} scan;

/* Control bytes would end up in logs and pages; a leading dot is a hidden or parent folder. */
static bool is_plain(const char *name)
{
	if (name[0] == 0 || name[0] == '.' || strstr(name, "..") != NULL)
		return false;
	for (const unsigned char *p = (const unsigned char *)name; *p != 0; p++)
		if (*p < 0x20 || *p == 0x7f || *p == '/')
			return false;
	return true;
}

/* UTF-8 without overlong forms and surrogates: names are handed on as JSON. */
static bool is_utf8(const char *name)
{
	const unsigned char *p = (const unsigned char *)name;
	while (*p != 0) {
		size_t more = *p < 0x80 ? 0 : *p < 0xc2 ? 4 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : 3;
		if (more > 3 || *p > 0xf4)
			return false;
		if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) ||
		    (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f))
			return false;
		for (p++; more > 0; more--, p++)
			if ((*p & 0xc0) != 0x80)
				return false;
	}
	return true;
}

static bool ends_with(const char *s, size_t n, const char *suffix)
{
	size_t m = strlen(suffix);
	return n > m && memcmp(s + n - m, suffix, m) == 0;
}

/* Length of the stem when `name` is an image of this layout, else 0. */
static size_t image_stem(const struct layout *l, const char *name)
{
	const char *dot = strrchr(name, '.');
	if (dot == NULL)
		return 0;
	bool png = strcasecmp(dot, ".png") == 0;
	bool jpeg = strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0;
	if (!png && !(jpeg && l->jpeg))
		return 0;
	size_t n = (size_t)(dot - name);
	if (l->image_suffix[0] == 0)
		return n;
	return ends_with(name, n, l->image_suffix) ? n - strlen(l->image_suffix) : 0;
}

static bool is_below(const char *root, const char *path)
{
	size_t n = strlen(root);
	if (n == 1) /* "/" */
		return true;
	return strncmp(path, root, n) == 0 && (path[n] == 0 || path[n] == '/');
}

/* A regular file or folder (S_IFREG, S_IFDIR), also through a link that stays below the root. */
static bool is_kind(const scan *s, int dirfd, const char *dir, const char *name, mode_t kind)
{
	struct stat st;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return false;
	if (!S_ISLNK(st.st_mode))
		return (st.st_mode & S_IFMT) == kind;
	char path[PATH_MAX], real[PATH_MAX];
	if (fstatat(dirfd, name, &st, 0) != 0 || (st.st_mode & S_IFMT) != kind)
		return false;
	if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, name) >= sizeof path)
		return false;
	return realpath(path, real) != NULL && is_below(s->root, real);
}

static tp_status no_memory(tp_err *err)
{
	return tp_fail(err, TP_NOMEM, 0, "out of memory listing a data set");
}

static tp_status too_long(const char *dir, const char *name, tp_err *err)
{
	return tp_fail(err, TP_INVALID, 0, "path too long: %.150s/%.150s", dir, name);
}

/* Room for one more item. */
static tp_status grow(scan *s, const char *dir, tp_err *err)
{
	if (s->count == DATASET_MAX_IMAGES)
		return tp_fail(err, TP_INVALID, 0, "%s has more than %d images", dir,
		               DATASET_MAX_IMAGES);
	if (s->count < s->capacity)
		return TP_OK;
	size_t more = s->capacity * 2 + 64;
	dataset_item *p = realloc(s->item, more * sizeof *p);
	if (p == NULL)
		return no_memory(err);
	s->item = p;
	s->capacity = more;
	return TP_OK;
}

/* One image file: dir/name with `stem` bytes of stem, in the sub-folder `city` ("" for none);
 * labelfd is the label folder or -1. */
static tp_status add_image(scan *s, const char *dir, const char *city, int labelfd,
                           const char *name, size_t stem, tp_err *err)
{
	tp_status st = grow(s, dir, err);
	if (st != TP_OK)
		return st;
	const char *slash = city[0] == 0 ? "" : "/";
	char label[NAME_MAX + 1], label_dir[PATH_MAX];
	if ((size_t)snprintf(label, sizeof label, "%.*s%s.png", (int)stem, name,
	                     s->layout->label_suffix) >= sizeof label ||
	    (size_t)snprintf(label_dir, sizeof label_dir, "%s%s%s", s->labels, slash, city) >=
	            sizeof label_dir)
		return too_long(dir, name, err);
	bool labelled = labelfd >= 0 && is_kind(s, labelfd, label_dir, label, S_IFREG);
	dataset_item it = {0};
	if (asprintf(&it.name, "%s%s%.*s", city, slash, (int)stem, name) < 0)
		it.name = NULL;
	if (asprintf(&it.image, "%s/%s", dir, name) < 0)
		it.image = NULL;
	if (labelled && asprintf(&it.label, "%s/%s", label_dir, label) < 0)
		it.label = NULL;
	s->item[s->count++] = it; /* owned by the scan even when half made */
	if (it.name == NULL || it.image == NULL || (labelled && it.label == NULL))
		return no_memory(err);
	return TP_OK;
}

/* All images of one folder. */
static tp_status list_images(scan *s, const char *dir, const char *city, tp_err *err)
{
	char label_dir[PATH_MAX];
	if ((size_t)snprintf(label_dir, sizeof label_dir, "%s/%s", s->labels, city) >=
	    sizeof label_dir)
		return too_long(s->labels, city, err);
	DIR *d = opendir(dir);
	if (d == NULL)
		return tp_fail(err, TP_IO, errno, "cannot list %s", dir);
	int labelfd = -1;
	char real[PATH_MAX];
	if (s->labels[0] != 0 && realpath(label_dir, real) != NULL && is_below(s->root, real))
		labelfd = open(real, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	tp_status st = TP_OK;
	errno = 0;
	for (struct dirent *e; st == TP_OK && (e = readdir(d)) != NULL; errno = 0) {
		if (!is_plain(e->d_name) || !is_utf8(e->d_name))
			continue;
		size_t stem = image_stem(s->layout, e->d_name);
		if (stem == 0) {
			s->folders = s->folders || is_kind(s, dirfd(d), dir, e->d_name, S_IFDIR);
			continue;
		}
		char text[NAME_MAX + 1];
		(void)snprintf(text, sizeof text, "%.*s", (int)stem, e->d_name);
		if (s->include != NULL && fnmatch(s->include, text, 0) != 0)
			continue;
		if (is_kind(s, dirfd(d), dir, e->d_name, S_IFREG))
			st = add_image(s, dir, city, labelfd, e->d_name, stem, err);
	}
	if (st == TP_OK && errno != 0)
		st = tp_fail(err, TP_IO, errno, "cannot list %s", dir);
	if (labelfd >= 0)
		(void)close(labelfd);
	(void)closedir(d);
	return st;
}

/* Cityscapes: a folder per city. */
static tp_status list_cities(scan *s, tp_err *err)
{
	DIR *d = opendir(s->images);
	if (d == NULL)
		return tp_fail(err, TP_IO, errno, "cannot list %s", s->images);
	tp_status st = TP_OK;
	errno = 0;
	for (struct dirent *e; st == TP_OK && (e = readdir(d)) != NULL; errno = 0) {
		if (!is_plain(e->d_name) || !is_utf8(e->d_name) ||
		    !is_kind(s, dirfd(d), s->images, e->d_name, S_IFDIR))
			continue;
		char dir[PATH_MAX];
		if ((size_t)snprintf(dir, sizeof dir, "%s/%s", s->images, e->d_name) >= sizeof dir)
			st = too_long(s->images, e->d_name, err);
		else
			st = list_images(s, dir, e->d_name, err);
	}
	if (st == TP_OK && errno != 0)
		st = tp_fail(err, TP_IO, errno, "cannot list %s", s->images);
	(void)closedir(d);
	return st;
}

/* root/folder[/split] as a real path below the root. An absent folder is TP_NOTFOUND. */
static tp_status find_folder(const scan *s, const char *folder, const char *split, char *ret,
                             tp_err *err)
{
	char path[PATH_MAX];
	if ((size_t)snprintf(path, sizeof path, "%s/%s%s%s", s->root, folder,
	                     split[0] == 0 ? "" : "/", split) >= sizeof path)
		return too_long(s->root, folder, err);
	struct stat st;
	if (realpath(path, ret) == NULL || stat(ret, &st) != 0 || !S_ISDIR(st.st_mode))
		return tp_fail(err, TP_NOTFOUND, 0, "no folder %s", path);
	if (!is_below(s->root, ret))
		return tp_fail(err, TP_INVALID, 0, "%s leads out of %s", path, s->root);
	return TP_OK;
}

static tp_status find_folders(scan *s, const char *root, const char *split, tp_err *err)
{
	struct stat st;
	if (realpath(root, s->root) == NULL || stat(s->root, &st) != 0 || !S_ISDIR(st.st_mode))
		return tp_fail(err, TP_NOTFOUND, 0, "no folder %s", root);
	tp_status rc = find_folder(s, s->layout->images, split, s->images, err);
	if (rc != TP_OK)
		return rc;
	tp_err labels = {0};
	rc = find_folder(s, s->layout->labels, split, s->labels, &labels);
	if (rc == TP_NOTFOUND) {
		s->labels[0] = 0;
		return TP_OK;
	}
	return rc == TP_OK ? TP_OK : tp_fail(err, rc, 0, "%s", labels.text);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const dataset_item *)a)->name, ((const dataset_item *)b)->name);
}

/* Sorts, and refuses x.png beside x.jpg: both would have the same label. */
static tp_status sort_items(scan *s, tp_err *err)
{
	if (s->count == 0)
		return tp_fail(err, TP_INVALID, 0, "no %s image%s%s in %s%s",
		               s->layout->jpeg ? "PNG or JPEG" : "PNG",
		               s->include == NULL ? "" : " matching ",
		               s->include == NULL ? "" : s->include, s->images,
		               s->folders ? " (it has sub-folders: name one as split)" : "");
	qsort(s->item, s->count, sizeof *s->item, by_name);
	for (size_t i = 1; i < s->count; i++)
		if (strcmp(s->item[i - 1].name, s->item[i].name) == 0)
			return tp_fail(err, TP_INVALID, 0, "%s and %s have the same name",
			               s->item[i - 1].image, s->item[i].image);
	return TP_OK;
}

tp_status dataset_scan(data_layout layout, const char *root, const char *split, const char *include,
                       dataset_list *ret, tp_err *err)
{
	if ((size_t)layout >= LAYOUT_COUNT)
		return tp_fail(err, TP_INVALID, 0, "unknown data set layout %d", (int)layout);
	const struct layout *l = &LAYOUT[layout];
	bool has_split = split != NULL && split[0] != 0;
	if (has_split && l->split == NULL)
		return tp_fail(err, TP_INVALID, 0, "layout %s has no splits",
		               data_layout_name(layout));
	if (has_split && (!is_plain(split) || !is_utf8(split)))
		return tp_fail(err, TP_INVALID, 0, "the split is not a plain folder name");
	if (!has_split)
		split = l->split == NULL ? "" : l->split;
	scan *s = calloc(1, sizeof *s);
	if (s == NULL)
		return no_memory(err);
	s->layout = l;
	s->include = include != NULL && include[0] != 0 ? include : NULL;
	tp_status st = find_folders(s, root, split, err);
	if (st == TP_OK)
		st = l->cities ? list_cities(s, err) : list_images(s, s->images, "", err);
	if (st == TP_OK)
		st = sort_items(s, err);
	dataset_list list = {.item = s->item, .count = s->count};
	free(s);
	if (st != TP_OK) {
		dataset_list_done(&list);
		return st;
	}
	for (size_t i = 0; i < list.count; i++)
		list.labelled += list.item[i].label != NULL;
	*ret = list;
	return TP_OK;
}

void dataset_list_done(dataset_list *l)
{
	for (size_t i = 0; i < l->count; i++) {
		free(l->item[i].name);
		free(l->item[i].image);
		free(l->item[i].label);
	}
	free(l->item);
	*l = (dataset_list){0};
}
