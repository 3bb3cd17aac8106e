/* Layer by layer: steps, the inputs of both networks, integers, bias. See round_weights.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "pass/round_weights.h"

#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "base/rng.h"
#include "eval/eval.h"
#include "op/op.h"
#include "pass/least_squares.h"
#include "pass/patches.h"

enum {
  BLOCK = 32,         /* samples evaluated at once */
  ROWS_PER_ELEM = 8,  /* rows of a layer's inputs that are enough: so many per weight of a channel ... */
  FEWEST_ROWS = 4096, /* ... but not fewer than this, if there are as many */
  LONGEST_ROW = 4096  /* longer ones would need too large a matrix: rounded to the nearest */
};

typedef struct rounding {
  th_graph *g;
  const th_round_options *o;
  int samples;
  const float *const *inputs;
  th_arena *arena; /* of the layer at hand */
} rounding;

typedef struct layer {
  int node;
  const th_weight_type *type;
  th_weight_view v;
  int n_scales;
  float *scale, *value; /* value: the weights on their grid */
  bool is_pruned;       /* then what is zero stays zero */
  th_patches p;
  int64_t rows;
  float *x, *z; /* inputs of the float network and of the integer one: groups x rows x elems */
} layer;

/* --- the inputs of a layer --- */

/* One of the two networks, run over the samples. */
typedef struct network {
  th_graph *g;
  th_eval *eval;
  int tensor;      /* the layer's input there */
  float **outputs; /* not used */
} network;

static void network_close(network *n, bool own) {
  th_eval_close(n->eval);
  if (own) th_graph_destroy(n->g);
}

static th_status network_open(rounding *r, network *n) {
  n->outputs = TH_ARRAY(r->arena, float *, n->g->n_outputs + 1);
  if (!n->outputs) return TH_ERR_RESOURCE;
  for (int i = 0; i < n->g->n_outputs; i++) {
    n->outputs[i] = TH_ARRAY(r->arena, float, BLOCK *th_shape_elems(&n->g->tensors[n->g->outputs[i]].shape));
    if (!n->outputs[i]) return TH_ERR_RESOURCE;
  }
  return th_eval_open(n->g, true, &n->eval);
}

/* The graph as it is now, in integers. */
static th_status quantized_copy(rounding *r, const layer *l, network *n) {
  const char *name = r->g->nodes[l->node].name;
  TH_TRY(th_graph_clone(r->g, &n->g));
  TH_TRY(th_quantize(n->g, r->o->quantize));
  for (int i = 0; i < n->g->n_nodes; i++)
    if (!strcmp(n->g->nodes[i].name, name)) n->tensor = n->g->nodes[i].in[0];
  return n->tensor >= 0 ? TH_OK : th_fail(TH_ERR_INTERNAL, "rounding: layer %s is gone", name);
}

/* Values of the layer's input, `count` samples, as real numbers. */
static th_status read_input(const network *n, int count, int64_t elems, float *to) {
  const void *from = th_eval_tensor(n->eval, n->tensor);
  const th_tensor *t = &n->g->tensors[n->tensor];
  if (!from) return th_fail(TH_ERR_INTERNAL, "rounding: tensor %s was not computed", t->name);
  if (t->dtype == TH_DTYPE_F32)
    memcpy(to, from, (size_t)(count * elems) * sizeof *to);
  else
    th_dequantize(from, t->dtype, count * elems, t->quant.scale[0], t->quant.zero[0], to);
  return TH_OK;
}

static th_status run_block(rounding *r, network *n, int begin, int count) {
  const float *at[TH_MAX_INPUTS];
  for (int i = 0; i < r->g->n_inputs; i++)
    at[i] = r->inputs[i] + begin * th_shape_elems(&r->g->tensors[r->g->inputs[i]].shape);
  return th_eval_run_f32(n->eval, count, at, n->outputs);
}

static void take_rows(const layer *l, const float *sample, const int64_t *position, int64_t per_sample, int64_t row,
                      float *to) {
  for (int64_t k = 0; k < per_sample; k++)
    for (int group = 0; group < l->p.groups; group++)
      th_patches_row(&l->p, sample, position[k], group, to + (group * l->rows + row + k) * l->p.elems);
}

static th_status gather(rounding *r, layer *l, network *nets) {
  const int64_t elems = th_shape_elems(&r->g->tensors[r->g->nodes[l->node].in[0]].shape);
  const int64_t per_sample = l->rows / r->samples;
  float *values = TH_ARRAY(r->arena, float, BLOCK *elems);
  int64_t *position = TH_ARRAY(r->arena, int64_t, per_sample * r->samples);
  th_rng rng = th_rng_init(r->o->seed, (uint64_t)l->node);
  if (!values || !position) return TH_ERR_RESOURCE;
  for (int64_t k = 0; k < l->rows; k++) /* evenly spread, with a random offset in each stretch */
    position[k] = (k % per_sample * l->p.positions + th_rng_below(&rng, (uint32_t)l->p.positions)) / per_sample;
  for (int begin = 0; begin < r->samples; begin += BLOCK) {
    const int count = r->samples - begin < BLOCK ? r->samples - begin : BLOCK;
    for (int k = 0; k < 2; k++) {
      TH_TRY(run_block(r, &nets[k], begin, count));
      TH_TRY(read_input(&nets[k], count, elems, values));
      for (int i = 0; i < count; i++) {
        const int64_t row = (begin + i) * per_sample;
        take_rows(l, values + i * elems, position + row, per_sample, row, k ? l->z : l->x);
      }
    }
  }
  return TH_OK;
}

static int64_t rows_wanted(const rounding *r, const layer *l) {
  const int64_t all = l->p.positions * r->samples;
  const bool few = l->p.elems * ROWS_PER_ELEM < FEWEST_ROWS || r->o->rounding == TH_ROUNDING_NEAREST;
  const int64_t enough = few ? FEWEST_ROWS : l->p.elems * ROWS_PER_ELEM;
  const int64_t rows = all < enough ? all : enough, each = (rows + r->samples - 1) / r->samples;
  return each * r->samples;
}

/* `original`: the float network before any rounding. */
static th_status find_inputs(rounding *r, const th_graph *original, layer *l) {
  network nets[2] = {{.g = (th_graph *)(uintptr_t)original, .tensor = r->g->nodes[l->node].in[0]}, {.tensor = -1}};
  l->rows = rows_wanted(r, l);
  const int64_t all = l->rows * l->p.groups * l->p.elems;
  l->x = TH_ARRAY(r->arena, float, all);
  l->z = TH_ARRAY(r->arena, float, all);
  th_status status = l->x && l->z ? quantized_copy(r, l, &nets[1]) : TH_ERR_RESOURCE;
  for (int k = 0; k < 2 && status == TH_OK; k++) status = network_open(r, &nets[k]);
  if (status == TH_OK) status = gather(r, l, nets);
  network_close(&nets[0], false);
  network_close(&nets[1], true);
  return status;
}

/* --- one layer's integers --- */

static float scale_of(const layer *l, int64_t channel) {
  return l->scale[l->n_scales > 1 ? channel : 0];
}

static void round_to_nearest(layer *l) {
  for (int64_t c = 0; c < l->v.channels; c++)
    for (int64_t i = 0; i < l->v.elems; i++) {
      const int64_t at = th_weight_at(&l->v, c, i);
      const double s = (double)scale_of(l, c);
      l->value[at] = (float)(s * fmin(fmax(round((double)l->v.w[at] / s), l->type->lo), l->type->hi));
    }
}

/* Column means of a group's rows. */
static void means(const layer *l, const float *rows, int group, double *mean) {
  const float *at = rows + group * l->rows * l->p.elems;
  for (int64_t i = 0; i < l->p.elems; i++) mean[i] = 0;
  for (int64_t k = 0; k < l->rows; k++)
    for (int64_t i = 0; i < l->p.elems; i++) mean[i] += (double)at[k * l->p.elems + i];
  for (int64_t i = 0; i < l->p.elems; i++) mean[i] /= (double)l->rows;
}

/* Where a bias makes up for means, only what differs from them counts. */
static void subtract_means(const layer *l, float *rows, int group, double *mean) {
  float *at = rows + group * l->rows * l->p.elems;
  means(l, rows, group, mean);
  for (int64_t k = 0; k < l->rows; k++)
    for (int64_t i = 0; i < l->p.elems; i++) at[k * l->p.elems + i] -= (float)mean[i];
}

typedef struct group_job {
  layer *l;
  const th_squares *s;
  int group;
  double *room; /* 5 * elems a thread; the others elems a thread */
  int *q;
  bool *zero;
} group_job;

/* The weights that real numbers would do best with, given the inputs of the integer network: w + h^-1 z' (x - z) w. */
static void best_real(const layer *l, const th_squares *s, int group, const double *w, double *best) {
  const int64_t n = l->p.elems, begin = group * l->rows * n;
  memset(best, 0, (size_t)n * sizeof *best);
  for (int64_t k = 0; k < l->rows; k++) {
    const float *x = l->x + begin + k * n, *z = l->z + begin + k * n;
    double missed = 0;
    for (int64_t i = 0; i < n; i++) missed += (double)(x[i] - z[i]) * w[i];
    for (int64_t i = 0; i < n; i++) best[i] += missed * (double)z[i];
  }
  for (int64_t i = 0; i < n; i++) best[i] /= (double)l->rows;
  th_squares_solve(s, best);
  for (int64_t i = 0; i < n; i++) best[i] += w[i];
}

static th_status round_channel(void *arg, int index, int thread) {
  group_job *j = arg;
  layer *l = j->l;
  const int64_t n = l->p.elems, c = (int64_t)j->group * l->p.out_per_group + index;
  double *w = j->room + thread * 5 * n, *best = w + n, *work = best + n;
  int *q = j->q + thread * n;
  bool *zero = j->zero + thread * n;
  for (int64_t i = 0; i < n; i++) {
    w[i] = (double)l->v.w[th_weight_at(&l->v, c, i)];
    zero[i] = l->is_pruned && w[i] == 0;
  }
  best_real(l, j->s, j->group, w, best);
  const th_levels levels = {.step = (double)scale_of(l, c), .lo = l->type->lo, .hi = l->type->hi, .zero = zero};
  th_squares_round(j->s, best, &levels, q, work);
  for (int64_t i = 0; i < n; i++) l->value[th_weight_at(&l->v, c, i)] = (float)(levels.step * q[i]);
  return TH_OK;
}

static th_status round_group(rounding *r, layer *l, int group) {
  th_squares s;
  const int64_t n = l->p.elems;
  group_job j = {.l = l, .s = &s, .group = group};
  j.room = TH_ARRAY(r->arena, double, 5 * n * th_parallel_threads());
  j.q = TH_ARRAY(r->arena, int, n *th_parallel_threads());
  j.zero = TH_ARRAY(r->arena, bool, n *th_parallel_threads());
  if (!j.room || !j.q || !j.zero) return TH_ERR_RESOURCE;
  TH_TRY(th_squares_create(l->z + group * l->rows * n, l->rows, n, &s));
  th_status status = th_parallel_for(l->p.out_per_group, round_channel, &j);
  th_squares_destroy(&s);
  return status;
}

/* bias + mean(x)' w - mean(z)' value; `mean` has those of x, then of z, group by group. */
static th_status correct_bias(rounding *r, layer *l, const double *mean) {
  const int64_t n = l->p.elems;
  const int bias = th_op_bias_input(r->g->nodes[l->node].op);
  float *b = TH_ARRAY(r->arena, float, l->v.channels);
  if (!b) return TH_ERR_RESOURCE;
  for (int64_t c = 0; c < l->v.channels; c++) {
    const int64_t group = c / l->p.out_per_group;
    const double *x = mean + group * n, *z = mean + (l->p.groups + group) * n;
    double sum = l->v.b ? (double)l->v.b[c] : 0;
    for (int64_t i = 0; i < n; i++) {
      const int64_t at = th_weight_at(&l->v, c, i);
      sum += x[i] * (double)l->v.w[at] - z[i] * (double)l->value[at];
    }
    b[c] = (float)sum;
  }
  if (!l->v.b) return th_node_add_bias(r->g, l->node, l->v.channels, b);
  const th_shape shape = r->g->tensors[r->g->nodes[l->node].in[bias]].shape;
  return th_node_set_const(r->g, l->node, bias, TH_DTYPE_F32, &shape, b);
}

static th_status round_with_inputs(rounding *r, const th_graph *original, layer *l) {
  const bool free_choice = r->o->rounding == TH_ROUNDING_ADAROUND && l->v.tensor->quant.count == 0;
  const int64_t n = l->p.elems;
  double *mean = TH_ARRAY(r->arena, double, 2 * n * l->p.groups);
  if (!mean) return TH_ERR_RESOURCE;
  TH_TRY(find_inputs(r, original, l));
  for (int group = 0; group < l->p.groups && r->o->bias_correction; group++) {
    double *x = mean + group * n, *z = mean + (l->p.groups + group) * n;
    (free_choice ? subtract_means(l, l->x, group, x) : means(l, l->x, group, x));
    (free_choice ? subtract_means(l, l->z, group, z) : means(l, l->z, group, z));
  }
  for (int group = 0; group < l->p.groups && free_choice; group++) TH_TRY(round_group(r, l, group));
  return r->o->bias_correction ? correct_bias(r, l, mean) : TH_OK;
}

static bool wants_inputs(const rounding *r, const layer *l) {
  if (r->o->rounding == TH_ROUNDING_NEAREST && !r->o->bias_correction) return false;
  if (l->p.elems && l->p.elems <= LONGEST_ROW) return true;
  if (r->o->rounding == TH_ROUNDING_NEAREST) return false; /* a bias as it is does little harm */
  th_log(r->o->ctx, TH_LOG_WARN, "%s: rounded to the nearest: %s", r->g->nodes[l->node].name,
         l->p.elems ? "a channel has too many weights for more" : "a transposed convolution");
  return false;
}

static bool is_pruned(const th_weight_view *v) {
  const int64_t n = v->channels * v->elems;
  int64_t zeros = 0;
  for (int64_t i = 0; i < n; i++) zeros += v->w[i] == 0;
  return th_op_is_pruned(zeros, n);
}

static th_status round_layer(rounding *r, const th_graph *original, int node) {
  layer l = {.node = node};
  const th_weight_type_id type = r->o->type(r->o->user, r->g, node);
  if (type == TH_WEIGHT_TYPE_COUNT) return TH_OK;
  TH_TRY(th_weight_view_of(r->g, node, &l.v));
  l.type = th_weight_type_of(type);
  l.is_pruned = is_pruned(&l.v);
  l.scale = TH_ARRAY(r->arena, float, l.v.channels);
  l.value = TH_ARRAY(r->arena, float, l.v.channels *l.v.elems);
  if (!l.scale || !l.value) return TH_ERR_RESOURCE;
  if (l.v.tensor->quant.count) l.type = th_weight_type_of(TH_WEIGHT_INT8); /* as it stands */
  TH_TRY(th_weight_scales(&l.v, l.type, r->o->quantize, l.scale, &l.n_scales));
  round_to_nearest(&l);
  th_patches_of(r->g, node, &l.p);
  if (wants_inputs(r, &l)) TH_TRY(round_with_inputs(r, original, &l));
  const th_shape shape = l.v.tensor->shape;
  TH_TRY(th_node_set_const(r->g, node, 1, TH_DTYPE_F32, &shape, l.value));
  return th_graph_set_quant(r->g, r->g->nodes[node].in[1], l.n_scales > 1 ? l.v.axis : -1, l.n_scales, l.scale, NULL);
}

static th_status round_all(rounding *r, const th_graph *original) {
  int layers = 0, done = 0;
  for (int i = 0; i < r->g->n_nodes; i++) layers += th_op_weight_input(r->g->nodes[i].op) == 1;
  for (int i = 0; i < r->g->n_nodes; i++) {
    const th_node *n = &r->g->nodes[i];
    if (n->dead || th_op_weight_input(n->op) != 1 || !th_const_f32(r->g, n->in[1])) continue;
    const th_arena_pos mark = th_arena_mark(r->arena);
    TH_TRY(round_layer(r, original, i));
    th_arena_release(r->arena, mark);
    done++;
    const th_progress p = {.stage = "round",
                           .done = done,
                           .total = layers,
                           .unit = "layers",
                           .loss = (double)NAN,
                           .accuracy = (double)NAN,
                           .end = done == layers};
    if (!th_progress_report(r->o->ctx, &p)) return th_fail(TH_ERR_INTERRUPTED, "rounding was interrupted");
  }
  return TH_OK;
}

th_status th_round_weights(th_graph *g, int samples, const float *const *inputs, const th_round_options *options) {
  rounding r = {.g = g, .o = options, .samples = samples, .inputs = inputs, .arena = th_arena_create()};
  th_graph *original = NULL;
  th_status status = r.arena ? th_graph_clone(g, &original) : TH_ERR_RESOURCE;
  if (status == TH_OK) status = round_all(&r, original);
  th_graph_destroy(original);
  th_arena_destroy(r.arena);
  return status;
}
