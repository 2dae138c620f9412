/* A round's audit and alarms as the API shows them. */
#include "http/json_out.h"
#include "http/row_json.h"

/* null where there is nothing to divide by. */
static json_t *share_json(int64_t part, int64_t whole)
{
	return whole > 0 ? json_number_or_null((double)part / (double)whole) : json_null();
}

static json_t *labels_json(const round_label_row *l, int64_t predicted)
{
	double coverage = predicted > 0 ? (double)l->pixels / (double)predicted : 0.0;
	return json_pack("{s:o, s:o, s:I}", "coverage", json_number_or_null(coverage), "accuracy",
	                 share_json(l->right, l->truth), "pixels", (json_int_t)l->truth);
}

static json_t *class_json(const round_class_row *c)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "share",
	                 json_number_or_null(c->share), "share_first",
	                 json_number_or_null(c->share_first), "share_previous",
	                 json_share_or_null(c->share_previous), "entropy",
	                 json_number_or_null(c->entropy), "agreement",
	                 json_share_or_null(c->agreement), "confident",
	                 labels_json(&c->label[0], c->predicted), "voted",
	                 labels_json(&c->label[1], c->predicted), "soft",
	                 labels_json(&c->label[2], c->predicted), "threshold_accuracy",
	                 json_share_or_null(c->threshold_accuracy));
}

static json_t *accuracy_json(const round_audit_row *a)
{
	static const char *const name[ROUND_ORIGINS] = {"confident", "voted", "soft"};
	json_t *o = json_object();
	int64_t right = 0, truth = 0;
	for (size_t k = 0; k < ROUND_ORIGINS; k++) {
		round_label_row sum = {0};
		for (size_t i = 0; i < a->classes; i++) {
			sum.right += a->class[i].label[k].right;
			sum.truth += a->class[i].label[k].truth;
		}
		(void)json_object_set_new(o, name[k], share_json(sum.right, sum.truth));
		right += sum.right;
		truth += sum.truth;
	}
	(void)json_object_set_new(o, "all", share_json(right, truth));
	(void)json_object_set_new(o, "threshold", json_share_or_null(a->threshold_accuracy));
	return o;
}

json_t *audit_json(const round_audit_row *a)
{
	if (a == NULL)
		return json_null();
	json_t *classes = json_array();
	for (size_t k = 0; k < a->classes; k++)
		(void)json_array_append_new(classes, class_json(&a->class[k]));
	return json_pack("{s:o, s:o, s:o, s:o, s:I, s:o, s:o}", "entropy",
	                 json_number_or_null(a->entropy), "flip_agreement",
	                 json_share_or_null(a->flip_agreement), "agreement",
	                 json_share_or_null(a->agreement), "label_agreement",
	                 json_share_or_null(a->label_agreement), "truth_pixels",
	                 (json_int_t)a->truth_pixels, "accuracy", accuracy_json(a), "classes",
	                 classes);
}

json_t *alarms_json(const round_audit_row *a)
{
	json_t *list = json_array();
	for (size_t i = 0; a != NULL && i < a->alarms; i++) {
		const round_alarm_row *r = &a->alarm[i];
		(void)json_array_append_new(
			list,
			json_pack("{s:s, s:o, s:s, s:o, s:o}", "kind", r->kind, "class",
		                  r->class_id < 0 ? json_null()
		                                  : json_integer((json_int_t)r->class_id),
		                  "text", r->text, "value", json_number_or_null(r->value), "limit",
		                  json_number_or_null(r->limit)));
	}
	return list;
}
