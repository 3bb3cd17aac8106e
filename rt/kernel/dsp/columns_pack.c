/* Tables for products of columns. See columns.h. SPDX-License-Identifier: Apache-2.0 */
#include "columns.h"
#include "requantize.h"

enum { AROUND = THR_PAIRS_HEAD + THR_PAIRS_TAIL, MOST_LEFT = 8 /* int8 weights times 2^left are int16 */ };

typedef struct row {
  const int8_t *w;
  int64_t begin; /* what the sum begins with, before 2^left */
  thr_short scale;
} row;

static int32_t row_elems(const thr_conv2d_params *p) {
  return (int32_t)p->kernel_y * p->kernel_x * p->in_c;
}

/* 0 when the numbers of row `oc` do not fit. */
static int row_of(const thr_conv2d_params *p, int32_t oc, row *r) {
  const int32_t e = thr_requant_entry(&p->requant, oc), mult = p->requant.mult[e], elems = row_elems(p);
  const int shift = mult == 0 ? -1 : p->requant.shift[e]; /* every result is the zero point */
  int64_t sum = 0, magnitude = 0;
  r->w = (const int8_t *)p->weights.data + (size_t)oc * (size_t)elems;
  for (int32_t i = 0; i < elems; i++) {
    sum += r->w[i];
    magnitude += r->w[i] < 0 ? -r->w[i] : r->w[i];
  }
  const int64_t bias = thr_bias_at(&p->bias, oc), most = (bias < 0 ? -bias : bias) + 255 * magnitude;
  r->begin = bias - sum * p->in_zero;
  if (shift >= MOST_LEFT || most > INT32_MAX) return 0;
  r->scale = thr_short_of(mult, shift, p->out_zero);
  return thr_short_fits((uint32_t)most, mult, shift, thr_dsp_is_relu(p), 0);
}

int thr_dsp_columns_need(const thr_conv2d_params *p, int32_t quads, thr_need *need) {
  row r;
  if (p->groups != 1 || p->w_zero != 0 || p->weights.decode || p->requant.decode) return 0;
  for (int32_t oc = 0; oc < p->out_c; oc++)
    if (!row_of(p, oc, &r)) return 0;
  need->packed_bytes = ((size_t)p->out_c + 1) / 2 * (AROUND + 4 * (size_t)quads) * 4;
  need->scratch_bytes = (size_t)quads * 16;
  return 1;
}

/* Element i of the row's column in words w[0], w[1], w[4], w[5], ...: pairs (0, 2) and (1, 3) of each quad. */
static void put_row(const thr_conv2d_params *p, const row *r, int32_t quads, thr_dsp_order_fn *order, uint32_t *w) {
  for (int32_t i = 0; i < 4 * quads; i++) {
    const int32_t k = order(p, i);
    if (k >= 0) w[(i >> 2) * 4 + (i & 1)] |= ((uint32_t)r->w[k] << r->scale.left & 0xFFFFu) << 16 * (i >> 1 & 1);
  }
}

void thr_dsp_columns_pack(const thr_conv2d_params *p, int32_t quads, thr_dsp_order_fn *order, void *packed) {
  uint32_t *to = packed;
  memset(packed, 0, ((size_t)p->out_c + 1) / 2 * (AROUND + 4 * (size_t)quads) * 4);
  for (int32_t oc = 0; oc < p->out_c; oc++) {
    const int32_t i = oc & 1;
    uint32_t *tail = to + THR_PAIRS_HEAD + 4 * quads;
    row r;
    (void)row_of(p, oc, &r);
    to[i] = to[2 + i] = (uint32_t)r.begin << r.scale.left;
    put_row(p, &r, quads, order, to + THR_PAIRS_HEAD + 2 * i);
    tail[i] = (uint32_t)r.scale.mult;
    tail[2 + i] = (uint32_t)r.scale.round;
    tail[4 + i] = (uint32_t)r.scale.right;
    if (i == 1) to = tail + THR_PAIRS_TAIL;
  }
}
