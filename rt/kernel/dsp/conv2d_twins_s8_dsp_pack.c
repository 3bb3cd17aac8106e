/* See conv2d_twins_s8_dsp.h. SPDX-License-Identifier: Apache-2.0 */
#include "conv2d_twins_s8_dsp.h"
#include "thr_form.h"

static thr_twin_rows rows_of(const thr_conv2d_params *p) {
  const thr_twin_rows r = {&p->weights,      &p->bias,   &p->requant, p->out_c,
                           thr_twins_row(p), p->in_zero, p->out_zero, p->lo};
  return r;
}

int thr_conv2d_twins_s8_dsp_need(const thr_conv2d_params *p, thr_need *need) {
  const thr_twin_rows r = rows_of(p);
  const size_t quads = (size_t)thr_twin_quads(r.elems);
  if (p->groups != 1 || p->w_zero != 0 || !thr_twins_fit(&r)) return 0;
  need->packed_bytes = ((size_t)p->out_c + 1) / 2 * (size_t)thr_twin_words((int32_t)quads) * 4;
  need->scratch_bytes = quads * (16 + 4);
  return 1;
}

void thr_conv2d_twins_s8_dsp_pack(const thr_conv2d_params *p, void *packed) {
  const thr_twin_rows r = rows_of(p);
  const int32_t quads = thr_twin_quads(r.elems), words = thr_twin_words(quads);
  uint32_t *to = packed;
  for (int32_t oc = 0; oc < p->out_c; oc += 2, to += words) {
    const thr_twin_place place = {to, to + THR_TWIN_HEAD, to + THR_TWIN_HEAD + 2 * quads, 2};
    memset(to, 0, (size_t)words * 4);
    thr_twin_pack(&r, oc, &place);
  }
}
