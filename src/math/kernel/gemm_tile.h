/* The micro-kernel, for vectors of type VEC; included by gemm.c once per vector length.
 *
 * `rows` and `vecs` are compile-time constants after inlining, so the accumulators become registers.
 * SPDX-License-Identifier: Apache-2.0 */
TH_INLINE VEC NAME(load_part)(const float *p, int n) {
  float whole[sizeof(VEC) / 4] = {0};
  VEC v;
  if (n > 0) copy_columns(whole, p, n < (int)(sizeof(VEC) / 4) ? n : (int)(sizeof(VEC) / 4));
  memcpy(&v, whole, sizeof v);
  return v;
}

TH_INLINE VEC NAME(clamp)(VEC v, float lo, float hi) {
  typedef int32_t mask __attribute__((vector_size(sizeof(VEC))));
  VEC low = lo + (VEC){0}, high = hi + (VEC){0};
  mask m = v > low;
  v = (VEC)(((mask)v & m) | ((mask)low & ~m));
  m = v < high;
  return (VEC)(((mask)v & m) | ((mask)high & ~m));
}

TH_INLINE void NAME(tile)(const tile *t, const int rows, const int vecs) {
  enum { LANES = sizeof(VEC) / 4 };
  VEC acc[12][3];
  bool whole = t->columns == vecs * LANES;
#pragma GCC unroll 12
  for (int i = 0; i < rows; i++)
#pragma GCC unroll 3
    for (int v = 0; v < vecs; v++) acc[i][v] = (VEC){0};
  if (t->load || t->bias) {
    const float *from = t->load ? t->c : t->bias;
    ptrdiff_t step = t->load ? t->c_row : 0;
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 3
      for (int v = 0; v < vecs; v++) {
        if (whole)
          memcpy(&acc[i][v], from + i * step + v * LANES, sizeof(VEC));
        else
          acc[i][v] = NAME(load_part)(from + i * step + v * LANES, t->columns - v * LANES);
      }
  }
  const float *b = t->b;
  const ptrdiff_t a_row = t->a_row, a_col = t->a_col, b_row = t->b_row;
  for (int s = 0; s < t->segments; s++) {
    const float *a = t->a + t->segment[s];
    for (int k = t->k; k > 0; k--) {
      VEC bv[3];
#pragma GCC unroll 3
      for (int v = 0; v < vecs; v++) memcpy(&bv[v], b + v * LANES, sizeof(VEC));
#pragma GCC unroll 12
      for (int i = 0; i < rows; i++) {
        float x = a[i * a_row];
#pragma GCC unroll 3
        for (int v = 0; v < vecs; v++) acc[i][v] += x * bv[v];
      }
      a += a_col;
      b += b_row;
    }
  }
#pragma GCC unroll 12
  for (int i = 0; i < rows; i++)
#pragma GCC unroll 3
    for (int v = 0; v < vecs; v++) {
      VEC r = t->clamp ? NAME(clamp)(acc[i][v], t->lo, t->hi) : acc[i][v];
      int n = t->columns - v * LANES;
      float *to = t->c + i * t->c_row + v * LANES;
      if (whole || n >= LANES) {
        memcpy(to, &r, sizeof r);
      } else if (n > 0) {
        float part[LANES];
        memcpy(part, &r, sizeof r);
        copy_columns(to, part, n);
      }
    }
}

#ifndef TILE_FN
/* tile_<width>_<vecs>(t, rows): rows from 1 to `most`. */
#define TILE_CASE(width, vecs, rows, most)                            \
  case rows:                                                          \
    if (rows <= most) tile_##width(t, rows <= most ? rows : 1, vecs); \
    break;
#define TILE_FN(width, vecs, most)                             \
  static void tile_##width##_##vecs(const tile *t, int rows) { \
    switch (rows) {                                            \
      TILE_CASE(width, vecs, 1, most)                          \
      TILE_CASE(width, vecs, 2, most)                          \
      TILE_CASE(width, vecs, 3, most)                          \
      TILE_CASE(width, vecs, 4, most)                          \
      TILE_CASE(width, vecs, 5, most)                          \
      TILE_CASE(width, vecs, 6, most)                          \
      TILE_CASE(width, vecs, 7, most)                          \
      TILE_CASE(width, vecs, 8, most)                          \
      TILE_CASE(width, vecs, 9, most)                          \
      TILE_CASE(width, vecs, 10, most)                         \
      TILE_CASE(width, vecs, 11, most)                         \
      TILE_CASE(width, vecs, 12, most)                         \
    }                                                          \
  }
#endif
