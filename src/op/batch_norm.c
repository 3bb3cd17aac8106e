/* batch_norm: y = gamma (x - mean) / sqrt(variance + epsilon) + beta, per channel of the last dimension (Ioffe &
 * Szegedy 2015, algorithms 1 and 2). In training mean and variance are those of the batch, else the running ones.
 *
 * Training needs all samples, hence the sweeps of op.h. Each range sums x and x^2 relative to its own first row, so
 * that nothing cancels, and settle joins the ranges in double (Chan et al. 1979). `state` is an array of floats: mean,
 * 1/deviation, mean of dy, mean of dy (x - mean)  then per range: rows, shift, sum, sum of squares    (c each)
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "op/common.h"

enum { GAMMA = 1, BETA = 2, MEAN = 3, VARIANCE = 4 };

static int channels(const th_op_run *r) {
  return th_op_last_dim(r->graph, r->node, 0);
}
static int64_t rows_per_sample(const th_op_run *r) {
  return th_op_elems_out(r->graph, r->node) / channels(r);
}
static float *batch_part(const th_op_run *r, int i) {
  return (float *)r->state + (ptrdiff_t)i * channels(r);
}
static float *slot(const th_op_run *r, int chunk, int i) {
  return batch_part(r, 4 + 4 * chunk + i);
}

static th_status infer(th_graph *g, th_node *n) {
  static const char *const names[] = {"", "gamma", "beta", "mean", "variance"};
  char text[TH_SHAPE_TEXT];
  const th_shape *x = &th_node_in(g, n, 0)->shape;
  int c = th_op_last_dim(g, n, 0);
  if (x->rank < 2 || c < 1)
    return th_op_fail(n, "input is %s, expected batch x ... x channels", th_shape_text(x, text));
  for (int i = 1; i < 5; i++) {
    const th_tensor *t = th_node_in(g, n, i);
    if (th_shape_elems(&t->shape) != c)
      return th_op_fail(n, "%s %s is %s, expected %d values", names[i], t->name, th_shape_text(&t->shape, text), c);
  }
  if (!(n->attr[TH_ATTR_EPSILON].f >= 0))
    return th_op_fail(n, "epsilon is %g, must not be negative", (double)n->attr[TH_ATTR_EPSILON].f);
  return th_op_same_shape_infer(g, n);
}

static void gather(const th_op_run *r, int chunk, int chunks) {
  int c = channels(r);
  int64_t rows = rows_per_sample(r);
  const float *x = r->in[0] + r->begin * rows * c;
  rows *= th_op_samples(r);
  slot(r, chunk, 0)[0] = (float)rows;
  if (!rows) return;
  memcpy(slot(r, chunk, 1), x, sizeof(float) * (size_t)c);
  th_math_get()->moments(x, rows, c, slot(r, chunk, 1), slot(r, chunk, 2), slot(r, chunk, 3));
}

/* Joins the sums of one of c channels: total count, mean, and sum of squared deviations. */
static double join_moments(const float *slot, int c, int chunks, int ch, double *mean, double *squares) {
  double n = 0;
  *mean = *squares = 0;
  for (int k = 0; k < chunks; k++, slot += 4 * (ptrdiff_t)c) {
    double rows = slot[0];
    if (rows == 0) continue;
    double sum = slot[2 * c + ch], part = slot[c + ch] + sum / rows, delta = part - *mean;
    double part_squares = slot[3 * c + ch] - sum * sum / rows;
    *squares += part_squares + delta * delta * (n * rows / (n + rows));
    *mean += delta * (rows / (n + rows));
    n += rows;
  }
  return n;
}

static void settle(const th_op_run *r, int chunks) {
  int c = channels(r);
  float momentum = r->node->attr[TH_ATTR_MOMENTUM].f, epsilon = r->node->attr[TH_ATTR_EPSILON].f;
  const float *slots = slot(r, 0, 0);
  for (int ch = 0; ch < c; ch++) {
    double mean, squares, n = join_moments(slots, c, chunks, ch, &mean, &squares);
    double variance = n > 0 && squares > 0 ? squares / n : 0;
    batch_part(r, 0)[ch] = (float)mean;
    batch_part(r, 1)[ch] = (float)(1 / sqrt(variance + (double)epsilon));
    if (r->running[0]) r->running[0][ch] = momentum * r->running[0][ch] + (1 - momentum) * (float)mean;
    if (r->running[1]) {
      double unbiased = n > 1 ? variance * (n / (n - 1)) : variance;
      r->running[1][ch] = momentum * r->running[1][ch] + (1 - momentum) * (float)unbiased;
    }
  }
}

static const float *means(const th_op_run *r) {
  return r->training ? batch_part(r, 0) : r->in[MEAN];
}

/* 1/deviation of each channel; outside training worked out in `buffer`. */
static const float *inverse_deviations(const th_op_run *r, float *buffer) {
  int c = channels(r);
  float epsilon = r->node->attr[TH_ATTR_EPSILON].f;
  if (r->training) return batch_part(r, 1);
  for (int ch = 0; ch < c; ch++) buffer[ch] = 1 / sqrtf(r->in[VARIANCE][ch] + epsilon);
  return buffer;
}

/* y = scale x + shift; both, and 1/deviation, in the first 3 c floats of scratch. */
static th_gate fold(const th_op_run *r) {
  int c = channels(r);
  float *scale = r->scratch, *shift = scale + c;
  const float *inverse = inverse_deviations(r, shift + c), *mean = means(r);
  for (int ch = 0; ch < c; ch++) {
    scale[ch] = r->in[GAMMA][ch] * inverse[ch];
    shift[ch] = r->in[BETA][ch] - mean[ch] * scale[ch];
  }
  return (th_gate){scale, shift};
}

static void forward(const th_op_run *r) {
  int c = channels(r);
  int64_t rows = rows_per_sample(r), at = r->begin * rows * c;
  th_gate y = fold(r);
  th_math_get()->affine(r->in[0] + at, th_op_samples(r) * rows, c, y.scale, y.shift, r->out[0] + at, r->relu);
}

static void backward_gather(const th_op_run *r, int chunk, int chunks) {
  int c = channels(r);
  int64_t rows = rows_per_sample(r), at = r->begin * rows * c;
  th_gate y, *gate = NULL;
  if (r->relu) y = fold(r), gate = &y;
  th_math_get()->moments_grad(r->in[0] + at, r->d_out[0] + at, th_op_samples(r) * rows, c, batch_part(r, 0), gate,
                              slot(r, chunk, 2), slot(r, chunk, 3));
}

static void backward_settle(const th_op_run *r, int chunks) {
  int c = channels(r);
  double rows = (double)rows_per_sample(r) * r->batch;
  for (int ch = 0; ch < c; ch++) {
    double sum = 0, sum_x = 0;
    for (int k = 0; k < chunks; k++) sum += slot(r, k, 2)[ch], sum_x += slot(r, k, 3)[ch];
    if (r->d_in[GAMMA]) r->d_in[GAMMA][ch] += (float)(sum_x * batch_part(r, 1)[ch]);
    if (r->d_in[BETA]) r->d_in[BETA][ch] += (float)sum;
    batch_part(r, 2)[ch] = (float)(sum / rows);
    batch_part(r, 3)[ch] = (float)(sum_x / rows);
  }
}

/* Outside training the statistics are constants, and gamma and beta get their gradients here. */
static void backward_fixed(const th_op_run *r, const float *x, const float *dy, int64_t rows, const th_gate *gate) {
  int c = channels(r);
  float *sum = r->scratch + 6 * c, *sum_x = r->scratch + 7 * c;
  const float *inverse = inverse_deviations(r, r->scratch + 2 * c);
  th_math_get()->moments_grad(x, dy, rows, c, r->in[MEAN], gate, sum, sum_x);
  for (int ch = 0; ch < c; ch++) {
    if (r->d_in[GAMMA]) r->d_in[GAMMA][ch] += sum_x[ch] * inverse[ch];
    if (r->d_in[BETA]) r->d_in[BETA][ch] += sum[ch];
  }
}

static void backward(const th_op_run *r) {
  int c = channels(r);
  int64_t rows = rows_per_sample(r), at = r->begin * rows * c;
  th_gate y = fold(r), *gate = r->relu ? &y : NULL;
  float *a = r->scratch + 3 * c, *b = a + c, *d = b + c;
  const float *inverse = inverse_deviations(r, r->scratch + 2 * c), *batch = r->state;
  rows *= th_op_samples(r);
  if (!r->training) backward_fixed(r, r->in[0] + at, r->d_out[0] + at, rows, gate);
  if (!r->d_in[0]) return;
  /* dx = gamma inv (dy - mean(dy) - (x - mean) inv^2 mean(dy (x - mean))) */
  for (int ch = 0; ch < c; ch++) {
    a[ch] = y.scale[ch];
    b[ch] = r->training ? -a[ch] * (inverse[ch] * inverse[ch] * batch[3 * c + ch]) : 0;
    d[ch] = r->training ? -a[ch] * batch[2 * c + ch] - b[ch] * batch[ch] : 0;
  }
  th_math_get()->affine_grad(r->in[0] + at, r->d_out[0] + at, rows, c, a, b, d, gate, r->d_in[0] + at,
                             th_op_accumulates(r, 0));
}

static th_op_cost cost(const th_graph *g, const th_node *n) {
  return (th_op_cost){.macs = th_op_elems_out(g, n), .params = 4 * (int64_t)th_op_last_dim(g, n, 0)};
}

static size_t state_bytes(const th_graph *g, const th_node *n, int batch) {
  return sizeof(float) * (4 + 4 * TH_OP_MAX_CHUNKS) * (size_t)th_op_last_dim(g, n, 0);
}

static size_t scratch_elems(const th_graph *g, const th_node *n, int samples) {
  return 8 * (size_t)th_op_last_dim(g, n, 0);
}

static const th_attr_id attrs[] = {TH_ATTR_EPSILON, TH_ATTR_MOMENTUM, TH_ATTR_COUNT};

const th_op th_op_batch_norm = {.name = "batch_norm",
                                .attrs = attrs,
                                .infer = infer,
                                .forward = forward,
                                .backward = backward,
                                .cost = cost,
                                .state_bytes = state_bytes,
                                .scratch_elems = scratch_elems,
                                .gather = gather,
                                .settle = settle,
                                .backward_gather = backward_gather,
                                .backward_settle = backward_settle};
