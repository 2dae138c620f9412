#include "data/image.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/container.h"
#include "data/tap.h"

/* stb grows its inflate buffer by realloc as long as the stream goes on. No image within our
 * limits needs a larger block, so a deflate bomb ends here. */
enum { STB_MAX_BLOCK = 512 << 20 };

static void *stb_realloc(void *p, size_t size)
{
	return size > STB_MAX_BLOCK ? NULL : realloc(p, size);
}

/* Zeroed: stb 2.27 would read Huffman tables that a damaged JPEG never defines. */
#define STBI_MALLOC(size) calloc(1, size)
#define STBI_REALLOC(p, size) stb_realloc(p, size)
#define STBI_FREE(p) free(p)
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#define STBI_MAX_DIMENSIONS 16384
#define STBI_FAILURE_USERMSG
#define STB_IMAGE_IMPLEMENTATION
#include <stb/stb_image.h>

_Static_assert(STBI_MAX_DIMENSIONS == IMAGE_MAX_SIDE, "one limit");

const input_norm INPUT_NORM_IMAGENET = {
	.mean = {0.485f, 0.456f, 0.406f},
	.std = {0.229f, 0.224f, 0.225f},
};

tp_status image_probe(const void *bytes, size_t size, const char *what, size_t *ret_w,
                      size_t *ret_h, tp_err *err)
{
	container c;
	tp_status st = container_header(bytes, size, what, &c, err);
	if (st != TP_OK)
		return st;
	*ret_w = c.w;
	*ret_h = c.h;
	return TP_OK;
}

tp_status image_decode(const void *bytes, size_t size, const char *what, image *ret, tp_err *err)
{
	container c;
	tp_status st = container_header(bytes, size, what, &c, err);
	if (st == TP_OK)
		st = container_check(bytes, size, what, c.kind, err);
	if (st != TP_OK)
		return st;
	/* Two readers of the header must agree, so that the limits checked are those decoded. */
	int w = 0, h = 0, comp = 0;
	if (!stbi_info_from_memory(bytes, (int)size, &w, &h, &comp))
		return tp_fail(err, TP_CORRUPT, 0, "cannot decode %s: %s", what,
		               stbi_failure_reason());
	if ((size_t)w != c.w || (size_t)h != c.h)
		return tp_fail(err, TP_CORRUPT, 0, "%s is damaged: two different sizes", what);
	uint8_t *rgb = stbi_load_from_memory(bytes, (int)size, &w, &h, &comp, 3);
	if (rgb == NULL)
		return tp_fail(err, TP_CORRUPT, 0, "cannot decode %s: %s", what,
		               stbi_failure_reason());
	if ((size_t)w != c.w || (size_t)h != c.h) {
		free(rgb);
		return tp_fail(err, TP_CORRUPT, 0, "%s is damaged: two different sizes", what);
	}
	*ret = (image){.w = c.w, .h = c.h, .rgb = rgb};
	return TP_OK;
}

tp_status image_load(const char *path, image *ret, tp_err *err)
{
	void *bytes;
	size_t size;
	tp_status st = file_read(AT_FDCWD, path, IMAGE_MAX_BYTES, &bytes, &size, err);
	if (st != TP_OK)
		return st;
	st = image_decode(bytes, size, path, ret, err);
	free(bytes);
	return st;
}

size_t image_load_bytes(size_t w, size_t h) { return 15 * w * h / 2; }

void image_done(image *img)
{
	free(img->rgb);
	*img = (image){0};
}

/* The first bytes of a file, at most `size`; *ret_whole tells whether that is all of it. */
static tp_status read_head(const char *path, void *buf, size_t size, size_t *ret_got,
                           bool *ret_whole, tp_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return tp_fail(err, errno == ENOENT ? TP_NOTFOUND : TP_IO, errno, "cannot open %s",
		               path);
	struct stat s;
	if (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode)) {
		(void)close(fd);
		return tp_fail(err, TP_INVALID, 0, "%s is not a regular file", path);
	}
	ssize_t n;
	do
		n = pread(fd, buf, size, 0);
	while (n < 0 && errno == EINTR);
	int rc = errno;
	(void)close(fd);
	if (n < 0)
		return tp_fail(err, TP_IO, rc, "cannot read %s", path);
	*ret_got = (size_t)n;
	*ret_whole = n >= s.st_size;
	return TP_OK;
}

tp_status image_probe_file(const char *path, size_t *ret_w, size_t *ret_h, tp_err *err)
{
	uint8_t head[16384];
	size_t got = 0;
	bool whole = false;
	tp_status st = read_head(path, head, sizeof head, &got, &whole, err);
	if (st != TP_OK)
		return st;
	/* A JPEG may carry a large colour profile before its size; only then is the rest read. */
	tp_err first = {0};
	st = image_probe(head, got, path, ret_w, ret_h, &first);
	if (st != TP_CORRUPT || whole) {
		if (st != TP_OK)
			return tp_fail(err, st, 0, "%s", first.text);
		return TP_OK;
	}
	void *bytes;
	size_t size;
	st = file_read(AT_FDCWD, path, IMAGE_MAX_BYTES, &bytes, &size, err);
	if (st != TP_OK)
		return st;
	st = image_probe(bytes, size, path, ret_w, ret_h, err);
	free(bytes);
	return st;
}

enum { ROWS_PER_CHUNK = 16 };

typedef struct sample_job {
	const image *img;
	const image_window *win;
	float gain[3], offset[3]; /* input = pixel * gain + offset */
	float *input;
} sample_job;

static void sample_row(const sample_job *j, size_t y)
{
	const image_window *win = j->win;
	const image *img = j->img;
	float *out = j->input + y * win->out_w * 3;
	size_t inside = 0; /* columns of the window that lie in the scaled image */
	if (win->top + y < win->scaled_h && win->left < win->scaled_w)
		inside = win->scaled_w - win->left < win->out_w ? win->scaled_w - win->left
		                                                : win->out_w;
	if (inside < win->out_w)
		memset(win->mirror ? out : out + inside * 3, 0,
		       (win->out_w - inside) * 3 * sizeof *out);
	if (inside == 0)
		return;
	tap v = tap_bilinear(win->top + y, img->h, (double)img->h / (double)win->scaled_h);
	const uint8_t *upper = img->rgb + v.lo * img->w * 3;
	const uint8_t *lower = img->rgb + v.hi * img->w * 3;
	double ratio = (double)img->w / (double)win->scaled_w;
	for (size_t x = 0; x < inside; x++) {
		tap u = tap_bilinear(win->left + x, img->w, ratio);
		float *px = out + (win->mirror ? win->out_w - 1 - x : x) * 3;
		for (size_t c = 0; c < 3; c++) {
			float a = upper[u.lo * 3 + c], b = upper[u.hi * 3 + c];
			float d = lower[u.lo * 3 + c], e = lower[u.hi * 3 + c];
			a += (b - a) * u.f;
			d += (e - d) * u.f;
			px[c] = (a + (d - a) * v.f) * j->gain[c] + j->offset[c];
		}
	}
}

static void sample_chunk(void *arg, size_t chunk, size_t worker)
{
	(void)worker;
	const sample_job *j = arg;
	size_t end = (chunk + 1) * ROWS_PER_CHUNK;
	for (size_t y = chunk * ROWS_PER_CHUNK; y < end && y < j->win->out_h; y++)
		sample_row(j, y);
}

void image_sample(const image *img, const input_norm *norm, const image_window *win, float *input,
                  pool *threads)
{
	sample_job j = {.img = img, .win = win, .input = input};
	for (size_t c = 0; c < 3; c++) {
		j.gain[c] = 1.0f / (255.0f * norm->std[c]);
		j.offset[c] = -norm->mean[c] / norm->std[c];
	}
	size_t chunks = (win->out_h + ROWS_PER_CHUNK - 1) / ROWS_PER_CHUNK;
	if (threads != NULL)
		pool_run(threads, chunks, sample_chunk, &j);
	for (size_t k = 0; threads == NULL && k < chunks; k++)
		sample_chunk(&j, k, 0);
}

void image_to_input(const image *img, const input_norm *norm, size_t out_h, size_t out_w,
                    bool mirror, float *input, pool *threads)
{
	image_window win = {.scaled_h = out_h,
	                    .scaled_w = out_w,
	                    .out_h = out_h,
	                    .out_w = out_w,
	                    .mirror = mirror};
	image_sample(img, norm, &win, input, threads);
}

/* Mean of the source pixels that touch output pixel (x, y). */
static void box_pixel(const image *img, size_t w, size_t h, size_t x, size_t y, uint8_t *px)
{
	size_t y0 = y * img->h / h, y1 = ((y + 1) * img->h + h - 1) / h;
	size_t x0 = x * img->w / w, x1 = ((x + 1) * img->w + w - 1) / w;
	size_t sum[3] = {0}, n = (y1 - y0) * (x1 - x0);
	for (size_t sy = y0; sy < y1; sy++)
		for (size_t sx = x0; sx < x1; sx++)
			for (size_t c = 0; c < 3; c++)
				sum[c] += img->rgb[(sy * img->w + sx) * 3 + c];
	for (size_t c = 0; c < 3; c++)
		px[c] = (uint8_t)((sum[c] + n / 2) / n);
}

tp_status image_thumbnail(const image *img, size_t side, image *ret, tp_err *err)
{
	size_t longer = img->w > img->h ? img->w : img->h, w = img->w, h = img->h;
	if (side == 0)
		return tp_fail(err, TP_INVALID, 0, "a thumbnail needs a side of at least 1");
	if (longer > side) {
		w = (img->w * side + longer / 2) / longer;
		h = (img->h * side + longer / 2) / longer;
		w = w == 0 ? 1 : w;
		h = h == 0 ? 1 : h;
	}
	uint8_t *rgb = malloc(w * h * 3);
	if (rgb == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory for a thumbnail");
	for (size_t y = 0; y < h; y++)
		for (size_t x = 0; x < w; x++)
			box_pixel(img, w, h, x, y, rgb + (y * w + x) * 3);
	*ret = (image){.w = w, .h = h, .rgb = rgb};
	return TP_OK;
}
