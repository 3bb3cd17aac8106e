/* What `info` says about lossless shrinking before anything is done: channels that are constant or can go, and what
 * bytes and work that saves. See lossless.h. SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "lib/deploy.h"
#include "lib/lossless.h"
#include "op/op.h"
#include "pass/reach.h"
#include "report/result.h"
#include "report/table.h"

static int32_t channels_of(const th_graph *g, const th_node *n) {
  const th_shape *s = &th_node_out(g, n, 0)->shape;
  return s->rank ? s->dim[s->rank - 1] : 1;
}

/* A layer keeps its name through the passes; 0 when it is gone. */
static int32_t channels_left(const th_graph *after, const char *name) {
  for (int i = 0; i < after->n_nodes; i++)
    if (!after->nodes[i].dead && th_str_eq(after->nodes[i].name, name)) return channels_of(after, &after->nodes[i]);
  return 0;
}

static int32_t constant_channels(const th_reach *reach, const th_graph *g, const th_node *n) {
  const th_range *r = reach->of[n->out[0]];
  int32_t count = 0;
  for (int32_t c = 0; r && c < channels_of(g, n); c++) count += th_range_is_one(r[c]);
  return count;
}

typedef struct totals {
  int64_t constant, removed;
} totals;

static void write_layers(const th_graph *g, const th_graph *after, const th_reach *reach, th_json *o, th_table *t,
                         totals *sum) {
  th_json *layers = th_json_add_array(o, "layers");
  for (int i = 0; i < g->n_nodes; i++) {
    const th_node *n = &g->nodes[i];
    if (n->dead || th_op_weight_input(n->op) < 0) continue;
    const int32_t channels = channels_of(g, n), constant = constant_channels(reach, g, n),
                  removed = channels - channels_left(after, n->name);
    th_json *l = th_json_add_object(layers, NULL);
    th_json_add_string(l, "name", n->name);
    th_json_add_int(l, "channels", channels);
    th_json_add_int(l, "constant_channels", constant);
    th_json_add_int(l, "removable_channels", removed);
    sum->constant += constant;
    sum->removed += removed;
    if (!constant && !removed) continue;
    th_table_cell(t, "%s", n->name);
    th_table_cell(t, "%d", (int)channels);
    th_table_cell(t, "%d", (int)constant);
    th_table_cell(t, "%d", (int)removed);
  }
}

static void write_savings(const th_lossless *l, const totals *sum, th_json *o, th_result *r) {
  const th_footprint *before = &l->row[0].f, *after = &l->row[l->n - 1].f;
  char a[32], b[32];
  th_json_add_int(o, "bytes", after->bytes);
  th_json_add_int(o, "macs", after->macs);
  th_json_add_int(o, "params", after->params);
  th_json_add_int(o, "arena_bytes", l->deployed.plan.arena_bytes);
  th_json_add_int(o, "constant_channels", sum->constant);
  th_json_add_int(o, "removable_channels", sum->removed);
  th_buf_printf(&r->text,
                "\nwithout changing an output bit (shrink --lossless): at most %s bytes in flash without code, ",
                th_thousands(a, after->bytes));
  th_buf_printf(&r->text, "%s MACs (%.0f %% less)\n", th_thousands(b, after->macs),
                before->macs ? 100.0 * (double)(before->macs - after->macs) / (double)before->macs : 0.0);
}

static th_status write_all(const th_model *m, const th_lossless *l, th_arena *arena, th_result *r) {
  th_program *p;
  th_reach reach;
  totals sum = {0};
  TH_TRY(th_lower_mixed(m->graph, &p));
  th_status status = th_reach_find(m->graph, p, arena, &reach);
  if (status == TH_OK) {
    th_json *o = th_json_add_object(r->json, "lossless");
    th_table *t = th_table_create(r->arena, "<layer|channels|constant|can go");
    write_layers(m->graph, l->graph, &reach, o, t, &sum);
    write_savings(l, &sum, o, r);
    if (sum.constant || sum.removed) th_table_print(t, &r->text);
  }
  th_program_destroy(p);
  return status;
}

th_status th_info_lossless(const th_model *model, th_result *r) {
  th_lossless l;
  TH_TRY(th_lossless_run(model, NULL, &l));
  th_arena *arena = th_arena_create();
  const th_status status = arena ? write_all(model, &l, arena, r) : TH_ERR_RESOURCE;
  th_arena_destroy(arena);
  th_lossless_free(&l);
  return status;
}
