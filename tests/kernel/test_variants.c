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
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "cases.h"
#include "eval/variant.h"

enum { CASES = 2000, WIDE_CASES = 400, GUARD = 64, FILL = 0xA5, MOST_SAMPLES = 7 };

typedef void case_fn(kase *k);

/* --- memory --- */

/* A block of `n` bytes between guards, all of it FILL. */
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

typedef struct cliff { /* memory that ends */
  uint8_t *map;
  size_t bytes, map_bytes;
} cliff;

static cliff cliff_open(size_t n) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  cliff c = {.bytes = n, .map_bytes = (n + page - 1) / page * page + page};
  c.map = mmap(NULL, c.map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(c.map != MAP_FAILED);
  assert_int_equal(mprotect(c.map + c.map_bytes - page, page, PROT_NONE), 0);
  return c;
}

static uint8_t *cliff_data(const cliff *c) {
  return c->map + c->map_bytes - (size_t)sysconf(_SC_PAGESIZE) - c->bytes;
}

static void cliff_close(cliff *c) {
  munmap(c->map, c->map_bytes);
}

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

/* --- larger shapes, expected from the reference --- */

static void expect_reference(kase *k, size_t out_bytes) {
  expect(k, out_bytes);
  thr_step_run(&k->step, k->in, k->expected, NULL);
}

/* Channel counts around the widths of vectors, and others. */
static int32_t wide_channels(kase *k) {
  static const int32_t often[] = {4, 8, 16, 24, 32, 48, 64, 80, 128};
  return chance(k, 60) ? often[between(k, 0, 8)] : between(k, 1, 140);
}

static void wide_conv(kase *k, bool depthwise) {
  thr_conv2d_params *p = &k->step.p.conv2d;
  p->in_y = between(k, 1, 20);
  p->in_x = between(k, 1, 20);
  p->in_c = chance(k, 30) ? between(k, 1, 3) : wide_channels(k);
  p->out_c = depthwise && p->in_c > 1 ? p->in_c : wide_channels(k);
  p->groups = depthwise ? p->in_c : 1;
  random_window(k, p->in_y, &p->out_y, &p->kernel_y, &p->stride_y, &p->dilation_y, &p->pad_y);
  random_window(k, p->in_x, &p->out_x, &p->kernel_x, &p->stride_x, &p->dilation_x, &p->pad_x);
  if (chance(k, 20)) p->kernel_y = (int16_t)between(k, 1, 10), p->pad_y = 0, p->out_y = 1;
  if (!depthwise) p->dilation_x = 1;
  p->in_zero = edgy(k, -128, 127);
  p->out_zero = edgy(k, -128, 127);
  clamp_range(k, &p->lo, &p->hi);
  const int32_t row = p->kernel_y * p->kernel_x * (p->in_c / p->groups);
  const double magnitude = 8000.0 * sqrt(row);
  p->weights = (thr_weights){.data = (const uint8_t *)bytes_of(k, (size_t)(row * p->out_c)),
                             .bytes = (uint32_t)(row * p->out_c)};
  random_bias(k, p->out_c, magnitude, &p->bias);
  random_requant(k, p->out_c, magnitude, &p->requant);
  input(k, 0, (size_t)(p->in_y * p->in_x * p->in_c));
  expect_reference(k, (size_t)(p->out_y * p->out_x * p->out_c));
}

static void wide_conv2d_s8(kase *k) {
  wide_conv(k, false);
}

static void wide_depthwise_conv2d_s8(kase *k) {
  wide_conv(k, true);
}

static void wide_fully_connected_s8(kase *k) {
  thr_fully_connected_params *p = &k->step.p.fully_connected;
  p->in_n = between(k, 1, 700);
  p->out_n = between(k, 1, 300);
  p->in_zero = edgy(k, -128, 127);
  p->out_zero = edgy(k, -128, 127);
  clamp_range(k, &p->lo, &p->hi);
  const int32_t n = p->in_n * p->out_n;
  const double magnitude = 8000.0 * sqrt(p->in_n);
  p->weights = (thr_weights){.data = (const uint8_t *)bytes_of(k, (size_t)n), .bytes = (uint32_t)n};
  random_bias(k, p->out_n, magnitude, &p->bias);
  random_requant(k, p->out_n, magnitude, &p->requant);
  input(k, 0, (size_t)p->in_n);
  expect_reference(k, (size_t)p->out_n);
}

static void wide_add_s8(kase *k) {
  thr_elementwise_params *p = &k->step.p.elementwise;
  int32_t size = 1;
  for (int d = 3; d >= 0; d--) {
    p->dim[d] = between(k, 1, d == 3 ? 90 : 5);
    p->stride_a[d] = p->stride_b[d] = p->dim[d] == 1 && chance(k, 50) ? 0 : size;
    size *= p->dim[d];
  }
  p->a_zero = edgy(k, -128, 127);
  p->b_zero = edgy(k, -128, 127);
  p->out_zero = edgy(k, -128, 127);
  clamp_range(k, &p->lo, &p->hi);
  p->left_shift = 20;
  const int coarser = between(k, 0, 1);
  for (int i = 0; i < 3; i++) {
    p->mult[i] = i == coarser && chance(k, 80) ? 1 << 30 : any_mult(k);
    p->shift[i] = (int8_t)(i == 2 ? between(k, -22, -17) : i == coarser ? 0 : between(k, -4, 0));
  }
  input(k, 0, (size_t)size);
  input(k, 1, (size_t)size);
  expect_reference(k, (size_t)size);
}

static void wide_avg_pool2d_s8(kase *k) {
  thr_pool2d_params *p = &k->step.p.pool2d;
  p->in_y = between(k, 1, 30);
  p->in_x = between(k, 1, 12);
  p->c = wide_channels(k);
  p->kernel_y = (int16_t)(chance(k, 50) ? p->in_y : between(k, 1, 4));
  p->kernel_x = (int16_t)(chance(k, 50) ? p->in_x : between(k, 1, 4));
  p->stride_y = (int16_t)between(k, 1, 3);
  p->stride_x = (int16_t)between(k, 1, 3);
  p->pad_y = (int16_t)between(k, 0, p->kernel_y - 1);
  p->pad_x = (int16_t)between(k, 0, p->kernel_x - 1);
  p->out_y = between(k, 1, (p->in_y - 1 + p->pad_y) / p->stride_y + 1);
  p->out_x = between(k, 1, (p->in_x - 1 + p->pad_x) / p->stride_x + 1);
  clamp_range(k, &p->lo, &p->hi);
  input(k, 0, (size_t)(p->in_y * p->in_x * p->c));
  expect_reference(k, (size_t)(p->out_y * p->out_x * p->c));
}

/* A kernel of the variants' list without wide cases does not compile. */
static case_fn *wide_case(thr_kernel_id kernel) {
  switch (kernel) {
#define THR_X86(id, name, params) \
  case THR_KERNEL_##id:           \
    return wide_##name;
#include "../../rt/kernel/x86/kernels.def"
#undef THR_X86
    default:
      return NULL;
  }
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
