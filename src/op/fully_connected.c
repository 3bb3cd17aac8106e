/* fully_connected: y = W x + b for every sample, W (o, i).
 *
 * There are many weights and few samples, so W is never copied or transposed. Forward computes the transpose of the
 * result, W times the samples as columns; the input gradient and the weight gradient read W and x by rows as they are.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

static int in_size(const th_graph *g, const th_node *n) {
  return th_node_in(g, n, 1)->shape.dim[1];
}
static int out_size(const th_graph *g, const th_node *n) {
  return th_node_in(g, n, 1)->shape.dim[0];
}

static th_status infer(th_graph *g, th_node *n) {
  const th_tensor *x = th_node_in(g, n, 0), *w = th_node_in(g, n, 1), *b = th_node_in(g, n, 2);
  char text[TH_SHAPE_TEXT];
  if (w->shape.rank != 2 || w->shape.dim[0] < 1 || w->shape.dim[1] < 1)
    return th_op_fail(n, "weights %s are %s, expected out x in", w->name, th_shape_text(&w->shape, text));
  TH_TRY(th_op_activation_check(n));
  if (th_shape_elems(&x->shape) != w->shape.dim[1])
    return th_op_fail(n, "input %s is %s, weights expect %d values", x->name, th_shape_text(&x->shape, text),
                      w->shape.dim[1]);
  if (b && th_shape_elems(&b->shape) != w->shape.dim[0])
    return th_op_fail(n, "bias %s is %s, expected %d values", b->name, th_shape_text(&b->shape, text), w->shape.dim[0]);
  th_shape s = th_shape_make(2, 1, w->shape.dim[0]);
  th_op_set_shape(g, n, &s);
  return TH_OK;
}

static void forward_outputs(const th_op_run *r, int slice, int slices) {
  const th_math *m = th_math_get();
  int i = in_size(r->graph, r->node), o = out_size(r->graph, r->node), samples = (int)th_op_samples(r);
  int first = (int)((int64_t)o * slice / slices), outputs = (int)((int64_t)o * (slice + 1) / slices) - first;
  th_op_scratch s = {r->scratch, 0};
  if (outputs == 0) return;
  float *x = th_op_take(&s, th_math_pack_elems(i, samples));
  float *transposed = th_op_take(&s, (size_t)outputs * samples);
  float *y = r->out[0] + (ptrdiff_t)r->begin * o + first;
  m->pack(r->in[0] + (ptrdiff_t)r->begin * i, 1, i, i, samples, x);
  th_gemm gemm = {.m = outputs,
                  .n = samples,
                  .k = i,
                  .a = r->in[1] + (ptrdiff_t)first * i,
                  .a_row = i,
                  .a_col = 1,
                  .b = x,
                  .b_row = TH_MATH_PACKED,
                  .c = transposed,
                  .c_row = samples};
  m->gemm(&gemm);
  m->transpose(transposed, samples, outputs, samples, y, o, false);
  for (int n = 0; n < samples; n++, y += o) {
    if (r->in[2]) m->add(y, r->in[2] + first, outputs);
    th_op_activation_apply(r->node, y, outputs);
  }
}

static void forward(const th_op_run *r) {
  forward_outputs(r, 0, 1);
}

/* Gradients of outputs [first, last) over the samples of the run. */
static void weight_gradient(const th_op_run *r, const float *dy, float *tail, int first, int last, bool add_weights,
                            bool add_bias) {
  const th_math *m = th_math_get();
  int i = in_size(r->graph, r->node), o = out_size(r->graph, r->node), samples = (int)th_op_samples(r);
  if (r->d_in[1]) {
    th_gemm gemm = {.m = last - first,
                    .n = i,
                    .k = samples,
                    .a = dy + first,
                    .a_row = 1,
                    .a_col = o,
                    .b = r->in[0] + (ptrdiff_t)r->begin * i,
                    .b_row = i,
                    .c = r->d_in[1] + (ptrdiff_t)first * i,
                    .c_row = i,
                    .accumulate = add_weights,
                    .tail = tail};
    m->gemm(&gemm);
  }
  if (r->d_in[2]) {
    if (!add_bias) memset(r->d_in[2] + first, 0, sizeof(float) * (size_t)(last - first));
    for (int n = 0; n < samples; n++) m->add(r->d_in[2] + first, dy + (ptrdiff_t)n * o + first, last - first);
  }
}

typedef struct backward_scratch {
  float *d_pre, *tail;
} backward_scratch;

static backward_scratch take_backward(const th_graph *g, const th_node *n, int samples, th_op_scratch *s) {
  backward_scratch b = {NULL, NULL};
  int o = out_size(g, n);
  if (th_op_has_activation(n)) b.d_pre = th_op_take(s, (size_t)samples * o);
  b.tail = th_op_take(s, 8 * (size_t)(o > samples ? o : samples));
  return b;
}

static void backward(const th_op_run *r) {
  int i = in_size(r->graph, r->node), o = out_size(r->graph, r->node), samples = (int)th_op_samples(r);
  th_op_scratch s = {r->scratch, 0};
  backward_scratch b = take_backward(r->graph, r->node, samples, &s);
  ptrdiff_t at = (ptrdiff_t)r->begin * o;
  const float *dy = th_op_activation_undo(r->node, r->out[0] + at, r->d_out[0] + at, b.d_pre, (int64_t)samples * o);
  weight_gradient(r, dy, b.tail, 0, o, true, true);
  if (!r->d_in[0]) return;
  th_gemm gemm = {.m = samples,
                  .n = i,
                  .k = o,
                  .a = dy,
                  .a_row = o,
                  .a_col = 1,
                  .b = r->in[1],
                  .b_row = i,
                  .c = r->d_in[0] + (ptrdiff_t)r->begin * i,
                  .c_row = i,
                  .accumulate = th_op_accumulates(r, 0),
                  .tail = b.tail};
  th_math_get()->gemm(&gemm);
}

static void backward_weights(const th_op_run *r, int slice, int slices) {
  int o = out_size(r->graph, r->node), samples = (int)th_op_samples(r);
  int first = (int)((int64_t)o * slice / slices), last = (int)((int64_t)o * (slice + 1) / slices);
  th_op_scratch s = {r->scratch, 0};
  backward_scratch b = take_backward(r->graph, r->node, samples, &s);
  const float *dy = r->d_out[0] + (ptrdiff_t)r->begin * o;
  const float *y = r->out[0] + (ptrdiff_t)r->begin * o;
  if (first == last) return;
  if (b.d_pre)
    for (int n = 0; n < samples; n++) {
      ptrdiff_t at = (ptrdiff_t)n * o + first;
      th_op_activation_undo(r->node, y + at, dy + at, b.d_pre + at, last - first);
    }
  weight_gradient(r, b.d_pre ? b.d_pre : dy, b.tail, first, last, th_op_accumulates(r, 1), th_op_accumulates(r, 2));
}

static th_op_cost cost(const th_graph *g, const th_node *n) {
  const th_tensor *b = th_node_in(g, n, 2);
  int64_t weights = th_op_elems_in(g, n, 1);
  return (th_op_cost){.macs = weights, .params = weights + (b ? th_shape_elems(&b->shape) : 0)};
}

static size_t scratch_elems(const th_graph *g, const th_node *n, int samples) {
  th_op_scratch f = {NULL, 0}, b = {NULL, 0};
  th_op_take(&f, th_math_pack_elems(in_size(g, n), samples));
  th_op_take(&f, (size_t)out_size(g, n) * (size_t)samples);
  take_backward(g, n, samples, &b);
  return f.used > b.used ? f.used : b.used;
}

static const th_attr_id attrs[] = {TH_ATTR_ACTIVATION, TH_ATTR_COUNT};

const th_op th_op_fully_connected = {.name = "fully_connected",
                                     .attrs = attrs,
                                     .infer = infer,
                                     .forward = forward,
                                     .backward = backward,
                                     .cost = cost,
                                     .scratch_elems = scratch_elems,
                                     .forward_outputs = forward_outputs,
                                     .backward_weights = backward_weights};
