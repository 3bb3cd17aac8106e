/* Pooling: windows are clipped to the image, so padding is never read. Inner loops run over channels.
 * SPDX-License-Identifier: Apache-2.0 */
#include "math/kernel/kernel.h"

#define BLOCK 32 /* channels whose maxima are searched together in the backward pass */

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

/* Channels [0, n) of one window: finds where each maximum is, then adds dy there. */
static void max_window_grad(const th_pool *p, clip w, const float *x, const float *dy, float *dx, int n) {
  float best[BLOCK];
  int32_t where[BLOCK] = {0}, at = 0;
  const ptrdiff_t c = p->channels;
  memcpy(best, x + (w.y0 * p->in_x + w.x0) * c, sizeof(float) * (size_t)n);
  for (int iy = w.y0; iy < w.y1; iy++)
    for (int ix = w.x0; ix < w.x1; ix++, at++) {
      const float *from = x + (iy * p->in_x + ix) * c;
      for (int i = 0; i < n; i++) {
        where[i] = from[i] > best[i] ? at : where[i];
        best[i] = from[i] > best[i] ? from[i] : best[i];
      }
    }
  at = 0;
  for (int iy = w.y0; iy < w.y1; iy++)
    for (int ix = w.x0; ix < w.x1; ix++, at++) {
      float *to = dx + (iy * p->in_x + ix) * c;
      for (int i = 0; i < n; i++) to[i] += where[i] == at ? dy[i] : 0;
    }
}

void TH_KERNEL(max_pool_grad)(const th_pool *p, const float *x, const float *dy, float *dx) {
  const int c = p->channels;
  for (int oy = 0; oy < p->out_y; oy++)
    for (int ox = 0; ox < p->out_x; ox++, dy += c) {
      clip w = clip_window(p, oy, ox);
      for (int i = 0; i < c; i += BLOCK) max_window_grad(p, w, x + i, dy + i, dx + i, c - i < BLOCK ? c - i : BLOCK);
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
