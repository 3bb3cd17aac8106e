/* What the operator files share: messages, attribute checks, windows, fused activations, scratch layout.
 * Private to op/. SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_OP_COMMON_H
#define TH_OP_COMMON_H

#include <string.h>

#include "math/math.h"
#include "op/op.h"

/* Fails with "conv1 (conv2d): ..." */
th_status th_op_fail(const th_node *n, const char *fmt, ...) TH_PRINTF(2, 3);

/* "input is 1x28x28, expected 1 x height x width x channels" and the like. */
th_status th_op_need_image(const th_graph *g, const th_node *n, int input);
th_status th_op_need_one(const th_node *n, th_attr_id attr); /* attribute >= 1 */

static inline void th_op_set_shape(th_graph *g, const th_node *n, const th_shape *s) {
  g->tensors[n->out[0]].shape = *s;
}
static inline int64_t th_op_elems_in(const th_graph *g, const th_node *n, int i) {
  return th_shape_elems(&g->tensors[n->in[i]].shape);
}
static inline int64_t th_op_elems_out(const th_graph *g, const th_node *n) {
  return th_shape_elems(&g->tensors[n->out[0]].shape);
}
static inline bool th_op_is_const(const th_graph *g, const th_node *n, int i) {
  return g->tensors[n->in[i]].data != NULL;
}
static inline int64_t th_op_samples(const th_op_run *r) {
  return r->end - r->begin;
}
static inline bool th_op_accumulates(const th_op_run *r, int i) {
  return (r->accumulate >> i & 1) != 0;
}
int32_t th_op_last_dim(const th_graph *g, const th_node *n, int input);

/* Sliding windows: convolutions and pools. */
typedef struct th_op_geometry {
  int in_y, in_x, in_c, out_y, out_x, out_c;
  int kernel_y, kernel_x, stride_y, stride_x, dilation_y, dilation_x;
  int top, bottom, left, right;
} th_op_geometry;

/* From attributes, the input's shape and a kernel of given size. Fails when the window does not fit; sets out_y and
 * out_x; out_c is left to the caller. */
th_status th_op_geometry_infer(const th_graph *g, const th_node *n, int kernel_y, int kernel_x, th_op_geometry *o);
/* The same of a node that was inferred before. */
th_op_geometry th_op_geometry_of(const th_graph *g, const th_node *n, int kernel_y, int kernel_x);
static inline bool th_op_is_padded(const th_op_geometry *o) {
  return o->top || o->bottom || o->left || o->right;
}
static inline int64_t th_op_padded_elems(const th_op_geometry *o, int channels) {
  return (int64_t)(o->in_y + o->top + o->bottom) * (o->in_x + o->left + o->right) * channels;
}

/* Fused activation. `apply` changes y in place; `undo` gives the gradient before the activation: dy itself when there
 * is none, else `buffer` (n floats) filled. */
void th_op_activation_apply(const th_node *n, float *y, int64_t count);
const float *th_op_activation_undo(const th_node *n, const float *y, const float *dy, float *buffer, int64_t count);
static inline bool th_op_has_activation(const th_node *n) {
  return n->attr[TH_ATTR_ACTIVATION].i != TH_ACT_NONE;
}
th_status th_op_activation_check(const th_node *n);

/* Takes aligned parts of a scratch block one after the other; with base NULL only counts. */
typedef struct th_op_scratch {
  float *base;
  size_t used;
} th_op_scratch;
float *th_op_take(th_op_scratch *s, size_t elems);

/* Elementwise operators: run them, infer them. */
void th_op_unary_forward(const th_op_run *r, th_unary f, float alpha);
void th_op_unary_backward(const th_op_run *r, th_unary f, float alpha, const float *x_or_y);
th_status th_op_same_shape_infer(th_graph *g, th_node *n);
th_op_cost th_op_cost_none(const th_graph *g, const th_node *n);
extern const th_attr_id th_op_no_attrs[];

/* Sets the shape of an output, unless it has more elements than an int32_t counts. */
th_status th_op_set_out(th_graph *g, const th_node *n, int out, const th_shape *s);
/* A constant s32 input; `what` names it in messages. */
th_status th_op_need_s32(const th_graph *g, const th_node *n, int input, const char *what, int count,
                         const int32_t **values);
/* The axis attribute, counted from the end when negative, 0 to rank - 1; -1 when out of range. */
int th_op_axis(const th_node *n, int rank);

/* Copies the range from one buffer to the other, or adds it (reshape, flatten and their gradients). */
void th_op_copy(float *to, const float *from, int64_t per_sample, const th_op_run *r, bool accumulate);

/* max_pool2d, avg_pool2d (pool.c) */
th_status th_op_pool_infer(th_graph *g, th_node *n);
th_pool th_op_pool_of(const th_graph *g, const th_node *n);
size_t th_op_pool_scratch(const th_graph *g, const th_node *n, int samples);
void th_op_pool_forward(const th_op_run *r, void (*pool)(const th_pool *, const float *, float *));
/* exactly one of the two */
void th_op_pool_backward(const th_op_run *r, void (*max_grad)(const th_pool *, const float *, const float *, float *),
                         void (*avg_grad)(const th_pool *, const float *, float *));
extern const th_attr_id th_op_pool_attrs[];

/* operators made of moves (move.c) */
void th_op_move_forward(const th_op_run *r);
void th_op_move_backward(const th_op_run *r);

/* resize_nearest, resize_bilinear (resize.c) */
th_status th_op_resize_infer(th_graph *g, th_node *n);
extern const th_attr_id th_op_resize_attrs[];

#endif
