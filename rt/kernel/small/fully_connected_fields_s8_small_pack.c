/* Which fully connected layers have sums in halves of words, and their table. SPDX-License-Identifier: Apache-2.0 */
#include "fields.h"
#include "thr_form.h"

static thr_fields_layer layer_of(const thr_fully_connected_params *p) {
  const thr_fields_layer l = {&p->weights, &p->bias,    &p->requant, p->in_n, p->out_n,
                              p->in_zero,  p->out_zero, p->lo,       p->hi};
  return l;
}

int thr_fully_connected_fields_s8_small_need(const thr_fully_connected_params *p, thr_need *need) {
  const thr_fields_layer l = layer_of(p);
  if (p->weights.decode || p->requant.decode || p->w_zero != 0) return 0;
  need->packed_bytes = thr_fields_bytes(&l);
  need->scratch_bytes = (size_t)thr_fields_pairs(p->in_n) * 8;
  return need->packed_bytes > 0;
}

void thr_fully_connected_fields_s8_small_pack(const thr_fully_connected_params *p, void *packed) {
  const thr_fields_layer l = layer_of(p);
  thr_fields_pack(&l, packed);
}
