/* th_model_info: what is in a model, layer by layer. See thimble/thimble.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/compile.h"
#include "lib/devices.h"
#include "lib/lossless.h"
#include "lib/measure.h"
#include "lib/predict.h"
#include "lib/settings.h"
#include "op/op.h"
#include "report/result.h"
#include "report/table.h"

/* Zeros, distinct values and order-0 entropy of a tensor's values. */
typedef struct contents {
  int64_t elems, zeros, distinct;
  double entropy; /* bits per value */
} contents;

static int compare_words(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static uint32_t word_of(const th_tensor *t, int64_t i) {
  uint32_t w = 0;
  size_t bytes = th_dtype_bytes(t->dtype);
  memcpy(&w, (const uint8_t *)t->data + (size_t)i * bytes, bytes < 4 ? bytes : 4);
  if (t->dtype == TH_DTYPE_F32 && w == 0x80000000u) w = 0; /* -0 is 0 */
  return w;
}

static th_status look_into(const th_tensor *t, contents *c) {
  c->elems = th_shape_elems(&t->shape);
  uint32_t *words = th_alloc((size_t)c->elems * sizeof *words);
  if (!words) return TH_ERR_RESOURCE;
  for (int64_t i = 0; i < c->elems; i++) words[i] = word_of(t, i);
  qsort(words, (size_t)c->elems, sizeof *words, compare_words);
  for (int64_t i = 0, k; i < c->elems; i = k) {
    for (k = i; k < c->elems && words[k] == words[i]; k++) continue;
    double p = (double)(k - i) / (double)c->elems;
    c->entropy -= p * log2(p);
    c->distinct++;
    if (words[i] == 0) c->zeros = k - i;
  }
  th_free(words);
  return TH_OK;
}

static th_status write_layer(const th_graph *g, const th_node *n, bool trained, const th_step_bytes *bytes,
                             th_json *layers, th_table *t) {
  char shape[TH_SHAPE_TEXT], number[32];
  const th_tensor *out = th_node_out(g, n, 0);
  th_op_cost cost = th_op_get(n->op)->cost(g, n);
  int input = th_op_weight_input(n->op);
  const th_tensor *w = input < 0 ? NULL : th_node_in(g, n, input);
  th_json *o = th_json_add_object(layers, NULL);
  th_json_add_string(o, "name", n->name);
  th_json_add_string(o, "op", th_op_name(n->op));
  th_json_add_string(o, "dtype", th_dtype_name(out->dtype));
  th_json_add_string(o, "shape", th_shape_text(&out->shape, shape));
  th_json_add_int(o, "params", cost.params);
  th_json_add_int(o, "macs", cost.macs);
  th_table_cell(t, "%s", n->name);
  th_table_cell(t, "%s", th_op_name(n->op));
  th_table_cell(t, "%s %s", th_dtype_name(out->dtype), shape);
  th_table_cell(t, "%s", cost.params ? th_thousands(number, cost.params) : "");
  th_table_cell(t, "%s", cost.macs ? th_thousands(number, cost.macs) : "");
  contents c = {0};
  bool has_weights = trained && w && w->data;
  if (has_weights) {
    TH_TRY(look_into(w, &c));
    th_json_add_number(o, "sparsity", c.elems ? (double)c.zeros / (double)c.elems : 0);
    th_json_add_int(o, "distinct", c.distinct);
    th_json_add_number(o, "entropy_bits", c.entropy);
    th_table_cell(t, "%.1f %%", c.elems ? 100.0 * (double)c.zeros / (double)c.elems : 0.0);
    th_table_cell(t, "%lld", (long long)c.distinct);
    th_table_cell(t, "%.2f", c.entropy);
  } else {
    for (int i = 0; i < 3; i++) th_table_cell(t, "%s", "");
  }
  if (!bytes || !has_weights) {
    th_table_cell(t, "%s", "");
    th_table_cell(t, "%s", "");
    return TH_OK;
  }
  int64_t total = (int64_t)bytes->weights + bytes->table + bytes->bias + bytes->requant;
  th_json_add_string(o, "coder", th_coder_name(bytes->coder));
  th_json_add_int(o, "bytes", total);
  th_table_cell(t, "%s", th_coder_name(bytes->coder));
  th_table_cell(t, "%s", th_thousands(number, total));
  return TH_OK;
}

/* The coded bytes of the step that a node became; NULL when it became none. */
static const th_step_bytes *bytes_of_node(const th_deployed *d, int node) {
  for (int i = 0; d->program && i < d->program->n_steps; i++)
    if (d->program->steps[i].node == node && d->program->steps[i].weight_count) return &d->bytes[i];
  return NULL;
}

static void write_totals(const th_model *m, const th_deployed *d, const th_footprint *f, th_result *r) {
  char a[32], b[32];
  th_json_add_string(r->json, "format", m->format);
  th_json_add_string(r->json, "arithmetic", th_model_arithmetic(m));
  th_json_add_int(r->json, "params", f->params);
  th_json_add_int(r->json, "macs", f->macs);
  th_json_add_int(r->json, "file_bytes", (int64_t)m->file_bytes);
  th_json_add_int(r->json, "bytes", f->bytes);
  th_json_add_number(r->json, "sparsity", f->sparsity);
  th_buf_printf(&r->text, "%s: %s, %s arithmetic, file %s bytes\n", m->path, m->format, th_model_arithmetic(m),
                th_thousands(a, (long long)m->file_bytes));
  th_buf_printf(&r->text, "%s parameters, %s MACs", th_thousands(a, f->params), th_thousands(b, f->macs));
  if (d->program) {
    th_json_add_int(r->json, "arena_bytes", d->plan.arena_bytes);
    th_json_add_int(r->json, "arena_lower_bound", d->plan.lower_bound);
    th_buf_printf(&r->text, ", %s bytes in flash without code, arena %s bytes (no placement is below %u)",
                  th_thousands(a, f->bytes), th_thousands(b, d->plan.arena_bytes), (unsigned)d->plan.lower_bound);
  } else {
    th_buf_printf(&r->text, ", %s bytes in flash at this stage", th_thousands(a, f->bytes));
  }
  th_buf_printf(&r->text, "\n\n");
}

/* What goes in and comes out, in the order of `thimble run`. */
static void write_ports(const th_model *m, bool in, th_result *r) {
  const char *role = in ? "input" : "output";
  th_json *list = th_json_add_array(r->json, in ? "inputs" : "outputs");
  for (int i = 0; i < (in ? th_model_inputs(m) : th_model_outputs(m)); i++) {
    const th_port p = in ? th_model_input(m, i) : th_model_output(m, i);
    th_json *o = th_json_add_object(list, NULL);
    th_json_add_string(o, "name", p.name);
    th_json_add_string(o, "dtype", p.dtype);
    th_json_add_string(o, "shape", p.shape);
    th_buf_printf(&r->text, "%s %s: %s %s\n", role, p.name, p.dtype, p.shape);
  }
}

static th_status info_of_graph(const th_model *m, const th_settings *compile, th_deployed *d, th_result *r) {
  const th_graph *g = m->graph;
  th_footprint f;
  if (!th_graph_is_float(g) && strcmp(th_model_arithmetic(m), "mixed") != 0) TH_TRY(th_deploy(g, NULL, d));
  TH_TRY(th_footprint_of(g, NULL, &f));
  if (m->untrained) f.bytes = 4 * f.params, f.sparsity = 0; /* its weights are not known yet */
  write_totals(m, d, &f, r);
  write_ports(m, true, r);
  write_ports(m, false, r);
  th_buf_printf(&r->text, "\n");
  th_json *layers = th_json_add_array(r->json, "layers");
  th_table *t =
      th_table_create(r->arena, "<layer|<operator|<output|parameters|MACs|zeros|distinct|entropy|<coder|bytes");
  for (int i = 0; i < g->n_nodes; i++)
    if (!g->nodes[i].dead) TH_TRY(write_layer(g, &g->nodes[i], !m->untrained, bytes_of_node(d, i), layers, t));
  th_table_print(t, &r->text);
  if (d->program) TH_TRY(th_info_lossless(m, r));
  return d->program ? th_devices_write_fits(m, compile, r) : TH_OK;
}

/* What the model would take as firmware, by tables. */
static th_status add_prediction(const th_model *m, const th_settings *compile, th_result *r) {
  th_prediction *p;
  TH_TRY(th_predict(m, compile, &p));
  th_buf_printf(&r->text, "\n");
  th_prediction_write(p, th_target_find(th_settings_text(compile, "target")), r->json, &r->text);
  th_prediction_free(p);
  return TH_OK;
}

th_status th_model_info(const th_model *model, const th_settings *compile, th_result **result) {
  if (compile) TH_TRY(th_compile_need_integer(model));
  if (!model->graph) return th_model_program_info(model, result);
  th_result *r;
  TH_TRY(th_result_create(&r));
  th_deployed d = {0};
  th_status status = info_of_graph(model, compile, &d, r);
  th_deployed_free(&d);
  if (status == TH_OK && compile) status = add_prediction(model, compile, r);
  if (status == TH_OK) status = th_result_finish(r);
  return th_result_give(th_name_file(status, model->path), r, result);
}
