/* SVDF, for states of both types. See svdf_s8.c. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_SVDF_H
#define THR_SVDF_H

#include <string.h>

#include "elementwise.h"

static inline int32_t thr_svdf_row_bytes(const thr_svdf_params *p, int bytes) {
  return p->in_n + p->memory * bytes;
}

static inline uint32_t thr_svdf_scratch_bytes(const thr_svdf_params *p, int bytes) {
  return p->weights.decode ? (uint32_t)thr_svdf_row_bytes(p, bytes) + p->weights.memory : 0;
}

/* Value of the second part of a weight row, which may lie at any address. */
static inline int32_t thr_svdf_time_weight(const int8_t *w, int32_t i, int bytes) {
  if (bytes == 1) return w[i];
  return (int16_t)(uint16_t)((uint8_t)w[2 * i] | (unsigned)(uint8_t)w[2 * i + 1] << 8);
}

/* Drops the oldest of a filter's values, appends the newest, and weighs them all. */
static inline int32_t thr_svdf_filter(const thr_svdf_params *p, const int8_t *in, const int8_t *w, void *line,
                                      int bytes) {
  const int32_t lo = bytes == 2 ? INT16_MIN : INT8_MIN, hi = -1 - lo;
  const int32_t feature = thr_dot(0, in, w, p->in_n, p->in_zero);
  const int32_t scaled = thr_scale(feature, p->requant.mult[0], p->requant.shift[0]);
  uint32_t sum = 0;
  memmove(line, (const uint8_t *)line + bytes, (size_t)(p->memory - 1) * (size_t)bytes);
  thr_set(line, (size_t)(p->memory - 1), bytes, thr_wrap_add(thr_clamp(scaled, lo, hi), p->state_zero));
  for (int32_t i = 0; i < p->memory; i++) {
    const int32_t v = thr_get(line, (size_t)i, bytes) - p->state_zero;
    sum += (uint32_t)v * (uint32_t)thr_svdf_time_weight(w + p->in_n, i, bytes);
  }
  return (int32_t)sum;
}

static inline void thr_svdf(const thr_svdf_params *p, const int8_t *in, void *state, int8_t *out, void *scratch,
                            int bytes) {
  const int32_t row = thr_svdf_row_bytes(p, bytes);
  thr_stream stream;
  if (p->weights.decode) thr_stream_begin(&stream, &p->weights, (int8_t *)scratch + row);
  for (int32_t f = 0, unit = 0; f < p->filters; unit++) {
    int32_t acc = thr_bias_at(&p->bias, f);
    for (int32_t r = 0; r < p->rank; r++, f++) {
      const int8_t *w = thr_weight_row(&p->weights, &stream, f, row, scratch);
      uint8_t *line = (uint8_t *)state + (size_t)f * (size_t)p->memory * (size_t)bytes;
      acc = thr_wrap_add(acc, thr_svdf_filter(p, in, w, line, bytes));
    }
    out[unit] = thr_finish(thr_scale(acc, p->requant.mult[1], p->requant.shift[1]), p->out_zero, INT8_MIN, INT8_MAX);
  }
}

#endif
