/* Depthwise convolution with a 3x3 kernel, for Armv8.1-M MVE: eight channels of a pixel at once.
 *
 * Products of int8 and sums of two of them fit 16 bits (but for -128 * -128 twice, which has no table), so two taps are
 * summed before they are widened to even and odd channels. Nine pointers, one per tap, walk over the lines; where the
 * channels fill no whole eight the last results of a pixel are overwritten by the next one's first.
 * SPDX-License-Identifier: Apache-2.0 */
#include "depthwise_3x3_s8_mve.h"
#include "requantize.h"

/* Pixels side by side. A pixel takes `eights` times eight channels from each tap on, then goes `step` elements on. */
typedef struct walk {
  const int16_t *tap[THR_MVE_TAPS];
  const int8_t *packed;
  int32_t channels, eights, step;
  thr_q16 zero, lo, hi;
} walk;

#if THR_MVE_LOOPS
typedef struct frame { /* what the loop takes, at these places */
  const int16_t *tap[THR_MVE_TAPS];
  int8_t *out;         /* 36 */
  int32_t pixels;      /* 40 */
  const int8_t *table; /* 44, from here on kept on the stack */
  int32_t eights;
  int32_t step, back; /* bytes from the end of a pixel's taps, and of its output, to the next */
} frame;

/* Taps in r1 to r5 and r8 to r11, table and output, which must be in the lower eight, in r0 and r6, pixels in r12; r7
 * may be the compiler's. */
#define TAP(to, pointer)        \
  "vldrh.u16 " to ", [" pointer \
  "], #16\n"                    \
  "vldrb.s16 q4, [r0], #8\n"    \
  "vmul.i16 " to ", " to ", q4\n"
#define WIDEN             \
  "vmovlb.s16 q3, q2\n"   \
  "vmovlt.s16 q4, q2\n"   \
  "vadd.i32 q0, q0, q3\n" \
  "vadd.i32 q1, q1, q4\n"
#define TWO_TAPS(a, b) TAP("q2", a) TAP("q3", b) "vadd.i16 q2, q2, q3\n" WIDEN
#define MULTIPLY              \
  "vldrw.32 q2, [r0], #16\n"  \
  "vqrdmulh.s32 q0, q0, q2\n" \
  "vldrw.32 q2, [r0], #16\n"  \
  "vqrdmulh.s32 q1, q1, q2\n" \
  "vldrw.32 q2, [r0], #16\n"  \
  "vldrw.32 q3, [r0], #16\n"
#define AWAY_FROM_ZERO(x, right) /* thr_q32_scale() says why */ \
  "vand q4, " x ", " right                                      \
  "\n"                                                          \
  "vshr.s32 q4, q4, #31\n"                                      \
  "vadd.i32 " x ", " x ", q4\n"
#define FINISH                   \
  "vrshl.s32 q0, q0, q2\n"       \
  "vrshl.s32 q1, q1, q3\n"       \
  "vqmovnb.s32 q0, q0\n"         \
  "vqmovnt.s32 q0, q1\n"         \
  "vqadd.s16 q0, q0, %q[zero]\n" \
  "vmax.s16 q0, q0, %q[lo]\n"    \
  "vmin.s16 q0, q0, %q[hi]\n"    \
  "vstrb.16 q0, [r6], #8\n"
#define LOAD_FRAME            \
  "ldrd r1, r2, [r0, #44]\n"  \
  "ldrd r3, r4, [r0, #52]\n"  \
  "push {r1-r4}\n"            \
  "ldrd r1, r2, [r0]\n"       \
  "ldrd r3, r4, [r0, #8]\n"   \
  "ldrd r5, r8, [r0, #16]\n"  \
  "ldrd r9, r10, [r0, #24]\n" \
  "ldrd r11, r6, [r0, #32]\n" \
  "ldr r12, [r0, #40]\n"
#define NEXT_PIXEL      \
  "ldr r0, [sp, #8]\n"  \
  "cbz r0, 3f\n"        \
  "add r1, r0\n"        \
  "add r2, r0\n"        \
  "add r3, r0\n"        \
  "add r4, r0\n"        \
  "add r5, r0\n"        \
  "add r11, r0\n"       \
  "add r8, r0\n"        \
  "add r9, r0\n"        \
  "add r10, r0\n"       \
  "ldr r0, [sp, #12]\n" \
  "add r6, r0\n"        \
  "3:\n"
#define PIXELS(rounding)                                                                                              \
  __asm volatile(LOAD_FRAME                                                                                           \
                 "1:\n"                                                                                               \
                 "ldr r0, [sp]\n"                                                                                     \
                 "ldr lr, [sp, #4]\n"                                                                                 \
                 "dls lr, lr\n"                                                                                       \
                 "2:\n"                                                                                               \
                 "vldrw.32 q0, [r0], #16\n"                                                                           \
                 "vldrw.32 q1, [r0], #16\n" TWO_TAPS("r1", "r2") TWO_TAPS("r3", "r4") TWO_TAPS("r5", "r8")            \
                     TWO_TAPS("r9", "r10") TAP("q2", "r11") WIDEN MULTIPLY rounding FINISH "le lr, 2b\n" NEXT_PIXEL   \
                                                                                           "subs r12, #1\n"           \
                                                                                           "bne 1b\n"                 \
                                                                                           "add sp, #16\n"            \
                 : [at] "+r"(at)                                                                                      \
                 : [zero] "w"(p->zero), [lo] "w"(p->lo), [hi] "w"(p->hi)                                              \
                 : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "q0", "q1", "q2", "q3", \
                   "q4", "cc", "memory")

static inline void walk_on(const walk *p, int8_t *out, int32_t pixels, int relu) {
  frame f = {{NULL}, out, pixels, p->packed, p->eights, 2 * p->step, p->channels - 8 * p->eights};
  memcpy(f.tap, p->tap, sizeof f.tap);
  register const frame *at __asm("r0") = &f; /* no call from here on */
  if (relu)
    PIXELS("");
  else
    PIXELS(AWAY_FROM_ZERO("q0", "q2") AWAY_FROM_ZERO("q1", "q3"));
}
#else
static inline void eight(const walk *p, const int8_t *w, int32_t first, int8_t *out, int relu) {
  int32_t half[2][4]; /* even and odd channels */
  memcpy(half, w, sizeof half);
  for (int32_t t = 0; t < THR_MVE_TAPS; t++)
    for (int32_t c = 0; c < 8; c++) half[c & 1][c >> 1] += p->tap[t][first + c] * w[32 + 8 * t + c];
  for (int32_t h = 0; h < 2; h++) {
    const int8_t *mult = w + THR_MVE_EIGHT_BYTES - 64 + 16 * h;
    thr_q32_store(half[h], thr_q32_scale(thr_q32_load(half[h]), thr_q32_load(mult), thr_q32_load(mult + 32), relu));
  }
  for (int32_t c = 0; c < 8; c++)
    out[c] = thr_finish(half[c & 1][c >> 1], thr_q16_first(p->zero), thr_q16_first(p->lo), thr_q16_first(p->hi));
}

static inline void walk_on(const walk *p, int8_t *out, int32_t pixels, int relu) {
  for (int32_t x = 0; x < pixels; x++, out += p->channels)
    for (int32_t n = 0; n < p->eights; n++)
      eight(p, p->packed + n * THR_MVE_EIGHT_BYTES, x * (8 * p->eights + p->step) + 8 * n, out + 8 * n, relu);
}
#endif

/* One line; eights that would reach behind the output's end go to `spare` first. */
static int8_t *line_of_pixels(walk *w, int32_t pixels, int8_t *out, const int8_t *end, int8_t *spare, int relu) {
  const int32_t c = w->channels, over = 8 * w->eights - c, room = (int32_t)(end - out) - pixels * c;
  int32_t alone = over > room ? (over - room + c - 1) / c : 0;
  if (alone > pixels) alone = pixels;
  if (pixels > alone) walk_on(w, out, pixels - alone, relu);
  out += (pixels - alone) * c;
  for (int32_t t = 0; alone && t < THR_MVE_TAPS; t++) w->tap[t] += (pixels - alone) * (8 * w->eights + w->step);
  for (; alone > 0; alone--, out += c) {
    walk_on(w, spare, 1, relu);
    memcpy(out, spare, (size_t)c);
    for (int32_t t = 0; t < THR_MVE_TAPS; t++) w->tap[t] += 8 * w->eights + w->step;
  }
  return out;
}

void thr_depthwise_3x3_s8_mve(const thr_conv2d_params *p, const void *packed, const int8_t *in, int8_t *out,
                              void *scratch) {
  const int32_t c = p->out_c, eights = thr_mve_eights(c);
  const int8_t *end = out + (size_t)p->out_y * (size_t)p->out_x * (size_t)c;
  walk w = {{NULL},
            packed,
            c,
            eights,
            p->stride_x * c - 8 * eights,
            thr_q16_all(p->out_zero),
            thr_q16_all(p->lo),
            thr_q16_all(p->hi)};
  thr_mve_lines lines;
  thr_mve_lines_begin(&lines, p, (int16_t *)scratch + 4 * eights);
  for (int32_t y = 0; y < p->out_y; y++) {
    const int16_t *line[3];
    thr_mve_lines_fill(&lines, p, in, y, line);
    for (int32_t t = 0; t < THR_MVE_TAPS; t++) w.tap[t] = line[t / 3] + t % 3 * c;
    out = p->lo >= p->out_zero ? line_of_pixels(&w, p->out_x, out, end, scratch, 1)
                               : line_of_pixels(&w, p->out_x, out, end, scratch, 0);
  }
}
