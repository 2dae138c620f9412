#include "run/stored_net.h"

#include <jansson.h>
#include <string.h>

#include "base/mem.h"
#include "ckpt/weights.h"
#include "run/net_meta.h"

static tp_status spec_of_weights(const weights_row *w, net_spec *ret, tp_err *err)
{
	json_t *o = json_loads(w->spec, 0, NULL);
	net_arch arch;
	if (o == NULL || !net_arch_parse(w->arch, &arch)) {
		json_decref(o);
		return tp_fail(err, TP_CORRUPT, 0, "weights %s: the stored description is damaged", w->name);
	}
	*ret = net_spec_default(arch);
	ret->classes = (size_t)json_integer_value(json_object_get(o, "classes"));
	ret->output_stride = (size_t)json_integer_value(json_object_get(o, "output_stride"));
	ret->aspp_branches = (size_t)json_integer_value(json_object_get(o, "aspp_branches"));
	ret->width_divisor = (size_t)json_integer_value(json_object_get(o, "width_divisor"));
	ret->same_pad = json_is_true(json_object_get(o, "same_pad"));
	for (size_t i = 0; i < ASPP_MAX_BRANCHES; i++)
		ret->aspp_dilations[i] = (size_t)json_integer_value(
			json_array_get(json_object_get(o, "aspp_dilations"), i));
	json_decref(o);
	return TP_OK;
}

tp_status stored_net_load(int state_dirfd, const char *file, const weights_row *weights, stored_net *ret,
                          tp_err *err)
{
	st_file f;
	net_spec spec;
	weights_info info;
	stored_net n = {0};
	tp_status st = st_open(state_dirfd, file, &f, err);
	if (st != TP_OK)
		return st;
	st = weights != NULL ? spec_of_weights(weights, &spec, err)
	                     : net_meta_read(&f, &spec, &n.norm, err);
	if (st == TP_OK)
		st = net_build(&spec, &n.net, err);
	if (st == TP_OK)
		st = mem_floats(n.net.params.floats, &n.values, err);
	if (st == TP_OK)
		st = weights_load(&f, &n.net, false, n.values, &info, err);
	if (st == TP_OK && !info.whole)
		st = tp_fail(err, TP_INVALID, 0, "these weights have no head: they cannot infer");
	if (st == TP_OK && weights != NULL) {
		memcpy(n.norm.mean, info.input_mean, sizeof n.norm.mean);
		memcpy(n.norm.std, info.input_std, sizeof n.norm.std);
	}
	st_close(&f);
	if (st == TP_OK)
		*ret = n;
	else
		stored_net_done(&n);
	return st;
}

void stored_net_done(stored_net *n)
{
	mem_free(n->values);
	graph_done(&n->net);
	*n = (stored_net){0};
}
