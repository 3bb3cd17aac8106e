/* range: weights by a range coder under a parametric model. Decoder: rt/decode/range.c; the model: rt/decode/range.h.
 *
 * The table's numbers are searched one after another, each against the cost of a sample of the tensor under the
 * runtime's own model; shares of the neighbours come from least squares. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../rt/decode/range.h"
#include "base/arena.h"
#include "encode/arithmetic.h"
#include "encode/encode.h"

enum { SAMPLE = 24576, ROUNDS = 2, MOST_TABLE = 11 };

/* --- tables --- */

typedef struct knobs { /* as the table has them */
  int family, follow, decay, width, zero, edge, constant, first_mean;
  int share[3];
  uint32_t near, far, row; /* near 0: no neighbours */
} knobs;

static uint32_t pack(const knobs *k, uint8_t table[MOST_TABLE]) {
  table[0] = (uint8_t)(k->family | k->follow << 2 | (k->decay - 3) << 5 | (k->near ? 128 : 0));
  table[1] = (uint8_t)k->width;
  table[2] = (uint8_t)(k->zero | k->edge << 4);
  table[3] = (uint8_t)k->constant;
  table[4] = (uint8_t)k->first_mean;
  if (!k->near) return 5;
  table[5] = (uint8_t)((k->share[0] & 15) | (k->share[1] & 15) << 4);
  table[6] = (uint8_t)((k->share[2] & 15) | (k->far ? 16 : 0));
  table[7] = (uint8_t)(k->near - 1);
  table[8] = (uint8_t)(k->far ? k->far - 1 : 0);
  table[9] = (uint8_t)k->row;
  table[10] = (uint8_t)(k->row >> 8);
  return 11;
}

static void model_of(const knobs *k, thr_range_model *m) {
  uint8_t table[MOST_TABLE];
  thr_range_parse(m, table, pack(k, table));
}

/* --- what a tensor costs --- */

typedef struct sample {
  const int8_t *w;
  uint32_t n;
} sample;

static double cost(const sample *s, const knobs *k) {
  thr_range_model m;
  int8_t memory[THR_RANGE_MEMORY] = {0};
  double bits = k->near ? 48 : 0; /* of the longer table */
  model_of(k, &m);
  uint32_t mean = m.first_mean;
  for (uint32_t i = 0; i < s->n; i++) {
    const int32_t expected = thr_range_expect(&m, memory, i);
    const uint32_t width = thr_range_width(&m, mean);
    const uint32_t low = thr_range_below(&m, width, expected, s->w[i]);
    const uint32_t high = thr_range_below(&m, width, expected, s->w[i] + 1);
    bits -= (double)log2f((float)(high - low) * (1.0f / (float)THR_RANGE_TOTAL));
    mean = thr_range_learn(&m, mean, expected, s->w[i]);
    memory[i % THR_RANGE_MEMORY] = s->w[i];
  }
  return bits;
}

/* --- where to begin --- */

static int clamp(int v, int lo, int hi) {
  return v < lo ? lo : v > hi ? hi : v;
}

/* Width, constant and first mean from the deviations of the sample. */
static void begin_with(const sample *s, knobs *k) {
  thr_range_model m;
  int8_t memory[THR_RANGE_MEMORY] = {0};
  double sum = 0, squares = 0, magnitude = 0;
  model_of(k, &m);
  for (uint32_t i = 0; i < s->n; i++) {
    const double d = s->w[i] - thr_range_expect(&m, memory, i) / 8.0;
    sum += d;
    squares += d * d;
    magnitude += fabs(d);
    memory[i % THR_RANGE_MEMORY] = s->w[i];
  }
  const double mean = sum / s->n, deviation = sqrt(squares / s->n - mean * mean);
  k->constant = clamp((int)lround(mean), -128, 127);
  k->first_mean = clamp((int)lround(magnitude / s->n * 2), 0, 255);
  k->width = clamp((int)lround(8 * log2(4 * deviation + 1e-3)), 0, 79);
}

/* Solves the n x n equations in place by elimination; false when they have no single answer. */
static bool solve(double a[3][4], int n) {
  for (int i = 0; i < n; i++) {
    int best = i;
    for (int r = i + 1; r < n; r++)
      if (fabs(a[r][i]) > fabs(a[best][i])) best = r;
    if (fabs(a[best][i]) < 1e-9) return false;
    for (int c = 0; c < 4; c++) {
      const double t = a[i][c];
      a[i][c] = a[best][c];
      a[best][c] = t;
    }
    for (int r = 0; r < n; r++) {
      const double f = r == i ? 0 : a[r][i] / a[i][i];
      for (int c = i; c < 4; c++) a[r][c] -= f * a[i][c];
    }
  }
  return true;
}

/* Least squares over the places that have all neighbours. */
static bool fit_shares(const sample *s, knobs *k) {
  const int n = k->far == 0 ? 1 : k->far + k->near <= THR_RANGE_MEMORY ? 3 : 2;
  const uint32_t distance[3] = {k->near, k->far, k->near + k->far};
  double a[3][4] = {{0}};
  for (uint32_t i = distance[n - 1]; i < s->n; i++) {
    if (k->row && i % k->row < distance[n - 1]) continue;
    for (int r = 0; r < n; r++) {
      const double x = s->w[i - distance[r]];
      for (int c = 0; c < n; c++) a[r][c] += x * s->w[i - distance[c]];
      a[r][3] += x * s->w[i];
    }
  }
  if (!solve(a, n)) return false;
  bool any = false;
  for (int r = 0; r < 3; r++) {
    k->share[r] = r < n ? clamp((int)lround(8 * a[r][3] / a[r][r]), -8, 7) : 0;
    any = any || k->share[r];
  }
  return any;
}

/* --- searching --- */

typedef struct search {
  sample s;
  knobs best;
  double bits;
} search;

static void try_knobs(search *h, const knobs *k) {
  const double bits = cost(&h->s, k);
  if (bits >= h->bits) return;
  h->bits = bits;
  h->best = *k;
}

static void try_numbers(search *h, size_t field, int lowest, int highest, const int *steps, int n) {
  const knobs from = h->best;
  const int now = *(const int *)(const void *)((const char *)&from + field);
  for (int i = 0; i < n; i++) {
    knobs k = from;
    const int v = clamp(now + steps[i], lowest, highest);
    *(int *)(void *)((char *)&k + field) = v;
    if (v != now) try_knobs(h, &k);
  }
}

/* The width that gives the present one at the first mean, for another share of following. */
static void try_follow(search *h) {
  const knobs from = h->best;
  thr_range_model m;
  model_of(&from, &m);
  const int present = (int)thr_range_width(&m, m.first_mean);
  for (int follow = 0; follow <= 4; follow++) {
    for (int decay = 3; decay <= 6; decay++) {
      knobs k = from;
      k.follow = follow;
      k.decay = decay;
      k.width = 0;
      model_of(&k, &m);

      const int level = (int)((m.follow * 8 * log2(m.first_mean + 8.0)) / 4);
      k.width = clamp(present - level, -128, 127);
      if (follow > 0 || decay == 3) try_knobs(h, &k);
    }
  }
}

#define TRY(field, lowest, highest, ...)                                                                 \
  do {                                                                                                   \
    static const int steps[] = {__VA_ARGS__};                                                            \
    try_numbers(h, offsetof(knobs, field), lowest, highest, steps, (int)(sizeof steps / sizeof *steps)); \
  } while (0)

static void refine(search *h) {
  for (int round = 0; round < ROUNDS; round++) {
    TRY(family, 0, 2, -2, -1, 1, 2);
    TRY(width, -128, 127, -6, -3, -1, 1, 3, 6);
    TRY(edge, 0, 11, -11, -4, -2, -1, 1, 2, 4, 6, 8);
    TRY(zero, 0, 11, -11, -2, -1, 1, 2, 5, 7, 9, 11);
    try_follow(h);
    TRY(width, -128, 127, -4, -2, -1, 1, 2, 4);
    TRY(constant, -128, 127, -4, -1, 1, 4);
    if (!h->best.near) continue;
    TRY(share[0], -8, 7, -1, 1);
    TRY(share[1], -8, 7, -1, 1);
    TRY(share[2], -8, 7, -1, 1);
  }
}

static void try_neighbours(search *h, const knobs *plain, uint32_t near, uint32_t far, uint32_t row) {
  knobs k = *plain;
  if (near == 0 || near > THR_RANGE_MEMORY || far > THR_RANGE_MEMORY || row > UINT16_MAX) return;
  k.near = near;
  k.far = far;
  k.row = row;
  k.constant = 0;
  if (!fit_shares(&h->s, &k)) return;
  begin_with(&h->s, &k);
  try_knobs(h, &k);
}

static double correlation(const sample *s, uint32_t distance) {
  double product = 0, squares = 1;
  for (uint32_t i = distance; i < s->n; i++) {
    product += (double)s->w[i] * s->w[i - distance];
    squares += (double)s->w[i] * s->w[i];
  }
  return fabs(product / squares);
}

/* The distance of the highest correlation that is none of a multiple's neighbours. */
static uint32_t most_alike(const sample *s, uint32_t besides) {
  uint32_t best = 0;
  double most = 0.05;
  for (uint32_t d = 1; d <= THR_RANGE_MEMORY && d < s->n; d++) {
    if (besides && (d == besides || d == besides + 1 || d + 1 == besides)) continue;
    const double c = correlation(s, d);
    if (c > most) most = c, best = d;
  }
  return best;
}

static void find_neighbours(search *h, const th_weight_form *form) {
  const knobs plain = h->best;
  const uint32_t depth = form->depth, line = form->depth * form->line;
  if (depth && line > depth) try_neighbours(h, &plain, depth, line < form->row ? line : 0, form->row);
  if (depth && line == depth && line < form->row) try_neighbours(h, &plain, depth, 0, form->row);
  const uint32_t first = most_alike(&h->s, 0), second = first ? most_alike(&h->s, first) : 0;
  if (!first) return;
  const uint32_t near = second && second < first ? second : first, far = near == first ? second : first;
  for (int in_rows = 0; in_rows <= (form->row != 0); in_rows++) {
    const uint32_t row = in_rows ? form->row : 0;
    try_neighbours(h, &plain, first, 0, row);
    try_neighbours(h, &plain, near, far, row);
    if (first > 1) try_neighbours(h, &plain, 1, first, row);
  }
}

/* A run of whole rows from the middle of a large tensor. */
static sample choose_sample(const int8_t *w, uint32_t n, const th_weight_form *form) {
  if (n <= SAMPLE) return (sample){w, n};
  const uint32_t row = form->row ? form->row : 1, begin = (n - SAMPLE) / 2 / row * row;
  return (sample){w + begin, SAMPLE};
}

static knobs choose(const int8_t *w, uint32_t n, const th_weight_form *form) {
  search h = {.s = choose_sample(w, n, form)};
  h.best = (knobs){.decay = 4};
  begin_with(&h.s, &h.best);
  h.bits = cost(&h.s, &h.best);
  find_neighbours(&h, form);
  refine(&h);
  return h.best;
}

/* --- coding --- */

static void code(const int8_t *w, uint32_t n, const knobs *k, th_buf *data) {
  thr_range_model m;
  int8_t memory[THR_RANGE_MEMORY] = {0};
  th_arithmetic a = th_arithmetic_begin(data);
  model_of(k, &m);
  uint32_t mean = m.first_mean;
  for (uint32_t i = 0; i < n; i++) {
    const int32_t expected = thr_range_expect(&m, memory, i);
    const uint32_t width = thr_range_width(&m, mean);
    th_arithmetic_put(&a, thr_range_below(&m, width, expected, w[i]), thr_range_below(&m, width, expected, w[i] + 1));
    mean = thr_range_learn(&m, mean, expected, w[i]);
    memory[i % THR_RANGE_MEMORY] = w[i];
  }
  th_arithmetic_end(&a);
}

bool th_encode_range(const int8_t *w, uint32_t n, const th_weight_form *form, th_buf *data, th_buf *table) {
  uint8_t bytes[MOST_TABLE];
  if (n == 0) return false;
  const knobs k = choose(w, n, form);
  th_buf_append(table, bytes, pack(&k, bytes));
  code(w, n, &k, data);
  return true;
}
