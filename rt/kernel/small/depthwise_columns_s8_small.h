/* Depthwise 3x3 convolution channel by channel: for an output line the three input lines of a channel become columns of
 * three words in scratch, those outside the image the input's zero point (which the bias takes out again). A window is
 * then nine words beside each other, and the next one begins a stride of columns further on, so that LDM loads both
 * values and weights.
 *
 * Table: thr_columns_channel of each channel. Scratch: the channel's weights as words, then the columns.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_DEPTHWISE_COLUMNS_S8_SMALL_H
#define THR_DEPTHWISE_COLUMNS_S8_SMALL_H

#include "fields.h"

enum { THR_COLUMNS_TAPS = 9 };

typedef struct thr_columns_channel {
  thr_fields_scale scale;
  int8_t w[12]; /* (kx, ky), then three of no meaning */
} thr_columns_channel;

/* Columns that the windows of a line take, the padding's among them. */
static inline int32_t thr_columns_of(const thr_conv2d_params *p) {
  return (p->out_x - 1) * p->stride_x + 3;
}

#endif
