/* Step records to steps. Layout: docs/format.md, "Step records". Everything read here is read again at every run, so
 * the record stays in flash and a step needs no RAM but this stack frame. SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <string.h>

#include "fields.h"

static int fits(uint32_t v, uint32_t bytes, uint32_t coding) {
  const int32_t s = (int32_t)v;
  if (coding == THR_FIELD_RAW) return bytes == 4;
  if (coding == THR_FIELD_UINT) return bytes == 1 ? v <= 255u : bytes == 2 ? v <= 32767u : v <= 2147483647u;
  return bytes == 1 ? s >= -128 && s <= 127 : bytes == 2 ? s >= -32768 && s <= 32767 : 1;
}

static void store(uint8_t *to, uint32_t v, uint32_t bytes) {
  const uint16_t half = (uint16_t)v;
  const uint8_t byte = (uint8_t)v;
  if (bytes == 4) memcpy(to, &v, 4);
  if (bytes == 2) memcpy(to, &half, 2);
  if (bytes == 1) *to = byte;
}

/* Fills the plain fields of `params`. */
static void parse_fields(thr_cursor *c, const thr_field *field, uint32_t count, void *params) {
  uint32_t v[THR_FIELDS_MOST];
  const uint32_t mask = thr_cursor_varint(c);
  if (mask >> count) c->bad = 1;
  for (uint32_t i = 0; i < count; i++, field++) {
    if (!(mask >> i & 1u))
      v[i] = field->rule == THR_FIELD_SAME ? v[(uint8_t)field->value] : (uint32_t)(int32_t)field->value;
    else if (field->coding == THR_FIELD_UINT)
      v[i] = thr_cursor_varint(c);
    else
      v[i] = field->coding == THR_FIELD_RAW ? thr_cursor_u32(c) : (uint32_t)thr_cursor_svarint(c);
    if (!fits(v[i], field->bytes, field->coding)) c->bad = 1;
    store((uint8_t *)params + field->offset, v[i], field->bytes);
  }
}

void thr_step_weight_rows(const thr_step *step, uint32_t *rows, uint32_t *row_elems) {
  int64_t n = 0, row = 0;
  if (thr_kernel_params(step->kernel) == THR_PARAMS_conv2d) {
    const thr_conv2d_params *p = &step->p.conv2d;
    n = p->out_c;
    row = (int64_t)p->kernel_y * p->kernel_x;
    if (!thr_step_is_depthwise(step)) row = p->groups > 0 ? row * (p->in_c / p->groups) : 0;
  } else if (thr_kernel_params(step->kernel) == THR_PARAMS_fully_connected) {
    n = step->p.fully_connected.out_n;
    row = step->p.fully_connected.in_n;
  }
  if (thr_kernel_params(step->kernel) == THR_PARAMS_svdf) {
    const thr_svdf_params *p = &step->p.svdf;
    n = p->filters;
    row = (int64_t)p->in_n + (int64_t)p->memory * (step->kernel == THR_KERNEL_SVDF_S16 ? 2 : 1);
  } else if (thr_kernel_params(step->kernel) == THR_PARAMS_lstm) {
    n = step->p.lstm.n > INT32_MAX / 8 ? 0 : (int64_t)step->p.lstm.n * 4;
    row = (int64_t)step->p.lstm.in_n + step->p.lstm.n;
  }
  const int sane = n > 0 && row > 0 && row <= INT32_MAX;
  *rows = sane ? (uint32_t)n : 0;
  *row_elems = sane ? (uint32_t)row : 0;
}

uint32_t thr_step_decode_bytes(const thr_step *step) {
  thr_step copy = *step;
  const thr_weights *w = thr_step_weights(&copy);
  uint32_t rows, row;
  if (!w || !w->decode) return 0;
  thr_step_weight_rows(step, &rows, &row);
  if (thr_kernel_params(step->kernel) == THR_PARAMS_fully_connected && row > THR_DECODE_CHUNK) row = THR_DECODE_CHUNK;
  return row + w->memory;
}

uint64_t thr_step_unpack_bytes(const thr_step *step) {
  thr_step copy = *step;
  const thr_weights *w = thr_step_weights(&copy);
  uint32_t rows, row;
  if (!w || !w->decode) return 0;
  thr_step_weight_rows(step, &rows, &row);
  return (uint64_t)rows * row + w->memory;
}

void thr_step_fit_memory(thr_step *step) {
  thr_weights *w = thr_step_weights(step);
  const int optional = w->decode == thr_decode_huffman || w->decode == thr_decode_gap_huffman;
  if (optional && thr_step_decode_bytes(step) > THR_DECODE_MOST) w->memory = 0;
}

int thr_step_is_depthwise(const thr_step *step) {
  return step->kernel == THR_KERNEL_DEPTHWISE_CONV2D_S8 || step->kernel == THR_KERNEL_DEPTHWISE_CONV2D_ZERO_S8 ||
         step->kernel == THR_KERNEL_DEPTHWISE_CONV2D_S16;
}

int thr_step_has_acc64(const thr_step *step) {
  switch (step->kernel) {
    case THR_KERNEL_CONV2D_S16:
    case THR_KERNEL_DEPTHWISE_CONV2D_S16:
    case THR_KERNEL_TRANSPOSE_CONV2D_S16:
      return step->p.conv2d.acc64;
    case THR_KERNEL_FULLY_CONNECTED_S16:
      return step->p.fully_connected.acc64;
    default:
      return 0;
  }
}

thr_weights *thr_step_weights(thr_step *step) {
  switch (thr_kernel_params(step->kernel)) {
    case THR_PARAMS_conv2d:
      return &step->p.conv2d.weights;
    case THR_PARAMS_fully_connected:
      return &step->p.fully_connected.weights;
    case THR_PARAMS_svdf:
      return &step->p.svdf.weights;
    case THR_PARAMS_lstm:
      return &step->p.lstm.weights;
    default:
      return NULL;
  }
}

thr_bias *thr_step_bias(thr_step *step) {
  switch (thr_kernel_params(step->kernel)) {
    case THR_PARAMS_conv2d:
      return &step->p.conv2d.bias;
    case THR_PARAMS_fully_connected:
      return &step->p.fully_connected.bias;
    case THR_PARAMS_svdf:
      return &step->p.svdf.bias;
    case THR_PARAMS_lstm:
      return &step->p.lstm.bias;
    default:
      return NULL;
  }
}

thr_requant *thr_step_requant(thr_step *step) {
  switch (thr_kernel_params(step->kernel)) {
    case THR_PARAMS_conv2d:
      return &step->p.conv2d.requant;
    case THR_PARAMS_fully_connected:
      return &step->p.fully_connected.requant;
    case THR_PARAMS_svdf:
      return &step->p.svdf.requant;
    case THR_PARAMS_lstm:
      return &step->p.lstm.requant;
    default:
      return NULL;
  }
}

static const uint8_t *take_product(thr_cursor *c, uint32_t a, uint32_t b) {
  const uint64_t n = (uint64_t)a * b;
  if (n > UINT32_MAX) c->bad = 1;
  return thr_cursor_take(c, (uint32_t)n);
}

static void parse_weights(thr_cursor *c, uint32_t rows, uint32_t row_elems, thr_parsed_step *parsed) {
  thr_weights *w = thr_step_weights(&parsed->step);
  const uint32_t coder = thr_cursor_u8(c);
  if (coder >= THR_CODER_COUNT) c->bad = 1;
  parsed->coder = (thr_coder)coder;
  w->decode = thr_coder_decode(parsed->coder);
  w->dot = thr_coder_dot(parsed->coder);
  w->table = NULL;
  w->table_bytes = 0;
  w->memory = 0;
  if (!w->decode) {
    const uint64_t bytes = (uint64_t)rows * row_elems;
    w->bytes = (uint32_t)bytes;
    w->data = take_product(c, rows, row_elems);
    return;
  }
  if (thr_kernel_about(parsed->step.kernel)->scratch_align <= 1) parsed->scratch = thr_cursor_varint(c);
  const uint32_t table_bytes = thr_cursor_varint(c);
  w->bytes = thr_cursor_varint(c);
  if (table_bytes > UINT16_MAX || w->bytes > UINT32_MAX >> 4) c->bad = 1;
  w->table_bytes = (uint16_t)table_bytes;
  w->table = thr_cursor_take(c, table_bytes);
  w->memory = thr_coder_memory(parsed->coder, w->table, table_bytes);
  thr_step_fit_memory(&parsed->step);
  w->data = thr_cursor_take(c, w->bytes);
}

int thr_kernel_decodes_channels(thr_kernel_id kernel) {
  return kernel == THR_KERNEL_CONV2D_S8 || kernel == THR_KERNEL_DEPTHWISE_CONV2D_S8 ||
         kernel == THR_KERNEL_FULLY_CONNECTED_S8;
}

/* Pairs of multiplier and shift that a step must have; 0: one, or one per row. */
static uint32_t fixed_pairs(const thr_step *step) {
  const thr_params_id params = thr_kernel_params(step->kernel);
  return params == THR_PARAMS_svdf ? 2u : params == THR_PARAMS_lstm ? 11u : 0u;
}

/* The byte that describes bias and requantization: bits 0-1 bias width (thr_bias_width), 2-6 bias shift, 7 pairs are
 * indexed. */
static void parse_channels(const thr_model *model, thr_cursor *c, uint32_t rows, thr_parsed_step *parsed) {
  thr_bias *bias = thr_step_bias(&parsed->step);
  thr_requant *requant = thr_step_requant(&parsed->step);
  const uint32_t form = thr_cursor_u8(c);
  if (form == THR_CODED_CHANNELS) {
    requant->coded_bytes = thr_cursor_varint(c);
    if (requant->coded_bytes > UINT32_MAX >> 4 || !thr_kernel_decodes_channels(parsed->step.kernel)) c->bad = 1;
    requant->coded = thr_cursor_take(c, requant->coded_bytes);
    requant->decode = thr_decode_channels;
    return;
  }
  bias->width = (uint8_t)thr_bias_width(form & 3u, thr_kernel_about(parsed->step.kernel)->in_type);
  bias->shift = (uint8_t)(form >> 2 & 31u);
  bias->data = take_product(c, rows, bias->width);
  const uint32_t first = thr_cursor_varint(c), pairs = thr_cursor_varint(c);
  if (first > model->mults || pairs > model->mults - first) c->bad = 1;
  const uint32_t fixed = fixed_pairs(&parsed->step);
  if (fixed > 0 ? pairs != fixed || form & 128u : !(form & 128u) && pairs != 1u && pairs != rows) c->bad = 1;
  if (pairs == 0 || (form & 128u && pairs > 256u)) c->bad = 1;
  parsed->pairs = pairs;
  requant->mult = c->bad ? NULL : model->mult + first;
  requant->shift = (const int8_t *)thr_cursor_take(c, pairs);
  requant->index = form & 128u ? thr_cursor_take(c, rows) : NULL;
  requant->per_channel = pairs > 1u && !requant->index;
}

static thr_operand parse_operand(const thr_model *model, thr_cursor *c, uint32_t elem_bytes) {
  const uint32_t v = thr_cursor_varint(c);
  thr_operand operand = {NULL, v >> 1};
  if (!(v & 1u)) return operand;
  thr_cursor_take(c, thr_operand_padding(elem_bytes, (size_t)(c->at - model->blob)));
  operand.data = thr_cursor_take(c, v >> 1);
  return operand;
}

static uint16_t parse_lines(thr_cursor *c) {
  const uint32_t n = thr_cursor_varint(c);
  if (n < 1u || n > UINT16_MAX) c->bad = 1;
  return (uint16_t)n;
}

/* What a stage has besides a step: its place in the chain, and the lines that are kept. */
static void parse_stage(thr_cursor *c, thr_parsed_step *parsed) {
  const uint32_t left = thr_cursor_varint(c), inputs = thr_kernel_inputs(parsed->step.kernel);
  if (left >= THR_STAGES_MOST || inputs > THR_STAGE_INPUTS) c->bad = 1;
  parsed->chained = 1;
  parsed->left = (uint8_t)left;
  parsed->rows = parse_lines(c);
  parsed->kept = parse_lines(c);
  for (uint32_t i = 0; i < inputs && !c->bad; i++) {
    const uint32_t from = thr_cursor_varint(c);
    if (from >= THR_STAGES_MOST) c->bad = 1;
    parsed->from[i] = (uint8_t)from;
    if (from > 0) parsed->in_kept[i] = parse_lines(c);
  }
}

thr_status thr_step_parse(const thr_model *model, thr_cursor *c, thr_parsed_step *parsed) {
  memset(parsed, 0, sizeof *parsed);
  const uint32_t kernel = thr_cursor_u8(c);
  parsed->step.kernel = (thr_kernel_id)(kernel & (THR_CHAINED - 1u));
  const thr_params_id params = thr_kernel_params(parsed->step.kernel);
  if (c->bad) return THR_ERR_MALFORMED;
  if (params == THR_PARAMS_NONE) return THR_ERR_KERNEL;
  if (kernel & THR_CHAINED) parse_stage(c, parsed);
  parsed->inputs = thr_kernel_inputs(parsed->step.kernel);
  const uint32_t elem_bytes = thr_dtype_bytes(thr_kernel_about(parsed->step.kernel)->in_type);
  for (uint32_t i = 0; i < parsed->inputs; i++) parsed->in[i] = parse_operand(model, c, elem_bytes);
  parsed->out = thr_cursor_varint(c);
  if (thr_kernel_about(parsed->step.kernel)->scratch_align > 1) parsed->scratch = thr_cursor_varint(c);
  uint32_t count, rows, row_elems;
  const thr_field *fields = thr_fields(params, &count);
  parse_fields(c, fields, count, &parsed->step.p);
  if (thr_step_is_depthwise(&parsed->step)) parsed->step.p.conv2d.groups = parsed->step.p.conv2d.in_c;
  parsed->weighted = thr_step_weights(&parsed->step) != NULL;
  if (parsed->weighted) {
    thr_step_weight_rows(&parsed->step, &rows, &row_elems);
    if (rows == 0) c->bad = 1;
    parse_weights(c, rows, row_elems, parsed);
    parse_channels(model, c, rows, parsed);
  }
  return c->bad ? THR_ERR_MALFORMED : THR_OK;
}

thr_status thr_io_parse(thr_cursor *c, thr_io_info *info, uint32_t *offset) {
  uint64_t bytes;
  memset(info, 0, sizeof *info);
  *offset = thr_cursor_varint(c);
  info->dtype = (uint8_t)thr_cursor_u8(c);
  info->rank = (uint8_t)thr_cursor_u8(c);
  bytes = thr_dtype_bytes(info->dtype);
  if (info->rank > 6 || bytes == 0) return THR_ERR_MALFORMED;
  for (uint32_t i = 0; i < info->rank; i++) {
    const uint32_t dim = thr_cursor_varint(c);
    info->dim[i] = (int32_t)dim;
    bytes *= dim;
    if (dim == 0 || bytes > INT32_MAX) return THR_ERR_MALFORMED;
  }
  info->bytes = (uint32_t)bytes;
  const uint32_t scale = thr_cursor_u32(c);
  memcpy(&info->scale, &scale, sizeof scale);
  info->zero = thr_cursor_svarint(c);
  return c->bad ? THR_ERR_MALFORMED : THR_OK;
}

thr_status thr_state_parse(thr_cursor *c, thr_initial *state) {
  state->offset = thr_cursor_varint(c);
  const uint32_t v = thr_cursor_varint(c);
  state->bytes = v >> 1;
  state->data = v & 1u ? thr_cursor_take(c, state->bytes) : NULL;
  state->fill = v & 1u ? 0 : (uint8_t)thr_cursor_u8(c);
  return c->bad ? THR_ERR_MALFORMED : THR_OK;
}
