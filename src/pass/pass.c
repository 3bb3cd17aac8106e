/* The pass manager: a name list in, passes run in that order, the graph checked after each.
 * SPDX-License-Identifier: Apache-2.0 */
#include "pass/pass.h"

#include <string.h>

#include "base/str.h"
#include "op/op.h"

typedef struct pass_row {
  const char *name, *what;
  th_pass_fn *run;
} pass_row;

static const pass_row ROWS[] = {
#define TH_PASS(name, what) {#name, what, th_pass_##name},
#include "pass/passes.def"
#undef TH_PASS
};
enum { ROW_COUNT = sizeof ROWS / sizeof *ROWS };

const char *th_pass_list(int i, const char **what) {
  if (i < 0 || i >= ROW_COUNT) return NULL;
  if (what) *what = ROWS[i].what;
  return ROWS[i].name;
}

static const pass_row *find(const char *name) {
  for (int i = 0; i < ROW_COUNT; i++)
    if (th_str_eq(ROWS[i].name, name)) return &ROWS[i];
  return NULL;
}

static th_status unknown(const char *name) {
  const char *known[ROW_COUNT];
  for (int i = 0; i < ROW_COUNT; i++) known[i] = ROWS[i].name;
  const char *near = th_str_closest(name, known, ROW_COUNT);
  return th_fail(TH_ERR_USAGE, "unknown pass \"%s\"%s%s%s", name, near ? "; did you mean \"" : "", near ? near : "",
                 near ? "\"?" : "");
}

static bool must_verify(const th_pass_options *o) {
#ifndef NDEBUG
  (void)o;
  return true;
#else
  return o && o->verify;
#endif
}

static th_status run_one(th_graph *g, const pass_row *row, const th_pass_options *o) {
  TH_TRY(row->run(g, o));
  TH_TRY(th_graph_compact(g));
  if (must_verify(o)) {
    th_status status = th_graph_verify(g);
    if (status == TH_OK) status = th_op_infer_all(g);
    if (status != TH_OK) return th_fail_in(status, "after pass %s", row->name);
  }
  if (o && o->dump) {
    th_buf_printf(o->dump, "# after %s\n", row->name);
    TH_TRY(th_graph_print(g, 16, o->dump));
  }
  return TH_OK;
}

th_status th_pass_run(th_graph *g, const char *names, const th_pass_options *o) {
  char name[64];
  while (*names) {
    size_t length = strcspn(names, ",");
    if (length >= sizeof name) return th_fail(TH_ERR_USAGE, "pass name \"%s\" is too long", names);
    memcpy(name, names, length);
    name[length] = 0;
    const pass_row *row = find(name);
    if (!row) return unknown(name);
    TH_TRY(run_one(g, row, o));
    names += length;
    if (*names == ',') names++;
  }
  return TH_OK;
}
