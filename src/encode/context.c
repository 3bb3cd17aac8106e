/* context: weights by a range coder whose probabilities are learned. Decoder: rt/decode/context.c; the model, which
 * both sides run: rt/decode/context.h. What is chosen here are the two distances at which neighbours are looked for:
 * those that the form of the tensor suggests, and those at which weights really stand together, tried against the cost
 * of a sample. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "../../rt/decode/context.h"
#include "base/arena.h"
#include "encode/arithmetic.h"
#include "encode/encode.h"

enum { SAMPLE = 1 << 16, FARTHEST = 127, MOST_TABLE = 6, OFTEN = 4, MOST_DISTANCES = OFTEN + 3 };

typedef struct job {
  const int8_t *w;
  uint32_t n;
  const th_weight_form *form;
  thr_context_model m; /* best so far */
  double bits;
} job;

/* --- coding: `a` NULL counts bits only --- */

typedef struct writer {
  th_arithmetic *a;
  uint8_t memory[THR_CONTEXT_MEMORY];
  double bits;
} writer;

static void answer_by(writer *o, uint32_t chance, uint32_t answer) {
  if (o->a)
    th_arithmetic_put(o->a, answer ? 0 : chance, answer ? chance : THR_RANGE_TOTAL);
  else
    o->bits -= (double)log2f((float)(answer ? chance : THR_RANGE_TOTAL - chance) * (1.0f / (float)THR_RANGE_TOTAL));
}

static void answer(writer *o, uint32_t state, uint32_t yes) {
  answer_by(o, thr_context_chance(o->memory, state), yes);
  thr_context_learn(o->memory, state, yes);
}

static void put_weight(writer *o, const thr_context_model *m, uint32_t at, int32_t v) {
  const thr_context_look look = thr_context_find(m, o->memory, at);
  answer(o, look.zero, v != 0);
  if (v) {
    const uint32_t magnitude = (uint32_t)(v < 0 ? -v : v) - 1;
    answer(o, look.sign, v > 0);
    for (uint32_t i = m->bits, node = 1; i-- > 0; node = 2 * node + (magnitude >> i & 1)) {
      if (node <= THR_CONTEXT_STATES - THR_CONTEXT_NODES)
        answer(o, THR_CONTEXT_NODES + node - 1, magnitude >> i & 1);
      else
        answer_by(o, THR_RANGE_TOTAL / 2, magnitude >> i & 1);
    }
  }
  thr_context_note(m, o->memory, at, v);
}

static double run(const job *j, const thr_context_model *m, uint32_t n, th_arithmetic *a) {
  writer o = {.a = a};
  thr_context_begin(m, o.memory);
  for (uint32_t i = 0; i < n; i++) put_weight(&o, m, i, j->w[i]);
  return o.bits;
}

/* --- choosing --- */

static uint32_t sample_of(const job *j) {
  return j->n < SAMPLE ? j->n : SAMPLE;
}

static void try_distances(job *j, uint32_t near, uint32_t line) {
  thr_context_model m = j->m; /* all but the distances is the same in every trial */
  if (near == 0 || near > FARTHEST || line > FARTHEST || j->form->row > UINT16_MAX) return;
  m.near = near;
  m.line = line;
  m.row = j->form->row;
  const double bits = run(j, &m, sample_of(j), NULL) + 32; /* of the longer table */
  if (bits >= j->bits) return;
  j->bits = bits;
  j->m = m;
}

/* How many pairs of weights stand at a distance within their rows. */
static uint32_t pairs_at(const job *j, uint32_t distance) {
  const uint32_t n = sample_of(j), row = j->form->row ? j->form->row : n;
  uint32_t pairs = 0;
  for (uint32_t i = distance; i < n; i++) pairs += j->w[i] && j->w[i - distance] && i % row >= distance;
  return pairs;
}

static void add_distance(uint32_t *list, int *n, uint32_t distance) {
  if (distance == 0 || distance > FARTHEST) return;
  for (int i = 0; i < *n; i++)
    if (list[i] == distance) return;
  list[(*n)++] = distance;
}

static int find_distances(const job *j, uint32_t list[MOST_DISTANCES]) {
  uint32_t pairs[FARTHEST + 1] = {0};
  int n = 0;
  add_distance(list, &n, j->form->depth);
  add_distance(list, &n, j->form->depth * j->form->line);
  add_distance(list, &n, 1);
  for (uint32_t d = 1; d <= FARTHEST && d < j->n; d++) pairs[d] = pairs_at(j, d);
  for (int k = 0; k < OFTEN; k++) {
    uint32_t best = 1;
    for (uint32_t d = 1; d <= FARTHEST; d++)
      if (pairs[d] > pairs[best]) best = d;
    if (pairs[best]) add_distance(list, &n, best);
    pairs[best] = 0;
  }
  return n;
}

static void choose(job *j) {
  uint32_t most = 0, nonzero = 0, distance[MOST_DISTANCES];
  for (uint32_t i = 0; i < j->n; i++) {
    const uint32_t magnitude = (uint32_t)(j->w[i] < 0 ? -j->w[i] : j->w[i]);
    most = magnitude > most ? magnitude : most;
    nonzero += magnitude != 0;
  }
  while (most > 1u << j->m.bits) j->m.bits++;
  const uint32_t first = (uint32_t)((uint64_t)nonzero * 256 / j->n);
  j->m.first = (first < 255 ? first : 255) * 256 + 128;
  j->bits = run(j, &j->m, sample_of(j), NULL);
  const int n = find_distances(j, distance);
  for (int a = 0; a < n; a++) {
    try_distances(j, distance[a], 0);
    for (int b = 0; b < n; b++)
      if (distance[b] > distance[a]) try_distances(j, distance[a], distance[b]);
  }
}

static uint32_t pack(const thr_context_model *m, uint8_t table[MOST_TABLE]) {
  table[0] = (uint8_t)(m->bits | (m->near ? 8 : 0));
  table[1] = (uint8_t)(m->first >> 8);
  if (!m->near) return 2;
  table[2] = (uint8_t)m->near;
  table[3] = (uint8_t)m->line;
  table[4] = (uint8_t)m->row;
  table[5] = (uint8_t)(m->row >> 8);
  return MOST_TABLE;
}

bool th_encode_context(const int8_t *w, uint32_t n, const th_weight_form *form, th_buf *data, th_buf *table) {
  uint8_t bytes[MOST_TABLE];
  job j = {.w = w, .n = n, .form = form};
  if (n == 0) return false;
  choose(&j);
  th_buf_append(table, bytes, pack(&j.m, bytes));
  th_arithmetic a = th_arithmetic_begin(data);
  run(&j, &j.m, n, &a);
  th_arithmetic_end(&a);
  return true;
}

/* --- prices --- */

struct th_context_prices {
  thr_context_model m;
  uint32_t n;
  float bits[THR_CONTEXT_SIGNS][2]; /* by state of the first question: zero, there */
  uint8_t *state;                   /* by weight */
};

void th_context_prices_update(th_context_prices *p, const int8_t *w) {
  uint8_t memory[THR_CONTEXT_MEMORY];
  uint32_t seen[THR_CONTEXT_SIGNS][2] = {{0}};
  for (uint32_t i = 0; i < p->n; i++) {
    p->state[i] = (uint8_t)thr_context_find(&p->m, memory, i).zero;
    seen[p->state[i]][w[i] != 0]++;
    thr_context_note(&p->m, memory, i, w[i]);
  }
  for (int s = 0; s < THR_CONTEXT_SIGNS; s++)
    for (int there = 0; there < 2; there++)
      p->bits[s][there] = log2f(((float)(seen[s][0] + seen[s][1]) + 1.0f) / ((float)seen[s][there] + 0.5f));
}

th_status th_context_prices_create(const int8_t *w, uint32_t n, const th_weight_form *form,
                                   th_context_prices **prices) {
  th_context_prices *p = th_alloc(sizeof *p);
  job j = {.w = w, .n = n, .form = form};
  *prices = NULL;
  if (p) p->state = th_alloc(n);
  if (!p || !p->state) {
    th_context_prices_destroy(p);
    return TH_ERR_RESOURCE;
  }
  if (n) choose(&j);
  p->m = j.m;
  p->n = n;
  th_context_prices_update(p, w);
  *prices = p;
  return TH_OK;
}

float th_context_price(const th_context_prices *p, uint32_t at, bool there) {
  return p->bits[p->state[at]][there];
}

void th_context_prices_destroy(th_context_prices *p) {
  if (p) th_free(p->state);
  th_free(p);
}
