/* The tables of `bench --target`: one row per layer, then flash by section, RAM and the whole. See bench.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lib/bench.h"

#include "encode/encode.h"
#include "eval/form.h"
#include "lib/cost.h"
#include "lib/predict.h"
#include "op/op.h"
#include "report/table.h"

typedef struct layer {
  const char *name, *kernel, *form, *coder; /* form NULL: the kernel itself; coder NULL: no weights */
  int64_t macs, instructions, flash, scratch;
} layer;

static layer layer_of(const th_bench_run *b, int i) {
  const th_program *p = b->deployed.program;
  const th_program_step *s = &p->steps[i];
  const th_step_bytes *bytes = &b->deployed.bytes[i];
  const th_form *form = th_form_of(s->form);
  const th_node *n = &p->graph->nodes[s->node];
  return (layer){.name = s->name,
                 .kernel = th_kernel_name(s->step.kernel),
                 .form = form ? form->name : NULL,
                 .coder = s->weight_count ? th_coder_name(bytes->coder) : NULL,
                 .macs = th_op_get(n->op)->cost(p->graph, n).macs,
                 .instructions = b->layer_instructions ? (int64_t)b->layer_instructions[i] : 0,
                 .flash = (int64_t)bytes->weights + bytes->table + bytes->bias + bytes->requant,
                 .scratch = s->scratch_bytes};
}

static void cell_count(th_table *t, int64_t value) {
  char a[32];
  th_table_cell(t, "%s", value ? th_thousands(a, value) : "");
}

static void write_layers(const th_bench_run *b, th_json *json, th_result *r) {
  th_json *layers = th_json_add_array(json, "layers");
  const char *columns =
      th_arena_printf(r->arena, "<layer|<kernel or form|<coder|MACs|%s|per MAC|share|flash|scratch", b->unit);
  th_table *t = th_table_create(r->arena, columns);
  const double all = (double)b->firmware.instructions;
  for (int i = 0; i < b->deployed.program->n_steps; i++) {
    const layer l = layer_of(b, i);
    th_json *o = th_json_add_object(layers, NULL);
    th_json_add_string(o, "name", l.name);
    th_json_add_string(o, "kernel", l.kernel);
    if (l.form) th_json_add_string(o, "form", l.form);
    if (l.coder) th_json_add_string(o, "coder", l.coder);
    th_json_add_int(o, "macs", l.macs);
    th_json_add_int(o, b->unit, l.instructions);
    th_json_add_int(o, "flash_bytes", l.flash);
    th_json_add_int(o, "scratch_bytes", l.scratch);
    th_table_cell(t, "%s", l.name);
    th_table_cell(t, "%s", l.form ? l.form : l.kernel);
    th_table_cell(t, "%s", l.coder ? l.coder : "");
    cell_count(t, l.macs);
    cell_count(t, l.instructions);
    if (l.macs)
      th_table_cell(t, "%.2f", (double)l.instructions / (double)l.macs);
    else
      th_table_cell(t, "%s", "");
    th_table_cell(t, "%.1f %%", all > 0 ? 100 * (double)l.instructions / all : 0);
    cell_count(t, l.flash);
    cell_count(t, l.scratch);
  }
  th_table_print(t, &r->text);
  th_buf_printf(&r->text, "\n");
}

static void write_sections(const th_firmware_result *f, th_json *json, th_result *r) {
  char a[32];
  th_json *sections = th_json_add_array(json, "sections");
  th_buf_printf(&r->text, "sections of the linked file:");
  for (int i = 0; i < f->n_sections; i++) {
    const th_firmware_section *s = &f->section[i];
    const char *where = s->in_flash && s->in_ram ? "flash and RAM" : s->in_ram ? "RAM" : "flash";
    th_json *o = th_json_add_object(sections, NULL);
    th_json_add_string(o, "name", s->name);
    th_json_add_string(o, "in", where);
    th_json_add_int(o, "bytes", s->bytes);
    th_buf_printf(&r->text, "%s %s %s (%s)", i ? "," : "", s->name, th_thousands(a, s->bytes), where);
  }
  th_buf_printf(&r->text, "\n\n");
}

static uint32_t largest_scratch(const th_program *p) {
  uint32_t most = 0;
  for (int i = 0; i < p->n_steps; i++)
    if (p->steps[i].scratch_bytes > most) most = p->steps[i].scratch_bytes;
  return most;
}

static void write_figures(const th_bench_run *b, th_json *json, th_result *r) {
  const th_firmware_result *f = &b->firmware;
  char a[32];
  const char *whole = th_arena_printf(r->arena, "%s of one inference", b->unit);
  if (!whole) return; /* the result is too large to be printed, too */
  const struct {
    const char *key, *label;
    int64_t value;
  } rows[] = {{"flash_bytes", "flash (linked: code, constants, weights)", f->flash_bytes},
              {"model_bytes", "  of it the model: weights, tables, biases, scales, parameters", f->model_bytes},
              {"code_bytes", "  of it code: runtime, the model's calls, the example", f->flash_bytes - f->model_bytes},
              {"ram_bytes", "RAM (linked: arena and the example's buffers)", f->ram_bytes},
              {"arena_bytes", "arena (tensors and scratch)", f->arena_bytes},
              {"arena_lower_bound", "  which no plan can be below", b->deployed.plan.lower_bound},
              {"touched_bytes", "  up to the last word that a run changes", f->touched_bytes},
              {"scratch_bytes", "  largest scratch of a layer", largest_scratch(b->deployed.program)},
              {"stack_bytes", "stack of one inference", f->stack_bytes},
              {b->unit, whole, (int64_t)f->instructions}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    th_json_add_int(json, rows[i].key, rows[i].value);
    th_buf_printf(&r->text, "%12s  %s\n", th_thousands(a, rows[i].value), rows[i].label);
  }
}

/* What was linked and measured; the example's buffers for inputs and outputs are in it. */
static void write_device(const th_bench_run *b, th_json *json, th_result *r) {
  const th_firmware_result *f = &b->firmware;
  const th_needs needs = {f->flash_bytes, (int64_t)f->ram_bytes + f->stack_bytes, false};
  if (b->device) th_needs_write(&needs, b->device, json, &r->text);
}

static void write_run(const th_bench_run *b, th_json *json, th_result *r) {
  char a[32], c[32];
  th_json_add_string(json, "target", b->target);
  th_json_add_string(json, "optimize", b->optimize);
  th_json_add_int(json, "samples", b->samples);
  th_json_add_int(json, "output_bytes", b->bytes);
  th_json_add_int(json, "different_bytes", b->different);
  th_buf_printf(&r->text, "%s for %s: %d %s samples, %s output bytes, %s differ from the host's\n", b->target,
                b->optimize, b->samples, b->inputs, th_thousands(a, b->bytes),
                b->different ? th_thousands(c, b->different) : "none");
  if (b->labelled) {
    const double accuracy = (double)b->right / b->labelled;
    th_json_add_number(json, "accuracy", accuracy);
    th_buf_printf(&r->text, "accuracy on the target %.2f %%\n", 100 * accuracy);
  }
  th_cost_note(b->deployed.program, th_target_find(b->target), json, &r->text);
  if (!b->firmware.flash_bytes) return; /* this machine has no linked sizes and no counter */
  th_prediction_write(&b->predicted, th_target_find(b->target), json, NULL);
  th_buf_printf(&r->text, "\n");
  write_layers(b, json, r);
  write_sections(&b->firmware, json, r);
  write_figures(b, json, r);
  write_device(b, json, r);
}

static void write_comparison(const th_bench_run *runs, int n, th_result *r) {
  const char *columns = th_arena_printf(
      r->arena, "<optimized for|%s|flash|model in it|code in it|arena|scratch in it|stack|arena + stack", runs->unit);
  th_table *t = columns ? th_table_create(r->arena, columns) : NULL;
  for (int i = 0; i < n; i++) {
    const th_firmware_result *f = &runs[i].firmware;
    th_table_cell(t, "%s", runs[i].optimize);
    cell_count(t, (int64_t)f->instructions);
    cell_count(t, f->flash_bytes);
    cell_count(t, f->model_bytes);
    cell_count(t, (int64_t)f->flash_bytes - f->model_bytes);
    cell_count(t, f->arena_bytes);
    cell_count(t, largest_scratch(runs[i].deployed.program));
    cell_count(t, f->stack_bytes);
    cell_count(t, (int64_t)f->arena_bytes + f->stack_bytes);
  }
  th_table_print(t, &r->text);
}

void th_bench_write(const th_bench_run *runs, int n, th_result *r) {
  if (n == 1) {
    write_run(runs, r->json, r);
    return;
  }
  th_json *builds = th_json_add_array(r->json, "builds");
  for (int i = 0; i < n; i++) {
    write_run(&runs[i], th_json_add_object(builds, NULL), r);
    th_buf_printf(&r->text, "\n");
  }
  if (runs->firmware.flash_bytes) write_comparison(runs, n, r);
}
