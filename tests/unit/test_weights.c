/* weights: names of every code base, partial files, refusals, round trip. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "../net/net_test.h"
#include "base/file.h"
#include "ckpt/weights.h"

static int folder;
static char folder_name[64];

static int make_folder(void **state)
{
	(void)snprintf(folder_name, sizeof folder_name, "/tmp/tp-weights-XXXXXX");
	assert_non_null(mkdtemp(folder_name));
	folder = open(folder_name, O_RDONLY | O_DIRECTORY);
	return folder < 0;
}

static int remove_folder(void **state)
{
	(void)close(folder);
	return file_remove_tree(AT_FDCWD, folder_name, NULL) != TP_OK;
}

static graph build(net_arch arch, size_t classes, size_t branches)
{
	graph g;
	net_spec spec = net_spec_default(arch);
	spec.width_divisor = 16;
	spec.classes = classes;
	spec.aspp_branches = branches;
	assert_int_equal(net_build(&spec, &g, NULL), TP_OK);
	return g;
}

/* A file made by renaming and editing the tensors of a network. */
enum { MOST = 700 };
typedef struct draft {
	st_out out[MOST];
	char name[MOST][96];
	size_t count;
	float *data;
	st_meta meta[4];
	size_t metas;
} draft;

static draft *draft_of(const graph *g, const float *values)
{
	draft *d = calloc(1, sizeof *d);
	d->data = new_floats(g->params.floats);
	for (size_t i = 0; i < g->params.count; i++) {
		const param *p = &g->params.item[i];
		params_to_public(p, values, d->data + p->offset);
		(void)snprintf(d->name[i], sizeof d->name[i], "%s", p->name);
		d->out[i] = (st_out){.name = d->name[i], .ndim = p->ndim, .data = d->data + p->offset};
		memcpy(d->out[i].shape, p->dims, sizeof p->dims);
	}
	d->count = g->params.count;
	return d;
}

static void draft_free(draft *d)
{
	mem_free(d->data);
	free(d);
}

static size_t draft_find(const draft *d, const char *name)
{
	for (size_t i = 0; i < d->count; i++)
		if (strcmp(d->name[i], name) == 0)
			return i;
	fail_msg("no %s in the draft", name);
	return 0;
}

static void draft_drop(draft *d, const char *part)
{
	size_t kept = 0;
	for (size_t i = 0; i < d->count; i++) {
		if (strstr(d->name[i], part) != NULL)
			continue;
		d->out[kept] = d->out[i];
		memmove(d->name[kept], d->name[i], sizeof d->name[i]);
		d->out[kept].name = d->name[kept];
		kept++;
	}
	d->count = kept;
}

static void draft_prefix(draft *d, const char *prefix)
{
	for (size_t i = 0; i < d->count; i++) {
		char old[96];
		memcpy(old, d->name[i], sizeof old);
		if ((size_t)snprintf(d->name[i], sizeof d->name[i], "%s%s", prefix, old) >=
		    sizeof d->name[i])
			fail();
	}
}

static void draft_rename(draft *d, const char *from, const char *to)
{
	for (size_t i = 0; i < d->count; i++) {
		char old[96];
		memcpy(old, d->name[i], sizeof old);
		if (strncmp(old, from, strlen(from)) == 0 &&
		    (size_t)snprintf(d->name[i], sizeof d->name[i], "%s%s", to,
		                     old + strlen(from)) >= sizeof d->name[i])
			fail();
	}
}

static void draft_add(draft *d, const char *name, const float *data)
{
	(void)snprintf(d->name[d->count], sizeof d->name[0], "%s", name);
	d->out[d->count] = (st_out){.name = d->name[d->count], .ndim = 1, .shape = {1}, .data = data};
	d->count++;
}

static tp_status draft_load(const draft *d, const graph *g, bool partial, float *values,
                            weights_info *info, tp_err *err)
{
	st_file f;
	if (st_write(folder, "draft", d->out, d->count, d->meta, d->metas, err) != TP_OK ||
	    st_open(folder, "draft", &f, err) != TP_OK)
		fail_msg("%s", err->text);
	tp_status st = weights_load(&f, g, partial, values, info, err);
	st_close(&f);
	return st;
}

/* Loads into zeros and expects `want`, but zeros in what has `absent` in its name. */
static weights_info loads(const draft *d, const graph *g, bool partial, const float *want,
                          const char *absent)
{
	weights_info info;
	tp_err err = {0};
	float *values = new_floats(g->params.floats);
	if (draft_load(d, g, partial, values, &info, &err) != TP_OK)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < g->params.count; i++) {
		const param *p = &g->params.item[i];
		bool zero = absent != NULL && strstr(p->name, absent) != NULL;
		for (size_t k = p->offset; k < p->offset + p->count; k++)
			if (values[k] != (zero ? 0 : want[k]))
				fail_msg("%s differs", p->name);
	}
	mem_free(values);
	return info;
}

static void refuses(const draft *d, const graph *g, tp_status want, const char *word)
{
	weights_info info;
	tp_err err = {0};
	float *values = new_floats(g->params.floats);
	tp_status st = draft_load(d, g, false, values, &info, &err);
	if (st != want || strstr(err.text, word) == NULL)
		fail_msg("status %d, '%s'; wanted %d, '%s'", st, err.text, want, word);
	for (size_t i = 0; i < g->params.floats; i++)
		assert_true(values[i] == 0); /* nothing was written */
	mem_free(values);
}

static const float one = 1;

static void save_and_load(void **state)
{
	for (net_arch a = 0; a < ARCH_COUNT; a++) {
		graph g = build(a, 5, 4);
		float *values = net_values(&g, 1), *back = new_floats(g.params.floats);
		const st_meta meta[] = {{"input_mean", "0.5,0.25,0"},
		                        {"input_std", "1,2,3"},
		                        {"stride2_padding", "same"}};
		tp_err err = {0};
		assert_int_equal(weights_save(folder, "w", &g, values, meta, 3, &err), TP_OK);
		st_file f;
		assert_int_equal(st_open(folder, "w", &f, &err), TP_OK);
		assert_int_equal(f.tensors, g.params.count);
		weights_info info, checked;
		assert_int_equal(weights_load(&f, &g, false, back, &info, &err), TP_OK);
		assert_memory_equal(back, values, g.params.floats * sizeof *back);
		assert_int_equal(info.loaded, g.params.count);
		assert_int_equal(info.missing, 0);
		assert_int_equal(info.unused, 0);
		assert_true(info.whole && info.same_pad);
		assert_true(info.input_mean[0] == 0.5f && info.input_mean[2] == 0);
		assert_true(info.input_std[2] == 3);
		assert_int_equal(weights_check(&f, &g, &checked, &err), TP_OK);
		assert_memory_equal(&checked, &info, sizeof info);
		size_t classes, branches;
		weights_head(&f, &classes, &branches);
		assert_int_equal(classes, 5);
		assert_int_equal(branches, 4);
		st_close(&f);
		mem_free(values);
		mem_free(back);
		graph_done(&g);
	}
}

static void torchvision_resnet(void **state)
{
	graph g = build(ARCH_RESNET101, 5, 4);
	float *values = net_values(&g, 1);
	draft *d = draft_of(&g, values);
	draft_drop(d, "layer5");
	draft_add(d, "fc.weight", &one);
	draft_add(d, "fc.bias", &one);
	draft_add(d, "bn1.num_batches_tracked", &one);
	weights_info info = loads(d, &g, false, values, "layer5");
	assert_int_equal(info.unused, 3);
	assert_int_equal(info.missing, 8);
	assert_int_equal(info.loaded, g.params.count - 8);
	assert_false(info.whole);
	assert_false(info.same_pad);
	assert_true(info.input_mean[0] == 0.485f && info.input_std[2] == 0.225f);
	draft_free(d);
	mem_free(values);
	graph_done(&g);
}

static void prefixes(void **state)
{
	static const char *const all[] = {"module.", "backbone.", "Scale.", "module.backbone."};
	graph g = build(ARCH_RESNET50, 5, 4);
	float *values = net_values(&g, 1);
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		draft *d = draft_of(&g, values);
		draft_prefix(d, all[i]);
		assert_true(loads(d, &g, false, values, NULL).whole);
		draft_free(d);
	}
	mem_free(values);
	graph_done(&g);
}

static void torchvision_vgg(void **state)
{
	graph g = build(ARCH_VGG16, 5, 4);
	float *values = net_values(&g, 1);
	draft *d = draft_of(&g, values);
	draft_drop(d, "conv2d_list");
	draft_drop(d, "features.29");
	draft_drop(d, "features.31");
	draft_rename(d, "features.27", "features.28");
	draft_rename(d, "features.25", "features.26");
	draft_rename(d, "features.23", "features.24");
	draft_add(d, "classifier.0.weight", &one);
	draft_add(d, "classifier.6.bias", &one);
	/* fc6 and fc7 do not exist in torchvision's shape: only with allow_partial. */
	refuses(d, &g, TP_INVALID, "tensor features.29.weight is missing");
	float *zeroed = new_floats(g.params.floats);
	memcpy(zeroed, values, g.params.floats * sizeof *values);
	for (size_t i = 0; i < g.params.count; i++)
		if (strstr(g.params.item[i].name, "features.29") != NULL ||
		    strstr(g.params.item[i].name, "features.31") != NULL)
			memset(zeroed + g.params.item[i].offset, 0,
			       g.params.item[i].count * sizeof *values);
	weights_info info = loads(d, &g, true, zeroed, "conv2d_list");
	assert_int_equal(info.missing, 12);
	assert_int_equal(info.unused, 2);
	/* Both numberings at once are two tensors for one parameter. */
	draft_add(d, "features.27.bias", &one);
	refuses(d, &g, TP_INVALID, "both features.27.bias");
	mem_free(zeroed);
	draft_free(d);
	mem_free(values);
	graph_done(&g);
}

static void advent_heads(void **state)
{
	graph g = build(ARCH_RESNET101, 5, 4);
	float *values = net_values(&g, 1);
	draft *d = draft_of(&g, values);
	draft_rename(d, "layer5", "layer6");
	for (int b = 0; b < 4; b++) {
		char name[64];
		(void)snprintf(name, sizeof name, "layer5.conv2d_list.%d.weight", b);
		draft_add(d, name, &one); /* the auxiliary head has another shape */
	}
	weights_info info = loads(d, &g, false, values, NULL);
	assert_true(info.whole);
	assert_int_equal(info.unused, 4);
	draft_prefix(d, "module.");
	assert_true(loads(d, &g, false, values, NULL).whole);
	draft_free(d);
	mem_free(values);
	graph_done(&g);
}

static void branch_and_class_counts(void **state)
{
	graph four = build(ARCH_RESNET50, 5, 4), two = build(ARCH_RESNET50, 5, 2),
	      other = build(ARCH_RESNET50, 6, 4);
	float *values = net_values(&four, 1), *fewer = net_values(&two, 1),
	      *more = net_values(&other, 1);
	draft *d = draft_of(&four, values);
	weights_info info = loads(d, &two, false, fewer, NULL);
	assert_true(info.whole);
	assert_int_equal(info.unused, 4);
	info = loads(d, &other, false, more, "layer5");
	assert_false(info.whole);
	assert_int_equal(info.missing, 8);
	assert_int_equal(info.unused, 8);
	draft_free(d);
	d = draft_of(&two, fewer);
	refuses(d, &four, TP_INVALID, "of the head is missing");
	draft_free(d);
	mem_free(values);
	mem_free(fewer);
	mem_free(more);
	graph_done(&four);
	graph_done(&two);
	graph_done(&other);
}

static void every_mismatch_names_its_tensor(void **state)
{
	graph g = build(ARCH_MOBILENETV2, 5, 4), small = build(ARCH_VGG16, 5, 4);
	float *values = net_values(&g, 1);
	draft *d = draft_of(&g, values);
	static const char *const some[] = {"features.0.0.weight", "features.3.conv.1.0.weight",
	                                   "features.17.conv.3.running_var"};
	for (size_t i = 0; i < 3; i++) {
		st_out *o = &d->out[draft_find(d, some[i])], keep = *o;
		float bad[4096] = {0};
		memcpy(bad, o->data, g.params.item[params_find(&g.params, some[i])].count * 4);
		o->data = bad;
		bad[1] = NAN;
		refuses(d, &g, TP_NONFINITE, some[i]);
		bad[1] = -INFINITY;
		refuses(d, &g, TP_NONFINITE, some[i]);
		*o = keep;
		o->shape[0]++;
		o->data = bad;
		bad[1] = 0;
		refuses(d, &g, TP_SHAPE, some[i]);
		*o = keep;
		o->shape[o->ndim++] = 1;
		refuses(d, &g, TP_SHAPE, some[i]);
		*o = keep;
		o->name = "elsewhere";
		refuses(d, &g, TP_INVALID, some[i]);
		*o = keep;
	}
	st_out *o = &d->out[draft_find(d, some[2])];
	float negative[64] = {-1};
	o->data = negative;
	refuses(d, &g, TP_INVALID, some[2]);
	/* A head whose input differs is no head of another class count. */
	o->data = values;
	o = &d->out[draft_find(d, "classifier.conv2d_list.1.weight")];
	o->shape[1] /= 2;
	refuses(d, &g, TP_SHAPE, "classifier.conv2d_list.1.weight");
	draft_free(d);
	/* Another architecture altogether. */
	float *vgg = net_values(&small, 1);
	d = draft_of(&small, vgg);
	draft_drop(d, "conv2d_list");
	refuses(d, &g, TP_INVALID, "no tensor fits");
	draft_free(d);
	mem_free(vgg);
	mem_free(values);
	graph_done(&g);
	graph_done(&small);
}

static void other_types_are_named(void **state)
{
	static const char header[] = "{\"bn1.weight\":{\"dtype\":\"I64\",\"shape\":[4],"
				     "\"data_offsets\":[0,32]}}";
	unsigned char file[8 + sizeof header - 1 + 32] = {sizeof header - 1};
	memcpy(file + 8, header, sizeof header - 1);
	graph g = build(ARCH_RESNET50, 5, 4);
	st_file f;
	weights_info info;
	tp_err err = {0};
	assert_int_equal(st_parse(file, sizeof file, &f, &err), TP_OK);
	assert_int_equal(weights_check(&f, &g, &info, &err), TP_INVALID);
	assert_non_null(strstr(err.text, "tensor bn1.weight is neither"));
	st_close(&f);
	graph_done(&g);
}

static void bad_metadata(void **state)
{
	static const st_meta cases[] = {
		{"input_mean", "0.5,0.5"},      {"input_mean", "0.5,0.5,0.5,0.5"},
		{"input_mean", "0.5;0.5;0.5"},  {"input_mean", "nan,0,0"},
		{"input_mean", ""},             {"input_std", "0.5,0.5,0"},
		{"input_std", "-1,1,1"},        {"input_std", "1,1,x"},
		{"stride2_padding", "valid"},
	};
	graph g = build(ARCH_VGG16, 5, 4);
	float *values = net_values(&g, 1);
	draft *d = draft_of(&g, values);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		d->meta[0] = cases[i];
		d->metas = 1;
		refuses(d, &g, TP_INVALID, cases[i].key);
	}
	draft_free(d);
	mem_free(values);
	graph_done(&g);
}

static void saving_checks_values(void **state)
{
	graph g = build(ARCH_VGG16, 5, 4);
	float *values = net_values(&g, 1);
	values[g.params.item[3].offset] = NAN;
	tp_err err = {0};
	assert_int_equal(weights_save(folder, "nan", &g, values, NULL, 0, &err), TP_NONFINITE);
	assert_non_null(strstr(err.text, g.params.item[3].name));
	assert_int_equal(faccessat(folder, "nan", F_OK, 0), -1);
	mem_free(values);
	graph_done(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(save_and_load),
		cmocka_unit_test(torchvision_resnet),
		cmocka_unit_test(prefixes),
		cmocka_unit_test(torchvision_vgg),
		cmocka_unit_test(advent_heads),
		cmocka_unit_test(branch_and_class_counts),
		cmocka_unit_test(every_mismatch_names_its_tensor),
		cmocka_unit_test(other_types_are_named),
		cmocka_unit_test(bad_metadata),
		cmocka_unit_test(saving_checks_values),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
