/* Requantization in lanes (rt/kernel/mve/requantize.h) against the arithmetic of the reference, over millions of values
 * and their edges: the same for every multiplier and every shift to the right, and after a relu in its shorter form
 * too. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../../rt/kernel/mve/requantize.h"
#include "base/rng.h"

#ifndef TEST_ROUNDS /* fewer under emulation */
#define TEST_ROUNDS 1000000
#endif

static int32_t any_int32(th_rng *rng) {
  static const int32_t edges[] = {0, 1, -1, 2, -2, INT32_MAX, INT32_MIN, INT32_MIN + 1, 1 << 30, -(1 << 30)};
  const int32_t v = (int32_t)th_rng_u64(rng);
  switch (th_rng_below(rng, 4)) {
    case 0:
      return edges[th_rng_below(rng, sizeof edges / sizeof edges[0])];
    case 1:
      return v >> th_rng_below(rng, 31);
    default:
      return v;
  }
}

/* A sum that lies next to a half of the last place that is kept, or any. */
static int32_t any_sum(th_rng *rng, int shift) {
  const int32_t half = (int32_t)(1u << (shift < 0 ? -shift - 1 : 0));
  if (th_rng_below(rng, 2)) return any_int32(rng);
  return thr_wrap_add(thr_wrap_mul((int32_t)th_rng_below(rng, 400) - 200, half), (int32_t)th_rng_below(rng, 5) - 2);
}

static int32_t lane(thr_q32 q, int i) {
  int32_t v[4];
  thr_q32_store(v, q);
  return v[i];
}

static void test_scale(void **state) {
  th_rng rng = th_rng_init(1, 1);
  for (int round = 0; round < TEST_ROUNDS; round++) {
    int32_t acc[4], mult[4], right[4];
    const int32_t zero = (int32_t)th_rng_below(&rng, 256) - 128;
    for (int i = 0; i < 4; i++) {
      right[i] = -(int32_t)th_rng_below(&rng, 32);
      acc[i] = any_sum(&rng, right[i]);
      mult[i] = th_rng_below(&rng, 3) ? any_int32(&rng) & INT32_MAX : INT32_MAX;
    }
    const thr_q32 x = thr_q32_scale(thr_q32_load(acc), thr_q32_load(mult), thr_q32_load(right), 0);
    const thr_q32 short_x = thr_q32_scale(thr_q32_load(acc), thr_q32_load(mult), thr_q32_load(right), 1);
    const thr_q32 same = thr_q32_scale_n(thr_q32_load(acc), mult[0], right[0], 0);
    const thr_mve_range after_relu = thr_mve_range_of(zero, zero, 127);
    const thr_q32 y = thr_q32_finish(short_x, &after_relu);
    for (int i = 0; i < 4; i++) {
      const int32_t expected = thr_scale(acc[i], mult[i], right[i]);
      if (lane(x, i) != expected) fail_msg("scale(%d, %d, %d) is %d", acc[i], mult[i], right[i], lane(x, i));
      assert_int_equal(lane(same, i), thr_scale(acc[i], mult[0], right[0]));
      assert_int_equal(lane(y, i), thr_finish(expected, zero, zero, 127));
    }
  }
}

static void test_lines(void **state) {
  th_rng rng = th_rng_init(2, 1);
  for (int round = 0; round < 10000; round++) {
    const int32_t a = any_int32(&rng), factor = any_int32(&rng), n = any_int32(&rng);
    const thr_q32 x = thr_q32_line(thr_q32_all(a), thr_q32_all(factor), n);
    assert_int_equal(lane(x, 3), thr_wrap_add(thr_wrap_mul(a, factor), n));
    assert_int_equal(lane(thr_q32_sign(thr_q32_all(a)), 0), a < 0 ? -1 : 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_scale), cmocka_unit_test(test_lines)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
