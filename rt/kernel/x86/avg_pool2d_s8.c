/* Average pooling, int8, a vector of channels at a time; what remains of the channels is done one by one.
 * Sums and their quotients are exact in float32: a window of at most 2^15 points has a sum below 2^22.
 * SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"
#include "x86.h"

enum { MOST_POINTS = 1 << 15 };

int THR_X86_NAME(avg_pool2d_s8_need)(const thr_pool2d_params *p, thr_need *need) {
  need->packed_bytes = need->scratch_bytes = 0;
  return p->lo <= p->hi && (int32_t)p->kernel_y * p->kernel_x <= MOST_POINTS;
}

void THR_X86_NAME(avg_pool2d_s8_pack)(const thr_pool2d_params *p, void *packed) {
  (void)p;
  (void)packed;
}

typedef struct window {
  const int8_t *in; /* its first point inside */
  int32_t rows, columns;
  size_t line, c; /* bytes of an input row and of a point */
} window;

static int32_t sum_channel(const window *w, int32_t c) {
  int32_t sum = 0;
  for (int32_t y = 0; y < w->rows; y++)
    for (int32_t x = 0; x < w->columns; x++) sum += w->in[(size_t)y * w->line + (size_t)x * w->c + (size_t)c];
  return sum;
}

static int8_t mean_channel(const thr_pool2d_params *p, const window *w, int32_t c) {
  const int32_t n = w->rows * w->columns, sum = n > 0 ? sum_channel(w, c) : 0;
  const int32_t mean = n <= 0 ? 0 : sum > 0 ? (sum + n / 2) / n : (sum - n / 2) / n;
  return (int8_t)thr_clamp(mean, p->lo, p->hi);
}

/* Sums of `count` vectors of channels from c on. */
THR_INLINE void sum_vectors(const window *w, int32_t c, thr_vec *acc, int count) {
  THR_UNROLL
  for (int v = 0; v < count; v++) acc[v] = thr_v_set(0);
  for (int32_t y = 0; y < w->rows; y++) {
    const int8_t *from = w->in + (size_t)y * w->line + c;
    for (int32_t x = 0; x < w->columns; x++, from += w->c) {
      THR_UNROLL
      for (int v = 0; v < count; v++) acc[v] = thr_v_add(acc[v], thr_v_widen(from + v * THR_LANES));
    }
  }
}

static void run_window(const thr_pool2d_params *p, const window *w, int8_t *out) {
  const int32_t n = w->rows * w->columns;
  int32_t c = 0;
  for (; n > 0 && c + THR_QUAD <= p->c; c += THR_QUAD) {
    thr_vec v[4];
    sum_vectors(w, c, v, 4);
    THR_UNROLL
    for (int i = 0; i < 4; i++) v[i] = thr_v_divide(thr_v_away(v[i], n / 2), (float)n);
    thr_v_store(out + c, thr_v_narrow(v[0], v[1], v[2], v[3], thr_v_set8(p->lo), thr_v_set8(p->hi)));
  }
  for (; c < p->c; c++) out[c] = mean_channel(p, w, c);
}

static void run_sample(const thr_pool2d_params *p, const int8_t *in, int8_t *out) {
  for (int32_t y = 0; y < p->out_y; y++) {
    int32_t y_begin, y_end, x_begin, x_end;
    const int32_t y0 = y * p->stride_y - p->pad_y;
    thr_window(y0, p->kernel_y, 1, p->in_y, &y_begin, &y_end);
    for (int32_t x = 0; x < p->out_x; x++, out += p->c) {
      const int32_t x0 = x * p->stride_x - p->pad_x;
      thr_window(x0, p->kernel_x, 1, p->in_x, &x_begin, &x_end);
      const int inside = y_end > y_begin && x_end > x_begin;
      window w = {in, inside ? y_end - y_begin : 0, inside ? x_end - x_begin : 0, 0, (size_t)p->c};
      w.line = (size_t)p->in_x * w.c;
      if (inside) w.in = in + (size_t)(y0 + y_begin) * w.line + (size_t)(x0 + x_begin) * w.c;
      run_window(p, &w, out);
    }
  }
}

void THR_X86_NAME(avg_pool2d_s8)(const thr_pool2d_params *p, const void *packed, const thr_batch *b, void *scratch) {
  (void)packed;
  (void)scratch;
  for (int32_t i = 0; i < b->samples; i++)
    run_sample(p, b->in[0] + (size_t)i * b->in_step[0], b->out + (size_t)i * b->out_step);
}
