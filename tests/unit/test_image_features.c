/* image_features: what goes into the head, averaged; through a head that only copies it. */
#include "train_fixture.h"

#include "train/image_features.h"

typedef struct rig {
	graph net;
	float *values;
} rig;

static rig rig_create(void)
{
	rig r = {.net = small_network()};
	r.values = net_values(&r.net, 5);
	return r;
}

static void rig_free(rig *r)
{
	mem_free(r->values);
	graph_done(&r->net);
}

static image picture(size_t w, size_t h, uint64_t seed)
{
	image img = {w, h, malloc(w * h * 3)};
	assert_non_null(img.rgb);
	for (size_t i = 0; i < w * h * 3; i++)
		img.rgb[i] = (uint8_t)rng_below(seed, RNG_TEST, i, 256);
	return img;
}

static image_features_spec spec_of(const rig *r, pool *p)
{
	return (image_features_spec){.net = &r->net,
	                       .values = r->values,
	                       .norm = INPUT_NORM_IMAGENET,
	                       .kernels = KERNELS_EXACT,
	                       .max_pixels = 1 << 20,
	                       .pool = p};
}

static float *points_of(const image_features_spec *s, const image *img)
{
	image_features *f = NULL;
	assert_ok(image_features_create(s, &f, err));
	float *x = floats(image_features_count(f));
	assert_ok(image_features_of(f, img, x, err));
	image_features_free(f);
	return x;
}

/* Logit k of a position becomes input channel k of the head there. */
static void copying_head(rig *r)
{
	const node *head = &r->net.node[r->net.nodes - 1];
	for (size_t b = 0; b < head->branches; b++) {
		const param *w = &r->net.params.item[head->branch_weight[b]];
		const param *bias = &r->net.params.item[head->branch_bias[b]];
		memset(r->values + w->offset, 0, w->count * sizeof(float));
		memset(r->values + bias->offset, 0, bias->count * sizeof(float));
		size_t channels = w->dims[1];
		for (size_t k = 0; b == 0 && k < CLASSES; k++)
			r->values[w->offset + (4 * channels + k) * CLASSES + k] = 1.0f;
	}
}

static void they_are_the_mean_of_what_the_head_gets(void **state)
{
	(void)state;
	rig r = rig_create();
	pool *p = new_pool(1);
	image img = picture(53, 41, 1);
	copying_head(&r);
	image_features_spec s = spec_of(&r, p);
	float *x = points_of(&s, &img), want[CLASSES];
	exec_spec es = {.graph = &r.net, .in_h = 41, .in_w = 53, .kernels = KERNELS_EXACT, .pool = p};
	exec *e = NULL;
	const float *logits = NULL;
	assert_ok(exec_create(&es, &e, err));
	exec_prepare(e, r.values);
	image_to_input(&img, &INPUT_NORM_IMAGENET, 41, 53, false, exec_input(e), p);
	assert_ok(exec_forward(e, &logits, err));
	size_t pixels = exec_sizes(e)->out_h * exec_sizes(e)->out_w;
	for (size_t k = 0; k < CLASSES; k++) {
		double sum = 0.0;
		for (size_t i = 0; i < pixels; i++)
			sum += (double)logits[i * CLASSES + k];
		want[k] = (float)(sum / (double)pixels);
	}
	assert_close(x, want, CLASSES, 1e-5);
	exec_free(e);
	mem_free(x);
	image_done(&img);
	pool_free(p);
	rig_free(&r);
}

static void same_bits(void **state)
{
	(void)state;
	rig r = rig_create();
	image img = picture(60, 44, 2), other = picture(44, 60, 3);
	float *want = NULL;
	size_t count = 0;
	for (size_t threads = 1; threads <= 4; threads++) {
		pool *p = new_pool(threads);
		image_features_spec s = spec_of(&r, p);
		image_features *f = NULL;
		assert_ok(image_features_create(&s, &f, err));
		count = image_features_count(f);
		float *x = floats(count);
		assert_ok(image_features_of(f, &other, x, err)); /* another size in between changes nothing */
		assert_true(want == NULL || memcmp(x, want, count * sizeof *x) != 0);
		assert_ok(image_features_of(f, &img, x, err));
		if (want == NULL)
			want = x;
		else {
			assert_memory_equal(x, want, count * sizeof *x);
			mem_free(x);
		}
		image_features_free(f);
		pool_free(p);
	}
	assert_int_equal(count, r.net.channels[r.net.node[r.net.nodes - 1].input]);
	mem_free(want);
	image_done(&img);
	image_done(&other);
	rig_free(&r);
}

/* 80 x 60 in at most 1200 pixels: half of each side. */
static void large_images_are_scaled_down(void **state)
{
	(void)state;
	rig r = rig_create();
	pool *p = new_pool(2);
	image img = picture(80, 60, 4);
	image_features_spec s = spec_of(&r, p);
	s.max_pixels = 1200;
	float *x = points_of(&s, &img);
	graph body = graph_prefix(&r.net, r.net.nodes - 1);
	exec_spec es = {.graph = &body, .in_h = 30, .in_w = 40, .kernels = KERNELS_EXACT, .pool = p};
	exec *e = NULL;
	const float *y = NULL;
	assert_ok(exec_create(&es, &e, err));
	exec_prepare(e, r.values);
	image_to_input(&img, &INPUT_NORM_IMAGENET, 30, 40, false, exec_input(e), p);
	assert_ok(exec_forward(e, &y, err));
	const exec_size *size = exec_sizes(e);
	float *want = floats(size->out_c);
	for (size_t i = 0; i < size->out_h * size->out_w; i++)
		for (size_t c = 0; c < size->out_c; c++)
			want[c] += y[i * size->out_c + c] / (float)(size->out_h * size->out_w);
	assert_close(x, want, size->out_c, 1e-5);
	exec_free(e);
	mem_free(want);
	mem_free(x);
	image_done(&img);
	pool_free(p);
	rig_free(&r);
}

static void what_is_wrong_is_named(void **state)
{
	(void)state;
	rig r = rig_create();
	graph d = small_discriminator();
	pool *p = new_pool(1);
	image_features_spec s = spec_of(&r, p);
	image_features *f = NULL;
	tp_err why = {0};
	s.net = &d;
	assert_int_equal(image_features_create(&s, &f, &why), TP_SHAPE);
	assert_null(f);
	assert_non_null(strstr(why.text, "no head"));
	atomic_int stop = 1;
	image img = picture(40, 40, 1);
	s = spec_of(&r, p);
	s.stop = &stop;
	assert_ok(image_features_create(&s, &f, err));
	float *x = floats(image_features_count(f));
	assert_int_equal(image_features_of(f, &img, x, NULL), TP_CANCELLED);
	stop = 0;
	r.values[r.net.params.item[r.net.node[0].weight].offset] = NAN;
	image_features_free(f);
	assert_ok(image_features_create(&s, &f, err));
	assert_int_equal(image_features_of(f, &img, x, NULL), TP_NONFINITE);
	image_features_free(f);
	mem_free(x);
	image_done(&img);
	pool_free(p);
	graph_done(&d);
	rig_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_are_the_mean_of_what_the_head_gets),
		cmocka_unit_test(same_bits),
		cmocka_unit_test(large_images_are_scaled_down),
		cmocka_unit_test(what_is_wrong_is_named),
	};
	return cmocka_run_group_tests(tests, start_blas, NULL);
}
