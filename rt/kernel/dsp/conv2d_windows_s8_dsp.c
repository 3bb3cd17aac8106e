/* Convolution with any kernel whose lines of taps are neighbours in memory, for Armv7E-M: the windows of two output
 * pixels become columns (windows.h). A line of a window inside the image is read where it lies; one outside is a line
 * of in_zero; one that hangs over the side is composed first. SPDX-License-Identifier: Apache-2.0 */
#include "windows.h"

typedef struct gather {
  const thr_conv2d_params *p;
  const int8_t *in;
  int32_t line, rest, step; /* bytes of a line of the window, of its rest, of a line of the image */
  int8_t *outside;          /* a line of in_zero */
} gather;

typedef struct window { /* of an output pixel */
  int32_t y, x;         /* its first tap in the image */

  int8_t *composed;
  int inside; /* no line hangs over a side */
} window;

static void fill(int8_t *to, int32_t value, int32_t n) {
  const uint32_t four = (uint32_t)(uint8_t)value * 0x01010101u;
  for (; n >= 4; n -= 4, to += 4) thr_store4(to, four);
  for (; n > 0; n--) *to++ = (int8_t)value;
}

static void copy(int8_t *to, const int8_t *from, int32_t n) {
  for (; n >= 4; n -= 4, to += 4, from += 4) thr_store4(to, thr_load4(from));
  for (; n > 0; n--) *to++ = *from++;
}

/* Line y of the image as the window sees it, composed of in_zero and what is inside. */
static const int8_t *compose(const gather *g, const window *w, const int8_t *image_line) {
  const thr_conv2d_params *p = g->p;
  const int32_t before = w->x < 0 ? -w->x : 0, room = p->in_x - w->x;
  const int32_t end = room < p->kernel_x ? room : p->kernel_x;
  fill(w->composed, p->in_zero, g->line);
  if (before < end)
    copy(w->composed + before * p->in_c, image_line + (w->x + before) * p->in_c, (end - before) * p->in_c);
  return w->composed;
}

static inline const int8_t *line_of(const gather *g, const window *w, int32_t ky) {
  const int32_t y = w->y + ky * g->p->dilation_y;
  if ((uint32_t)y >= (uint32_t)g->p->in_y) return g->outside;
  const int8_t *image_line = g->in + (size_t)y * (size_t)g->step;
  return w->inside ? image_line + w->x * g->p->in_c : compose(g, w, image_line);
}

static void place(const gather *g, int32_t y, int32_t x, window *w) {
  w->y = y * g->p->stride_y - g->p->pad_y;
  w->x = x * g->p->stride_x - g->p->pad_x;
  w->inside = w->x >= 0 && w->x + g->p->kernel_x <= g->p->in_x;
}

/* Fills the columns of two windows. */
static void gather_columns(const gather *g, const window *a, const window *b, uint32_t *column) {
  uint32_t *const rests = column + 4 * thr_dsp_window_quads(g->p);
  const int32_t rest_quads = thr_dsp_rest_quads(g->p);
  int8_t *rest_a = (int8_t *)rests, *rest_b = (int8_t *)(rests + rest_quads);
  for (int32_t ky = 0; ky < g->p->kernel_y; ky++) {
    const int8_t *from_a = line_of(g, a, ky), *from_b = line_of(g, b, ky);
    for (int32_t n = g->line; n >= 4; n -= 4, from_a += 4, from_b += 4, column += 4)
      thr_dsp_widen(thr_load4(from_a), thr_load4(from_b), column);
    for (int32_t n = g->rest; n > 0; n--) {
      *rest_a++ = *from_a++;
      *rest_b++ = *from_b++;
    }
  }
  for (int32_t i = 0; i < rest_quads; i++, column += 4) thr_dsp_widen(rests[i], rests[rest_quads + i], column);
}

void thr_conv2d_windows_s8_dsp(const thr_conv2d_params *p, const void *packed, const int8_t *in, int8_t *out,
                               void *scratch) {
  const int32_t quads = thr_dsp_window_quads(p), rest_quads = thr_dsp_rest_quads(p), words = thr_dsp_line_words(p);
  uint32_t *const lines = (uint32_t *)scratch + 4 * quads + 2 * rest_quads;
  const gather g = {p, in, thr_dsp_line(p), thr_dsp_rest(p), p->in_x * p->in_c, (int8_t *)lines};
  window w[2] = {{.composed = (int8_t *)(lines + words)}, {.composed = (int8_t *)(lines + 2 * words)}};
  fill(g.outside, p->in_zero, g.line);
  memset((uint32_t *)scratch + 4 * quads, 0, (size_t)(2 * rest_quads) * 4);
  int32_t y = 0, x = 0;
  for (int32_t left = p->out_y * p->out_x; left > 0; left -= 2) {
    const int32_t pair = left > 1; /* an odd last pixel keeps itself company */
    for (int32_t i = 0; i < 2; i++) {
      place(&g, y, x, &w[i]);
      if (i == 0 && !pair) continue;
      if (++x == p->out_x) {
        x = 0;
        y++;
      }
    }
    gather_columns(&g, &w[0], &w[1], scratch);
    thr_dsp_columns(p, quads, packed, scratch, out, out + pair * p->out_c);
    out += 2 * p->out_c;
  }
}
