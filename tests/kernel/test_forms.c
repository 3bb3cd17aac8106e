/* Every form of rt/kernel/forms.def, against the models of cases.h and against the reference on larger shapes: same
 * bits. The list of forms is the list of tests. Forms run here in the plain C of their folder's header; the same cases
 * as instructions are in tests/target.
 *
 * Output, scratch and table are exact in size between guard bytes, inputs end where memory ends, and packing writes the
 * whole table. The parameters that the form sees are those of a firmware: without weights.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../../rt/core/parse.h"
#include "eval/form.h"
#include "memory.h"
#include "wide_cases.h"

enum { CASES = 4000, WIDE_CASES = 600, FEWEST = 40 };

typedef void case_fn(kase *k);

/* What the firmware's parameters lack. */
static void drop_constants(thr_step *step) {
  if (!thr_step_weights(step)) return;
  *thr_step_weights(step) = (thr_weights){0};
  *thr_step_bias(step) = (thr_bias){0};
  *thr_step_requant(step) = (thr_requant){0};
}

/* Packed twice over different bytes, so that one left out is found. */
static uint8_t *pack(kase *k, const th_form *form, size_t bytes) {
  uint8_t *packed = guarded(k->arena, bytes), *again = guarded(k->arena, bytes);
  memset(again, 0, bytes);
  th_form_pack(form, &k->step, packed);
  th_form_pack(form, &k->step, again);
  assert_memory_equal(packed, again, bytes);
  check_guards(packed, bytes);
  return packed;
}

/* Whether the form takes the case at all. */
static bool check_case(kase *k, const th_form *form) {
  thr_need need;
  if (!th_form_need(form, &k->step, &need)) return false;
  const uint8_t *packed = pack(k, form, need.packed_bytes);
  uint8_t *out = guarded(k->arena, k->out_bytes), *scratch = guarded(k->arena, need.scratch_bytes);
  const cliff in = cliff_open(k->in_bytes[0]);
  const void *data[THR_STEP_INPUTS] = {memcpy(cliff_data(&in), k->in[0], k->in_bytes[0])};
  thr_step bare = k->step;
  drop_constants(&bare);
  th_form_run(form, &bare, packed, data, out, scratch);
  check_guards(out, k->out_bytes);
  check_guards(scratch, need.scratch_bytes);
  check_guards(packed, need.packed_bytes);
  for (size_t i = 0; i < k->out_bytes; i++)
    if (out[i] != k->expected[i])
      fail_msg("%s: byte %zu: %d, expected %d", form->name, i, (int8_t)out[i], (int8_t)k->expected[i]);
  cliff_close(&in);
  return true;
}

static int check_cases(const th_form *form, case_fn *make, int cases) {
  int ran = 0;
  for (int i = 0; make && i < cases; i++) {
    kase k = {.arena = th_arena_create(), .rng = th_rng_init((uint64_t)i, (uint64_t)form->kernel), .bytes = 1};
    k.step.kernel = form->kernel;
    make(&k);
    ran += check_case(&k, form);
    th_arena_destroy(k.arena);
  }
  return ran;
}

static case_fn *case_of(thr_kernel_id kernel) {
  switch (kernel) {
#define THR_KERNEL(id, name, params, n_in, scratch, t_in, t_out, over) \
  case THR_KERNEL_##id:                                                \
    return case_##name;
#include "../../rt/kernel/kernels.def"
#undef THR_KERNEL
    default:
      return NULL;
  }
}

static void check_form(thr_form_id id) {
  const th_form *form = th_form_of(id);
  const int ran = check_cases(form, case_of(form->kernel), CASES);
  const int ran_wide = check_cases(form, wide_case(form->kernel), WIDE_CASES);
  print_message("%d of %d cases, %d of %d wide ones\n", ran, CASES, ran_wide, WIDE_CASES);
  assert_true(ran + ran_wide >= FEWEST); /* the kernel does the rest: other shapes, numbers that do not fit */
}

#define THR_FORM(id, name, kernel, params, folder) \
  static void test_##name(void **state) {          \
    check_form(THR_FORM_##id);                     \
  }
#include "../../rt/kernel/forms.def"
#undef THR_FORM

int main(void) {
  const struct CMUnitTest tests[] = {
#define THR_FORM(id, name, kernel, params, folder) cmocka_unit_test(test_##name),
#include "../../rt/kernel/forms.def"
#undef THR_FORM
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
