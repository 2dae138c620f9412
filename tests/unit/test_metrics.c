/* metrics: a confusion matrix and its IoU by hand. */
#include "harness.h"

#include "adapt/metrics.h"

static void by_hand(void **state)
{
	/* class 2 is predicted but absent from the truth; class 3 is in neither */
	const uint8_t truth[9] = {0, 0, 0, 1, 1, 255, 1, 1, 0}, pred[9] = {0, 0, 1, 1, 1, 0, 2, 255, 0};
	uint64_t m[16] = {0};
	double iou[4];
	confusion_add(m, 4, truth, pred, 9);
	const uint64_t want[16] = {3, 1, 0, 0,  0, 2, 1, 0,  0, 0, 0, 0,  0, 0, 0, 0};
	assert_memory_equal(m, want, sizeof want);
	double mean = confusion_iou(m, 4, iou);
	assert_near(iou[0], 3.0 / 4, 1e-12);
	assert_near(iou[1], 2.0 / 4, 1e-12);
	assert_true(iou[2] == -1.0 && iou[3] == -1.0);
	assert_near(mean, 0.625, 1e-12);
	confusion_add(m, 4, truth, pred, 9);
	assert_int_equal(m[0], 6); /* it adds */
}

static void nothing(void **state)
{
	uint64_t m[4] = {0};
	double iou[2];
	assert_true(confusion_iou(m, 2, iou) == -1.0);
	const uint8_t truth[2] = {255, 2}, pred[2] = {0, 0};
	confusion_add(m, 2, truth, pred, 2);
	assert_true(confusion_iou(m, 2, iou) == -1.0 && iou[0] == -1.0);
	const uint8_t one[1] = {1}, zero[1] = {0};
	confusion_add(m, 2, one, zero, 1); /* all wrong is 0, not absent */
	assert_true(confusion_iou(m, 2, iou) == 0.0 && iou[1] == 0.0 && iou[0] == -1.0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_hand),
		cmocka_unit_test(nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
