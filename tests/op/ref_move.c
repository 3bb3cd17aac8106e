/* Oracles of operators that move values, resize, and multiply matrices. See ref.h: for each output element the formula
 * of its index, in plain loops. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "op/ref.h"
#include "op/ref_parts.h"

typedef struct index { /* of one element */
  int rank, i[2 * TH_MAX_RANK];
} index;

typedef struct job {
  const th_graph *g;
  const th_node *n;
  double *const *in;
} job;

static const th_tensor *in(const job *j, int k) {
  return &j->g->tensors[j->n->in[k]];
}
static const int32_t *ints(const job *j, int k) {
  return in(j, k)->data;
}
static int axis_of(const job *j, int rank) {
  const int a = j->n->attr[TH_ATTR_AXIS].i;
  return a < 0 ? a + rank : a;
}
static int64_t elems(const th_shape *s) {
  int64_t n = 1;
  for (int d = 0; d < s->rank; d++) n *= s->dim[d];
  return n;
}

static index unravel(const th_shape *s, int64_t at) {
  index x = {.rank = s->rank};
  for (int d = s->rank - 1; d >= 0; d--) x.i[d] = (int)(at % s->dim[d]), at /= s->dim[d];
  return x;
}

/* Value of input k at an index, in sample s. */
static double at(const job *j, int k, int sample, index x) {
  const th_tensor *t = in(j, k);
  int64_t place = t->data ? 0 : sample;
  for (int d = 0; d < t->shape.rank; d++) place = place * t->shape.dim[d] + x.i[d];
  return j->in[k][place];
}

static index without(index x, int axis) {
  index y = {.rank = x.rank - 1};
  for (int d = 0; d < y.rank; d++) y.i[d] = x.i[d < axis ? d : d + 1];
  return y;
}
static index with(index x, int axis, int value) {
  index y = {.rank = x.rank + 1};
  for (int d = 0; d < y.rank; d++) y.i[d] = d == axis ? value : x.i[d < axis ? d : d - 1];
  return y;
}

static int mirrored(int i, int size, bool symmetric) {
  if (i < 0) return symmetric ? -1 - i : -i;
  if (i >= size) return symmetric ? 2 * size - 1 - i : 2 * size - 2 - i;
  return i;
}

static double gathered(const job *j, int sample, index x) {
  const th_shape *a = &in(j, 0)->shape, *which = &in(j, 1)->shape;
  const int axis = axis_of(j, a->rank);
  index y = {.rank = a->rank};
  int64_t place = 0;
  for (int d = 0; d < which->rank; d++) place = place * which->dim[d] + x.i[axis + d];
  for (int d = 0; d < a->rank; d++)
    y.i[d] = d < axis ? x.i[d] : d == axis ? ints(j, 1)[place] : x.i[d + which->rank - 1];
  return at(j, 0, sample, y);
}

static double split_value(const job *j, int o, int sample, index x) {
  const int axis = axis_of(j, x.rank);
  for (int k = 0; k < o; k++) x.i[axis] += j->g->tensors[j->n->out[k]].shape.dim[axis];
  return at(j, 0, sample, x);
}

static double by_dimension(const job *j, int sample, index x) {
  const th_shape *s = &in(j, 0)->shape;
  index y = {.rank = s->rank};
  for (int d = 0; d < s->rank; d++) {
    const int32_t *v = ints(j, 1);
    switch (j->n->op) {
      case TH_OP_TRANSPOSE:
        y.i[v[d]] = x.i[d];
        break;
      case TH_OP_STRIDED_SLICE:
        y.i[d] = v[3 * d] + x.i[d] * v[3 * d + 2];
        break;
      case TH_OP_TILE:
        y.i[d] = x.i[d] % s->dim[d];
        break;
      case TH_OP_BROADCAST_TO:
        y.i[d] = s->dim[d] == 1 ? 0 : x.i[x.rank - s->rank + d];
        break;
      default:
        y.i[d] = mirrored(x.i[d] - v[2 * d], s->dim[d], j->n->attr[TH_ATTR_SYMMETRIC].i);
    }
  }
  return at(j, 0, sample, y);
}

static double blocks(const job *j, int sample, index x) {
  const int b = j->n->attr[TH_ATTR_BLOCK].i;
  const int32_t *d = in(j, 0)->shape.dim;
  index y = {.rank = 4};
  if (j->n->op == TH_OP_SPACE_TO_DEPTH) {
    const int c = x.i[3] % d[3], part = x.i[3] / d[3];
    y.i[1] = x.i[1] * b + part / b, y.i[2] = x.i[2] * b + part % b, y.i[3] = c;
  } else {
    y.i[1] = x.i[1] / b, y.i[2] = x.i[2] / b;
    y.i[3] = (x.i[1] % b * b + x.i[2] % b) * (d[3] / (b * b)) + x.i[3];
  }
  return at(j, 0, sample, y);
}

/* --- resize --- */

static double place(const job *j, int dim, int i) {
  const double size = in(j, 0)->shape.dim[dim], out = j->n->attr[dim == 1 ? TH_ATTR_OUT_Y : TH_ATTR_OUT_X].i;
  if (j->n->attr[TH_ATTR_ALIGN_CORNERS].i && out > 1) return i * (size - 1) / (out - 1);
  return j->n->attr[TH_ATTR_HALF_PIXEL].i ? (i + 0.5) * size / out : i * size / out;
}

static double nearest(const job *j, int sample, index x) {
  for (int dim = 1; dim <= 2; dim++) {
    const double p = place(j, dim, x.i[dim]);
    x.i[dim] = (int)fmin(j->n->attr[TH_ATTR_ALIGN_CORNERS].i ? round(p) : floor(p), in(j, 0)->shape.dim[dim] - 1);
  }
  return at(j, 0, sample, x);
}

/* A hat function around the place, summed over all pixels; places outside count as the border. */
static double bilinear(const job *j, int sample, index x) {
  double p[3], sum = 0;
  for (int dim = 1; dim <= 2; dim++) {
    p[dim] = place(j, dim, x.i[dim]) - (j->n->attr[TH_ATTR_HALF_PIXEL].i ? 0.5 : 0);
    p[dim] = fmin(fmax(p[dim], 0), in(j, 0)->shape.dim[dim] - 1);
  }
  for (int y = 0; y < in(j, 0)->shape.dim[1]; y++)
    for (int k = 0; k < in(j, 0)->shape.dim[2]; k++) {
      const double weight = fmax(0, 1 - fabs(p[1] - y)) * fmax(0, 1 - fabs(p[2] - k));
      index place = {.rank = 4, .i = {0, y, k, x.i[3]}};
      if (weight > 0) sum += weight * at(j, 0, sample, place);
    }
  return sum;
}

/* --- products --- */

static double matmul(const job *j, int sample, index x) {
  const bool adj[2] = {j->n->attr[TH_ATTR_ADJ_X].i != 0, j->n->attr[TH_ATTR_ADJ_Y].i != 0};
  const th_shape *a = &in(j, 0)->shape;
  const int k = a->dim[a->rank - (adj[0] ? 2 : 1)];
  double sum = 0;
  for (int i = 0; i < k; i++) {
    double v[2];
    for (int o = 0; o < 2; o++) {
      const th_shape *s = &in(j, o)->shape;
      index y = {.rank = s->rank};
      for (int d = 0; d < s->rank - 2; d++) y.i[d] = s->dim[d] == 1 ? 0 : x.i[x.rank - s->rank + d];
      const int row = o == 0 ? x.i[x.rank - 2] : i, col = o == 0 ? i : x.i[x.rank - 1];
      y.i[s->rank - 2] = adj[o] ? col : row;
      y.i[s->rank - 1] = adj[o] ? row : col;
      v[o] = at(j, o, sample, y);
    }
    sum += v[0] * v[1];
  }
  return sum;
}

/* The input pixels that reach an output pixel: stride * pixel + dilation * tap = place + padding. */
static double transposed_conv(const job *j, int sample, index x) {
  const th_shape *s = &in(j, 0)->shape, *w = &in(j, 1)->shape;
  const th_attr *a = j->n->attr;
  const int per = w->dim[3], group = x.i[3] / (w->dim[0] / a[TH_ATTR_GROUPS].i);
  double sum = j->n->n_in > 2 && j->in[2] ? j->in[2][x.i[3]] : 0;
  for (int ky = 0; ky < w->dim[1]; ky++)
    for (int kx = 0; kx < w->dim[2]; kx++) {
      const int y = x.i[1] + a[TH_ATTR_PAD_TOP].i - ky * a[TH_ATTR_DILATION_Y].i;
      const int k = x.i[2] + a[TH_ATTR_PAD_LEFT].i - kx * a[TH_ATTR_DILATION_X].i;
      if (y < 0 || k < 0 || y % a[TH_ATTR_STRIDE_Y].i || k % a[TH_ATTR_STRIDE_X].i) continue;
      index p = {.rank = 4, .i = {0, y / a[TH_ATTR_STRIDE_Y].i, k / a[TH_ATTR_STRIDE_X].i, 0}};
      if (p.i[1] >= s->dim[1] || p.i[2] >= s->dim[2]) continue;
      for (int ic = 0; ic < per; ic++) {
        p.i[3] = group * per + ic;
        sum += at(j, 0, sample, p) * at(j, 1, 0, (index){.rank = 4, .i = {x.i[3], ky, kx, ic}});
      }
    }
  return ref_activate(a[TH_ATTR_ACTIVATION].i, sum);
}

static bool value(const job *j, int o, int sample, index x, double *v) {
  switch (j->n->op) {
    case TH_OP_TRANSPOSE:
    case TH_OP_STRIDED_SLICE:
    case TH_OP_TILE:
    case TH_OP_BROADCAST_TO:
    case TH_OP_MIRROR_PAD:
      *v = by_dimension(j, sample, x);
      return true;
    case TH_OP_SPLIT:
      *v = split_value(j, o, sample, x);
      return true;
    case TH_OP_PACK:
      *v = at(j, x.i[axis_of(j, x.rank)], sample, without(x, axis_of(j, x.rank)));
      return true;
    case TH_OP_UNPACK:
      *v = at(j, 0, sample, with(x, axis_of(j, x.rank + 1), o));
      return true;
    case TH_OP_GATHER:
      *v = gathered(j, sample, x);
      return true;
    case TH_OP_SPACE_TO_DEPTH:
    case TH_OP_DEPTH_TO_SPACE:
      *v = blocks(j, sample, x);
      return true;
    case TH_OP_RESIZE_NEAREST:
      *v = nearest(j, sample, x);
      return true;
    case TH_OP_RESIZE_BILINEAR:
      *v = bilinear(j, sample, x);
      return true;
    case TH_OP_BATCH_MATMUL:
      *v = matmul(j, sample, x);
      return true;
    case TH_OP_TRANSPOSE_CONV2D:
      *v = transposed_conv(j, sample, x);
      return true;
    default:
      return false;
  }
}

bool ref_run_move(const th_graph *g, const th_node *n, int samples, double *const *inputs, double *out) {
  const job j = {g, n, inputs};
  for (int o = 0; o < n->n_out; o++) {
    const th_shape *s = &g->tensors[n->out[o]].shape;
    for (int i = 0; i < samples; i++)
      for (int64_t e = 0; e < elems(s); e++)
        if (!value(&j, o, i, unravel(s, e), out++)) return false;
  }
  return true;
}
