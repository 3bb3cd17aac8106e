/* From real scales to what integer kernels take: multipliers, activation limits. Formulas: docs/numerics.md.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "eval/lower_internal.h"

/* Shifts above 30 are left in place for the caller to refuse; below -31 the product rounds to 0. */
void th_quantize_multiplier(double real, int32_t *mult, int8_t *shift) {
  *mult = 0;
  *shift = 0;
  if (real == 0) return;
  int exponent;
  int64_t q = (int64_t)round(ldexp(frexp(real, &exponent), 31));
  if (q == (int64_t)1 << 31) {
    q /= 2;
    exponent++;
  }
  if (exponent < -31) return;
  *mult = (int32_t)q;
  *shift = (int8_t)(exponent > INT8_MAX ? INT8_MAX : exponent);
}

th_status th_lower_multiplier(const th_node *n, double real, int32_t *mult, int8_t *shift) {
  if (!(real >= 0) || real >= 1073741824.0)
    return TH_LOWER_FAIL(n, "the scales of input, weights and output give a multiplier of %g, expected [0, 2^30)",
                         real);
  th_quantize_multiplier(real, mult, shift);
  return TH_OK;
}

/* zero + round(x / scale), clamped to the type; the division is in float32, as in TFLite. */
static int32_t quantized(float x, th_grid grid) {
  const double q = (double)roundf(x / grid.scale) + grid.zero;
  const int32_t lo = th_dtype_lo(grid.dtype), hi = th_dtype_hi(grid.dtype);
  return q > hi ? hi : q < lo ? lo : (int32_t)q;
}

th_status th_lower_clamp_to(const th_node *n, th_act act, th_grid grid, int32_t *lo, int32_t *hi) {
  *lo = th_dtype_lo(grid.dtype);
  *hi = th_dtype_hi(grid.dtype);
  switch (act) {
    case TH_ACT_NONE:
      return TH_OK;
    case TH_ACT_RELU:
      *lo = quantized(0.0f, grid);
      return TH_OK;
    case TH_ACT_RELU6:
      *lo = quantized(0.0f, grid);
      *hi = quantized(6.0f, grid);
      return TH_OK;
    case TH_ACT_RELU_N1_1:
      *lo = quantized(-1.0f, grid);
      *hi = quantized(1.0f, grid);
      return TH_OK;
    default:
      return TH_LOWER_FAIL(n, "fused activation %s has no integer kernel; make it a node of its own", th_act_name(act));
  }
}

th_status th_lower_clamp(const th_node *n, th_act act, float scale, int32_t zero, int32_t *lo, int32_t *hi) {
  return th_lower_clamp_to(n, act, (th_grid){scale, zero, TH_DTYPE_S8}, lo, hi);
}
