/* Tables for sums in halves of words. See fields.h. SPDX-License-Identifier: Apache-2.0 */
#include "fields.h"

enum { MOST = 255 /* sum of |w| of a block: times 128 below 2^15 */, TAP_WORDS = 2 };

static int32_t weight(const thr_fields_layer *l, int32_t channel, int32_t tap) {
  if (channel >= l->out_c || tap >= l->elems) return 0;
  return ((const int8_t *)l->weights->data)[(size_t)channel * (size_t)l->elems + (size_t)tap];
}

/* --- scales --- */

static int32_t result(const thr_narrow *s, int32_t x) {
  return thr_narrow_scale(s, x) + s->out_zero;
}

/* The least sum whose result is at least `y`, within the limits of thr_narrow. */
static int32_t least_sum(const thr_narrow *s, int32_t y) {
  int32_t below = -THR_NARROW_LIMIT - 1, at = THR_NARROW_LIMIT;
  while (at - below > 1) {
    const int32_t middle = below + (at - below) / 2;
    if (result(s, middle) >= y)
      at = middle;
    else
      below = middle;
  }
  return at;
}

int thr_fields_scale_of(const thr_fields_layer *l, int32_t channel, int32_t sum, thr_fields_scale *scale) {
  const int32_t e = thr_requant_entry(l->requant, channel);
  thr_narrow s;
  thr_narrow_begin(&s, l->requant->mult[e], l->requant->shift[e], l->out_zero, l->lo, l->hi);
  if (s.wide || l->lo >= l->hi) return 0;
  scale->bias = thr_wrap_sub(thr_bias_at(l->bias, channel), thr_wrap_mul(sum, l->in_zero));
  scale->lo = least_sum(&s, l->lo + 1) - 1;
  scale->hi = least_sum(&s, l->hi);
  scale->round = s.round + thr_wrap_shl(l->out_zero, s.shift);
  scale->m0 = (uint16_t)s.m0;
  scale->m1 = (uint16_t)s.m1;
  scale->m2 = (uint16_t)s.m2;
  scale->shift = s.shift;
  return 1;
}

static int channel_scale(const thr_fields_layer *l, int32_t channel, thr_fields_scale *scale) {
  int32_t sum = 0;
  for (int32_t i = 0; i < l->elems; i++) sum = thr_wrap_add(sum, weight(l, channel, i));
  return thr_fields_scale_of(l, channel, sum, scale);
}

/* --- blocks --- */

/* Pairs of taps from `pair` on that one block of the channels can hold; 0: not even one. */
static int32_t block_pairs(const thr_fields_layer *l, int32_t channel, int32_t pair) {
  int32_t sum[THR_FIELDS_CHANNELS] = {0}, n = 0;
  for (; n <= THR_FIELDS_MORE && pair + n < thr_fields_pairs(l->elems); n++) {
    for (int32_t c = 0; c < THR_FIELDS_CHANNELS; c++) {
      const int32_t a = weight(l, channel + c, 2 * (pair + n)), b = weight(l, channel + c, 2 * (pair + n) + 1);
      sum[c] += (a < 0 ? -a : a) + (b < 0 ? -b : b);
      if (sum[c] > MOST) return n;
    }
  }
  return n;
}

/* Words of the blocks of four channels; 0: they do not fit. */
static size_t block_words(const thr_fields_layer *l, int32_t channel) {
  size_t words = 0;
  int32_t pair = 0;
  while (pair < thr_fields_pairs(l->elems)) {
    const int32_t n = block_pairs(l, channel, pair);
    if (n == 0) return 0;
    words += 1 + 2 * TAP_WORDS * (size_t)n;
    pair += n;
  }
  return words;
}

size_t thr_fields_bytes(const thr_fields_layer *l) {
  size_t bytes = 0;
  thr_fields_scale scale;
  for (int32_t c = 0; c < l->out_c; c++)
    if (!channel_scale(l, c, &scale)) return 0;
  for (int32_t c = 0; c < l->out_c; c += THR_FIELDS_CHANNELS) {
    const size_t words = block_words(l, c);
    if (words == 0) return 0;
    bytes += 4 * words + THR_FIELDS_CHANNELS * sizeof scale;
  }
  return bytes;
}

static uint32_t *put_tap(const thr_fields_layer *l, int32_t channel, int32_t tap, uint32_t *to) {
  for (int32_t c = 0; c < THR_FIELDS_CHANNELS; c += 2)
    *to++ = (uint32_t)weight(l, channel + c, tap) + ((uint32_t)weight(l, channel + c + 1, tap) << 16);
  return to;
}

static uint32_t *put_blocks(const thr_fields_layer *l, int32_t channel, uint32_t *to) {
  int32_t pair = 0;
  while (pair < thr_fields_pairs(l->elems)) {
    const int32_t n = block_pairs(l, channel, pair);
    for (int32_t i = 0; i < n; i++) {
      to = put_tap(l, channel, 2 * (pair + i), to);
      to = put_tap(l, channel, 2 * (pair + i) + 1, to);
      if (i == 0) *to++ = (uint32_t)(THR_FIELDS_END - (n - 1) * THR_FIELDS_STEP);
    }
    pair += n;
  }
  return to;
}

void thr_fields_pack(const thr_fields_layer *l, void *packed) {
  uint32_t *to = (uint32_t *)packed;
  for (int32_t channel = 0; channel < l->out_c; channel += THR_FIELDS_CHANNELS) {
    to = put_blocks(l, channel, to);
    for (int32_t c = channel; c < channel + THR_FIELDS_CHANNELS; c++) {
      thr_fields_scale scale = {0, 0, 0, 0, 0, 0, 0, 0};
      if (c < l->out_c) (void)channel_scale(l, c, &scale);
      memcpy(to, &scale, sizeof scale);
      to += sizeof scale / 4;
    }
  }
}
