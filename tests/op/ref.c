/* See ref.h. Nothing here is shared with src/op: shapes come from the graph, arithmetic from the definitions.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/ref.h"

#include <math.h>
#include <string.h>

#include "op/ref_parts.h"

typedef struct job {
  const th_graph *g;
  const th_node *n;
  int samples;
  bool training;
  double *const *in;
  double *out;
} job;

static const th_shape *shape_in(const job *j, int i) {
  return &j->g->tensors[j->n->in[i]].shape;
}
static const th_shape *shape_out(const job *j) {
  return &j->g->tensors[j->n->out[0]].shape;
}
static int64_t elems(const th_shape *s) {
  int64_t n = 1;
  for (int i = 0; i < s->rank; i++) n *= s->dim[i];
  return n;
}
static int attr(const job *j, th_attr_id a) {
  return j->n->attr[a].i;
}

double ref_activate(int act, double v) {
  switch (act) {
    case TH_ACT_RELU:
      return fmax(v, 0);
    case TH_ACT_RELU6:
      return fmin(fmax(v, 0), 6);
    case TH_ACT_RELU_N1_1:
      return fmin(fmax(v, -1), 1);
    case TH_ACT_TANH:
      return tanh(v);
    default:
      return v;
  }
}

static double pixel(const job *j, int s, int y, int x, int c) {
  const int32_t *d = shape_in(j, 0)->dim;
  if (y < 0 || y >= d[1] || x < 0 || x >= d[2]) return 0;
  return j->in[0][(((int64_t)s * d[1] + y) * d[2] + x) * d[3] + c];
}

static void conv(const job *j, bool depthwise) {
  const int32_t *w = shape_in(j, 1)->dim, *o = shape_out(j)->dim, *i = shape_in(j, 0)->dim;
  int groups = depthwise ? i[3] : attr(j, TH_ATTR_GROUPS), per = i[3] / groups;
  double *out = j->out;
  for (int s = 0; s < j->samples; s++)
    for (int y = 0; y < o[1]; y++)
      for (int x = 0; x < o[2]; x++)
        for (int oc = 0; oc < o[3]; oc++) {
          double sum = j->n->n_in > 2 && j->in[2] ? j->in[2][oc] : 0;
          for (int ky = 0; ky < w[1]; ky++)
            for (int kx = 0; kx < w[2]; kx++)
              for (int ic = 0; ic < per; ic++) {
                int iy = y * attr(j, TH_ATTR_STRIDE_Y) + ky * attr(j, TH_ATTR_DILATION_Y) - attr(j, TH_ATTR_PAD_TOP);
                int ix = x * attr(j, TH_ATTR_STRIDE_X) + kx * attr(j, TH_ATTR_DILATION_X) - attr(j, TH_ATTR_PAD_LEFT);
                int group = oc / (o[3] / groups);
                double weight = depthwise ? j->in[1][((int64_t)ky * w[2] + kx) * w[3] + oc]
                                          : j->in[1][(((int64_t)oc * w[1] + ky) * w[2] + kx) * w[3] + ic];
                sum += weight * pixel(j, s, iy, ix, group * per + ic);
              }
          *out++ = ref_activate(attr(j, TH_ATTR_ACTIVATION), sum);
        }
}

static void fully_connected(const job *j) {
  const int32_t *w = shape_in(j, 1)->dim;
  for (int s = 0; s < j->samples; s++)
    for (int o = 0; o < w[0]; o++) {
      double sum = j->n->n_in > 2 && j->in[2] ? j->in[2][o] : 0;
      for (int i = 0; i < w[1]; i++) sum += j->in[1][(int64_t)o * w[1] + i] * j->in[0][(int64_t)s * w[1] + i];
      j->out[(int64_t)s * w[0] + o] = ref_activate(attr(j, TH_ATTR_ACTIVATION), sum);
    }
}

static void pool(const job *j, bool max) {
  const int32_t *i = shape_in(j, 0)->dim, *o = shape_out(j)->dim;
  double *out = j->out;
  for (int s = 0; s < j->samples; s++)
    for (int y = 0; y < o[1]; y++)
      for (int x = 0; x < o[2]; x++)
        for (int c = 0; c < o[3]; c++) {
          double best = -INFINITY, sum = 0;
          int count = 0;
          for (int ky = 0; ky < attr(j, TH_ATTR_KERNEL_Y); ky++)
            for (int kx = 0; kx < attr(j, TH_ATTR_KERNEL_X); kx++) {
              int iy = y * attr(j, TH_ATTR_STRIDE_Y) + ky - attr(j, TH_ATTR_PAD_TOP);
              int ix = x * attr(j, TH_ATTR_STRIDE_X) + kx - attr(j, TH_ATTR_PAD_LEFT);
              if (iy < 0 || iy >= i[1] || ix < 0 || ix >= i[2]) continue;
              double v = pixel(j, s, iy, ix, c);
              best = fmax(best, v);
              sum += v;
              count++;
            }
          *out++ = ref_activate(attr(j, TH_ATTR_ACTIVATION), max ? best : sum / count);
        }
}

static void batch_norm(const job *j) {
  const th_shape *s = shape_in(j, 0);
  int c = s->dim[s->rank - 1];
  int64_t rows = elems(s) / c * j->samples;
  for (int ch = 0; ch < c; ch++) {
    double mean = 0, variance = 0;
    for (int64_t r = 0; r < rows; r++) mean += j->in[0][r * c + ch] / (double)rows;
    for (int64_t r = 0; r < rows; r++) variance += pow(j->in[0][r * c + ch] - mean, 2) / (double)rows;
    if (!j->training) mean = j->in[3][ch], variance = j->in[4][ch];
    for (int64_t r = 0; r < rows; r++)
      j->out[r * c + ch] =
          j->in[1][ch] * (j->in[0][r * c + ch] - mean) / sqrt(variance + (double)j->n->attr[TH_ATTR_EPSILON].f) +
          j->in[2][ch];
  }
}

static double softplus(double x) {
  return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

static double clamp(double x, double lo, double hi) {
  return fmin(fmax(x, lo), hi);
}

static double gelu(double x, bool approximate) {
  const double pi = 3.14159265358979323846;
  if (approximate) return x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * pow(x, 3))));
  return x / 2 * erfc(-x / sqrt(2));
}

static double unary(const job *j, double x) {
  const double alpha = (double)j->n->attr[TH_ATTR_ALPHA].f, beta = (double)j->n->attr[TH_ATTR_BETA].f;
  switch (j->n->op) {
    case TH_OP_RELU:
      return fmax(x, 0);
    case TH_OP_RELU6:
      return clamp(x, 0, 6);
    case TH_OP_LEAKY_RELU:
      return x > 0 ? x : alpha * x;
    case TH_OP_HARD_SWISH:
      return x * clamp(x + 3, 0, 6) / 6;
    case TH_OP_SIGMOID:
      return 1 / (1 + exp(-x));
    case TH_OP_TANH:
      return tanh(x);
    case TH_OP_ABS:
      return fabs(x);
    case TH_OP_NEG:
      return 0 - x;
    case TH_OP_SQRT:
      return sqrt(x);
    case TH_OP_RSQRT:
      return pow(x, -0.5);
    case TH_OP_SQUARE:
      return pow(x, 2);
    case TH_OP_RECIPROCAL:
      return pow(x, -1);
    case TH_OP_EXP:
      return exp(x);
    case TH_OP_LOG:
      return log(x);
    case TH_OP_SIN:
      return sin(x);
    case TH_OP_COS:
      return cos(x);
    case TH_OP_ERF:
      return erf(x);
    case TH_OP_SIGN:
      return x == 0 ? 0 : copysign(1, x);
    case TH_OP_FLOOR:
      return floor(x);
    case TH_OP_CEIL:
      return ceil(x);
    case TH_OP_ROUND: {
      const double below = floor(x), part = x - below;
      return part < 0.5 ? below : part > 0.5 ? below + 1 : fmod(below, 2) == 0 ? below : below + 1;
    }
    case TH_OP_ELU:
      return x > 0 ? x : alpha * (exp(x) - 1);
    case TH_OP_SELU:
      return 1.0507009873554805 * (x > 0 ? x : 1.6732632423543773 * (exp(x) - 1));
    case TH_OP_GELU:
      return gelu(x, attr(j, TH_ATTR_APPROXIMATE) != 0);
    case TH_OP_SILU:
      return x / (1 + exp(-x));
    case TH_OP_MISH:
      return x * tanh(softplus(x));
    case TH_OP_SOFTPLUS:
      return softplus(x);
    case TH_OP_SOFTSIGN:
      return x / (1 + fabs(x));
    case TH_OP_HARD_SIGMOID:
      return clamp(alpha * x + beta, 0, 1);
    case TH_OP_CLIP:
      return clamp(x, (double)j->n->attr[TH_ATTR_LO].f, (double)j->n->attr[TH_ATTR_HI].f);
    default:
      return x;
  }
}

/* Each row of the last dimension on its own. */
static void log_softmax(const job *j) {
  const th_shape *s = shape_in(j, 0);
  int c = s->dim[s->rank - 1];
  for (int64_t r = 0; r < elems(s) / c * j->samples; r++)
    for (int i = 0; i < c; i++) {
      double sum = 0;
      for (int k = 0; k < c; k++) sum += exp(j->in[0][r * c + k] - j->in[0][r * c + i]);
      j->out[r * c + i] = -log(sum);
    }
}

static void l2_normalization(const job *j) {
  const th_shape *s = shape_in(j, 0);
  int c = s->dim[s->rank - 1];
  for (int64_t r = 0; r < elems(s) / c * j->samples; r++) {
    double sum = 0;
    for (int i = 0; i < c; i++) sum += pow(j->in[0][r * c + i], 2);
    for (int i = 0; i < c; i++) j->out[r * c + i] = j->in[0][r * c + i] / fmax(sqrt(sum), 1e-6);
  }
}

static void softmax(const job *j) {
  const th_shape *s = shape_in(j, 0);
  int c = s->dim[s->rank - 1];
  for (int64_t r = 0; r < elems(s) / c * j->samples; r++) {
    double sum = 0;
    for (int i = 0; i < c; i++) sum += exp((double)j->n->attr[TH_ATTR_BETA].f * j->in[0][r * c + i]);
    for (int i = 0; i < c; i++) j->out[r * c + i] = exp((double)j->n->attr[TH_ATTR_BETA].f * j->in[0][r * c + i]) / sum;
  }
}

/* Coordinates of element `at` of a shape, and back with dimensions aligned at the last one, size 1 broadcast. */
static void coordinates(const th_shape *s, int64_t at, int *index) {
  for (int i = s->rank - 1; i >= 0; i--) {
    index[i] = (int)(at % s->dim[i]);
    at /= s->dim[i];
  }
}
static int64_t broadcast_at(const th_shape *s, const int *index, int rank) {
  int64_t at = 0;
  for (int i = 0; i < s->rank; i++) at = at * s->dim[i] + (s->dim[i] == 1 ? 0 : index[rank - s->rank + i]);
  return at;
}

static double of_two(th_op_id op, double a, double b) {
  switch (op) {
    case TH_OP_ADD:
      return a + b;
    case TH_OP_SUB:
      return a - b;
    case TH_OP_MUL:
      return a * b;
    case TH_OP_DIV:
      return a / b;
    case TH_OP_MINIMUM:
      return fmin(a, b);
    case TH_OP_MAXIMUM:
      return fmax(a, b);
    case TH_OP_SQUARED_DIFFERENCE:
      return pow(a - b, 2);
    case TH_OP_POW:
      return pow(a, b);
    default: /* prelu */
      return a > 0 ? a : a * b;
  }
}

static void binary(const job *j) {
  const th_shape *o = shape_out(j);
  int64_t n = elems(o);
  for (int s = 0; s < j->samples; s++)
    for (int64_t e = 0; e < n; e++) {
      int index[TH_MAX_RANK];
      double v[2];
      coordinates(o, e, index);
      for (int k = 0; k < 2; k++) {
        int64_t base = j->g->tensors[j->n->in[k]].data ? 0 : s * elems(shape_in(j, k));
        v[k] = j->in[k][base + broadcast_at(shape_in(j, k), index, o->rank)];
      }
      j->out[s * n + e] = ref_activate(attr(j, TH_ATTR_ACTIVATION), of_two(j->n->op, v[0], v[1]));
    }
}

static void concat(const job *j) {
  const th_shape *o = shape_out(j);
  int axis = attr(j, TH_ATTR_AXIS) < 0 ? attr(j, TH_ATTR_AXIS) + o->rank : attr(j, TH_ATTR_AXIS);
  for (int s = 0; s < j->samples; s++)
    for (int64_t e = 0; e < elems(o); e++) {
      int index[TH_MAX_RANK], k = 0;
      coordinates(o, e, index);
      while (index[axis] >= shape_in(j, k)->dim[axis]) index[axis] -= shape_in(j, k++)->dim[axis];
      const th_shape *t = shape_in(j, k);
      int64_t at = 0;
      for (int i = 0; i < t->rank; i++) at = at * t->dim[i] + index[i];
      int64_t base = j->g->tensors[j->n->in[k]].data ? 0 : s * elems(t);
      j->out[s * elems(o) + e] = j->in[k][base + at];
    }
}

static void pad(const job *j) {
  const th_shape *o = shape_out(j), *i = shape_in(j, 0);
  const int32_t *pads = j->g->tensors[j->n->in[1]].data;
  for (int s = 0; s < j->samples; s++)
    for (int64_t e = 0; e < elems(o); e++) {
      int index[TH_MAX_RANK];
      int64_t at = 0;
      bool inside = true;
      coordinates(o, e, index);
      for (int d = 0; d < o->rank; d++) {
        int p = index[d] - pads[2 * d];
        inside = inside && p >= 0 && p < i->dim[d];
        at = at * i->dim[d] + p;
      }
      double value = j->n->n_in > 2 ? j->in[2][0] : 0;
      j->out[s * elems(o) + e] = inside ? j->in[0][s * elems(i) + at] : value;
    }
}

static double join(th_op_id op, double so_far, double v, double share) {
  switch (op) {
    case TH_OP_SUM:
      return so_far + v;
    case TH_OP_REDUCE_MAX:
      return fmax(so_far, v);
    case TH_OP_REDUCE_MIN:
      return fmin(so_far, v);
    case TH_OP_REDUCE_PROD:
      return so_far * v;
    default: /* mean, global_avg_pool */
      return so_far + v * share;
  }
}

/* Over the dimensions of `mask`, whichever of them the output's shape still shows. */
static void reduce(const job *j, int mask) {
  const th_shape *i = shape_in(j, 0);
  int64_t n_in = elems(i), n_out = elems(shape_out(j));
  th_op_id op = j->n->op;
  double start = op == TH_OP_REDUCE_MAX ? -1e300 : op == TH_OP_REDUCE_MIN ? 1e300 : op == TH_OP_REDUCE_PROD ? 1 : 0;
  for (int64_t e = 0; e < n_out * j->samples; e++) j->out[e] = start;
  for (int s = 0; s < j->samples; s++)
    for (int64_t e = 0; e < n_in; e++) {
      int index[TH_MAX_RANK];
      int64_t at = 0;
      coordinates(i, e, index);
      for (int d = 0; d < i->rank; d++)
        if (!(mask >> d & 1)) at = at * i->dim[d] + index[d];
      double *to = &j->out[s * n_out + at];
      *to = join(op, *to, j->in[0][s * n_in + e], (double)n_out / (double)n_in);
    }
}

/* Walks the whole input; an element takes its place when it beats the one whose index stands there. */
static void arg(const job *j, double sign) {
  const th_shape *i = shape_in(j, 0);
  int64_t n_in = elems(i), n_out = elems(shape_out(j));
  int axis = attr(j, TH_ATTR_AXIS) < 0 ? attr(j, TH_ATTR_AXIS) + i->rank : attr(j, TH_ATTR_AXIS);
  double best[1000];
  for (int s = 0; s < j->samples; s++) {
    for (int k = 0; k < 1000; k++) best[k] = -1e300;
    for (int64_t e = 0; e < n_in; e++) {
      int index[TH_MAX_RANK];
      int64_t at = 0;
      coordinates(i, e, index);
      for (int d = 0; d < i->rank; d++)
        if (d != axis) at = at * i->dim[d] + index[d];
      double v = sign * j->in[0][s * n_in + e];
      if (v < best[at] || (v == best[at] && !attr(j, TH_ATTR_SELECT_LAST))) continue;
      best[at] = v;
      j->out[s * n_out + at] = index[axis];
    }
  }
}

static void cast(const job *j) {
  const th_dtype to = j->g->tensors[j->n->out[0]].dtype;
  for (int64_t e = 0; e < elems(shape_out(j)) * j->samples; e++) {
    double v = j->in[0][e];
    if (to == TH_DTYPE_BOOL) v = v != 0;
    if (to == TH_DTYPE_U8) v = clamp(trunc(v), 0, 255);
    if (to == TH_DTYPE_S8) v = clamp(trunc(v), -128, 127);
    if (to == TH_DTYPE_S16) v = clamp(trunc(v), -32768, 32767);
    if (to == TH_DTYPE_S32) v = clamp(trunc(v), -2147483648.0, 2147483647.0);
    j->out[e] = v;
  }
}

bool ref_run(const th_graph *g, const th_node *n, int samples, bool training, double *const *in, double *out) {
  job j = {g, n, samples, training, in, out};
  switch (n->op) {
    case TH_OP_CONV2D:
      conv(&j, false);
      return true;
    case TH_OP_DEPTHWISE_CONV2D:
      conv(&j, true);
      return true;
    case TH_OP_FULLY_CONNECTED:
      fully_connected(&j);
      return true;
    case TH_OP_MAX_POOL2D:
      pool(&j, true);
      return true;
    case TH_OP_AVG_POOL2D:
      pool(&j, false);
      return true;
    case TH_OP_GLOBAL_AVG_POOL:
      reduce(&j, 6);
      return true;
    case TH_OP_MEAN:
    case TH_OP_SUM:
    case TH_OP_REDUCE_MAX:
    case TH_OP_REDUCE_MIN:
    case TH_OP_REDUCE_PROD:
      reduce(&j, attr(&j, TH_ATTR_AXES_MASK));
      return true;
    case TH_OP_BATCH_NORM:
      batch_norm(&j);
      return true;
    case TH_OP_SVDF:
      ref_svdf(g, n, samples, in, out);
      return true;
    case TH_OP_LSTM:
      ref_lstm(g, n, samples, in, out);
      return true;
    case TH_OP_SOFTMAX:
      softmax(&j);
      return true;
    case TH_OP_ADD:
    case TH_OP_SUB:
    case TH_OP_MUL:
    case TH_OP_DIV:
    case TH_OP_MINIMUM:
    case TH_OP_MAXIMUM:
    case TH_OP_SQUARED_DIFFERENCE:
    case TH_OP_POW:
    case TH_OP_PRELU:
      binary(&j);
      return true;
    case TH_OP_LOG_SOFTMAX:
      log_softmax(&j);
      return true;
    case TH_OP_L2_NORMALIZATION:
      l2_normalization(&j);
      return true;
    case TH_OP_ARGMAX:
      arg(&j, 1);
      return true;
    case TH_OP_ARGMIN:
      arg(&j, -1);
      return true;
    case TH_OP_CAST:
      cast(&j);
      return true;
    case TH_OP_CONCAT:
      concat(&j);
      return true;
    case TH_OP_PAD:
      pad(&j);
      return true;
    case TH_OP_RELU:
    case TH_OP_RELU6:
    case TH_OP_LEAKY_RELU:
    case TH_OP_HARD_SWISH:
    case TH_OP_SIGMOID:
    case TH_OP_TANH:
    case TH_OP_ABS:
    case TH_OP_NEG:
    case TH_OP_SQRT:
    case TH_OP_RSQRT:
    case TH_OP_SQUARE:
    case TH_OP_RECIPROCAL:
    case TH_OP_EXP:
    case TH_OP_LOG:
    case TH_OP_SIN:
    case TH_OP_COS:
    case TH_OP_ERF:
    case TH_OP_SIGN:
    case TH_OP_FLOOR:
    case TH_OP_CEIL:
    case TH_OP_ROUND:
    case TH_OP_ELU:
    case TH_OP_SELU:
    case TH_OP_GELU:
    case TH_OP_SILU:
    case TH_OP_MISH:
    case TH_OP_SOFTPLUS:
    case TH_OP_SOFTSIGN:
    case TH_OP_HARD_SIGMOID:
    case TH_OP_CLIP:
    case TH_OP_RESHAPE:
    case TH_OP_FLATTEN:
    case TH_OP_DROPOUT:
    case TH_OP_QUANTIZE:
    case TH_OP_DEQUANTIZE:
      for (int64_t e = 0; e < elems(shape_out(&j)) * samples; e++) out[e] = unary(&j, in[0][e]);
      return true;
    default:
      return ref_run_move(g, n, samples, in, out);
  }
}
