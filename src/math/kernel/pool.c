/* Pooling: windows are clipped to the image, so padding is never read. Inner loops run over channels.
 * SPDX-License-Identifier: Apache-2.0 */
#include "math/kernel/kernel.h"

typedef struct clip { /* window of output (oy, ox), clipped: rows [y0, y1), columns [x0, x1) */
  int y0, y1, x0, x1;
} clip;

static clip clip_window(const th_pool *p, int oy, int ox) {
  clip w = {oy * p->stride_y - p->top, 0, ox * p->stride_x - p->left, 0};
  w.y1 = w.y0 + p->kernel_y < p->in_y ? w.y0 + p->kernel_y : p->in_y;
  w.x1 = w.x0 + p->kernel_x < p->in_x ? w.x0 + p->kernel_x : p->in_x;
  w.y0 = w.y0 < 0 ? 0 : w.y0;
  w.x0 = w.x0 < 0 ? 0 : w.x0;
  return w;
}

void TH_KERNEL(max_pool)(const th_pool *p, const float *x, float *y) {
  const int c = p->channels;
  for (int oy = 0; oy < p->out_y; oy++)
    for (int ox = 0; ox < p->out_x; ox++, y += c) {
      clip w = clip_window(p, oy, ox);
      memcpy(y, x + ((ptrdiff_t)w.y0 * p->in_x + w.x0) * c, sizeof(float) * (size_t)c);
      for (int iy = w.y0; iy < w.y1; iy++)
        for (int ix = w.x0; ix < w.x1; ix++) {
          const float *from = x + ((ptrdiff_t)iy * p->in_x + ix) * c;
          for (int i = 0; i < c; i++) y[i] = from[i] > y[i] ? from[i] : y[i];
        }
    }
}

void TH_KERNEL(avg_pool)(const th_pool *p, const float *x, float *y) {
  const int c = p->channels;
  for (int oy = 0; oy < p->out_y; oy++)
    for (int ox = 0; ox < p->out_x; ox++, y += c) {
      clip w = clip_window(p, oy, ox);
      float share = 1.0f / (float)((w.y1 - w.y0) * (w.x1 - w.x0));
      memset(y, 0, sizeof(float) * (size_t)c);
      for (int iy = w.y0; iy < w.y1; iy++)
        for (int ix = w.x0; ix < w.x1; ix++) {
          const float *from = x + ((ptrdiff_t)iy * p->in_x + ix) * c;
          for (int i = 0; i < c; i++) y[i] += from[i];
        }
      for (int i = 0; i < c; i++) y[i] *= share;
    }
}

typedef int32_t mask8 __attribute__((vector_size(32)));

/* Eight channels of one window (fewer come as copies, see below): finds each maximum, then adds dy where it is for the
 * first time. */
TH_INLINE void max_window_grad(const float *x, vec8 dy, float *dx, int rows, int columns, ptrdiff_t row, ptrdiff_t c) {
  vec8 best = vec8_load(x);
  for (int y = 0; y < rows; y++)
    for (int i = 0; i < columns; i++) {
      vec8 v = vec8_load(x + y * row + i * c);
      mask8 more = v > best;
      best = (vec8)(((mask8)v & more) | ((mask8)best & ~more));
    }
  mask8 open = (mask8){0} - 1; /* not found yet */
  for (int y = 0; y < rows; y++)
    for (int i = 0; i < columns; i++) {
      mask8 here = (vec8_load(x + y * row + i * c) == best) & open;
      float *to = dx + y * row + i * c;
      vec8 sum = vec8_load(to) + (vec8)((mask8)dy & here);
      memcpy(to, &sum, sizeof sum);
      open &= ~here;
    }
}

/* The last channels of a window, fewer than eight. */
static void max_rest_grad(const float *x, const float *dy, float *dx, int rows, int columns, ptrdiff_t row, ptrdiff_t c,
                          int n) {
  for (int i = 0; i < n; i++) {
    ptrdiff_t best = 0;
    for (int y = 0; y < rows; y++)
      for (int k = 0; k < columns; k++)
        if (x[y * row + k * c + i] > x[best + i]) best = y * row + k * c;
    dx[best + i] += dy[i];
  }
}

/* Channels in eights; the rest overlaps with the last eight where there are enough, each of its lanes counting once. */
void TH_KERNEL(max_pool_grad)(const th_pool *p, const float *x, const float *dy, float *dx) {
  const int c = p->channels, whole = c / 8 * 8;
  const ptrdiff_t row = (ptrdiff_t)p->in_x * c;
  mask8 last = {0, 1, 2, 3, 4, 5, 6, 7};
  last = last >= 8 - (c - whole);
  for (int oy = 0; oy < p->out_y; oy++)
    for (int ox = 0; ox < p->out_x; ox++, dy += c) {
      clip w = clip_window(p, oy, ox);
      const float *from = x + w.y0 * row + (ptrdiff_t)w.x0 * c;
      float *to = dx + w.y0 * row + (ptrdiff_t)w.x0 * c;
      int rows = w.y1 - w.y0, columns = w.x1 - w.x0;
      if (rows == 2 && columns == 2) /* the usual window, unrolled */
        for (int i = 0; i < whole; i += 8) max_window_grad(from + i, vec8_load(dy + i), to + i, 2, 2, row, c);
      else
        for (int i = 0; i < whole; i += 8) max_window_grad(from + i, vec8_load(dy + i), to + i, rows, columns, row, c);
      if (whole == c) continue;
      if (whole)
        max_window_grad(from + c - 8, (vec8)((mask8)vec8_load(dy + c - 8) & last), to + c - 8, rows, columns, row, c);
      else
        max_rest_grad(from, dy, to, rows, columns, row, c, c);
    }
}

void TH_KERNEL(avg_pool_grad)(const th_pool *p, const float *dy, float *dx) {
  const int c = p->channels;
  for (int oy = 0; oy < p->out_y; oy++)
    for (int ox = 0; ox < p->out_x; ox++, dy += c) {
      clip w = clip_window(p, oy, ox);
      float share = 1.0f / (float)((w.y1 - w.y0) * (w.x1 - w.x0));
      for (int iy = w.y0; iy < w.y1; iy++)
        for (int ix = w.x0; ix < w.x1; ix++) {
          float *to = dx + ((ptrdiff_t)iy * p->in_x + ix) * c;
          for (int i = 0; i < c; i++) to[i] += dy[i] * share;
        }
    }
}
