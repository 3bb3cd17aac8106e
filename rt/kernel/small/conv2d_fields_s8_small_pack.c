/* Which convolutions have sums in halves of words, and their table. SPDX-License-Identifier: Apache-2.0 */
#include "fields.h"
#include "thr_form.h"

static thr_fields_layer layer_of(const thr_conv2d_params *p) {
  const int32_t taps = (int32_t)p->kernel_y * p->kernel_x * p->in_c;
  const thr_fields_layer l = {&p->weights, &p->bias,    &p->requant, taps, p->out_c,
                              p->in_zero,  p->out_zero, p->lo,       p->hi};
  return l;
}

int thr_conv2d_fields_s8_small_need(const thr_conv2d_params *p, thr_need *need) {
  const thr_fields_layer l = layer_of(p);
  if (p->weights.decode || p->requant.decode || p->w_zero != 0 || p->groups != 1) return 0;
  need->packed_bytes = thr_fields_bytes(&l);
  need->scratch_bytes = (size_t)thr_fields_pairs(l.elems) * 8;
  return need->packed_bytes > 0;
}

void thr_conv2d_fields_s8_small_pack(const thr_conv2d_params *p, void *packed) {
  const thr_fields_layer l = layer_of(p);
  thr_fields_pack(&l, packed);
}
