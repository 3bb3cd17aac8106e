/* context: weights by a range coder (arithmetic.h) whose probabilities are learned (context.h).
 * SPDX-License-Identifier: Apache-2.0 */
#include "context.h"

enum { LEAST_CHANCE = 32, MOST_SEEN = 255, TREE_NODES = THR_CONTEXT_STATES - THR_CONTEXT_NODES };

int thr_context_parse(thr_context_model *m, const uint8_t *table, uint32_t bytes) {
  static const thr_context_model none = {0, 0, 0, 0, 0};
  *m = none;
  if (bytes < 2 || (table[0] & 8u && bytes < 6)) return 0;
  m->bits = table[0] & 7u;
  m->first = table[1] * 256u + 128u;
  if (!(table[0] & 8u)) return 1;
  m->near = table[2];
  m->line = table[3];
  m->row = table[4] | (uint32_t)table[5] << 8;
  return 1;
}

uint32_t thr_context_memory(const uint8_t *table, uint32_t bytes) {
  return bytes > 0 && table[0] & 8u ? THR_CONTEXT_MEMORY : THR_CONTEXT_PLAIN_MEMORY;
}

/* --- states: probability, low byte first, and how often the question was answered --- */

static void set_state(uint8_t *state, uint32_t chance, uint32_t seen) {
  state[0] = (uint8_t)chance;
  state[1] = (uint8_t)(chance >> 8);
  state[2] = (uint8_t)seen;
}

void thr_context_begin(const thr_context_model *m, uint8_t *memory) {
  for (uint32_t i = 0; i < THR_CONTEXT_STATES; i++)
    set_state(memory + THR_CONTEXT_STATE_BYTES * i, i < THR_CONTEXT_SIGNS ? m->first : THR_RANGE_TOTAL / 2, 0);
}

uint32_t thr_context_chance(const uint8_t *memory, uint32_t state) {
  const uint8_t *s = memory + THR_CONTEXT_STATE_BYTES * state;
  const uint32_t chance = s[0] | (uint32_t)s[1] << 8;
  if (chance < LEAST_CHANCE) return LEAST_CHANCE;
  return chance > THR_RANGE_TOTAL - LEAST_CHANCE ? THR_RANGE_TOTAL - LEAST_CHANCE : chance;
}

void thr_context_learn(uint8_t *memory, uint32_t state, uint32_t answer) {
  uint8_t *s = memory + THR_CONTEXT_STATE_BYTES * state;
  const uint32_t chance = s[0] | (uint32_t)s[1] << 8, seen = s[2], share = seen + 2u;
  const uint32_t after = answer ? chance + (THR_RANGE_TOTAL - 1u - chance) / share : chance - chance / share;
  set_state(s, after, seen < MOST_SEEN ? seen + 1u : seen);
}

/* --- neighbours --- */

void thr_context_note(const thr_context_model *m, uint8_t *memory, uint32_t at, int32_t v) {
  uint8_t *place = memory + THR_CONTEXT_PLAIN_MEMORY + at % THR_CONTEXT_PLACES / 4u;
  const uint32_t shift = 2u * (at & 3u), sign = v > 0 ? 1u : v < 0 ? 2u : 0u;
  if (m->near) *place = (uint8_t)((*place & ~(3u << shift)) | sign << shift);
}

typedef struct around { /* what is seen nearby */
  uint32_t weights;
  int32_t signs;
} around;

static void see(around *a, const uint8_t *memory, uint32_t at, uint32_t in_row, uint32_t distance, uint32_t share) {
  if (distance == 0 || distance >= THR_CONTEXT_PLACES || distance > in_row) return;
  const uint32_t place = (at - distance) % THR_CONTEXT_PLACES;
  const uint32_t sign = (uint32_t)memory[THR_CONTEXT_PLAIN_MEMORY + place / 4u] >> (2u * (place & 3u)) & 3u;
  if (sign == 0) return;
  a->weights += share;
  a->signs += sign == 1u ? (int32_t)share : -(int32_t)share;
}

thr_context_look thr_context_find(const thr_context_model *m, const uint8_t *memory, uint32_t at) {
  around a = {0, 0};
  if (m->near) {
    const uint32_t in_row = m->row ? at % m->row : at;
    see(&a, memory, at, in_row, m->near, 2);
    see(&a, memory, at, in_row, m->line, 2);
    see(&a, memory, at, in_row, m->line > m->near ? m->line - m->near : 0, 1);
    see(&a, memory, at, in_row, m->line ? m->line + m->near : 0, 1);
    see(&a, memory, at, in_row, 2u * m->near, 1);
    see(&a, memory, at, in_row, 2u * m->line, 1);
  }
  const int32_t signs = a.signs < -2 ? -2 : a.signs > 2 ? 2 : a.signs;
  thr_context_look look;
  look.zero = THR_CONTEXT_ZEROS + (a.weights < 5u ? a.weights : 5u);
  look.sign = THR_CONTEXT_SIGNS + (uint32_t)(signs + 2);
  return look;
}

/* --- decoding --- */

static uint32_t decide(thr_stream *stream, uint32_t chance) {
  const uint32_t yes = stream->value < chance * (stream->range >> 16);
  if (yes)
    thr_range_narrow(stream, 0, chance);
  else
    thr_range_narrow(stream, chance, THR_RANGE_TOTAL);
  return yes;
}

static uint32_t ask(thr_stream *stream, uint8_t *memory, uint32_t state) {
  const uint32_t answer = decide(stream, thr_context_chance(memory, state));
  thr_context_learn(memory, state, answer);
  return answer;
}

static int32_t next_weight(thr_stream *stream, const thr_context_model *m, uint8_t *memory) {
  const thr_context_look look = thr_context_find(m, memory, stream->run);
  if (!ask(stream, memory, look.zero)) return 0;
  const uint32_t positive = ask(stream, memory, look.sign);
  uint32_t node = 1;
  for (uint32_t i = 0; i < m->bits; i++) {
    const uint32_t bit =
        node <= TREE_NODES ? ask(stream, memory, THR_CONTEXT_NODES + node - 1u) : decide(stream, THR_RANGE_TOTAL / 2);
    node = 2u * node + bit;
  }
  const int32_t magnitude = (int32_t)(node - (1u << m->bits)) + 1;
  return positive ? magnitude : -magnitude;
}

void thr_decode_context(thr_stream *stream, int8_t *out, uint32_t count) {
  thr_context_model m;
  uint8_t *memory = (uint8_t *)stream->memory;
  const int good = memory && thr_context_parse(&m, stream->weights->table, stream->weights->table_bytes);
  if (good && stream->range == 0) {
    thr_context_begin(&m, memory);
    thr_range_start(stream);
  }
  for (uint32_t i = 0; i < count; i++) {
    int32_t v = 0;
    if (good) {
      v = next_weight(stream, &m, memory);
      thr_context_note(&m, memory, stream->run, v);
      stream->run++;
    }
    out[i] = (int8_t)v;
  }
}
