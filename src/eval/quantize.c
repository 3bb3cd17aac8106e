/* Quantizing and dequantizing arrays on the host: q = clamp(zero + round(x / scale)), x = scale * (q - zero), the
 * quotient and the product in float32 as in TFLite. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "eval/eval.h"
#include "math/math.h"

static int32_t load(const void *q, th_dtype dtype, int64_t i) {
  switch (dtype) {
    case TH_DTYPE_U8:
    case TH_DTYPE_BOOL:
      return ((const uint8_t *)q)[i];
    case TH_DTYPE_S16:
      return ((const int16_t *)q)[i];
    case TH_DTYPE_S32:
      return ((const int32_t *)q)[i];
    default: /* s4 has a byte per element in a graph */
      return ((const int8_t *)q)[i];
  }
}

static void store(void *q, th_dtype dtype, int64_t i, int32_t v) {
  switch (dtype) {
    case TH_DTYPE_U8:
    case TH_DTYPE_BOOL:
      ((uint8_t *)q)[i] = (uint8_t)v;
      break;
    case TH_DTYPE_S16:
      ((int16_t *)q)[i] = (int16_t)v;
      break;
    case TH_DTYPE_S32:
      ((int32_t *)q)[i] = v;
      break;
    default:
      ((int8_t *)q)[i] = (int8_t)v;
  }
}

void th_quantize_f32(const float *x, int64_t n, float scale, int32_t zero, th_dtype dtype, void *q) {
  const double lo = th_dtype_lo(dtype), hi = th_dtype_hi(dtype);
  if (dtype == TH_DTYPE_S8 && zero >= INT8_MIN && zero <= INT8_MAX) {
    th_math_get()->quantize_s8(x, n, scale, zero, q);
    return;
  }
  for (int64_t i = 0; i < n; i++) {
    const double v = (double)roundf(x[i] / scale) + zero;
    store(q, dtype, i, v > lo ? (int32_t)(v < hi ? v : hi) : (int32_t)lo); /* a NaN gives lo */
  }
}

void th_dequantize(const void *q, th_dtype dtype, int64_t n, float scale, int32_t zero, float *x) {
  for (int64_t i = 0; i < n; i++) x[i] = (float)((double)scale * ((double)load(q, dtype, i) - zero));
}
