/* Fixed-point functions of 16-bit kernels, by table and interpolation. docs/numerics.md, section 6.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_FIXED_S16_H
#define THR_FIXED_S16_H

#include "arith.h"

extern const uint16_t thr_sigmoid_table[256];    /* sigmoid_table.c */
extern const int16_t thr_softmax_exp_table[513]; /* softmax_table.c */
extern const int16_t thr_softmax_reciprocal_table[513];

/* x * mult / 2^shift, rounded half up: the input in units of 1 / (3 * 4096). mult is at most 2^15 - 1, so nothing
 * overflows.
 */
static inline int32_t thr_table_input(int32_t x, int32_t mult, int shift) {
  const int32_t round = shift > 0 ? (int32_t)1 << (shift - 1) : 0;
  return (x * mult + round) >> shift;
}

/* Sigmoid of v / 12288 as Q0.15. */
static inline int32_t thr_sigmoid_s16(int32_t v) {
  const uint32_t distance = v < 0 ? 0u - (uint32_t)v : (uint32_t)v, at = distance >> 9;
  uint32_t y = (uint32_t)0x7FFF << 10;
  if (at < 255) {
    const uint32_t a = thr_sigmoid_table[at], b = thr_sigmoid_table[at + 1];
    y = (a << 9) + (distance & 511u) * (b - a);
  }
  return (int32_t)((v >= 0 ? y + 512u : ((uint32_t)1 << 25) - y + 511u) >> 10);
}

/* Hyperbolic tangent of v / 12288 as Q0.15: 2 sigmoid(2 x) - 1. */
static inline int32_t thr_tanh_s16_of(int32_t v) {
  const uint32_t distance = v < 0 ? 0u - (uint32_t)v : (uint32_t)v, at = distance >> 8;
  int32_t y = (int32_t)0xFFFF << 8;
  if (at < 255) {
    const uint32_t a = thr_sigmoid_table[at], b = thr_sigmoid_table[at + 1];
    y = (int32_t)((a << 8) + (distance & 255u) * (b - a));
  }
  y -= (int32_t)1 << 23;
  return (v >= 0 ? y + 128 : 127 - y) >> 8;
}

/* Value of a table of 512 intervals at v, -32768 to 32767 over its range. */
static inline int32_t thr_table_at(const int16_t *table, int32_t v) {
  const int32_t at = 256 + (v >> 7), slope = table[at + 1] - table[at];
  return table[at] + ((slope * (v & 127) + 64) >> 7);
}

#endif
