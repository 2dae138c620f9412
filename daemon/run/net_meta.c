#include "run/net_meta.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void three(char text[96], const float v[3])
{
	(void)snprintf(text, 96, "%.9g,%.9g,%.9g", (double)v[0], (double)v[1], (double)v[2]);
}

void net_meta_fill(net_meta *m, const net_spec *spec, const input_norm *norm)
{
	static const char *const key[NET_META_PAIRS] = {
		"arch",       "classes",   "output_stride",  "aspp_dilations", "aspp_branches",
		"input_mean", "input_std", "stride2_padding", "width_divisor",
	};
	const size_t *d = spec->aspp_dilations;
	m->spec = *spec;
	m->norm = *norm;
	(void)snprintf(m->text[0], 96, "%s", net_arch_name(spec->arch));
	(void)snprintf(m->text[1], 96, "%zu", spec->classes);
	(void)snprintf(m->text[2], 96, "%zu", spec->output_stride);
	(void)snprintf(m->text[3], 96, "%zu,%zu,%zu,%zu", d[0], d[1], d[2], d[3]);
	(void)snprintf(m->text[4], 96, "%zu", spec->aspp_branches);
	three(m->text[5], norm->mean);
	three(m->text[6], norm->std);
	(void)snprintf(m->text[7], 96, "%s", spec->same_pad ? "same" : "symmetric");
	(void)snprintf(m->text[8], 96, "%zu", spec->width_divisor);
	for (size_t i = 0; i < NET_META_PAIRS; i++)
		m->pair[i] = (st_meta){key[i], m->text[i]};
}

static tp_status numbers(const st_file *f, const char *key, size_t count, double *ret, tp_err *err)
{
	const char *text = st_meta_get(f, key);
	if (text == NULL)
		return tp_fail(err, TP_CORRUPT, 0, "metadata '%s' is missing", key);
	for (size_t i = 0; i < count; i++) {
		char *end;
		ret[i] = strtod(text, &end);
		if (end == text || *end != (i + 1 < count ? ',' : 0))
			return tp_fail(err, TP_CORRUPT, 0, "metadata '%s' should hold %zu number(s)", key,
			               count);
		text = end + 1;
	}
	return TP_OK;
}

tp_status net_meta_read(const st_file *f, net_spec *ret_spec, input_norm *ret_norm, tp_err *err)
{
	net_spec spec;
	input_norm norm;
	double classes, stride, branches, width, dil[ASPP_MAX_BRANCHES], mean[3], std[3];
	const char *arch = st_meta_get(f, "arch"), *pad = st_meta_get(f, "stride2_padding");
	net_arch a;
	if (arch == NULL || !net_arch_parse(arch, &a))
		return tp_fail(err, TP_CORRUPT, 0, "metadata 'arch' is missing or unknown");
	spec = net_spec_default(a);
	tp_status st = numbers(f, "classes", 1, &classes, err);
	if (st == TP_OK)
		st = numbers(f, "output_stride", 1, &stride, err);
	if (st == TP_OK)
		st = numbers(f, "aspp_branches", 1, &branches, err);
	if (st == TP_OK)
		st = numbers(f, "width_divisor", 1, &width, err);
	if (st == TP_OK)
		st = numbers(f, "aspp_dilations", ASPP_MAX_BRANCHES, dil, err);
	if (st == TP_OK)
		st = numbers(f, "input_mean", 3, mean, err);
	if (st == TP_OK)
		st = numbers(f, "input_std", 3, std, err);
	if (st != TP_OK)
		return st;
	bool sane = classes >= 2 && classes <= 255 && stride >= 1 && stride <= 64 && branches >= 1 &&
	            branches <= ASPP_MAX_BRANCHES && width >= 1 && width <= 64;
	for (size_t i = 0; i < ASPP_MAX_BRANCHES; i++)
		sane = sane && dil[i] >= 1 && dil[i] <= 64;
	for (size_t i = 0; i < 3; i++)
		sane = sane && std[i] > 0 && std[i] < 1e6 && mean[i] > -1e6 && mean[i] < 1e6;
	if (!sane)
		return tp_fail(err, TP_CORRUPT, 0, "the metadata holds an impossible number");
	spec.classes = (size_t)classes;
	spec.output_stride = (size_t)stride;
	spec.aspp_branches = (size_t)branches;
	spec.width_divisor = (size_t)width;
	spec.same_pad = pad != NULL && strcmp(pad, "same") == 0;
	for (size_t i = 0; i < ASPP_MAX_BRANCHES; i++)
		spec.aspp_dilations[i] = (size_t)dil[i];
	for (size_t i = 0; i < 3; i++) {
		norm.mean[i] = (float)mean[i];
		norm.std[i] = (float)std[i];
	}
	*ret_spec = spec;
	*ret_norm = norm;
	return TP_OK;
}
