/* The variants for processors without SIMD (rt/kernel/small) against the models of cases.h, raw and behind a decoder,
 * between guard bytes; and their requantization against the reference's over millions of values. On a host this tests
 * the C forms of their loops; the golden outputs that the benchmark compares test the assembly.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../../rt/core/parse.h"
#include "../../rt/kernel/small/narrow.h"
#include "cases.h"

enum { CASES = 3000, GUARD = 64, FILL = 0xA5, ROUNDS = 3000000 };

static void run_step(const thr_step *s, const void *const *in, void *out, void *scratch) {
#define WITH_0(name, params) thr_##name##_small(&s->p.params, in[0], out)
#define WITH_1(name, params) thr_##name##_small(&s->p.params, in[0], out, scratch)
#define THR_SMALL(id, name, params, n_in, has_scratch) \
  if (s->kernel == THR_KERNEL_##id) WITH_##has_scratch(name, params);
#include "../../rt/kernel/small/kernels.def"
#undef THR_SMALL
}

static uint8_t *guarded(th_arena *arena, size_t n) {
  uint8_t *p = th_arena_alloc(arena, n + 2 * GUARD);
  memset(p, FILL, n + 2 * GUARD);
  return p + GUARD;
}

static void check_guards(const uint8_t *p, size_t n) {
  for (int i = 0; i < GUARD; i++) {
    assert_int_equal(p[i - GUARD], FILL);
    assert_int_equal(p[n + (size_t)i], FILL);
  }
}

static void check_case(kase *k) {
  uint8_t *out = guarded(k->arena, k->out_bytes);
  const uint32_t scratch_bytes = thr_step_scratch_bytes(&k->step);
  uint8_t *scratch = guarded(k->arena, scratch_bytes);
  const void *in[THR_STEP_INPUTS] = {NULL};
  for (int i = 0; i < THR_STEP_INPUTS; i++)
    if (k->in[i]) in[i] = memcpy(guarded(k->arena, k->in_bytes[i]), k->in[i], k->in_bytes[i]);
  run_step(&k->step, in, out, scratch);
  check_guards(out, k->out_bytes);
  check_guards(scratch, scratch_bytes);
  for (int i = 0; i < THR_STEP_INPUTS; i++)
    if (k->in[i]) check_guards(in[i], k->in_bytes[i]);
  assert_memory_equal(out, k->expected, k->out_bytes);
}

static void decode_plainly(thr_stream *stream, int8_t *out, uint32_t count) {
  for (uint32_t i = 0; i < count; i++, stream->value++) {
    assert_true(stream->value < stream->weights->bytes);
    out[i] = (int8_t)stream->weights->data[stream->value];
  }
}

typedef void case_fn(kase *k);

static case_fn *const MAKE[THR_KERNEL_COUNT] = {
#define THR_KERNEL(id, name, params, n_in, scratch, t_in, t_out, over) [THR_KERNEL_##id] = case_##name,
#include "../../rt/kernel/kernels.def"
#undef THR_KERNEL
};

static void check_kernel(thr_kernel_id kernel) {
  for (uint64_t i = 0; i < CASES; i++) {
    kase k = {.arena = th_arena_create(), .rng = th_rng_init(i, 77 + (uint64_t)kernel), .bytes = 1};
    k.step.kernel = kernel;
    MAKE[kernel](&k);
    check_case(&k);
    thr_weights *w = thr_step_weights(&k.step);
    if (w) w->decode = decode_plainly;
    if (w) check_case(&k);
    th_arena_destroy(k.arena);
  }
}

#define THR_SMALL(id, name, params, n_in, has_scratch) \
  static void test_##name(void **state) {              \
    check_kernel(THR_KERNEL_##id);                     \
  }
#include "../../rt/kernel/small/kernels.def"
#undef THR_SMALL

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
    const int64_t near = (((int64_t)step * 2 + 1) << (30 - shift)) / (mult ? mult : 1);
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
  const struct CMUnitTest tests[] = {
#define THR_SMALL(id, name, params, n_in, has_scratch) cmocka_unit_test(test_##name),
#include "../../rt/kernel/small/kernels.def"
#undef THR_SMALL
      cmocka_unit_test(test_narrow),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
