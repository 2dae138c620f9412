/* Rows that a run produces, as the tests of the store make them. */
#ifndef TPLDD_TESTS_STORE_ROWS_H
#define TPLDD_TESTS_STORE_ROWS_H

#include "store_fixture.h"

static inline checkpoint_row resume_at(int64_t run, int64_t stage, int64_t step, char name[32])
{
	(void)snprintf(name, 32, "r-%lld-%lld", (long long)stage, (long long)step);
	return (checkpoint_row){.run = run,
	                        .round = -1,
	                        .stage = stage,
	                        .step = step,
	                        .phase = (char *)"source_training",
	                        .file = name,
	                        .sha256 = (char *)"aa",
	                        .bytes = 10,
	                        .resume = true};
}

static inline void text_done(void *row)
{
	free(*(char **)row);
}

/* Publishes a resume checkpoint; the files that became stale are joined with spaces. */
static inline void publish(store *s, int64_t run, int64_t stage, int64_t in_stage, int64_t global,
                    const metric_row *metric, size_t metrics, char stale[128])
{
	char name[32];
	checkpoint_row c = resume_at(run, stage, global, name);
	store_progress p = {.run = run,
	                    .stage = stage,
	                    .step = in_stage,
	                    .seconds = (double)global,
	                    .checkpoint = &c,
	                    .metric = metric,
	                    .metrics = metrics};
	char **list = NULL;
	size_t n = 0;
	assert_ok(store_run_progress(s, &p, &list, &n, err));
	stale[0] = 0;
	for (size_t i = 0; i < n; i++)
		(void)snprintf(stale + strlen(stale), 128 - strlen(stale), "%.20s ", list[i]);
	rows_done(list, n, sizeof *list, text_done);
}

/* Image i of a round: few distinct confidences, so that there are ties. */
static inline double confidence_of(size_t i, int64_t round)
{
	return (double)((i * 7 + (size_t)round * 3) % 5) / 4.0;
}

static inline const char *class_confidence_of(size_t i)
{
	return i % 3 == 0 ? "[0.5,null,0.25]" : i % 3 == 1 ? "[0.5,0.75,null]" : "[null,null,0]";
}

/* Three classes and, but for round 1, two alarms. */
enum { AUDIT_CLASSES = 3 };
typedef struct audit_rows {
	round_class_row class[AUDIT_CLASSES];
	round_alarm_row alarm[2];
	round_audit_row audit;
} audit_rows;

static inline void make_audit(audit_rows *a, int64_t round)
{
	*a = (audit_rows){.alarm = {{(char *)"class_drift", (char *)"a grows", 1, 0.5, 0.25},
	                            {(char *)"labels_unstable", (char *)"labels change", -1, 0.75, 0.875}}};
	for (int64_t k = 0; k < AUDIT_CLASSES; k++) {
		double x = 0.125 * (double)(k + 1);
		a->class[k] = (round_class_row){x, 2 * x, round == 0 ? -1 : 3 * x, x + 1, x + 2, 100 * k,
		                                {{k, k + 1, k + 2}, {k + 3, k + 4, k + 5},
		                                 {k + 6, k + 7, k + 8 + round}}, x + 3};
	}
	a->audit = (round_audit_row){.round = round, .entropy = 0.25, .flip_agreement = 0.5,
	                             .agreement = round == 0 ? -1 : 0.75, .label_agreement = 0.875,
	                             .threshold_accuracy = 0.625, .truth_pixels = 1000 + round,
	                             .class = a->class, .classes = AUDIT_CLASSES, .alarm = a->alarm,
	                             .alarms = round == 1 ? 0 : 2};
}

static inline void add_round(store *s, int64_t run, int64_t stage, int64_t round, size_t images)
{
	image_row *image = calloc(images + 1, sizeof *image);
	assert_non_null(image);
	for (size_t i = 0; i < images; i++)
		image[i] = (image_row){.index = (int64_t)i,
		                       .confidence = confidence_of(i, round),
		                       .entropy = 0.25,
		                       .easy = confidence_of(i, round) > 0.5,
		                       .rank = (int64_t)(images - i),
		                       .confident = 0.5,
		                       .voted = 0.25,
		                       .soft = 0.125,
		                       .ignored = 0.125,
		                       .class_confidence = (char *)class_confidence_of(i)};
	round_row r = {.run = run,
	               .stage = stage,
	               .round = round,
	               .phase = (char *)"phase1_training",
	               .portion = 0.2,
	               .thresholds = (char *)"[0.5,0.6,1.0]",
	               .confident = 0.5,
	               .voted = 0.25,
	               .soft = 0.125,
	               .ignored = 0.125,
	               .easy = 2,
	               .hard = 3,
	               .pseudo_accuracy = -1,
	               .class_stats = (char *)"{}"};
	audit_rows a;
	make_audit(&a, round);
	assert_ok(store_round_add(s, &r, image, images, &a.audit, err));
	free(image);
}

static inline void add_evaluation(store *s, int64_t run, int64_t stage, int64_t round, double miou)
{
	evaluation_row e = {.run = run,
	                    .stage = stage,
	                    .round = round,
	                    .step = 100 * stage,
	                    .phase = (char *)(round < 0 ? "source_training" : "phase1_training"),
	                    .miou = miou,
	                    .iou = (char *)"[0.5,null]",
	                    .confusion = (char *)"[[1,2],[3,4]]"};
	assert_ok(store_evaluation_add(s, &e, err));
}

static inline void assert_miou(store *s, int64_t run, double source, double current, double best)
{
	run_row r = {0};
	assert_ok(store_run_get(s, run, &r, err));
	assert_true(r.miou_source == source && r.miou_current == current && r.miou_best == best);
	run_row_done(&r);
}

static inline void put_profile(store *s, int64_t run, int64_t stage, int64_t round, int64_t steps)
{
	profile_row p = {.run = run,
	                 .stage = stage,
	                 .round = round,
	                 .phase = (char *)(round < 0 ? "source_training" : "phase1_training"),
	                 .steps = steps,
	                 .crop_h = 32,
	                 .crop_w = 48,
	                 .threads = 2,
	                 .kernels = (char *)"f4",
	                 .sgemm_gflops = 200.5,
	                 .seconds = 0.25 * (double)steps,
	                 .layers = (char *)"[{\"layer\":\"a\"}]",
	                 .outside = (char *)"[]"};
	assert_ok(store_profile_put(s, &p, err));
}

#endif
