/* Every kernel of kernels.def against its model (cases.h) on random and extreme cases; the list of kernels is the list
 * of tests, so a new kernel without a case does not compile.
 *
 * Output and scratch are exact in size between guard bytes, inputs must stay as they were, and kernels with weights
 * run a second time with the same weights behind a decoder, which must be asked for each weight once, in order. Kernels
 * that may work in place are run in place too, and those that can make single lines are run line by line.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../../rt/core/fields.h"
#include "../../rt/core/parse.h"
#include "../../rt/kernel/ref/fixed_log.h"
#include "../../rt/kernel/ref/fixed_root.h"
#include "../../rt/kernel/select.h"
#include "cases.h"
#include "eval/chain.h"
#include "memory.h"
#include "wide_cases.h"

enum { CASES = 3000, WIDE_CASES = 200 };

typedef void case_fn(kase *k);

typedef void run_fn(const thr_step *step, const void *const *in, void *out, void *scratch);

static void run_and_check(kase *k, run_fn *run) {
  uint8_t *out = guarded(k->arena, k->out_bytes);
  const uint32_t scratch_bytes = thr_step_scratch_bytes(&k->step);
  uint8_t *scratch = guarded(k->arena, scratch_bytes);
  const void *in[THR_STEP_INPUTS] = {NULL};
  for (int i = 0; i < THR_STEP_INPUTS; i++)
    if (k->in[i]) in[i] = memcpy(guarded(k->arena, k->in_bytes[i]), k->in[i], k->in_bytes[i]);
  run(&k->step, in, out, scratch);
  check_guards(out, k->out_bytes);
  check_guards(scratch, scratch_bytes);
  for (int i = 0; i < THR_STEP_INPUTS; i++) {
    if (!k->in[i]) continue;
    check_guards(in[i], k->in_bytes[i]);
    assert_memory_equal(in[i], k->states >> i & 1 ? k->after[i] : k->in[i], k->in_bytes[i]);
  }
  for (size_t i = 0; i < k->out_bytes; i++)
    assert_int_equal(out[i], k->written && !k->written[i] ? FILL : k->expected[i]);
}

/* Delivers raw weights as a coder would; `value` counts, so a kernel that skips or repeats is found. */
static void decode_plainly(thr_stream *stream, int8_t *out, uint32_t count) {
  for (uint32_t i = 0; i < count; i++, stream->value++) {
    assert_true(stream->value < stream->weights->bytes);
    out[i] = (int8_t)stream->weights->data[stream->value];
  }
}

static int32_t dot_plainly(thr_stream *stream, const int8_t *x, uint32_t n, int32_t zero, int32_t acc) {
  for (uint32_t i = 0; i < n; i++) {
    int8_t w;
    decode_plainly(stream, &w, 1);
    acc = (int32_t)((uint32_t)acc + (uint32_t)((x[i] - zero) * w));
  }
  return acc;
}

static void run_coded(kase *k, run_fn *run) {
  thr_weights *w = thr_step_weights(&k->step);
  if (!w) return;
  const uint32_t raw = thr_step_scratch_bytes(&k->step);
  if (thr_kernel_about(k->step.kernel)->scratch_align <= 1) assert_int_equal(raw, 0);
  w->decode = decode_plainly;
  assert_in_range(thr_step_scratch_bytes(&k->step) - raw, 1, w->bytes);
  run_and_check(k, run);
  w->dot = dot_plainly; /* for kernels that know it */
  run_and_check(k, run);
}

/* With room in which the kernel may arrange rows, raw and coded: the same bits, also from an input behind which memory
 * ends. */
static void run_with_room(const kase *k, run_fn *run) {
  kase roomy = *k;
  thr_weights *w = &roomy.step.p.conv2d.weights;
  if (k->step.kernel != THR_KERNEL_CONV2D_S8) return;
  w->room = (uint16_t)thr_conv2d_s8_dsp_room(&k->step.p.conv2d);
  run_and_check(&roomy, run);
  w->decode = decode_plainly;
  run_and_check(&roomy, run);
  cliff edge = cliff_open(k->in_bytes[0]);
  const void *in[1] = {memcpy(cliff_data(&edge), k->in[0], k->in_bytes[0])};
  uint8_t *out = guarded(k->arena, k->out_bytes);
  run(&roomy.step, in, out, guarded(k->arena, thr_step_scratch_bytes(&roomy.step)));
  assert_memory_equal(out, k->expected, k->out_bytes);
  cliff_close(&edge);
}

/* Kernels whose row says so promise that the output may take the place of an operand of its size. */
static void run_in_place(const kase *k, run_fn *run) {
  const thr_kernel_row *about = thr_kernel_about(k->step.kernel);
  for (int i = 0; about->over && i < about->inputs; i++) {
    if (k->in_bytes[i] != k->out_bytes) continue;
    const void *in[THR_STEP_INPUTS];
    uint8_t *out = guarded(k->arena, k->out_bytes);
    memcpy(out, k->in[i], k->out_bytes);
    memcpy(in, k->in, sizeof in);
    in[i] = out;
    run(&k->step, in, out, NULL);
    assert_memory_equal(out, k->expected, k->out_bytes);
  }
}

/* Kernels of rows.def, of which some cases must have come to be run by lines. */
static bool has_lines(thr_kernel_id kernel) {
  switch (kernel) {
#define THR_ROW(id, name, params, form) case THR_KERNEL_##id:
#include "../../rt/kernel/rows.def"
#undef THR_ROW
    return true;
    default:
      return false;
  }
}

/* A stage of one line each time, alone: its inputs complete or, for the same line again and again, constant. Places in
 * the arena are exact in size between guard bytes. */
static void run_stage(kase *k, thr_stage stage) {
  uint32_t at = GUARD;
  uint8_t *arena = th_arena_alloc(k->arena, k->in_bytes[0] + k->in_bytes[1] + k->out_bytes + 4 * GUARD);
  memset(arena, FILL, k->in_bytes[0] + k->in_bytes[1] + k->out_bytes + 4 * GUARD);
  for (int i = 0; i < stage.inputs; i++) {
    stage.in[i].lines.at = at;
    if (k->in_bytes[i] != (size_t)stage.in[i].lines.rows * stage.in[i].lines.bytes) stage.in[i].data = k->in[i];
    memcpy(arena + at, k->in[i], k->in_bytes[i]);
    at += (uint32_t)k->in_bytes[i] + GUARD;
  }
  stage.out.at = at;
  assert_int_equal((size_t)stage.out.rows * stage.out.bytes, k->out_bytes);
  thr_rows_run(thr_stage_of_table, &stage, 1, arena);
  assert_memory_equal(arena + at, k->expected, k->out_bytes);
  check_guards(arena + at, k->out_bytes);
  for (int i = 0; i < stage.inputs; i++) {
    assert_memory_equal(arena + stage.in[i].lines.at, k->in[i], k->in_bytes[i]);
    check_guards(arena + stage.in[i].lines.at, k->in_bytes[i]);
  }
}

/* Line after line from a ring that holds no more than a window, as a chain keeps them: lines lie in any turn, and those
 * outside the image are NULL. */
static void run_in_ring(kase *k, const thr_stage *stage) {
  const thr_stage_input *in = &stage->in[0];
  const int32_t span = (in->kernel - 1) * in->dilation + 1;
  const size_t bytes = in->lines.bytes;
  const int8_t *line[THR_STAGE_LINES];
  uint8_t *ring = guarded(k->arena, (size_t)span * bytes), *out = guarded(k->arena, stage->out.bytes);
  for (int32_t y = 0; y < stage->out.rows; y++) {
    for (int32_t ky = 0; ky < in->kernel; ky++) {
      const int32_t at = thr_window_first(in, y) + ky * in->dilation;
      line[ky] = NULL;
      if (at < 0 || at >= in->lines.rows) continue;
      line[ky] = memcpy(ring + (size_t)(at % span) * bytes, (const uint8_t *)k->in[0] + (size_t)at * bytes, bytes);
    }
    stage->row(stage->params, NULL, line, (int8_t *)out);
    assert_memory_equal(out, k->expected + (size_t)y * stage->out.bytes, stage->out.bytes);
    check_guards(out, stage->out.bytes);
  }
}

static void run_by_lines(kase *k) {
  thr_step step = k->step;
  thr_stage stage;
  const uint32_t rows = (uint32_t)between(k, 1, 4);
  if (thr_row_is_elementwise(step.kernel) && !th_step_make_line(&step, rows)) return;
  if (!thr_stage_shape(&step, rows, &stage)) return;
  run_stage(k, stage);
#define THR_ROW_VARIANT(id, name, folder)  \
  if (step.kernel == THR_KERNEL_##id) {    \
    stage.row = thr_##name##_row_##folder; \
    run_stage(k, stage);                   \
    run_in_ring(k, &stage);                \
  }
#include "../../rt/kernel/row_variants.def"
#undef THR_ROW_VARIANT
  k->lines_seen = true;
}

static void check_kernel(thr_kernel_id kernel, case_fn *make, run_fn *run) {
  bool by_lines = false;
  for (uint64_t i = 0; i < CASES; i++) {
    kase k = {.arena = th_arena_create(), .rng = th_rng_init(i, (uint64_t)kernel), .bytes = 1};
    k.step.kernel = kernel;
    make(&k);
    run_and_check(&k, run);
    if (run == thr_step_run) run_by_lines(&k);
    run_with_room(&k, run);
    run_coded(&k, run);
    run_in_place(&k, run);
    by_lines = by_lines || k.lines_seen;
    th_arena_destroy(k.arena);
  }
  assert_int_equal(by_lines, run == thr_step_run && has_lines(kernel));
}

#define THR_KERNEL(id, name, params, n_in, scratch, t_in, t_out, over) \
  static void test_##name(void **state) {                              \
    check_kernel(THR_KERNEL_##id, case_##name, thr_step_run);          \
  }
#include "../../rt/kernel/kernels.def"
#undef THR_KERNEL

/* The variants of variants.def, whatever select.h chooses here: the same cases, called by name. */
#define CALL_1_0(function, params) function(&step->p.params, in[0], out)
#define CALL_1_1(function, params) function(&step->p.params, in[0], out, scratch)
#define CALL_2_0(function, params) function(&step->p.params, in[0], in[1], out)
#define THR_VARIANT(kernel, name, params, inputs, has_scratch, type, folder)                                 \
  static void run_##name##_##folder(const thr_step *step, const void *const *in, void *out, void *scratch) { \
    (void)scratch;                                                                                           \
    CALL_##inputs##_##has_scratch(thr_##name##_##folder, params);                                            \
  }                                                                                                          \
  static void test_##name##_##folder(void **state) {                                                         \
    check_kernel(THR_KERNEL_##kernel, case_##name, run_##name##_##folder);                                   \
  }
#include "../../rt/kernel/variants.def"
#undef THR_VARIANT

/* Rows and images larger than those of the cases; the reference says what they give. */
static void test_wide_conv2d_s8(void **state) {
  case_fn *make = wide_case(THR_KERNEL_CONV2D_S8);
  for (uint64_t i = 0; i < WIDE_CASES; i++) {
    kase k = {.arena = th_arena_create(), .rng = th_rng_init(i, 77), .bytes = 1};
    k.step.kernel = THR_KERNEL_CONV2D_S8;
    make(&k);
    run_and_check(&k, run_conv2d_s8_dsp);
    run_with_room(&k, run_conv2d_s8_dsp);
    run_coded(&k, run_conv2d_s8_dsp);
    th_arena_destroy(k.arena);
  }
}

/* --- the primitives, over millions of values --- */

static int32_t any_int32(th_rng *rng) {
  static const int32_t edges[] = {0,       1,          -1,           2, -2, INT32_MAX, INT32_MIN, INT32_MIN + 1,
                                  1 << 30, -(1 << 30), (1 << 30) - 1};
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

static void test_products(void **state) {
  th_rng rng = th_rng_init(1, 1);
  for (int i = 0; i < 1000000; i++) {
    const int32_t a = any_int32(&rng), b = any_int32(&rng);
    assert_int_equal(thr_high_mul(a, b), model_high_mul(a, b));
    assert_int_equal(thr_high_mul16((int16_t)a, (int16_t)b), model_high_mul16((int16_t)a, (int16_t)b));
  }
}

static void test_shifts(void **state) {
  th_rng rng = th_rng_init(2, 1);
  for (int i = 0; i < 1000000; i++) {
    const int32_t x = any_int32(&rng), mult = any_int32(&rng);
    const int n = (int)th_rng_below(&rng, 32), left = (int)th_rng_below(&rng, 30) + 1;
    assert_int_equal(thr_rshift(x, n), model_rshift(x, n));
    assert_int_equal(thr_sat_shl(x, left), model_saturate(x * power2(left), 32));
    assert_int_equal(thr_sat_shl16((int16_t)x, n), model_saturate((int16_t)x * power2(n), 16));
    assert_int_equal(thr_scale(x, mult, n - 31), model_scale(x, mult, n - 31));
    assert_int_equal(thr_scale(x, mult, left), model_scale(x, mult, left));
  }
}

static void test_exponential(void **state) {
  th_rng rng = th_rng_init(3, 1);
  for (int i = 0; i < 1000000; i++) {
    const int32_t a = any_int32(&rng), negative = a > 0 ? -a : a;
    const int bits = 4 + (i & 1);
    const int32_t y = thr_exp_negative(negative, bits);
    assert_int_equal(y, model_exp(negative, bits));
    if (fabs(ldexp(y, -31) - exp(ldexp(negative, bits - 31))) > 1e-6) fail_msg("exp(%d, %d) is %d", negative, bits, y);
    const int32_t fraction = a & INT32_MAX;
    assert_int_equal(thr_reciprocal(fraction), model_reciprocal(fraction));
    if (fabs(ldexp(thr_reciprocal(fraction), -29) - 2 / (1 + ldexp(fraction, -31))) > 1e-6)
      fail_msg("1/(1+%d)", fraction);
  }
}

static void test_root_and_logarithm(void **state) {
  th_rng rng = th_rng_init(4, 1);
  for (int i = 0; i < 300000; i++) {
    const int32_t x = any_int32(&rng), at_least_one = (int32_t)(((uint32_t)x >> 1) | 1u << 19);
    int shift, model_shift;
    const int32_t root = thr_inverse_root(x, &shift);
    assert_int_equal(root, model_inverse_root(x, &model_shift));
    assert_int_equal(shift, model_shift);
    if (x > 1 && fabs(ldexp(root, shift - 31) * sqrt(x) - 1) > 1e-5) fail_msg("1/sqrt(%d) is %d, %d", x, root, shift);
    const int32_t y = thr_log(at_least_one);
    assert_int_equal(y, model_log(at_least_one));
    if (fabs(ldexp(y, -26) - log(ldexp(at_least_one, -19))) > 1e-6) fail_msg("log(%d) is %d", at_least_one, y);
  }
}

static void test_clz(void **state) {
  for (int i = 0; i < 32; i++) {
    assert_int_equal(thr_clz((uint32_t)1 << i), 31 - i);
    assert_int_equal(thr_clz(UINT32_MAX >> i), i);
  }
  assert_int_equal(thr_clz(0), 32);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define THR_KERNEL(id, name, params, n_in, scratch, t_in, t_out, over) cmocka_unit_test(test_##name),
#include "../../rt/kernel/kernels.def"
#undef THR_KERNEL
#define THR_VARIANT(kernel, name, params, inputs, has_scratch, type, folder) cmocka_unit_test(test_##name##_##folder),
#include "../../rt/kernel/variants.def"
#undef THR_VARIANT
      cmocka_unit_test(test_wide_conv2d_s8), cmocka_unit_test(test_products),           cmocka_unit_test(test_shifts),
      cmocka_unit_test(test_exponential),    cmocka_unit_test(test_root_and_logarithm), cmocka_unit_test(test_clz)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
