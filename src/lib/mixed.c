/* Measure, then go down step by step. See mixed.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lib/mixed.h"

#include <math.h>

#include "base/str.h"
#include "eval/eval.h"
#include "lib/measure.h"
#include "op/op.h"

typedef struct search {
  const th_graph *g;
  int samples;
  const float *const *inputs;
  const th_mixed_options *o;
  th_arena *arena;
  float **want, **got; /* outputs of the float network, and of a candidate */
  th_mixed_layer *layer;
  int n, node; /* node: the one whose type is tried */
  th_weight_type_id type;
  int64_t all_bytes; /* with int8 everywhere */
} search;

/* --- measuring --- */

static th_status make_room(search *s) {
  s->want = TH_ARRAY(s->arena, float *, s->g->n_outputs);
  s->got = TH_ARRAY(s->arena, float *, s->g->n_outputs);
  if (!s->want || !s->got) return TH_ERR_RESOURCE;
  for (int i = 0; i < s->g->n_outputs; i++) {
    const int64_t n = s->samples * th_shape_elems(&s->g->tensors[s->g->outputs[i]].shape);
    s->want[i] = TH_ARRAY(s->arena, float, n);
    s->got[i] = TH_ARRAY(s->arena, float, n);
    if (!s->want[i] || !s->got[i]) return TH_ERR_RESOURCE;
  }
  return TH_OK;
}

static th_status run(const search *s, const th_graph *g, float **outputs) {
  th_eval *eval;
  TH_TRY(th_eval_open(g, false, &eval));
  const th_status status = th_eval_run_f32(eval, s->samples, s->inputs, outputs);
  th_eval_close(eval);
  return status;
}

static double damage(const search *s) {
  double sum = 0;
  for (int i = 0; i < s->g->n_outputs; i++) {
    const int64_t n = s->samples * th_shape_elems(&s->g->tensors[s->g->outputs[i]].shape);
    for (int64_t k = 0; k < n; k++) {
      const double e = (double)s->got[i][k] - (double)s->want[i][k];
      sum += e * e / (double)n;
    }
  }
  return sum;
}

static th_weight_type_id type_of(void *user, const th_graph *g, int node) {
  const search *s = user;
  (void)g;
  return node == s->node ? s->type : TH_WEIGHT_TYPE_COUNT;
}

/* Bytes of each layer's weights in a quantized graph, by name. */
static int64_t bytes_of(const th_deployed *d, const char *name) {
  for (int i = 0; i < d->program->n_steps; i++)
    if (d->program->steps[i].weight_count && th_str_eq(d->program->steps[i].name, name))
      return (int64_t)d->bytes[i].weights + d->bytes[i].table;
  return 0;
}

static th_status measure_quantized(search *s, th_graph *g) {
  th_deployed d;
  th_footprint f;
  TH_TRY(th_quantize(g, s->o->round->quantize));
  TH_TRY(run(s, g, s->got));
  TH_TRY(th_deploy(g, &s->o->coders, &d));
  for (int i = 0; i < s->n; i++)
    if (s->node == s->layer[i].node || s->node < 0) {
      s->layer[i].as[s->type].damage = damage(s);
      s->layer[i].as[s->type].bytes = bytes_of(&d, s->layer[i].name);
    }
  const th_status status = s->node < 0 ? th_footprint_of_deployed(g, &d, &f) : TH_OK;
  if (s->node < 0 && status == TH_OK) s->all_bytes = f.bytes;
  th_deployed_free(&d);
  return status;
}

/* One layer with one type; node -1: int8 everywhere. */
static th_status measure(search *s, int node, th_weight_type_id type) {
  th_graph *copy;
  th_round_options round = *s->o->round;
  round.ctx = NULL;
  round.type = type_of;
  round.user = s;
  s->node = node;
  s->type = type;
  TH_TRY(th_graph_clone(s->g, &copy));
  th_status status = node >= 0 ? th_round_weights(copy, s->samples, s->inputs, &round) : TH_OK;
  if (status == TH_OK) status = measure_quantized(s, copy);
  th_graph_destroy(copy);
  return status;
}

static th_status measure_all(search *s) {
  const int total = s->n * (TH_WEIGHT_TYPE_COUNT - 1);
  int done = 0;
  TH_TRY(run(s, s->g, s->want));
  TH_TRY(measure(s, -1, TH_WEIGHT_INT8));
  for (int i = 0; i < s->n; i++)
    for (int type = TH_WEIGHT_INT8 + 1; type < TH_WEIGHT_TYPE_COUNT; type++) {
      TH_TRY(measure(s, s->layer[i].node, (th_weight_type_id)type));
      done++;
      const th_progress p = {.stage = "sensitivity",
                             .done = done,
                             .total = total,
                             .unit = "trials",
                             .loss = (double)NAN,
                             .accuracy = (double)NAN,
                             .end = done == total};
      if (!th_progress_report(s->o->round->ctx, &p)) return th_fail(TH_ERR_INTERRUPTED, "mixed was interrupted");
    }
  return TH_OK;
}

/* --- choosing --- */

/* Damage per byte saved by going from the layer's type down to `type`; infinite when nothing is saved. */
static double price(const th_mixed_layer *l, int type) {
  const int64_t saved = l->as[l->type].bytes - l->as[type].bytes;
  return saved > 0 ? fmax(l->as[type].damage - l->as[l->type].damage, 0) / (double)saved : (double)INFINITY;
}

static int64_t bytes_now(const search *s) {
  int64_t bytes = s->all_bytes;
  for (int i = 0; i < s->n; i++) bytes += s->layer[i].as[s->layer[i].type].bytes - s->layer[i].as[TH_WEIGHT_INT8].bytes;
  return bytes;
}

/* The cheapest step down; false when there is none. */
static bool step_down(search *s) {
  th_mixed_layer *best = NULL;
  int best_type = 0;
  for (int i = 0; i < s->n; i++)
    for (int type = s->layer[i].type + 1; type < TH_WEIGHT_TYPE_COUNT; type++)
      if (isfinite(price(&s->layer[i], type)) && (!best || price(&s->layer[i], type) < price(best, best_type))) {
        best = &s->layer[i];
        best_type = type;
      }
  if (best) best->type = (th_weight_type_id)best_type;
  return best != NULL;
}

static th_status choose(search *s) {
  while (bytes_now(s) > s->o->budget)
    if (!step_down(s))
      return th_fail(TH_ERR_CHECK, "mixed: a budget of %lld bytes is too small: the smallest types make %lld bytes",
                     s->o->budget, (long long)bytes_now(s));
  return TH_OK;
}

static void list_layers(search *s) {
  for (int i = 0; i < s->g->n_nodes; i++) {
    const th_node *n = &s->g->nodes[i];
    if (n->dead || th_op_weight_input(n->op) != 1 || !th_const_f32(s->g, n->in[1])) continue;
    s->layer[s->n++] = (th_mixed_layer){.name = n->name, .node = i};
  }
}

th_status th_mixed_choose(const th_graph *g, int samples, const float *const *inputs, const th_mixed_options *options,
                          th_mixed_layer *layers, int *count, int64_t *bytes) {
  search s = {.g = g, .samples = samples, .inputs = inputs, .o = options, .layer = layers};
  s.arena = th_arena_create();
  list_layers(&s);
  th_status status = s.arena ? make_room(&s) : TH_ERR_RESOURCE;
  if (status == TH_OK) status = measure_all(&s);
  if (status == TH_OK) status = choose(&s);
  *count = s.n;
  *bytes = bytes_now(&s);
  th_arena_destroy(s.arena);
  return status;
}

th_status th_mixed_bytes(const th_graph *g, const th_encode_options *coders, int64_t *bytes) {
  th_deployed d;
  th_footprint f;
  TH_TRY(th_deploy(g, coders, &d));
  const th_status status = th_footprint_of_deployed(g, &d, &f);
  if (status == TH_OK) *bytes = f.bytes;
  th_deployed_free(&d);
  return status;
}
