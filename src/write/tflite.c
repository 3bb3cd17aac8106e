/* Laying out a .tflite file: first every table from the model down, then all vectors (format/flatbuf.h holds them
 * back), so the weights come last and equal vectors are stored once.
 * SPDX-License-Identifier: Apache-2.0 */
#include "write/tflite.h"

#include <string.h>

#include "format/tflite_schema.h"
#include "write/tflite_internal.h"

enum { BUFFER_ALIGNMENT = 16 }; /* demanded by the schema */

th_status th_tfl_add_tensor(tfl_writer *w, const tfl_tensor *t, int *index) {
  if (w->n_tensors == w->tensor_capacity) {
    int more = w->tensor_capacity ? 2 * w->tensor_capacity : 64;
    tfl_tensor *p = TH_ARRAY(w->scratch, tfl_tensor, more);
    if (!p) return TH_ERR_RESOURCE;
    if (w->n_tensors) memcpy(p, w->tensors, (size_t)w->n_tensors * sizeof *p);
    w->tensors = p;
    w->tensor_capacity = more;
  }
  w->tensors[ *index = w->n_tensors++] = *t;
  return TH_OK;
}

th_status th_tfl_place(tfl_writer *w, int graph_tensor, int *index) {
  if (w->place[graph_tensor] < 0) {
    const th_tensor *t = &w->g->tensors[graph_tensor];
    bool named = th_graph_is_input(w->g, graph_tensor) || th_graph_is_output(w->g, graph_tensor);
    tfl_tensor made = {
        .name = named ? t->name : NULL, .dtype = t->dtype, .shape = t->shape, .quant = t->quant, .data = t->data};
    made.is_variable = t->is_variable;
    if (!th_dtype_is_int(t->dtype)) made.quant = (th_quant){.axis = -1}; /* a plan for float values is not for files */
    TH_TRY(th_tfl_add_tensor(w, &made, &w->place[graph_tensor]));
  }
  *index = w->place[graph_tensor];
  return TH_OK;
}

/* --- pieces of the file --- */

int th_tfl_type_code(th_dtype t) {
  switch (t) {
#define X(code, suffix)   \
  case TH_DTYPE_##suffix: \
    return code;
    TFL_TYPES(X)
#undef X
    default:
      return -1;
  }
}

static void write_quant(th_fb_builder *b, size_t slot, const th_quant *q) {
  th_fb_field fields[3] = {th_fb_ref(TFL_QUANT_SCALE), th_fb_ref(TFL_QUANT_ZERO_POINT),
                           th_fb_field_s32(TFL_QUANT_DIMENSION, q->axis)};
  size_t table = th_fb_table_write(b, fields, q->axis > 0 ? 3 : 2);
  th_fb_link(b, slot, table);
  th_fb_hold(b, th_fb_slot(b, table, TFL_QUANT_SCALE), q->scale, (uint32_t)q->count, 4, 4);
  th_buf wide = {0};
  for (int i = 0; i < q->count; ++i) th_buf_u64(&wide, (uint64_t)(int64_t)q->zero[i]);
  b->buf.failed = b->buf.failed || wide.failed;
  th_fb_hold(b, th_fb_slot(b, table, TFL_QUANT_ZERO_POINT), wide.data, (uint32_t)q->count, 8, 8);
  th_buf_free(&wide);
}

static th_status write_tensor(th_fb_builder *b, const tfl_tensor *t, size_t slot, uint32_t buffer) {
  int code = t->is_handle ? TFL_TYPE_RESOURCE : th_tfl_type_code(t->dtype), n = 0;
  if (code < 0)
    return th_fail(TH_ERR_INPUT, "tensor %s: type %s has no counterpart in .tflite", t->name ? t->name : "?",
                   th_dtype_name(t->dtype));
  th_fb_field fields[6];
  fields[n++] = th_fb_ref(TFL_TENSOR_SHAPE);
  if (code) fields[n++] = th_fb_field_u8(TFL_TENSOR_TYPE, (unsigned)code);
  if (buffer) fields[n++] = th_fb_field_s32(TFL_TENSOR_BUFFER, (int32_t)buffer);
  if (t->name) fields[n++] = th_fb_ref(TFL_TENSOR_NAME);
  if (t->quant.count) fields[n++] = th_fb_ref(TFL_TENSOR_QUANTIZATION);
  if (t->is_variable) fields[n++] = th_fb_field_u8(TFL_TENSOR_IS_VARIABLE, 1);
  size_t table = th_fb_table_write(b, fields, n);
  th_fb_link(b, slot, table);
  th_fb_hold(b, th_fb_slot(b, table, TFL_TENSOR_SHAPE), t->shape.dim, (uint32_t)t->shape.rank, 4, 4);
  if (t->name) th_fb_hold_string(b, th_fb_slot(b, table, TFL_TENSOR_NAME), t->name);
  if (t->quant.count) write_quant(b, th_fb_slot(b, table, TFL_TENSOR_QUANTIZATION), &t->quant);
  return TH_OK;
}

/* Tensors take buffers in their own order; buffer 0 is the empty one of all activations. */
static th_status write_tensors(const tfl_writer *w, th_fb_builder *b, size_t slot) {
  size_t refs = th_fb_refs(b, (uint32_t)w->n_tensors);
  th_fb_link(b, slot, refs);
  uint32_t buffer = 0;
  for (int i = 0; i < w->n_tensors; ++i)
    TH_TRY(write_tensor(b, &w->tensors[i], refs + 4 + 4 * (size_t)i, w->tensors[i].data ? ++buffer : 0));
  return TH_OK;
}

static void hold_s4(th_fb_builder *b, size_t slot, const int8_t *values, int64_t elems) {
  th_buf packed = {0};
  for (int64_t i = 0; i < elems; i += 2)
    th_buf_u8(&packed, (uint8_t)((values[i] & 15) | (i + 1 < elems ? values[i + 1] & 15 : 0) << 4));
  b->buf.failed = b->buf.failed || packed.failed;
  th_fb_hold(b, slot, packed.data, (uint32_t)packed.size, 1, BUFFER_ALIGNMENT);
  th_buf_free(&packed);
}

static void write_buffers(const tfl_writer *w, th_fb_builder *b, size_t slot) {
  uint32_t count = 1, next = 0;
  for (int i = 0; i < w->n_tensors; ++i) count += w->tensors[i].data != NULL;
  size_t refs = th_fb_refs(b, count);
  th_fb_link(b, slot, refs);
  th_fb_link(b, refs + 4, th_fb_table_write(b, NULL, 0));
  for (int i = 0; i < w->n_tensors; ++i) {
    const tfl_tensor *t = &w->tensors[i];
    if (!t->data) continue;
    th_fb_field field = th_fb_ref(TFL_BUFFER_DATA);
    size_t table = th_fb_table_write(b, &field, 1);
    th_fb_link(b, refs + 4 + 4 * (size_t)++next, table);
    int64_t elems = th_shape_elems(&t->shape);
    size_t data_slot = th_fb_slot(b, table, TFL_BUFFER_DATA);
    if (t->dtype == TH_DTYPE_S4)
      hold_s4(b, data_slot, t->data, elems);
    else
      th_fb_hold(b, data_slot, t->data, (uint32_t)((size_t)elems * th_dtype_bytes(t->dtype)), 1, BUFFER_ALIGNMENT);
  }
}

/* Distinct (code, version) pairs in order of first use; kind[i] is the pair of operator i. */
static int collect_codes(const tfl_writer *w, int *kind, int *first) {
  int n = 0;
  for (int i = 0; i < w->n_ops; ++i) {
    int k = 0;
    while (k < n && !(w->ops[first[k]].code == w->ops[i].code && w->ops[first[k]].version == w->ops[i].version)) ++k;
    if (k == n) first[n++] = i;
    kind[i] = k;
  }
  return n;
}

static void write_codes(const tfl_writer *w, th_fb_builder *b, size_t slot, const int *first, int n) {
  size_t refs = th_fb_refs(b, (uint32_t)n);
  th_fb_link(b, slot, refs);
  for (int i = 0; i < n; ++i) {
    const tfl_operator *op = &w->ops[first[i]];
    int narrow = op->code < TFL_CODE_PLACEHOLDER ? op->code : TFL_CODE_PLACEHOLDER, k = 0;
    th_fb_field fields[4];
    fields[k++] = th_fb_field_u8(TFL_CODE_DEPRECATED, (unsigned)narrow);
    fields[k++] = th_fb_field_s32(TFL_CODE_BUILTIN, op->code);
    if (op->version > 1) fields[k++] = th_fb_field_s32(TFL_CODE_VERSION, op->version);
    if (op->custom) fields[k++] = th_fb_ref(TFL_CODE_CUSTOM);
    const size_t table = th_fb_table_write(b, fields, k);
    th_fb_link(b, refs + 4 + 4 * (size_t)i, table);
    if (op->custom) th_fb_hold_string(b, th_fb_slot(b, table, TFL_CODE_CUSTOM), op->custom);
  }
}

static void write_operators(const tfl_writer *w, th_fb_builder *b, size_t slot, const int *kind) {
  size_t refs = th_fb_refs(b, (uint32_t)w->n_ops);
  th_fb_link(b, slot, refs);
  for (int i = 0; i < w->n_ops; ++i) {
    const tfl_operator *op = &w->ops[i];
    th_fb_field fields[5];
    int n = 0;
    if (kind[i]) fields[n++] = th_fb_field_s32(TFL_OPERATOR_OPCODE_INDEX, kind[i]);
    fields[n++] = th_fb_ref(TFL_OPERATOR_INPUTS);
    fields[n++] = th_fb_ref(TFL_OPERATOR_OUTPUTS);
    if (op->options_type) {
      fields[n++] = th_fb_field_u8(TFL_OPERATOR_OPTIONS_TYPE, (unsigned)op->options_type);
      fields[n++] = th_fb_ref(TFL_OPERATOR_OPTIONS);
    }
    size_t table = th_fb_table_write(b, fields, n);
    th_fb_link(b, refs + 4 + 4 * (size_t)i, table);
    th_fb_hold(b, th_fb_slot(b, table, TFL_OPERATOR_INPUTS), op->in, (uint32_t)op->n_in, 4, 4);
    th_fb_hold(b, th_fb_slot(b, table, TFL_OPERATOR_OUTPUTS), op->out, (uint32_t)op->n_out, 4, 4);
    if (!op->options_type) continue;
    const size_t options = th_fb_table_write(b, op->options, op->n_options);
    th_fb_link(b, th_fb_slot(b, table, TFL_OPERATOR_OPTIONS), options);
    if (op->name) th_fb_hold_string(b, th_fb_slot(b, options, TFL_VAR_HANDLE_NAME), op->name);
  }
}

static th_status hold_borders(tfl_writer *w, th_fb_builder *b, size_t slot, const int *ids, int n) {
  int32_t *list = TH_ARRAY(w->scratch, int32_t, n);
  if (!list) return TH_ERR_RESOURCE;
  for (int i = 0; i < n; ++i) list[i] = w->place[ids[i]];
  th_fb_hold(b, slot, list, (uint32_t)n, 4, 4);
  return TH_OK;
}

static th_status write_subgraph(tfl_writer *w, th_fb_builder *b, size_t slot, const int *kind) {
  size_t refs = th_fb_refs(b, 1);
  th_fb_link(b, slot, refs);
  th_fb_field fields[4] = {th_fb_ref(TFL_SUBGRAPH_TENSORS), th_fb_ref(TFL_SUBGRAPH_INPUTS),
                           th_fb_ref(TFL_SUBGRAPH_OUTPUTS), th_fb_ref(TFL_SUBGRAPH_OPERATORS)};
  size_t sub = th_fb_table_write(b, fields, 4);
  th_fb_link(b, refs + 4, sub);
  TH_TRY(hold_borders(w, b, th_fb_slot(b, sub, TFL_SUBGRAPH_INPUTS), w->g->inputs, w->g->n_inputs));
  TH_TRY(hold_borders(w, b, th_fb_slot(b, sub, TFL_SUBGRAPH_OUTPUTS), w->g->outputs, w->g->n_outputs));
  TH_TRY(write_tensors(w, b, th_fb_slot(b, sub, TFL_SUBGRAPH_TENSORS)));
  write_operators(w, b, th_fb_slot(b, sub, TFL_SUBGRAPH_OPERATORS), kind);
  return TH_OK;
}

static th_status write_model(tfl_writer *w, th_fb_builder *b) {
  int *kind = TH_ARRAY(w->scratch, int, w->n_ops + 1), *first = TH_ARRAY(w->scratch, int, w->n_ops + 1);
  if (!kind || !first) return TH_ERR_RESOURCE;
  int codes = collect_codes(w, kind, first);
  th_fb_begin(b, TFL_IDENTIFIER);
  th_fb_field fields[4] = {th_fb_field_s32(TFL_MODEL_VERSION, TFL_VERSION), th_fb_ref(TFL_MODEL_OPERATOR_CODES),
                           th_fb_ref(TFL_MODEL_SUBGRAPHS), th_fb_ref(TFL_MODEL_BUFFERS)};
  size_t model = th_fb_table_write(b, fields, 4);
  write_codes(w, b, th_fb_slot(b, model, TFL_MODEL_OPERATOR_CODES), first, codes);
  TH_TRY(write_subgraph(w, b, th_fb_slot(b, model, TFL_MODEL_SUBGRAPHS), kind));
  write_buffers(w, b, th_fb_slot(b, model, TFL_MODEL_BUFFERS));
  return th_fb_end(b, model);
}

static th_status collect(tfl_writer *w) {
  w->place = TH_ARRAY(w->scratch, int, w->g->n_tensors);
  if (!w->place) return TH_ERR_RESOURCE;
  for (int i = 0; i < w->g->n_tensors; ++i) w->place[i] = -1;
  int index;
  for (int i = 0; i < w->g->n_inputs; ++i) TH_TRY(th_tfl_place(w, w->g->inputs[i], &index));
  for (int i = 0; i < w->g->n_nodes; ++i)
    if (!w->g->nodes[i].dead) TH_TRY(th_tfl_write_node(w, &w->g->nodes[i]));
  for (int i = 0; i < w->g->n_outputs; ++i) TH_TRY(th_tfl_place(w, w->g->outputs[i], &index));
  return TH_OK;
}

th_status th_write_tflite(const th_graph *graph, th_buf *out) {
  return th_write_tflite_coded(graph, NULL, out);
}

th_status th_write_tflite_coded(const th_graph *graph, const th_tflite_coder *coder, th_buf *out) {
  tfl_writer w = {.g = graph, .scratch = th_arena_create()};
  if (!w.scratch) return TH_ERR_RESOURCE;
  th_fb_builder b = {0};
  th_status status = collect(&w);
  if (status == TH_OK && coder) status = th_tfl_decode_weights(&w, coder);
  if (status == TH_OK) status = th_tfl_halve_weights(&w);
  if (status == TH_OK) status = write_model(&w, &b);
  if (status == TH_OK) {
    th_buf_append(out, b.buf.data, b.buf.size);
    status = th_buf_status(out);
  }
  th_fb_builder_free(&b);
  th_arena_destroy(w.scratch);
  return status;
}
