/* Training in units of the input, see unit.h. SPDX-License-Identifier: Apache-2.0 */
#include "lib/unit.h"

#include <math.h>

#include "base/arena.h"
#include "op/op.h"

enum { SAMPLES = 64 };
#define ORDINARY 8.0 /* inputs between 1/8 and 8 train well as they are */

static double mean_square(const th_dataset *set, float *x) {
  const int count = set->split[TH_SPLIT_TRAIN].count, elems = th_dataset_sample_elems(set);
  const int n = count < SAMPLES ? count : SAMPLES;
  double sum = 0;
  for (int i = 0; i < n; i++) {
    const int32_t which = (int32_t)((int64_t)i * count / n);
    th_dataset_fetch(set, TH_SPLIT_TRAIN, &which, 1, NULL, 0, 0, x, NULL);
    for (int k = 0; k < elems; k++) sum += (double)x[k] * (double)x[k];
  }
  return n ? sum / n / elems : 0;
}

float th_unit_of(const th_dataset *set) {
  if (!set->classes && !set->target_elems) return 1;
  float *x = th_alloc((size_t)th_dataset_sample_elems(set) * sizeof *x);
  const double rms = x ? sqrt(mean_square(set, x)) : 0;
  th_free(x);
  if (!isfinite(rms) || rms <= 0 || (rms >= 1 / ORDINARY && rms <= ORDINARY)) return 1;
  return (float)exp2(round(log2(rms)));
}

static bool reads_input(const th_graph *g, const th_node *n) {
  for (int i = 0; i < n->n_in && !n->dead; i++)
    if (n->in[i] == g->inputs[0]) return true;
  return false;
}

static const th_tensor *weights_of(const th_graph *g, const th_node *n) {
  const bool is_layer = n->op == TH_OP_CONV2D || n->op == TH_OP_DEPTHWISE_CONV2D || n->op == TH_OP_FULLY_CONNECTED;
  return is_layer ? th_node_in(g, n, th_op_weight_input(n->op)) : NULL;
}

bool th_unit_can(const th_graph *g) {
  if (g->n_inputs != 1 || th_graph_is_output(g, g->inputs[0])) return false;
  for (int i = 0; i < g->n_nodes; i++) {
    const th_node *n = &g->nodes[i];
    if (!reads_input(g, n)) continue;
    const th_tensor *w = weights_of(g, n);
    const bool scales = w && w->data && (w->dtype == TH_DTYPE_F32 || w->quant.count);
    if (!scales || th_graph_uses(g, n->in[th_op_weight_input(n->op)]) != 1) return false;
  }
  return true;
}

static th_status scale_quant(th_graph *g, int id, float factor) {
  const th_quant q = g->tensors[id].quant;
  if (!q.count) return TH_OK;
  float *scale = TH_ARRAY(g->arena, float, q.count);
  if (!scale) return TH_ERR_RESOURCE;
  for (int i = 0; i < q.count; i++) scale[i] = q.scale[i] * factor;
  return th_graph_set_quant(g, id, q.axis, q.count, scale, q.zero);
}

static th_status scale_weights(th_graph *g, int id, float factor) {
  const th_tensor *t = &g->tensors[id];
  TH_TRY(scale_quant(g, id, factor));
  if (t->dtype != TH_DTYPE_F32) return TH_OK;
  const int64_t n = th_shape_elems(&t->shape);
  float *w = th_alloc((size_t)n * sizeof *w);
  if (!w) return TH_ERR_RESOURCE;
  for (int64_t i = 0; i < n; i++) w[i] = ((const float *)t->data)[i] * factor;
  const th_shape shape = t->shape;
  const th_status status = th_graph_set_data(g, id, TH_DTYPE_F32, &shape, w);
  th_free(w);
  return status;
}

th_status th_unit_apply(th_graph *g, float unit) {
  if (unit == 1) return TH_OK;
  TH_TRY(scale_quant(g, g->inputs[0], 1 / unit));
  for (int i = 0; i < g->n_nodes; i++) {
    const th_node *n = &g->nodes[i];
    if (reads_input(g, n)) TH_TRY(scale_weights(g, n->in[th_op_weight_input(n->op)], unit));
  }
  return TH_OK;
}

th_dataset th_unit_view(const th_dataset *set, float unit) {
  th_dataset view = *set;
  for (int c = 0; c < set->channels; c++) view.std[c] *= unit;
  return view;
}
