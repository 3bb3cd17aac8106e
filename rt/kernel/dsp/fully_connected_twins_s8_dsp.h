/* The form fully_connected_twins_s8_dsp: four rows at a time, their int8 weights as twins (twins.h).
 *
 * Table: for each four rows, the tables of two pairs, one inside the other: both heads; per quad 4 words, two of each
 * pair; both tails. Scratch: the input widened to 16 bits, elements (0, 2) and (1, 3) of each four.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_DSP_FULLY_CONNECTED_TWINS_S8_DSP_H
#define THR_DSP_FULLY_CONNECTED_TWINS_S8_DSP_H

#include "twins.h"

enum { THR_GROUP_WEIGHTS = 2 * THR_TWIN_HEAD };

static inline int32_t thr_group_tail(int32_t quads) {
  return THR_GROUP_WEIGHTS + 4 * quads;
}

static inline int32_t thr_group_words(int32_t quads) {
  return thr_group_tail(quads) + 2 * THR_TWIN_TAIL;
}

#endif
