/* Convolution with any kernel whose lines of taps are neighbours in memory, for Armv7E-M: the windows of two output
 * pixels become columns (windows.h). A line of a window inside the image is read where it lies; one outside is a line
 * of in_zero; one that hangs over the side is composed first. SPDX-License-Identifier: Apache-2.0 */
#include "windows.h"

typedef struct gather {
  const thr_conv2d_params *p;
  const int8_t *in;
  int32_t line, rest;      /* bytes of a line of the window; of its rest */
  int32_t step, next;      /* bytes from a line of the image to the one below; of a tap to the one below */
  uint32_t ends_y, ends_x; /* one behind the last place of a window that is inside; 0: there is none */
  int32_t rest_quads;
  int8_t *rest_a, *rest_b;
  int8_t *outside; /* a line of in_zero */
} gather;

typedef struct window { /* of an output pixel */
  int32_t y, x;         /* its first tap in the image */
  int inside_x, inside; /* no line hangs over a side; nor is one above or below */
  int8_t *composed;     /* room for a line */
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

static const int8_t *line_of(const gather *g, const window *w, int32_t ky) {
  const int32_t y = w->y + ky * g->p->dilation_y;
  if ((uint32_t)y >= (uint32_t)g->p->in_y) return g->outside;
  const int8_t *image_line = g->in + y * g->step;
  return w->inside_x ? image_line + w->x * g->p->in_c : compose(g, w, image_line);
}

static void place(const gather *g, int32_t y, int32_t x, window *w) {
  const thr_conv2d_params *p = g->p;
  w->y = y * p->stride_y - p->pad_y;
  w->x = x * p->stride_x - p->pad_x;
  w->inside_x = (uint32_t)w->x < g->ends_x;
  w->inside = w->inside_x && (uint32_t)w->y < g->ends_y;
}

/* A line of both windows: its quads to the columns, its rest, up to 3 bytes, to the rests. */
static inline uint32_t *gather_line(const gather *g, const int8_t *a, const int8_t *b, int32_t ky, uint32_t *column) {
  const int32_t whole = g->line - g->rest;
  column = thr_dsp_widen(a, b, whole, column);
  if (g->rest == 0) return column;
  int8_t *to_a = g->rest_a + ky * g->rest, *to_b = g->rest_b + ky * g->rest;
  to_a[0] = a[whole];
  to_b[0] = b[whole];
  for (int32_t i = 1; i < g->rest; i++) {
    to_a[i] = a[whole + i];
    to_b[i] = b[whole + i];
  }
  return column;
}

static void gather_columns(const gather *g, const window *a, const window *b, uint32_t *column) {
  const int32_t kernel_y = g->p->kernel_y;
  if (a->inside && b->inside) {
    const int8_t *at_a = g->in + a->y * g->step + a->x * g->p->in_c, *at_b = g->in + b->y * g->step + b->x * g->p->in_c;
    for (int32_t ky = 0; ky < kernel_y; ky++, at_a += g->next, at_b += g->next)
      column = gather_line(g, at_a, at_b, ky, column);
  } else {
    for (int32_t ky = 0; ky < kernel_y; ky++) column = gather_line(g, line_of(g, a, ky), line_of(g, b, ky), ky, column);
  }
  if (g->rest > 0) (void)thr_dsp_widen(g->rest_a, g->rest_b, 4 * g->rest_quads, column);
}

static uint32_t places(int32_t in, int32_t span) {
  return in >= span ? (uint32_t)(in - span + 1) : 0;
}

static gather gather_of(const thr_conv2d_params *p, const int8_t *in, uint32_t *scratch, window w[2]) {
  gather g = {.p = p, .in = in, .line = thr_dsp_line(p), .rest = thr_dsp_rest(p), .step = p->in_x * p->in_c};
  uint32_t *at = scratch + 4 * thr_dsp_window_quads(p);
  const int32_t words = thr_dsp_line_words(p);
  g.next = g.step * p->dilation_y;
  g.rest_quads = thr_dsp_rest_quads(p);
  g.ends_x = places(p->in_x, p->kernel_x);
  g.ends_y = places(p->in_y, (p->kernel_y - 1) * p->dilation_y + 1);
  memset(at, 0, (size_t)(2 * g.rest_quads) * 4);
  g.rest_a = (int8_t *)at;
  g.rest_b = g.rest_a + 4 * g.rest_quads;
  g.outside = (int8_t *)(at + 2 * g.rest_quads);
  fill(g.outside, p->in_zero, g.line);
  for (int32_t i = 0; i < 2; i++) w[i].composed = g.outside + 4 * (i + 1) * words;
  return g;
}

void thr_conv2d_windows_s8_dsp(const thr_conv2d_params *p, const void *packed, const int8_t *in, int8_t *out,
                               void *scratch) {
  window w[2];
  const gather g = gather_of(p, in, scratch, w);
  thr_pairs pairs = thr_dsp_columns_begin(p, thr_dsp_window_quads(p), packed, scratch);
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
    thr_dsp_columns(&pairs, p->out_c, out, out + pair * p->out_c);
    out += 2 * p->out_c;
  }
}
