/* The .tflite file: header, operator codes, tensors with quantization and constants, operators in order.
 * Layout: format/tflite_schema.h; bytes: format/flatbuf.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "read/tflite.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "eval/fold.h"
#include "format/tflite_schema.h"
#include "op/op.h"
#include "read/tflite_internal.h"

enum { MAX_TENSORS = 100000, MAX_OPERATORS = 4096, MAX_SUBGRAPHS = 64 };

th_status th_tfl_fail(const tfl_reader *r, const tfl_op *o, const char *fmt, ...) {
  char text[400];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  return th_fail(TH_ERR_INPUT, "%s: %soperator %d (%s): %s", r->fb.what, r->in_init ? "initialization: " : "", o->index,
                 o->name, text);
}

/* --- tensors --- */

static th_status read_shape(tfl_reader *r, th_fb_table t, const char *name, th_shape *shape) {
  th_fb_vec dims = th_fb_vector(t, TFL_TENSOR_SHAPE, 4);
  if (dims.count > TH_MAX_RANK)
    return th_fail(TH_ERR_INPUT, "%s: tensor %s: %u dimensions, at most %d are supported", r->fb.what, name, dims.count,
                   TH_MAX_RANK);
  *shape = (th_shape){.rank = (int)dims.count};
  int64_t elems = 1;
  for (uint32_t i = 0; i < dims.count; ++i) {
    int32_t d = th_fb_vec_s32(dims, i);
    if (i == 0 && d < 1) d = 1; /* a batch of any size */
    if (d < 1)
      return th_fail(TH_ERR_INPUT, "%s: tensor %s: dimension %u is %d; sizes other than the batch must be known",
                     r->fb.what, name, i, d);
    if (d > INT32_MAX / elems) return th_fail(TH_ERR_INPUT, "%s: tensor %s: too many elements", r->fb.what, name);
    elems *= d;
    shape->dim[i] = d;
  }
  return TH_OK;
}

static th_dtype dtype_of(int code) {
  switch (code) {
#define X(number, suffix) \
  case number:            \
    return TH_DTYPE_##suffix;
    TFL_TYPES(X)
#undef X
    default:
      return TH_DTYPE_NONE;
  }
}

/* Names in the graph's text form are words: up to the first ';' (fused layers list all their names), no blanks. */
const char *th_tfl_clean_name(tfl_reader *r, const char *name, int index) {
  char text[80];
  size_t n = 0;
  for (; *name && *name != ';' && n < sizeof text - 1; ++name) {
    char c = *name;
    bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("_-./:", c);
    text[n++] = word ? c : '_';
  }
  text[n] = 0;
  return n ? th_arena_strdup(r->scratch, text) : th_arena_printf(r->scratch, "t%d", index);
}

static th_status read_quant(tfl_reader *r, th_fb_table t, int id) {
  th_tensor *tensor = &r->g->tensors[id];
  th_fb_table q = th_fb_child(t, TFL_TENSOR_QUANTIZATION);
  th_fb_vec scales = th_fb_vector(q, TFL_QUANT_SCALE, 4), zeros = th_fb_vector(q, TFL_QUANT_ZERO_POINT, 8);
  if (th_fb_u8(q, TFL_QUANT_DETAILS_TYPE, 0) != 0)
    return th_fail(TH_ERR_INPUT, "%s: tensor %s: custom or block-wise quantization is not supported", r->fb.what,
                   tensor->name);
  if (scales.count == 0 || !th_dtype_is_int(tensor->dtype)) return TH_OK;
  int axis = scales.count == 1 ? -1 : th_fb_s32(q, TFL_QUANT_DIMENSION, 0);
  if (scales.count > 1 && (axis < 0 || axis >= tensor->shape.rank || tensor->shape.dim[axis] != (int)scales.count))
    return th_fail(TH_ERR_INPUT, "%s: tensor %s: %u scales do not fit dimension %d", r->fb.what, tensor->name,
                   scales.count, axis);
  if (zeros.count > 1 && zeros.count != scales.count)
    return th_fail(TH_ERR_INPUT, "%s: tensor %s: %u scales but %u zero points", r->fb.what, tensor->name, scales.count,
                   zeros.count);
  float *scale = TH_ARRAY(r->scratch, float, scales.count);
  int32_t *zero = TH_ARRAY(r->scratch, int32_t, scales.count);
  if (!scale || !zero) return TH_ERR_RESOURCE;
  for (uint32_t i = 0; i < scales.count; ++i) {
    int64_t z = th_fb_vec_s64(zeros, zeros.count == 1 ? 0 : i);
    scale[i] = th_fb_vec_f32(scales, i);
    zero[i] = (int32_t)z;
    if (!(scale[i] > 0 && scale[i] < 1e30f)) {
      if (tensor->dtype == TH_DTYPE_S32) return TH_OK; /* a bias: its scale follows from input and weights */
      return th_fail(TH_ERR_INPUT, "%s: tensor %s: scale %u is %g, expected a positive number", r->fb.what,
                     tensor->name, i, (double)scale[i]);
    }
    if (z != zero[i])
      return th_fail(TH_ERR_INPUT, "%s: tensor %s: zero point %lld is out of range", r->fb.what, tensor->name,
                     (long long)z);
  }
  return th_graph_set_quant(r->g, id, axis, (int)scales.count, scale, zero);
}

/* Bytes of a buffer: inside the FlatBuffer, or behind it by absolute place (files above 2 GiB use that). */
static th_status find_buffer(tfl_reader *r, uint32_t index, const char *name, const uint8_t **data, uint64_t *bytes) {
  if (index >= r->buffers.count)
    return th_fail(TH_ERR_INPUT, "%s: tensor %s: buffer %u does not exist, there are %u", r->fb.what, name, index,
                   r->buffers.count);
  th_fb_table buffer = th_fb_vec_table(r->buffers, index);
  th_fb_vec v = th_fb_vector(buffer, TFL_BUFFER_DATA, 1);
  *data = th_fb_vec_data(v);
  *bytes = v.count;
  uint64_t offset = th_fb_u64(buffer, TFL_BUFFER_OFFSET, 0), size = th_fb_u64(buffer, TFL_BUFFER_SIZE, 0);
  if (offset <= 1) return th_fb_status(&r->fb);
  if (offset > r->fb.size || size > r->fb.size - offset)
    return th_fail(TH_ERR_INPUT, "%s: tensor %s: its data pass the end of the file", r->fb.what, name);
  *data = r->fb.data + offset;
  *bytes = size;
  return TH_OK;
}

/* Two values per byte, the first in the low half. */
static const uint8_t *unpack_s4(tfl_reader *r, const uint8_t *packed, int64_t elems) {
  int8_t *out = TH_ARRAY(r->scratch, int8_t, elems);
  for (int64_t i = 0; out && i < elems; ++i) {
    int v = packed[i / 2] >> (i & 1 ? 4 : 0) & 15;
    out[i] = (int8_t)(v >= 8 ? v - 16 : v);
  }
  return (const uint8_t *)out;
}

static th_status read_data(tfl_reader *r, th_fb_table t, int id) {
  const th_tensor *tensor = &r->g->tensors[id];
  const uint8_t *data = NULL;
  uint64_t bytes = 0;
  TH_TRY(find_buffer(r, th_fb_u32(t, TFL_TENSOR_BUFFER, 0), tensor->name, &data, &bytes));
  if (bytes == 0) return TH_OK;
  if (th_fb_has(t, TFL_TENSOR_SPARSITY)) {
    TH_TRY(th_tfl_densify(r, th_fb_child(t, TFL_TENSOR_SPARSITY), id, data, bytes, &data));
    return th_graph_set_data(r->g, id, tensor->dtype, &tensor->shape, data);
  }
  int64_t elems = th_shape_elems(&tensor->shape);
  uint64_t expected = tensor->dtype == TH_DTYPE_S4 ? (uint64_t)(elems + 1) / 2 : (uint64_t)th_tensor_bytes(tensor);
  if (bytes != expected)
    return th_fail(TH_ERR_INPUT, "%s: tensor %s: has %llu bytes of data, its shape and type need %llu", r->fb.what,
                   tensor->name, (unsigned long long)bytes, (unsigned long long)expected);
  if (tensor->dtype == TH_DTYPE_S4) data = unpack_s4(r, data, elems);
  return data ? th_graph_set_data(r->g, id, tensor->dtype, &tensor->shape, data) : TH_ERR_RESOURCE;
}

/* Handles have neither values nor a place: no node of the graph will use this tensor. */
static th_status read_handle(tfl_reader *r, const char *name, int index) {
  const th_shape shape = th_shape_make(1, 1);
  int id;
  r->handle[index] = TFL_UNBOUND_HANDLE;
  return th_graph_add_tensor(r->g, name, TH_DTYPE_S32, &shape, &id);
}

static th_status read_tensor(tfl_reader *r, th_fb_table t, int index) {
  const char *name = th_tfl_clean_name(r, th_fb_string(t, TFL_TENSOR_NAME), index);
  if (!name) return TH_ERR_RESOURCE;
  int code = th_fb_u8(t, TFL_TENSOR_TYPE, 0);
  r->handle[index] = TFL_NO_HANDLE;
  if (code == TFL_TYPE_RESOURCE) return read_handle(r, name, index);
  th_dtype dtype = dtype_of(code);
  if (dtype == TH_DTYPE_NONE)
    return th_fail(TH_ERR_INPUT, "%s: tensor %s: type %d is not supported", r->fb.what, name, code);
  th_shape shape;
  int id;
  TH_TRY(read_shape(r, t, name, &shape));
  TH_TRY(th_graph_add_tensor(r->g, name, dtype, &shape, &id));
  r->g->tensors[id].is_variable = th_fb_bool(t, TFL_TENSOR_IS_VARIABLE, false);
  TH_TRY(read_quant(r, t, id));
  return read_data(r, t, id);
}

/* --- operators --- */

static th_status find_op(tfl_reader *r, th_fb_vec codes, th_fb_table entry, int index, const tfl_op_row **row) {
  uint32_t which = th_fb_u32(entry, TFL_OPERATOR_OPCODE_INDEX, 0);
  if (which >= codes.count)
    return th_fail(TH_ERR_INPUT, "%s: operator %d: operator code %u does not exist", r->fb.what, index, which);
  th_fb_table c = th_fb_vec_table(codes, which);
  int narrow = th_fb_s8(c, TFL_CODE_DEPRECATED, 0), code = th_fb_s32(c, TFL_CODE_BUILTIN, 0);
  if (narrow > code) code = narrow;
  *row = th_tfl_op_find(code);
  if (*row) return TH_OK;
  th_fb_vec outs = th_fb_vector(entry, TFL_OPERATOR_OUTPUTS, 4);
  int out = outs.count ? th_fb_vec_s32(outs, 0) : -1;
  const char *tensor = out >= 0 && out < r->n_tensors ? r->g->tensors[r->base + out].name : "?";
  TH_TRY(th_fb_status(&r->fb));
  if (code == TFL_CODE_CUSTOM_OP)
    return th_fail(TH_ERR_INPUT, "%s: operator %d: custom operator '%s' is not supported (it makes tensor %s)",
                   r->fb.what, index, th_fb_string(c, TFL_CODE_CUSTOM), tensor);
  const char *name = th_tfl_op_name(code);
  return th_fail(TH_ERR_INPUT, "%s: operator %d: %s (code %d) is not supported (it makes tensor %s)", r->fb.what, index,
                 name, code, tensor);
}

/* Operators on variables have other counts than the graph's own; they check them themselves. */
static bool is_on_variables(const tfl_op *o) {
  return o->op == TH_OP_READ_VARIABLE || o->op == TH_OP_ASSIGN_VARIABLE;
}

/* Tensor `id` of the file as one of the graph. */
static th_status read_id(tfl_reader *r, const tfl_op *o, int id, const char *role, int *tensor) {
  if (id < 0 || id >= r->n_tensors) return th_tfl_fail(r, o, "%s names tensor %d, which does not exist", role, id);
  *tensor = r->base + id;
  if (r->handle[id] == TFL_NO_HANDLE || is_on_variables(o)) return TH_OK;
  return th_tfl_fail(r, o, "%s is a handle of a variable", role);
}

static th_status read_outputs(tfl_reader *r, tfl_op *o, th_fb_vec out) {
  const uint32_t most = th_op_get(o->op)->max_out ? (uint32_t)th_op_get(o->op)->max_out : 1;
  if ((out.count < 1 && !is_on_variables(o)) || out.count > most)
    return th_tfl_fail(r, o, "has %u outputs, expected %s%u", out.count, most > 1 ? "1 to " : "", most);
  for (uint32_t i = 0; i < out.count; ++i) {
    int *id = &o->outs[o->n_out++];
    TH_TRY(read_id(r, o, th_fb_vec_s32(out, i), "its output", id));
    if (r->g->tensors[*id].data) return th_tfl_fail(r, o, "its output %s is a constant", r->g->tensors[*id].name);
  }
  o->out = o->n_out ? o->outs[0] : -1;
  return TH_OK;
}

static th_status read_ids(tfl_reader *r, tfl_op *o, th_fb_vec in, th_fb_vec out) {
  if (in.count > TH_MAX_INPUTS) return th_tfl_fail(r, o, "has %u inputs", in.count);
  for (uint32_t i = 0; i < in.count; ++i) {
    char role[24];
    snprintf(role, sizeof role, "input %u", i);
    const int id = th_fb_vec_s32(in, i);
    o->in[o->n_in++] = -1;
    if (id != -1) TH_TRY(read_id(r, o, id, role, &o->in[i]));
  }
  return read_outputs(r, o, out);
}

/* Operators of constants alone are computed at once: others want the results as constants (shapes, sizes, weights). */
static th_status fold(tfl_reader *r, int first_node) {
  bool folded;
  for (int i = first_node; i < r->g->n_nodes; ++i) {
    const th_status status = th_fold_node(r->g, i, &folded);
    if (status != TH_OK) return th_fail_in(status, "%s", r->fb.what);
  }
  return TH_OK;
}

static th_status read_operator(tfl_reader *r, th_fb_vec codes, th_fb_table entry, int index) {
  const tfl_op_row *row;
  TH_TRY(find_op(r, codes, entry, index, &row));
  tfl_op o = {.index = index, .name = row->name, .op = row->op, .options = {.fb = &r->fb}};
  TH_TRY(read_ids(r, &o, th_fb_vector(entry, TFL_OPERATOR_INPUTS, 4), th_fb_vector(entry, TFL_OPERATOR_OUTPUTS, 4)));
  int type = th_fb_u8(entry, TFL_OPERATOR_OPTIONS_TYPE, 0);
  if (row->options && type == row->options) {
    o.options = th_fb_child(entry, TFL_OPERATOR_OPTIONS);
  } else if (row->options && type != 0) {
    return th_tfl_fail(r, &o, "its options are of type %d, expected %d", type, row->options);
  }
  TH_TRY(th_fb_status(&r->fb));
  if ((o.n_in < 1 || o.in[0] < 0) && !is_on_variables(&o)) return th_tfl_fail(r, &o, "has no input");
  const int first = r->g->n_nodes;
  TH_TRY(row->read(r, &o));
  return fold(r, first);
}

/* --- the graph --- */

static th_status read_borders(tfl_reader *r, th_fb_table sub, int field, const char *role, int **ids, int *count) {
  th_fb_vec v = th_fb_vector(sub, field, 4);
  TH_TRY(th_fb_status(&r->fb));
  if (v.count < 1 || v.count > 16)
    return th_fail(TH_ERR_INPUT, "%s: has %u %ss, expected 1 to 16", r->fb.what, v.count, role);
  *count = (int)v.count;
  *ids = TH_ARRAY(r->scratch, int, v.count);
  if (!*ids) return TH_ERR_RESOURCE;
  for (int i = 0; i < *count; ++i) {
    int id = (*ids)[i] = th_fb_vec_s32(v, (uint32_t)i);
    if (id < 0 || id >= r->n_tensors)
      return th_fail(TH_ERR_INPUT, "%s: %s %d names tensor %d, which does not exist", r->fb.what, role, i, id);
    if (r->handle[id] != TFL_NO_HANDLE)
      return th_fail(TH_ERR_INPUT, "%s: %s %d is a handle of a variable", r->fb.what, role, i);
  }
  return TH_OK;
}

/* What the file says about shapes must be what the operators give. */
static th_status check_shapes(tfl_reader *r) {
  th_shape *said = TH_ARRAY(r->scratch, th_shape, r->n_tensors);
  if (!said) return TH_ERR_RESOURCE;
  for (int i = 0; i < r->n_tensors; ++i) said[i] = r->g->tensors[i].shape;
  th_status status = th_op_infer_all(r->g);
  if (status != TH_OK) return th_fail_in(status, "%s", r->fb.what);
  for (int i = 0; i < r->n_tensors; ++i) {
    char found[TH_SHAPE_TEXT], expected[TH_SHAPE_TEXT];
    const th_tensor *t = &r->g->tensors[i];
    if (!th_shape_eq(&said[i], &t->shape))
      return th_fail(TH_ERR_INPUT, "%s: tensor %s: the file says %s, its operator gives %s", r->fb.what, t->name,
                     th_shape_text(&said[i], found), th_shape_text(&t->shape, expected));
  }
  return TH_OK;
}

/* Tensors and operators of a subgraph; its tensors come behind those the graph has. */
static th_status read_content(tfl_reader *r, th_fb_table sub) {
  th_fb_vec tensors = th_fb_vector(sub, TFL_SUBGRAPH_TENSORS, 4);
  th_fb_vec operators = th_fb_vector(sub, TFL_SUBGRAPH_OPERATORS, 4);
  th_fb_vec codes = th_fb_vector(r->model, TFL_MODEL_OPERATOR_CODES, 4);
  TH_TRY(th_fb_status(&r->fb));
  if (tensors.count > MAX_TENSORS || operators.count > MAX_OPERATORS)
    return th_fail(TH_ERR_INPUT, "%s: has %u tensors and %u operators, at most %d and %d are supported", r->fb.what,
                   tensors.count, operators.count, MAX_TENSORS, MAX_OPERATORS);
  r->base = r->g->n_tensors;
  r->n_tensors = (int)tensors.count;
  r->handle = TH_ARRAY(r->scratch, int, tensors.count + 1);
  if (!r->handle) return TH_ERR_RESOURCE;
  for (uint32_t i = 0; i < tensors.count; ++i) {
    th_fb_table t = th_fb_vec_table(tensors, i);
    TH_TRY(th_fb_status(&r->fb));
    TH_TRY(read_tensor(r, t, (int)i));
  }
  for (uint32_t i = 0; i < operators.count; ++i) {
    th_fb_table entry = th_fb_vec_table(operators, i);
    TH_TRY(th_fb_status(&r->fb));
    TH_TRY(read_operator(r, codes, entry, (int)i));
  }
  return th_fb_status(&r->fb);
}

static th_status read_init(tfl_reader *r, th_fb_table sub) {
  const int first = r->g->n_nodes;
  TH_TRY(read_content(r, sub));
  for (int i = first; i < r->g->n_nodes; ++i)
    if (!r->g->nodes[i].dead)
      return th_fail(TH_ERR_INPUT, "%s: initialization: %s (%s) is not computed from constants", r->fb.what,
                     r->g->nodes[i].name, th_op_name(r->g->nodes[i].op));
  return TH_OK;
}

th_status th_tfl_read_init(tfl_reader *r, const tfl_op *o, int index) {
  if (index < 1 || index >= r->n_subgraphs)
    return th_tfl_fail(r, o, "calls subgraph %d, expected 1 to %d", index, r->n_subgraphs - 1);
  if (r->called[index]) return TH_OK;
  r->called[index] = true;
  const int base = r->base, n_tensors = r->n_tensors;
  int *handle = r->handle;
  r->in_init = true;
  TH_TRY(read_init(r, th_fb_vec_table(th_fb_vector(r->model, TFL_MODEL_SUBGRAPHS, 4), (uint32_t)index)));
  r->in_init = false;
  r->base = base;
  r->n_tensors = n_tensors;
  r->handle = handle;
  return TH_OK;
}

static th_status read_main(tfl_reader *r, th_fb_table sub) {
  TH_TRY(read_content(r, sub));
  TH_TRY(th_tfl_assign_variables(r));
  int *ids, n;
  TH_TRY(read_borders(r, sub, TFL_SUBGRAPH_INPUTS, "input", &ids, &n));
  TH_TRY(th_graph_set_inputs(r->g, ids, n));
  TH_TRY(read_borders(r, sub, TFL_SUBGRAPH_OUTPUTS, "output", &ids, &n));
  TH_TRY(th_graph_set_outputs(r->g, ids, n));
  if (r->g->n_nodes == 0) return th_fail(TH_ERR_INPUT, "%s: has no operators that compute anything", r->fb.what);
  TH_TRY(th_graph_sort(r->g)); /* files may list operators in another order than that of use */
  th_status status = th_graph_verify(r->g);
  if (status != TH_OK) return th_fail_in(status, "%s", r->fb.what);
  TH_TRY(check_shapes(r));
  TH_TRY(th_tfl_from_uint8(r));
  return th_graph_compact(r->g);
}

static th_status check_subgraphs(const tfl_reader *r) {
  for (int i = 1; i < r->n_subgraphs; ++i)
    if (!r->called[i])
      return th_fail(TH_ERR_INPUT,
                     "%s: has %d subgraphs (control flow or several signatures), expected 1, and those that CALL_ONCE "
                     "calls to initialize variables",
                     r->fb.what, r->n_subgraphs);
  return TH_OK;
}

static th_status read_model(tfl_reader *r) {
  r->model = th_fb_root(&r->fb, TFL_IDENTIFIER);
  uint32_t version = th_fb_u32(r->model, TFL_MODEL_VERSION, 0);
  th_fb_vec subgraphs = th_fb_vector(r->model, TFL_MODEL_SUBGRAPHS, 4);
  r->buffers = th_fb_vector(r->model, TFL_MODEL_BUFFERS, 4);
  th_fb_table sub = th_fb_vec_table(subgraphs, 0);
  TH_TRY(th_fb_status(&r->fb));
  if (version != TFL_VERSION)
    return th_fail(TH_ERR_INPUT, "%s: schema version %u, expected %d", r->fb.what, version, TFL_VERSION);
  if (subgraphs.count < 1 || subgraphs.count > MAX_SUBGRAPHS)
    return th_fail(TH_ERR_INPUT, "%s: has %u subgraphs, expected 1 to %d", r->fb.what, subgraphs.count, MAX_SUBGRAPHS);
  r->n_subgraphs = (int)subgraphs.count;
  r->called = TH_ARRAY(r->scratch, bool, subgraphs.count + 1);
  if (!r->called) return TH_ERR_RESOURCE;
  TH_TRY(read_main(r, sub));
  return check_subgraphs(r);
}

bool th_read_tflite_probe(const uint8_t *data, size_t size) {
  return size >= 8 && memcmp(data + 4, TFL_IDENTIFIER, 4) == 0;
}

th_status th_read_tflite_bytes(const uint8_t *data, size_t size, const char *what, th_graph **graph) {
  *graph = NULL;
  tfl_reader r = {.fb = th_fb_init(data, size, what), .scratch = th_arena_create()};
  if (!r.scratch) return TH_ERR_RESOURCE;
  char *name = th_arena_strdup(r.scratch, th_path_base(what));
  th_status status = TH_ERR_RESOURCE;
  if (name) {
    char *dot = strrchr(name, '.');
    if (dot && dot != name) *dot = 0;
    status = th_graph_create(&r.g, name);
  }
  if (status == TH_OK) status = read_model(&r);
  th_arena_destroy(r.scratch);
  if (status == TH_OK)
    *graph = r.g;
  else
    th_graph_destroy(r.g);
  return status;
}

th_status th_read_tflite(const char *path, th_graph **graph) {
  uint8_t *data;
  size_t size;
  *graph = NULL;
  th_arena *arena = th_arena_create();
  if (!arena) return TH_ERR_RESOURCE;
  th_status status = th_file_read(arena, path, TH_FILE_LIMIT, &data, &size);
  if (status == TH_OK) status = th_read_tflite_bytes(data, size, path, graph);
  th_arena_destroy(arena);
  return status;
}
