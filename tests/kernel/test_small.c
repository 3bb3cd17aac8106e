/* Kernels for AVR (rt/kernel/avr) against the models of cases.h, between guard bytes; and the requantization of
 * processors without a long multiplication against the reference's over millions of values. On a host this tests the C
 * forms of their loops; tests/target runs the assembly. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../../rt/kernel/small/narrow.h"
#include "cases.h"
#include "guards.h"

enum { CASES = 3000, ROUNDS = 3000000 };

typedef void case_fn(kase *k);

static case_fn *const MAKE[THR_KERNEL_COUNT] = {
#define THR_KERNEL(id, name, params, n_in, scratch, t_in, t_out, over) [THR_KERNEL_##id] = case_##name,
#include "../../rt/kernel/kernels.def"
#undef THR_KERNEL
};

static void run_step(const thr_step *s, const void *const *in, void *out) {
#define THR_AVR(id, name, params) \
  if (s->kernel == THR_KERNEL_##id) thr_##name##_avr(&s->p.params, in[0], out, NULL);
#include "../../rt/kernel/avr/kernels.def"
#undef THR_AVR
}

static void check_case(kase *k) {
  uint8_t *out = guarded(k->arena, k->out_bytes);
  const void *in[THR_STEP_INPUTS] = {memcpy(guarded(k->arena, k->in_bytes[0]), k->in[0], k->in_bytes[0])};
  run_step(&k->step, in, out);
  check_guards(out, k->out_bytes);
  check_guards(in[0], k->in_bytes[0]);
  assert_memory_equal(out, k->expected, k->out_bytes);
}

static void check_kernel(thr_kernel_id kernel) {
  for (uint64_t i = 0; i < CASES; i++) {
    kase k = {.arena = th_arena_create(), .rng = th_rng_init(i, 77 + (uint64_t)kernel), .bytes = 1};
    k.step.kernel = kernel;
    MAKE[kernel](&k);
    check_case(&k);
    th_arena_destroy(k.arena);
  }
}

static void test_avr(void **state) {
#define THR_AVR(id, name, params) check_kernel(THR_KERNEL_##id);
#include "../../rt/kernel/avr/kernels.def"
#undef THR_AVR
}

/* --- requantization --- */

static int32_t any_int32(th_rng *rng) {
  static const int32_t edges[] = {0, 1, -1, INT32_MAX, INT32_MIN, THR_NARROW_LIMIT, -THR_NARROW_LIMIT, 1 << 20};
  const int32_t v = (int32_t)th_rng_u64(rng);
  return th_rng_below(rng, 8) ? v >> th_rng_below(rng, 32) : edges[th_rng_below(rng, sizeof edges / sizeof *edges)];
}

/* Multipliers as quantization makes them, their ends among them; sums on both sides of a step of the result. */
static void test_narrow(void **state) {
  th_rng rng = th_rng_init(3, 3);
  int narrow = 0;
  for (int i = 0; i < ROUNDS; i++) {
    const int32_t mult = th_rng_below(&rng, 4)   ? (1 << 30) + (int32_t)th_rng_below(&rng, 1u << 30)
                         : th_rng_below(&rng, 2) ? 1 << 30
                                                 : any_int32(&rng);
    const int shift = (int)th_rng_below(&rng, 16) - 13;
    const int32_t zero = (int32_t)th_rng_below(&rng, 256) - 128;
    const int32_t lo = th_rng_below(&rng, 2) ? -128 : zero, hi = th_rng_below(&rng, 2) ? 127 : lo + (127 - lo) / 2;
    const int32_t step = (int32_t)th_rng_below(&rng, 256) - 128;
    const int64_t near = ((int64_t)step * 2 + 1) * ((int64_t)1 << (30 - shift)) / (mult ? mult : 1);
    const int32_t x = th_rng_below(&rng, 2) || near > INT32_MAX || near < INT32_MIN
                          ? any_int32(&rng)
                          : thr_wrap_add((int32_t)near, (int32_t)th_rng_below(&rng, 5) - 2);
    thr_narrow s;
    thr_narrow_begin(&s, mult, shift, zero, lo, hi);
    narrow += !s.wide;
    assert_int_equal(thr_narrow_finish(&s, x), thr_finish(model_scale(x, mult, shift), zero, lo, hi));
  }
  assert_in_range(narrow, ROUNDS / 4, ROUNDS);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_avr), cmocka_unit_test(test_narrow)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
