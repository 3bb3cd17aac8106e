/* Sums of products on an 8-bit processor, with weights in program memory.
 *
 * A product of two int8 is one MULS whose carry is its sign, so a sum grows by it in four instructions; 24 bits hold
 * 255 products. Other processors compile the same in plain C, which is how hosts test the kernels of this folder.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_AVR_H
#define THR_AVR_H

#include "../ref/arith.h"

#define THR_AVR_RUN 255 /* products of one sum at most */

#if defined(__AVR__)

/* 1 to THR_AVR_RUN products. */
static inline int32_t thr_avr_run(const int8_t *x, const int8_t *w, uint8_t n) {
  int32_t sum;
  int8_t a, b;
  __asm__ volatile(
      "clr %A[sum]\n\t"
      "clr %B[sum]\n\t"
      "clr %C[sum]\n"
      "1:\n\t"
      "ld %[a], X+\n\t"
      "lpm %[b], Z+\n\t"
      "muls %[a], %[b]\n\t"
      "sbc %[b], %[b]\n\t" /* 0 or -1 */
      "add %A[sum], r0\n\t"
      "adc %B[sum], r1\n\t"
      "adc %C[sum], %[b]\n\t"
      "dec %[n]\n\t"
      "brne 1b\n\t"
      "mov %D[sum], %C[sum]\n\t"
      "lsl %D[sum]\n\t"
      "sbc %D[sum], %D[sum]\n\t"
      "clr r1"
      : [sum] "=&r"(sum), "+x"(x), "+z"(w), [n] "+r"(n), [a] "=&d"(a), [b] "=&d"(b)
      :
      : "r0", "memory");
  return sum;
}

#else

static inline int32_t thr_avr_run(const int8_t *x, const int8_t *w, uint8_t n) {
  int32_t sum = 0;
  for (uint8_t i = 0; i < n; i++) sum += (int32_t)x[i] * thr_flash_s8(w + i);
  return sum;
}

#endif

/* acc + sum of w * x over any number. */
static inline int32_t thr_avr_dot(int32_t acc, const int8_t *x, const int8_t *w, size_t n) {
  while (n > 0) {
    const uint8_t run = n < THR_AVR_RUN ? (uint8_t)n : THR_AVR_RUN;
    acc = thr_wrap_add(acc, thr_avr_run(x, w, run));
    x += run;
    w += run;
    n -= run;
  }
  return acc;
}

/* acc - zero * sum of w: with the above the sum of w * (x - zero). */
static inline int32_t thr_avr_less_zero(int32_t acc, const int8_t *w, size_t n, int32_t zero) {
  int32_t sum = 0;
  for (; n > 0; n--) sum = thr_wrap_add(sum, thr_flash_s8(w++));
  return thr_wrap_sub(acc, thr_wrap_mul(sum, zero));
}

#endif
