/* See matrix.h. A tile is a few windows times the vectors of a block, all of its accumulators in registers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "matrix.h"

/* Packed: head, then per block the scales or, where all channels have the same, only the biases, then the weights. */
typedef struct head {
  int32_t shifted, uniform, unused[14];
  thr_scales scales; /* uniform: of all channels, whose biases are not these */
} head;

static int32_t all_channels(const thr_matrix *m) {
  return m->channels * m->fold;
}

static int32_t dwords(const thr_matrix *m) {
  return (m->run + (m->fold - 1) * m->fold_step + THR_GROUP - 1) / THR_GROUP;
}

static int32_t vectors(const thr_matrix *m) {
  return (all_channels(m) + THR_LANES - 1) / THR_LANES;
}

static size_t scale_bytes(int uniform) { /* of a vector */
  return uniform ? sizeof(thr_vec) : sizeof(thr_scales);
}

static size_t vector_bytes(const thr_matrix *m, int uniform) { /* of a vector's share of its block */
  return scale_bytes(uniform) + (size_t)m->lines * (size_t)dwords(m) * sizeof(thr_vec);
}

static const int8_t *row_of(const thr_matrix *m, int32_t channel) {
  return (const int8_t *)m->weights->data + (size_t)channel * (size_t)m->lines * (size_t)m->run;
}

int THR_X86_NAME(matrix_fits)(const thr_matrix *m) {
  thr_scale_lane s;
  if (m->weights->decode || m->lo > m->hi) return 0;
  for (int32_t c = 0; c < m->channels; c++) {
    if (!thr_scale_channel(m->requant, m->bias, c, row_of(m, c), m->lines * m->run, m->in_zero, m->out_zero, &s))
      return 0;
  }
  return 1;
}

size_t THR_X86_NAME(matrix_bytes)(const thr_matrix *m) {
  return sizeof(head) + (size_t)vectors(m) * vector_bytes(m, 0);
}

/* Weight of channel c (of all folds) at value i of a line. */
static thr_packed weight_at(const thr_matrix *m, int32_t c, int32_t line, int32_t i) {
  const int32_t at = i - c / m->channels * m->fold_step;
  if (c >= all_channels(m) || at < 0 || at >= m->run) return 0;
  return row_of(m, c % m->channels)[line * m->run + at];
}

static void scale_of(const thr_matrix *m, int32_t channel, thr_scale_lane *s) {
  thr_scale_channel(m->requant, m->bias, channel, row_of(m, channel), m->lines * m->run, m->in_zero, m->out_zero, s);
}

static int all_scales_equal(const thr_matrix *m) {
  thr_scale_lane first = {0}, s = {0};
  scale_of(m, 0, &first);
  for (int32_t c = 1; c < m->channels; c++) {
    scale_of(m, c, &s);
    if (s.mult != first.mult || s.add != first.add || s.offset != first.offset || s.below != first.below ||
        s.right != first.right || s.left != first.left)
      return 0;
  }
  return 1;
}

static void pack_scales(const thr_matrix *m, int32_t vector, thr_scales *scales, head *h) {
  memset(scales, 0, sizeof *scales);
  for (int32_t lane = 0; lane < THR_LANES; lane++) {
    const int32_t c = vector * THR_LANES + lane, o = c % m->channels;
    thr_scale_lane s = {0};
    if (c >= all_channels(m)) return;
    scale_of(m, o, &s);
    thr_scales_set(scales, lane, thr_staged_bias(m->bias, o, row_of(m, o), m->lines * m->run, m->in_zero), &s);
    if (s.left) h->shifted = 1;
  }
}

/* The scales of a block's vector, or its biases alone. */
static void pack_head_of_vector(const thr_matrix *m, int32_t vector, uint8_t *to, head *h) {
  thr_scales scales;
  pack_scales(m, vector, &scales, h);
  if (h->uniform && vector == 0) h->scales = scales;
  memcpy(to, h->uniform ? (const void *)scales.bias : (const void *)&scales, scale_bytes(h->uniform));
}

static void pack_vector(const thr_matrix *m, int32_t vector, thr_packed *to, int32_t step) {
  for (int32_t line = 0; line < m->lines; line++) {
    for (int32_t d = 0; d < dwords(m); d++, to += step * THR_LANES * THR_GROUP) {
      for (int32_t i = 0; i < THR_LANES * THR_GROUP; i++)
        to[i] = weight_at(m, vector * THR_LANES + i / THR_GROUP, line, d * THR_GROUP + i % THR_GROUP);
    }
  }
}

static int32_t block_vectors(const thr_matrix *m, int32_t first) {
  const int32_t left = vectors(m) - first;
  return left < THR_BLOCK ? left : THR_BLOCK;
}

void THR_X86_NAME(matrix_pack)(const thr_matrix *m, void *packed) {
  head *h = packed;
  uint8_t *block = (uint8_t *)packed + sizeof(head);
  memset(h, 0, sizeof *h);
  h->uniform = all_channels(m) >= THR_LANES && all_scales_equal(m);
  for (int32_t first = 0; first < vectors(m); first += THR_BLOCK) {
    const int32_t n = block_vectors(m, first);
    thr_packed *weights = (thr_packed *)(void *)(block + (size_t)n * scale_bytes(h->uniform));
    for (int32_t v = 0; v < n; v++) {
      pack_head_of_vector(m, first + v, block + (size_t)v * scale_bytes(h->uniform), h);
      pack_vector(m, first + v, weights + v * THR_LANES * THR_GROUP, n);
    }
    block += (size_t)n * vector_bytes(m, h->uniform);
  }
}

/* --- tiles --- */

typedef struct tile {
  const thr_staged *const *in;
  int8_t *const *out;
  size_t at; /* of the block's first result from there */
  int32_t lines, dwords;
  size_t line_step, step;
  const uint8_t *biases, *scales; /* of the block's first vector, and the bytes to the next one's */
  size_t bias_step, scale_step;
  const thr_packed *weights;
  int32_t left; /* channels from the block's first one on */
  int32_t shifted;
  int32_t dense; /* the results of the windows lie one behind the other, without other channels between */
  thr_vec lo, hi;
} tile;

THR_INLINE void store_parts(const tile *t, thr_vec q, int p, int windows, int nv) {
  int8_t bytes[THR_QUAD];
  thr_v_store(bytes, q);
  for (int k = 0; k < windows; k++) memcpy(t->out[p + k] + t->at, bytes + k * nv * THR_LANES, (size_t)t->left);
}

/* Results of `windows` windows from p on, which fill q or, when they are 1, its beginning. */
THR_INLINE void store_windows(const tile *t, thr_vec q, int p, int windows, int nv) {
  int8_t *const *out = t->out + p;
  if (nv * THR_LANES > t->left) {
    store_parts(t, q, p, windows, nv);
  } else if (windows * nv == THR_BLOCK && (windows == 1 || t->dense)) {
    thr_v_store(out[0] + t->at, q);
  } else if (nv == 2) {
    thr_v_store_half(out[0] + t->at, q, 0);
    if (windows > 1) thr_v_store_half(out[1] + t->at, q, 1);
  } else if (nv == 1) {
    thr_v_store_quarter(out[0] + t->at, q, 0);
    if (windows > 1) thr_v_store_quarter(out[1] + t->at, q, 1);
    if (windows > 2) thr_v_store_quarter(out[2] + t->at, q, 2);
    if (windows > 3) thr_v_store_quarter(out[3] + t->at, q, 3);
  } else {
    thr_v_store_half(out[0] + t->at, q, 0);
    thr_v_store_quarter(out[0] + t->at + 2 * THR_LANES, q, 2);
  }
}

THR_INLINE void store_tile(const tile *t, thr_vec acc[][THR_BLOCK], int mr, int nv) {
  const int per = nv > 2 ? 1 : THR_BLOCK / nv; /* windows of a store */
  const thr_vec lo = t->lo, hi = t->hi;
  THR_UNROLL
  for (int p = 0; p < mr; p += per) {
    thr_vec v[THR_BLOCK];
    THR_UNROLL
    for (int i = 0; i < THR_BLOCK; i++) {
      const int window = p + i / nv;
      v[i] = window < mr && i < per * nv ? acc[window < mr ? window : p][i % nv] : acc[p][0];
    }
    store_windows(t, thr_v_narrow(v[0], v[1], v[2], v[3], lo, hi), p, per < mr - p ? per : mr - p, nv);
  }
}

THR_INLINE const thr_scales *scales_of(const tile *t, int v) {
  return (const thr_scales *)(const void *)(t->scales + (size_t)v * t->scale_step);
}

/* mr windows times nv vectors; both are constants where this is inlined, as is `even`: windows are t->step apart. */
THR_INLINE void run_tile(const tile *t, int mr, int nv, int even) {
  const thr_packed *w = t->weights;
  thr_vec acc[THR_TILE][THR_BLOCK];
  const thr_staged *in[THR_TILE];
  const size_t step = t->step;
  THR_UNROLL
  for (int p = 0; p < mr; p++) {
    in[p] = t->in[p];
    THR_UNROLL
    for (int v = 0; v < nv; v++) acc[p][v] = thr_v_load(t->biases + (size_t)v * t->bias_step);
  }
  for (int32_t line = 0; line < t->lines; line++) {
    size_t at = (size_t)line * t->line_step;
    const size_t end = at + (size_t)t->dwords * THR_GROUP;
    for (; at < end; at += THR_GROUP, w += nv * THR_LANES * THR_GROUP) {
      thr_vec weight[THR_BLOCK];
      if (mr == 1) thr_v_ahead(w);
      THR_UNROLL
      for (int v = 0; v < nv; v++) weight[v] = thr_v_load(w + v * THR_LANES * THR_GROUP);
      THR_UNROLL
      for (int p = 0; p < mr; p++) {
        const thr_vec x = thr_v_spread(even ? in[p / 4 * 4] + at + (size_t)(p % 4) * step : in[p] + at);
        THR_UNROLL
        for (int v = 0; v < nv; v++) acc[p][v] = thr_v_dot(acc[p][v], x, weight[v]);
      }
    }
  }
  if (t->shifted) {
    THR_UNROLL
    for (int v = 0; v < nv; v++) THR_UNROLL
    for (int p = 0; p < mr; p++) acc[p][v] = thr_v_shl(acc[p][v], thr_v_load(scales_of(t, v)->left));
  }
  THR_UNROLL
  for (int v = 0; v < nv; v++) {
    const thr_scaler s = thr_scaler_load(scales_of(t, v));
    THR_UNROLL
    for (int p = 0; p < mr; p++) acc[p][v] = thr_rescale(acc[p][v], &s);
  }
  store_tile(t, acc, mr, nv);
}

#if THR_LANES == 16
#define TILES(TILE) \
  TILE(16, 1)       \
  TILE(8, 1)        \
  TILE(4, 1)        \
  TILE(1, 1) TILE(8, 2) TILE(4, 2) TILE(1, 2) TILE(6, 3) TILE(3, 3) TILE(1, 3) TILE(6, 4) TILE(3, 4) TILE(1, 4)
static const int32_t tile_windows[5][3] = {{0, 0, 0}, {8, 4, 1}, {8, 4, 1}, {6, 3, 1}, {6, 3, 1}};
#else
#define TILES(TILE) \
  TILE(8, 1)        \
  TILE(4, 1)        \
  TILE(1, 1) TILE(4, 2) TILE(2, 2) TILE(1, 2) TILE(3, 3) TILE(2, 3) TILE(1, 3) TILE(3, 4) TILE(2, 4) TILE(1, 4)
static const int32_t tile_windows[5][3] = {{0, 0, 0}, {8, 4, 1}, {4, 2, 1}, {3, 2, 1}, {3, 2, 1}};
#endif

#define TILE(mr, nv)                            \
  static void tile_##mr##x##nv(const tile *t) { \
    run_tile(t, mr, nv, (mr) > 8);              \
  }
TILES(TILE)
#undef TILE

/* Windows of the smallest tile that holds `count`, else of the largest one. */
static int32_t tile_for(int32_t nv, int32_t count) {
  const int32_t *size = tile_windows[nv];
  return count <= size[2] ? size[2] : count <= size[1] ? size[1] : size[0];
}

static void run_one(const tile *t, int32_t mr, int32_t nv) {
  switch (mr * 8 + nv) {
#define TILE(mr, nv)     \
  case mr * 8 + nv:      \
    tile_##mr##x##nv(t); \
    break;
    TILES(TILE)
#undef TILE
  }
}

void THR_X86_NAME(matrix_run)(const thr_matrix *m, const void *packed, thr_windows *w, int32_t count) {
  tile t = {.lines = m->lines,
            .dwords = dwords(m),
            .line_step = w->line_step,
            .step = w->step,
            .lo = thr_v_set8(m->lo),
            .hi = thr_v_set8(m->hi)};
  const head *h = packed;
  const uint8_t *block = (const uint8_t *)(h + 1);
  t.shifted = h->shifted;
  t.bias_step = scale_bytes(h->uniform);
  t.scale_step = h->uniform ? 0 : sizeof(thr_scales);
  for (int32_t i = count; count > 1 && i < count + THR_TILE;
       i++) { /* what a tile has no windows for is computed twice */
    w->in[i] = w->in[count - 1];
    w->out[i] = w->out[count - 1];
  }
  for (int32_t first = 0; first < vectors(m); first += THR_BLOCK) {
    const int32_t nv = block_vectors(m, first);
    t.at = (size_t)(first * THR_LANES);
    t.biases = block;
    t.scales = h->uniform ? (const uint8_t *)&h->scales : block;
    t.weights = (const thr_packed *)(const void *)(block + (size_t)nv * t.bias_step);
    t.left = all_channels(m) - first * THR_LANES;
    for (int32_t i = 0; i < count;) {
      int32_t mr = tile_for(nv, count - i);
      if (THR_LANES == 16 && nv == 1 && i + 16 <= count && w->in[i + 15] - w->in[i] == 15 * (ptrdiff_t)w->step &&
          w->step)
        mr = 16;
      t.in = w->in + i;
      t.out = w->out + i;
      t.dense = all_channels(m) == nv * THR_LANES && t.out[mr - 1] - t.out[0] == (mr - 1) * nv * THR_LANES;
      run_one(&t, mr, nv);
      i += mr;
    }
    block += (size_t)nv * vector_bytes(m, h->uniform);
  }
}
