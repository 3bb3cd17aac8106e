/* Kernels and forms as functions over steps, for programs that run the cases of tests/kernel on a target: the lists of
 * rt turned into functions and tables. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_TARGET_STEPS_H
#define TESTS_TARGET_STEPS_H

#include "../../rt/core/parse.h"
#include "../../rt/include/thr_form.h"
#include "../../rt/kernel/select.h"
#include "../kernel/wide_cases.h"

typedef void run_fn(const thr_step *step, const void *const *in, void *out, void *scratch);

#define CALL_1_0(f, params) f(&step->p.params, in[0], out)
#define CALL_1_1(f, params) f(&step->p.params, in[0], out, scratch)
#define CALL_1_4(f, params) CALL_1_1(f, params)
#define CALL_2_0(f, params) f(&step->p.params, in[0], in[1], out)
#define CALL_2_1(f, params) f(&step->p.params, in[0], in[1], out, scratch)
#define CALL_3_4(f, params) f(&step->p.params, in[0], in[1], in[2], out, scratch)

/* Makes the case and lets the reference say what it gives. */
static void make_case(kase *k, thr_kernel_id kernel, wide_case_fn *make, int number) {
  *k = (kase){.arena = th_arena_create(), .rng = th_rng_init((uint64_t)number, (uint64_t)kernel), .bytes = 1};
  k->step.kernel = kernel;
  make(k);
  const thr_step *step = &k->step;
  const void *const *in = k->in;
  void *out = k->expected, *scratch = NULL;
  switch (kernel) {
#define THR_KERNEL(id, name, params, n_in, has_scratch, t_in, t_out, over) \
  case THR_KERNEL_##id:                                                    \
    CALL_##n_in##_##has_scratch(thr_##name##_ref, params);                 \
    break;
#include "../../rt/kernel/kernels.def"
#undef THR_KERNEL
    default:
      break;
  }
}

static wide_case_fn *case_of(thr_kernel_id kernel) {
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

/* --- forms --- */

typedef struct form {
  thr_kernel_id kernel;
  const char *name;
  int (*need)(const thr_step *step, thr_need *need);
  void (*pack)(const thr_step *step, void *packed);
  void (*run)(const thr_step *step, const void *packed, const void *const *in, void *out, void *scratch);
} form;

static void drop_constants(thr_step *step) {
  if (!thr_step_weights(step)) return;
  *thr_step_weights(step) = (thr_weights){0};
  *thr_step_bias(step) = (thr_bias){0};
  *thr_step_requant(step) = (thr_requant){0};
}

#define THR_FORM(id, name, kernel, params, folder)                                                                    \
  static int need_##name(const thr_step *step, thr_need *need) {                                                      \
    return thr_##name##_need(&step->p.params, need);                                                                  \
  }                                                                                                                   \
  static void pack_##name(const thr_step *step, void *packed) {                                                       \
    thr_##name##_pack(&step->p.params, packed);                                                                       \
  }                                                                                                                   \
  static void run_##name(const thr_step *step, const void *packed, const void *const *in, void *out, void *scratch) { \
    thr_##name(&step->p.params, packed, in[0], out, scratch);                                                         \
  }                                                                                                                   \
  static const form form_##name = {THR_KERNEL_##kernel, #name, need_##name, pack_##name, run_##name};
#include "../../rt/kernel/forms.def"
#undef THR_FORM

#endif
