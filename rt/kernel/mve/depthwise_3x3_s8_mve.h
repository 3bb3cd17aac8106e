/* Table of the 3x3 depthwise form: for each eight channels, those beyond the last being zeros,
 *   4 words, 4 words       what the sums of channels 0, 2, 4, 6 and 1, 3, 5, 7 begin with: bias - in_zero * sum of
 * weights 8 bytes, nine times    a weight of each channel, taps in the order (ky, kx) 4 times 4 words        mult of 0,
 * 2, 4, 6 and of 1, 3, 5, 7; right shifts (0 or negative) in the same order SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_MVE_DEPTHWISE_3X3_H
#define THR_MVE_DEPTHWISE_3X3_H

#include "lines.h"
#include "thr_form.h"

enum { THR_MVE_TAPS = 9, THR_MVE_EIGHT_BYTES = 32 + 8 * THR_MVE_TAPS + 64 };

static inline int32_t thr_mve_eights(int32_t channels) {
  return (channels + 7) / 8;
}

#endif
