/* See fields.h. SPDX-License-Identifier: Apache-2.0 */
#include "fields.h"

#if defined(__thumb__) && !defined(__thumb2__)

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter" /* the assembly reads them */
/* r0 to, r1 from, r2 n */
__attribute__((naked)) int32_t *thr_fields_widen(int32_t *to, const int8_t *from, int32_t n) {
  __asm__(
      ".syntax unified\n\t"
      "push {r4-r7, lr}\n\t"
      "lsrs r3, r2, #2\n\t"
      "lsls r3, r3, #2\n\t" /* values in fours */
      "adds r1, r1, r3\n\t"
      "subs r2, r2, r3\n\t"
      "rsbs r3, r3, #0\n\t"
      "beq 2f\n"
      "1:\n\t"
      "ldrsb r4, [r1, r3]\n\t"
      "adds r3, r3, #1\n\t"
      "ldrsb r5, [r1, r3]\n\t"
      "adds r3, r3, #1\n\t"
      "ldrsb r6, [r1, r3]\n\t"
      "adds r3, r3, #1\n\t"
      "ldrsb r7, [r1, r3]\n\t"
      "stm r0!, {r4-r7}\n\t"
      "adds r3, r3, #1\n\t"
      "bne 1b\n"
      "2:\n\t" /* r3 is 0 */
      "cmp r2, r3\n\t"
      "beq 4f\n"
      "3:\n\t"
      "ldrsb r4, [r1, r3]\n\t"
      "stm r0!, {r4}\n\t"
      "adds r3, r3, #1\n\t"
      "cmp r3, r2\n\t"
      "bne 3b\n"
      "4:\n\t"
      "pop {r4-r7, pc}");
}

#define FIRST             \
  "ldm r1!, {r2, r3}\n\t" \
  "ldm r0!, {r4, r5}\n\t" \
  "muls r2, r4, r2\n\t"   \
  "muls r3, r4, r3\n\t"   \
  "ldm r1!, {r6, r7}\n\t" \
  "muls r6, r5, r6\n\t"   \
  "adds r2, r2, r6\n\t"   \
  "muls r7, r5, r7\n\t"   \
  "adds r3, r3, r7\n\t"
#define PAIR              \
  "ldm r0!, {r4, r5}\n\t" \
  "ldm r1!, {r6, r7}\n\t" \
  "muls r6, r4, r6\n\t"   \
  "adds r2, r2, r6\n\t"   \
  "muls r7, r4, r7\n\t"   \
  "adds r3, r3, r7\n\t"   \
  "ldm r1!, {r6, r7}\n\t" \
  "muls r6, r5, r6\n\t"   \
  "adds r2, r2, r6\n\t"   \
  "muls r7, r5, r7\n\t"   \
  "adds r3, r3, r7\n\t"

/* r0 x, r1 table, r2 end of x, r3 sums. The four sums are in r8 to r11, two halves each in r2 and r3. */
static __attribute__((naked, noinline)) const int32_t *run_blocks(const int32_t *x, const int32_t *table,
                                                                  const int32_t *end, int32_t *sums) {
  __asm__(
      ".syntax unified\n\t"
      "push {r4-r7, lr}\n\t"
      "mov r4, r8\n\t"
      "mov r5, r9\n\t"
      "mov r6, r10\n\t"
      "mov r7, r11\n\t"
      "push {r4-r7}\n\t"
      "mov r12, r2\n\t"
      "mov lr, r3\n\t"
      "movs r2, #0\n\t"
      "mov r8, r2\n\t"
      "mov r9, r2\n\t"
      "mov r10, r2\n\t"
      "mov r11, r2\n"
      "1:\n\t" FIRST
      "ldm r1!, {r6}\n\t"
      "add pc, r6\n\t"
      "nop\n\t" /* the jump counts from behind here */
      PAIR PAIR PAIR PAIR PAIR PAIR PAIR
      "sxth r4, r2\n\t"
      "add r8, r4\n\t"
      "subs r2, r2, r4\n\t"
      "asrs r2, r2, #16\n\t"
      "add r9, r2\n\t"
      "sxth r4, r3\n\t"
      "add r10, r4\n\t"
      "subs r3, r3, r4\n\t"
      "asrs r3, r3, #16\n\t"
      "add r11, r3\n\t"
      "cmp r0, r12\n\t"
      "bne 1b\n\t"
      "movs r0, r1\n\t"
      "mov r1, lr\n\t"
      "mov r2, r8\n\t"
      "mov r3, r9\n\t"
      "mov r4, r10\n\t"
      "mov r5, r11\n\t"
      "stm r1!, {r2-r5}\n\t"
      "pop {r4-r7}\n\t"
      "mov r8, r4\n\t"
      "mov r9, r5\n\t"
      "mov r10, r6\n\t"
      "mov r11, r7\n\t"
      "pop {r4-r7, pc}");
}

#pragma GCC diagnostic pop

#else

int32_t *thr_fields_widen(int32_t *to, const int8_t *from, int32_t n) {
  for (; n > 0; n--) *to++ = *from++;
  return to;
}

typedef struct halves {
  uint32_t first, second;
} halves;

static inline void add_tap(halves *h, int32_t x, const int32_t *w) {
  h->first += (uint32_t)x * (uint32_t)w[0];
  h->second += (uint32_t)x * (uint32_t)w[1];
}

/* Adds the lower half to sums[0], the upper one to sums[1]. */
static inline void take_halves(uint32_t h, int32_t *sums) {
  const int32_t low = (int16_t)(uint16_t)h;
  sums[0] = thr_wrap_add(sums[0], low);
  sums[1] = thr_wrap_add(sums[1], (int32_t)(h - (uint32_t)low) >> 16);
}

/* The blocks of four channels; returns what follows them. */
static inline const int32_t *run_blocks(const int32_t *x, const int32_t *w, const int32_t *end, int32_t *sums) {
  sums[0] = sums[1] = sums[2] = sums[3] = 0;
  do {
    halves h = {0, 0};
    add_tap(&h, x[0], w);
    add_tap(&h, x[1], w + 2);
    int32_t skip = w[4];
    w += 5;
    x += 2;
    for (; skip != THR_FIELDS_END; skip += THR_FIELDS_STEP, x += 2, w += 4) {
      add_tap(&h, x[0], w);
      add_tap(&h, x[1], w + 2);
    }
    take_halves(h.first, sums);
    take_halves(h.second, sums + 2);
  } while (x != end);
  return w;
}

#endif

void thr_fields_window(const int32_t *x, int32_t pairs, const void *packed, int32_t out_c, int32_t least, int8_t *out) {
  const int32_t *w = (const int32_t *)packed, *end = x + 2 * pairs;
  int32_t sums[THR_FIELDS_CHANNELS];
  for (; out_c > 0; out_c -= THR_FIELDS_CHANNELS) {
    w = run_blocks(x, w, end, sums);
    const thr_fields_scale *s = (const thr_fields_scale *)(const void *)w;
    const int32_t n = out_c < THR_FIELDS_CHANNELS ? out_c : THR_FIELDS_CHANNELS;
    for (int32_t i = 0; i < n; i++) *out++ = thr_fields_finish(&s[i], sums[i], least);
    w = (const int32_t *)(const void *)(s + THR_FIELDS_CHANNELS);
  }
}
