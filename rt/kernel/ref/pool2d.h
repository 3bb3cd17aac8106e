/* The loop that pools share: for each output point the window's points inside the image, and what `f` makes of them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_POOL2D_H
#define THR_POOL2D_H

#include "elementwise.h"

typedef struct thr_pool_window { /* the part of a window inside the image: lines and columns of the input */
  const void *in;
  int32_t y, y_end, x, x_end, in_x, channels, c;
} thr_pool_window;

static inline int32_t thr_pool_at(const thr_pool_window *w, int32_t y, int32_t x, int bytes) {
  return thr_get(w->in, ((size_t)y * (size_t)w->in_x + (size_t)x) * (size_t)w->channels + (size_t)w->c, bytes);
}

/* Lines (or columns) [*begin, *end) of the input that a window starting at `origin` covers. */
static inline void thr_pool_span(int32_t origin, int32_t kernel, int32_t limit, int32_t *begin, int32_t *end) {
  thr_window(origin, kernel, 1, limit, begin, end);
  *begin += origin;
  *end += origin;
}

typedef int32_t thr_pool_fn(const thr_pool_window *w, int bytes);

static inline void thr_pool2d(const thr_pool2d_params *p, const void *in, void *out, int bytes, thr_pool_fn *f) {
  thr_pool_window w = {in, 0, 0, 0, 0, p->in_x, p->c, 0};
  size_t to = 0;
  for (int32_t y = 0; y < p->out_y; y++) {
    thr_pool_span(y * p->stride_y - p->pad_y, p->kernel_y, p->in_y, &w.y, &w.y_end);
    for (int32_t x = 0; x < p->out_x; x++) {
      thr_pool_span(x * p->stride_x - p->pad_x, p->kernel_x, p->in_x, &w.x, &w.x_end);
      for (w.c = 0; w.c < p->c; w.c++) thr_set(out, to++, bytes, thr_clamp(f(&w, bytes), p->lo, p->hi));
    }
  }
}

/* The largest value; the least one of the type when there is none. */
static inline int32_t thr_pool_max(const thr_pool_window *w, int bytes) {
  int32_t best = bytes == 2 ? INT16_MIN : INT8_MIN;
  for (int32_t y = w->y; y < w->y_end; y++) {
    for (int32_t x = w->x; x < w->x_end; x++) {
      const int32_t v = thr_pool_at(w, y, x, bytes);
      if (v > best) best = v;
    }
  }
  return best;
}

/* The mean, divided as avg_pool2d_s8.c says; 0 when there is no value. */
static inline int32_t thr_pool_mean(const thr_pool_window *w, int bytes) {
  const int32_t rows = w->y_end - w->y, columns = w->x_end - w->x;
  const int32_t n = rows > 0 && columns > 0 ? rows * columns : 0;
  int32_t sum = 0;
  if (n == 0) return 0;
  for (int32_t y = w->y; y < w->y_end; y++) {
    for (int32_t x = w->x; x < w->x_end; x++) sum = thr_wrap_add(sum, thr_pool_at(w, y, x, bytes));
  }
  return sum > 0 ? (sum + n / 2) / n : (sum - n / 2) / n;
}

#endif
