/* A report's memory: who lies where in the arena at which step, and what the bytes are for, of model.thim and of the
 * firmware, whose size is predicted.
 *
 * The arena is that of the firmware as it was compiled; a buffer is a rectangle, from its first step to its last and
 * from its place to its end. SPDX-License-Identifier: Apache-2.0 */
#include "eval/chain.h"
#include "eval/form.h"
#include "lib/predict.h"
#include "lib/report.h"

/* --- the arena --- */

static bool is_listed(const int *list, int n, int value) {
  for (int i = 0; i < n; i++)
    if (list[i] == value) return true;
  return false;
}

static const char *role_of(const th_program *p, int value) {
  if (p->values[value].state) return "state";
  if (is_listed(p->inputs, p->n_inputs, value)) return "input";
  return is_listed(p->outputs, p->n_outputs, value) ? "output" : "activation";
}

static int clamp(int step, int n_steps) {
  return step < 0 ? 0 : step >= n_steps ? n_steps - 1 : step;
}

static void write_buffers(const th_program *p, th_json *arena) {
  th_json *buffers = th_json_add_array(arena, "buffers");
  for (int i = 0; i < p->n_values; i++) {
    const th_value *v = &p->values[i];
    if (v->data || v->offset == TH_NO_OFFSET) continue;
    th_json *o = th_json_add_object(buffers, NULL);
    th_json_add_string(o, "name", v->name);
    th_json_add_string(o, "role", role_of(p, i));
    th_json_add_int(o, "offset", v->offset);
    th_json_add_int(o, "bytes", th_value_room(v));
    if (v->kept) th_json_add_int(o, "lines", v->kept);
    th_json_add_int(o, "first", v->state ? 0 : clamp(v->first_step, p->n_steps));
    th_json_add_int(o, "last", v->state ? p->n_steps - 1 : clamp(th_value_last(v), p->n_steps));
  }
}

static void write_steps(const th_program *p, th_json *arena) {
  th_json *steps = th_json_add_array(arena, "steps");
  for (int i = 0; i < p->n_steps; i++) {
    const th_program_step *s = &p->steps[i];
    const th_form *form = th_form_of(s->form);
    th_json *o = th_json_add_object(steps, NULL);
    th_json_add_string(o, "name", s->name);
    th_json_add_string(o, "kernel", form ? form->name : th_kernel_name(s->step.kernel));
    if (!s->scratch_bytes) continue;
    th_json_add_int(o, "scratch_offset", s->scratch_offset);
    th_json_add_int(o, "scratch_bytes", s->scratch_bytes);
  }
}

static void write_arena(th_report_job *j) {
  const th_program *p = j->firmware->program;
  th_json *arena = th_json_add_object(j->page, "arena");
  th_json_add_int(arena, "bytes", j->firmware->plan.arena_bytes);
  th_json_add_int(arena, "lower_bound", j->firmware->plan.lower_bound);
  th_json *segments = th_json_add_array(arena, "segments");
  for (int i = 0; i < p->n_segments; i++) {
    th_json *pair = th_json_add_array(segments, NULL);
    th_json_add_int(pair, NULL, p->segments[i].first);
    th_json_add_int(pair, NULL, p->segments[i].last);
  }
  write_steps(p, arena);
  write_buffers(p, arena);
}

/* --- flash --- */

static void add_part(th_json *parts, const char *name, const char *what, int64_t bytes) {
  if (!bytes) return;
  th_json *o = th_json_add_object(parts, NULL);
  th_json_add_string(o, "name", name);
  if (what) th_json_add_string(o, "what", what);
  th_json_add_int(o, "bytes", bytes);
}

static void write_flash(th_report_job *j) {
  th_thim_step_bytes sum = {0};
  const th_thim_report *r = &j->sections;
  for (int i = 0; i < r->n_steps; i++) {
    sum.weights += r->steps[i].weights;
    sum.table += r->steps[i].table;
    sum.bias += r->steps[i].bias;
    sum.requant += r->steps[i].requant;
    sum.constants += r->steps[i].constants;
    sum.head += r->steps[i].head;
  }
  th_json *flash = th_json_add_object(j->page, "flash");
  th_json_add_int(flash, "bytes", r->total);
  th_json *parts = th_json_add_array(flash, "parts");
  add_part(parts, "weights", "coded streams of weights", sum.weights);
  add_part(parts, "tables", "what the coders need to read them", sum.table);
  add_part(parts, "biases", "one per output channel", sum.bias);
  add_part(parts, "scales", "multipliers and shifts between layers", sum.requant);
  add_part(parts, "constants", "constant operands and look-up tables", sum.constants);
  add_part(parts, "steps", "which kernel runs where, with which parameters", sum.head);
  add_part(parts, "header", "of the file, with inputs and outputs", r->header);
}

/* What is not code or a layer's constants: structs, initial values, alignment. */
static void write_firmware(th_report_job *j, const th_prediction *p) {
  th_step_bytes sum = {0};
  for (int i = 0; i < j->firmware->program->n_steps; i++) {
    const th_step_bytes *b = &j->firmware->bytes[i];
    sum.weights += b->weights;
    sum.table += b->table;
    sum.bias += b->bias;
    sum.requant += b->requant;
  }
  const int64_t rest = p->flash_bytes - p->code_bytes - sum.weights - sum.table - sum.bias - sum.requant;
  th_json *firmware = th_json_add_object(j->page, "firmware");
  th_json_add_int(firmware, "bytes", p->flash_bytes);
  th_json *parts = th_json_add_array(firmware, "parts");
  add_part(parts, "weights", NULL, sum.weights);
  add_part(parts, "tables", NULL, sum.table);
  add_part(parts, "biases", NULL, sum.bias);
  add_part(parts, "scales", NULL, sum.requant);
  add_part(parts, "code", "kernels, decoders, start-up and the example around the model", p->code_bytes);
  add_part(parts, "other", "parameters of the kernels, constants, alignment", rest);
}

static th_status write_prediction(th_report_job *j) {
  const th_target *target = th_target_find(j->target);
  th_prediction p;
  if (!target) return TH_ERR_INPUT;
  TH_TRY(th_predict_deployed(j->firmware, target, j->arena, &p));
  th_prediction_write(&p, target, j->page, NULL);
  if (p.flash_bytes >= 0) write_firmware(j, &p);
  return TH_OK;
}

th_status th_report_memory(th_report_job *j) {
  write_arena(j);
  write_flash(j);
  return write_prediction(j);
}
