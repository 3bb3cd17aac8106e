/* The primitives of rt/kernel/dsp against plain arithmetic, over millions of random and extreme values: requantization
 * in all its forms must be the reference's, bit for bit. On a host this tests the formulas and the C fallbacks;
 * tests/target runs the same functions as instructions. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../rt/kernel/dsp/requantize.h"
#include "base/rng.h"
#include "model.h"

#ifndef TEST_ROUNDS
#define TEST_ROUNDS 3000000
#endif
enum { ROUNDS = TEST_ROUNDS };

static int32_t any_int32(th_rng *rng) {
  static const int32_t edges[] = {0,       1,          -1,           2, -2, INT32_MAX, INT32_MIN, INT32_MIN + 1,
                                  1 << 30, -(1 << 30), (1 << 30) - 1};
  const int32_t v = (int32_t)th_rng_u64(rng);
  const uint32_t kind = th_rng_below(rng, 8);
  if (kind == 0) return edges[th_rng_below(rng, sizeof edges / sizeof edges[0])];
  if (kind == 1) return (int32_t)((uint32_t)v << th_rng_below(rng, 32)); /* exact halves */
  return v >> th_rng_below(rng, 32);
}

static void test_scale_of_all_numbers(void **state) {
  th_rng rng = th_rng_init(1, 1);
  for (int i = 0; i < ROUNDS; i++) {
    const int32_t x = any_int32(&rng), mult = any_int32(&rng);
    const int shift = (int)th_rng_below(&rng, 62) - 31;
    assert_int_equal(thr_high_mul_dsp(x, mult), thr_high_mul(x, mult));
    assert_int_equal(thr_scale_dsp(x, mult, shift), model_scale(x, mult, shift));
  }
}

static int32_t magnitude(int32_t x) {
  return x == INT32_MIN ? INT32_MAX : x < 0 ? -x : x;
}

/* The short forms with bounds as tight as they may be, and halves: multiplier 2^30 keeps the lower bits. */
static void test_short_scale(void **state) {
  th_rng rng = th_rng_init(2, 1);
  int fitted = 0, fitted_relu = 0;
  for (int i = 0; i < ROUNDS; i++) {
    const int32_t x = any_int32(&rng), mult = th_rng_below(&rng, 4) ? any_int32(&rng) : 1 << 30;
    const int shift = (int)th_rng_below(&rng, 29) - 23, out16 = (int)th_rng_below(&rng, 2);
    const int32_t zero = (int32_t)th_rng_below(&rng, out16 ? 65536 : 256) - (out16 ? 32768 : 128);
    const int32_t lo = zero + (int32_t)th_rng_below(&rng, 100), hi = lo + (int32_t)th_rng_below(&rng, 100);
    const thr_short s = thr_short_of(mult, shift, zero);
    const uint32_t most = (uint32_t)magnitude(x) + (x == INT32_MIN);
    const int32_t x2 = thr_wrap_shl(x, s.left);
    if (thr_short_fits(most, mult, shift, 0, out16)) {
      fitted++;
      assert_int_equal(thr_short_scale(x2, s.mult, s.round, s.right), thr_wrap_add(thr_scale(x, mult, shift), zero));
    }
    if (thr_short_fits(most, mult, shift, 1, out16)) {
      fitted_relu++;
      assert_int_equal(thr_clamp(thr_short_scale_relu(x2, s.mult, s.round, s.right), lo, hi),
                       thr_clamp(thr_scale(x, mult, shift) + zero, lo, hi));
    }
  }
  assert_true(fitted > ROUNDS / 4 && fitted_relu > fitted);
  assert_false(thr_short_fits(INT32_MAX / 2 + 1, 1 << 30, -5, 0, 0));
  assert_false(thr_short_fits(1, -1, -5, 0, 0));
  assert_false(thr_short_fits(1, 1 << 30, 0, 0, 0));
  assert_false(thr_short_fits(1, 1 << 30, -23, 1, 0));
}

static int32_t half(uint32_t x, int i) { /* int16 lane */
  return (int16_t)(uint16_t)(x >> 16 * i);
}

static int32_t byte(uint32_t x, int i) {
  return (int8_t)(uint8_t)(x >> 8 * i);
}

static void test_lanes(void **state) {
  th_rng rng = th_rng_init(3, 1);
  for (int i = 0; i < ROUNDS / 4; i++) {
    const uint32_t a = (uint32_t)any_int32(&rng), b = (uint32_t)any_int32(&rng);
    for (int l = 0; l < 2; l++) {
      assert_int_equal(half(thr_sxtb16(a), l), byte(a, 2 * l));
      assert_int_equal(half(thr_sxtb16_ror8(a), l), byte(a, 2 * l + 1));
      assert_int_equal(half(thr_sxtab16(a, b), l), (int16_t)(half(a, l) + byte(b, 2 * l)));
      assert_int_equal(half(thr_sxtab16_ror8(a, b), l), (int16_t)(half(a, l) + byte(b, 2 * l + 1)));
      assert_int_equal(half(thr_sadd16(a, b), l), (int16_t)(half(a, l) + half(b, l)));
      assert_int_equal(half(thr_pkhbt(a, b), l), half(l ? b : a, 0));
      assert_int_equal(half(thr_pkhtb(a, b), l), half(l ? a : b, 1));
    }
    for (int l = 0; l < 4; l++) {
      assert_int_equal(byte(thr_max8(a, b), l), byte(a, l) > byte(b, l) ? byte(a, l) : byte(b, l));
      assert_int_equal(byte(thr_min8(a, b), l), byte(a, l) < byte(b, l) ? byte(a, l) : byte(b, l));
    }
  }
}

static void test_sums_of_products(void **state) {
  th_rng rng = th_rng_init(4, 1);
  for (int i = 0; i < ROUNDS / 4; i++) {
    const uint32_t a = (uint32_t)any_int32(&rng), b = (uint32_t)any_int32(&rng);
    const int32_t c = any_int32(&rng), d = any_int32(&rng);
    const int64_t big = (int64_t)((uint64_t)(uint32_t)c << 32 | (uint32_t)d);
    const wide low = (wide)half(a, 0) * half(b, 0), high = (wide)half(a, 1) * half(b, 1);
    const wide low_high = (wide)half(a, 0) * half(b, 1);
    assert_int_equal(thr_smlabb(a, b, c), model_wrap(c + low));
    assert_int_equal(thr_smlatt(a, b, c), model_wrap(c + high));
    assert_int_equal(thr_smlabt(a, b, c), model_wrap(c + low_high));
    assert_int_equal(thr_smlad(a, b, c), model_wrap(c + low + high));
    assert_true((uint64_t)thr_smlald(a, b, big) == (uint64_t)big + (uint64_t)(int64_t)(low + high));
    assert_true((uint64_t)thr_smlalbb(a, b, big) == (uint64_t)big + (uint64_t)(int64_t)low);
    assert_int_equal(thr_smmulr(c, d), model_wrap(floor_div((wide)c * d + power2(31), power2(32))));
    assert_int_equal(thr_smmlar(c, d, (int32_t)a), model_wrap((int32_t)a + (wide)thr_smmulr(c, d)));
    assert_int_equal(thr_qadd(c, d), model_saturate((wide)c + d, 32));
    assert_int_equal(thr_ssat8(c), model_saturate(c, 8));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_scale_of_all_numbers),
      cmocka_unit_test(test_short_scale),
      cmocka_unit_test(test_lanes),
      cmocka_unit_test(test_sums_of_products),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
