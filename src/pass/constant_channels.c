/* Constant channels of int8 graphs: what has one value at every position is taken out of the sums.
 *
 * - A channel that always is the zero point contributes nothing: the weights that read it become 0.
 * - Any other constant contributes (value - zero) * weights, which goes to the bias of its reader; where padding leaves
 *   some taps out at the border, only if the share is the same at every position.
 * - An output channel that can take one value only (pass/reach.h) gets zero weights and a bias that gives this value.
 * - Taps that lie outside the image at every position become 0.
 *
 * No output bit changes. Pass dead then removes the channels that meet nothing but zeros. SPDX-License-Identifier:
 * Apache-2.0 */
#include <string.h>

#include "pass/edit.h"
#include "pass/pass.h"
#include "pass/reach.h"

typedef struct layer { /* a node with weights, and what is being changed of it */
  th_graph *g;
  int node;
  const th_program_step *s;
  const th_range *in, *out; /* of its input's and output's channels */
  int32_t in_dim;           /* number of intervals in `in` */
  th_windows win;
  int8_t *w; /* rows of output channels, storage order; NULL: unchanged */
  int32_t *bias;
  int32_t rows, taps_y, taps_x, depth, in_zero;
  bool changed;
} layer;

/* --- reading the step --- */

static const thr_conv2d_params *conv_of(const layer *l) {
  return l->s->step.kernel == THR_KERNEL_FULLY_CONNECTED_S8 ? NULL : &l->s->step.p.conv2d;
}

static bool is_depthwise(const layer *l) {
  return l->s->step.kernel == THR_KERNEL_DEPTHWISE_CONV2D_S8;
}

static th_status open_layer(layer *l, th_arena *arena) {
  const th_program_step *s = l->s;
  const thr_conv2d_params *p = conv_of(l);
  l->rows = (int32_t)(s->weight_count / s->row_elems);
  l->taps_y = p ? p->kernel_y : 1;
  l->taps_x = p ? p->kernel_x : 1;
  l->depth = (int32_t)s->row_elems / (l->taps_y * l->taps_x);
  l->in_zero = p ? p->in_zero : s->step.p.fully_connected.in_zero;
  l->w = th_arena_copy(arena, s->weights, s->weight_count);
  l->bias = TH_ARRAY(arena, int32_t, l->rows);
  if (!l->w || !l->bias) return TH_ERR_RESOURCE;
  for (int32_t oc = 0; s->bias && oc < l->rows; oc++) l->bias[oc] = (int32_t)s->bias[oc]; /* s32 in int8 layers */
  return th_windows_find(&s->step, arena, &l->win);
}

/* The interval of what element `i` of a tap of row `oc` reads. */
static th_range input_of(const layer *l, int32_t oc, int32_t i) {
  const thr_conv2d_params *p = conv_of(l);
  int32_t c = i;
  if (p) c = is_depthwise(l) ? oc / (p->out_c / p->in_c) : oc / (p->out_c / p->groups) * l->depth + i;
  return l->in[c % l->in_dim];
}

static int8_t *weight_at(const layer *l, int32_t oc, int32_t ky, int32_t kx, int32_t i) {
  return l->w + (size_t)oc * l->s->row_elems + (ky * l->taps_x + kx) * l->depth + i;
}

/* --- changes --- */

static void clear(layer *l, int8_t *w) {
  l->changed = l->changed || *w != 0;
  *w = 0;
}

static bool in_spans(const th_tap_span *s, int n, int32_t k) {
  for (int i = 0; i < n; i++)
    if (s[i].begin <= k && k < s[i].end) return true;
  return false;
}

static void clear_padding_taps(layer *l) {
  for (int32_t ky = 0; ky < l->taps_y; ky++) {
    for (int32_t kx = 0; kx < l->taps_x; kx++) {
      if (in_spans(l->win.y, l->win.n_y, ky) && in_spans(l->win.x, l->win.n_x, kx)) continue;
      for (int32_t oc = 0; oc < l->rows; oc++)
        for (int32_t i = 0; i < l->depth; i++) clear(l, weight_at(l, oc, ky, kx, i));
    }
  }
}

static int64_t window_weights(const layer *l, int32_t oc, int32_t i, th_tap_span y, th_tap_span x) {
  int64_t sum = 0;
  for (int32_t ky = y.begin; ky < y.end; ky++)
    for (int32_t kx = x.begin; kx < x.end; kx++) sum += *weight_at(l, oc, ky, kx, i);
  return sum;
}

/* The sum of the weights that see channel i, if it is the same at every position. */
static bool same_everywhere(const layer *l, int32_t oc, int32_t i, int64_t *sum) {
  *sum = window_weights(l, oc, i, l->win.y[0], l->win.x[0]);
  for (int y = 0; y < l->win.n_y; y++)
    for (int x = 0; x < l->win.n_x; x++)
      if (window_weights(l, oc, i, l->win.y[y], l->win.x[x]) != *sum) return false;
  return true;
}

static void fold_input(layer *l, int32_t oc, int32_t i, int16_t value) {
  int64_t sum = 0;
  if (value != l->in_zero && !same_everywhere(l, oc, i, &sum)) return;
  const int64_t bias = l->bias[oc] + (value - l->in_zero) * sum;
  if (bias < INT32_MIN || bias > INT32_MAX) return;
  l->changed = l->changed || bias != l->bias[oc];
  l->bias[oc] = (int32_t)bias;
  for (int32_t ky = 0; ky < l->taps_y; ky++)
    for (int32_t kx = 0; kx < l->taps_x; kx++) clear(l, weight_at(l, oc, ky, kx, i));
}

/* The bias of least magnitude that alone gives `value`: the output never decreases with it. */
static bool bias_for(const th_program_step *s, int32_t oc, int16_t value, int32_t *bias) {
  int64_t lo = INT32_MIN / 2, hi = INT32_MAX / 2;
  while (!th_reach_is_monotone(s, oc, lo, hi)) lo /= 2, hi /= 2;
  while (lo < hi) { /* the smallest one whose output is at least `value` */
    const int64_t mid = lo + (hi - lo) / 2;
    if (th_reach_output(s, oc, (int32_t)mid) >= value)
      hi = mid;
    else
      lo = mid + 1;
  }
  if (lo < 0 && th_reach_output(s, oc, 0) == value) lo = 0;
  if (lo < 0) { /* outputs beyond `value` begin below 0: take the largest bias instead */
    int64_t most = 0;
    while (lo < most) {
      const int64_t mid = most - (most - lo) / 2;
      if (th_reach_output(s, oc, (int32_t)mid) <= value)
        lo = mid;
      else
        most = mid - 1;
    }
  }
  *bias = (int32_t)lo;
  return th_reach_output(s, oc, *bias) == value;
}

static void fix_output(layer *l, int32_t oc, int16_t value) {
  int32_t bias;
  if (!bias_for(l->s, oc, value, &bias)) return;
  for (uint32_t i = 0; i < l->s->row_elems; i++) clear(l, l->w + (size_t)oc * l->s->row_elems + i);
  l->changed = l->changed || bias != l->bias[oc];
  l->bias[oc] = bias;
}

static void change(layer *l) {
  clear_padding_taps(l);
  for (int32_t oc = 0; oc < l->rows; oc++) {
    if (th_range_is_one(l->out[oc])) {
      fix_output(l, oc, l->out[oc].lo);
      continue;
    }
    for (int32_t i = 0; i < l->depth; i++) {
      const th_range x = input_of(l, oc, i);
      if (th_range_is_one(x)) fold_input(l, oc, i, x.lo);
    }
  }
}

/* --- writing back --- */

static th_status replace(th_graph *g, int node, int input, const void *data) {
  const th_tensor t = g->tensors[g->nodes[node].in[input]];
  if (memcmp(t.data, data, th_tensor_bytes(&t)) == 0) return TH_OK;
  TH_TRY(th_node_set_const(g, node, input, t.dtype, &t.shape, data));
  return th_graph_set_quant(g, g->nodes[node].in[input], t.quant.axis, t.quant.count, t.quant.scale, t.quant.zero);
}

static th_status replace_weights(layer *l, th_arena *arena) {
  if (!is_depthwise(l)) return replace(l->g, l->node, 1, l->w);
  const int32_t taps = l->taps_y * l->taps_x;
  int8_t *w = TH_ARRAY(arena, int8_t, l->s->weight_count); /* the graph has (ky, kx, oc) */
  if (!w) return TH_ERR_RESOURCE;
  for (int32_t oc = 0; oc < l->rows; oc++)
    for (int32_t t = 0; t < taps; t++) w[(size_t)t * (size_t)l->rows + (size_t)oc] = l->w[oc * taps + t];
  return replace(l->g, l->node, 1, w);
}

static th_status replace_bias(layer *l) {
  th_node *n = &l->g->nodes[l->node];
  if (n->n_in > 2 && n->in[2] >= 0) return replace(l->g, l->node, 2, l->bias);
  bool any = false;
  for (int32_t oc = 0; oc < l->rows; oc++) any = any || l->bias[oc] != 0;
  if (!any) return TH_OK;
  const th_shape shape = th_shape_make(1, l->rows);
  int id;
  TH_TRY(
      th_graph_add_const(l->g, th_arena_printf(l->g->arena, "%s_bias", n->name), TH_DTYPE_S32, &shape, l->bias, &id));
  n = &l->g->nodes[l->node];
  n->in[2] = id;
  n->n_in = 3;
  return TH_OK;
}

static th_status visit(layer *l, th_arena *arena) {
  TH_TRY(open_layer(l, arena));
  change(l);
  if (!l->changed) return TH_OK;
  TH_TRY(replace_weights(l, arena));
  return replace_bias(l);
}

static bool is_weighted_s8(thr_kernel_id k) {
  return k == THR_KERNEL_CONV2D_S8 || k == THR_KERNEL_DEPTHWISE_CONV2D_S8 || k == THR_KERNEL_FULLY_CONNECTED_S8;
}

static th_status change_all(th_graph *g, const th_program *p, th_arena *arena) {
  th_reach reach;
  TH_TRY(th_reach_find(g, p, arena, &reach));
  for (int i = 0; i < p->n_steps; i++) {
    const th_program_step *s = &p->steps[i];
    const th_tensor *w = s->weights ? th_node_in(g, &g->nodes[s->node], 1) : NULL;
    if (!is_weighted_s8(s->step.kernel) || !w || w->dtype != TH_DTYPE_S8) continue; /* u8: read only */
    const int x = g->nodes[s->node].in[0], y = g->nodes[s->node].out[0];
    if (!reach.of[x] || !reach.of[y] ||
        g->tensors[y].shape.dim[g->tensors[y].shape.rank - 1] != (int32_t)(s->weight_count / s->row_elems))
      continue;
    layer l = {.g = g, .node = s->node, .s = s, .in = reach.of[x], .out = reach.of[y]};
    l.in_dim = g->tensors[x].shape.rank ? g->tensors[x].shape.dim[g->tensors[x].shape.rank - 1] : 1;
    TH_TRY(visit(&l, arena));
  }
  return TH_OK;
}

/* Graphs that cannot be lowered stay as they are: float ones, and those with operators that have no kernel. */
th_status th_pass_constant_channels(th_graph *g, const th_pass_options *o) {
  (void)o;
  th_program *p;
  const bool clean = th_error_status() == TH_OK;
  if (th_lower_mixed(g, &p) != TH_OK) {
    if (clean) th_error_clear();
    return TH_OK;
  }
  th_arena *arena = th_arena_create();
  th_status status = arena ? change_all(g, p, arena) : TH_ERR_RESOURCE;
  th_arena_destroy(arena);
  th_program_destroy(p);
  return status;
}
