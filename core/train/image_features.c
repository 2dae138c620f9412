#include "train/image_features.h"

#include <math.h>
#include <stdlib.h>

struct image_features {
	image_features_spec spec;
	graph body; /* the network without its head; borrows from spec.net */
	exec *e;    /* bound to h x w, or NULL */
	size_t h, w;
};

tp_status image_features_create(const image_features_spec *spec, image_features **ret, tp_err *err)
{
	const graph *g = spec->net;
	if (g->nodes < 2 || g->node[g->nodes - 1].op != NODE_ASPP ||
	    g->node[g->nodes - 1].input != g->node[g->nodes - 2].output)
		return tp_fail(err, TP_SHAPE, 0, "the network has no head to look in front of");
	image_features *f = calloc(1, sizeof *f);
	if (f == NULL)
		return tp_fail(err, TP_NOMEM, 0, "out of memory for features");
	f->spec = *spec;
	f->body = graph_prefix(g, g->nodes - 1);
	*ret = f;
	return TP_OK;
}

void image_features_free(image_features *f)
{
	if (f == NULL)
		return;
	exec_free(f->e);
	free(f);
}

size_t image_features_count(const image_features *f) { return f->body.channels[f->body.values - 1]; }

static tp_status bind(image_features *f, size_t h, size_t w, tp_err *err)
{
	if (f->e != NULL && f->h == h && f->w == w)
		return TP_OK;
	exec_free(f->e);
	f->e = NULL;
	exec_spec spec = {.graph = &f->body,
	                  .in_h = h,
	                  .in_w = w,
	                  .kernels = f->spec.kernels,
	                  .pool = f->spec.pool,
	                  .stop = f->spec.stop};
	tp_status st = exec_create(&spec, &f->e, err);
	if (st != TP_OK) {
		f->e = NULL;
		return st;
	}
	exec_prepare(f->e, f->spec.values);
	f->h = h;
	f->w = w;
	return TP_OK;
}

static size_t scaled(size_t side, double scale)
{
	size_t n = (size_t)floor((double)side * scale);
	return n < 1 ? 1 : n;
}

static tp_status average(const float *y, size_t pixels, size_t channels, float *ret, tp_err *err)
{
	for (size_t c = 0; c < channels; c++) {
		double sum = 0.0;
		for (size_t p = 0; p < pixels; p++)
			sum += (double)y[p * channels + c];
		ret[c] = (float)(sum / (double)pixels);
		if (!isfinite(ret[c]))
			return tp_fail(err, TP_NONFINITE, 0, "a feature is not finite");
	}
	return TP_OK;
}

tp_status image_features_of(image_features *f, const image *img, float *ret, tp_err *err)
{
	double pixels = (double)img->w * (double)img->h, most = (double)f->spec.max_pixels;
	double scale = pixels > most ? sqrt(most / pixels) : 1.0;
	const float *y;
	tp_status st = bind(f, scaled(img->h, scale), scaled(img->w, scale), err);
	if (st != TP_OK)
		return st;
	const exec_size *size = exec_sizes(f->e);
	image_to_input(img, &f->spec.norm, f->h, f->w, false, exec_input(f->e), f->spec.pool);
	st = exec_forward(f->e, &y, err);
	return st == TP_OK ? average(y, size->out_h * size->out_w, size->out_c, ret, err) : st;
}
