/* Movement of bytes, in loops with tail predication: nothing beyond what is named is read or written.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_MVE_MOVE_H
#define THR_MVE_MOVE_H

#include "mve.h"

/* Where the bytes of several small pixels go, when pixels of `c` bytes are spread to places `step` bytes apart: byte j
 * of a vector to (j / c) * step + j % c. once: how many pixels a vector holds; 0: none, pixels are copied one by one.
 */
typedef struct thr_mve_places {
  int32_t c, step, once;
  uint8_t place[16];
} thr_mve_places;

static inline void thr_mve_places_of(thr_mve_places *p, int32_t c, int32_t step) {
  int32_t j = 0;
  p->c = c;
  p->step = step;
  p->once = 0;
  memset(p->place, 0, sizeof p->place);
  if (c > 8 || 16 / c * step > 256) return;
  for (; j + c <= 16; p->once++)
    for (int32_t i = 0; i < c; i++) p->place[j++] = (uint8_t)(p->once * step + i);
}

#if THR_MVE_LOOPS
static inline void thr_mve_copy(int8_t *to, const int8_t *from, int32_t n) { /* n > 0 */
  __asm volatile(
      "dlstp.8 lr, %[n]\n"
      "1:\n"
      "vldrb.8 q0, [%[from]], #16\n"
      "vstrb.8 q0, [%[to]], #16\n"
      "letp lr, 1b\n"
      : [to] "+r"(to), [from] "+r"(from)
      : [n] "r"(n)
      : "lr", "q0", "memory");
}

static inline void thr_mve_widen(int16_t *to, const int8_t *from, int32_t n) { /* n > 0 */
  __asm volatile(
      "dlstp.16 lr, %[n]\n"
      "1:\n"
      "vldrb.s16 q0, [%[from]], #8\n"
      "vstrh.16 q0, [%[to]], #16\n"
      "letp lr, 1b\n"
      : [to] "+r"(to), [from] "+l"(from)
      : [n] "r"(n)
      : "lr", "q0", "memory");
}

/* Pixels of 16 bytes. */
static inline void thr_mve_spread_16(int8_t *to, const int8_t *from, int32_t pixels, int32_t step) {
  __asm volatile(
      "dls lr, %[pixels]\n"
      "1:\n"
      "vldrb.8 q0, [%[from]], #16\n"
      "vstrb.8 q0, [%[to]]\n"
      "add %[to], %[step]\n"
      "le lr, 1b\n"
      : [to] "+r"(to), [from] "+r"(from)
      : [pixels] "r"(pixels), [step] "r"(step)
      : "lr", "q0", "memory");
}

/* `n` times `bytes` bytes, at most 16: byte j to place[j]. */
static inline void thr_mve_scatter(int8_t *to, const int8_t *from, int32_t n, int32_t bytes, int32_t hop,
                                   uint8x16_t place) {
  __asm volatile(
      "vctp.8 %[bytes]\n"
      "dls lr, %[n]\n"
      "1:\n"
      "vpstt\n"
      "vldrbt.8 q0, [%[from]]\n"
      "vstrbt.8 q0, [%[to], %q[place]]\n"
      "add %[from], %[bytes]\n"
      "add %[to], %[hop]\n"
      "le lr, 1b\n"
      : [to] "+r"(to), [from] "+r"(from)
      : [n] "r"(n), [bytes] "r"(bytes), [hop] "r"(hop), [place] "w"(place)
      : "lr", "q0", "memory");
}

static inline void thr_mve_spread_few(int8_t *to, const int8_t *from, int32_t pixels, const thr_mve_places *p) {
  const uint8x16_t place = vldrbq_u8(p->place);
  const int32_t whole = pixels / p->once, rest = pixels - whole * p->once;
  if (whole) thr_mve_scatter(to, from, whole, p->once * p->c, p->once * p->step, place);
  if (rest == 0) return;
  thr_mve_scatter(to + whole * p->once * p->step, from + whole * p->once * p->c, 1, rest * p->c, 0, place);
}

/* Pixel i of `from` to i * step of `to`. */
static inline void thr_mve_spread(int8_t *to, const int8_t *from, int32_t pixels, const thr_mve_places *p) {
  if (pixels <= 0) return;
  if (p->once) {
    thr_mve_spread_few(to, from, pixels, p);
  } else if (p->c == 16) {
    thr_mve_spread_16(to, from, pixels, p->step);
  } else {
    for (; pixels > 0; pixels--, to += p->step, from += p->c) thr_mve_copy(to, from, p->c);
  }
}

static inline void thr_mve_fill(int16_t *to, int32_t value, int32_t n) { /* n > 0 */
  __asm volatile(
      "vdup.16 q0, %[value]\n"
      "dlstp.16 lr, %[n]\n"
      "1:\n"
      "vstrh.16 q0, [%[to]], #16\n"
      "letp lr, 1b\n"
      : [to] "+r"(to)
      : [n] "r"(n), [value] "r"(value)
      : "lr", "q0", "memory");
}
#else
static inline void thr_mve_copy(int8_t *to, const int8_t *from, int32_t n) {
  memcpy(to, from, (size_t)n);
}

static inline void thr_mve_fill(int16_t *to, int32_t value, int32_t n) {
  for (; n > 0; n--) *to++ = (int16_t)value;
}

static inline void thr_mve_widen(int16_t *to, const int8_t *from, int32_t n) {
  for (; n > 0; n--) *to++ = *from++;
}

static inline void thr_mve_spread(int8_t *to, const int8_t *from, int32_t pixels, const thr_mve_places *p) {
  for (; pixels > 0; pixels--, to += p->step, from += p->c) memcpy(to, from, (size_t)p->c);
}
#endif

#endif
