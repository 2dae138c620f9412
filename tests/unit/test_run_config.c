/* run_config: the JSON form of a recipe: strict reading, complete writing, schema. */
#include "harness.h"

#include "config/run_config.h"
#include "config/text.h"
#include "train/recipe_fields.h"

#define MINIMAL "{\"name\":\"n\",\"source\":\"a\",\"target\":\"b\""

static json_t *parse_text(const char *text)
{
	json_error_t e;
	json_t *j = json_loads(text, JSON_REJECT_DUPLICATES, &e);
	if (j == NULL)
		fail_msg("test JSON: %s in %s", e.text, text);
	return j;
}

static run_config accept(const char *text)
{
	json_t *body = parse_text(text);
	run_config c;
	config_error bad[4];
	size_t n = 9;
	assert_ok(run_config_parse(body, &c, bad, 4, &n, err));
	assert_int_equal(n, 0);
	json_decref(body);
	return c;
}

/* The configuration is refused, and one of the errors has this pointer and detail. */
static void refuse(const char *text, const char *pointer, const char *detail)
{
	json_t *body = parse_text(text);
	run_config c = {.name = "untouched"};
	config_error bad[16];
	size_t n = 0;
	tp_err e = {0};
	assert_int_equal(run_config_parse(body, &c, bad, 16, &n, &e), TP_INVALID);
	assert_string_equal(c.name, "untouched");
	json_decref(body);
	for (size_t i = 0; i < n; i++)
		if (strcmp(bad[i].pointer, pointer) == 0 && strcmp(bad[i].detail, detail) == 0)
			return;
	fail_msg("%s: first of %zu errors: %s | %s", text, n, bad[0].pointer, bad[0].detail);
}

static void defaults_are_those_of_the_contract(void **state)
{
	run_config c = accept(MINIMAL "}");
	const recipe *r = &c.recipe;
	assert_string_equal(c.preset, "tpld");
	assert_string_equal(c.eval, "");
	assert_string_equal(c.init, "");
	assert_true(r->seed == 1 && r->threads == 0 && r->kernels == KERNELS_F4);
	assert_true(r->model.arch == ARCH_MOBILENETV2 && r->model.output_stride == 8);
	assert_true(r->model.aspp_branches == 4 && r->model.aspp_dilations[3] == 24);
	assert_true(r->data.crop_h == 512 && r->data.crop_w == 1024 && r->data.batch == 2);
	assert_true(r->data.scale_low == 0.5 && r->data.scale_high == 1.5 && r->data.mirror);
	assert_true(r->source_training.steps == 20000 && r->source_training.sgd.lr == 2.5e-4);
	assert_true(r->source_training.sgd.power == 0.9 &&
	            r->source_training.sgd.weight_decay == 5e-4);
	assert_true(r->self.phase1_rounds == 6 && r->self.phase2_rounds == 3);
	assert_true(r->self.steps_per_round == 1000 && r->self.sgd.lr == 5e-5 &&
	            r->self.sgd.power == 0);
	assert_true(r->self.source_portion_step == 0.0025 && r->self.portion_max == 0.5);
	assert_true(r->self.reg == REG_MRKLD && r->self.reg_weight == 0.01);
	assert_true(r->self.bootstrap && r->self.bootstrap_beta == 0.95);
	assert_true(r->self.vote.window == 5 && r->self.vote.iterations == 3);
	/* Its example has sum; mean is what measuring found (docs/results.md). */
	assert_true(r->self.vote.alpha == 0.7f && r->self.vote.pool == VOTE_MEAN);
	assert_true(r->self.vote.alpha_on == VOTE_ALPHA_ORIGINAL && r->self.vote.reuse_voted);
	assert_true(r->self.easy_portion == 0.3 && r->self.gamma == 2.0);
	assert_true(r->self.adversarial && r->self.adversarial_weight == 0.001);
	assert_true(r->self.discriminator_lr == 1e-4 && r->self.mine_chance == 0.8);
	assert_true(r->self.flip_average && r->self.scoring_scale == 1.0);
	assert_true(r->evaluation.every_rounds == 1 && r->evaluation.scales == 1);
	assert_true(r->evaluation.scale[0] == 1.0 && !r->evaluation.flip);
}

/* Writing gives every key, and reading that gives the same configuration. */
static void what_is_written_reads_back(void **state)
{
	for (size_t i = 0; recipe_preset_name(i) != NULL; i++) {
		char text[300];
		(void)snprintf(text, sizeof text,
		               MINIMAL ",\"preset\":\"%s\",\"seed\":9007199254740992,"
		                       "\"model\":{\"init\":7,\"aspp_dilations\":[3,5]},"
		                       "\"evaluation\":{\"scales\":[0.9,1,1.2]},\"eval\":\"c\"}",
		               recipe_preset_name(i));
		run_config c = accept(text);
		json_t *out = run_config_json(&c);
		char *written = json_dumps(out, 0);
		run_config again = accept(written);
		assert_string_equal(again.name, "n");
		assert_string_equal(again.preset, recipe_preset_name(i));
		assert_string_equal(again.init, "7");
		assert_string_equal(again.eval, "c");
		assert_true(again.recipe.seed == (uint64_t)1 << 53);
		assert_int_equal(again.recipe.model.aspp_branches, 2);
		assert_memory_equal(&again.recipe, &c.recipe, sizeof c.recipe);
		json_t *twice = run_config_json(&again);
		assert_true(json_equal(out, twice));
		json_decref(twice);
		json_decref(out);
		free(written);
	}
}

static void the_written_form_is_readable(void **state)
{
	run_config c = accept(MINIMAL ",\"preset\":\"cbst\"}");
	json_t *out = run_config_json(&c);
	char *text = json_dumps(out, JSON_COMPACT | JSON_REAL_PRECISION(15));
	assert_non_null(strstr(text, "\"voting\":null"));
	assert_non_null(strstr(text, "\"bootstrap\":null"));
	assert_non_null(strstr(text, "\"adversarial\":null"));
	assert_non_null(strstr(text, "\"regularizer\":{\"kind\":\"none\",\"weight\":0.0}"));
	assert_non_null(strstr(text, "\"crop\":[512,1024]"));
	assert_non_null(strstr(text, "\"init\":null"));
	assert_int_equal(strncmp(text, "{\"name\":\"n\",\"preset\":\"cbst\",\"source\":\"a\"", 40),
	                 0);
	free(text);
	json_decref(out);
	c = accept(MINIMAL "}");
	out = run_config_json(&c);
	text = json_dumps(out, JSON_COMPACT | JSON_REAL_PRECISION(15));
	assert_non_null(strstr(text, "\"alpha\":0.7"));
	assert_null(strstr(text, "0.69999"));
	free(text);
	json_decref(out);
}

static void options_are_switched_on_and_off(void **state)
{
	run_config c = accept(MINIMAL ",\"preset\":\"cbst\",\"self_training\":{\"voting\":{},"
	                              "\"bootstrap\":{\"beta\":0.5},\"rare_class_mining\":null}}");
	assert_int_equal(c.recipe.self.vote.iterations, 3);
	assert_int_equal(c.recipe.self.vote.window, 5);
	assert_true(c.recipe.self.bootstrap && c.recipe.self.bootstrap_beta == 0.5);
	assert_true(c.recipe.self.mine_chance == 0.0 && !c.recipe.self.adversarial);
	c = accept(MINIMAL ",\"self_training\":{\"voting\":null,\"adversarial\":null}}");
	assert_int_equal(c.recipe.self.vote.iterations, 0);
	assert_false(c.recipe.self.adversarial);
	assert_true(c.recipe.self.bootstrap);
}

static void a_regularizer_brings_its_weight(void **state)
{
	run_config c = accept(MINIMAL ",\"self_training\":{\"regularizer\":{\"kind\":\"lrent\"}}}");
	assert_true(c.recipe.self.reg == REG_LRENT && c.recipe.self.reg_weight == 0.25);
	c = accept(MINIMAL
	           ",\"self_training\":{\"regularizer\":{\"kind\":\"lrent\",\"weight\":0.5}}}");
	assert_true(c.recipe.self.reg_weight == 0.5);
	c = accept(MINIMAL ",\"self_training\":{\"regularizer\":{\"weight\":0.02}}}");
	assert_true(c.recipe.self.reg == REG_MRKLD && c.recipe.self.reg_weight == 0.02);
	refuse(MINIMAL ",\"self_training\":{\"regularizer\":{\"kind\":\"lrent\",\"weight\":0.01}}}",
	       "/self_training/regularizer/weight",
	       "0.01 is not in 0.05..10, the range of lrent's alpha");
}

static void every_option_of_voting_is_read(void **state)
{
	run_config c = accept(
		MINIMAL ",\"self_training\":{\"voting\":{\"window\":57,\"iterations\":1,"
			"\"alpha\":0.25,\"alpha_on\":\"pooled\",\"pool\":\"max\",\"rank\":\"p\","
			"\"reuse_voted\":false,\"border\":\"zero\"}}}");
	const vote_spec *v = &c.recipe.self.vote;
	assert_true(v->window == 57 && v->iterations == 1 && v->alpha == 0.25f);
	assert_true(v->alpha_on == VOTE_ALPHA_POOLED && v->pool == VOTE_MAX);
	assert_true(v->rank == VOTE_TOP2_BY_P && !v->reuse_voted && v->border == VOTE_BORDER_ZERO);
	assert_true(v->value == VOTE_OF_R && v->kernel == VOTE_FLAT && v->color_distance == 0);
	assert_true(v->rare_share == 0.0 && !v->flips_agree);
	c = accept(MINIMAL ",\"self_training\":{\"voting\":{\"window\":9,\"value\":\"p\","
	                   "\"kernel\":\"triangle\",\"color_distance\":30,\"rare_share\":0.01,"
	                   "\"window_rare\":5,\"flips_agree\":true}}}");
	assert_true(v->value == VOTE_OF_P && v->kernel == VOTE_TRIANGLE && v->color_distance == 30);
	assert_true(v->rare_share == 0.01 && v->window_rare == 5 && v->flips_agree);
}

static void types_are_checked(void **state)
{
	refuse("[]", "", "the run configuration must be a JSON object");
	refuse(MINIMAL ",\"seed\":1.5}", "/seed",
	       "must be a whole number, not a number with a fraction");
	refuse(MINIMAL ",\"seed\":\"1\"}", "/seed", "must be a whole number, not a string");
	refuse(MINIMAL ",\"model\":3}", "/model", "must be an object, not a whole number");
	refuse(MINIMAL ",\"data\":{\"mirror\":1}}", "/data/mirror",
	       "must be true or false, not a whole number");
	refuse(MINIMAL ",\"data\":{\"crop\":512}}", "/data/crop",
	       "must be an array of numbers, not a whole number");
	refuse(MINIMAL ",\"data\":{\"crop\":[512]}}", "/data/crop", "has 1 values, not 2");
	refuse(MINIMAL ",\"data\":{\"crop\":[512,null]}}", "/data/crop",
	       "must be a whole number, not null");
	refuse(MINIMAL ",\"self_training\":{\"voting\":true}}", "/self_training/voting",
	       "must be an object or null, not a boolean");
	refuse(MINIMAL ",\"self_training\":{\"lr\":[]}}", "/self_training/lr",
	       "must be a number, not an array");
	refuse(MINIMAL ",\"preset\":null}", "/preset", "must be a string, not null");
	refuse(MINIMAL ",\"eval\":{}}", "/eval",
	       "must be a string or an id or null, not an object");
	refuse("{\"name\":\"n\",\"source\":\"a\"}", "/target", "is required");
	refuse("{\"name\":\"\",\"source\":\"a\",\"target\":\"b\"}", "/name",
	       "has 0 bytes, not 1..127");
	refuse("{\"name\":\"a\\nb\",\"source\":\"a\",\"target\":\"b\"}", "/name",
	       "holds control characters");
	refuse("{\"name\":\"n\",\"source\":0,\"target\":\"b\"}", "/source",
	       "must be a string or an id, not a whole number");
}

static void ranges_are_checked(void **state)
{
	refuse(MINIMAL ",\"data\":{\"batch\":0}}", "/data/batch", "0 is not in 1..64");
	refuse(MINIMAL ",\"seed\":-1}", "/seed", "-1 is not in 0..9007199254740992");
	refuse(MINIMAL ",\"seed\":9007199254740993}", "/seed",
	       "9007199254740993 is not in 0..9007199254740992");
	refuse(MINIMAL ",\"self_training\":{\"voting\":{\"window\":4}}}",
	       "/self_training/voting/window", "4 is not one of 1, 3, ... 401");
	refuse(MINIMAL ",\"model\":{\"output_stride\":4}}", "/model/output_stride",
	       "4 is neither 8 nor 16");
	refuse(MINIMAL ",\"model\":{\"arch\":\"vgg\"}}", "/model/arch",
	       "is not one of deeplabv2-vgg16, deeplabv2-resnet101, deeplabv2-resnet50, "
	       "deeplabv2-mobilenetv2");
	refuse(MINIMAL ",\"model\":{\"arch\":\"deeplabv2-vgg16\",\"output_stride\":16}}",
	       "/model/output_stride", "16 is possible with deeplabv2-mobilenetv2 only");
	refuse(MINIMAL ",\"model\":{\"aspp_dilations\":[6,12,18]}}", "/model/aspp_dilations",
	       "number of values: 3 is neither 2 nor 4");
	refuse(MINIMAL ",\"model\":{\"aspp_branches\":4,\"aspp_dilations\":[6,12]}}",
	       "/model/aspp_dilations", "has 2 values, fewer than /model/aspp_branches");
	refuse(MINIMAL ",\"data\":{\"scale\":[1.5,0.5]}}", "/data/scale", "1.5 is larger than 0.5");
	refuse(MINIMAL ",\"evaluation\":{\"scales\":[]}}", "/evaluation/scales",
	       "has 0 values, not 1..8");
	refuse(MINIMAL ",\"preset\":\"best\"}", "/preset",
	       "is not one of source-only, minent, advent, intrada, cbst, crst-mrkld,"
	       " crst-lrent, crst-mrent, crst-mrl2, tpld-phase1, tpld, tpld-cbst, tpld-lrent,"
	       " gta5-to-cityscapes, gta5-to-cityscapes-vgg16, synthia-to-cityscapes,"
	       " synthia-to-cityscapes-vgg16, tpld-plus");
	refuse(MINIMAL ",\"source_training\":{\"steps\":0}}", "/model/init",
	       "is needed when /source_training/steps is 0");
	refuse(MINIMAL ",\"self_training\":{\"steps_per_round\":0}}",
	       "/self_training/steps_per_round", "0 steps with 9 rounds");
}

static void branches_may_be_fewer_than_dilations(void **state)
{
	run_config c = accept(MINIMAL ",\"model\":{\"aspp_branches\":2}}");
	assert_true(c.recipe.model.aspp_branches == 2 && c.recipe.model.aspp_dilations[1] == 12);
	c = accept(MINIMAL ",\"model\":{\"aspp_dilations\":[6,12,18,24],\"aspp_branches\":2}}");
	assert_int_equal(c.recipe.model.aspp_branches, 2);
}

static void unknown_keys_are_named(void **state)
{
	refuse(MINIMAL ",\"sed\":1}", "/sed", "unknown key; did you mean /seed?");
	refuse(MINIMAL ",\"self_training\":{\"portion\":{\"intial\":0.1}}}",
	       "/self_training/portion/intial",
	       "unknown key; did you mean /self_training/portion/initial?");
	refuse(MINIMAL ",\"gamma\":2}", "/gamma",
	       "unknown key; did you mean /self_training/gamma?");
	refuse(MINIMAL ",\"zebra\":2}", "/zebra", "unknown key");
	refuse(MINIMAL ",\"data\":{\"a/b~c\":2}}", "/data/a~1b~0c", "unknown key");
	refuse(MINIMAL ",\"model\":{\"\":2}}", "/model/", "unknown key");
}

static void all_errors_are_collected(void **state)
{
	json_t *body = parse_text("{\"nme\":\"n\",\"source\":\"a\",\"target\":\"b\",\"seed\":-1,"
	                          "\"data\":{\"batch\":\"x\"}}");
	config_error bad[8];
	size_t n = 0;
	tp_err e = {0};
	run_config c;
	assert_int_equal(run_config_parse(body, &c, bad, 8, &n, &e), TP_INVALID);
	assert_int_equal(n, 4);
	assert_string_equal(e.text, "/name: is required");
	assert_string_equal(bad[0].pointer, "/name");
	assert_string_equal(bad[1].pointer, "/seed");
	assert_string_equal(bad[2].pointer, "/data/batch");
	assert_string_equal(bad[3].pointer, "/nme");
	/* A short list is filled and no more. */
	assert_int_equal(run_config_parse(body, &c, bad, 2, &n, &e), TP_INVALID);
	assert_int_equal(n, 2);
	assert_int_equal(run_config_parse(body, &c, NULL, 0, &n, &e), TP_INVALID);
	assert_int_equal(n, 0);
	json_decref(body);
}

/* Keys of any length and alphabet give texts that are valid UTF-8. */
static void long_keys_are_cut_between_characters(void **state)
{
	for (size_t pad = 0; pad < 4; pad++) {
		char key[400] = "";
		for (size_t i = 0; i < pad; i++)
			strcat(key, "x");
		for (size_t i = 0; i < 90; i++)
			strcat(key, "\xe2\x82\xac");
		json_t *body = parse_text(MINIMAL "}");
		(void)json_object_set_new(body, key, json_true());
		config_error bad[2];
		size_t n = 0;
		run_config c;
		assert_int_equal(run_config_parse(body, &c, bad, 2, &n, NULL), TP_INVALID);
		json_t *text = json_string(bad[0].pointer);
		assert_non_null(text);
		json_decref(text);
		json_decref(body);
	}
}

/* ---- schema ---- */

static json_t *schema_node(json_t *root, const char *pointer)
{
	char copy[100];
	(void)snprintf(copy, sizeof copy, "%s", pointer);
	json_t *at = root;
	char *save;
	for (char *key = strtok_r(copy, "/", &save); key != NULL; key = strtok_r(NULL, "/", &save))
		at = json_object_get(json_object_get(at, "properties"), key);
	return at;
}

static void the_schema_knows_every_field(void **state)
{
	json_t *schema = run_config_schema();
	const recipe_field *f;
	for (size_t i = 0; (f = recipe_field_at(i)) != NULL; i++) {
		json_t *found = schema_node(schema, f->pointer);
		if (found == NULL || json_object_get(found, "description") == NULL)
			fail_msg("%s", f->pointer);
	}
	assert_int_equal(json_array_size(json_object_get(schema, "required")), 3);
	assert_true(json_is_false(json_object_get(schema, "additionalProperties")));
	assert_non_null(schema_node(schema, "/model/init"));
	json_t *window = schema_node(schema, "/self_training/voting/window");
	assert_int_equal(json_integer_value(json_object_get(window, "maximum")), 401);
	assert_int_equal(json_integer_value(json_object_get(window, "default")), 5);
	json_t *presets = json_object_get(schema_node(schema, "/preset"), "oneOf");
	assert_int_equal(json_array_size(presets), 18);
	json_t *alpha = schema_node(schema, "/self_training/voting/alpha");
	assert_true(json_real_value(json_object_get(alpha, "default")) == 0.7);
	json_decref(schema);
}

static void distances_count_edits(void **state)
{
	assert_int_equal(text_distance("", ""), 0);
	assert_int_equal(text_distance("seed", "seed"), 0);
	assert_int_equal(text_distance("kitten", "sitting"), 3);
	assert_int_equal(text_distance("abc", ""), 3);
	char big[80] = "";
	memset(big, 'a', 79);
	assert_int_equal(text_distance(big, "a"), 99);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_those_of_the_contract),
		cmocka_unit_test(what_is_written_reads_back),
		cmocka_unit_test(the_written_form_is_readable),
		cmocka_unit_test(options_are_switched_on_and_off),
		cmocka_unit_test(a_regularizer_brings_its_weight),
		cmocka_unit_test(every_option_of_voting_is_read),
		cmocka_unit_test(types_are_checked),
		cmocka_unit_test(ranges_are_checked),
		cmocka_unit_test(branches_may_be_fewer_than_dilations),
		cmocka_unit_test(unknown_keys_are_named),
		cmocka_unit_test(all_errors_are_collected),
		cmocka_unit_test(long_keys_are_cut_between_characters),
		cmocka_unit_test(the_schema_knows_every_field),
		cmocka_unit_test(distances_count_edits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
