/* Intervals of all channels, node by node. See reach.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "pass/reach.h"

#include <string.h>

#include "../../rt/kernel/ref/arith.h"

static const th_range anything = {INT8_MIN, INT8_MAX};

static int32_t last_dim(const th_tensor *t) {
  return t->shape.rank > 0 ? t->shape.dim[t->shape.rank - 1] : 1;
}

static const thr_conv2d_params *conv_of(const thr_step *s) {
  const bool conv = s->kernel == THR_KERNEL_CONV2D_S8 || s->kernel == THR_KERNEL_DEPTHWISE_CONV2D_S8;
  return conv ? &s->p.conv2d : NULL;
}

/* --- windows --- */

static th_status spans(th_arena *arena, int32_t out, int32_t stride, int32_t pad, int32_t kernel, int32_t dilation,
                       int32_t in, th_tap_span **list, int *n) {
  *list = TH_ARRAY(arena, th_tap_span, out);
  if (!*list) return TH_ERR_RESOURCE;
  for (int32_t o = 0; o < out; o++) {
    th_tap_span s;
    thr_window(o * stride - pad, kernel, dilation, in, &s.begin, &s.end);
    if (s.begin >= s.end) s = (th_tap_span){0, 0};
    int k = *n;
    while (k > 0 && ((*list)[k - 1].begin != s.begin || (*list)[k - 1].end != s.end)) k--;
    if (k == 0) (*list)[(*n)++] = s;
  }
  return TH_OK;
}

th_status th_windows_find(const thr_step *step, th_arena *arena, th_windows *w) {
  const thr_conv2d_params *p = conv_of(step);
  *w = (th_windows){0};
  if (!p) {
    w->y = TH_ARRAY(arena, th_tap_span, 1);
    if (!w->y) return TH_ERR_RESOURCE;
    w->x = w->y;
    w->y[0] = (th_tap_span){0, 1};
    w->n_y = w->n_x = 1;
    return TH_OK;
  }
  TH_TRY(spans(arena, p->out_y, p->stride_y, p->pad_y, p->kernel_y, p->dilation_y, p->in_y, &w->y, &w->n_y));
  return spans(arena, p->out_x, p->stride_x, p->pad_x, p->kernel_x, p->dilation_x, p->in_x, &w->x, &w->n_x);
}

/* --- from a sum to the output --- */

typedef struct finish { /* what the last lines of a weighted kernel need */
  const thr_requant *requant;
  int32_t zero, lo, hi;
} finish;

static finish finish_of(const th_program_step *s) {
  const thr_conv2d_params *p = conv_of(&s->step);
  if (p) return (finish){&p->requant, p->out_zero, p->lo, p->hi};
  const thr_fully_connected_params *f = &s->step.p.fully_connected;
  return (finish){&f->requant, f->out_zero, f->lo, f->hi};
}

int8_t th_reach_output(const th_program_step *s, int32_t c, int32_t acc) {
  const finish f = finish_of(s);
  return thr_finish(thr_requantize(f.requant, c, acc), f.zero, f.lo, f.hi);
}

bool th_reach_is_monotone(const th_program_step *s, int32_t c, int64_t lo, int64_t hi) {
  const thr_requant *r = finish_of(s).requant;
  const int32_t e = r->index ? r->index[c] : r->per_channel ? c : 0;
  const int64_t limit = (int64_t)(INT32_MAX >> (r->shift[e] > 0 ? r->shift[e] : 0)) - 256; /* room for the zero point */
  return r->mult[e] >= 0 && lo >= -limit && hi <= limit;
}

/* --- layers with weights --- */

typedef struct row_shape { /* a row of weights: taps x depth, read from input channels first .. first + depth */
  int32_t taps_y, taps_x, depth, first, in_zero;
} row_shape;

static row_shape row_of(const th_program_step *s, int32_t oc) {
  const thr_conv2d_params *p = conv_of(&s->step);
  if (!p) return (row_shape){1, 1, s->step.p.fully_connected.in_n, 0, s->step.p.fully_connected.in_zero};
  row_shape r = {p->kernel_y, p->kernel_x, 1, 0, p->in_zero};
  if (s->step.kernel == THR_KERNEL_DEPTHWISE_CONV2D_S8) {
    r.first = oc / (p->out_c / p->in_c);
  } else {
    r.depth = p->in_c / p->groups;
    r.first = oc / (p->out_c / p->groups) * r.depth;
  }
  return r;
}

/* sums[ky][kx]: of all taps above and left of it; (taps_y + 1) x (taps_x + 1), so a window's sum takes four entries. */
static void tap_sums(const row_shape *r, const int8_t *w, const th_range *in, int32_t in_dim, int64_t *lo,
                     int64_t *hi) {
  const int32_t line = r->taps_x + 1;
  for (int32_t ky = 0; ky < r->taps_y; ky++) {
    for (int32_t kx = 0; kx < r->taps_x; kx++) {
      int64_t least = 0, most = 0;
      for (int32_t i = 0; i < r->depth; i++) {
        const th_range x = in[(r->first + i) % in_dim];
        const int32_t v = *w++, a = v * (x.lo - r->in_zero), b = v * (x.hi - r->in_zero);
        least += a < b ? a : b;
        most += a < b ? b : a;
      }
      const int32_t at = (ky + 1) * line + kx + 1;
      lo[at] = least + lo[at - 1] + lo[at - line] - lo[at - line - 1];
      hi[at] = most + hi[at - 1] + hi[at - line] - hi[at - line - 1];
    }
  }
}

static int64_t window_sum(const int64_t *sums, int32_t line, th_tap_span y, th_tap_span x) {
  return sums[y.end * line + x.end] - sums[y.begin * line + x.end] - sums[y.end * line + x.begin] +
         sums[y.begin * line + x.begin];
}

/* Smallest and largest sum over all positions. */
static void acc_range(const th_windows *win, int32_t line, const int64_t *lo, const int64_t *hi, int32_t bias,
                      int64_t *least, int64_t *most) {
  *least = INT64_MAX;
  *most = INT64_MIN;
  for (int y = 0; y < win->n_y; y++) {
    for (int x = 0; x < win->n_x; x++) {
      const int64_t a = bias + window_sum(lo, line, win->y[y], win->x[x]);
      const int64_t b = bias + window_sum(hi, line, win->y[y], win->x[x]);
      if (a < *least) *least = a;
      if (b > *most) *most = b;
    }
  }
}

static th_status weighted_range(const th_program_step *s, th_arena *arena, const th_range *in, int32_t in_dim,
                                th_range *out, th_sum_range *sum) {
  const finish f = finish_of(s);
  const row_shape shape = row_of(s, 0);
  const int32_t line = shape.taps_x + 1;
  const size_t sums = (size_t)line * (size_t)(shape.taps_y + 1);
  th_windows win;
  int64_t *lo = TH_ARRAY(arena, int64_t, sums), *hi = TH_ARRAY(arena, int64_t, sums);
  if (!lo || !hi) return TH_ERR_RESOURCE;
  TH_TRY(th_windows_find(&s->step, arena, &win));
  const int32_t rows = (int32_t)(s->weight_count / s->row_elems);
  for (int32_t oc = 0; oc < rows; oc++) {
    const row_shape r = row_of(s, oc);
    int64_t least, most;
    tap_sums(&r, s->weights + (size_t)oc * s->row_elems, in, in_dim, lo, hi);
    acc_range(&win, line, lo, hi, s->bias ? s->bias[oc] : 0, &least, &most);
    sum[oc] = (th_sum_range){least, most};
    out[oc] = (th_range){(int16_t)f.lo, (int16_t)f.hi};
    if (!th_reach_is_monotone(s, oc, least, most)) continue;
    out[oc].lo = th_reach_output(s, oc, (int32_t)least);
    out[oc].hi = th_reach_output(s, oc, (int32_t)most);
  }
  return TH_OK;
}

/* --- layers without weights: the kernel itself, on ends of intervals --- */

/* Runs a copy of the step that has been cut down to `n` elements. */
static void image_of(thr_step step, const int8_t *a, const int8_t *b, int n, int8_t *out) {
  const void *in[2] = {a, b};
  if (step.kernel == THR_KERNEL_ADD_S8 || step.kernel == THR_KERNEL_SUB_S8 || step.kernel == THR_KERNEL_MUL_S8) {
    thr_elementwise_params *p = &step.p.elementwise;
    for (int i = 0; i < 4; i++) p->dim[i] = i == 3 ? n : 1, p->stride_a[i] = p->stride_b[i] = i == 3;
  } else {
    step.p.unary.n = n;
  }
  thr_step_run(&step, in, out, NULL);
}

static th_range range_of(const int8_t *v, int n) {
  th_range r = {v[0], v[0]};
  for (int i = 1; i < n; i++) {
    if (v[i] < r.lo) r.lo = v[i];
    if (v[i] > r.hi) r.hi = v[i];
  }
  return r;
}

/* Every value of the interval is tried. */
static th_range unary_range(const thr_step *step, th_range in) {
  int8_t x[256], y[256];
  int n = 0;
  for (int v = in.lo; v <= in.hi; v++) x[n++] = (int8_t)v;
  image_of(*step, x, NULL, n, y);
  return range_of(y, n);
}

/* Sum, difference and product are extreme where both operands are; what follows never decreases, unless it is so large
 * that it wraps, which takes a shift to the left. */
static th_range binary_range(const thr_step *step, th_range a, th_range b) {
  const thr_elementwise_params *p = &step->p.elementwise;
  if (p->shift[0] > 0 || p->shift[1] > 0 || p->shift[2] > 0) return (th_range){(int16_t)p->lo, (int16_t)p->hi};
  const int8_t x[4] = {(int8_t)a.lo, (int8_t)a.lo, (int8_t)a.hi, (int8_t)a.hi};
  const int8_t y[4] = {(int8_t)b.lo, (int8_t)b.hi, (int8_t)b.lo, (int8_t)b.hi};
  int8_t z[4];
  image_of(*step, x, y, 4, z);
  return range_of(z, 4);
}

/* A pooled value lies between the smallest and the largest pooled one. */
static th_range pool_range(const thr_step *step, th_range in) {
  const thr_pool2d_params *p = &step->p.pool2d;
  return (th_range){(int16_t)thr_clamp(in.lo, p->lo, p->hi), (int16_t)thr_clamp(in.hi, p->lo, p->hi)};
}

static th_range mean_range(const thr_step *step, th_range in) {
  const thr_mean_params *p = &step->p.mean;
  th_range r = {(int16_t)p->lo, (int16_t)p->hi};
  if (p->over_c || p->mult < 0 || p->shift > 0) return r;
  r.lo = thr_finish(thr_scale((in.lo - p->in_zero) * p->count, p->mult, p->shift), p->out_zero, p->lo, p->hi);
  r.hi = thr_finish(thr_scale((in.hi - p->in_zero) * p->count, p->mult, p->shift), p->out_zero, p->lo, p->hi);
  return r;
}

static th_range pad_range(const thr_step *step, th_range in) {
  const int16_t v = (int16_t)step->p.pad.value;
  return (th_range){v < in.lo ? v : in.lo, v > in.hi ? v : in.hi};
}

/* --- the walk --- */

typedef struct walk {
  const th_graph *g;
  const th_program *p;
  th_arena *arena;
  th_reach *r;
} walk;

/* The only step of a node; NULL when it has none or several. */
static const th_program_step *step_of(const th_program *p, int node) {
  const th_program_step *found = NULL;
  for (int i = 0; i < p->n_steps; i++) {
    if (p->steps[i].node != node) continue;
    if (found) return NULL;
    found = &p->steps[i];
  }
  return found;
}

/* Interval of index `i` of an operand of which a constant may be one, and which may be broadcast. */
static th_range operand_range(const walk *k, int tensor, int32_t i) {
  const th_tensor *t = &k->g->tensors[tensor];
  const int32_t dim = last_dim(t);
  if (!t->data) return k->r->of[tensor] && t->dtype == TH_DTYPE_S8 ? k->r->of[tensor][i % dim] : anything;
  if (t->dtype != TH_DTYPE_S8) return anything;
  const int8_t *v = t->data;
  th_range r = {v[i % dim], v[i % dim]};
  for (int64_t e = i % dim; e < th_shape_elems(&t->shape); e += dim) {
    if (v[e] < r.lo) r.lo = v[e];
    if (v[e] > r.hi) r.hi = v[e];
  }
  return r;
}

static th_range one_range(const walk *k, const th_node *n, const th_program_step *s, int32_t i) {
  const th_range x = operand_range(k, n->in[0], i);
  switch (s ? s->step.kernel : THR_KERNEL_NONE) {
    case THR_KERNEL_MAX_POOL2D_S8:
    case THR_KERNEL_AVG_POOL2D_S8:
      return pool_range(&s->step, x);
    case THR_KERNEL_MEAN_S8:
      return mean_range(&s->step, x);
    case THR_KERNEL_PAD_S8:
      return pad_range(&s->step, x);
    case THR_KERNEL_ADD_S8:
    case THR_KERNEL_SUB_S8:
    case THR_KERNEL_MUL_S8:
      return binary_range(&s->step, x, operand_range(k, n->in[1], i));
    case THR_KERNEL_RELU_S8:
    case THR_KERNEL_LEAKY_RELU_S8:
    case THR_KERNEL_HARD_SWISH_S8:
    case THR_KERNEL_LOGISTIC_S8:
    case THR_KERNEL_TANH_S8:
      return unary_range(&s->step, x);
    default:
      return n->op == TH_OP_RESHAPE || n->op == TH_OP_FLATTEN ? x : anything;
  }
}

/* Operators whose output index i has to do with input index i alone (modulo the smaller dimension). */
static bool keeps_channels(const walk *k, const th_node *n) {
  const int32_t in = last_dim(&k->g->tensors[n->in[0]]), out = last_dim(&k->g->tensors[n->out[0]]);
  switch (n->op) {
    case TH_OP_PAD:
    case TH_OP_MAX_POOL2D:
    case TH_OP_AVG_POOL2D:
    case TH_OP_GLOBAL_AVG_POOL:
    case TH_OP_MEAN:
      return in == out;
    case TH_OP_RESHAPE:
    case TH_OP_FLATTEN:
      return in > 0 && out % in == 0;
    case TH_OP_ADD:
    case TH_OP_SUB:
    case TH_OP_MUL:
      return (in == out || in == 1) &&
             (last_dim(&k->g->tensors[n->in[1]]) == out || last_dim(&k->g->tensors[n->in[1]]) == 1);
    default:
      return true;
  }
}

/* Parts one behind the other; false when they are joined along another axis. */
static bool concat_ranges(const walk *k, const th_node *n, th_range *out, int32_t dim) {
  const int axis = n->attr[TH_ATTR_AXIS].i, rank = k->g->tensors[n->out[0]].shape.rank;
  int32_t at = 0;
  if (axis != -1 && axis != rank - 1) return false;
  for (int i = 0; i < n->n_in; i++) {
    const int32_t part = n->in[i] < 0 ? dim : last_dim(&k->g->tensors[n->in[i]]);
    if (part > dim - at) return false;
    for (int32_t c = 0; c < part; c++) out[at++] = operand_range(k, n->in[i], c);
  }
  return true;
}

static th_status visit(walk *k, int node) {
  const th_node *n = &k->g->nodes[node];
  const int y = n->out[0];
  const th_program_step *s = step_of(k->p, node);
  th_range *out = k->r->of[y];
  const int32_t dim = last_dim(&k->g->tensors[y]);
  if (n->n_in < 1 || n->n_out != 1 || n->in[0] < 0 || k->g->tensors[y].dtype != TH_DTYPE_S8) return TH_OK;
  if (s && s->weight_count && (conv_of(&s->step) || s->step.kernel == THR_KERNEL_FULLY_CONNECTED_S8)) {
    const int x = n->in[0];
    if (!k->r->of[x] || s->weight_count / s->row_elems != (uint32_t)dim) return TH_OK;
    th_sum_range *sum = TH_ARRAY(k->arena, th_sum_range, dim);
    if (!sum) return TH_ERR_RESOURCE;
    k->r->sum[s - k->p->steps] = sum;
    return weighted_range(s, k->arena, k->r->of[x], last_dim(&k->g->tensors[x]), out, sum);
  }
  if (n->op == TH_OP_CONCAT && concat_ranges(k, n, out, dim)) return TH_OK;
  if (!keeps_channels(k, n)) return TH_OK;
  for (int32_t i = 0; i < dim; i++) out[i] = one_range(k, n, s, i);
  return TH_OK;
}

th_status th_reach_find(const th_graph *g, const th_program *program, th_arena *arena, th_reach *reach) {
  walk k = {g, program, arena, reach};
  reach->of = TH_ARRAY(arena, th_range *, g->n_tensors + 1);
  reach->sum = TH_ARRAY(arena, th_sum_range *, program->n_steps + 1);
  if (!reach->of || !reach->sum) return TH_ERR_RESOURCE;
  for (int t = 0; t < g->n_tensors; t++) {
    if (g->tensors[t].data || g->tensors[t].dead) continue;
    const int32_t dim = last_dim(&g->tensors[t]);
    if (!(reach->of[t] = TH_ARRAY(arena, th_range, dim))) return TH_ERR_RESOURCE;
    for (int32_t i = 0; i < dim; i++) reach->of[t][i] = anything;
  }
  for (int i = 0; i < g->n_nodes; i++)
    if (!g->nodes[i].dead) TH_TRY(visit(&k, i));
  return TH_OK;
}
