/* See depthwise_columns_s8_small.h. SPDX-License-Identifier: Apache-2.0 */
#include "depthwise_columns_s8_small.h"

#include "thr_form.h"

#if defined(__thumb__) && !defined(__thumb2__)

#define THREE                 \
  "ldm r0!, {r2, r3, r4}\n\t" \
  "ldm r1!, {r5, r6, r7}\n\t" \
  "muls r2, r5, r2\n\t"       \
  "muls r3, r6, r3\n\t"       \
  "muls r4, r7, r4\n\t"       \
  "adds r2, r2, r3\n\t"       \
  "adds r2, r2, r4\n\t"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter" /* the assembly reads them */
/* r0 window, r1 weights */
static __attribute__((naked, noinline)) int32_t dot9(const int32_t *window, const int32_t *w) {
  __asm__(
      ".syntax unified\n\t"
      "push {r4-r7, lr}\n\t" THREE "mov r12, r2\n\t" THREE "add r12, r2\n\t" THREE
      "add r2, r12\n\t"
      "movs r0, r2\n\t"
      "pop {r4-r7, pc}");
}

#pragma GCC diagnostic pop

#else

static inline int32_t dot9(const int32_t *window, const int32_t *w) {
  uint32_t sum = 0;
  for (int i = 0; i < THR_COLUMNS_TAPS; i++) sum += (uint32_t)window[i] * (uint32_t)w[i];
  return (int32_t)sum;
}

#endif

/* Columns [0, n) of no point. */
static int32_t *put_padding(int32_t *to, int32_t n, int32_t zero) {
  for (; n > 0; n--, to += 3) to[0] = to[1] = to[2] = zero;
  return to;
}

/* `line`: the channel in the first point of each line; all three are inside the image. */
static int32_t *put_columns(int32_t *to, const int8_t *const *line, int32_t n, int32_t step) {
  const int8_t *a = line[0], *b = line[1], *c = line[2];
  for (; n > 0; n--, to += 3) {
    to[0] = *a, to[1] = *b, to[2] = *c;
    a += step, b += step, c += step;
  }
  return to;
}

/* Some of the lines are NULL. */
static int32_t *put_border_columns(int32_t *to, const int8_t *const *line, int32_t n, int32_t step, int32_t zero) {
  for (int32_t x = 0, at = 0; x < n; x++, at += step) {
    for (int i = 0; i < 3; i++) *to++ = line[i] ? line[i][at] : zero;
  }
  return to;
}

/* The columns of the lines from y0 on of the channel that begins at `in`. */
static void put_line(const thr_conv2d_params *p, const int8_t *in, int32_t y0, int32_t *to) {
  const int8_t *line[3];
  const int32_t left = thr_columns_of(p) - p->pad_x, n = left < p->in_x ? left : p->in_x;
  int inside = 1;
  for (int i = 0; i < 3; i++) {
    const int32_t y = y0 + i;
    line[i] = y >= 0 && y < p->in_y ? in + y * p->in_x * p->in_c : NULL;
    inside = inside && line[i];
  }
  to = put_padding(to, p->pad_x, p->in_zero);
  to = inside ? put_columns(to, line, n, p->in_c) : put_border_columns(to, line, n, p->in_c, p->in_zero);
  (void)put_padding(to, left - n, p->in_zero);
}

static void run_channel(const thr_conv2d_params *p, const thr_columns_channel *c, const int8_t *in, int8_t *out,
                        int32_t *scratch) {
  int32_t *const columns = scratch + THR_COLUMNS_TAPS;
  const int32_t step = 3 * p->stride_x, out_c = p->out_c;
  (void)thr_fields_widen(scratch, c->w, THR_COLUMNS_TAPS);
  for (int32_t y = p->out_y, y0 = -p->pad_y; y > 0; y--, y0 += p->stride_y) {
    const int32_t *window = columns;
    put_line(p, in, y0, columns);
    for (int32_t x = p->out_x; x > 0; x--, window += step, out += out_c)
      *out = thr_fields_finish(&c->scale, dot9(window, scratch), p->lo);
  }
}

void thr_depthwise_columns_s8_small(const thr_conv2d_params *p, const void *packed, const int8_t *in, int8_t *out,
                                    void *scratch) {
  const thr_columns_channel *channel = (const thr_columns_channel *)packed;
  for (int32_t c = 0; c < p->out_c; c++) run_channel(p, &channel[c], in + c, out + c, (int32_t *)scratch);
}
