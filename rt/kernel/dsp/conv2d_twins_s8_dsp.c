/* Convolution for Armv7E-M, twins of weights. See conv2d_twins_s8_dsp.h.
 *
 * The loop does 16 products in 12 instructions: 4 words of two columns, 2 words of weights, and for each of these
 * SXTB16 and four SMLAD. SPDX-License-Identifier: Apache-2.0 */
#include "thr_fast.h"

#include "conv2d_twins_s8_dsp.h"

#include "thr_form.h"

/* acc[0..1]: both and second (twins.h) of the first column, acc[2..3] of the second one. quads >= 1. */
#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP

#define QUAD                  \
  "ldrd r2, r3, [r0], #8\n"   \
  "ldmia r1!, {r4-r7}\n"      \
  "sxtb16 r12, r2\n"          \
  "smlad r8, r2, r4, r8\n"    \
  "smlad r9, r12, r4, r9\n"   \
  "smlad r10, r2, r6, r10\n"  \
  "smlad r11, r12, r6, r11\n" \
  "sxtb16 r12, r3\n"          \
  "smlad r8, r3, r5, r8\n"    \
  "smlad r9, r12, r5, r9\n"   \
  "smlad r10, r3, r7, r10\n"  \
  "smlad r11, r12, r7, r11\n"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter" /* the assembly reads them */
__attribute__((naked, noinline)) static void dot_2x2(const uint32_t *weights, const uint32_t *columns, int32_t quads,
                                                     int32_t *acc) {
  __asm(THR_TWIN_LOOP(QUAD, 4));
}
#pragma GCC diagnostic pop

#else

static void dot_2x2(const uint32_t *weights, const uint32_t *columns, int32_t quads, int32_t *acc) {
  for (int32_t i = 0; i < 2 * quads; i++, weights++) {
    for (int32_t column = 0; column < 2; column++) {
      const uint32_t x = columns[(i >> 1) * 4 + 2 * column + (i & 1)];
      acc[2 * column] = thr_smlad(*weights, x, acc[2 * column]);
      acc[2 * column + 1] = thr_smlad(thr_sxtb16(*weights), x, acc[2 * column + 1]);
    }
  }
}

#endif

/* --- columns --- */

/* `n` elements, the last four filled up with zeros; returns where the column goes on. */
static uint32_t *widen(const int8_t *from, int32_t n, uint32_t *to) {
  for (; n >= 4; n -= 4, from += 4, to += 4) {
    const uint32_t four = thr_load4(from);
    to[0] = thr_sxtb16(four);
    to[1] = thr_sxtb16_ror8(four);
  }
  if (n > 0) {
    uint32_t rest = 0;
    memcpy(&rest, from, (size_t)n);
    to[0] = thr_sxtb16(rest);
    to[1] = thr_sxtb16_ror8(rest);
    to += 4;
  }
  return to;
}

static uint32_t *fill(uint32_t two, int32_t n, uint32_t *to) {
  for (; n > 0; n -= 4, to += 4) to[0] = to[1] = two;
  return to;
}

typedef struct window { /* of an output pixel */
  int32_t y0, x0, kx, kx_end;
} window;

static const int8_t *line_of(const thr_conv2d_params *p, const int8_t *in, const window *w, int32_t ky) {
  const int32_t y = w->y0 + ky * p->dilation_y;
  if (y < 0 || y >= p->in_y || w->kx >= w->kx_end) return NULL;
  return in + ((size_t)y * (size_t)p->in_x + (size_t)(w->x0 + w->kx * p->dilation_x)) * (size_t)p->in_c;
}

/* Taps are whole quads. */
static void widen_window(const thr_conv2d_params *p, const int8_t *in, const window *w, uint32_t *to) {
  const int32_t c = p->in_c;
  const uint32_t zero = thr_pkhbt((uint32_t)p->in_zero, (uint32_t)p->in_zero);
  for (int32_t ky = 0; ky < p->kernel_y; ky++) {
    const int8_t *line = line_of(p, in, w, ky);
    if (!line) {
      to = fill(zero, p->kernel_x * c, to);
      continue;
    }
    to = fill(zero, w->kx * c, to);
    if (p->dilation_x == 1)
      to = widen(line, (w->kx_end - w->kx) * c, to);
    else
      for (int32_t kx = w->kx; kx < w->kx_end; kx++, line += p->dilation_x * c) to = widen(line, c, to);
    to = fill(zero, (p->kernel_x - w->kx_end) * c, to);
  }
}

/* Taps of any size are put side by side first. */
static void gather_window(const thr_conv2d_params *p, const int8_t *in, const window *w, int8_t *to) {
  const int32_t c = p->in_c, line_bytes = p->kernel_x * c;
  for (int32_t ky = 0; ky < p->kernel_y; ky++, to += line_bytes) {
    const int8_t *line = line_of(p, in, w, ky);
    if (!line || w->kx > 0 || w->kx_end < p->kernel_x) memset(to, p->in_zero, (size_t)line_bytes);
    if (!line) continue;
    int8_t *tap = to + w->kx * c;
    const int32_t run = p->dilation_x == 1 ? (w->kx_end - w->kx) * c : c;
    for (int32_t kx = w->kx * c; kx < w->kx_end * c; kx += run, line += p->dilation_x * c)
      for (int32_t i = 0; i < run; i++) *tap++ = line[i];
  }
}

static void put_column(const thr_conv2d_params *p, const int8_t *in, int32_t y, int32_t x, uint32_t *to, int8_t *room) {
  window w = {y * p->stride_y - p->pad_y, x * p->stride_x - p->pad_x, 0, 0};
  thr_window(w.x0, p->kernel_x, p->dilation_x, p->in_x, &w.kx, &w.kx_end);
  if (w.kx_end < w.kx) w.kx_end = w.kx;
  if ((p->in_c & 3) == 0) {
    widen_window(p, in, &w, to);
  } else if (p->kernel_y == 1 && p->kernel_x == 1 && line_of(p, in, &w, 0)) {
    widen(line_of(p, in, &w, 0), p->in_c, to);
  } else {
    gather_window(p, in, &w, room);
    widen(room, thr_twins_row(p), to);
  }
}

/* --- all rows --- */

THR_ALWAYS_INLINE void all_rows(int32_t out_c, int32_t quads, const uint32_t *pair, const uint32_t *columns,
                                int8_t *out0, int8_t *out1, const thr_twin_range range) {
  for (int32_t left = out_c; left > 0; left -= 2) {
    int32_t acc[4] = {(int32_t)pair[1], (int32_t)pair[1], (int32_t)pair[1], (int32_t)pair[1]};
    const uint32_t begin = pair[0];
    pair += THR_TWIN_HEAD;
    dot_2x2(pair, columns, quads, acc);
    pair += 2 * quads;
    const thr_twin_scale s = thr_twin_scale_of(pair, range.zero2);
    pair += THR_TWIN_TAIL;
    *out0++ = thr_twin_finish(thr_twin_first(acc[0], acc[1], begin), &s, 0, range);
    *out1++ = thr_twin_finish(thr_twin_first(acc[2], acc[3], begin), &s, 0, range);
    if (left == 1) break;
    *out0++ = thr_twin_finish(acc[1], &s, 1, range);
    *out1++ = thr_twin_finish(acc[3], &s, 1, range);
  }
}

static void all_rows_by_range(const thr_conv2d_params *p, int32_t quads, const uint32_t *packed,
                              const uint32_t *columns, int8_t *out0, int8_t *out1) {
  THR_TWIN_BY_RANGE(p, all_rows, p->out_c, quads, packed, columns, out0, out1);
}

void thr_conv2d_twins_s8_dsp(const thr_conv2d_params *p, const void *packed, const int8_t *in, int8_t *out,
                             void *scratch) {
  const int32_t quads = thr_twin_quads(thr_twins_row(p));
  uint32_t *columns = scratch;
  int8_t *room = (int8_t *)(columns + 4 * quads);
  int32_t y = 0, x = 0;
  for (int32_t left = p->out_y * p->out_x; left > 0; left -= 2) {
    for (int32_t i = 0; i < 2; i++) { /* an odd last pixel keeps itself company */
      put_column(p, in, y, x, columns + 2 * i, room);
      if (left > 1 && ++x == p->out_x) x = 0, y++;
    }
    all_rows_by_range(p, quads, packed, columns, out, left > 1 ? out + p->out_c : out);
    out += 2 * p->out_c;
  }
}
