/* Operators that select, repeat or join values: Concat, Split, Slice, Gather, Pad, Expand, Tile, DepthToSpace,
 * SpaceToDepth. Axes are those of the file; here they are turned into those of the tensors.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/str.h"
#include "read/onnx_internal.h"

/* The result's order: the data's own where it has a place for every dimension that is not 1 afterwards. */
static onnx_layout room_for(const onnx_value *v, const th_shape *out) {
  const onnx_layout *l = &v->layout;
  bool fits = v->kind == ONNX_DATA && l->rank > 0 && (l->dim[0] < 0 || out->dim[l->dim[0]] == 1);
  for (int i = 0; fits && i < out->rank; i++) fits = out->dim[i] == 1 || th_onnx_place(l, i) >= 0;
  return fits ? *l : th_onnx_as_is(out);
}

static th_status table_of(onnx_reader *r, const char *name, const int32_t *data, int rows, int columns, int *tensor) {
  const th_shape shape = columns ? th_shape_make(2, rows, columns) : th_shape_make(1, rows);
  return th_onnx_const(r, name, TH_DTYPE_S32, &shape, data, tensor);
}

/* The last node made yields output k; v tells what it was made of. */
static th_status give(onnx_reader *r, const onnx_node *n, int k, const onnx_value *v, const th_shape *shape,
                      const onnx_layout *l) {
  int tensor;
  TH_TRY(th_onnx_finish(r, n, &tensor));
  TH_TRY(th_onnx_set(r, n, k, tensor, shape, l));
  if (k < n->n_out && n->out[k]) n->out[k]->image = v->image;
  return TH_OK;
}

/* Data or constant, no reshape pending. */
static th_status take(onnx_reader *r, const onnx_node *n, int i, onnx_value *v) {
  if (i >= n->n_in || !n->in[i]) return th_onnx_fail(r, n, "input %d is absent", i);
  *v = *n->in[i];
  if (v->view_of || (v->kind == ONNX_CONST && v->grid.count > 1)) TH_TRY(th_onnx_to_float(r, n, n->in[i], v));
  return v->kind == ONNX_DATA ? th_onnx_settle(r, n, v, v) : TH_OK;
}

/* --- slices --- */

typedef struct slice {
  int32_t begin, count, step; /* of every logical dimension */
} slice;

static void whole(const th_shape *s, slice *to) {
  for (int i = 0; i < s->rank; i++) to[i] = (slice){0, s->dim[i], 1};
}

static th_status cut(onnx_reader *r, onnx_node *n, int k, const onnx_value *v, const slice *s) {
  th_shape shape = v->shape;
  bool all = true;
  for (int i = 0; i < shape.rank; i++) {
    all = all && s[i].begin == 0 && s[i].count == shape.dim[i] && s[i].step == 1;
    shape.dim[i] = s[i].count;
  }
  if (all) {
    th_onnx_rename(n, k, v);
    return TH_OK;
  }
  if (v->kind == ONNX_CONST) {
    int64_t step[TH_MAX_RANK], at = 0, size = 1;
    onnx_value out = *v;
    void *data;
    for (int i = shape.rank - 1; i >= 0; i--) {
      at += s[i].begin * size;
      step[i] = s[i].step * size;
      size *= v->shape.dim[i];
    }
    TH_TRY(th_onnx_pick(r, v->data, th_dtype_bytes(v->dtype), at, &shape, step, &data));
    out.data = data;
    out.shape = out.base = shape;
    th_onnx_rename(n, k, &out);
    return TH_OK;
  }
  int32_t table[3 * TH_MAX_RANK];
  int in[2] = {v->tensor, 0};
  th_node *node;
  for (int p = 0; p < v->layout.rank; p++) {
    const slice one = {0, 1, 1}, *d = v->layout.dim[p] < 0 ? &one : &s[v->layout.dim[p]];
    if (d->count < 1) return th_onnx_fail(r, n, "its output is empty");
    table[3 * p] = d->begin;
    table[3 * p + 1] = d->begin + (d->count - 1) * d->step + (d->step > 0 ? 1 : -1);
    table[3 * p + 2] = d->step;
  }
  for (int i = 0; i < shape.rank; i++)
    if (shape.dim[i] < 1) return th_onnx_fail(r, n, "its output is empty");
  TH_TRY(table_of(r, "slices", table, v->layout.rank, 3, &in[1]));
  TH_TRY(th_onnx_node(r, n, TH_OP_STRIDED_SLICE, in, 2, &node));
  return give(r, n, k, v, &shape, &v->layout);
}

static int32_t limited(int64_t v, int64_t lo, int64_t hi) {
  return (int32_t)(v < lo ? lo : v > hi ? hi : v);
}

/* Python's begin:end:step of `size` values. */
static th_status resolve(onnx_reader *r, const onnx_node *n, int64_t begin, int64_t end, int32_t step, int32_t size,
                         slice *s) {
  if (step == 0) return th_onnx_fail(r, n, "a step is 0");
  if (begin < 0) begin += size;
  if (end < 0) end += size;
  begin = step > 0 ? limited(begin, 0, size) : limited(begin, -1, size - 1);
  end = step > 0 ? limited(end, 0, size) : limited(end, -1, size - 1);
  const int64_t span = step > 0 ? end - begin : begin - end, pace = step > 0 ? step : -(int64_t)step;
  s->begin = (int32_t)begin;
  s->count = span > 0 ? (int32_t)((span + pace - 1) / pace) : 0;
  s->step = s->count > 1 ? step : 1;
  return TH_OK;
}

th_status th_onnx_op_slice(onnx_reader *r, onnx_node *n) {
  onnx_value v;
  int32_t begin[TH_MAX_RANK], end[TH_MAX_RANK], axes[TH_MAX_RANK], step[TH_MAX_RANK];
  int count, ends, n_axes, n_steps, axis;
  slice s[TH_MAX_RANK];
  TH_TRY(take(r, n, 0, &v));
  TH_TRY(th_onnx_ints(r, n, 1, "starts", begin, TH_MAX_RANK, &count));
  TH_TRY(th_onnx_ints(r, n, 2, "ends", end, TH_MAX_RANK, &ends));
  TH_TRY(th_onnx_ints(r, n, 3, "axes", axes, TH_MAX_RANK, &n_axes));
  TH_TRY(th_onnx_in_ints(r, n, 4, step, TH_MAX_RANK, &n_steps));
  if (ends != count || (n_axes && n_axes != count) || (n_steps && n_steps != count) || count > v.shape.rank)
    return th_onnx_fail(r, n, "has %d starts, %d ends, %d axes and %d steps", count, ends, n_axes, n_steps);
  whole(&v.shape, s);
  for (int i = 0; i < count; i++) {
    TH_TRY(th_onnx_axis(r, n, n_axes ? axes[i] : i, v.shape.rank, &axis));
    TH_TRY(resolve(r, n, begin[i], end[i], n_steps ? step[i] : 1, v.shape.dim[axis], &s[axis]));
  }
  return cut(r, n, 0, &v, s);
}

th_status th_onnx_op_split(onnx_reader *r, onnx_node *n) {
  onnx_value v;
  int32_t given, sizes[ONNX_MAX_OUT], at = 0, parts;
  int axis, count;
  slice s[TH_MAX_RANK];
  TH_TRY(take(r, n, 0, &v));
  TH_TRY(th_onnx_attr_int(r, n, "axis", 0, &given));
  TH_TRY(th_onnx_axis(r, n, given, v.shape.rank, &axis));
  TH_TRY(th_onnx_ints(r, n, 1, "split", sizes, ONNX_MAX_OUT, &count));
  TH_TRY(th_onnx_attr_int(r, n, "num_outputs", n->n_out, &parts));
  const int32_t size = v.shape.dim[axis];
  if (parts != n->n_out || (count && count != n->n_out) || n->n_out < 1)
    return th_onnx_fail(r, n, "has %d outputs and %d sizes", n->n_out, count ? count : (int)parts);
  const int32_t even = (size + n->n_out - 1) / n->n_out; /* the last part may be smaller */
  for (int k = 0; k < n->n_out; k++) {
    const int32_t part = count ? sizes[k] : at + even > size ? size - at : even;
    if (part < 0 || part > size - at) return th_onnx_fail(r, n, "its parts are more than the %d values", (int)size);
    whole(&v.shape, s);
    s[axis] = (slice){at, part, 1};
    at += part;
    if (n->out[k]) TH_TRY(cut(r, n, k, &v, s));
  }
  return at == size ? TH_OK : th_onnx_fail(r, n, "its parts are less than the %d values", (int)size);
}

/* --- gather --- */

/* Values of one logical dimension by index. */
th_status th_onnx_pick_indices(onnx_reader *r, const onnx_node *n, const onnx_value *v, int axis, const int32_t *index,
                               int count, onnx_value *out) {
  th_shape shape = v->shape;
  int in[2];
  th_node *node;
  shape.dim[axis] = count;
  onnx_layout l = room_for(v, &shape);
  if (th_onnx_place(&l, axis) < 0) l = th_onnx_as_is(&shape);
  if (th_onnx_place(&l, axis) < 0) return th_onnx_fail(r, n, "has too many dimensions");
  TH_TRY(th_onnx_arrange(r, n, v, &l, &in[0]));
  TH_TRY(table_of(r, "indices", index, count, 0, &in[1]));
  TH_TRY(th_onnx_node(r, n, TH_OP_GATHER, in, 2, &node));
  node->attr[TH_ATTR_AXIS].i = th_onnx_place(&l, axis);
  *out = *v;
  TH_TRY(th_onnx_finish(r, n, &out->tensor));
  out->shape = out->base = shape;
  out->layout = l;
  return TH_OK;
}

/* One index: a slice without its dimension. */
static th_status drop_to(onnx_reader *r, onnx_node *n, const onnx_value *v, int axis, int32_t index) {
  slice s[TH_MAX_RANK];
  int place[TH_MAX_RANK];
  if (!n->out[0]) return TH_OK;
  whole(&v->shape, s);
  s[axis] = (slice){index, 1, 1};
  TH_TRY(cut(r, n, 0, v, s));
  onnx_value *out = n->out[0];
  th_shape to = {.rank = 0};
  for (int i = 0; i < out->shape.rank; i++) {
    place[i] = i == axis ? -1 : to.rank;
    if (i != axis) to.dim[to.rank++] = out->shape.dim[i];
  }
  for (int i = 0; i < out->layout.rank && out->kind == ONNX_DATA; i++)
    if (out->layout.dim[i] >= 0) out->layout.dim[i] = place[out->layout.dim[i]];
  out->shape = out->base = to;
  out->image = false;
  return TH_OK;
}

enum { MOST_INDICES = 4096 };

th_status th_onnx_op_gather(onnx_reader *r, onnx_node *n) {
  onnx_value v, out;
  int32_t given;
  int axis, count;
  int32_t *index = TH_ARRAY(r->arena, int32_t, MOST_INDICES);
  if (!index) return TH_ERR_RESOURCE;
  TH_TRY(take(r, n, 0, &v));
  TH_TRY(th_onnx_attr_int(r, n, "axis", 0, &given));
  TH_TRY(th_onnx_axis(r, n, given, v.shape.rank, &axis));
  TH_TRY(th_onnx_in_ints(r, n, 1, index, MOST_INDICES, &count));
  if (v.kind != ONNX_DATA || count < 1 || !n->in[1])
    return th_onnx_fail(r, n, "takes data and at least one constant index");
  for (int i = 0; i < count; i++) {
    if (index[i] < 0) index[i] += v.shape.dim[axis];
    if (index[i] < 0 || index[i] >= v.shape.dim[axis])
      return th_onnx_fail(r, n, "index %d of %d values", (int)index[i], (int)v.shape.dim[axis]);
  }
  const int rank = n->in[1]->shape.rank;
  if (rank == 0) return drop_to(r, n, &v, axis, index[0]);
  TH_TRY(th_onnx_pick_indices(r, n, &v, axis, index, count, &out));
  if (rank == 1) {
    th_onnx_rename(n, 0, &out);
    return TH_OK;
  }
  th_shape to = {.rank = v.shape.rank - 1 + rank}; /* the indices' own dimensions take the axis' place */
  if (to.rank > TH_MAX_RANK) return th_onnx_fail(r, n, "makes %d dimensions", to.rank);
  for (int i = 0; i < to.rank; i++)
    to.dim[i] = i < axis ? v.shape.dim[i] : i < axis + rank ? n->in[1]->shape.dim[i - axis] : v.shape.dim[i - rank + 1];
  return th_onnx_give_shape(r, n, &out, &to);
}

/* --- concat --- */

th_status th_onnx_op_concat(onnx_reader *r, onnx_node *n) {
  onnx_value v[ONNX_MAX_IN];
  int32_t given;
  int axis, in[ONNX_MAX_IN], lead = -1;
  th_node *node;
  for (int i = 0; i < n->n_in; i++) {
    if (!n->in[i]) return th_onnx_fail(r, n, "input %d is absent", i);
    v[i] = *n->in[i];
    if (!n->integer) TH_TRY(th_onnx_to_float(r, n, n->in[i], &v[i]));
    if (v[i].kind == ONNX_DATA) TH_TRY(th_onnx_settle(r, n, &v[i], &v[i]));
    if (n->grid) TH_TRY(th_onnx_regrid(r, n, &v[i], n->grid));
    if (v[i].kind == ONNX_DATA && lead < 0) lead = i;
    if (v[i].dtype != v[0].dtype) return th_onnx_fail(r, n, "its inputs are of different types");
  }
  if (lead < 0) return th_onnx_fail(r, n, "has no data");
  th_shape shape = v[0].shape;
  TH_TRY(th_onnx_attr_int(r, n, "axis", r->opset < 4 ? 1 : 0, &given));
  TH_TRY(th_onnx_axis(r, n, given, shape.rank, &axis));
  for (int i = 1; i < n->n_in; i++) {
    bool fits = v[i].shape.rank == shape.rank && v[i].shape.dim[axis] < INT32_MAX / 4 - shape.dim[axis];
    for (int d = 0; fits && d < shape.rank; d++) fits = d == axis || v[i].shape.dim[d] == shape.dim[d];
    if (!fits) return th_onnx_fail(r, n, "the shapes of its inputs do not match");
    shape.dim[axis] += v[i].shape.dim[axis];
  }
  const onnx_layout l = room_for(&v[lead], &shape);
  if (n->n_in == 1) {
    th_onnx_rename(n, 0, &v[0]);
    return TH_OK;
  }
  if (th_onnx_place(&l, axis) < 0) return th_onnx_fail(r, n, "has too many dimensions");
  for (int i = 0; i < n->n_in; i++) TH_TRY(th_onnx_arrange(r, n, &v[i], &l, &in[i]));
  TH_TRY(th_onnx_node(r, n, TH_OP_CONCAT, in, n->n_in, &node));
  node->attr[TH_ATTR_AXIS].i = th_onnx_place(&l, axis);
  return give(r, n, 0, &v[lead], &shape, &l);
}

/* --- pad --- */

typedef struct padding {
  int32_t before[TH_MAX_RANK], after[TH_MAX_RANK]; /* logical */
} padding;

static th_status read_padding(onnx_reader *r, const onnx_node *n, int rank, padding *p) {
  int32_t pads[2 * TH_MAX_RANK], axes[TH_MAX_RANK];
  int count, n_axes, axis;
  *p = (padding){{0}, {0}};
  TH_TRY(th_onnx_ints(r, n, 1, "pads", pads, 2 * TH_MAX_RANK, &count));
  TH_TRY(th_onnx_in_ints(r, n, 3, axes, TH_MAX_RANK, &n_axes));
  const int sides = n_axes ? n_axes : rank;
  if (count != 2 * sides) return th_onnx_fail(r, n, "has %d paddings for %d dimensions", count, sides);
  for (int i = 0; i < sides; i++) {
    TH_TRY(th_onnx_axis(r, n, n_axes ? axes[i] : i, rank, &axis));
    if (pads[i] < 0 || pads[sides + i] < 0 || pads[i] > 65536 || pads[sides + i] > 65536)
      return th_onnx_fail(r, n, "padding of dimension %d is %d, %d, must be 0 to 65536", axis, (int)pads[i],
                          (int)pads[sides + i]);
    p->before[axis] = pads[i];
    p->after[axis] = pads[sides + i];
  }
  return TH_OK;
}

/* Repeated edges: each dimension by index, its first and last values several times. */
static th_status pad_edges(onnx_reader *r, onnx_node *n, const onnx_value *v, const padding *p) {
  onnx_value out = *v;
  for (int d = 0; d < v->shape.rank; d++) {
    const int32_t size = v->shape.dim[d], count = size + p->before[d] + p->after[d];
    if (count == size) continue;
    int32_t *index = TH_ARRAY(r->arena, int32_t, count);
    if (!index) return TH_ERR_RESOURCE;
    for (int32_t i = 0; i < count; i++) index[i] = limited(i - p->before[d], 0, size - 1);
    const onnx_value in = out;
    TH_TRY(th_onnx_pick_indices(r, n, &in, d, index, count, &out));
  }
  th_onnx_rename(n, 0, &out);
  return TH_OK;
}

/* The border's value as a constant of the data's type, on their grid. */
static th_status pad_value(onnx_reader *r, const onnx_node *n, const onnx_value *v, float value, int *tensor) {
  const th_shape scalar = th_shape_make(1, 1);
  const th_quant q = r->g->tensors[v->tensor].quant;
  if (v->dtype == TH_DTYPE_F32) return th_onnx_const(r, "value", TH_DTYPE_F32, &scalar, &value, tensor);
  if (v->dtype != TH_DTYPE_S8 || q.count != 1) return th_onnx_fail(r, n, "pads integers without a scale");
  const double real = rint((double)(value / q.scale[0])) + q.zero[0];
  const int8_t whole = (int8_t)(real > 127 ? 127 : real > -128 ? real : -128);
  TH_TRY(th_onnx_const(r, "value", TH_DTYPE_S8, &scalar, &whole, tensor));
  return th_graph_set_quant(r->g, *tensor, -1, 1, q.scale, q.zero);
}

th_status th_onnx_op_pad(onnx_reader *r, onnx_node *n) {
  onnx_value v;
  padding p;
  const char *mode;
  float value;
  int in[3] = {0, 0, TH_NO_TENSOR};
  int32_t table[2 * TH_MAX_RANK];
  th_node *node;
  TH_TRY(take(r, n, 0, &v));
  if (v.kind != ONNX_DATA) return th_onnx_fail(r, n, "of the constant %s is not computed while reading", v.name);
  TH_TRY(th_onnx_attr_text(r, n, "mode", "constant", &mode));
  TH_TRY(read_padding(r, n, v.shape.rank, &p));
  TH_TRY(th_onnx_attr_float(r, n, "value", 0, &value));
  TH_TRY(th_onnx_in_float(r, n, 2, value, &value));
  if (th_str_eq(mode, "edge")) return pad_edges(r, n, &v, &p);
  const bool mirrors = th_str_eq(mode, "reflect");
  if (!mirrors && !th_str_eq(mode, "constant")) return th_onnx_fail(r, n, "mode %s is not supported", mode);
  th_shape shape = v.shape;
  for (int i = 0; i < shape.rank; i++) shape.dim[i] += p.before[i] + p.after[i];
  const onnx_layout l = room_for(&v, &shape);
  for (int k = 0; k < l.rank; k++) {
    table[2 * k] = l.dim[k] < 0 ? 0 : p.before[l.dim[k]];
    table[2 * k + 1] = l.dim[k] < 0 ? 0 : p.after[l.dim[k]];
  }
  TH_TRY(th_onnx_arrange(r, n, &v, &l, &in[0]));
  TH_TRY(table_of(r, "paddings", table, l.rank, 2, &in[1]));
  if (value != 0 && !mirrors) TH_TRY(pad_value(r, n, &v, value, &in[2]));
  TH_TRY(th_onnx_node(r, n, mirrors ? TH_OP_MIRROR_PAD : TH_OP_PAD, in, in[2] >= 0 ? 3 : 2, &node));
  return give(r, n, 0, &v, &shape, &l);
}

/* --- repetition --- */

th_status th_onnx_op_expand(onnx_reader *r, onnx_node *n) {
  onnx_value v, one;
  int32_t target[TH_MAX_RANK], sizes[TH_MAX_RANK];
  int count, in[2];
  th_node *node;
  TH_TRY(take(r, n, 0, &v));
  TH_TRY(th_onnx_in_ints(r, n, 1, target, TH_MAX_RANK, &count));
  const int rank = count > v.shape.rank ? count : v.shape.rank, more = rank - v.shape.rank;
  th_shape shape = {.rank = rank};
  one = v;
  one.shape = (th_shape){.rank = rank};
  bool same = more == 0;
  for (int i = 0; i < rank; i++) {
    const int32_t have = i < more ? 1 : v.shape.dim[i - more], want = i < rank - count ? 1 : target[i - (rank - count)];
    if (want < 1 || (have != 1 && want != 1 && have != want))
      return th_onnx_fail(r, n, "dimension %d of size %d cannot become %d", i, (int)have, (int)want);
    one.shape.dim[i] = have;
    shape.dim[i] = have == 1 ? want : have;
    same = same && shape.dim[i] == have;
  }
  one.base = one.shape;
  for (int i = 0; i < one.layout.rank; i++)
    if (one.layout.dim[i] >= 0) one.layout.dim[i] += more;
  if (same || th_shape_eq(&shape, &one.shape)) {
    th_onnx_rename(n, 0, &one);
    return TH_OK;
  }
  const onnx_layout l = room_for(&one, &shape);
  const th_shape physical = th_onnx_physical(&shape, &l);
  memcpy(sizes, physical.dim, sizeof sizes);
  TH_TRY(th_onnx_arrange(r, n, &one, &l, &in[0]));
  TH_TRY(table_of(r, "sizes", sizes, l.rank, 0, &in[1]));
  TH_TRY(th_onnx_node(r, n, TH_OP_BROADCAST_TO, in, 2, &node));
  return give(r, n, 0, &v, &shape, &l);
}

th_status th_onnx_op_tile(onnx_reader *r, onnx_node *n) {
  onnx_value v;
  int32_t times[TH_MAX_RANK], table[TH_MAX_RANK];
  int count, in[2];
  th_node *node;
  TH_TRY(take(r, n, 0, &v));
  if (v.kind != ONNX_DATA) return th_onnx_fail(r, n, "of the constant %s is not computed while reading", v.name);
  TH_TRY(th_onnx_in_ints(r, n, 1, times, TH_MAX_RANK, &count));
  if (count != v.shape.rank) return th_onnx_fail(r, n, "has %d repetitions for %d dimensions", count, v.shape.rank);
  th_shape shape = v.shape;
  for (int i = 0; i < count; i++) {
    if (times[i] < 1 || times[i] > INT32_MAX / 4 / shape.dim[i])
      return th_onnx_fail(r, n, "repeats dimension %d %d times", i, (int)times[i]);
    shape.dim[i] *= times[i];
  }
  const onnx_layout l = room_for(&v, &shape);
  for (int k = 0; k < l.rank; k++) table[k] = l.dim[k] < 0 ? 1 : times[l.dim[k]];
  TH_TRY(th_onnx_arrange(r, n, &v, &l, &in[0]));
  TH_TRY(table_of(r, "repetitions", table, l.rank, 0, &in[1]));
  TH_TRY(th_onnx_node(r, n, TH_OP_TILE, in, 2, &node));
  return give(r, n, 0, &v, &shape, &l);
}

/* --- between channels and pixels --- */

/* CRD counts a channel's block before the channel; DCR, which the operator knows, after it. */
static th_status to_dcr(onnx_reader *r, const onnx_node *n, onnx_value *v, int32_t block) {
  const int32_t channels = v->shape.dim[1], area = block * block, out = channels / area;
  int32_t *index = TH_ARRAY(r->arena, int32_t, channels);
  if (!index) return TH_ERR_RESOURCE;
  for (int32_t c = 0; c < out; c++)
    for (int32_t k = 0; k < area; k++) index[k * out + c] = c * area + k;
  const onnx_value in = *v;
  return th_onnx_pick_indices(r, n, &in, 1, index, channels, v);
}

th_status th_onnx_op_depth_to_space(onnx_reader *r, onnx_node *n) {
  const bool opens = n->row->op == TH_OP_DEPTH_TO_SPACE;
  onnx_value v;
  int32_t b;
  int in;
  th_node *node;
  const char *mode;
  TH_TRY(take(r, n, 0, &v));
  TH_TRY(th_onnx_attr_int(r, n, "blocksize", 0, &b));
  TH_TRY(th_onnx_attr_text(r, n, "mode", "DCR", &mode));
  if (v.kind != ONNX_DATA || v.shape.rank != 4 || v.shape.dim[0] != 1)
    return th_onnx_fail(r, n, "takes one picture of 4 dimensions");
  if (b < 1 || b > 4096 || (opens ? v.shape.dim[1] % (b * b) : v.shape.dim[2] % b || v.shape.dim[3] % b))
    return th_onnx_fail(r, n, "blocks of %d do not fit the input", (int)b);
  if (opens && th_str_eq(mode, "CRD")) TH_TRY(to_dcr(r, n, &v, b));
  const onnx_layout l = th_onnx_channels_last(4);
  TH_TRY(th_onnx_arrange(r, n, &v, &l, &in));
  TH_TRY(th_onnx_node(r, n, n->row->op, &in, 1, &node));
  node->attr[TH_ATTR_BLOCK].i = b;
  const th_shape *s = &v.shape;
  const th_shape out = opens ? th_shape_make(4, 1, s->dim[1] / (b * b), s->dim[2] * b, s->dim[3] * b)
                             : th_shape_make(4, 1, s->dim[1] * b * b, s->dim[2] / b, s->dim[3] / b);
  v.image = true;
  return give(r, n, 0, &v, &out, &l);
}
