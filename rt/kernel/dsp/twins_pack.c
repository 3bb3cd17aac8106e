/* Tables of paired rows. See twins.h. SPDX-License-Identifier: Apache-2.0 */
#include "twins.h"

#define MOST_MAGNITUDE (1 << 16)

typedef struct row {
  const int8_t *w;
  int64_t begin;
  thr_short scale;
} row;

/* 0 when the numbers of the row do not fit. */
static int row_of(const thr_twin_rows *r, int32_t at, row *of) {
  const int32_t e = thr_requant_entry(r->requant, at), mult = r->requant->mult[e];
  const int shift = mult == 0 ? -1 : r->requant->shift[e]; /* every result is the zero point */
  int64_t sum = 0, magnitude = 0;
  of->w = (const int8_t *)r->weights->data + (size_t)at * (size_t)r->elems;
  for (int32_t i = 0; i < r->elems; i++) {
    sum += of->w[i];
    magnitude += of->w[i] < 0 ? -of->w[i] : of->w[i];
  }
  const int64_t bias = thr_bias_at(r->bias, at), most = (bias < 0 ? -bias : bias) + 255 * magnitude;
  if (magnitude >= MOST_MAGNITUDE || most > INT32_MAX) return 0;
  of->begin = bias - sum * r->in_zero;
  of->scale = thr_short_of(mult, shift, r->out_zero);
  return thr_short_fits((uint32_t)most, mult, shift, r->lo >= r->out_zero, 0);
}

static int32_t weight(const thr_twin_rows *r, const row *of, int32_t at, int32_t k) {
  return at < r->rows && k < r->elems ? of->w[k] : 0;
}

int thr_twins_fit(const thr_twin_rows *r) {
  row of[2];
  if (r->weights->decode || r->requant->decode) return 0;
  for (int32_t at = 0; at < r->rows; at += 2) {
    if (!row_of(r, at, &of[0])) return 0;
    if (at + 1 == r->rows) return 1;
    if (!row_of(r, at + 1, &of[1])) return 0;
    for (int32_t k = 0; k < r->elems; k++)
      if (of[0].w[k] == INT8_MIN && of[1].w[k] < 0) return 0;
  }
  return 1;
}

void thr_twin_pack(const thr_twin_rows *r, int32_t at, const thr_twin_place *to) {
  row of[2];
  for (int32_t i = 0; i < 2 && at + i < r->rows; i++) {
    (void)row_of(r, at + i, &of[i]);
    to->head[i] = (uint32_t)of[i].begin;
    to->tail[i] = (uint32_t)of[i].scale.mult;
    to->tail[2] |= ((uint32_t)of[i].scale.left | (uint32_t)of[i].scale.right << 16) << 8 * i;
  }
  for (int32_t k = 0; k < r->elems; k++) {
    const uint32_t half = (uint32_t)(256 * weight(r, &of[0], at, k) + weight(r, &of[1], at + 1, k)) & 0xFFFFu;
    to->weights[(k >> 2) * to->quad_words + (k & 1)] |= half << 16 * (k >> 1 & 1);
  }
}
