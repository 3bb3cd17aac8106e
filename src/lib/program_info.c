/* th_model_info of a deployed program: what the blob holds, step by step. See thimble/thimble.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lib/model.h"
#include "report/result.h"
#include "report/table.h"

typedef struct totals {
  int64_t weights, zeros, macs;
} totals;

static th_status write_step(const th_model *m, int i, totals *sum, th_result *r, th_json *layers, th_table *t) {
  th_thim_step s = th_thim_step_info(m->program, i);
  const int8_t *weights;
  char a[32];
  int64_t n = (int64_t)s.rows * s.row_elems, zeros = 0;
  TH_TRY(th_thim_step_weights(m->program, i, r->arena, &weights));
  for (int64_t k = 0; weights && k < n; k++) zeros += weights[k] == 0;
  th_json *o = th_json_add_object(layers, NULL);
  th_json_add_string(o, "op", s.kernel);
  th_json_add_int(o, "macs", (int64_t)s.macs);
  th_json_add_int(o, "bytes", s.bytes);
  th_table_cell(t, "%d", i);
  th_table_cell(t, "%s", s.kernel);
  th_table_cell(t, "%s", s.macs ? th_thousands(a, (int64_t)s.macs) : "");
  th_table_cell(t, "%u", (unsigned)s.bytes);
  sum->macs += (int64_t)s.macs;
  if (!weights) {
    for (int k = 0; k < 4; k++) th_table_cell(t, "%s", "");
    return TH_OK;
  }
  sum->weights += n;
  sum->zeros += zeros;
  double bits = 8.0 * (s.weight_bytes + s.table_bytes) / (double)n;
  th_json_add_int(o, "weights", n);
  th_json_add_number(o, "sparsity", (double)zeros / (double)n);
  th_json_add_number(o, "bits_per_weight", bits);
  th_json_add_string(o, "coder", s.coder);
  th_table_cell(t, "%s", th_thousands(a, n));
  th_table_cell(t, "%.1f %%", 100.0 * (double)zeros / (double)n);
  th_table_cell(t, "%s", s.coder);
  th_table_cell(t, "%.2f", bits);
  return TH_OK;
}

static th_status info_of_program(const th_model *m, th_result *r) {
  th_json *layers = th_json_add_array(r->json, "layers");
  th_table *t = th_table_create(r->arena, "step|<kernel|MACs|bytes|weights|zeros|<coder|bits/weight");
  totals sum = {0};
  char a[32], b[32];
  for (int i = 0; i < th_thim_steps(m->program); i++) TH_TRY(write_step(m, i, &sum, r, layers, t));
  th_json_add_string(r->json, "format", "thim program");
  th_json_add_string(r->json, "arithmetic", th_model_arithmetic(m));
  th_json_add_int(r->json, "params", sum.weights);
  th_json_add_int(r->json, "macs", sum.macs);
  th_json_add_int(r->json, "file_bytes", (int64_t)m->file_bytes);
  th_json_add_int(r->json, "arena_bytes", th_thim_arena_bytes(m->program));
  th_json_add_number(r->json, "sparsity", sum.weights ? (double)sum.zeros / (double)sum.weights : 0);
  th_buf_printf(&r->text, "%s: deployed program, %s arithmetic, %s bytes in flash without code, ", m->path,
                th_model_arithmetic(m), th_thousands(a, (int64_t)m->file_bytes));
  th_buf_printf(&r->text, "arena %s bytes, %s MACs\n\n", th_thousands(a, th_thim_arena_bytes(m->program)),
                th_thousands(b, sum.macs));
  th_table_print(t, &r->text);
  return th_result_finish(r);
}

th_status th_model_program_info(const th_model *m, th_result **result) {
  th_result *r;
  TH_TRY(th_result_create(&r));
  th_status status = info_of_program(m, r);
  return th_result_give(status, r, result);
}
