/* Choice of the float kernels for this processor. See math.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "math/math.h"

extern const th_math th_math_portable;
#if defined(__x86_64__)
extern const th_math th_math_avx2, th_math_avx512;

static bool has_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
static bool has_avx512(void) {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
}
#endif

const th_math *th_math_nth(int i) {
  if (i == 0) return &th_math_portable;
#if defined(__x86_64__)
  if (i == 1 && has_avx2()) return &th_math_avx2;
  if (i == 2 && has_avx512()) return &th_math_avx512;
#endif
  return NULL;
}

const th_math *th_math_get(void) {
  const th_math *best = NULL;
  for (int i = 0; th_math_nth(i); i++) best = th_math_nth(i);
  return best;
}
