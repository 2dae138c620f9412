/* color_transfer: a picture gets the colours of another one (Reinhard et al. 2001, here per channel of RGB):
 * each channel is scaled and moved so that its mean and deviation are the other picture's. So a labelled
 * source picture is seen in the target's light. */
#ifndef TP_DATA_COLOR_TRANSFER_H
#define TP_DATA_COLOR_TRANSFER_H

#include "data/image.h"

/* In place; values that leave 0..255 are clipped. Any thread, no state; cannot fail. */
void color_transfer(image *img, const image *look);

#endif
