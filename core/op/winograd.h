/* winograd: the transforms of Winograd's minimal convolution F(m x m, 3 x 3), m = 2 or 4, and
 * their adjoints (Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks",
 * section 4; matrices for the points 0, 1, -1, (2, -2,) infinity).
 *
 *   y = A^T [ (G g G^T) . (B^T d B) ] A       d: (m+2)^2 pixels, g: 3x3 weights, y: m^2 pixels
 *
 * Everything here is linear and works on `n` channels at once: arrays of pointers name the rows
 * of n floats that are the elements of the small matrices, row by row. */
#ifndef TP_OP_WINOGRAD_H
#define TP_OP_WINOGRAD_H

#include <stddef.h>

enum { WINOGRAD_MAX_SIDE = 6, WINOGRAD_MAX_POINTS = WINOGRAD_MAX_SIDE * WINOGRAD_MAX_SIDE };

/* Reads all of in[], then writes all of out[], for each group of channels; in and out must not
 * overlap. */
typedef void winograd_fn(const float *const in[], float *const out[], size_t n);

typedef struct winograd {
	size_t m, side, points; /* side = m + 2, points = side^2 */
	winograd_fn *input;          /* points -> points: B^T d B */
	winograd_fn *input_adjoint;  /* points -> points: B v B^T */
	winograd_fn *output;         /* points -> m^2: A^T v A */
	winograd_fn *output_adjoint; /* m^2 -> points: A y A^T */
	winograd_fn *weight;         /* 9 -> points: G g G^T */
	winograd_fn *weight_adjoint; /* points -> 9: G^T u G */
} winograd;

extern const winograd winograd_f2, winograd_f4;

#endif
