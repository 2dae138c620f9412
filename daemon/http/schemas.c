#include "http/schemas.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* clang-format off */
static const struct {
	const char *name, *shape;
} shapes[] = {
	{"Class", "{id:int name:str color:[int]}"},
	{"ClassSet", "{name:str classes:[Class]}"},
	{"Dataset",
	 "{id:int name:str layout:cityscapes|gta5|synthia|camvid|folder root:str "
	 "split:str? include:str? images:int labelled:int classes:[Class] class_set:str "
	 "class_map:any created:time}"},
	{"NewDataset",
	 "{name:str layout:cityscapes|gta5|synthia|camvid|folder root:str split?:str "
	 "include?:str class_set?:any class_map?:any}"},
	{"DatasetImage", "{id:int name:str width:int height:int labelled:bool}"},
	{"Weights",
	 "{id:int name:str arch:str sha256:str tensors:int bytes:int whole:bool "
	 "output_stride?:int aspp_dilations?:[int] classes?:any created:time}"},
	{"State",
	 "queued|starting|running|pausing|paused|cancelling|completing|completed|failed|"
	 "cancelled|interrupted"},
	{"Phase", "source_training|entropy_training|norm_alignment|scoring|phase1_training|"
	 "phase2_training|evaluation"},
	{"Run",
	 "{id:int name:str state:State allowed_actions:[pause|resume|cancel] phase:Phase? "
	 "round:int? rounds_total:int stage:int step:int steps_total:int progress:num "
	 "eta_seconds:num? loss:num? seconds_per_step:num? wait_share:num? "
	 "heartbeat_age_seconds:num? error:str? miou:{source_only:num? current:num? "
	 "best:num?} preset:str? seed:int? source:str? source_id:int? target:str? "
	 "target_id:int? eval:str? eval_id:int? experiment:int? created:time updated:time seconds:num "
	 "config:any state_history?:[StateChange] memory_bytes?:int disk_bytes?:int}"},
	{"StateChange", "{time:time from:State to:State reason:str?}"},
	{"Validation",
	 "{ok:bool errors:[FieldError] estimate:{memory_bytes:int disk_bytes:int "
	 "steps_total:int}?}"},
	{"FieldError", "{pointer:str detail:str}"},
	{"Series", "{key:str points:[[num]]}"},
	{"Coverage", "{confident:num voted:num soft:num ignored:num}"},
	{"Round",
	 "{round:int phase:Phase portion:num thresholds:[num?] coverage:Coverage easy:int "
	 "hard:int pseudo_accuracy?:num class_stats:any audit:RoundAudit? alarms:[RoundAlarm]}"},
	{"RoundAudit",
	 "{entropy:num flip_agreement:num? agreement:num? label_agreement:num? truth_pixels:int "
	 "accuracy:{confident:num? voted:num? soft:num? all:num? threshold:num?} "
	 "classes:[RoundClass]}"},
	{"RoundClass",
	 "{share:num share_first:num share_previous:num? entropy:num agreement:num? "
	 "confident:RoundLabels voted:RoundLabels soft:RoundLabels threshold_accuracy:num?}"},
	{"RoundLabels", "{coverage:num accuracy:num? pixels:int}"},
	{"RoundAlarm",
	 "{kind:class_collapsed|class_drift|predictions_unstable|labels_unstable|labels_wrong "
	 "class:int? text:str value:num limit:num}"},
	{"Profile",
	 "{phase:Phase? round:int? steps:int crop:[int]? threads:int? kernels:str? "
	 "sgemm_peak_gflops:num? seconds_per_step:num? layers:[ProfileLayer] "
	 "outside:[{part:waiting|preparing|loss|optimiser|saving ms:num}]}"},
	{"ProfileLayer",
	 "{layer:str algorithm:str forward_ms:num backward_ms:num gflop_per_step:num "
	 "gflops:num? peak_share:num?}"},
	{"Features",
	 "{round:int network:before|after perplexity:num kl:num source:{shown:int of:int} target:{shown:int of:int} "
	 "points:[FeaturePoint]}"},
	{"FeaturePoint", "{domain:source|easy|hard image:int name:str x:num y:num}"},
	{"IouPoint", "{step:int round:int? phase:Phase miou:num? iou:[num?]}"},
	{"Image",
	 "{id:int name:str round:int confidence:num? entropy:num? split:easy|hard "
	 "rank:int coverage:Coverage class_confidence:[num?]}"},
	{"ImageScore",
	 "{round:int confidence:num? entropy:num? split:easy|hard rank:int "
	 "coverage:Coverage class_confidence:[num?]}"},
	{"NewExperiment",
	 "{name:str seeds:[int] variants:[NewVariant] config?:any baseline?:str upper_bound?:str?}"},
	{"NewVariant", "{name:str preset?:str config?:any}"},
	{"ExperimentState", "running|completed|failed|cancelled"},
	{"ExperimentItem",
	 "{id:int name:str state:ExperimentState created:time runs_total:int runs_done:int "
	 "progress:num variants:int seeds:int}"},
	{"Experiment",
	 "{id:int name:str state:ExperimentState created:time error:str? baseline:str "
	 "upper_bound:str? seeds:[int] runs_total:int runs_done:int progress:num eta_seconds:num? "
	 "classes:[Class] source_runs:[SourceRun] variants:[Variant] config:any}"},
	{"PartState",
	 "waiting|queued|starting|running|pausing|paused|cancelling|completing|completed|failed|"
	 "cancelled|interrupted"},
	{"SourceRun", "{run:int? seed:int state:PartState miou:num?}"},
	{"Variant",
	 "{name:str preset:str cells:[Cell] count:int "
	 "miou:{mean:num deviation:num? min:num max:num}? iou:[{mean:num deviation:num?}?] "
	 "difference:{mean:num deviation:num? t:num? p:num? count:int iou:[num?]}? "
	 "gap_closed:num?}"},
	{"Cell",
	 "{seed:int run:int? state:PartState source_run:int? miou_source:num? miou:num? "
	 "miou_best:num? iou:[num?]}"},
	{"Checkpoint",
	 "{id:int run:int round:int? phase:str step:int sha256:str bytes:int created:time}"},
	{"Event", "{id:int run:int? time:time type:str ...}"},
	{"Problem",
	 "{type:str title:str status:int detail:str instance?:str errors?:[FieldError] "
	 "state?:State allowed_actions?:[str]}"},
};
/* clang-format on */

typedef struct parser {
	const char *p;
	bool bad;
} parser;

static json_t *parse_type(parser *s);

static size_t word_length(const char *p)
{
	size_t n = 0;
	while (isalnum((unsigned char)p[n]) || p[n] == '_' || p[n] == '-' || p[n] == '.')
		n++;
	return n;
}

static json_t *parse_object(parser *s)
{
	json_t *properties = json_object(), *required = json_array();
	bool more = false;
	while (!s->bad && *s->p != '}') {
		if (strncmp(s->p, "...}", 4) == 0) {
			s->p += 3;
			more = true;
			break;
		}
		size_t n = word_length(s->p);
		json_t *name = json_stringn(s->p, n);
		s->p += n;
		bool optional = *s->p == '?';
		s->p += optional;
		s->bad = s->bad || n == 0 || *s->p != ':';
		if (!s->bad) {
			s->p++;
			(void)json_object_set_new(properties, json_string_value(name),
			                          parse_type(s));
			if (!optional)
				(void)json_array_append(required, name);
			s->p += *s->p == ' ';
		}
		json_decref(name);
	}
	s->p += *s->p == '}';
	json_t *o = json_pack("{s:s, s:o, s:o}", "type", "object", "properties", properties,
	                      "required", required);
	if (more)
		(void)json_object_set_new(o, "additionalProperties", json_true());
	return o;
}

static json_t *parse_word(parser *s)
{
	static const char *const plain[][2] = {
		{"int", "integer"}, {"num", "number"}, {"str", "string"}, {"bool", "boolean"}};
	size_t n = word_length(s->p);
	const char *w = s->p;
	s->bad = s->bad || n == 0;
	s->p += n;
	if (*s->p == '|') {
		json_t *words = json_pack("[o]", json_stringn(w, n));
		while (!s->bad && *s->p == '|') {
			n = word_length(++s->p);
			s->bad = n == 0;
			(void)json_array_append_new(words, json_stringn(s->p, n));
			s->p += n;
		}
		return json_pack("{s:s, s:o}", "type", "string", "enum", words);
	}
	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		if (strlen(plain[i][0]) == n && memcmp(plain[i][0], w, n) == 0)
			return json_pack("{s:s}", "type", plain[i][1]);
	if (n == 3 && memcmp(w, "any", 3) == 0)
		return json_pack("{s:s}", "description", "any JSON value");
	if (n == 4 && memcmp(w, "time", 4) == 0)
		return json_pack("{s:s, s:s}", "type", "string", "format", "date-time");
	char ref[80];
	(void)snprintf(ref, sizeof ref, "#/components/schemas/%.*s", (int)n, w);
	s->bad = s->bad || !isupper((unsigned char)w[0]);
	return json_pack("{s:s}", "$ref", ref);
}

static json_t *parse_type(parser *s)
{
	json_t *t;
	if (*s->p == '{') {
		s->p++;
		t = parse_object(s);
	} else if (*s->p == '[') {
		s->p++;
		json_t *items = parse_type(s);
		s->bad = s->bad || *s->p != ']';
		s->p += *s->p == ']';
		t = json_pack("{s:s, s:o}", "type", "array", "items", items);
	} else {
		t = parse_word(s);
	}
	if (!s->bad && *s->p == '?') {
		s->p++;
		t = json_pack("{s:[o, {s:s}]}", "anyOf", t, "type", "null");
	}
	return t;
}

json_t *schema_json(const char *notation)
{
	parser s = {.p = notation};
	json_t *t = parse_type(&s);
	if (!s.bad && *s.p == 0)
		return t;
	json_decref(t);
	return json_object();
}

json_t *schema_components(void)
{
	json_t *all = json_object();
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
		(void)json_object_set_new(all, shapes[i].name, schema_json(shapes[i].shape));
	return all;
}
