/* Sums of products of int8, two at once, for processors without SIMD.
 *
 * One operand is shared by two sums, so that it is loaded once; all three arrays run on one index that counts up to
 * zero, so that no pointer moves and the index is the loop's test. That is 4.25 instructions a product on Armv6-M,
 * whose loads that extend the sign know no other address than register + register; there the loop is assembly, because
 * it needs each of the eight low registers. Sums wrap. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_SMALL_DOT_H
#define THR_SMALL_DOT_H

#include <stdint.h>

typedef struct thr_two {
  int32_t first, second;
} thr_two;

#if defined(__thumb__) && !defined(__thumb2__)

/* a, b, shared, n in r0 to r3, sums in r4 and r5. `more` may change the shared value in r6. */
#define THR_DOT2_STEP(more)     \
  "ldrsb r6, [r2, r3]\n\t" more \
  "ldrsb r7, [r0, r3]\n\t"      \
  "muls r7, r6, r7\n\t"         \
  "adds r4, r4, r7\n\t"         \
  "ldrsb r7, [r1, r3]\n\t"      \
  "muls r7, r6, r7\n\t"         \
  "adds r5, r5, r7\n\t"         \
  "adds r3, r3, #1\n\t"
#define THR_DOT2_LOOP(more) \
  "movs r4, #0\n\t"                   \
  "movs r5, #0\n\t"                   \
  "adds r0, r0, r3\n\t"               \
  "adds r1, r1, r3\n\t"               \
  "adds r2, r2, r3\n\t"               \
  "rsbs r3, r3, #0\n\t"               \
  "beq 3f\n\t"                        \
  "lsrs r6, r3, #1\n\t"               \
  "bcs 2f\n" /* an odd count enters the loop in its middle */ \
  "1:\n\t" THR_DOT2_STEP(more)        \
  "2:\n\t" THR_DOT2_STEP(more)        \
  "bne 1b\n"                          \
  "3:\n\t"                            \
  "movs r0, r4\n\t"                   \
  "movs r1, r5\n\t"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter" /* the assembly reads them */
/* The sums as one 64-bit number: that is how a call returns two registers. */
static __attribute__((naked, noinline, unused)) uint64_t thr_dot2_run(const int8_t *a, const int8_t *b,
                                                                      const int8_t *shared, int32_t n) {
  __asm__(".syntax unified\n\tpush {r4-r7, lr}\n\t" THR_DOT2_LOOP("") "pop {r4-r7, pc}");
}

static __attribute__((naked, noinline, unused)) uint64_t thr_dot2_zero_run(const int8_t *a, const int8_t *b,
                                                                           const int8_t *shared, int32_t n,
                                                                           int32_t offset) {
  __asm__(
      ".syntax unified\n\tpush {r4-r7, lr}\n\tmov r4, r8\n\tpush {r4}\n\tldr r4, [sp, #24]\n\tmov r8, "
      "r4\n\t" THR_DOT2_LOOP("add r6, r8\n\t") "pop {r4}\n\tmov r8, r4\n\tpop {r4-r7, pc}");
}
#pragma GCC diagnostic pop

static inline thr_two thr_two_of(uint64_t sums) {
  const thr_two two = {(int32_t)(uint32_t)sums, (int32_t)(uint32_t)(sums >> 32)};
  return two;
}

/* Sums of a[i] * shared[i] and of b[i] * shared[i]. */
static inline thr_two thr_dot2(const int8_t *a, const int8_t *b, const int8_t *shared, int32_t n) {
  return thr_two_of(thr_dot2_run(a, b, shared, n));
}

/* The same of shared[i] - zero. */
static inline thr_two thr_dot2_zero(const int8_t *a, const int8_t *b, const int8_t *shared, int32_t n, int32_t zero) {
  return thr_two_of(thr_dot2_zero_run(a, b, shared, n, -zero));
}

#else

static inline thr_two thr_dot2_zero(const int8_t *a, const int8_t *b, const int8_t *shared, int32_t n, int32_t zero) {
  uint32_t first = 0, second = 0;
  for (int32_t i = 0; i < n; i++) {
    const int32_t v = shared[i] - zero;
    first += (uint32_t)(v * a[i]);
    second += (uint32_t)(v * b[i]);
  }
  const thr_two two = {(int32_t)first, (int32_t)second};
  return two;
}

static inline thr_two thr_dot2(const int8_t *a, const int8_t *b, const int8_t *shared, int32_t n) {
  return thr_dot2_zero(a, b, shared, n, 0);
}

#endif
#endif
