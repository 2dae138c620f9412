#include "adapt/audit.h"

#include <string.h>

#include "base/mem.h"
#include "base/simd.h"

enum {
	BLOCK = 256,
	BIN_SHIFT = 23 - 7,                  /* 7 bits of a float's fraction tell 128 bins an octave */
	FIRST_BIN = (127 - 24) << 7,         /* what is left of 2^-24 */
};

/* A float and its bits. */
typedef union float_bits {
	float f;
	uint32_t i;
} float_bits;

size_t audit_bytes(size_t classes)
{
	return classes * (sizeof(audit_class) + AUDIT_BINS * 2 * sizeof(uint64_t));
}

tp_status audit_init(size_t classes, audit *ret, tp_err *err)
{
	if (classes < 1 || classes > 255)
		return tp_fail(err, TP_INVALID, 0, "classes: %zu is not in 1..255", classes);
	void *p;
	tp_status st = mem_bytes(audit_bytes(classes), &p, err);
	if (st != TP_OK)
		return st;
	audit_class *of = p;
	*ret = (audit){.classes = classes, .of = of, .bin = (uint64_t(*)[2])(of + classes)};
	return TP_OK;
}

void audit_done(audit *a)
{
	mem_free(a->of);
	*a = (audit){0};
}

/* ---- predictions ------------------------------------------------------------------------ */

static void compare_predictions(audit *a, const uint8_t *now, const uint8_t *before, size_t pixels)
{
	for (size_t i = 0; i < pixels; i++) {
		size_t n = now[i], b = before[i];
		if (n >= a->classes || b >= a->classes)
			continue;
		a->earlier.both++;
		a->of[n].either++;
		if (n == b) {
			a->earlier.same++;
			a->of[n].same++;
		} else {
			a->of[b].either++;
		}
	}
}

void audit_predictions(audit *a, const uint8_t *now, const uint8_t *before,
                       const image_confidence *c, size_t pixels)
{
	for (size_t k = 0; k < a->classes; k++) {
		a->of[k].predicted += c->predicted[k];
		a->of[k].entropy += c->class_entropy[k];
	}
	if (before != NULL)
		compare_predictions(a, now, before, pixels);
}

static size_t best_logit(const float *z, size_t classes, size_t plane)
{
	size_t best = 0;
	for (size_t k = 1; k < classes; k++)
		if (z[k * plane] > z[best * plane])
			best = k;
	return best;
}

void audit_flip(audit *a, const logit_map *m)
{
	if (m->mirrored == NULL)
		return;
	size_t plane = m->h * m->w;
	for (size_t y = 0; y < m->h; y++)
		for (size_t x = 0; x < m->w; x++) {
			size_t back = y * m->w + m->w - 1 - x;
			a->flip.same += best_logit(m->plain + y * m->w + x, m->classes, plane) ==
			                best_logit(m->mirrored + back, m->classes, plane);
		}
	a->flip.both += plane;
}

/* ---- labels ----------------------------------------------------------------------------- */

void audit_labels(audit *a, const uint8_t *prediction, const uint8_t *final, const uint8_t *origin,
                  const uint8_t *before, const uint8_t *truth, size_t pixels)
{
	uint64_t base[256] = {0};
	for (size_t i = 0; i < pixels; i++)
		base[prediction[i]]++;
	for (size_t k = 0; k < a->classes; k++)
		a->of[k].base += base[k];
	for (size_t i = 0; i < pixels; i++) {
		size_t k = final[i], from = origin[i];
		bool known = truth != NULL && truth[i] < a->classes;
		a->truth += known;
		if (k >= a->classes || from < ORIGIN_CONFIDENT || from > ORIGIN_SOFT)
			continue;
		audit_label *l = &a->of[k].label[from - ORIGIN_CONFIDENT];
		l->pixels++;
		l->truth += known;
		l->right += known && truth[i] == k;
		if (before != NULL && before[i] < a->classes) {
			a->labels.both++;
			a->labels.same += before[i] == k;
		}
	}
}

audit_label audit_label_sum(const audit_class *c)
{
	audit_label sum = {0};
	for (size_t o = 0; o < AUDIT_ORIGINS; o++) {
		sum.pixels += c->label[o].pixels;
		sum.truth += c->label[o].truth;
		sum.right += c->label[o].right;
	}
	return sum;
}

/* ---- the plain threshold ---------------------------------------------------------------- */

static size_t bin_of(float p)
{
	float_bits q = {.f = 1.0f - p};
	if (!(q.f > 0.0f)) /* a mean of two softmaxes may be above 1 by a rounding */
		return 0;
	size_t bin = (q.i >> BIN_SHIFT) + 1;
	bin = bin > FIRST_BIN ? bin - FIRST_BIN : 1;
	return bin < AUDIT_BINS ? bin : AUDIT_BINS - 1;
}

/* The largest p of a bin. */
static float p_of_bin(size_t bin)
{
	float_bits q = {.i = (uint32_t)(bin - 1 + FIRST_BIN) << BIN_SHIFT};
	return bin == 0 ? 1.0f : 1.0f - q.f;
}

/* argmax r (ties: lowest class) and p there, of n pixels. */
static TP_SIMD void block_ranking(const float *p, const float *lambda, size_t classes, size_t pixels,
                                  size_t n, int32_t *which, float *at)
{
	float best[BLOCK];
	for (size_t i = 0; i < n; i++) {
		which[i] = 0;
		at[i] = p[i];
		best[i] = p[i] / lambda[0];
	}
	for (size_t k = 1; k < classes; k++) {
		const float *row = p + k * pixels;
		float limit = lambda[k];
		for (size_t i = 0; i < n; i++) {
			float r = row[i] / limit;
			which[i] = r > best[i] ? (int32_t)k : which[i];
			at[i] = r > best[i] ? row[i] : at[i];
			best[i] = r > best[i] ? r : best[i];
		}
	}
}

void audit_ranking(audit *a, const float *p, const float *lambda, const uint8_t *truth,
                   size_t pixels)
{
	int32_t which[BLOCK];
	float at[BLOCK];
	for (size_t from = 0; from < pixels; from += BLOCK) {
		size_t n = pixels - from < BLOCK ? pixels - from : BLOCK;
		block_ranking(p + from, lambda, a->classes, pixels, n, which, at);
		for (size_t i = 0; i < n; i++) {
			if (truth[from + i] >= a->classes)
				continue;
			uint64_t *bin = a->bin[(size_t)which[i] * AUDIT_BINS + bin_of(at[i])];
			bin[0]++;
			bin[1] += truth[from + i] == which[i];
		}
	}
}

/* Pixels still to be taken, and what was taken. */
typedef struct taking {
	uint64_t left, taken;
	double right;
} taking;

static void take(taking *t, const uint64_t bin[2])
{
	uint64_t n = bin[0] < t->left ? bin[0] : t->left;
	if (n > 0)
		t->right += (double)bin[1] * ((double)n / (double)bin[0]);
	t->left -= n;
	t->taken += n;
}

static void take_class(const audit *a, size_t k, taking *t)
{
	for (size_t b = 0; b < AUDIT_BINS && t->left > 0; b++)
		take(t, a->bin[k * AUDIT_BINS + b]);
}

/* Merges the classes' bins, the largest r first. */
static void take_all(const audit *a, const float *lambda, taking *t)
{
	size_t next[256] = {0};
	while (t->left > 0) {
		size_t best = a->classes;
		float r_best = -1.0f;
		for (size_t k = 0; k < a->classes; k++) {
			while (next[k] < AUDIT_BINS && a->bin[k * AUDIT_BINS + next[k]][0] == 0)
				next[k]++;
			float r = next[k] < AUDIT_BINS ? p_of_bin(next[k]) / lambda[k] : -1.0f;
			if (r > r_best) {
				best = k;
				r_best = r;
			}
		}
		if (best == a->classes)
			return;
		take(t, a->bin[best * AUDIT_BINS + next[best]++]);
	}
}

double audit_threshold_accuracy(const audit *a, const float *lambda, int k)
{
	taking t = {0};
	for (size_t i = 0; i < a->classes; i++) {
		const audit_label *l = a->of[i].label;
		if (k == AUDIT_ALL || i == (size_t)k)
			t.left += l[ORIGIN_CONFIDENT - 1].truth + l[ORIGIN_VOTED - 1].truth;
	}
	if (k == AUDIT_ALL)
		take_all(a, lambda, &t);
	else
		take_class(a, (size_t)k, &t);
	return t.taken > 0 ? t.right / (double)t.taken : -1.0;
}
