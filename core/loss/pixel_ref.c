#include <math.h>

#include "loss/pixel.h"
#include "op/softmax.h"

void pixel_loss_reference(const double *z, size_t classes, const double *yhat,
                          const pixel_loss_spec *spec, double *ret_label, double *ret_reg,
                          double *g_label, double *g_reg)
{
	double p[MAX_CLASSES], log_p[MAX_CLASSES], r[MAX_CLASSES], log_r[MAX_CLASSES], w[MAX_CLASSES];
	double max = z[0], sum = 0.0;
	bool labelled = false;
	for (size_t k = 0; k < classes; k++) {
		max = fmax(max, z[k]);
		labelled = labelled || yhat[k] != 0.0;
		g_label[k] = g_reg[k] = 0.0;
	}
	*ret_label = *ret_reg = 0.0;
	if (!labelled)
		return;
	for (size_t k = 0; k < classes; k++)
		sum += exp(z[k] - max);
	for (size_t k = 0; k < classes; k++) {
		log_p[k] = z[k] - max - log(sum);
		p[k] = exp(log_p[k]);
	}

	double beta = spec->beta, sum_w = 0.0, sum_r_log = 0.0;
	for (size_t k = 0; k < classes; k++) {
		double lambda = spec->bootstrap ? (double)spec->lambda[k] : 1.0;
		r[k] = p[k] / lambda;
		log_r[k] = log_p[k] - log(lambda);
		w[k] = spec->bootstrap ? beta * yhat[k] + (1.0 - beta) * r[k] : yhat[k];
		sum_w += w[k];
		sum_r_log += r[k] * log_r[k];
		*ret_label -= w[k] * log_r[k];
	}
	for (size_t k = 0; k < classes; k++) {
		g_label[k] = p[k] * sum_w - w[k];
		if (spec->bootstrap && spec->through_weight)
			g_label[k] -= (1.0 - beta) * (r[k] * log_r[k] - p[k] * sum_r_log);
	}

	double sum_log = 0.0, sum_p_log = 0.0, sum_p2 = 0.0;
	for (size_t k = 0; k < classes; k++) {
		sum_log += log_p[k];
		sum_p_log += p[k] * log_p[k];
		sum_p2 += p[k] * p[k];
	}
	double n = (double)classes;
	*ret_reg = spec->reg == REG_MRKLD ? -sum_log / n
	         : spec->reg == REG_MRENT ? sum_p_log
	         : spec->reg == REG_MRL2  ? sum_p2
	                                  : 0.0;
	for (size_t k = 0; k < classes; k++)
		g_reg[k] = spec->reg == REG_MRKLD ? p[k] - 1.0 / n
		         : spec->reg == REG_MRENT ? p[k] * (log_p[k] - sum_p_log)
		         : spec->reg == REG_MRL2  ? 2.0 * p[k] * (p[k] - sum_p2)
		                                  : 0.0;
}
