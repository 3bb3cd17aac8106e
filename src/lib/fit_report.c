/* What a search found, as fit.json and as text. See fit.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "lib/fit.h"
#include "report/table.h"

static const char *metric_name(const th_fit_search *s) {
  return s->metric == TH_METRIC_MSE ? "mse" : s->metric == TH_METRIC_AUC ? "auc" : "accuracy";
}

static int id_of(const th_fit_search *s, const th_fit_trial *t) {
  return (int)(t - s->trial) + 1;
}

/* --- JSON --- */

static void write_limits(const th_fit_search *s, th_json *root) {
  th_json *o = th_json_add_object(root, "limits");
  const double none = (double)NAN;
  th_json_add_number(o, "flash_bytes", s->flash_limit ? (double)s->flash_limit : none);
  th_json_add_number(o, "ram_bytes", s->ram_limit ? (double)s->ram_limit : none);
  th_json_add_number(o, "max_drop", s->options->max_drop);
  th_json_add_number(o, "min_accuracy", s->options->min_accuracy);
  th_json_add_string(root, "target", s->target);
  th_json_add_string(root, "device", s->options->device);
  th_json_add_int(root, "seed", (int64_t)s->options->seed);
  th_json_add_string(root, "metric", metric_name(s));
  th_json_add_string(root, "measured_on", s->split == TH_ON_VALIDATION ? "validation" : "training");
  th_json_add_number(root, "original", s->base);
}

static void write_sensitivity(const th_fit_search *s, th_json *root) {
  th_json *list = th_json_add_array(root, "sensitivity");
  for (int i = 0; i < s->probes; i++) {
    const th_fit_probe *p = &s->probe[i];
    if (!p->job.done) continue;
    th_json *o = th_json_add_object(list, NULL);
    th_json_add_string(o, "layer", p->layer < 0 ? NULL : th_fit_layer_name(s, p->layer)); /* null: all of them */
    th_json_add_string(o, "technique", th_technique_of(p->technique)->name);
    th_json_add_string(o, "setting", p->value);
    th_json_add_number(o, metric_name(s), p->job.outcome.value);
    th_json_add_number(o, "drop", p->drop);
    if (p->job.outcome.error) th_json_add_string(o, "error", p->job.outcome.error);
  }
}

static void write_build(const th_fit_build *b, th_json *o) {
  th_json_add_int(o, "bytes", b->bytes);
  th_json_add_int(o, "flash_bytes", b->flash_bytes);
  th_json_add_int(o, "ram_bytes", b->ram_bytes);
  th_json_add_int(o, "instructions", b->instructions);
  th_json_add_string(o, "optimize", b->optimize);
  th_json_add_string(o, "coder", b->coder);
}

static void write_trial(const th_fit_search *s, const th_fit_trial *t, th_json *o) {
  const th_fit_outcome *out = &t->job.outcome;
  const bool ok = t->job.done && !out->error;
  th_json_add_int(o, "id", id_of(s, t));
  th_json_add_string(o, "what", th_fit_describe(s, &s->candidate[t->candidate]));
  th_json_add_int(o, "epochs", t->epochs);
  th_json_add_string(o, "state", !t->job.done ? "not run" : out->error ? "failed" : "done");
  th_json_add_string(o, "recipe", ok ? th_fit_final_recipe(s, t) : t->job.recipe);
  if (out->error) th_json_add_string(o, "error", out->error);
  if (!ok) return;
  write_build(&t->best, o);
  th_json_add_number(o, metric_name(s), out->value);
  th_json_add_number(o, "drop", t->drop);
  th_json_add_number(o, "seconds", out->seconds);
}

static void write_miss(const th_fit_search *s, th_json *root) {
  const th_fit_miss miss = th_fit_nearest(s);
  if (!miss.trial) return;
  th_json *o = th_json_add_object(root, "nearest");
  th_json_add_int(o, "id", id_of(s, miss.trial));
  th_json_add_string(o, "limit", miss.limit);
  write_build(&miss.build, o);
  th_json_add_number(o, metric_name(s), miss.trial->job.outcome.value);
  th_json_add_number(o, "drop", miss.trial->drop);
}

void th_fit_write_json(const th_fit_search *s, th_json *root) {
  const th_fit_trial *chosen = th_fit_chosen(s);
  write_limits(s, root);
  write_sensitivity(s, root);
  th_json *list = th_json_add_array(root, "trials"), *front = th_json_add_array(root, "front");
  for (int i = 0; i < s->trials; i++) {
    write_trial(s, &s->trial[i], th_json_add_object(list, NULL));
    if (s->trial[i].on_front) th_json_add_int(front, NULL, id_of(s, &s->trial[i]));
  }
  th_json_add_number(root, "chosen", chosen ? id_of(s, chosen) : (double)NAN);
  th_json_add_number(root, "test", s->test); /* of the chosen one, or of the nearest */
  if (!chosen) write_miss(s, root);
}

th_status th_fit_save_json(const th_fit_search *s, const char *dir) {
  th_json *root = th_json_object();
  th_buf text = {0};
  th_fit_write_json(s, root);
  th_status status = th_json_print(root, true, &text);
  const char *path = th_path_join(s->arena, dir, "fit.json");
  if (status == TH_OK) status = path ? th_file_write(path, text.data, text.size) : TH_ERR_RESOURCE;
  th_buf_free(&text);
  th_json_free(root);
  return status;
}

/* --- text --- */

static int ended(const th_fit_search *s) {
  int n = 0;
  for (int i = 0; i < s->trials; i++) n += s->trial[i].job.done;
  return n;
}

static double gain(const th_fit_trial *t) {
  return 0 - t->drop; /* no "-0" */
}

static const char *value_text(const th_fit_search *s, double value, char text[32]) {
  if (s->metric == TH_METRIC_ACCURACY)
    snprintf(text, 32, "%.2f %%", 100 * value);
  else
    snprintf(text, 32, s->metric == TH_METRIC_AUC ? "%.4f" : "%.5g", value);
  return text;
}

/* What nobody has measured on the target is not known, which is not 0. */
static const char *instructions_text(const th_fit_build *b, char text[32]) {
  if (b->instructions <= 0) return "not known";
  return th_thousands(text, b->instructions);
}

void th_fit_tell(const th_fit_search *s, const th_fit_trial *t) {
  char a[32], b[32], c[32], d[32], v[32];
  th_log(s->ctx, TH_LOG_INFO, "%3d  %8s bytes  flash %8s  RAM %7s  instructions %11s  %s %s (%+.2f)  %s%s", id_of(s, t),
         th_thousands(a, t->best.bytes), th_thousands(b, t->best.flash_bytes), th_thousands(c, t->best.ram_bytes),
         instructions_text(&t->best, d), metric_name(s), value_text(s, t->job.outcome.value, v), gain(t),
         th_fit_describe(s, &s->candidate[t->candidate]), t->excess == 0 ? "  keeps the limits" : "");
}

static void write_front(const th_fit_search *s, th_arena *arena, th_buf *text) {
  char number[32];
  th_table *t = th_table_create(arena, "trial|bytes|flash|RAM|instructions|value|change|epochs|<what|<build");
  for (int i = 0; i < s->trials; i++) {
    const th_fit_trial *r = &s->trial[i];
    if (!r->on_front) continue;
    th_table_cell(t, "%d%s", id_of(s, r), r == th_fit_chosen(s) ? " *" : "");
    th_table_cell(t, "%s", th_thousands(number, r->best.bytes));
    th_table_cell(t, "%s", th_thousands(number, r->best.flash_bytes));
    th_table_cell(t, "%s", th_thousands(number, r->best.ram_bytes));
    th_table_cell(t, "%s", instructions_text(&r->best, number));
    th_table_cell(t, "%s", value_text(s, r->job.outcome.value, number));
    th_table_cell(t, "%+.2f", gain(r));
    th_table_cell(t, "%d", r->epochs);
    th_table_cell(t, "%s", th_fit_describe(s, &s->candidate[r->candidate]));
    th_table_cell(t, "%s, %s", r->best.optimize, r->best.coder);
  }
  th_table_print(t, text);
}

static void write_limit(const char *name, int64_t needed, int64_t limit, th_buf *text) {
  char a[32], b[32];
  if (limit)
    th_buf_printf(text, "%s %s of %s bytes, ", name, th_thousands(a, needed), th_thousands(b, limit));
  else
    th_buf_printf(text, "%s %s bytes, ", name, th_thousands(a, needed));
}

static void write_numbers(const th_fit_search *s, const th_fit_trial *t, const th_fit_build *b, th_buf *text) {
  char v[32];
  write_limit("flash", b->flash_bytes, s->flash_limit, text);
  write_limit("RAM", b->ram_bytes, s->ram_limit, text);
  th_buf_printf(text, "%s %s, %+.2f %s\n", metric_name(s), value_text(s, t->job.outcome.value, v), gain(t),
                s->metric == TH_METRIC_MSE ? "percent" : "points");
}

static void write_nearest(const th_fit_search *s, th_buf *text) {
  const th_fit_miss miss = th_fit_nearest(s);
  char a[32], b[32];
  th_buf_printf(text, "\nnothing that was tried keeps all limits\n");
  if (s->out_of_time)
    th_buf_printf(text, "time was up after %d of %d trials: more of it (--budget) may find what fits\n", ended(s),
                  s->trials);
  if (!miss.trial) return;
  th_buf_printf(text, "nearest: trial %d (%s): ", id_of(s, miss.trial),
                th_fit_describe(s, &s->candidate[miss.trial->candidate]));
  write_numbers(s, miss.trial, &miss.build, text);
  if (!miss.limit)
    th_buf_printf(text, "more than one limit would have to give\n");
  else if (!strcmp(miss.limit, "flash"))
    th_buf_printf(text, "what would have to give is flash: %s bytes instead of %s\n",
                  th_thousands(a, th_fit_flash_needed(&miss.build)), th_thousands(b, s->flash_limit));
  else if (!strcmp(miss.limit, "ram"))
    th_buf_printf(text, "what would have to give is RAM: %s bytes instead of %s\n",
                  th_thousands(a, th_fit_ram_needed(&miss.build)), th_thousands(b, s->ram_limit));
  else
    th_buf_printf(text, "what would have to give is the %s: a loss of %.2f has to be allowed\n", metric_name(s),
                  miss.trial->drop);
}

void th_fit_write_text(const th_fit_search *s, th_arena *arena, th_buf *text) {
  const th_fit_trial *chosen = th_fit_chosen(s);
  th_buf_printf(
      text, "front of %d trial%s, measured on the %s split; flash, RAM and instructions of %s are predicted\n",
      ended(s), ended(s) == 1 ? "" : "s", s->split == TH_ON_VALIDATION ? "validation" : "training", s->target);
  write_front(s, arena, text);
  if (!chosen) {
    write_nearest(s, text);
    return;
  }
  th_buf_printf(text, "\nchosen: trial %d (%s): ", id_of(s, chosen),
                th_fit_describe(s, &s->candidate[chosen->candidate]));
  write_numbers(s, chosen, &chosen->best, text);
  const char *command = th_fit_bench_command(s, &chosen->best);
  if (command) th_buf_printf(text, "to link it and count it under emulation: %s\n", command);
}
