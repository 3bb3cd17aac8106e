/* The variants and forms that a processor runs, as its instructions, against the reference on the same processor: the
 * cases of tests/kernel, raw and behind a decoder, between guard bytes. What the reference must give, the tests of the
 * host check. The lists of variants and forms are the list of tests; RUN_<folder> says which folders of rt/kernel this
 * processor has. SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../rt/kernel/rows.h"
#include "../kernel/guards.h"
#include "steps.h"

enum { CASES = 250, WIDE_CASES = 25 };

static void check_equal(const kase *k, const uint8_t *out, const char *name, int number) {
  for (size_t i = 0; i < k->out_bytes; i++)
    if (out[i] != k->expected[i])
      fail_msg("%s: case %d, byte %u: %d, expected %d", name, number, (unsigned)i, (int8_t)out[i],
               (int8_t)k->expected[i]);
}

/* --- variants --- */

static void decode_plainly(thr_stream *stream, int8_t *out, uint32_t count) {
  for (uint32_t i = 0; i < count; i++, stream->value++) {
    assert_true(stream->value < stream->weights->bytes);
    out[i] = (int8_t)stream->weights->data[stream->value];
  }
}

static void check_variant_once(kase *k, run_fn *run, const char *name, int number) {
  const uint32_t scratch_bytes = thr_step_scratch_bytes(&k->step);
  uint8_t *out = guarded(k->arena, k->out_bytes), *scratch = guarded(k->arena, scratch_bytes);
  run(&k->step, k->in, out, scratch);
  check_guards(out, k->out_bytes);
  check_guards(scratch, scratch_bytes);
  check_equal(k, out, name, number);
}

static void check_variant_cases(thr_kernel_id kernel, wide_case_fn *make, run_fn *run, const char *name, int cases) {
  for (int i = 0; make && i < cases; i++) {
    kase k;
    make_case(&k, kernel, make, i);
    check_variant_once(&k, run, name, i);
    thr_weights *w = thr_step_weights(&k.step);
    if (w) w->decode = decode_plainly;
    if (w) check_variant_once(&k, run, name, i);
  }
}

static void check_variant(thr_kernel_id kernel, run_fn *run, const char *name) {
  check_variant_cases(kernel, case_of(kernel), run, name, CASES);
  check_variant_cases(kernel, wide_case(kernel), run, name, WIDE_CASES);
}

#define THR_VARIANT(kernel, name, params, inputs, has_scratch, type, folder)                                 \
  static void run_##name##_##folder(const thr_step *step, const void *const *in, void *out, void *scratch) { \
    CALL_##inputs##_##has_scratch(thr_##name##_##folder, params);                                            \
  }                                                                                                          \
  static void test_##name##_##folder(void **state) {                                                         \
    if (RUN_##folder) check_variant(THR_KERNEL_##kernel, run_##name##_##folder, #name "_" #folder);          \
  }
#include "../../rt/kernel/variants.def"
#undef THR_VARIANT

/* --- variants of row kernels: a stage of one line each time, alone, its input complete --- */

static bool check_lines_once(kase *k, thr_row_fn *row, const char *name, int number) {
  thr_stage stage;
  if (!thr_stage_shape(&k->step, 1, &stage)) return false;
  uint8_t *arena = th_arena_alloc(k->arena, k->in_bytes[0] + k->out_bytes + 3 * GUARD);
  memset(arena, FILL, k->in_bytes[0] + k->out_bytes + 3 * GUARD);
  stage.row = row;
  stage.in[0].lines.at = GUARD;
  stage.out.at = (uint32_t)k->in_bytes[0] + 2 * GUARD;
  memcpy(arena + GUARD, k->in[0], k->in_bytes[0]);
  thr_rows_run(thr_stage_of_table, &stage, 1, arena);
  check_guards(arena + stage.out.at, k->out_bytes);
  check_equal(k, arena + stage.out.at, name, number);
  return true;
}

static void check_lines(thr_kernel_id kernel, thr_row_fn *row, const char *name) {
  int ran = 0;
  for (int i = 0; i < CASES; i++) {
    kase k;
    make_case(&k, kernel, case_of(kernel), i);
    ran += check_lines_once(&k, row, name, i);
  }
  assert_true(ran > 0);
}

#define THR_ROW_VARIANT(kernel, name, folder)                                                             \
  static void test_##name##_row_##folder(void **state) {                                                  \
    if (RUN_##folder) check_lines(THR_KERNEL_##kernel, thr_##name##_row_##folder, #name "_row_" #folder); \
  }
#include "../../rt/kernel/row_variants.def"
#undef THR_ROW_VARIANT

/* --- forms --- */

static bool check_form_once(kase *k, const form *f, int number) {
  thr_need need;
  if (!f->need(&k->step, &need)) return false;
  uint8_t *packed = guarded(k->arena, need.packed_bytes), *scratch = guarded(k->arena, need.scratch_bytes);
  uint8_t *out = guarded(k->arena, k->out_bytes);
  f->pack(&k->step, packed);
  drop_constants(&k->step);
  f->run(&k->step, packed, k->in, out, scratch);
  check_guards(packed, need.packed_bytes);
  check_guards(scratch, need.scratch_bytes);
  check_guards(out, k->out_bytes);
  check_equal(k, out, f->name, number);
  return true;
}

static int check_form_cases(const form *f, wide_case_fn *make, int cases) {
  int ran = 0;
  for (int i = 0; make && i < cases; i++) {
    kase k;
    make_case(&k, f->kernel, make, i);
    ran += check_form_once(&k, f, i);
  }
  return ran;
}

static void check_form(const form *f) {
  const int ran = check_form_cases(f, case_of(f->kernel), 8 * CASES);
  const int ran_wide = check_form_cases(f, wide_case(f->kernel), 2 * WIDE_CASES);
  print_message("%d of %d cases, %d of %d wide ones\n", ran, 8 * CASES, ran_wide, 2 * WIDE_CASES);
  assert_true(ran + ran_wide > 0);
}

#define THR_FORM(id, name, kernel, params, folder) \
  static void test_##name(void **state) {          \
    if (RUN_##folder) check_form(&form_##name);    \
  }
#include "../../rt/kernel/forms.def"
#undef THR_FORM

int main(void) {
  const struct CMUnitTest tests[] = {
#define THR_VARIANT(kernel, name, params, inputs, scratch, type, folder) cmocka_unit_test(test_##name##_##folder),
#include "../../rt/kernel/variants.def"
#undef THR_VARIANT
#define THR_ROW_VARIANT(kernel, name, folder) cmocka_unit_test(test_##name##_row_##folder),
#include "../../rt/kernel/row_variants.def"
#undef THR_ROW_VARIANT
#define THR_FORM(id, name, kernel, params, folder) cmocka_unit_test(test_##name),
#include "../../rt/kernel/forms.def"
#undef THR_FORM
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
