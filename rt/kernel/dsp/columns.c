/* Two columns times all rows. See columns.h. SPDX-License-Identifier: Apache-2.0 */
#include "columns.h"

#include "dot_2x2.h"
#include "requantize.h"

enum { TAIL_WORDS = 6 };

typedef struct range {
  int32_t lo, hi;
  int full, relu; /* full: that of int8, where saturation is all the clamping there is */
} range;

static inline int8_t finish(int32_t acc, const int32_t *tail, const range *r) {
  const int32_t v = thr_ssat8(r->relu ? thr_short_scale_relu(acc, tail[0], tail[2], tail[4])
                                      : thr_short_scale(acc, tail[0], tail[2], tail[4]));
  return (int8_t)(r->full ? v : thr_clamp(v, r->lo, r->hi));
}

static inline void all_rows(int32_t out_c, int32_t quads, const uint32_t *packed, const uint32_t *columns, int8_t *out0,
                            int8_t *out1, const range r) {
  for (; out_c > 0; out_c -= 2) {
    int32_t acc[4] = {(int32_t)packed[0], (int32_t)packed[1], (int32_t)packed[0], (int32_t)packed[1]};
    thr_dot_2x2(packed + 2, columns, quads, acc);
    const int32_t *tail = (const int32_t *)packed + 2 + 4 * quads;
    packed += 2 + 4 * quads + TAIL_WORDS;
    *out0++ = finish(acc[0], tail, &r);
    *out1++ = finish(acc[2], tail, &r);
    if (out_c == 1) break;
    *out0++ = finish(acc[1], tail + 1, &r);
    *out1++ = finish(acc[3], tail + 1, &r);
  }
}

void thr_dsp_columns(const thr_conv2d_params *p, int32_t quads, const uint32_t *packed, const uint32_t *columns,
                     int8_t *out0, int8_t *out1) {
  const int full = p->lo == INT8_MIN && p->hi == INT8_MAX;
  if (full && thr_dsp_is_relu(p))
    all_rows(p->out_c, quads, packed, columns, out0, out1, (range){INT8_MIN, INT8_MAX, 1, 1});
  else if (full)
    all_rows(p->out_c, quads, packed, columns, out0, out1, (range){INT8_MIN, INT8_MAX, 1, 0});
  else
    all_rows(p->out_c, quads, packed, columns, out0, out1, (range){p->lo, p->hi, 0, thr_dsp_is_relu(p)});
}
