/* Matrix product: one micro-kernel for every use.
 *
 * A is read by broadcasting single elements, so it may be transposed, strided or made of segments (the kernel rows of a
 * convolution) at no cost; B is read by whole vectors, from panels of `width` columns. A tile of C stays in registers
 * while all of k passes. Panel widths and tile heights below fill the registers of each instruction set; they do not
 * influence the result, because each element of C is one chain of multiply-adds over k in order.
 *
 *        k            width             width
 *     +------+      +------+           +------+
 *   m | A    |    k |  B   |    ->   m |  C   |   tiles of `rows` x `width`
 *     +------+      +------+           +------+
 *
 * "Batch-reduce" over segments after Georganas et al. 2020 (arXiv:1906.06440); register tiling after Goto & van de
 * Geijn 2008. SPDX-License-Identifier: Apache-2.0 */
#include "math/kernel/kernel.h"

#define UNIT 8      /* panel widths are multiples of this many columns */
#define K_BLOCK 512 /* of k at a time, so that a panel of B stays in the cache */

typedef struct block { /* of k: rows [row, ...) of B, of all_rows in a packed panel */
  const float *a;
  int row, all_rows;
  bool load, clamp; /* start from C; the last block */
} block;

#define MAX_WIDTH (6 * UNIT)
#define MAX_ROWS 12

typedef struct tile { /* all columns of the panel, whether C has them or not */
  const float *a;
  ptrdiff_t a_row, a_col;
  const ptrdiff_t *segment;
  int segments, k;
  const float *b;
  ptrdiff_t b_row;
  const float *from; /* start of the sums: C itself, or one row of bias or zeros (from_row 0) */
  ptrdiff_t from_row;
  float *c;
  ptrdiff_t c_row;
} tile;

/* Fewer columns than MAX_WIDTH, in few moves. */
TH_INLINE void copy_columns(float *to, const float *from, int n) {
  for (; n >= 8; n -= 8, to += 8, from += 8) memcpy(to, from, 32);
  if (n & 4) memcpy(to, from, 16), to += 4, from += 4;
  if (n & 2) memcpy(to, from, 8), to += 2, from += 2;
  if (n & 1) *to = *from;
}

#define VEC vec
#define NAME(x) x##_wide
#include "math/kernel/gemm_tile.inc"
#undef VEC
#undef NAME

#if TH_LANES == 16
#define VEC vec8
#define NAME(x) x##_narrow
#include "math/kernel/gemm_tile.inc"
#undef VEC
#undef NAME

/* One function per panel kind: rows up to the most that fits 32 registers. */
TILE_FN(wide, 3, 8)
TILE_FN(wide, 2, 12)
TILE_FN(wide, 1, 12)
TILE_FN(narrow, 3, 8)
TILE_FN(narrow, 1, 12)
static const struct panel_kind {
  int rows;
  void (*run)(const tile *t, int rows);
} kinds[] = {{0, 0}, {12, tile_narrow_1}, {12, tile_wide_1}, {8, tile_narrow_3}, {12, tile_wide_2},
             {0, 0}, {8, tile_wide_3}};

static int next_panel(int units) {
  static const int first[] = {0, 1, 2, 3, 4, 3, 6, 4, 4};
  return units <= 8 ? first[units] : 6;
}
#elif TH_LANES == 8
TILE_FN(wide, 3, 4)
TILE_FN(wide, 2, 6)
TILE_FN(wide, 1, 8)
static const struct panel_kind {
  int rows;
  void (*run)(const tile *t, int rows);
} kinds[] = {{0, 0}, {8, tile_wide_1}, {6, tile_wide_2}, {4, tile_wide_3}};

static int next_panel(int units) {
  return units % 3 == 0 ? 3 : units == 1 ? 1 : 2;
}
#else
TILE_FN(wide, 2, 4)
static const struct panel_kind {
  int rows;
  void (*run)(const tile *t, int rows);
} kinds[] = {{0, 0}, {4, tile_wide_2}};

static int next_panel(int units) {
  return 1;
}
#endif

/* C has fewer columns than the panel: the tile works on a copy. */
static void run_narrow_tile(void (*run)(const tile *t, int rows), const tile *whole, int rows, int columns) {
  float copy[MAX_ROWS * MAX_WIDTH];
  tile t = *whole;
  bool load = t.from_row != 0;
  t.c = copy;
  t.c_row = MAX_WIDTH;
  if (load) {
    memset(copy, 0, sizeof(float) * MAX_WIDTH * (size_t)rows);
    for (int i = 0; i < rows; i++) copy_columns(copy + i * MAX_WIDTH, whole->c + i * whole->c_row, columns);
    t.from = copy;
    t.from_row = MAX_WIDTH;
  }
  run(&t, rows);
  for (int i = 0; i < rows; i++) copy_columns(whole->c + i * whole->c_row, copy + i * MAX_WIDTH, columns);
}

static void clamp_tile(const th_gemm *g, float *c, int rows, int columns) {
  const float lo = g->lo, hi = g->hi;
  for (int i = 0; i < rows; i++, c += g->c_row)
    for (int j = 0; j < columns; j++) {
      float v = c[j] > lo ? c[j] : lo;
      c[j] = v < hi ? v : hi;
    }
}

/* All rows of C against one panel. Tiles of equal height: 8 rows are 4 + 4 rather than 6 + 2. */
static void run_panel(const th_gemm *g, const block *k_block, tile *t, int units, int column) {
  const struct panel_kind *kind = &kinds[units];
  int tiles = (g->m + kind->rows - 1) / kind->rows, width = units * UNIT;
  int columns = g->n - column < width ? g->n - column : width;
  float start[MAX_WIDTH] = {0}; /* bias, filled up, so that tiles read whole vectors */
  if (g->bias && !k_block->load) memcpy(start, g->bias + column, sizeof(float) * (size_t)columns);
  for (int r = 0; r < (g->repeat ? g->repeat : 1); r++) {
    for (int i = 0, done = 0; i < tiles; i++) {
      int rows = (g->m - done + tiles - i - 1) / (tiles - i);
      t->a = k_block->a + r * g->a_repeat + done * g->a_row;
      t->c = g->c + r * g->c_repeat + done * g->c_row + column;
      t->from = k_block->load ? t->c : start;
      t->from_row = k_block->load ? t->c_row : 0;
      if (columns == width)
        kind->run(t, rows);
      else
        run_narrow_tile(kind->run, t, rows, columns);
      if (k_block->clamp) clamp_tile(g, t->c, rows, columns);
      done += rows;
    }
  }
}

/* Rows [row, row + rows) of B's last, partial unit, filled up with zeros. */
static const float *pack_tail(const th_gemm *g, int column, int row, int rows) {
  int n = g->n - column;
  for (int r = 0; r < rows; r++) {
    const float *from = g->b + (row + r) * g->b_row + column;
    float *to = g->tail + (ptrdiff_t)r * UNIT;
    for (int i = 0; i < UNIT; i++) to[i] = i < n ? from[i] : 0;
  }
  return g->tail;
}

static void run_block(const th_gemm *g, const block *k_block, tile *t) {
  bool packed = g->b_row == TH_MATH_PACKED;
  int whole = packed ? (g->n + UNIT - 1) / UNIT : g->n / UNIT, row = k_block->row;
  int column = 0;
  while (whole) {
    int units = next_panel(whole);
    t->b = packed ? g->b + (ptrdiff_t)k_block->all_rows * column + (ptrdiff_t)row * units * UNIT
                  : g->b + row * g->b_row + column;
    t->b_row = packed ? units * UNIT : g->b_row;
    run_panel(g, k_block, t, units, column);
    column += units * UNIT;
    whole -= units;
  }
  if (column < g->n) {
    t->b = pack_tail(g, column, row, t->segments * t->k);
    t->b_row = UNIT;
    run_panel(g, k_block, t, 1, column);
  }
}

void TH_KERNEL(gemm)(const th_gemm *g) {
  static const ptrdiff_t zero[1] = {0};
  int segments = g->segment ? g->segments : 1;
  if (!g->m || !g->n || !g->k) return;
  tile t = {.a_row = g->a_row, .a_col = g->a_col, .c_row = g->c_row};
  int per_block = g->k >= K_BLOCK ? 1 : K_BLOCK / g->k; /* segments */
  int k_most = g->k > K_BLOCK ? K_BLOCK : g->k;
  for (int s = 0; s < segments; s += per_block) {
    t.segment = g->segment ? g->segment + s : zero;
    t.segments = segments - s < per_block ? segments - s : per_block;
    for (int k = 0; k < g->k; k += k_most) {
      t.k = g->k - k < k_most ? g->k - k : k_most;
      block k_block = {.a = g->a + k * g->a_col,
                       .row = s * g->k + k,
                       .all_rows = segments * g->k,
                       .load = g->accumulate || s || k,
                       .clamp = g->clamp && s + t.segments == segments && k + t.k == g->k};
      run_block(g, &k_block, &t);
    }
  }
}

/* Rows [0, k) of one panel, columns beyond `valid` zero. */
static void pack_panel(const float *b, ptrdiff_t row, ptrdiff_t column, int k, int valid, int width, float *packed) {
  if (row == 1)
    TH_KERNEL(transpose)(b, column, valid, k, packed, width, false);
  else
    for (int r = 0; r < k; r++)
      for (int i = 0; i < valid; i++) packed[(ptrdiff_t)r * width + i] = b[r * row + i * column];
  for (int r = 0; r < k && valid < width; r++)
    memset(packed + (ptrdiff_t)r * width + valid, 0, sizeof(float) * (size_t)(width - valid));
}

void TH_KERNEL(pack)(const float *b, ptrdiff_t row, ptrdiff_t column, int k, int n, float *packed) {
  int whole = (n + UNIT - 1) / UNIT, first = 0;
  while (whole) {
    int units = next_panel(whole), width = units * UNIT;
    pack_panel(b + first * column, row, column, k, n - first < width ? n - first : width, width, packed);
    packed += (ptrdiff_t)k * width;
    first += width;
    whole -= units;
  }
}
