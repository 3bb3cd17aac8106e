/* th_compile: the blob, the .tflite or the C project of a quantized model. See compile.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lib/compile.h"

#include <strings.h>

#include "base/file.h"
#include "base/str.h"
#include "encode/program.h"
#include "eval/form.h"
#include "lib/choose.h"
#include "lib/code.h"
#include "lib/cost.h"
#include "lib/deploy.h"
#include "lib/predict.h"
#include "lib/tflite_decode.h"
#include "lib/uncoded.h"
#include "report/result.h"
#include "report/table.h"
#include "write/avr.h"
#include "write/package.h"
#include "write/thim.h"

enum { LONGEST_NAME = 63 };

th_status th_compile_need_integer(const th_model *m) {
  TH_TRY(th_model_need_graph(m, "compile"));
  if (!th_graph_is_float(m->graph)) return TH_OK;
  return th_fail(TH_ERR_INPUT, "%s: a float model; quantize it first (thimble quantize, or thimble shrink)", m->path);
}

static bool is_identifier(const char *name) {
  size_t n = 0;
  for (; name[n]; n++) {
    char c = name[n];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && (n == 0 || !((c >= '0' && c <= '9') || c == '_'))) return false;
  }
  return n >= 1 && n <= LONGEST_NAME;
}

static th_status check_name(const th_settings *compile) {
  static const char *const taken[] = {"main",   "startup", "semihost", "board", "rt",      "stdint", "stddef",
                                      "string", "limits",  "stdlib",   "stdio", "stdbool", "math",   "assert"};
  const char *name = th_settings_text(compile, "name");
  if (!is_identifier(name))
    return th_fail(TH_ERR_USAGE, "name: '%s' is no C identifier (a letter, then letters, digits and _; at most %d)",
                   name, LONGEST_NAME);
  for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
    if (strcasecmp(name, taken[i]) == 0) /* files are named in lower case */
      return th_fail(TH_ERR_USAGE, "name: '%s' is taken by another file of the project; choose another name", name);
  if (th_str_starts(name, "thr"))
    return th_fail(TH_ERR_USAGE, "name: '%s': what begins with thr is the runtime's; choose another name", name);
  return TH_OK;
}

static bool is_package(const char *as) {
  const char *name;
  for (int i = 0; (name = th_package_list(i, NULL)) != NULL; i++)
    if (th_str_eq(name, as)) return true;
  return false;
}

static bool codes_weights(const th_settings *compile) {
  const char *coder = th_settings_text(compile, "coder");
  return !th_str_eq(coder, "auto") && !th_str_eq(coder, "raw");
}

/* Where the model lies in an arena that it shares with others. */
static const char *const offsets[2] = {"state-offset", "shared-offset"};

static th_status check_offsets(const th_settings *compile) {
  for (int i = 0; i < 2; i++) {
    const int64_t at = (int64_t)th_settings_number(compile, offsets[i]);
    if (at % 4 != 0) return th_fail(TH_ERR_USAGE, "%s: %lld is no multiple of 4", offsets[i], (long long)at);
  }
  return TH_OK;
}

th_status th_compile_check(const th_settings *compile) {
  TH_TRY(check_name(compile));
  TH_TRY(check_offsets(compile));
  TH_TRY(th_choose_check(th_settings_text(compile, "forms")));
  const bool is_avr = th_str_eq(th_settings_text(compile, "target"), "avr");
  if (is_avr && is_package(th_settings_text(compile, "as")) && codes_weights(compile))
    return th_fail(TH_ERR_INPUT, "coder %s: kernels for AVR read raw weights: auto or raw",
                   th_settings_text(compile, "coder"));
  return TH_OK;
}

th_goal th_compile_goal(const th_settings *compile) {
  static const th_goal goals[] = {TH_FOR_SPEED, TH_FOR_SIZE, TH_FOR_RAM}; /* speed|size|ram */
  return goals[th_settings_choice(compile, "optimize")];
}

th_encode_options th_compile_coders(const th_settings *compile) {
  static const uint32_t coders[] = {0,
                                    1u << THR_CODER_RAW,
                                    1u << THR_CODER_BITPACK,
                                    1u << THR_CODER_HUFFMAN,
                                    1u << THR_CODER_GAP_HUFFMAN,
                                    1u << THR_CODER_RANGE,
                                    1u << THR_CODER_CONTEXT,
                                    TH_CODERS_ALL};
  /* auto|raw|bitpack|huffman|gap|range|context|smallest */
  const bool avr = th_str_eq(th_settings_text(compile, "target"), "avr"); /* its kernels read raw weights */
  uint32_t chosen = coders[th_settings_choice(compile, "coder")];
  if (chosen == 0 && (avr || th_compile_goal(compile) == TH_FOR_SPEED)) chosen = 1u << THR_CODER_RAW;
  return (th_encode_options){.coders = chosen, .code_channels = chosen == TH_CODERS_ALL};
}

/* Steps run by kernels yet: forms, which C sources alone have, are chosen later. `firmware`: decoders are part of it,
 * and only those that its weights need; an interpreter has them all. */
static th_status deploy(const th_model *model, const th_settings *compile, bool firmware, th_deployed *d) {
  uint32_t decoders[TH_CODER_SETS];
  th_encode_options o = th_compile_coders(compile);
  o.quick = firmware && o.coders == 0;
  if (firmware && (o.coders == 0 || o.coders == TH_CODERS_ALL)) { /* else the user has chosen */
    th_code_decoders(th_settings_text(compile, "target"), th_compile_goal(compile), decoders);
    o.decoders = decoders;
  }
  if (th_compile_goal(compile) != TH_FOR_RAM) return th_deploy(model->graph, &o, d);
  return th_deploy_least_ram(model->graph, &o, (uint32_t)th_settings_number(compile, "arena"), d);
}

static th_status share_arena(const th_settings *compile, th_deployed *d) {
  uint32_t *const places[2] = {&d->program->states_at, &d->program->shared_at};
  TH_TRY(check_offsets(compile));
  for (int i = 0; i < 2; i++) *places[i] = (uint32_t)th_settings_number(compile, offsets[i]);
  return th_pass_plan(d->program, &d->plan);
}

th_status th_compile_deploy_blob(const th_model *model, const th_settings *compile, th_deployed *d) {
  TH_TRY(deploy(model, compile, false, d));
  const th_status status = share_arena(compile, d);
  if (status != TH_OK) th_deployed_free(d);
  return status;
}

th_status th_compile_blob(const th_model *model, const th_settings *compile, th_buf *blob) {
  TH_TRY(th_compile_need_integer(model));
  th_deployed d;
  TH_TRY(th_compile_deploy_blob(model, compile, &d));
  th_status status = th_write_thim_program(d.program, d.program->arena, blob, NULL);
  th_deployed_free(&d);
  return status == TH_OK ? th_buf_status(blob) : status;
}

th_status th_compile_deploy(const th_model *model, const th_settings *compile, th_deployed *d) {
  const th_target *target = th_target_find(th_settings_text(compile, "target"));
  if (!target) return TH_ERR_USAGE;
  TH_TRY(deploy(model, compile, true, d));
  th_status status = th_choose(d, target, th_compile_goal(compile), th_settings_text(compile, "forms"));
  if (status == TH_OK) status = share_arena(compile, d);
  if (status != TH_OK) th_deployed_free(d);
  return status;
}

static int64_t constant_bytes(const th_deployed *d) {
  int64_t sum = 0;
  for (int i = 0; i < d->program->n_steps; i++)
    sum += (int64_t)d->bytes[i].weights + d->bytes[i].table + d->bytes[i].bias + d->bytes[i].requant;
  return sum;
}

/* --- for a device --- */

th_status th_compile_aim(th_settings *compile, const char *target, const char *device) {
  if (!target && !device) return TH_OK;
  TH_TRY(th_settings_set(compile, "device", ""));
  const th_device *d = device ? th_device_find(device) : NULL;
  if (device && !d) return TH_ERR_INPUT;
  if (d) TH_TRY(th_device_need_target(d));
  TH_TRY(th_settings_set(compile, "target", target ? target : d->target));
  return device ? th_settings_set(compile, "device", device) : TH_OK;
}

/* With code and stack, where they are known. */
static th_status predict_needs(const th_deployed *d, const th_settings *compile, th_needs *needs) {
  th_prediction p;
  TH_TRY(th_predict_deployed(d, th_target_find(th_settings_text(compile, "target")), d->program->arena, &p));
  if (p.flash_bytes >= 0) *needs = (th_needs){p.flash_bytes, p.ram_bytes, false};
  return TH_OK;
}

static th_status deploy_as_written(const th_model *model, const th_settings *compile, th_deployed *d) {
  const bool source = is_package(th_settings_text(compile, "as"));
  return source ? th_compile_deploy(model, compile, d) : th_compile_deploy_blob(model, compile, d);
}

th_status th_compile_needs(const th_model *model, const th_settings *compile, th_needs *needs) {
  const bool source = is_package(th_settings_text(compile, "as"));
  th_deployed d;
  TH_TRY(th_compile_need_integer(model));
  TH_TRY(deploy_as_written(model, compile, &d));
  const bool avr = source && th_str_eq(th_settings_text(compile, "target"), "avr");
  th_status status = avr ? th_avr_check(d.program) : TH_OK;
  *needs = (th_needs){constant_bytes(&d), d.plan.arena_bytes, true};
  if (status == TH_OK && source) status = predict_needs(&d, compile, needs);
  th_deployed_free(&d);
  return status;
}

th_status th_compile_check_device(const th_model *model, const th_settings *compile) {
  const th_device *device = th_device_of(compile);
  th_needs needs;
  if (!device) return TH_OK;
  TH_TRY(th_compile_needs(model, compile, &needs));
  return th_needs_check(&needs, device, th_compile_goal(compile) == TH_FOR_RAM ? "" : "; optimize ram needs the least");
}

th_status th_compile_tell_device(const th_model *model, const th_settings *compile, const th_context *ctx,
                                 th_result *r) {
  const th_device *device = th_device_of(compile);
  th_needs needs;
  if (!device) return TH_OK;
  TH_TRY(th_compile_needs(model, compile, &needs));
  th_needs_write(&needs, device, r->json, &r->text);
  if (!th_needs_met(&needs, device)) th_log(ctx, TH_LOG_WARN, "the result does not fit %s", device->name);
  return TH_OK;
}

static th_status check_arena(const th_model *model, const th_settings *compile) {
  const double most = th_settings_number(compile, "arena");
  th_deployed d;
  if (most == 0) return TH_OK;
  TH_TRY(deploy_as_written(model, compile, &d));
  const uint32_t needed = d.plan.arena_bytes;
  th_deployed_free(&d);
  if (needed <= most) return TH_OK;
  return th_fail(TH_ERR_CHECK, "arena: %u bytes are needed, %.0f may be used%s", needed, most,
                 th_compile_goal(compile) == TH_FOR_RAM ? "" : "; --optimize ram needs the least");
}

static th_status write_package(const th_model *model, const th_settings *compile, const char *as, const char *dir) {
  TH_TRY(th_compile_check(compile));
  TH_TRY(th_compile_need_integer(model));
  th_deployed d;
  TH_TRY(th_compile_deploy(model, compile, &d));
  th_status status =
      th_package_write(d.program, as, th_settings_text(compile, "name"), th_settings_text(compile, "target"), dir);
  th_deployed_free(&d);
  return status;
}

th_status th_compile_firmware(const th_model *model, const th_settings *compile, const char *dir) {
  return write_package(model, compile, "c", dir);
}

/* --- the table of what was written --- */

static void write_steps(const th_deployed *d, th_result *r) {
  th_json *layers = th_json_add_array(r->json, "layers");
  th_table *t = th_table_create(r->arena, "<layer|<coder or form|weights|bytes|tables|bias|scales|bits/weight");
  char number[32];
  for (int i = 0; i < d->program->n_steps; i++) {
    const th_program_step *s = &d->program->steps[i];
    const th_step_bytes *b = &d->bytes[i];
    if (!s->weight_count) continue;
    const th_form *form = th_form_of(s->form);
    double bits = 8.0 * (b->weights + b->table) / s->weight_count;
    th_json *o = th_json_add_object(layers, NULL);
    th_json_add_string(o, "name", s->name);
    th_json_add_string(o, "coder", th_coder_name(b->coder));
    if (form) th_json_add_string(o, "form", form->name);
    th_json_add_int(o, "weights", s->weight_count);
    th_json_add_int(o, "weight_bytes", b->weights);
    th_json_add_int(o, "table_bytes", b->table);
    th_json_add_int(o, "bias_bytes", b->bias);
    th_json_add_int(o, "scale_bytes", b->requant);
    th_json_add_number(o, "bits_per_weight", bits);
    th_table_cell(t, "%s", s->name);
    th_table_cell(t, "%s", form ? form->name : th_coder_name(b->coder));
    th_table_cell(t, "%s", th_thousands(number, s->weight_count));
    th_table_cell(t, "%s", th_thousands(number, b->weights));
    th_table_cell(t, "%u", (unsigned)b->table);
    th_table_cell(t, "%u", (unsigned)b->bias);
    th_table_cell(t, "%u", (unsigned)b->requant);
    th_table_cell(t, "%.2f", bits);
  }
  th_table_print(t, &r->text);
}

/* `source`: C was written, else files for an interpreter: they differ in forms and arena. */
static th_status describe(const th_model *model, const th_settings *compile, bool source, int64_t bytes, th_result *r) {
  th_deployed d;
  TH_TRY(source ? th_compile_deploy(model, compile, &d) : th_compile_deploy_blob(model, compile, &d));
  char a[32];
  write_steps(&d, r);
  th_uncoded_write(&d, th_settings_text(compile, "coder"), r->json, &r->text);
  if (source) {
    th_json_add_int(r->json, "constant_bytes", constant_bytes(&d));
    th_buf_printf(&r->text, "\nconstants of the layers in the C source: %s bytes", th_thousands(a, constant_bytes(&d)));
  }
  th_cost_note(d.program, th_target_find(th_settings_text(compile, "target")), r->json, &r->text);
  th_json_add_int(r->json, "bytes", bytes);
  th_json_add_int(r->json, "arena_bytes", d.plan.arena_bytes);
  th_json_add_int(r->json, "arena_lower_bound", d.plan.lower_bound);
  th_json_add_int(r->json, "state_bytes", d.program->state_bytes);
  th_buf_printf(&r->text, "\nthe .thim, all that the runtime needs: %s bytes; ", th_thousands(a, bytes));
  th_buf_printf(&r->text, "arena %s bytes (no placement is below %u)\n", th_thousands(a, d.plan.arena_bytes),
                (unsigned)d.plan.lower_bound);
  if (d.program->state_bytes > 0)
    th_buf_printf(&r->text, "of it variables: %s bytes, from %u on\n", th_thousands(a, d.program->state_bytes),
                  (unsigned)d.program->states_at);
  th_deployed_free(&d);
  return TH_OK;
}

static th_status compile_into(const th_model *model, const th_settings *s, const char *dir, const th_context *ctx,
                              th_result *r) {
  const char *name = th_settings_text(s, "name");
  const char *blob = th_arena_printf(r->arena, "%s/%s.thim", dir, name),
             *tflite = th_arena_printf(r->arena, "%s/%s.tflite", dir, name);
  if (!blob || !tflite) return TH_ERR_RESOURCE;
  const char *as = th_settings_text(s, "as");
  th_buf program = {0};
  TH_TRY(th_compile_check_device(model, s));
  TH_TRY(check_arena(model, s));
  th_status status = th_compile_blob(model, s, &program);
  const int64_t bytes = (int64_t)program.size;
  if (status == TH_OK && is_package(as)) status = write_package(model, s, as, dir); /* creates what it fills */
  if (status == TH_OK && !is_package(as)) status = th_dir_create(dir);
  if (status == TH_OK && th_str_eq(as, "tflite")) status = th_model_save(model, tflite);
  if (status == TH_OK && th_str_eq(as, "tflite-decode")) status = th_tflite_decode_save(model, tflite, r);
  if (status == TH_OK) status = th_file_write(blob, program.data, program.size);
  th_buf_free(&program);
  TH_TRY(status);
  th_json_add_string(r->json, "output", dir);
  TH_TRY(describe(model, s, is_package(as), bytes, r));
  TH_TRY(th_compile_tell_device(model, s, ctx, r));
  th_buf_printf(&r->text, "written to %s\n", dir);
  return th_result_finish(r);
}

th_status th_compile(const th_model *model, const th_settings *settings, const char *dir, const th_context *ctx,
                     th_result **result) {
  TH_TRY(th_compile_check(settings));
  TH_TRY(th_compile_need_integer(model));
  th_result *r;
  TH_TRY(th_result_create(&r));
  th_status status = th_name_file(compile_into(model, settings, dir, ctx, r), model->path);
  return th_result_give(status, r, result);
}
