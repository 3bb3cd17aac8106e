/* LSTM over a sequence, int8 with a cell of int16 (TFLite UNIDIRECTIONAL_SEQUENCE_LSTM without peepholes, projection
 * and normalization). Per time step and gate k (input, forget, cell, output) of each unit:
 *
 *   z = clamp16(clamp16(scale(bias + sum of w (x - in_zero), m[k])) + clamp16(scale(sum of u (h - out_zero), m[4 +
 * k])))     Q3.12 i, f, o = sigmoid(z);  g = tanh(z) Q0.15 c = clamp16(clamp16(scale(f c, m[8])) + clamp16(scale(i g,
 * m[9]))), then to [-clip, clip] h = clamp(out_zero + scale(o tanh(c), m[10]), -128, 127)
 *
 * All gates see the old h, so their values wait in scratch: four int16 per unit, then a row of weights if coded. The
 * stream is decoded anew in every step. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "fixed_s16.h"

enum { GATES = 4, CELL_GATE = 2 };

static int32_t row_elems(const thr_lstm_params *p) {
  return p->in_n + p->n;
}

uint32_t thr_lstm_s8_scratch_bytes(const thr_lstm_params *p) {
  return (uint32_t)p->n * 2u * GATES + (p->weights.decode ? (uint32_t)row_elems(p) + p->weights.memory : 0u);
}

static int32_t clamp16(int32_t v) {
  return thr_clamp(v, INT16_MIN, INT16_MAX);
}

static int32_t scaled16(const thr_lstm_params *p, int32_t acc, int32_t pair) {
  return clamp16(thr_scale(acc, p->requant.mult[pair], p->requant.shift[pair]));
}

static void run_gates(const thr_lstm_params *p, const int8_t *in, const int8_t *hidden, int16_t *gate, void *scratch) {
  thr_stream stream;
  if (p->weights.decode) thr_stream_begin(&stream, &p->weights, (int8_t *)scratch + row_elems(p));
  for (int32_t k = 0, row = 0; k < GATES; k++) {
    for (int32_t u = 0; u < p->n; u++, row++) {
      const int8_t *w = thr_weight_row(&p->weights, &stream, row, row_elems(p), scratch);
      const int32_t of_in = thr_dot(thr_bias_at(&p->bias, row), in, w, p->in_n, p->in_zero);
      const int32_t of_hidden = thr_dot(0, hidden, w + p->in_n, p->n, p->out_zero);
      const int32_t z = 3 * clamp16(scaled16(p, of_in, k) + scaled16(p, of_hidden, GATES + k));
      gate[row] = (int16_t)(k == CELL_GATE ? thr_tanh_s16_of(z) : thr_sigmoid_s16(z));
    }
  }
}

static void update(const thr_lstm_params *p, const int16_t *gate, int8_t *hidden, int16_t *cell) {
  for (int32_t u = 0; u < p->n; u++) {
    const int32_t i = gate[u], f = gate[p->n + u], g = gate[2 * p->n + u], o = gate[3 * p->n + u];
    int32_t c = clamp16(scaled16(p, f * cell[u], 8) + scaled16(p, i * g, 9));
    if (p->clip > 0) c = thr_clamp(c, -p->clip, p->clip);
    cell[u] = (int16_t)c;
    const int32_t t = thr_tanh_s16_of(thr_table_input(c, p->tanh_mult, p->tanh_shift));
    const int32_t h = thr_scale(t * o, p->requant.mult[10], p->requant.shift[10]);
    hidden[u] = thr_finish(h, p->out_zero, INT8_MIN, INT8_MAX);
  }
}

void thr_lstm_s8_ref(const thr_lstm_params *p, const int8_t *in, const int8_t *hidden, const int16_t *cell, int8_t *out,
                     void *scratch) {
  int8_t *h = (int8_t *)thr_state(hidden);
  int16_t *c = (int16_t *)thr_state(cell), *gate = (int16_t *)scratch;
  if (p->restart) {
    memset(h, p->out_zero, (size_t)p->n);
    memset(c, 0, (size_t)p->n * sizeof *c);
  }
  for (int32_t t = 0; t < p->time; t++, in += p->in_n, out += p->n) {
    run_gates(p, in, h, gate, gate + (size_t)p->n * GATES);
    update(p, gate, h, c);
    memcpy(out, h, (size_t)p->n);
  }
}
