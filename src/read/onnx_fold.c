/* Operators on constants, computed while reading: the shape arithmetic of exporters (Shape, Gather, Concat, ...), and
 * elementwise functions of weights. All arithmetic is in double; whole numbers are exact up to 2^53, beyond they are
 * clamped (only "to the end" markers of Slice are so large). SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <onnx.pb-c.h>
#include <string.h>

#include "base/str.h"
#include "read/onnx_internal.h"

enum { MOST_ELEMS = 1 << 26 };

th_status th_onnx_spend(onnx_reader *r, int64_t elems) {
  if (elems > r->work)
    return th_fail(TH_ERR_INPUT, "%s: its constants grow beyond what can be computed while reading", r->what);
  r->work -= elems;
  return TH_OK;
}

th_status th_onnx_pick(onnx_reader *r, const void *data, size_t bytes, int64_t at, const th_shape *shape,
                       const int64_t *step, void **out) {
  const int64_t elems = th_shape_elems(shape);
  int32_t index[TH_MAX_RANK] = {0};
  TH_TRY(th_onnx_spend(r, elems));
  uint8_t *to = th_arena_array(r->arena, (size_t)elems, bytes);
  if (!to) return TH_ERR_RESOURCE;
  *out = to;
  for (int64_t i = 0; i < elems; i++, to += bytes) {
    memcpy(to, (const uint8_t *)data + at * (int64_t)bytes, bytes);
    for (int d = shape->rank - 1; d >= 0; d--) {
      at += step[d];
      if (++index[d] < shape->dim[d]) break;
      at -= step[d] * index[d];
      index[d] = 0;
    }
  }
  return TH_OK;
}

th_status th_onnx_const_order(onnx_reader *r, const onnx_value *v, const int *order, onnx_value *out) {
  int64_t of[TH_MAX_RANK], step[TH_MAX_RANK], size = 1;
  th_shape shape = {.rank = v->shape.rank};
  onnx_value result = *v;
  void *data;
  for (int i = v->shape.rank - 1; i >= 0; i--) of[i] = size, size *= v->shape.dim[i];
  for (int i = 0; i < shape.rank; i++) {
    shape.dim[i] = v->shape.dim[order[i]];
    step[i] = of[order[i]];
    if (v->grid.count > 1 && order[i] == v->grid.axis) result.grid.axis = i;
  }
  TH_TRY(th_onnx_pick(r, v->data, th_dtype_bytes(v->dtype), 0, &shape, step, &data));
  result.data = data;
  result.shape = result.base = shape;
  *out = result;
  return TH_OK;
}

th_status th_onnx_floats(onnx_reader *r, const onnx_node *n, const onnx_value *v, const float **data) {
  onnx_value f;
  TH_TRY(th_onnx_to_float(r, n, v, &f));
  if (f.kind != ONNX_CONST) return th_onnx_fail(r, n, "input %s depends on the data; it must be a constant", v->name);
  if (f.dtype != TH_DTYPE_F32) return th_onnx_fail(r, n, "constant %s is not of a float type", v->name);
  *data = f.data;
  return TH_OK;
}

/* --- making results --- */

void th_onnx_store(th_dtype dtype, void *data, int64_t i, double v) {
  const double whole = v != v ? 0 : v > 9.2e18 ? 9.2e18 : v < -9.2e18 ? -9.2e18 : v;
  const int64_t w = (int64_t)whole;
  switch (dtype) {
    case TH_DTYPE_F32:
      ((float *)data)[i] = (float)v;
      break;
    case TH_DTYPE_S64:
      ((int64_t *)data)[i] = w;
      break;
    case TH_DTYPE_S32:
      ((int32_t *)data)[i] = (int32_t)(w > INT32_MAX ? INT32_MAX : w < INT32_MIN ? INT32_MIN : w);
      break;
    case TH_DTYPE_BOOL:
      ((uint8_t *)data)[i] = v != 0;
      break;
    default:
      ((uint8_t *)data)[i] = (uint8_t)w;
  }
}

/* Output 0 becomes a constant with room for its elements. */
th_status th_onnx_result(onnx_reader *r, onnx_node *n, th_dtype dtype, const th_shape *shape, void **data) {
  int64_t elems = 1;
  for (int i = 0; i < shape->rank; i++) {
    if (shape->dim[i] < 0 || (elems > 0 && shape->dim[i] > MOST_ELEMS / elems))
      return th_onnx_fail(r, n, "its constant result is too large");
    elems *= shape->dim[i];
  }
  TH_TRY(th_onnx_spend(r, elems));
  *data = th_arena_array(r->arena, (size_t)elems, th_dtype_bytes(dtype));
  if (!*data) return TH_ERR_RESOURCE;
  onnx_value v = {.kind = ONNX_CONST, .dtype = dtype, .shape = *shape, .base = *shape, .data = *data};
  th_onnx_rename(n, 0, &v);
  return TH_OK;
}

/* --- makers of constants --- */

static th_status whole_list(onnx_reader *r, onnx_node *n, const int32_t *v, int count) {
  const th_shape shape = th_shape_make(1, count);
  void *data;
  TH_TRY(th_onnx_result(r, n, TH_DTYPE_S64, &shape, &data));
  for (int i = 0; i < count; i++) ((int64_t *)data)[i] = v[i];
  return TH_OK;
}

static th_status fold_shape(onnx_reader *r, onnx_node *n) {
  const th_shape *s = &n->in[0]->shape;
  int32_t first, last;
  TH_TRY(th_onnx_attr_int(r, n, "start", 0, &first));
  TH_TRY(th_onnx_attr_int(r, n, "end", s->rank, &last));
  first = first < 0 ? first + s->rank : first;
  last = last < 0 ? last + s->rank : last;
  first = first < 0 ? 0 : first > s->rank ? s->rank : first;
  last = last < first ? first : last > s->rank ? s->rank : last;
  return whole_list(r, n, s->dim + first, last - first);
}

static th_status fold_size(onnx_reader *r, onnx_node *n) {
  const th_shape scalar = {.rank = 0};
  void *data;
  TH_TRY(th_onnx_result(r, n, TH_DTYPE_S64, &scalar, &data));
  *(int64_t *)data = th_shape_elems(&n->in[0]->shape);
  return TH_OK;
}

static th_status fold_constant(onnx_reader *r, onnx_node *n) {
  const Onnx__AttributeProto *a = th_onnx_attr(n, "value");
  const th_shape scalar = {.rank = 0};
  onnx_value v = {.kind = ONNX_UNSET};
  void *data;
  if (a && a->t) {
    TH_TRY(th_onnx_tensor_read(r, a->t, n->proto->n_output ? n->proto->output[0] : "?", &v));
    th_onnx_rename(n, 0, &v);
    return TH_OK;
  }
  if ((a = th_onnx_attr(n, "value_float")) != NULL || (a = th_onnx_attr(n, "value_int")) != NULL) {
    TH_TRY(th_onnx_result(r, n, a->has_f ? TH_DTYPE_F32 : TH_DTYPE_S64, &scalar, &data));
    th_onnx_store(a->has_f ? TH_DTYPE_F32 : TH_DTYPE_S64, data, 0, a->has_f ? (double)a->f : (double)a->i);
    return TH_OK;
  }
  const bool floats = (a = th_onnx_attr(n, "value_floats")) != NULL;
  if (!floats && !(a = th_onnx_attr(n, "value_ints"))) return th_onnx_fail(r, n, "has no value of a supported kind");
  const size_t count = floats ? a->n_floats : a->n_ints;
  if (count > MOST_ELEMS) return th_onnx_fail(r, n, "has %zu values", count);
  const th_shape list = th_shape_make(1, (int32_t)count);
  TH_TRY(th_onnx_result(r, n, floats ? TH_DTYPE_F32 : TH_DTYPE_S64, &list, &data));
  if (count) memcpy(data, floats ? (const void *)a->floats : (const void *)a->ints, count * (floats ? 4 : 8));
  return TH_OK;
}

static th_status shape_input(onnx_reader *r, const onnx_node *n, int i, th_shape *shape) {
  int count;
  *shape = (th_shape){.rank = 0};
  TH_TRY(th_onnx_in_ints(r, n, i, shape->dim, TH_MAX_RANK, &count));
  shape->rank = count;
  return TH_OK;
}

static th_status fold_constant_of_shape(onnx_reader *r, onnx_node *n) {
  const Onnx__AttributeProto *a = th_onnx_attr(n, "value");
  onnx_value v = {.dtype = TH_DTYPE_F32};
  th_shape shape;
  void *data;
  TH_TRY(shape_input(r, n, 0, &shape));
  if (a && a->t) TH_TRY(th_onnx_tensor_read(r, a->t, "value", &v));
  if (v.data && th_shape_elems(&v.shape) != 1) return th_onnx_fail(r, n, "its value is not one number");
  TH_TRY(th_onnx_result(r, n, v.dtype, &shape, &data));
  const int64_t elems = th_shape_elems(&shape);
  for (int64_t i = 0; v.data && i < elems; i++) th_onnx_store(v.dtype, data, i, th_onnx_const_at(&v, 0));
  return TH_OK;
}

static th_status fold_range(onnx_reader *r, onnx_node *n) {
  double v[3];
  void *data;
  for (int i = 0; i < 3; i++) {
    if (th_shape_elems(&n->in[i]->shape) != 1) return th_onnx_fail(r, n, "input %d is not one number", i);
    v[i] = th_onnx_const_at(n->in[i], 0);
  }
  const double count = v[2] != 0 ? ceil((v[1] - v[0]) / v[2]) : -1;
  if (!(count >= 0 && count <= MOST_ELEMS)) return th_onnx_fail(r, n, "from %g to %g by %g", v[0], v[1], v[2]);
  const th_shape shape = th_shape_make(1, (int32_t)count);
  TH_TRY(th_onnx_result(r, n, n->in[0]->dtype, &shape, &data));
  for (int32_t i = 0; i < shape.dim[0]; i++) th_onnx_store(n->in[0]->dtype, data, i, v[0] + i * v[2]);
  return TH_OK;
}

static th_status fold_cast(onnx_reader *r, onnx_node *n) {
  int32_t to;
  void *data;
  TH_TRY(th_onnx_attr_int(r, n, "to", 0, &to));
  const th_dtype dtype = th_onnx_type(to);
  if (dtype == TH_DTYPE_NONE) return th_onnx_fail(r, n, "to type %s is not supported", th_onnx_type_name(to));
  const th_shape shape = n->in[0]->shape; /* the output may be written over */
  const onnx_value in = *n->in[0];
  TH_TRY(th_onnx_result(r, n, dtype, &shape, &data));
  const int64_t elems = th_shape_elems(&shape);
  for (int64_t i = 0; i < elems; i++) th_onnx_store(dtype, data, i, th_onnx_const_at(&in, i));
  return TH_OK;
}

static th_status fold_where(onnx_reader *r, onnx_node *n) {
  int64_t step[ONNX_MAX_IN][TH_MAX_RANK];
  th_shape shape;
  void *data;
  TH_TRY(th_onnx_broadcast(r, n, &shape, step));
  TH_TRY(th_onnx_result(r, n, n->in[1]->dtype, &shape, &data));
  const int64_t elems = th_shape_elems(&shape);
  for (int64_t i = 0; i < elems; i++) {
    const int k = th_onnx_const_at(n->in[0], th_onnx_offset(&shape, step[0], i)) != 0 ? 1 : 2;
    th_onnx_store(n->in[1]->dtype, data, i, th_onnx_const_at(n->in[k], th_onnx_offset(&shape, step[k], i)));
  }
  return TH_OK;
}

/* The element of the joined constants at place i: the index along the axis says whose it is. */
static th_status fold_concat(onnx_reader *r, onnx_node *n) {
  int32_t given;
  int axis;
  th_shape shape = n->in[0]->shape;
  void *data;
  TH_TRY(th_onnx_attr_int(r, n, "axis", 0, &given));
  TH_TRY(th_onnx_axis(r, n, given, shape.rank, &axis));
  const th_dtype dtype = n->in[0]->dtype;
  int64_t along = 0, before = 1, at = 0;
  for (int k = 0; k < n->n_in; k++) {
    const th_shape *s = &n->in[k]->shape;
    bool fits = s->rank == shape.rank && n->in[k]->dtype == dtype;
    for (int d = 0; fits && d < s->rank; d++) fits = d == axis || s->dim[d] == shape.dim[d];
    if (!fits) return th_onnx_fail(r, n, "the shapes or types of its constants do not match");
    along += s->dim[axis];
  }
  if (along > MOST_ELEMS) return th_onnx_fail(r, n, "its constant result is too large");
  shape.dim[axis] = (int32_t)along;
  for (int d = 0; d < axis; d++) before *= shape.dim[d];
  TH_TRY(th_onnx_result(r, n, dtype, &shape, &data));
  const size_t bytes = th_dtype_bytes(dtype);
  for (int64_t b = 0; b < before; b++) {
    for (int k = 0; k < n->n_in; k++) {
      const int64_t part = before ? th_shape_elems(&n->in[k]->shape) / before : 0;
      memcpy((uint8_t *)data + at * (int64_t)bytes, (const uint8_t *)n->in[k]->data + b * part * (int64_t)bytes,
             (size_t)part * bytes);
      at += part;
    }
  }
  return TH_OK;
}

static th_status fold_gather(onnx_reader *r, onnx_node *n) {
  const onnx_value *x = n->in[0], *indices = n->in[1];
  int32_t given;
  int axis;
  void *data;
  TH_TRY(th_onnx_attr_int(r, n, "axis", 0, &given));
  TH_TRY(th_onnx_axis(r, n, given, x->shape.rank, &axis));
  th_shape shape = {.rank = x->shape.rank - 1 + indices->shape.rank};
  if (shape.rank > TH_MAX_RANK) return th_onnx_fail(r, n, "its result has %d dimensions", shape.rank);
  int64_t before = 1, after = 1, at = 0;
  for (int d = 0; d < axis; d++) before *= shape.dim[d] = x->shape.dim[d];
  for (int d = 0; d < indices->shape.rank; d++) shape.dim[axis + d] = indices->shape.dim[d];
  for (int d = axis + 1; d < x->shape.rank; d++) after *= shape.dim[d - 1 + indices->shape.rank] = x->shape.dim[d];
  const int64_t count = th_shape_elems(&indices->shape);
  const int32_t size = x->shape.dim[axis];
  const onnx_value from = *x, which = *indices;
  TH_TRY(th_onnx_result(r, n, x->dtype, &shape, &data));
  const size_t bytes = th_dtype_bytes(from.dtype);
  for (int64_t b = 0; b < before; b++) {
    for (int64_t k = 0; k < count; k++, at += after) {
      double i = th_onnx_const_at(&which, k);
      i = i < 0 ? i + size : i;
      if (!(i >= 0 && i < size)) return th_onnx_fail(r, n, "index %g of %d", i, (int)size);
      memcpy((uint8_t *)data + at * (int64_t)bytes,
             (const uint8_t *)from.data + (b * size + (int64_t)i) * after * (int64_t)bytes, (size_t)after * bytes);
    }
  }
  return TH_OK;
}

/* Expand and Tile: steps over the input that repeat. */
static th_status fold_expand(onnx_reader *r, onnx_node *n) {
  int64_t step[ONNX_MAX_IN][TH_MAX_RANK];
  onnx_value target = {.kind = ONNX_CONST}, x = *n->in[0];
  onnx_node pair = *n;
  void *data;
  TH_TRY(shape_input(r, n, 1, &target.shape));
  pair.in[1] = &target;
  th_shape shape;
  TH_TRY(th_onnx_broadcast(r, &pair, &shape, step));
  int64_t elems = 1;
  for (int i = 0; i < shape.rank; i++) {
    if (shape.dim[i] < 1 || shape.dim[i] > MOST_ELEMS / elems) return th_onnx_fail(r, n, "its result is too large");
    elems *= shape.dim[i];
  }
  TH_TRY(th_onnx_pick(r, x.data, th_dtype_bytes(x.dtype), 0, &shape, step[0], &data));
  x.data = data;
  x.shape = x.base = shape;
  th_onnx_rename(n, 0, &x);
  return TH_OK;
}

static th_status fold_reduce(onnx_reader *r, onnx_node *n) {
  const bool product = th_str_eq(n->proto->op_type, "ReduceProd");
  const onnx_value in = *n->in[0];
  const th_shape scalar = {.rank = 0}, one = th_shape_make(1, 1);
  int32_t keep;
  void *data;
  if (in.shape.rank > 1) return th_onnx_fail(r, n, "of a constant with %d dimensions is not supported", in.shape.rank);
  TH_TRY(th_onnx_attr_int(r, n, "keepdims", 1, &keep));
  double v = product;
  for (int64_t i = 0; i < th_shape_elems(&in.shape); i++)
    v = product ? v * th_onnx_const_at(&in, i) : v + th_onnx_const_at(&in, i);
  TH_TRY(th_onnx_result(r, n, in.dtype, keep ? &one : &scalar, &data));
  th_onnx_store(in.dtype, data, 0, v);
  return TH_OK;
}

/* --- which operators --- */

typedef struct folder {
  const char *name;
  int fewest; /* inputs */
  th_status (*fold)(onnx_reader *r, onnx_node *n);
} folder;

static const folder folders[] = {
    {"Constant", 0, fold_constant}, {"ConstantOfShape", 1, fold_constant_of_shape},
    {"Range", 3, fold_range},       {"Cast", 1, fold_cast},
    {"Where", 3, fold_where},       {"Concat", 1, fold_concat},
    {"Gather", 2, fold_gather},     {"Expand", 2, fold_expand},
    {"ReduceProd", 1, fold_reduce}, {"ReduceSum", 1, fold_reduce},
};

th_status th_onnx_fold(onnx_reader *r, onnx_node *n, bool *folded) {
  const char *name = n->proto->op_type;
  const bool has_input = n->n_in > 0 && n->in[0];
  bool constant = true;
  *folded = true;
  if (has_input && n->in[0]->kind != ONNX_UNSET && th_str_eq(name, "Shape")) return fold_shape(r, n);
  if (has_input && n->in[0]->kind != ONNX_UNSET && th_str_eq(name, "Size")) return fold_size(r, n);
  for (int i = 0; i < n->n_in; i++)
    constant = constant && n->in[i] && n->in[i]->kind == ONNX_CONST && !n->in[i]->view_of;
  for (size_t i = 0; constant && i < sizeof folders / sizeof folders[0]; i++)
    if (th_str_eq(folders[i].name, name) && n->n_in >= folders[i].fewest) return folders[i].fold(r, n);
  *folded = false;
  return constant ? th_onnx_fold_elementwise(r, n, folded) : TH_OK;
}
