/* What every kernel of kernels.def and every form of forms.def costs on a processor: the cases of tests/kernel, wide
 * ones where a kernel has such, run between two looks at the board's counter. A line of the report for each runner:
 * cases, bytes of output, ticks of the reference, ticks of the runner on the same cases. A kernel's runner is what
 * select.h takes on this processor; a form counts on those cases that it can run. SPDX-License-Identifier: Apache-2.0
 */
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../tests/target/steps.h"

enum { CASES = 24, REPEATS = 8 };

typedef struct count {
  uint32_t cases, bytes;
  uint64_t reference, runner;
} count;

static void make(kase *k, thr_kernel_id kernel, wide_case_fn *fill, int number) {
  *k = (kase){.arena = th_arena_create(), .rng = th_rng_init((uint64_t)number, (uint64_t)kernel), .bytes = 1};
  k->step.kernel = kernel;
  fill(k);
}

static wide_case_fn *filler(thr_kernel_id kernel) {
  return wide_case(kernel) ? wide_case(kernel) : case_of(kernel);
}

static uint64_t ticks_of(const kase *k, run_fn *run) {
  void *out = th_arena_alloc(k->arena, k->out_bytes),
       *scratch = th_arena_alloc(k->arena, thr_step_scratch_bytes(&k->step));
  const board_ticks_t begin = board_ticks();
  for (int i = 0; i < REPEATS; i++) run(&k->step, k->in, out, scratch);
  return board_ticks() - begin;
}

static uint64_t form_ticks_of(const kase *k, const form *f, const thr_need *need) {
  uint8_t *packed = th_arena_alloc(k->arena, need->packed_bytes),
          *scratch = th_arena_alloc(k->arena, need->scratch_bytes);
  void *out = th_arena_alloc(k->arena, k->out_bytes);
  f->pack(&k->step, packed);
  const board_ticks_t begin = board_ticks();
  for (int i = 0; i < REPEATS; i++) f->run(&k->step, packed, k->in, out, scratch);
  return board_ticks() - begin;
}

/* Printed without 64-bit conversions, which small C libraries lack. */
static void tell(const char *what, const char *name, const count *c) {
  print_message("%s %s %lu %lu %lu %lu\n", what, name, (unsigned long)c->cases, (unsigned long)c->bytes,
                (unsigned long)(c->reference / REPEATS), (unsigned long)(c->runner / REPEATS));
}

/* Kernels that keep a state change it: each runner gets the case anew. */
static void count_kernel(thr_kernel_id kernel, run_fn *reference, run_fn *selected, const char *name) {
  count c = {0, 0, 0, 0};
  for (int i = 0; i < CASES; i++) {
    kase k;
    make(&k, kernel, filler(kernel), i);
    c.reference += ticks_of(&k, reference);
    make(&k, kernel, filler(kernel), i);
    c.runner += ticks_of(&k, selected);
    c.bytes += (uint32_t)k.out_bytes;
    c.cases++;
  }
  tell("kernel", name, &c);
}

static void count_form(const form *f, run_fn *reference) {
  count c = {0, 0, 0, 0};
  for (int i = 0; i < 4 * CASES; i++) {
    kase k;
    thr_need need;
    make(&k, f->kernel, filler(f->kernel), i);
    if (!f->need(&k.step, &need)) continue;
    c.reference += ticks_of(&k, reference);
    c.runner += form_ticks_of(&k, f, &need);
    c.bytes += (uint32_t)k.out_bytes;
    c.cases++;
  }
  tell("form", f->name, &c);
}

#define THR_KERNEL(id, name, params, n_in, has_scratch, t_in, t_out, over)                            \
  static void reference_##id(const thr_step *step, const void *const *in, void *out, void *scratch) { \
    CALL_##n_in##_##has_scratch(thr_##name##_ref, params);                                            \
  }                                                                                                   \
  static void selected_##id(const thr_step *step, const void *const *in, void *out, void *scratch) {  \
    CALL_##n_in##_##has_scratch(thr_##name, params);                                                  \
  }                                                                                                   \
  static void bench_##id(void) {                                                                      \
    count_kernel(THR_KERNEL_##id, reference_##id, selected_##id, #name);                              \
  }
#include "../../rt/kernel/kernels.def"
#undef THR_KERNEL

int main(void) {
  if (!board_open()) board_leave(0);
  board_clock_start();
#define THR_KERNEL(id, name, params, n_in, has_scratch, t_in, t_out, over) bench_##id();
#include "../../rt/kernel/kernels.def"
#undef THR_KERNEL
#define THR_FORM(id, name, kernel, params, folder) \
  if (RUN_##folder) count_form(&form_##name, reference_##kernel);
#include "../../rt/kernel/forms.def"
#undef THR_FORM
  print_message("done\n");
  board_leave(1);
  return 0;
}
