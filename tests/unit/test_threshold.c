/* thresholds: the histogram against exact sorting, edges of the portion, the sub-sampling, the
 * schedule of portions and the rare classes. */
#include "harness.h"

#include "adapt/threshold.h"

enum { N = 30000, CLASSES = 3 };

static int descending(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;
	return (x < y) - (x > y); /* equal values are interchangeable */
}

static conf_hist hist_of(size_t classes)
{
	conf_hist h;
	assert_ok(conf_hist_init(classes, &h, err));
	return h;
}

/* Class 0 uniform, class 1 crowded at 1, class 2 spread over the octaves below 1. */
static float conf_of(size_t class, uint64_t i)
{
	double u = rng_uniform(1, RNG_TEST, i);
	double conf = class == 0 ? 0.05 + 0.95 * u : class == 1 ? 1 - 1e-3 * u * u * u : 1 - exp2(-26 * u);
	return (float)conf;
}

static void against_sorting(void **state)
{
	uint8_t *pred = malloc(N);
	float *conf = floats(N), *sorted[CLASSES] = {floats(N), floats(N), floats(N)};
	size_t n[CLASSES] = {0};
	conf_hist h = hist_of(CLASSES);
	for (size_t i = 0; i < N; i++) {
		pred[i] = (uint8_t)rng_below(2, RNG_TEST, i, CLASSES);
		conf[i] = conf_of(pred[i], i);
		sorted[pred[i]][n[pred[i]]++] = conf[i];
	}
	conf_hist_add(&h, pred, conf, N, 1);
	static const double portions[] = {1e-4, 0.01, 0.2, 0.25, 0.5, 0.77, 0.999, 1.0};
	for (size_t k = 0; k < CLASSES; k++)
		qsort(sorted[k], n[k], sizeof(float), descending);
	for (size_t t = 0; t < sizeof portions / sizeof *portions; t++) {
		float lambda[CLASSES];
		conf_hist_thresholds(&h, portions[t], lambda);
		for (size_t k = 0; k < CLASSES; k++) {
			size_t m = (size_t)floor((double)n[k] * portions[t]);
			if (m == 0) {
				assert_true(lambda[k] == 1.0f);
				continue;
			}
			float value = sorted[k][m - 1];
			assert_true(lambda[k] < value && lambda[k] >= value - 1.0f / 65536);
			/* Fine bins near 1: what passes is the portion, give or take 1/256. */
			size_t pass = 0;
			while (pass < n[k] && sorted[k][pass] > lambda[k])
				pass++;
			size_t same = m;
			while (same < n[k] && sorted[k][same] == value)
				same++;
			assert_true(pass >= same && pass <= same + n[k] / 200);
		}
	}
	conf_hist_done(&h);
	free(pred);
	mem_free(conf);
	for (size_t k = 0; k < CLASSES; k++)
		mem_free(sorted[k]);
}

/* One threshold lets the portion of all pixels through, of sure classes more. */
static void one_for_all_classes(void **state)
{
	uint8_t pred[N];
	float *conf = floats(N), *sorted = floats(N), lambda[CLASSES];
	conf_hist h = hist_of(CLASSES);
	for (size_t i = 0; i < N; i++) {
		pred[i] = (uint8_t)rng_below(2, RNG_TEST, i, CLASSES);
		conf[i] = sorted[i] = conf_of(pred[i], i);
	}
	conf_hist_add(&h, pred, conf, N, 1);
	qsort(sorted, N, sizeof(float), descending);
	static const double portions[] = {0.01, 0.3, 0.8, 1.0};
	for (size_t t = 0; t < sizeof portions / sizeof *portions; t++) {
		float value = sorted[(size_t)floor(N * portions[t]) - 1];
		conf_hist_global_threshold(&h, portions[t], lambda);
		for (size_t k = 0; k < CLASSES; k++)
			assert_true(lambda[k] == lambda[0]);
		assert_true(lambda[0] < value && lambda[0] >= value - 1.0f / 65536);
	}
	conf_hist_done(&h);
	mem_free(conf);
	mem_free(sorted);
}

static void edges(void **state)
{
	conf_hist h = hist_of(4);
	float lambda[4];
	conf_hist_thresholds(&h, 0.5, lambda);
	for (int k = 0; k < 4; k++)
		assert_true(lambda[k] == 1.0f); /* never predicted */
	const uint8_t pred[6] = {1, 1, 2, 255, 3, 3};
	const float conf[6] = {1.0f, 1.0f, 0.75f, 0.9f, 1e-7f, NAN};
	conf_hist_add(&h, pred, conf, 6, 1);
	conf_hist_thresholds(&h, 0.5, lambda);
	assert_true(lambda[0] == 1.0f);
	/* 1.0 must pass p > lambda, the next float below must not */
	assert_true(lambda[1] < 1.0f && lambda[1] == nextafterf(1.0f, 0.0f));
	assert_true(lambda[2] == 1.0f); /* floor(1 * 0.5) = 0 */
	assert_true(lambda[3] > 0.0f && lambda[3] <= 1.0f / 65536);
	conf_hist_thresholds(&h, 1.0, lambda);
	assert_true(lambda[2] == 0.75f - 1.0f / 65536); /* a bin excludes its lower edge */
	const uint8_t zero = 0;
	const float above = nextafterf(0.25f, 1.0f);
	conf_hist_add(&h, &zero, &above, 1, 1);
	conf_hist_thresholds(&h, 1.0, lambda);
	assert_true(lambda[0] == 0.25f);
	assert_int_equal(h.predicted[1], 2);
	assert_int_equal(h.predicted[2], 1);
	conf_hist_done(&h);
	conf_hist_done(&h);
	tp_err err = {0};
	assert_int_equal(conf_hist_init(0, &h, &err), TP_INVALID);
	assert_int_equal(conf_hist_init(257, &h, NULL), TP_INVALID);
}

/* Every 4th pixel of a class counts, starting anew for each image; `predicted` counts all. */
static void stride(void **state)
{
	conf_hist h = hist_of(2);
	uint8_t pred[14];
	float conf[14];
	for (size_t i = 0; i < 14; i++) {
		pred[i] = i % 2; /* 7 of each class */
		conf[i] = i / 2 % 4 == 0 ? 0.9f : 0.4f; /* class pixels 0 and 4 are the high ones */
	}
	conf_hist_add(&h, pred, conf, 14, 4);
	conf_hist_add(&h, pred, conf, 14, 4);
	float lambda[2];
	conf_hist_thresholds(&h, 1.0, lambda);
	assert_near(lambda[0], 0.9, 2e-5);
	assert_near(lambda[1], 0.9, 2e-5);
	assert_int_equal(h.predicted[0], 14);
	uint64_t counted = 0;
	for (size_t b = 0; b < CONF_BINS; b++)
		counted += h.bin[b];
	assert_int_equal(counted, 4);
	conf_hist_done(&h);
}

static void order_of_images(void **state)
{
	uint8_t pred[1000];
	float conf[1000], one[2], two[2];
	for (size_t i = 0; i < 1000; i++) {
		pred[i] = (uint8_t)rng_below(3, RNG_TEST, i, 2);
		conf[i] = conf_of(0, i);
	}
	conf_hist a = hist_of(2), b = hist_of(2);
	conf_hist_add(&a, pred, conf, 300, 4);
	conf_hist_add(&a, pred + 300, conf + 300, 700, 4);
	conf_hist_add(&b, pred + 300, conf + 300, 700, 4);
	conf_hist_add(&b, pred, conf, 300, 4);
	conf_hist_thresholds(&a, 0.3, one);
	conf_hist_thresholds(&b, 0.3, two);
	assert_memory_equal(one, two, sizeof one);
	conf_hist_done(&a);
	conf_hist_done(&b);
}

static void portions(void **state)
{
	assert_near(portion_of_round(0.2, 0.05, 0.5, 0), 0.20, 1e-12);
	assert_near(portion_of_round(0.2, 0.05, 0.5, 3), 0.35, 1e-12);
	assert_near(portion_of_round(0.2, 0.05, 0.5, 6), 0.50, 1e-12);
	assert_true(portion_of_round(0.2, 0.05, 0.5, 60) == 0.5);
}

static void rare(void **state)
{
	conf_hist h = hist_of(6);
	uint8_t ids[6];
	assert_int_equal(rare_classes(&h, 0.5, ids), 0);
	const uint64_t predicted[6] = {900, 30, 0, 10, 30, 30};
	memcpy(h.predicted, predicted, sizeof predicted);
	assert_int_equal(rare_classes(&h, 0.03, ids), 2); /* 30/1000 is not below .03 */
	assert_int_equal(ids[0], 2);
	assert_int_equal(ids[1], 3);
	assert_int_equal(rare_classes(&h, 0.5, ids), 5);
	const uint8_t want[5] = {2, 3, 1, 4, 5};
	assert_memory_equal(ids, want, 5);
	conf_hist_done(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(against_sorting),
		cmocka_unit_test(one_for_all_classes),
		cmocka_unit_test(edges),
		cmocka_unit_test(stride),
		cmocka_unit_test(order_of_images),
		cmocka_unit_test(portions),
		cmocka_unit_test(rare),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
