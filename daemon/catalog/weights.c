#include "catalog/weights.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "ckpt/weights.h"
#include "config/run_config.h"

static tp_status check_request(const weights_request *r, tp_err *err)
{
	size_t n = r->name == NULL ? 0 : strlen(r->name);
	if (n == 0 || n > 127)
		return tp_fail(err, TP_INVALID, 0, "name: should be 1 to 127 characters");
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)r->name[i] < 32 || r->name[i] == 127)
			return tp_fail(err, TP_INVALID, 0, "name: holds a control character");
	if (r->name[strspn(r->name, "0123456789")] == 0)
		return tp_fail(err, TP_INVALID, 0, "name: should not be a number, ids are numbers");
	if (strncmp(r->name, RUN_INIT_CHECKPOINT, strlen(RUN_INIT_CHECKPOINT)) == 0)
		return tp_fail(err, TP_INVALID, 0, "name: should not begin with " RUN_INIT_CHECKPOINT
		                                   ", runs name checkpoints so");
	return TP_OK;
}

/* The network the file claims to fit; a head in the file decides classes and branches. */
static tp_status build(const weights_request *r, const st_file *f, net_spec *ret_spec, graph *ret,
                       size_t *ret_classes, tp_err *err)
{
	size_t classes, branches;
	net_spec spec = net_spec_default(r->arch);
	weights_head(f, &classes, &branches);
	spec.output_stride = r->output_stride;
	memcpy(spec.aspp_dilations, r->aspp_dilations, sizeof spec.aspp_dilations);
	spec.aspp_branches = branches != 0 ? branches : r->aspp_branches;
	if (classes != 0)
		spec.classes = classes;
	/* A small network's own checkpoint says by how much it is thinner. */
	const char *width = st_meta_get(f, "width_divisor");
	if (width != NULL)
		spec.width_divisor = strtoul(width, NULL, 10);
	*ret_spec = spec;
	*ret_classes = classes;
	return net_build(&spec, ret, err);
}

static char *spec_text(const net_spec *spec, size_t classes, bool same_pad)
{
	json_t *d = json_array();
	for (size_t i = 0; i < ASPP_MAX_BRANCHES; i++)
		(void)json_array_append_new(d, json_integer((json_int_t)spec->aspp_dilations[i]));
	json_t *o = json_pack("{s:i,s:i,s:o,s:i,s:o,s:b}", "output_stride", (int)spec->output_stride,
	                      "width_divisor", (int)spec->width_divisor,
	                      "aspp_dilations", d, "aspp_branches", (int)spec->aspp_branches, "classes",
	                      classes == 0 ? json_null() : json_integer((json_int_t)classes), "same_pad",
	                      same_pad ? 1 : 0);
	char *text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return text;
}

static tp_status check_file(int dirfd, const char *tmp_name, const weights_request *r,
                            weights_row *row, tp_err *err)
{
	st_file f;
	graph g;
	net_spec spec;
	size_t classes;
	weights_info info;
	tp_status st = st_open(dirfd, tmp_name, &f, err);
	if (st != TP_OK)
		return st;
	st = build(r, &f, &spec, &g, &classes, err);
	if (st == TP_OK) {
		st = weights_check(&f, &g, &info, err);
		graph_done(&g);
	}
	if (st == TP_OK && info.loaded == 0)
		st = tp_fail(err, TP_INVALID, 0, "no tensor of the file belongs to %s",
		             net_arch_name(r->arch));
	if (st == TP_OK) {
		row->whole = info.whole && info.missing == 0;
		row->tensors = (int64_t)f.tensors;
		row->bytes = (int64_t)f.map_size;
		row->spec = spec_text(&spec, classes, info.same_pad);
		if (row->spec == NULL)
			st = tp_fail(err, TP_NOMEM, 0, "out of memory");
	}
	st_close(&f);
	return st;
}

tp_status catalog_weights_add(store *s, int state_dirfd, const weights_request *r,
                              const char *tmp_name, int64_t *ret_id, tp_err *err)
{
	char sha[65], file[96];
	weights_row row = {.name = (char *)r->name, .arch = (char *)net_arch_name(r->arch)};
	tp_status st = check_request(r, err);
	if (st == TP_OK)
		st = check_file(state_dirfd, tmp_name, r, &row, err);
	if (st == TP_OK)
		st = sha256_file(state_dirfd, tmp_name, sha, err);
	if (st == TP_OK) {
		(void)mkdirat(state_dirfd, "weights", 0750);
		(void)snprintf(file, sizeof file, "weights/%s.safetensors", sha);
		row.sha256 = sha;
		row.file = file;
		st = file_move(state_dirfd, tmp_name, file, err);
	}
	if (st == TP_OK)
		st = store_weights_add(s, &row, ret_id, err);
	else
		(void)unlinkat(state_dirfd, tmp_name, 0);
	free(row.spec);
	return st;
}
