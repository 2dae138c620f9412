/* bce: values by hand, PyTorch, differences, extreme logits. */
#include "harness.h"

#include "golden.h"
#include "loss/bce.h"

static void by_hand(void **state)
{
	const float zero[2] = {0.0f, 0.0f};
	float dz[2];
	assert_near(bce_logits(zero, 2, 1.0f, 1.0f, dz), log(2.0), 1e-12);
	assert_near(dz[0], -0.25, 1e-9);
	assert_near(bce_logits(zero, 2, 0.0f, 0.5f, NULL), 0.5 * log(2.0), 1e-12);
	assert_true(bce_logits(zero, 0, 1.0f, 1.0f, dz) == 0.0);
}

static void torch_value(void **state)
{
	golden_file f;
	golden_open(TEST_GOLDEN "/method.bin", &f);
	float dz[50];
	double value = bce_logits(golden_f32(&f, 50, "bce_z"), 50, 0.75f, 0.5f, dz);
	assert_near(value, golden_f32(&f, 1, "bce_value")[0], 1e-5);
	assert_close(dz, golden_f32(&f, 50, "bce_dz"), 50, 2e-6);
	golden_close(&f);
}

static void differences(void **state)
{
	for (float label = 0.0f; label <= 1.0f; label += 1.0f)
		for (float z = -6.0f; z < 6.0f; z += 0.75f) {
			float up = z + 0.0078125f, down = z - 0.0078125f, dz;
			(void)bce_logits(&z, 1, label, 2.0f, &dz);
			double slope = (bce_logits(&up, 1, label, 2.0f, NULL) -
			                bce_logits(&down, 1, label, 2.0f, NULL)) / 0.015625;
			assert_near(dz, slope, 1e-5);
		}
}

static void extremes(void **state)
{
	const float z[2] = {1e4f, -1e4f};
	float dz[2], bad = NAN;
	assert_near(bce_logits(z, 2, 1.0f, 1.0f, dz), 5e3, 1e-6);
	assert_true(dz[0] == 0.0f && dz[1] == -0.5f);
	assert_true(isnan(bce_logits(&bad, 1, 0.0f, 1.0f, dz)) && isnan(dz[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_hand),
		cmocka_unit_test(torch_value),
		cmocka_unit_test(differences),
		cmocka_unit_test(extremes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
