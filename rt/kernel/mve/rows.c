/* Rows times columns. See rows.h. SPDX-License-Identifier: Apache-2.0 */
#include "rows.h"

#include "dot.h"
#include "requantize.h"

/* Four channels of two columns. `relu` is known where this is inlined. */
static inline const int8_t *group_of_two(const int8_t *w, int32_t blocks, const int8_t *c0, const int8_t *c1,
                                         int8_t *out0, int8_t *out1, int32_t n, const thr_mve_range *range, int relu) {
  thr_q32 a, b;
  thr_mve_dot_2x4(c0, c1, &w, blocks, &a, &b);
  const thr_q32 mult = thr_q32_load(w), right = thr_q32_load(w + 16);
  a = thr_q32_scale(a, mult, right, relu);
  b = thr_q32_scale(b, mult, right, relu);
  thr_q32_store_bytes(out0, thr_q32_finish(a, range), n);
  thr_q32_store_bytes(out1, thr_q32_finish(b, range), n);
  return w + 32;
}

static inline void pairs(const thr_mve_rows *r, const int8_t *packed, const int8_t *column, int32_t step, int32_t pairs,
                         int8_t *out, int relu) {
  const thr_mve_range range = thr_mve_range_of(r->out_zero, r->lo, r->hi);
  const int32_t channels = r->channels, blocks = thr_mve_blocks(r->taps), rest = channels & 3;
  for (; pairs > 0; pairs--, column += 2 * step, out += channels) {
    const int8_t *w = packed, *second = column + step;
    for (const int8_t *end = out + (channels - rest); out != end; out += 4)
      w = group_of_two(w, blocks, column, second, out, out + channels, 4, &range, relu);
    if (rest) (void)group_of_two(w, blocks, column, second, out, out + channels, rest, &range, relu);
    out += rest;
  }
}

void thr_mve_rows_once(const thr_mve_rows *r, const void *packed, const int8_t *column, int8_t *out) {
  const thr_mve_range range = thr_mve_range_of(r->out_zero, r->lo, r->hi);
  const int relu = r->lo >= r->out_zero;
  const int8_t *w = packed;
  for (int32_t left = r->channels; left > 0; left -= 4, out += 4) {
    const thr_q32 a = thr_mve_dot_1x4(column, &w, r->taps);
    const thr_q32 scaled = thr_q32_scale(a, thr_q32_load(w), thr_q32_load(w + 16), relu);
    w += 32;
    thr_q32_store_bytes(out, thr_q32_finish(scaled, &range), left);
  }
}

void thr_mve_rows_times(const thr_mve_rows *r, const void *packed, const int8_t *column, int32_t step, int32_t count,
                        int8_t *out) {
  if (r->lo >= r->out_zero)
    pairs(r, packed, column, step, count >> 1, out, 1);
  else
    pairs(r, packed, column, step, count >> 1, out, 0);
  if (count & 1) thr_mve_rows_once(r, packed, column + (count - 1) * step, out + (count - 1) * r->channels);
}
