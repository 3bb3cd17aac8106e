/* Four floats at a time, in GNU C vector types: SSE, NEON or whatever the compiler has; each element on its own, so the
 * bits are those of the scalar formulas.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_TRAIN_VEC_H
#define TH_TRAIN_VEC_H

#include <stdint.h>

#define TH_VEC 4

/* aligned(4): any float array will do. */
typedef float th_vec __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t th_ivec __attribute__((vector_size(16), aligned(4), may_alias));

static inline th_vec th_vec_load(const float *p) {
  return *(const th_vec *)p;
}

static inline void th_vec_store(float *p, th_vec v) {
  *(th_vec *)p = v;
}

static inline th_vec th_vec_all(float x) {
  return (th_vec){x, x, x, x};
}

/* mask (all ones or zero in each element) ? a : b */
static inline th_vec th_vec_select(th_ivec mask, th_vec a, th_vec b) {
  return (th_vec)((mask & (th_ivec)a) | (~mask & (th_ivec)b));
}

/* Element by element: then compilers find the instruction for it. */
static inline th_vec th_vec_min(th_vec a, th_vec b) {
  for (int k = 0; k < TH_VEC; k++) b[k] = a[k] < b[k] ? a[k] : b[k];
  return b;
}

static inline th_vec th_vec_max(th_vec a, th_vec b) {
  for (int k = 0; k < TH_VEC; k++) b[k] = a[k] > b[k] ? a[k] : b[k];
  return b;
}

/* Round half away from zero, |v| < 2^31: what is added is the largest float below a half, whose sum with anything below
 * a half is below one, while that with a half rounds up to one. */
static inline th_vec th_vec_round(th_vec v) {
  const th_ivec sign = (th_ivec)v & INT32_MIN;
  const th_vec almost_half = (th_vec)((th_ivec)th_vec_all(0x1.fffffep-2f) | sign);
  return __builtin_convertvector(__builtin_convertvector(v + almost_half, th_ivec), th_vec);
}

static inline float th_vec_sum(th_vec v) {
  return (v[0] + v[1]) + (v[2] + v[3]);
}

/* The same for one float. */
static inline float th_round(float v) {
  float whole = (float)(int32_t)v, rest = v - whole;
  return whole + (float)(rest >= 0.5f) - (float)(rest <= -0.5f);
}

#endif
