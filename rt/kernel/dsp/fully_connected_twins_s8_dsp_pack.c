/* See fully_connected_twins_s8_dsp.h. SPDX-License-Identifier: Apache-2.0 */
#include "fully_connected_twins_s8_dsp.h"
#include "thr_form.h"

static thr_twin_rows rows_of(const thr_fully_connected_params *p) {
  const thr_twin_rows r = {&p->weights, &p->bias, &p->requant, p->out_n, p->in_n, p->in_zero, p->out_zero, p->lo};
  return r;
}

int thr_fully_connected_twins_s8_dsp_need(const thr_fully_connected_params *p, thr_need *need) {
  const thr_twin_rows r = rows_of(p);
  const int32_t quads = thr_twin_quads(p->in_n);
  if (p->w_zero != 0 || !thr_twins_fit(&r)) return 0;
  need->packed_bytes = ((size_t)p->out_n + 3) / 4 * (size_t)thr_group_words(quads) * 4;
  need->scratch_bytes = (size_t)quads * 8;
  return 1;
}

/* Rows that are missing in the last four are zeros. */
void thr_fully_connected_twins_s8_dsp_pack(const thr_fully_connected_params *p, void *packed) {
  const thr_twin_rows r = rows_of(p);
  const int32_t quads = thr_twin_quads(p->in_n), words = thr_group_words(quads), tail = thr_group_tail(quads);
  uint32_t *to = packed;
  for (int32_t o = 0; o < p->out_n; o += 4, to += words) {
    memset(to, 0, (size_t)words * 4);
    for (int32_t i = 0; i < 2 && o + 2 * i < p->out_n; i++) {
      const thr_twin_place place = {to + THR_TWIN_HEAD * i, to + THR_GROUP_WEIGHTS + 2 * i,
                                    to + tail + THR_TWIN_TAIL * i, 4};
      thr_twin_pack(&r, o + 2 * i, &place);
    }
  }
}
