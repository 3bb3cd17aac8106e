/* Resize, Upsample and ConvTranspose: operators that make pictures larger or smaller.
 *
 * Nearest neighbours are picked by index, worked out here by ONNX's formulas; where TFLite's operator picks the same
 * ones, that is used. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/str.h"
#include "op/op.h"
#include "op/resize.h"
#include "read/onnx_internal.h"

typedef enum coordinates { HALF_PIXEL, PYTORCH_HALF_PIXEL, ASYMMETRIC, ALIGN_CORNERS } coordinates;

typedef struct resizing {
  int32_t size[TH_MAX_RANK]; /* of the result, logical */
  double scale[TH_MAX_RANK]; /* result / input */
  coordinates where;
  bool linear;
  const char *nearest;
} resizing;

/* --- what the node says --- */

static th_status read_modes(onnx_reader *r, const onnx_node *n, resizing *z) {
  static const char *const names[] = {"half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"};
  const bool upsample = th_str_eq(n->row->name, "Upsample") || r->opset < 11;
  const char *mode, *where;
  int32_t antialias, k = 0;
  TH_TRY(th_onnx_attr_text(r, n, "mode", "nearest", &mode));
  TH_TRY(th_onnx_attr_text(r, n, "coordinate_transformation_mode", upsample ? "asymmetric" : "half_pixel", &where));
  TH_TRY(th_onnx_attr_text(r, n, "nearest_mode", upsample ? "floor" : "round_prefer_floor", &z->nearest));
  TH_TRY(th_onnx_attr_int(r, n, "antialias", 0, &antialias));
  z->linear = th_str_eq(mode, "linear") || th_str_eq(mode, "bilinear");
  if (!z->linear && !th_str_eq(mode, "nearest")) return th_onnx_fail(r, n, "mode %s is not supported", mode);
  if (antialias) return th_onnx_fail(r, n, "antialias is not supported");
  while (k < 4 && !th_str_eq(names[k], where)) k++;
  if (k == 4) return th_onnx_fail(r, n, "coordinate_transformation_mode %s is not supported", where);
  z->where = (coordinates)k;
  return TH_OK;
}

static th_status read_scales(onnx_reader *r, const onnx_node *n, int input, int count, float *scale, int *found) {
  const onnx_value *v = input < n->n_in ? n->in[input] : NULL;
  *found = 0;
  if (!v || (v->kind == ONNX_CONST && th_shape_elems(&v->shape) == 0)) return TH_OK;
  if (v->kind != ONNX_CONST || v->dtype != TH_DTYPE_F32 || th_shape_elems(&v->shape) != count)
    return th_onnx_fail(r, n, "scales must be %d constant numbers", count);
  for (int i = 0; i < count; i++) scale[i] = ((const float *)v->data)[i];
  *found = count;
  return TH_OK;
}

/* "stretch" gives each axis its size; the other policies give all the same scale. */
static th_status apply_policy(onnx_reader *r, const onnx_node *n, const int *axis, int count, const th_shape *in,
                              resizing *z) {
  const char *policy;
  TH_TRY(th_onnx_attr_text(r, n, "keep_aspect_ratio_policy", "stretch", &policy));
  if (th_str_eq(policy, "stretch")) return TH_OK;
  const bool larger = th_str_eq(policy, "not_smaller");
  double scale = z->scale[axis[0]];
  for (int i = 1; i < count; i++)
    if (larger ? z->scale[axis[i]] > scale : z->scale[axis[i]] < scale) scale = z->scale[axis[i]];
  for (int i = 0; i < count; i++) {
    z->scale[axis[i]] = scale;
    z->size[axis[i]] = (int32_t)floor(scale * in->dim[axis[i]] + 0.5);
  }
  return TH_OK;
}

static th_status read_sizes(onnx_reader *r, const onnx_node *n, const th_shape *in, resizing *z) {
  const bool old = th_str_eq(n->row->name, "Upsample") || r->opset < 11; /* X, scales; else X, roi, scales, sizes */
  float scale[TH_MAX_RANK];
  int32_t size[TH_MAX_RANK], axes[TH_MAX_RANK];
  int axis[TH_MAX_RANK], count, scales, sizes;
  TH_TRY(th_onnx_attr_ints(r, n, "axes", axes, TH_MAX_RANK, &count));
  for (int i = 0; i < count; i++) TH_TRY(th_onnx_axis(r, n, axes[i], in->rank, &axis[i]));
  if (count == 0)
    for (; count < in->rank; count++) axis[count] = count;
  TH_TRY(read_scales(r, n, old ? 1 : 2, count, scale, &scales));
  TH_TRY(th_onnx_in_ints(r, n, old ? 99 : 3, size, TH_MAX_RANK, &sizes));
  if (scales == 0 && sizes != count) return th_onnx_fail(r, n, "has neither scales nor %d sizes", count);
  for (int i = 0; i < in->rank; i++) z->size[i] = in->dim[i], z->scale[i] = 1;
  for (int i = 0; i < count; i++) {
    const double s = scales ? (double)scale[i] : (double)size[i] / in->dim[axis[i]];
    const double out = scales ? floor((double)in->dim[axis[i]] * s) : size[i];
    if (!(s > 0 && out >= 1 && out <= 65536))
      return th_onnx_fail(r, n, "dimension %d of size %d would become %g", axis[i], (int)in->dim[axis[i]], out);
    z->scale[axis[i]] = s;
    z->size[axis[i]] = (int32_t)out;
  }
  return scales ? TH_OK : apply_policy(r, n, axis, count, in, z);
}

/* --- nearest --- */

static double place_in(const resizing *z, int32_t in, int32_t out, double scale, int32_t i) {
  switch (z->where) {
    case ASYMMETRIC:
      return i / scale;
    case ALIGN_CORNERS:
      return out > 1 ? i * ((in - 1) / (scale * in - 1)) : 0;
    case PYTORCH_HALF_PIXEL:
      if (out == 1) return 0;
      /* fall through */
    default:
      return (i + 0.5) / scale - 0.5;
  }
}

static double rounded(const char *mode, double x) {
  if (th_str_eq(mode, "floor")) return floor(x);
  if (th_str_eq(mode, "ceil")) return ceil(x);
  if (th_str_eq(mode, "round_prefer_ceil")) return floor(x + 0.5);
  return ceil(x - 0.5);
}

static th_status nearest_index(onnx_reader *r, const resizing *z, int32_t in, int32_t out, double scale,
                               int32_t **index) {
  int32_t *to = TH_ARRAY(r->arena, int32_t, out);
  if (!to) return TH_ERR_RESOURCE;
  for (int32_t i = 0; i < out; i++) {
    const double at = rounded(z->nearest, place_in(z, in, out, scale, i));
    to[i] = at < 0 ? 0 : at > in - 1 ? in - 1 : (int32_t)at;
  }
  *index = to;
  return TH_OK;
}

static bool picks_same(th_resize t, const int32_t *index) {
  for (int32_t i = 0; i < t.out; i++)
    if (th_resize_nearest(&t, i) != index[i]) return false;
  return true;
}

/* Flags of the operator that picks these rows and columns; -1 when none does. */
static int find_flags(const int32_t *y, int32_t in_y, int32_t out_y, const int32_t *x, int32_t in_x, int32_t out_x) {
  for (int f = 0; f < 3; f++) { /* none, align_corners, half_pixel */
    const th_resize ty = {in_y, out_y, f == 1, f == 2}, tx = {in_x, out_x, f == 1, f == 2};
    if (picks_same(ty, y) && picks_same(tx, x)) return f;
  }
  return -1;
}

static th_status resize_node(onnx_reader *r, onnx_node *n, th_op_id op, const onnx_value *v, const resizing *z,
                             int flags) {
  const onnx_layout l = th_onnx_channels_last(v->shape.rank);
  th_shape out = v->shape;
  int tensor;
  th_node *node;
  TH_TRY(th_onnx_arrange(r, n, v, &l, &tensor));
  for (int i = 2; i < out.rank; i++) out.dim[i] = z->size[i];
  TH_TRY(th_onnx_node(r, n, op, &tensor, 1, &node));
  node->attr[TH_ATTR_OUT_Y].i = out.rank == 3 ? 1 : out.dim[2];
  node->attr[TH_ATTR_OUT_X].i = out.dim[out.rank - 1];
  node->attr[TH_ATTR_ALIGN_CORNERS].i = flags == 1;
  node->attr[TH_ATTR_HALF_PIXEL].i = flags == 2;
  TH_TRY(th_onnx_finish(r, n, &tensor));
  TH_TRY(th_onnx_set(r, n, 0, tensor, &out, &l));
  if (n->out[0]) n->out[0]->image = true;
  return TH_OK;
}

static th_status nearest(onnx_reader *r, onnx_node *n, const onnx_value *v, const resizing *z, bool picture) {
  const int rank = v->shape.rank;
  int32_t one = 0, *index[TH_MAX_RANK] = {NULL};
  for (int d = 0; d < rank; d++) TH_TRY(nearest_index(r, z, v->shape.dim[d], z->size[d], z->scale[d], &index[d]));
  if (picture) {
    const bool flat = rank == 3;
    const int flags = find_flags(flat ? &one : index[2], flat ? 1 : v->shape.dim[2], flat ? 1 : z->size[2],
                                 index[rank - 1], v->shape.dim[rank - 1], z->size[rank - 1]);
    if (flags >= 0) return resize_node(r, n, TH_OP_RESIZE_NEAREST, v, z, flags);
  }
  onnx_value out = *v;
  for (int d = 0; d < rank; d++) {
    const onnx_value in = out;
    if (z->size[d] != v->shape.dim[d]) TH_TRY(th_onnx_pick_indices(r, n, &in, d, index[d], z->size[d], &out));
  }
  th_onnx_rename(n, 0, &out);
  return TH_OK;
}

/* --- linear --- */

static th_status linear(onnx_reader *r, onnx_node *n, const onnx_value *v, const resizing *z, bool picture) {
  if (!picture) return th_onnx_fail(r, n, "linearly, of more than height and width, is not supported");
  for (int i = 2; i < v->shape.rank; i++) {
    const double exact = (double)z->size[i] / v->shape.dim[i];
    if (fabs(exact - z->scale[i]) > 1e-6 * exact)
      return th_onnx_fail(r, n, "scale %g of dimension %d does not lead to a whole size; name sizes instead",
                          z->scale[i], i);
    if (z->where == PYTORCH_HALF_PIXEL && z->size[i] == 1 && v->shape.dim[i] > 1)
      return th_onnx_fail(r, n, "pytorch_half_pixel to a size of 1 is not supported");
  }
  const int flags = z->where == ASYMMETRIC ? 0 : z->where == ALIGN_CORNERS ? 1 : 2;
  return resize_node(r, n, TH_OP_RESIZE_BILINEAR, v, z, flags);
}

th_status th_onnx_op_resize(onnx_reader *r, onnx_node *n) {
  onnx_value v;
  resizing z;
  TH_TRY(th_onnx_data(r, n, 0, &v));
  TH_TRY(read_modes(r, n, &z));
  TH_TRY(read_sizes(r, n, &v.shape, &z));
  bool picture = v.shape.rank == 3 || v.shape.rank == 4, same = true;
  for (int i = 0; i < v.shape.rank; i++) {
    same = same && z.size[i] == v.shape.dim[i];
    picture = picture && (i >= 2 || z.size[i] == v.shape.dim[i]) && v.shape.dim[0] == 1;
  }
  if (same) {
    th_onnx_rename(n, 0, &v);
    return TH_OK;
  }
  return z.linear ? linear(r, n, &v, &z, picture) : nearest(r, n, &v, &z, picture);
}
