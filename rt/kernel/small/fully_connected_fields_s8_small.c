/* Fully connected layer with two sums in a word: the input is one window. See fields.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "fields.h"

void thr_fully_connected_fields_s8_small(const thr_fully_connected_params *p, const void *packed, const int8_t *in,
                                         int8_t *out, void *scratch) {
  int32_t *end = thr_fields_widen((int32_t *)scratch, in, p->in_n);
  if (p->in_n & 1) *end = 0;
  thr_fields_window((const int32_t *)scratch, thr_fields_pairs(p->in_n), packed, p->out_n, p->lo, out);
}
