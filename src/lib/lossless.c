/* The lossless passes in order, each measured. See lossless.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lib/lossless.h"

#include "base/str.h"
#include "pass/pass.h"

typedef struct group { /* a row of the table, and what runs for it */
  const char *name, *passes;
} group;

/* A pass may give an earlier one new work (a layer without constant inputs may have equal channels, ...), so the groups
 * run again until a round changes nothing; their rows show the state after the last round they ran in. */
static const group groups[] = {
    {"no-ops", "drop_identity"},      {"constant channels", "constant_channels"},
    {"dead channels", "dead"},        {"equal channels", "merge_channels,dead,sort_channels"},
    {"useless taps", "crop_kernels"},
};
enum { GROUPS = sizeof groups / sizeof *groups, MOST_ROUNDS = 8 };

static th_status need_integer(const th_model *m) {
  TH_TRY(th_model_need_graph(m, "lossless shrinking"));
  TH_TRY(th_model_need_trained(m, "lossless shrinking"));
  if (!th_graph_is_float(m->graph)) return TH_OK;
  return th_fail(TH_ERR_INPUT, "%s: a float model; without loss only quantized ones can be shrunk (thimble quantize)",
                 m->path);
}

static th_status add_row(th_lossless *l, const char *name, const th_encode_options *coders, double begin) {
  th_lossless_row *r = &l->row[l->n++];
  r->name = name;
  const th_status status = th_footprint_of(l->graph, coders, &r->f);
  r->seconds = th_clock_seconds() - begin;
  return status;
}

/* Changes show in the text form, which names constants by their hash. */
static th_status graph_hash(const th_graph *g, uint64_t *hash) {
  th_buf text = {0};
  th_status status = th_graph_print(g, 0, &text);
  if (status == TH_OK) *hash = th_hash64(text.data, text.size);
  th_buf_free(&text);
  return status;
}

static th_status run_rounds(th_graph *g) {
  const th_pass_options o = {.verify = true};
  uint64_t before = 0, after = 1;
  for (int round = 0; round < MOST_ROUNDS && before != after; round++) {
    before = after;
    for (int i = 0; i < GROUPS; i++) TH_TRY(th_pass_run(g, groups[i].passes, &o));
    TH_TRY(graph_hash(g, &after));
  }
  return TH_OK;
}

static th_status run_all(th_lossless *l, const th_encode_options *coders) {
  const th_pass_options o = {.verify = true};
  TH_TRY(add_row(l, "as given", &th_packed_only, th_clock_seconds()));
  for (int i = 0; i < GROUPS; i++) {
    const double begin = th_clock_seconds();
    TH_TRY(th_pass_run(l->graph, groups[i].passes, &o));
    if (i == GROUPS - 1) TH_TRY(run_rounds(l->graph));
    TH_TRY(add_row(l, groups[i].name, &th_packed_only, begin));
  }
  const double begin = th_clock_seconds();
  th_lossless_row *r = &l->row[l->n++];
  r->name = "encode";
  TH_TRY(th_deploy(l->graph, coders, &l->deployed));
  TH_TRY(th_footprint_of_deployed(l->graph, &l->deployed, &r->f));
  r->seconds = th_clock_seconds() - begin;
  return TH_OK;
}

th_status th_lossless_run(const th_model *model, const th_encode_options *coders, th_lossless *result) {
  *result = (th_lossless){0};
  TH_TRY(need_integer(model));
  TH_TRY(th_graph_clone(model->graph, &result->graph));
  th_status status = run_all(result, coders);
  if (status != TH_OK) th_lossless_free(result);
  return status;
}

void th_lossless_free(th_lossless *l) {
  th_deployed_free(&l->deployed);
  th_graph_destroy(l->graph);
  l->graph = NULL;
}
