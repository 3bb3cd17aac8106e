/* Sums and maps over rows of channels (batch norm, bias gradients), and the matrix transpose.
 *
 * Each channel is summed over the rows in order, so the number of lanes does not matter. Blocks of up to four vectors
 * of channels stay in registers while the rows pass. SPDX-License-Identifier: Apache-2.0 */
#include "math/kernel/kernel.h"

#define WIDE (4 * TH_LANES)

TH_INLINE void column_block(const float *x, int64_t rows, ptrdiff_t c, float *sum, int vecs) {
  vec acc[4];
#pragma GCC unroll 4
  for (int v = 0; v < vecs; v++) acc[v] = vec_load(sum + v * TH_LANES);
  for (int64_t r = 0; r < rows; r++, x += c)
#pragma GCC unroll 4
    for (int v = 0; v < vecs; v++) acc[v] += vec_load(x + v * TH_LANES);
#pragma GCC unroll 4
  for (int v = 0; v < vecs; v++) vec_store(sum + v * TH_LANES, acc[v]);
}

void TH_KERNEL(column_sums)(const float *x, int64_t rows, int c, float *sum) {
  int ch = 0;
  for (; ch + WIDE <= c; ch += WIDE) column_block(x + ch, rows, c, sum + ch, 4);
  for (; ch + TH_LANES <= c; ch += TH_LANES) column_block(x + ch, rows, c, sum + ch, 1);
  for (int64_t r = 0; r < rows && ch < c; r++)
    for (int i = ch; i < c; i++) sum[i] += x[r * c + i];
}

TH_INLINE void moments_block(const float *x, int64_t rows, ptrdiff_t c, const float *shift, float *sum, float *sum2,
                             int vecs) {
  vec a[4], b[4], s[4];
#pragma GCC unroll 4
  for (int v = 0; v < vecs; v++) a[v] = b[v] = (vec){0}, s[v] = vec_load(shift + v * TH_LANES);
  for (int64_t r = 0; r < rows; r++, x += c)
#pragma GCC unroll 4
    for (int v = 0; v < vecs; v++) {
      vec t = vec_load(x + v * TH_LANES) - s[v];
      a[v] += t;
      b[v] += t * t;
    }
#pragma GCC unroll 4
  for (int v = 0; v < vecs; v++) vec_store(sum + v * TH_LANES, a[v]), vec_store(sum2 + v * TH_LANES, b[v]);
}

void TH_KERNEL(moments)(const float *x, int64_t rows, int c, const float *shift, float *sum, float *sum2) {
  int ch = 0;
  for (; ch + WIDE <= c; ch += WIDE) moments_block(x + ch, rows, c, shift + ch, sum + ch, sum2 + ch, 4);
  for (; ch + TH_LANES <= c; ch += TH_LANES) moments_block(x + ch, rows, c, shift + ch, sum + ch, sum2 + ch, 1);
  for (int i = ch; i < c; i++) {
    float a = 0, b = 0;
    for (int64_t r = 0; r < rows; r++) {
      float t = x[r * c + i] - shift[i];
      a += t;
      b += t * t;
    }
    sum[i] = a;
    sum2[i] = b;
  }
}

/* What passes the gate: dy where the relu's argument, computed as affine() did, is positive. */
typedef struct gate_block {
  vec scale[4], shift[4];
  bool on;
} gate_block;

TH_INLINE gate_block gate_load(const th_gate *gate, int ch, int vecs) {
  gate_block b = {.on = gate != NULL};
#pragma GCC unroll 4
  for (int v = 0; v < vecs && gate; v++) {
    b.scale[v] = vec_load(gate->scale + ch + v * TH_LANES);
    b.shift[v] = vec_load(gate->shift + ch + v * TH_LANES);
  }
  return b;
}
TH_INLINE vec vec_where_positive(vec test, vec v) {
  return (vec)((test > 0) & (ivec)v);
}
TH_INLINE vec gate_pass(const gate_block *b, int v, vec x, vec dy) {
  return b->on ? vec_where_positive(x * b->scale[v] + b->shift[v], dy) : dy;
}
TH_INLINE float gate_pass_one(const th_gate *gate, int ch, float x, float dy) {
  return !gate || x * gate->scale[ch] + gate->shift[ch] > 0 ? dy : 0;
}

TH_INLINE void moments_grad_block(const float *x, const float *dy, int64_t rows, ptrdiff_t c, const float *shift,
                                  gate_block gate, float *sum, float *sum_x, int vecs) {
  vec a[4], b[4], s[4];
#pragma GCC unroll 4
  for (int v = 0; v < vecs; v++) a[v] = b[v] = (vec){0}, s[v] = vec_load(shift + v * TH_LANES);
  for (int64_t r = 0; r < rows; r++, x += c, dy += c)
#pragma GCC unroll 4
    for (int v = 0; v < vecs; v++) {
      vec in = vec_load(x + v * TH_LANES), g = gate_pass(&gate, v, in, vec_load(dy + v * TH_LANES)), t = in - s[v];
      a[v] += g;
      b[v] += g * t;
    }
#pragma GCC unroll 4
  for (int v = 0; v < vecs; v++) vec_store(sum + v * TH_LANES, a[v]), vec_store(sum_x + v * TH_LANES, b[v]);
}

TH_INLINE void moments_grad(const float *x, const float *dy, int64_t rows, int c, const float *shift,
                            const th_gate *gate, float *sum, float *sum_x) {
  int ch = 0;
  for (; ch + WIDE <= c; ch += WIDE)
    moments_grad_block(x + ch, dy + ch, rows, c, shift + ch, gate_load(gate, ch, 4), sum + ch, sum_x + ch, 4);
  for (; ch + TH_LANES <= c; ch += TH_LANES)
    moments_grad_block(x + ch, dy + ch, rows, c, shift + ch, gate_load(gate, ch, 1), sum + ch, sum_x + ch, 1);
  for (int i = ch; i < c; i++) {
    float a = 0, b = 0;
    for (int64_t r = 0; r < rows; r++) {
      float g = gate_pass_one(gate, i, x[r * c + i], dy[r * c + i]), t = x[r * c + i] - shift[i];
      a += g;
      b += g * t;
    }
    sum[i] = a;
    sum_x[i] = b;
  }
}

void TH_KERNEL(moments_grad)(const float *x, const float *dy, int64_t rows, int c, const float *shift,
                             const th_gate *gate, float *sum, float *sum_x) {
  if (gate)
    moments_grad(x, dy, rows, c, shift, gate, sum, sum_x);
  else
    moments_grad(x, dy, rows, c, shift, NULL, sum, sum_x);
}

TH_INLINE void affine_block(const float *x, int64_t rows, ptrdiff_t c, const float *scale, const float *shift, float *y,
                            bool relu, int vecs) {
  vec a[4], b[4];
#pragma GCC unroll 4
  for (int v = 0; v < vecs; v++) a[v] = vec_load(scale + v * TH_LANES), b[v] = vec_load(shift + v * TH_LANES);
  for (int64_t r = 0; r < rows; r++, x += c, y += c)
#pragma GCC unroll 4
    for (int v = 0; v < vecs; v++) {
      vec t = vec_load(x + v * TH_LANES) * a[v] + b[v];
      vec_store(y + v * TH_LANES, relu ? vec_where_positive(t, t) : t);
    }
}

TH_INLINE void affine(const float *x, int64_t rows, int c, const float *scale, const float *shift, float *y,
                      bool relu) {
  int ch = 0;
  for (; ch + WIDE <= c; ch += WIDE) affine_block(x + ch, rows, c, scale + ch, shift + ch, y + ch, relu, 4);
  for (; ch + TH_LANES <= c; ch += TH_LANES) affine_block(x + ch, rows, c, scale + ch, shift + ch, y + ch, relu, 1);
  for (int64_t r = 0; r < rows && ch < c; r++)
    for (int i = ch; i < c; i++) {
      float t = x[r * c + i] * scale[i] + shift[i];
      y[r * c + i] = t > 0 || !relu ? t : 0;
    }
}

void TH_KERNEL(affine)(const float *x, int64_t rows, int c, const float *scale, const float *shift, float *y,
                       bool relu) {
  if (relu)
    affine(x, rows, c, scale, shift, y, true);
  else
    affine(x, rows, c, scale, shift, y, false);
}

TH_INLINE void affine_grad_block(const float *x, const float *dy, int64_t rows, ptrdiff_t c, const float *a,
                                 const float *b, const float *d, gate_block gate, float *dx, bool acc, int vecs) {
  vec va[4], vb[4], vd[4];
#pragma GCC unroll 4
  for (int v = 0; v < vecs; v++) {
    va[v] = vec_load(a + v * TH_LANES);
    vb[v] = vec_load(b + v * TH_LANES);
    vd[v] = vec_load(d + v * TH_LANES);
  }
  for (int64_t r = 0; r < rows; r++, x += c, dy += c, dx += c)
#pragma GCC unroll 4
    for (int v = 0; v < vecs; v++) {
      vec in = vec_load(x + v * TH_LANES), t = in * vb[v] + vd[v];
      t = gate_pass(&gate, v, in, vec_load(dy + v * TH_LANES)) * va[v] + t;
      vec_store(dx + v * TH_LANES, acc ? vec_load(dx + v * TH_LANES) + t : t);
    }
}

TH_INLINE void affine_grad(const float *x, const float *dy, int64_t rows, int c, const float *a, const float *b,
                           const float *d, const th_gate *gate, float *dx, bool acc) {
  int ch = 0;
  for (; ch + WIDE <= c && !acc; ch += WIDE)
    affine_grad_block(x + ch, dy + ch, rows, c, a + ch, b + ch, d + ch, gate_load(gate, ch, 4), dx + ch, false, 4);
  for (; ch + TH_LANES <= c; ch += TH_LANES)
    affine_grad_block(x + ch, dy + ch, rows, c, a + ch, b + ch, d + ch, gate_load(gate, ch, 1), dx + ch, acc, 1);
  for (int64_t r = 0; r < rows && ch < c; r++)
    for (int i = ch; i < c; i++) {
      float t = x[r * c + i] * b[i] + d[i];
      t = gate_pass_one(gate, i, x[r * c + i], dy[r * c + i]) * a[i] + t;
      dx[r * c + i] = acc ? dx[r * c + i] + t : t;
    }
}

void TH_KERNEL(affine_grad)(const float *x, const float *dy, int64_t rows, int c, const float *a, const float *b,
                            const float *d, const th_gate *gate, float *dx, bool acc) {
  if (gate)
    affine_grad(x, dy, rows, c, a, b, d, gate, dx, acc);
  else
    affine_grad(x, dy, rows, c, a, b, d, NULL, dx, acc);
}

TH_INLINE void transpose_block(const float *x, ptrdiff_t x_row, int r, int c, float *y, ptrdiff_t y_row, bool acc) {
  vec8 block[8];
  if (r == 8 && c == 8) {
    transpose8(x, x_row, block);
    for (int i = 0; i < 8; i++) {
      vec8 v = acc ? vec8_load(y + i * y_row) + block[i] : block[i];
      memcpy(y + i * y_row, &v, sizeof v);
    }
    return;
  }
  for (int i = 0; i < c; i++)
    for (int j = 0; j < r; j++) y[i * y_row + j] = x[j * x_row + i] + (acc ? y[i * y_row + j] : 0);
}

void TH_KERNEL(transpose)(const float *x, ptrdiff_t x_row, int r, int c, float *y, ptrdiff_t y_row, bool acc) {
  for (int i = 0; i < r; i += 8)
    for (int j = 0; j < c; j += 8)
      transpose_block(x + i * x_row + j, x_row, r - i < 8 ? r - i : 8, c - j < 8 ? c - j : 8, y + j * y_row + i, y_row,
                      acc);
}
