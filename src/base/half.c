/* Widening by moving bits; narrowing by adding what rounds the dropped ones. See half.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/half.h"

#include <math.h>
#include <string.h>

float th_half_to_float(uint16_t h) {
  uint32_t sign = (uint32_t)(h >> 15) << 31, exponent = h >> 10 & 31, mantissa = h & 1023, bits;
  float v;
  if (exponent == 0) {
    v = (float)mantissa * (1.0f / 16777216.0f);
    memcpy(&bits, &v, sizeof bits);
  } else {
    bits = (exponent == 31 ? 255u : exponent + 112) << 23 | mantissa << 13;
  }
  bits |= sign;
  memcpy(&v, &bits, sizeof v);
  return v;
}

/* Drops `shift` bits, to the nearest, ties to even. */
static uint32_t drop(uint32_t v, uint32_t shift) {
  const uint32_t half = 1u << (shift - 1), odd = v >> shift & 1u;
  return (v + half - 1u + odd) >> shift;
}

uint16_t th_half_from_float(float v) {
  uint32_t bits;
  memcpy(&bits, &v, sizeof bits);
  const uint32_t sign = bits >> 16 & 0x8000u, exponent = bits >> 23 & 255u, mantissa = bits & 0x7fffffu;
  if (exponent == 255) return (uint16_t)(sign | 0x7c00u | (mantissa ? 0x200u : 0u));
  if (exponent < 102) return (uint16_t)sign; /* less than half of the smallest */
  if (exponent < 113) return (uint16_t)(sign | drop(mantissa | 0x800000u, 126u - exponent)); /* subnormal */
  const uint32_t rounded = drop((exponent - 112u) << 23 | mantissa, 13);                     /* may carry upwards */
  return (uint16_t)(sign | (rounded < 0x7c00u ? rounded : 0x7c00u));
}

bool th_half_holds(const float *v, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (!(fabsf(v[i]) <= TH_HALF_MOST) || th_half_to_float(th_half_from_float(v[i])) != v[i]) return false;
  return true;
}
