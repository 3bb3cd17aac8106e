/* Every variant of every kernel that this processor can run, against the models of cases.h and against the reference on
 * larger shapes: same bits. Variants and kernels are those of the lists, so a new row is tested at once.
 *
 * Output, scratch and packed weights are exact in size between guard bytes, and inputs end where memory ends: the page
 * behind them cannot be read. Batches hold several samples with different inputs.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "cases.h"
#include "eval/variant.h"
#include "memory.h"
#include "wide_cases.h"

enum { CASES = 2000, WIDE_CASES = 400, MOST_SAMPLES = 7 };

typedef void case_fn(kase *k);

/* --- one case --- */

typedef struct trial {
  kase *k;
  const th_variant *variant;
  thr_need need;
  uint8_t *packed;
  int samples;
  uint8_t *expected; /* of all samples */
} trial;

static int inputs_of(const kase *k) {
  int n = 0;
  while (n < THR_STEP_INPUTS && k->in[n]) n++;
  return n;
}

/* Sample 0 is the case; the others have random inputs, and the reference says what they give. */
static void fill_samples(trial *t, cliff *in, int n_in) {
  kase *k = t->k;
  for (int s = 0; s < t->samples; s++) {
    const void *of_sample[THR_STEP_INPUTS] = {NULL};
    for (int i = 0; i < n_in; i++) {
      uint8_t *x = cliff_data(&in[i]) + (size_t)s * k->in_bytes[i];
      if (s == 0) memcpy(x, k->in[i], k->in_bytes[i]);
      for (size_t b = 0; s > 0 && b < k->in_bytes[i]; b++) x[b] = (uint8_t)between(k, 0, 255);
      of_sample[i] = x;
    }
    uint8_t *y = t->expected + (size_t)s * k->out_bytes;
    if (s == 0) memcpy(y, k->expected, k->out_bytes);
    if (s > 0) thr_step_run(&k->step, of_sample, y, NULL);
  }
}

static void check_batch(trial *t) {
  kase *k = t->k;
  const int n_in = inputs_of(k);
  const size_t all = (size_t)t->samples * k->out_bytes;
  cliff in[THR_STEP_INPUTS];
  uint8_t *out = guarded(k->arena, all), *scratch = guarded(k->arena, t->need.scratch_bytes);
  thr_batch b = {.samples = t->samples, .out = (int8_t *)out, .out_step = k->out_bytes};
  t->expected = th_arena_alloc(k->arena, all);
  for (int i = 0; i < n_in; i++) in[i] = cliff_open((size_t)t->samples * k->in_bytes[i]);
  fill_samples(t, in, n_in);
  for (int i = 0; i < n_in; i++) {
    b.in[i] = (const int8_t *)cliff_data(&in[i]);
    b.in_step[i] = k->in_bytes[i];
  }
  t->variant->batch(&k->step, t->packed, &b, scratch);
  check_guards(out, all);
  check_guards(scratch, t->need.scratch_bytes);
  check_guards(t->packed, t->need.packed_bytes);
  for (size_t i = 0; i < all; i++)
    if (out[i] != t->expected[i])
      fail_msg("%s: sample %zu, byte %zu: %d, expected %d", t->variant->name, i / k->out_bytes, i % k->out_bytes,
               (int8_t)out[i], (int8_t)t->expected[i]);
  for (int i = 0; i < n_in; i++) cliff_close(&in[i]);
}

/* Whether the variant takes the case at all. */
static bool check_case(kase *k, const th_variant *variant) {
  trial t = {.k = k, .variant = variant, .samples = chance(k, 60) ? 1 : between(k, 2, MOST_SAMPLES)};
  if (!variant->need(&k->step, &t.need)) return false;
  t.packed = guarded(k->arena, t.need.packed_bytes);
  variant->pack(&k->step, t.packed);
  check_guards(t.packed, t.need.packed_bytes);
  check_batch(&t);
  return true;
}

static int check_cases(thr_kernel_id kernel, case_fn *make, int cases) {
  int ran = 0;
  const th_variant *variant;
  for (int v = 0; (variant = th_variant_nth(v)); v++) {
    for (int i = 0; i < cases; i++) {
      kase k = {.arena = th_arena_create(), .rng = th_rng_init((uint64_t)i, (uint64_t)kernel), .bytes = 1};
      k.step.kernel = kernel;
      make(&k);
      ran += check_case(&k, variant);
      th_arena_destroy(k.arena);
    }
  }
  return ran;
}

static void check_kernel(thr_kernel_id kernel, case_fn *make) {
  case_fn *wide_fn = wide_case(kernel);
  const int ran = check_cases(kernel, make, wide_fn ? CASES : 20);
  if (!wide_fn) {
    assert_int_equal(ran, 0);
    return;
  }
  int variants = 0;
  while (th_variant_nth(variants)) variants++;
  if (variants == 0) skip();
  const int ran_wide = check_cases(kernel, wide_fn, WIDE_CASES);
  print_message("%d variants ran %d of %d cases, %d of %d wide ones\n", variants, ran, variants * CASES, ran_wide,
                variants * WIDE_CASES);
  assert_true(ran >= variants * CASES / 20); /* the reference does the rest: groups, broadcasting, sums near 2^31 */
  assert_true(ran_wide >= variants * WIDE_CASES / 2);
}

#define THR_KERNEL(id, name, params, n_in, scratch, t_in, t_out, over) \
  static void test_##name(void **state) {                              \
    check_kernel(THR_KERNEL_##id, case_##name);                        \
  }
#include "../../rt/kernel/kernels.def"
#undef THR_KERNEL

int main(void) {
  const struct CMUnitTest tests[] = {
#define THR_KERNEL(id, name, params, n_in, scratch, t_in, t_out, over) cmocka_unit_test(test_##name),
#include "../../rt/kernel/kernels.def"
#undef THR_KERNEL
  };
  printf("kernel variants of this processor:");
  for (int i = 0; th_variant_nth(i); i++) printf(" %s", th_variant_nth(i)->name);
  printf("\n");
  return cmocka_run_group_tests(tests, NULL, NULL);
}
