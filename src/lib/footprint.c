/* What a graph takes in flash. See measure.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/half.h"
#include "lib/deploy.h"
#include "lib/measure.h"
#include "lib/training.h"
#include "op/op.h"
#include "pass/pass.h"
#include "write/thim.h"

/* The weights of a clustered tensor as the int8 values they will be, in storage order; false when it has no such grid.
 */
static bool grid_values(const th_tensor *t, int64_t n, int8_t *q) {
  const th_quant *quant = &t->quant;
  if (!quant->count) return false;
  int64_t inner = 1;
  for (int d = quant->axis + 1; quant->axis >= 0 && d < t->shape.rank; d++) inner *= t->shape.dim[d];
  for (int64_t i = 0; i < n; i++) {
    int64_t c = quant->axis >= 0 ? i / inner % t->shape.dim[quant->axis] : 0;
    float level = roundf(((const float *)t->data)[i] / quant->scale[c]);
    if (!(level >= -128 && level <= 127)) return false;
    q[i] = (int8_t)level;
  }
  return true;
}

/* Scales of a clustered tensor: 4 bytes each distinct one, and a byte per channel that names it. */
static int64_t scale_bytes(const th_quant *q) {
  int distinct = 0;
  for (int i = 0; i < q->count; i++) {
    bool seen = false;
    for (int k = 0; k < i && !seen; k++) seen = q->scale[k] == q->scale[i];
    distinct += !seen;
  }
  return 4 * distinct + (distinct < q->count ? q->count : 0);
}

static th_status float_weight_bits(const th_graph *g, const th_weight *w, int64_t *bits) {
  const th_tensor *t = &g->tensors[w->tensor];
  const int64_t each = th_half_holds(t->data, w->elems) ? 16 : 32;
  int64_t zeros = llround(w->sparsity * (double)w->elems), dense = each * w->elems;
  int64_t bitmap = w->elems + each * (w->elems - zeros);
  *bits = dense < bitmap ? dense : bitmap;
  if (!t->quant.count) return TH_OK;
  th_arena *arena = th_arena_create();
  int8_t *q = arena ? TH_ARRAY(arena, int8_t, w->elems) : NULL;
  th_coded coded;
  th_status status = q ? TH_OK : TH_ERR_RESOURCE;
  if (status == TH_OK && grid_values(t, w->elems, q)) {
    status = th_encode_best(arena, NULL, q, (uint32_t)w->elems, NULL, &coded);
    if (status == TH_OK) *bits = 8 * ((int64_t)th_coded_bytes(&coded) + scale_bytes(&t->quant));
  }
  th_arena_destroy(arena);
  return status;
}

static th_status footprint_of_float(const th_graph *g, th_footprint *f) {
  th_weight *list = th_alloc(TH_MAX_WEIGHTS * sizeof *list);
  if (!list) return TH_ERR_RESOURCE;
  int n = 0;
  int64_t zeros = 0;
  th_status status = th_weights_list(g, list, &n);
  for (int i = 0; i < n && status == TH_OK; i++) {
    int64_t bits = 0;
    status = float_weight_bits(g, &list[i], &bits);
    f->weights += list[i].elems;
    f->weight_bits += bits;
    zeros += llround(list[i].sparsity * (double)list[i].elems);
  }
  f->sparsity = f->weights ? (double)zeros / (double)f->weights : 0;
  f->bytes = 4 * (f->params - f->weights) + (f->weight_bits + 7) / 8;
  th_free(list);
  return status;
}

th_status th_footprint_of_deployed(const th_graph *g, const th_deployed *d, th_footprint *f) {
  th_op_cost cost = th_op_cost_all(g);
  *f = (th_footprint){.params = cost.params, .macs = cost.macs};
  int64_t zeros = 0;
  for (int i = 0; i < d->program->n_steps; i++) {
    const th_program_step *s = &d->program->steps[i];
    f->weights += s->weight_count;
    f->weight_bits += 8 * ((int64_t)d->bytes[i].weights + d->bytes[i].table);
    for (uint32_t k = 0; k < s->weight_count; k++) zeros += s->weights[k] == 0;
  }
  f->sparsity = f->weights ? (double)zeros / (double)f->weights : 0;
  th_buf blob = {0};
  th_status status = th_write_thim_program(d->program, d->program->arena, &blob, NULL);
  f->bytes = (int64_t)blob.size;
  th_buf_free(&blob);
  return status;
}

static th_status footprint_of_program(const th_graph *g, const th_encode_options *coders, th_footprint *f) {
  th_deployed d;
  TH_TRY(th_deploy(g, coders, &d));
  const th_status status = th_footprint_of_deployed(g, &d, f);
  th_deployed_free(&d);
  return status;
}

/* Batch norm never reaches flash: it is folded into the layer before it, so it is not counted as parameters either. */
static th_status footprint_of_folded(const th_graph *g, th_footprint *f) {
  th_graph *folded;
  TH_TRY(th_graph_clone(g, &folded));
  th_pass_options o = {.verify = true};
  th_status status = th_pass_run(folded, "drop_identity,fold_bn", &o);
  if (status == TH_OK) {
    th_op_cost cost = th_op_cost_all(folded);
    f->params = cost.params;
    f->macs = cost.macs;
    status = footprint_of_float(folded, f);
  }
  th_graph_destroy(folded);
  return status;
}

const th_encode_options th_packed_only = {.coders = 1u << THR_CODER_RAW | 1u << THR_CODER_BITPACK};

th_status th_footprint_of(const th_graph *g, const th_encode_options *coders, th_footprint *f) {
  *f = (th_footprint){0};
  return th_graph_is_float(g) ? footprint_of_folded(g, f) : footprint_of_program(g, coders, f);
}
