/* Lowering of operators with state: SVDF and LSTM. Both have two weight matrices per output that are used one right
 * after the other, so their rows are joined (rt/include/thr_kernels.h) and coded as one tensor.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "eval/lower_internal.h"

typedef struct joined { /* what a step gets */
  int8_t *weights;
  int64_t *bias; /* NULL: none */
  int32_t rows, row_bytes;
  int32_t mult[11];
  int8_t shift[11];
  uint32_t pairs;
} joined;

static th_status need_constant(const th_node *n, const th_tensor *t, th_dtype dtype, int64_t elems, const char *what) {
  if (t && t->data && t->dtype == dtype && th_shape_elems(&t->shape) == elems) return TH_OK;
  return TH_LOWER_FAIL(n, "%s %s are not %lld constant %s values", what, t ? t->name : "(none)", (long long)elems,
                       th_dtype_name(dtype));
}

static th_status need_state(const th_node *n, const th_tensor *t, th_dtype dtype, int64_t elems) {
  if (t && t->is_variable && !t->data && t->dtype == dtype && th_shape_elems(&t->shape) == elems) return TH_OK;
  return TH_LOWER_FAIL(n, "state %s is not a variable of %lld %s values", t ? t->name : "(none)", (long long)elems,
                       th_dtype_name(dtype));
}

/* The one scale of a constant, whose zero point is 0. */
static th_status weight_scale(const th_node *n, const th_tensor *t, double *scale) {
  if (t->quant.count != 1 || (t->quant.zero && t->quant.zero[0] != 0))
    return TH_LOWER_FAIL(n, "weights %s need one scale and zero point 0", t->name);
  *scale = (double)t->quant.scale[0];
  return TH_OK;
}

static th_status allocate_joined(th_lowering *l, joined *j, bool bias) {
  j->weights = th_arena_array(l->p->arena, (size_t)j->rows, (size_t)j->row_bytes);
  j->bias = bias ? TH_ARRAY(l->p->arena, int64_t, j->rows) : NULL;
  return j->weights && (!bias || j->bias) ? TH_OK : TH_ERR_RESOURCE;
}

static th_status set_joined(th_lowering *l, th_program_step *s, const joined *j, thr_weights *weights, thr_bias *bias,
                            thr_requant *requant) {
  uint8_t *bytes = TH_ARRAY(l->p->arena, uint8_t, 4 * j->rows);
  int32_t *mult = th_arena_copy(l->p->arena, j->mult, j->pairs * sizeof *mult);
  int8_t *shift = th_arena_copy(l->p->arena, j->shift, j->pairs);
  if (!bytes || !mult || !shift) return TH_ERR_RESOURCE;
  for (int32_t i = 0; j->bias && i < 4 * j->rows; i++) bytes[i] = (uint8_t)((uint64_t)j->bias[i / 4] >> 8 * (i % 4));
  s->weights = j->weights;
  s->row_elems = (uint32_t)j->row_bytes;
  s->weight_count = s->row_elems * (uint32_t)j->rows;
  s->bias = j->bias;
  s->bias_count = j->bias ? (uint32_t)j->rows : 0;
  s->mult = mult;
  s->shift = shift;
  s->requant_count = j->pairs;
  *weights = (thr_weights){.data = (const uint8_t *)j->weights, .bytes = s->weight_count};
  *bias = j->bias ? (thr_bias){bytes, 4, 0} : (thr_bias){0};
  *requant = (thr_requant){.mult = mult, .shift = shift};
  s->scratch_bytes = thr_step_scratch_bytes(&s->step);
  return TH_OK;
}

/* --- svdf: x, feature weights (filters, in), time weights (filters, memory), state, bias? --- */

/* Rows, and the bias of a unit in front of the first of its filters. */
static void join_svdf(joined *j, const thr_svdf_params *p, const th_tensor *feature, const th_tensor *time,
                      const th_tensor *bias) {
  const size_t width = th_dtype_bytes(time->dtype);
  for (int32_t f = 0; f < j->rows; f++) {
    int8_t *row = j->weights + (size_t)f * (size_t)j->row_bytes;
    memcpy(row, (const int8_t *)feature->data + (size_t)f * (size_t)p->in_n, (size_t)p->in_n);
    for (int32_t i = 0; i < p->memory; i++) {
      const size_t at = (size_t)f * (size_t)p->memory + (size_t)i;
      const int32_t v = width == 2 ? ((const int16_t *)time->data)[at] : ((const int8_t *)time->data)[at];
      for (size_t k = 0; k < width; k++) row[(size_t)p->in_n + (size_t)i * width + k] = (int8_t)(v >> 8 * k);
    }
    if (bias) j->bias[f] = f % p->rank == 0 ? ((const int32_t *)bias->data)[f / p->rank] : 0;
  }
}

static th_status svdf_pairs(const th_node *n, const th_tensor *feature, const th_tensor *time, const th_tensor *state,
                            th_grid in, th_grid out, joined *j) {
  double w_feature, w_time;
  TH_TRY(weight_scale(n, feature, &w_feature));
  TH_TRY(weight_scale(n, time, &w_time));
  const double s_state = (double)state->quant.scale[0];
  j->pairs = 2;
  TH_TRY(th_lower_multiplier(n, (double)in.scale * w_feature / s_state, &j->mult[0], &j->shift[0]));
  return th_lower_multiplier(n, s_state * w_time / (double)out.scale, &j->mult[1], &j->shift[1]);
}

th_status th_lower_svdf(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  const th_tensor *x = th_node_in(l->g, n, 0), *feature = th_node_in(l->g, n, 1), *time = th_node_in(l->g, n, 2);
  const th_tensor *state = th_node_in(l->g, n, 3), *bias = th_node_in(l->g, n, 4);
  const int in[2] = {n->in[0], n->in[3]};
  th_grid grid_in, grid_out, grid_state;
  th_program_step *s;
  TH_TRY(th_lower_grids(l, n, &grid_in, &grid_out));
  TH_TRY(th_lower_any_grid(n, state, &grid_state));
  thr_svdf_params p = {.in_n = (int32_t)th_shape_elems(&x->shape),
                       .filters = feature->shape.dim[0],
                       .rank = n->attr[TH_ATTR_RANK].i,
                       .memory = time->shape.rank == 2 ? time->shape.dim[1] : 0,
                       .in_zero = grid_in.zero,
                       .state_zero = grid_state.zero,
                       .out_zero = grid_out.zero};
  const int act = n->attr[TH_ATTR_ACTIVATION].i;
  if (act != TH_ACT_NONE && (act != TH_ACT_RELU || grid_out.zero != INT8_MIN))
    return TH_LOWER_FAIL(n, "a fused %s needs a node of its own", th_act_name((th_act)act));
  if (time->dtype != TH_DTYPE_S8 && time->dtype != TH_DTYPE_S16)
    return TH_LOWER_FAIL(n, "time weights %s are %s, expected s8 or s16", time->name, th_dtype_name(time->dtype));
  TH_TRY(need_constant(n, feature, TH_DTYPE_S8, (int64_t)p.filters * p.in_n, "feature weights"));
  TH_TRY(need_constant(n, time, time->dtype, (int64_t)p.filters * p.memory, "time weights"));
  if (bias) TH_TRY(need_constant(n, bias, TH_DTYPE_S32, p.filters / p.rank, "bias"));
  TH_TRY(need_state(n, state, time->dtype, (int64_t)p.filters * p.memory));
  joined j = {.rows = p.filters, .row_bytes = p.in_n + p.memory * (int32_t)th_dtype_bytes(time->dtype)};
  TH_TRY(svdf_pairs(n, feature, time, state, grid_in, grid_out, &j));
  TH_TRY(allocate_joined(l, &j, bias != NULL));
  join_svdf(&j, &p, feature, time, bias);
  const thr_kernel_id kernel = time->dtype == TH_DTYPE_S16 ? THR_KERNEL_SVDF_S16 : THR_KERNEL_SVDF_S8;
  TH_TRY(th_lower_step(l, node, kernel, in, 2, &s));
  s->step.p.svdf = p;
  return set_joined(l, s, &j, &s->step.p.svdf.weights, &s->step.p.svdf.bias, &s->step.p.svdf.requant);
}

/* --- lstm: x, input weights i f c o, recurrent weights, biases, hidden state, cell state --- */

enum { IN_W = 1, REC_W = 5, BIAS = 9, HIDDEN = 13, CELL = 14, LSTM_INPUTS = 15 };

static th_status join_lstm(th_lowering *l, const th_node *n, const thr_lstm_params *p, joined *j) {
  TH_TRY(allocate_joined(l, j, true));
  for (int32_t row = 0; row < j->rows; row++) {
    const int gate = row / p->n, unit = row % p->n;
    const int8_t *w = th_node_in(l->g, n, IN_W + gate)->data, *u = th_node_in(l->g, n, REC_W + gate)->data;
    int8_t *to = j->weights + (size_t)row * (size_t)j->row_bytes;
    memcpy(to, w + (size_t)unit * (size_t)p->in_n, (size_t)p->in_n);
    memcpy(to + p->in_n, u + (size_t)unit * (size_t)p->n, (size_t)p->n);
    j->bias[row] = ((const int32_t *)th_node_in(l->g, n, BIAS + gate)->data)[unit];
  }
  return TH_OK;
}

/* Sums go to 2^-12, gates are 2^-15. */
static th_status lstm_pairs(const th_lowering *l, const th_node *n, th_grid in, th_grid hidden, double s_cell,
                            joined *j) {
  double real[11];
  for (int gate = 0; gate < 4; gate++) {
    double w, u;
    TH_TRY(weight_scale(n, th_node_in(l->g, n, IN_W + gate), &w));
    TH_TRY(weight_scale(n, th_node_in(l->g, n, REC_W + gate), &u));
    real[gate] = (double)in.scale * w / ldexp(1, -12);
    real[4 + gate] = (double)hidden.scale * u / ldexp(1, -12);
  }
  real[8] = ldexp(1, -15) * s_cell / s_cell;
  real[9] = ldexp(1, -30) / s_cell;
  real[10] = ldexp(1, -30) / (double)hidden.scale;
  j->pairs = 11;
  for (int i = 0; i < 11; i++) TH_TRY(th_lower_multiplier(n, real[i], &j->mult[i], &j->shift[i]));
  return TH_OK;
}

/* The cell's scale is a power of two; its tangent reads a table in units of 1 / (3 * 4096). */
static th_status set_cell(const th_node *n, const th_tensor *cell, thr_lstm_params *p) {
  int exponent;
  if (cell->quant.count != 1 || frexpf(cell->quant.scale[0], &exponent) != 0.5f)
    return TH_LOWER_FAIL(n, "cell state %s has a scale that is no power of two", cell->name);
  const int left = exponent - 1 + 12;
  if (left > 13 || left < -30) return TH_LOWER_FAIL(n, "cell state %s has scale 2^%d", cell->name, exponent - 1);
  p->tanh_mult = left > 0 ? 3 << left : 3;
  p->tanh_shift = (uint8_t)(left < 0 ? -left : 0);
  const double clip = (double)n->attr[TH_ATTR_CLIP].f / (double)cell->quant.scale[0];
  p->clip = clip > 32767 ? 32767 : (int32_t)clip;
  return TH_OK;
}

th_status th_lower_lstm(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  const th_tensor *x = th_node_in(l->g, n, 0), *hidden = th_node_in(l->g, n, HIDDEN), *cell = th_node_in(l->g, n, CELL);
  const int in[3] = {n->in[0], n->in[HIDDEN], n->in[CELL]};
  th_grid grid_in, grid_out, grid_hidden;
  th_program_step *s;
  TH_TRY(th_lower_grids(l, n, &grid_in, &grid_out));
  TH_TRY(th_lower_grid(n, hidden, &grid_hidden));
  if (grid_hidden.scale != grid_out.scale || grid_hidden.zero != grid_out.zero)
    return TH_LOWER_FAIL(n, "state %s and the output must have the same quantization", hidden->name);
  if (n->attr[TH_ATTR_ACTIVATION].i != TH_ACT_TANH)
    return TH_LOWER_FAIL(n, "activations other than tanh have no integer kernel");
  const int32_t units = (int32_t)th_shape_elems(&hidden->shape);
  thr_lstm_params p = {.time = x->shape.dim[x->shape.rank - 2],
                       .in_n = x->shape.dim[x->shape.rank - 1],
                       .n = units,
                       .in_zero = grid_in.zero,
                       .out_zero = grid_hidden.zero,
                       .restart = n->attr[TH_ATTR_RESTART].i != 0};
  if (th_shape_elems(&x->shape) != (int64_t)p.time * p.in_n) p.time = (int32_t)(th_shape_elems(&x->shape) / p.in_n);
  for (int gate = 0; gate < 4; gate++) {
    TH_TRY(need_constant(n, th_node_in(l->g, n, IN_W + gate), TH_DTYPE_S8, (int64_t)units * p.in_n, "input weights"));
    TH_TRY(
        need_constant(n, th_node_in(l->g, n, REC_W + gate), TH_DTYPE_S8, (int64_t)units * units, "recurrent weights"));
    TH_TRY(need_constant(n, th_node_in(l->g, n, BIAS + gate), TH_DTYPE_S32, units, "biases"));
  }
  TH_TRY(need_state(n, hidden, TH_DTYPE_S8, units));
  TH_TRY(need_state(n, cell, TH_DTYPE_S16, units));
  TH_TRY(set_cell(n, cell, &p));
  joined j = {.rows = 4 * units, .row_bytes = p.in_n + units};
  TH_TRY(lstm_pairs(l, n, grid_in, grid_hidden, (double)cell->quant.scale[0], &j));
  TH_TRY(join_lstm(l, n, &p, &j));
  TH_TRY(th_lower_step(l, node, THR_KERNEL_LSTM_S8, in, 3, &s));
  s->step.p.lstm = p;
  return set_joined(l, s, &j, &s->step.p.lstm.weights, &s->step.p.lstm.bias, &s->step.p.lstm.requant);
}
